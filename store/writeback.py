"""Which documents are to be made known to HubSpot, each until it is done or a person must act.

`enter` is called by `store.dispatch` in the transaction that records a document as created;
`reconciler.hubspot.writeback` does the rest through `WriteBackStore`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import asyncpg

from reconciler.model import DocumentState, ObjectKey, SourceObject
from reconciler.ports.dispatch import DocumentUpdate
from reconciler.ports.hubspot import WriteBack
from store.pool import Connection
from store.rows import decode_object, document_key


async def enter(
    connection: Connection,
    updates: Sequence[DocumentUpdate],
    updated: Collection[int],
    workflows: frozenset[str],
) -> None:
    """Note that the documents created here by *workflows* are to be written back.

    One written back before is due again: what HubSpot shows of it may have changed.
    """
    created = [
        u.document_id
        for u in updates
        if u.state is DocumentState.CREATED and u.document_id in updated
    ]
    if created:
        await connection.execute(
            """
            INSERT INTO write_backs AS w (document_id)
            SELECT document_id FROM documents
             WHERE document_id = ANY($1::bigint[]) AND workflow = ANY($2::text[])
            ON CONFLICT (document_id) DO UPDATE
               SET state = 'wanted', version = w.version + 1, attempts = 0, next_attempt_at = now()
            """,
            created,
            list(workflows),
        )


class WriteBackStore:
    """Bound to the pool and to one portal, as a token is."""

    def __init__(self, pool: asyncpg.Pool, portal_id: int) -> None:
        self._pool = pool
        self._portal_id = portal_id

    async def claim(self, limit: int, lasting: timedelta) -> list[WriteBack]:
        """Take documents that are due; for *lasting* no other process gets them."""
        rows = await self._pool.fetch(
            """
            UPDATE write_backs AS w
               SET attempts = w.attempts + 1, next_attempt_at = now() + $3
              FROM (SELECT b.document_id FROM write_backs AS b
                      JOIN documents AS of USING (document_id)
                     WHERE b.state = 'wanted' AND b.next_attempt_at <= now() AND of.portal_id = $1
                     ORDER BY b.next_attempt_at LIMIT $2 FOR UPDATE OF b SKIP LOCKED) AS due,
                   documents AS d
             WHERE w.document_id = due.document_id AND d.document_id = due.document_id
            RETURNING d.realm_id, d.action, d.portal_id, d.object_type, d.object_id, d.enrolment,
                      w.document_id, w.version, w.attempts, d.quickbooks_entity, d.quickbooks_id,
                      coalesce(d.document_number, ''), d.state, split_part(d.drift, ':', 1)
            """,
            self._portal_id,
            limit,
            lasting,
        )
        return [_write_back(row) for row in rows]

    async def source(self, key: ObjectKey) -> SourceObject | None:
        """The object as folded so far."""
        state = await self._pool.fetchval(
            "SELECT state FROM objects WHERE portal_id = $1 AND object_type = $2 AND object_id = $3",
            *key,
        )
        return None if state is None else decode_object(state)

    async def written(self, row: WriteBack, to: str) -> None:
        """It is done, unless there is something newer to write by now."""
        await self._pool.execute(
            """
            UPDATE write_backs SET written_to = $3, problem = '',
                   state = CASE WHEN version = $2 THEN 'done' ELSE state END,
                   next_attempt_at = CASE WHEN version = $2 THEN next_attempt_at ELSE now() END
             WHERE document_id = $1
            """,
            row.document_id,
            row.version,
            to,
        )

    async def postpone(self, row: WriteBack, delay: timedelta, problem: str) -> None:
        """Try again after *delay*."""
        await self._pool.execute(
            "UPDATE write_backs SET next_attempt_at = now() + $2, problem = $3 WHERE document_id = $1",
            row.document_id,
            delay,
            problem[:300],
        )

    async def block(self, row: WriteBack, problem: str) -> None:
        """A person must act; the document itself is not touched by that."""
        await self._pool.execute(
            """
            UPDATE write_backs SET state = 'blocked', problem = $3
             WHERE document_id = $1 AND version = $2
            """,
            row.document_id,
            row.version,
            problem[:300],
        )


def _write_back(row: asyncpg.Record) -> WriteBack:
    return WriteBack(
        row[6], row[7], row[8], document_key(row), row[9], row[10], row[11], row[13] or row[12]
    )
