"""PgBouncer in transaction mode: the service starts, migrates and works through it.

What PgBouncer refuses is shown to a server that only listens, so that this is noticed also where
PgBouncer isn't installed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.errors import ConfigurationError
from store.pool import open_pool
from streams import child
from tests import servers
from tests.snapshots import deal
from tests.whole_service import whole_service
from tests.workflow_files import ACCOUNTS, deals_in, workflow_file

US = "9341450000000121"
WORKFLOWS = workflow_file({"us": {"realm_id": US, "defaults": ACCOUNTS}}, deals_in("won"))

TAKEN_BY_PGBOUNCER = {
    "user", "database", "client_encoding", "datestyle", "timezone", "standard_conforming_strings",
    "application_name",
}  # fmt: skip
"""The startup parameters that it sets anew for each client; any other ends the connection."""


@pytest.mark.parametrize("pooler", [True, False])
async def test_a_pooler_is_asked_for_nothing_that_it_refuses(pooler: bool) -> None:
    """Without one, Postgres is told when to end a transaction whose process has stopped."""
    asked_for: set[str] = set()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length, _version) = struct.unpack(">ii", await reader.readexactly(8))
        words = (await reader.readexactly(length - 8)).decode().split("\0")
        asked_for.update(word.lower() for word in words[:-2:2])
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    dsn = f"postgresql://u:p@127.0.0.1:{port}/db?sslmode=disable"
    async with server:
        with pytest.raises(ConfigurationError, match="did not answer"):
            await open_pool(dsn, size=1, wait_seconds=0, pooler=pooler)
    refused = asked_for - TAKEN_BY_PGBOUNCER
    assert refused == (set() if pooler else {"idle_in_transaction_session_timeout"})


@contextmanager
def pgbouncer(directory: Path, dsn: str) -> Iterator[str]:
    """One before the server of *dsn*; the address to use instead."""
    place, port = urlsplit(dsn), child.free_port()
    file = directory / "pgbouncer.ini"
    file.write_text(
        f"""
        [databases]
        * = host={place.hostname} port={place.port} user={place.username} password={place.password}
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = any
        pool_mode = transaction
        """
    )
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
    log = directory / "pgbouncer.log"
    process = child.spawn(["pgbouncer", *as_nobody, str(file)], log)
    try:
        yield f"postgresql://{place.username}@127.0.0.1:{port}{place.path}"
    finally:
        child.end(process)


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="PgBouncer is not installed")
def test_the_service_works_through_pgbouncer(
    kafka_bootstrap: str, postgres_server: servers.PostgresServer, tmp_path: Path
) -> None:
    """On an empty database, which is migrated past the pooler."""
    with servers.database(postgres_server) as name:
        direct = postgres_server.dsn_of(name)
        with (
            pgbouncer(tmp_path, direct) as pooled,
            whole_service(tmp_path, kafka_bootstrap, direct, WORKFLOWS, [f"{US}:US:USD"]) as whole,
        ):
            whole.start(postgres_dsn=pooled, postgres_pooler="true", postgres_direct_dsn=direct)
            whole.feed([deal(str(number), "won") for number in range(100, 140)])
            assert set(whole.ledger().values()) == {("created", "")}
            assert len(whole.books(US)["Invoice"]) == 40
