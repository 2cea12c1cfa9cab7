"""How far HubSpot's webhooks journal was put on Kafka. Called by `streams.journal`.

Ages are told by the database's clock. A poller advances by compare-and-set, so that of two only one
goes on from each place; what both put on Kafka is folded once.
"""

from __future__ import annotations

import asyncpg

from reconciler.ports.hubspot import JournalPosition


class JournalOffsetStore:
    """Bound to the pool and to one journal by its name."""

    def __init__(self, pool: asyncpg.Pool, name: str) -> None:
        self._pool = pool
        self._name = name

    async def position(self) -> JournalPosition | None:
        """Where reading stands; None if it never began."""
        row = await self._pool.fetchrow(
            """
            SELECT journal_offset, extract(epoch FROM now() - read_at)::float8
              FROM journal_offsets WHERE name = $1
            """,
            self._name,
        )
        return None if row is None else JournalPosition(*row)

    async def advance(self, from_: str | None, to: str) -> bool:
        """Go on from *from_* to *to*; False when it stands elsewhere by now.

        Only the end makes us younger: a file in the middle of a backlog says nothing of the next.
        """
        moved = await self._pool.fetchval(
            """
            INSERT INTO journal_offsets AS o (name, journal_offset, read_at)
            SELECT $1, $3, now() - interval '3 days' WHERE $2::text IS NULL
                             OR EXISTS (SELECT FROM journal_offsets WHERE name = $1)
            ON CONFLICT (name) DO UPDATE
               SET journal_offset = excluded.journal_offset
             WHERE o.journal_offset = $2
            RETURNING true
            """,
            self._name,
            from_,
            to,
        )
        return bool(moved)

    async def at_end(self) -> None:
        """Note that there is nothing after the offset just now: all of the journal was read."""
        await self._pool.execute(
            "UPDATE journal_offsets SET read_at = now() WHERE name = $1", self._name
        )

    async def forget(self) -> None:
        """Begin again with the earliest entry that HubSpot still has."""
        await self._pool.execute("DELETE FROM journal_offsets WHERE name = $1", self._name)
