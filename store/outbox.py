"""The outbox's side of publishing outcomes, each once.

Called by `reconciler.service.relay`. Rows get a gap-free sequence from their only relay before they are
sent; Kafka keeps the last sequence in the transaction that holds the records, so after a crash it
is known which of the numbered rows are out. Being the relay is a lease with a token, like owning
a company: one that hangs holds nobody up, and can number nothing once another took over.
"""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from reconciler.errors import Fenced
from reconciler.ports.outcomes import UnpublishedOutcome
from store.pool import Connection


class Outbox:
    """One process's view."""

    def __init__(self, pool: asyncpg.Pool, owner: str, lasting: timedelta) -> None:
        self._pool = pool
        self._owner = owner
        self._lasting = lasting
        self._token: int | None = None

    async def become_relay(self) -> bool:
        """Take the lease of the relay, by the database's clock, if nobody holds it."""
        self._token = await self._pool.fetchval(
            """
            UPDATE installation
               SET relay_owner = $1, relay_token = relay_token + 1, relay_until = now() + $2
             WHERE relay_until IS NULL OR relay_until < now()
            RETURNING relay_token
            """,
            self._owner,
            self._lasting,
        )
        return self._token is not None

    async def stay_relay(self) -> None:
        """Prolong the lease. Raises `Fenced` if another process took it."""
        kept = await self._pool.fetchval(
            """
            UPDATE installation SET relay_until = now() + $3
             WHERE relay_owner = $1 AND relay_token = $2 RETURNING 1
            """,
            self._owner,
            self._token,
            self._lasting,
        )
        if kept is None:
            raise Fenced("another process is the relay of outcomes now")

    async def give_up_relay(self) -> None:
        """Let another process be the relay at once (orderly shutdown)."""
        await self._pool.execute(
            """
            UPDATE installation SET relay_until = NULL
             WHERE relay_owner = $1 AND relay_token = $2
            """,
            self._owner,
            self._token,
        )

    async def mark_published(self, up_to: int) -> None:
        """Note that Kafka holds everything up to this sequence."""
        await self._pool.execute(
            """
            UPDATE outcomes SET published_at = now()
             WHERE published_at IS NULL AND sequence <= $1
            """,
            up_to,
        )

    async def numbered(self) -> list[UnpublishedOutcome]:
        """Rows given a number before but not marked: a crash may have come after their commit."""
        rows = await self._pool.fetch(
            """
            SELECT sequence, kind, key, value FROM outcomes
             WHERE published_at IS NULL AND sequence IS NOT NULL ORDER BY sequence
            """
        )
        return [UnpublishedOutcome(*row) for row in rows]

    async def number_next(self, limit: int, above: int) -> list[UnpublishedOutcome]:
        """Give the next rows their numbers, and commit that, before they are sent.

        Numbers begin *above* what Kafka has: after a restore it has more than the table. Ids are not in
        the order of commit; numbers are, as only the relay gives them. Raises `Fenced` if that is
        another process by now.
        """
        if not await self._pool.fetchval(
            "SELECT EXISTS (SELECT 1 FROM outcomes WHERE published_at IS NULL AND sequence IS NULL)"
        ):
            return []
        async with self._pool.acquire() as connection, connection.transaction():
            await _held(connection, self._owner, self._token)
            rows = await connection.fetch(
                """
                WITH chosen AS (
                    SELECT outcome_id,
                           row_number() OVER (ORDER BY outcome_id)
                           + (SELECT greatest($2, max(sequence)) FROM outcomes) AS number
                      FROM outcomes WHERE published_at IS NULL AND sequence IS NULL
                     ORDER BY outcome_id LIMIT $1)
                UPDATE outcomes AS o SET sequence = c.number FROM chosen AS c
                 WHERE o.outcome_id = c.outcome_id
                RETURNING o.sequence, o.kind, o.key, o.value
                """,
                limit,
                above,
            )
        return sorted(UnpublishedOutcome(*row) for row in rows)


async def _held(connection: Connection, owner: str, token: int | None) -> None:
    """Refuse this transaction unless the lease is held, and keep it from being taken until commit."""
    held = await connection.fetchval(
        "SELECT 1 FROM installation WHERE relay_owner = $1 AND relay_token = $2 FOR SHARE",
        owner,
        token,
    )
    if held is None:
        raise Fenced("another process is the relay of outcomes now")


async def installation_id(pool: asyncpg.Pool) -> str:
    """The identity of this database; part of the transactional id, so that no other's is taken."""
    found: str = await pool.fetchval("SELECT installation_id FROM installation")
    return found
