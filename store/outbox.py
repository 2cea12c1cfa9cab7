"""The outbox's side of publishing outcomes, each once.

Called by `reconciler.relay`. Rows get a gap-free sequence from their only relay before they are
sent; Kafka keeps the last sequence in the transaction that holds the records, so after a crash it
is known which of the numbered rows are out.
"""

from __future__ import annotations

import asyncpg

from reconciler.ports import UnpublishedOutcome

_RELAY = 7_204_021_991  # the advisory lock of the only relay; any constant of our own


class Outbox:
    """One relay's view, on a connection of its own that holds the relay's lock."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def is_only_relay(self) -> bool:
        """Become the only relay of this database, or find that another process is.

        A convenience: two relays would fence each other at Kafka, and the sequence is unique.
        """
        held: bool = await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", _RELAY)
        return held

    async def mark_published(self, up_to: int) -> None:
        """Note that Kafka holds everything up to this sequence."""
        await self._connection.execute(
            """
            UPDATE outcomes SET published_at = now()
             WHERE published_at IS NULL AND sequence <= $1
            """,
            up_to,
        )

    async def numbered(self) -> list[UnpublishedOutcome]:
        """Rows given a number before but not marked: a crash may have come after their commit."""
        rows = await self._connection.fetch(
            """
            SELECT sequence, kind, key, value FROM outcomes
             WHERE published_at IS NULL AND sequence IS NOT NULL ORDER BY sequence
            """
        )
        return [UnpublishedOutcome(*row) for row in rows]

    async def number_next(self, limit: int) -> list[UnpublishedOutcome]:
        """Give the next rows their numbers, and commit that, before they are sent.

        Ids are not in the order of commit; numbers are, as only this connection gives them.
        """
        rows = await self._connection.fetch(
            """
            WITH chosen AS (
                SELECT outcome_id,
                       row_number() OVER (ORDER BY outcome_id)
                       + (SELECT coalesce(max(sequence), 0) FROM outcomes) AS number
                  FROM outcomes WHERE published_at IS NULL AND sequence IS NULL
                 ORDER BY outcome_id LIMIT $1)
            UPDATE outcomes AS o SET sequence = c.number FROM chosen AS c
             WHERE o.outcome_id = c.outcome_id
            RETURNING o.sequence, o.kind, o.key, o.value
            """,
            limit,
        )
        return sorted(UnpublishedOutcome(*row) for row in rows)


async def installation_id(pool: asyncpg.Pool) -> str:
    """The identity of this database; part of the transactional id, so that no other's is taken."""
    found: str = await pool.fetchval("SELECT installation_id FROM installation")
    return found
