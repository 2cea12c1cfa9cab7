"""Replays and backfills, and how far each got, so that they go on after they were stopped.

Called by `operator` and by the commands. A position moves in the transaction that takes in what it
passed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from reconciler.operator.views import ReplayView
from store.intake import IntakeTransaction
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
    async with pool.acquire() as connection, connection.transaction():
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
