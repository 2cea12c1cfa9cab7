"""Which objects lack facts that HubSpot can be asked for, and when each is asked next.

Called by `reconciler.hubspot.hydrate`, and by intake for objects whose enrolment can't be decided
yet. A row says that an object was asked for; `attempts`, how often it was fetched; `next_hydration_at`
NULL, that nothing is wanted of it now. Claimed rows come due again by themselves: until they were
fetched, and then ever later, for as long as a document waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

import asyncpg

from reconciler.model import ObjectKey, ObjectType
from store.pool import Connection
from store.rows import key_columns

GRACE = timedelta(seconds=2)
"""The facts may be on their way by themselves: in the next records, or on a companion topic."""


OFTEN_ENOUGH = 2.0
"""Seconds between two looks that are not to be spared."""

LOOKING_SHARE = 0.05
"""Of the time: looking through the documents that wait takes longer the more there are."""


class HydrationQueue:
    """Bound to the pool and to one portal, as a token is; *types* are those that have a topic to
    be put on."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        portal_id: int,
        facts: Sequence[str],
        types: Collection[ObjectType],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._looks_at = float("-inf")
        self._portal_id = portal_id
        self._facts = list(facts)
        self._types = list(types)

    async def claim(self, limit: int) -> list[ObjectKey]:
        """Take up to *limit* objects that are due; no other process gets them for a minute.

        The delay doubles with every time an object was fetched, up to twelve hours. Until it is said to
        have been (`fetched`) it comes due again: who took it may have died.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await self._look_through(connection)
            rows = await connection.fetch(
                """
                UPDATE hydrations AS h
                   SET problem = '',
                       next_hydration_at = now() + least(interval '1 minute' * 2 ^ least(h.attempts, 10),
                                                         interval '12 hours')
                  FROM (SELECT portal_id, object_type, object_id FROM hydrations
                         WHERE portal_id = $1 AND next_hydration_at <= now()
                           AND object_type = ANY($3::text[])
                         ORDER BY next_hydration_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
                 WHERE h.portal_id = due.portal_id AND h.object_type = due.object_type
                   AND h.object_id = due.object_id
                RETURNING h.object_type, h.object_id
                """,
                self._portal_id,
                limit,
                self._types,
            )
        return [ObjectKey(self._portal_id, ObjectType(kind), id_) for kind, id_ in rows]

    async def postpone(self, keys: Sequence[ObjectKey], delay: timedelta, problem: str) -> None:
        """Ask for these again after *delay*."""
        await self._change(
            keys, "next_hydration_at = now() + $4, problem = $5", delay, problem[:300]
        )

    async def fetched(self, keys: Sequence[ObjectKey]) -> None:
        """What HubSpot has of these is on its way: what nothing waits for need not be asked for again."""
        await self._change(keys, "attempts = h.attempts + 1")

    async def note(self, keys: Sequence[ObjectKey], problem: str) -> None:
        """Say why asking for these came to nothing; they are asked for again when they are due."""
        await self._change(keys, "problem = $4", problem)

    async def _change(self, keys: Sequence[ObjectKey], news: str, *values: object) -> None:
        """Set *news*, SQL whose parameters from $4 on are *values*, in the rows of these objects."""
        await self._pool.execute(
            f"""
            UPDATE hydrations AS h SET {news}
              FROM unnest($2::text[], $3::text[]) AS n(object_type, object_id)
             WHERE h.portal_id = $1 AND h.object_type = n.object_type AND h.object_id = n.object_id
            """,
            self._portal_id,
            [key.type for key in keys],
            [key.id for key in keys],
            *values,
        )

    async def _look_through(self, connection: Connection) -> None:
        """Which objects are wanted now, and which no more; not again at once where that takes long."""
        started = self._clock()
        if started < self._looks_at:
            return
        await self._enter_waiting(connection)
        await self._rest_satisfied(connection)
        now = self._clock()
        self._looks_at = now + max(0.0, (now - started) / LOOKING_SHARE - OFTEN_ENOUGH)

    async def _enter_waiting(self, connection: Connection) -> None:
        """Objects of documents that wait for such facts, and that nobody is asking for."""
        await connection.execute(
            """
            INSERT INTO hydrations AS h (portal_id, object_type, object_id, next_hydration_at)
            SELECT DISTINCT d.portal_id, d.object_type, d.object_id, now()
              FROM documents AS d
              LEFT JOIN hydrations AS known USING (portal_id, object_type, object_id)
             WHERE d.state = 'waiting' AND d.reason = ANY($2::text[]) AND d.portal_id = $1
               AND d.state_since <= now() - $3::interval AND known.next_hydration_at IS NULL
             ORDER BY 1, 2, 3
            ON CONFLICT (portal_id, object_type, object_id) DO UPDATE
               SET next_hydration_at = excluded.next_hydration_at, attempts = 0
             WHERE h.next_hydration_at IS NULL
            """,
            self._portal_id,
            self._facts,
            GRACE,
        )

    async def _rest_satisfied(self, connection: Connection) -> None:
        """Objects fetched before of which nothing waits any more."""
        await connection.execute(
            """
            UPDATE hydrations AS h SET next_hydration_at = NULL
             WHERE h.portal_id = $1 AND h.next_hydration_at <= now() AND h.attempts > 0
               AND NOT EXISTS (SELECT FROM documents AS d
                                WHERE d.portal_id = h.portal_id AND d.object_type = h.object_type
                                  AND d.object_id = h.object_id AND d.state = 'waiting'
                                  AND d.reason = ANY($2::text[]))
            """,
            self._portal_id,
            self._facts,
        )


async def request_facts(connection: Connection, keys: Sequence[ObjectKey]) -> None:
    """Have these objects fetched once, in the transaction that found them undecided.

    One asked for before is left alone: a property that the portal does not have is not asked for
    with every event.
    """
    ordered = sorted(keys)
    await connection.execute(
        """
        INSERT INTO hydrations (portal_id, object_type, object_id, next_hydration_at)
        SELECT n.*, now() + $4::interval
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n
        ON CONFLICT (portal_id, object_type, object_id) DO NOTHING
        """,
        *key_columns(ordered),
        GRACE,
    )
