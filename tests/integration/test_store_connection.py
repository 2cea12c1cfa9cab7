"""A Postgres that goes away: which errors mean that, and that they are met as such."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from reconciler.errors import ConfigurationError
from store.pool import LOST, close_pool, connect, open_pool
from store.tokens import TokenRows
from store.upgrade import upgrade


@asynccontextmanager
async def without_its_end(dsn: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The same database over a way that loses the end of the stream; says when it came."""
    place = urlsplit(dsn)
    ended, pumps = asyncio.Event(), set[asyncio.Task[None]]()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65_536):
                writer.write(piece)
            ended.set()
            await asyncio.Event().wait()
        finally:
            writer.transport.abort()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(place.hostname, place.port)
        pumps.update(map(asyncio.create_task, (pump(reader, back), pump(there, writer))))

    server = await asyncio.start_server(accept, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    login = place.netloc.rpartition("@")[0]
    try:
        yield urlunsplit(place._replace(netloc=f"{login}@127.0.0.1:{port}")), ended
    finally:
        server.close()
        for task in pumps:
            task.cancel()
        await asyncio.wait(pumps)


async def test_a_farewell_is_a_loss(database_dsn: str) -> None:
    """Between the server's last message and the end of the stream, asyncpg calls use a bug."""
    async with without_its_end(database_dsn) as (dsn, ended):
        pool = await open_pool(dsn, size=1, wait_seconds=10)
        pid = await pool.fetchval("SELECT pg_backend_pid()")
        server = await asyncpg.connect(database_dsn)
        await server.execute("SELECT pg_terminate_backend($1)", pid)
        await server.close()
        await ended.wait()
        with pytest.raises(LOST):
            await pool.fetchval("SELECT 1")
        pool.terminate()


async def test_a_statement_that_was_cut_off_leaves_nothing_behind(database_dsn: str) -> None:
    """asyncpg may leave a statement prepared without the end of its transaction, and then the next
    user of the connection would work with the snapshot and the `now()` of that time."""
    pool = await open_pool(database_dsn, size=1, wait_seconds=10)
    with pytest.raises(asyncpg.DataError):
        await pool.fetchval("SELECT $1::int", "which ends it between being prepared and being sent")
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read"),  # refused in one that was left open
    ):
        assert await connection.fetchval("SELECT 1") == 1
    await close_pool(pool)


async def test_locks_are_not_kept_by_who_stopped_between_two_messages(database_dsn: str) -> None:
    """Postgres counts a transaction that waits for the rest of a statement neither as idle nor as
    working: it is ended all the same. (Needs PostgreSQL 17.)"""
    lock = "SELECT 1 FROM installation FOR UPDATE"
    pool = await open_pool(database_dsn, size=1, wait_seconds=10, timeout_seconds=2)
    heir = await asyncpg.connect(database_dsn)
    if heir.get_server_version().major < 17:
        pytest.skip("PostgreSQL 16 has no transaction_timeout")
    connection = await pool.acquire()
    await connection.transaction().start()
    await connection.execute(lock)
    with pytest.raises(asyncpg.DataError):
        await connection.fetchval("SELECT $1::int", "stopped before it is sent")
    assert await heir.fetchval(lock, timeout=10) == 1
    await heir.close()
    pool.terminate()


async def open_a_pool(dsn: str) -> object:
    return await open_pool(dsn, size=1, wait_seconds=1)


async def lock_tokens(dsn: str) -> None:
    async with TokenRows(dsn).locked("9341450000000121"):
        pass


async def migrate(dsn: str) -> None:
    await asyncio.to_thread(upgrade, dsn)


@pytest.mark.parametrize("dsn", ["postgresql://u:pa#ss@h/db", "postgresql://u:pa/ss@h:1/db"])
@pytest.mark.parametrize("use", [open_a_pool, connect, lock_tokens, migrate])
async def test_an_address_that_cannot_be_read_tells_nothing_of_its_password(
    use: Callable[[str], Awaitable[object]], dsn: str
) -> None:
    """The part before the sign would else be taken for a port, and named."""
    with pytest.raises(ConfigurationError, match="percent-encode") as caught:
        await use(dsn)
    told = str(caught.value)
    assert "pa" not in told.replace("password", "").replace("part", "")
    assert caught.value.__suppress_context__  # what asyncpg said is not printed with it


async def test_a_server_without_encryption_is_not_said_to_be_away(database_dsn: str) -> None:
    """It answers, and says that it has none."""
    with pytest.raises(ConfigurationError, match="takes no encrypted connection"):
        await open_pool(f"{database_dsn}?sslmode=require", size=1, wait_seconds=0.1)


async def test_a_refused_login_is_said_as_such(database_dsn: str) -> None:
    """A person mends it: it is nothing that passes."""
    wrong = database_dsn.replace("://postgres:", "://postgres:not")
    with pytest.raises(ConfigurationError, match=r"password authentication failed.*DIRECT_DSN"):
        await connect(wrong)
