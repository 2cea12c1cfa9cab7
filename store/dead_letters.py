"""Dead letters for people: listed, shown, renewed, resolved.

Called by `operator`. Intake writes them (`IntakeTransaction.save_dead_letters`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import msgspec

from reconciler.ports.operator import NewAudit, StoredDeadLetter
from reconciler.ports.views import DeadLetterFilter, DeadLetterSummary
from store import audit
from store.intake import IntakeTransaction, folding
from store.pool import Connection

_SUMMARY = """dead_letter_id, topic, partition, record_offset, reason, detail, received_at, resolved_at,
       coalesce(resolution, ''), coalesce(octet_length(record_value), 0)"""


@dataclass(frozen=True)
class DeadLetterStore:
    """Bound to the pool."""

    pool: asyncpg.Pool

    async def page(
        self, wanted: DeadLetterFilter, after: int, limit: int
    ) -> list[DeadLetterSummary]:
        """Oldest first, after an id."""
        rows = await self.pool.fetch(
            f"""
            SELECT {_SUMMARY} FROM dead_letters
             WHERE dead_letter_id > $1 AND (resolved_at IS NOT NULL) = $2
               AND ($3 = '' OR reason = $3) AND ($4 = '' OR topic = $4)
             ORDER BY dead_letter_id LIMIT $5
            """,
            after,
            wanted.resolved,
            wanted.reason,
            wanted.topic,
            limit,
        )
        return [_summary(row) for row in rows]

    async def reasons(self) -> dict[str, int]:
        """How many are open, by reason."""
        rows = await self.pool.fetch(
            """
            SELECT reason, count(*)::int FROM dead_letters WHERE resolved_at IS NULL
             GROUP BY reason ORDER BY reason
            """
        )
        return {row[0]: row[1] for row in rows}

    async def open_of(self, topic: str) -> int:
        """How many of one topic are open."""
        count: int = await self.pool.fetchval(
            "SELECT count(*)::int FROM dead_letters WHERE resolved_at IS NULL AND topic = $1", topic
        )
        return count

    async def by_id(self, ids: Sequence[int]) -> list[StoredDeadLetter]:
        """With their bytes, in the order of their ids."""
        rows = await self.pool.fetch(
            f"""
            SELECT {_SUMMARY}, topic_id, record_timestamp, record_key, record_value, record_headers
              FROM dead_letters WHERE dead_letter_id = ANY($1::bigint[]) ORDER BY dead_letter_id
            """,
            list(ids),
        )
        return [
            StoredDeadLetter(
                summary=_summary(row), topic_id=row[10], timestamp_ms=row[11], key=row[12],
                value=row[13], headers=row[14],
            )
            for row in rows
        ]  # fmt: skip

    async def renew(self, reasons: dict[int, tuple[str, str]]) -> None:
        """Note another reason and detail, by id."""
        await self.pool.execute(
            """
            UPDATE dead_letters AS d SET reason = n.reason, detail = n.detail
              FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n(id, reason, detail)
             WHERE d.dead_letter_id = n.id AND d.resolved_at IS NULL
            """,
            list(reasons),
            [reason for reason, _ in reasons.values()],
            [detail for _, detail in reasons.values()],
        )

    async def dismiss(self, ids: Sequence[int], resolution: str, entry: NewAudit) -> set[int]:
        """Resolve those that are open; answers which."""
        async with self.pool.acquire() as connection, connection.transaction():
            return await _resolve(connection, ids, resolution, entry)

    @asynccontextmanager
    async def redriving(
        self, ids: Sequence[int], entry: NewAudit
    ) -> AsyncIterator[IntakeTransaction]:
        """Intake's transaction that also resolves these."""
        async with folding(self.pool) as connection:
            yield IntakeTransaction(connection)
            await _resolve(connection, ids, f"re-driven by {entry.actor}", entry)


async def _resolve(
    connection: Connection, ids: Sequence[int], resolution: str, entry: NewAudit
) -> set[int]:
    rows = await connection.fetch(
        """
        UPDATE dead_letters SET resolved_at = now(), resolution = $2
         WHERE dead_letter_id = ANY($1::bigint[]) AND resolved_at IS NULL
        RETURNING dead_letter_id
        """,
        list(ids),
        resolution,
    )
    resolved = sorted(row[0] for row in rows)
    entries = [
        msgspec.structs.replace(entry, target=f"dead letter {number}") for number in resolved
    ]
    if entries:
        await audit.write(connection, entries)
    return set(resolved)


def _summary(row: asyncpg.Record) -> DeadLetterSummary:
    return DeadLetterSummary(
        dead_letter_id=row[0], topic=row[1], partition=row[2], offset=row[3], reason=row[4],
        detail=row[5], received_at=row[6], resolved_at=row[7], resolution=row[8], size=row[9],
    )  # fmt: skip
