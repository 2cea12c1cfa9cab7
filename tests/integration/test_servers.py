"""The test harness itself: what other tests take for granted."""

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from store.embedded import PostgresStartError, start_postgres
from streams import child
from streams.embedded import BrokerStartError, start_broker


async def test_each_test_gets_a_database_of_its_own(database_dsn: str) -> None:
    """A test's database answers, and its name is no other test's."""
    connection = await asyncpg.connect(database_dsn)
    try:
        name = await connection.fetchval("SELECT current_database()")
    finally:
        await connection.close()
    assert name.startswith("test_")


async def test_committed_rows_survive_a_kill_of_postgres() -> None:
    """A killed server recovers on restart: what was committed is there, on the same address."""
    with start_postgres() as server:
        await _execute(server.dsn, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
        server.kill()
        server.restart()
        assert await _count(server.dsn) == 1


async def test_postgres_keeps_its_directory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Starting on a directory used before finds its rows and its password again."""
    home = _enterable(tmp_path_factory.mktemp("postgres"))
    with start_postgres(home, fsync=False) as server:
        await _execute(server.dsn, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
    with start_postgres(home, fsync=False) as server:
        assert await _count(server.dsn) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_is_told_when_the_server_could_not_enter_its_directory(tmp_path: Path) -> None:
    """As root, a directory closed to others is refused with its name instead of opened up."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(PostgresStartError, match=r"may not enter .* Choose a data directory"):
        start_postgres(closed / "data")
    assert closed.stat().st_mode & 0o777 == 0o700


def test_servers_show_no_password() -> None:
    """The generated password is in the connection string and in no repr."""
    with start_postgres(fsync=False) as server:
        assert server.password in server.dsn
        assert server.password not in repr(server)


def test_throwaway_directories_are_removed() -> None:
    """Stopping a server that was given no directory leaves nothing behind."""
    with start_broker() as broker, start_postgres(fsync=False) as server:
        assert broker.directory.exists()
        assert server.directory.exists()
    assert not broker.directory.exists()
    assert not server.directory.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_servers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    """A SIGKILL of the starter ends the broker and PostgreSQL too."""
    program = (
        "from streams.embedded import start_broker; from store.embedded import start_postgres\n"
        "broker, server = start_broker(), start_postgres(fsync=False)\n"
        "print(broker.process.pid, server.process.pid, broker.directory, server.directory,"
        " flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        *pids, broker_home, server_home = starter.stdout.readline().split()
        watched = [os.pidfd_open(int(pid)) for pid in pids]
        starter.send_signal(signal.SIGKILL)
    for descriptor in watched:
        assert _ends_within(descriptor, seconds=10)
        os.close(descriptor)
    subprocess.run(["rm", "-r", broker_home, server_home], check=True)


def test_two_brokers_never_share_a_port(tmp_path: Path) -> None:
    """Starting on a port where a broker answers is refused, instead of using that broker."""
    with start_broker() as broker, pytest.raises(BrokerStartError, match="answers on port"):
        start_broker(tmp_path, port=broker.port)


def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error of a broker that does not come up ends with what the broker printed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(BrokerStartError, match="did not answer on port"):
            start_broker(tmp_path, port=taken.getsockname()[1])


def test_free_ports_differ() -> None:
    """Ports handed out one after the other are usable and not the same."""
    assert len({child.free_port() for _ in range(10)}) > 1


def _enterable(path: Path) -> Path:
    """pytest's folders are closed to the account that root starts the server as."""
    if os.geteuid() == 0:
        for folder in (path, *path.parents):
            if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
    return path


def _ends_within(descriptor: int, seconds: float) -> bool:
    ended, _, _ = select.select([descriptor], [], [], seconds)
    return bool(ended)


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _count(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM t"))
    finally:
        await connection.close()
