"""Replays and backfills, and how far each got, so that they go on after they were stopped.

Called by `operator` and by the commands. A position moves in the transaction that takes in what it
passed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from reconciler.model import DocumentKey, ObjectKey, ObjectType, SourceObject
from reconciler.ports.intake import LedgerEntry
from reconciler.ports.views import ReplayView
from store.intake import IntakeTransaction, folding
from store.pool import Connection

_encode = msgspec.json.Encoder().encode
_COLUMNS = """replay_id, kind, actor, request, positions, done, total, counts, started_at, updated_at,
       finished_at"""


async def latest(pool: asyncpg.Pool, limit: int) -> list[ReplayView]:
    """Newest first."""
    rows = await pool.fetch(
        f"SELECT {_COLUMNS} FROM replays ORDER BY replay_id DESC LIMIT $1", limit
    )
    return [_view(row) for row in rows]


async def unfinished(
    pool: asyncpg.Pool, kind: str, request: Mapping[str, Any]
) -> ReplayView | None:
    """The newest of the same kind and request that was stopped before its end."""
    row = await pool.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM replays
         WHERE kind = $1 AND request::jsonb = $2::jsonb AND finished_at IS NULL
         ORDER BY replay_id DESC LIMIT 1
        """,
        kind,
        _text(request),
    )
    return _view(row) if row else None


async def by_id(pool: asyncpg.Pool, replay_id: int) -> ReplayView | None:
    """One of them."""
    row = await pool.fetchrow(f"SELECT {_COLUMNS} FROM replays WHERE replay_id = $1", replay_id)
    return _view(row) if row else None


async def begin(
    connection: Connection, actor: str, kind: str, request: Mapping[str, Any], total: int
) -> ReplayView:
    """Note a new one."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO replays (kind, actor, request, positions, total, counts)
        VALUES ($1, $2, $3::json, '{{}}', $4, '{{}}') RETURNING {_COLUMNS}
        """,
        kind,
        actor,
        _text(request),
        total,
    )
    return _view(row)


async def save(connection: Connection, replay: ReplayView) -> None:
    """Write its position, counts and end."""
    await connection.execute(
        """
        UPDATE replays SET positions = $2::json, done = $3, total = $4, counts = $5::json,
               updated_at = now(), finished_at = $6
         WHERE replay_id = $1
        """,
        replay.replay_id,
        _text(replay.positions),
        replay.done,
        replay.total,
        _text(replay.counts),
        replay.finished_at,
    )


@asynccontextmanager
async def taking(pool: asyncpg.Pool, passed: ReplayView) -> AsyncIterator[IntakeTransaction]:
    """Intake's transaction that also notes how far the replay has come."""
    async with folding(pool) as connection:
        yield IntakeTransaction(connection)
        await save(connection, passed)


def _text(value: object) -> str:
    return _encode(value).decode()


def _view(row: asyncpg.Record) -> ReplayView:
    return ReplayView(
        replay_id=row[0], kind=row[1], actor=row[2], request=msgspec.json.decode(row[3]),
        positions=msgspec.json.decode(row[4]), done=row[5], total=row[6],
        counts=msgspec.json.decode(row[7]), started_at=row[8], updated_at=row[9],
        finished_at=row[10],
    )  # fmt: skip


# --- going through stored objects ------------------------------------------------------------------


@asynccontextmanager
async def backfilling(
    pool: asyncpg.Pool, passed: Callable[[], ReplayView]
) -> AsyncIterator[IntakeTransaction]:
    """The transaction of one batch; *passed* is asked at its end."""
    async with folding(pool) as connection:
        yield IntakeTransaction(connection)
        await save(connection, passed())


async def object_keys(
    pool: asyncpg.Pool, kind: ObjectType, after: ObjectKey | None, limit: int
) -> list[ObjectKey]:
    """Keys of stored objects of a type, in order, after a key."""
    rows = await pool.fetch(
        """
        SELECT portal_id, object_id FROM objects
         WHERE object_type = $1 AND (portal_id, object_type, object_id) > ($2, $1, $3)
         ORDER BY portal_id, object_type, object_id LIMIT $4
        """,
        kind,
        after.portal_id if after else -1,
        after.id if after else "",
        limit,
    )
    return [ObjectKey(row[0], kind, row[1]) for row in rows]


async def count_objects(pool: asyncpg.Pool, kinds: Sequence[ObjectType]) -> int:
    """How many objects of these types are stored."""
    found: int = await pool.fetchval(
        "SELECT count(*) FROM objects WHERE object_type = ANY($1::text[])", list(kinds)
    )
    return found


async def stored_objects(pool: asyncpg.Pool, keys: Sequence[ObjectKey]) -> list[SourceObject]:
    """Those that are known."""
    async with pool.acquire() as connection:
        found = await IntakeTransaction(connection).objects(keys)
    return [stored.object for stored in found.values()]


async def ledger_of(
    pool: asyncpg.Pool, keys: Sequence[ObjectKey]
) -> dict[DocumentKey, LedgerEntry]:
    """Every document ever wanted for these objects."""
    async with pool.acquire() as connection:
        return await IntakeTransaction(connection).ledger(keys)
