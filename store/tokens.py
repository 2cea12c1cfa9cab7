"""A company's sealed tokens, changed by one process at a time.

Called through `reconciler.quickbooks.stored_tokens`. The lock is a session advisory lock on a
connection of its own: it survives a call to Intuit without an open transaction, and Postgres
releases it when its process dies. What is sealed in the bytes is not this package's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from store.pool import LOST, Connection, connect

SAVE_PATIENCE_SECONDS = 60.0
"""How long a new refresh token is held on to while Postgres is away: without it the company is
lost, because Intuit has killed the old one."""

AT_ONCE = 8
"""Connections of one process that hold or wait for such a lock. All its companies refresh now and then."""

LOCK_PATIENCE_SECONDS = 60.0
"""How long a turn is waited for: twice what a refresh may take. Then the company is tried again later."""

_LOCK = "SELECT pg_advisory_lock(hashtextextended('quickbooks tokens ' || $1, 0))"
_SAVE = """
    INSERT INTO companies AS c (realm_id, sealed_tokens, tokens_expire_at) VALUES ($1, $2, $3)
    ON CONFLICT (realm_id) DO UPDATE
       SET sealed_tokens = excluded.sealed_tokens, tokens_expire_at = excluded.tokens_expire_at
"""


async def _connect(dsn: str) -> Connection:
    """A connection that ends by itself when either side is gone: the lock would outlive it for hours."""
    return await connect(
        dsn,
        timeout_seconds=LOCK_PATIENCE_SECONDS,
        command_timeout=LOCK_PATIENCE_SECONDS,
        server_settings={
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        },
    )


class TokenRows:
    """Bound to a direct address of Postgres: a pooler in transaction mode keeps no session locks."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._turns = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def locked(self, realm_id: str) -> AsyncIterator[LockedRow]:
        """Hold the company's lock while the block runs; other processes wait. Raises one of `LOST`
        where Postgres, or who holds the lock, does not answer."""
        async with self._turns:
            connection = await _connect(self._dsn)
            try:
                await connection.execute(_LOCK, realm_id)
                yield LockedRow(self._dsn, connection, realm_id)
            finally:
                await connection.close(timeout=5)  # releases the lock

    async def sealed(self) -> list[str]:
        """Realm ids of the companies that have tokens."""
        connection = await _connect(self._dsn)
        try:
            rows = await connection.fetch(
                "SELECT realm_id FROM companies WHERE sealed_tokens IS NOT NULL ORDER BY realm_id"
            )
        finally:
            await connection.close(timeout=5)
        return [row[0] for row in rows]


class LockedRow:
    """One company's tokens while nobody else may change them; each statement commits by itself."""

    def __init__(self, dsn: str, connection: Connection, realm_id: str) -> None:
        self._dsn = dsn
        self._connection = connection
        self._realm_id = realm_id

    async def read(self) -> bytes | None:
        """The sealed tokens as stored now."""
        found: bytes | None = await self._connection.fetchval(
            "SELECT sealed_tokens FROM companies WHERE realm_id = $1", self._realm_id
        )
        return found

    async def save(self, sealed: bytes, expire_at: datetime) -> None:
        """Replace them; durable when it returns. Outlives the loss of the lock's connection."""
        try:
            await self._connection.execute(_SAVE, self._realm_id, sealed, expire_at)
        except LOST:
            await self._save_elsewhere(sealed, expire_at)

    async def _save_elsewhere(self, sealed: bytes, expire_at: datetime) -> None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(LOST),
            stop=stop_after_delay(SAVE_PATIENCE_SECONDS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        ):
            with attempt:
                connection = await _connect(self._dsn)
                try:
                    await connection.execute(_SAVE, self._realm_id, sealed, expire_at)
                finally:
                    await connection.close(timeout=5)

    async def connected(self, name: str) -> None:
        """Note that a person has connected the company, and tell the process that owns it."""
        await self._connection.execute(
            """
            UPDATE companies SET connection = 'connected', connection_detail = '',
                   name = CASE WHEN name = '' THEN $2 ELSE name END
             WHERE realm_id = $1
            """,
            self._realm_id,
            name,
        )
        await self._connection.execute("SELECT pg_notify('company_connected', $1)", self._realm_id)

    async def forget(self, detail: str) -> None:
        """Drop the tokens and note why."""
        await self._connection.execute(
            """
            UPDATE companies SET sealed_tokens = NULL, tokens_expire_at = NULL,
                   connection = 'disconnected', connection_detail = $2
             WHERE realm_id = $1
            """,
            self._realm_id,
            detail,
        )
