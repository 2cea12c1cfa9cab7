"""The ledger's statements about documents that are in QuickBooks: changes in HubSpot, and drift.

Called by `amend` and `drift` of `reconciler.dispatch`; fenced by the company's lease like dispatch.
`documents.change` says what became of what HubSpot says now: '' nothing is to be done, 'open' to
be looked at, 'sending' an update is on its way, 'reported' and 'refused' were shown to people.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from reconciler.model import Action
from reconciler.ports.dispatch import Lease, Operation, OperationResult
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.standing import Amendment, StandingDocument
from reconciler.reasons import WORDS, Reason
from store import finding
from store.dispatch import (
    CHANGE_TO_LOOK_AT,
    DUE_COLUMNS,
    due_document,
    finish_operations,
    insert_operations,
)
from store.intake import insert_outcomes
from store.leases import done_anew, hold
from store.pool import Connection

_COLUMNS = f"""{DUE_COLUMNS}, d.desired, coalesce(d.sync_token, ''),
       d.total, coalesce(d.drift, ''), d.change, coalesce(w.request, ''::bytea)"""

_STAYS = """NOT n.is_written AND n.drift IS NOT NULL AND n.reason IN ('', 'paid_in_quickbooks')
                                  AND d.reason NOT IN ('', split_part(coalesce(d.drift, ''), ':', 1))"""
"""That an invoice was paid, or is as it was again, leaves what else is to be checked about it."""

_WRITTEN_LAST = """LEFT JOIN LATERAL (
       SELECT o.request FROM operations AS o
        WHERE o.document_id = d.document_id AND o.entity = d.quickbooks_entity
          AND o.quickbooks_id = d.quickbooks_id AND o.state = 'done'
          AND o.verb IN ('create', 'update')
        ORDER BY o.operation_id DESC LIMIT 1) AS w ON true"""


class StandingStore:
    """Bound to the pool; every method is one short transaction."""

    def __init__(self, pool: asyncpg.Pool, answer_within: timedelta) -> None:
        self._pool = pool
        self._answer_within = answer_within

    async def changed(self, realm_id: str, limit: int, now: datetime) -> list[StandingDocument]:
        """Documents that HubSpot would now have otherwise and nobody has looked at yet."""
        rows = await self._pool.fetch(
            f"""
            SELECT {_COLUMNS} FROM documents AS d {_WRITTEN_LAST}
             WHERE realm_id = $1 AND {CHANGE_TO_LOOK_AT} AND next_attempt_at <= $3
             ORDER BY next_attempt_at LIMIT $2
            """,
            realm_id,
            limit,
            now,
        )
        return [_standing(row) for row in rows]

    async def in_quickbooks(
        self, realm_id: str, found: Sequence[tuple[str, str]]
    ) -> list[StandingDocument]:
        """Our documents among objects given as entity and id; those being changed are left out."""
        rows = await self._pool.fetch(
            f"""
            SELECT {_COLUMNS}
              FROM unnest($2::text[], $3::text[]) AS f(entity, id)
              JOIN documents AS d ON d.realm_id = $1 AND d.quickbooks_entity = f.entity
                                 AND d.quickbooks_id = f.id
              {_WRITTEN_LAST}
             WHERE d.state = 'created' AND d.change <> 'sending'
            """,
            realm_id,
            [entity for entity, _ in found],
            [id_ for _, id_ in found],
        )
        return [_standing(row) for row in rows]

    async def drifted(
        self, realm_id: str, reasons: Sequence[str], of: Sequence[tuple[str, Action]]
    ) -> list[StandingDocument]:
        """Documents of these workflows' actions on which such a drift was recorded."""
        rows = await self._pool.fetch(
            f"""
            SELECT {_COLUMNS} FROM documents AS d {_WRITTEN_LAST}
             WHERE d.realm_id = $1 AND d.drift IS NOT NULL
               AND split_part(d.drift, ':', 1) = ANY($2::text[])
               AND d.state = 'created' AND d.change <> 'sending'
               AND coalesce(json_typeof(d.desired), 'object') = 'object'
               AND (d.workflow, d.action) IN (SELECT * FROM unnest($3::text[], $4::text[]))
            """,
            realm_id,
            list(reasons),
            [workflow for workflow, _ in of],
            [action for _, action in of],
        )
        return [_standing(row) for row in rows]

    @done_anew
    async def begin_change(self, lease: Lease, operation: Operation, retry_at: datetime) -> bool:
        """Commit the intent to change a document; False if this very change was begun before.

        It is then looked at again at *retry_at*. Raises `Fenced`.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, lease)
            begun = await insert_operations(connection, [operation], self._answer_within)
            await connection.execute(
                """
                UPDATE documents
                   SET change = CASE WHEN $2 THEN 'sending' ELSE change END,
                       next_attempt_at = CASE WHEN $2 THEN next_attempt_at ELSE $3 END
                 WHERE document_id = $1
                """,
                operation.document_id,
                bool(begun),
                retry_at,
            )
            return bool(begun)

    @done_anew
    async def amend(
        self,
        lease: Lease,
        amendments: Sequence[Amendment],
        outcomes: Sequence[NewOutcome],
        results: Sequence[OperationResult] = (),
    ) -> None:
        """Commit news of documents with their events. Raises `Fenced`, and then writes nothing.

        With *results*, news of documents whose operation has a result already are left out: the
        same call was answered twice, and meanwhile the document may have changed again. While a
        change of a document is on its way, there is no other news of it than the answer. Events
        are published of documents that were amended.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, lease)
            if results:
                finished = await finish_operations(connection, lease.realm_id, results)
                amendments = [each for each in amendments if each.document_id in finished]
            if not amendments:
                return
            amended = await _amend(connection, amendments, are_answers=bool(results))
            if events := [each for each in outcomes if each.document_id in amended]:
                await insert_outcomes(connection, events)


async def _amend(
    connection: Connection, amendments: Sequence[Amendment], *, are_answers: bool
) -> set[int]:
    """`desired` goes when it is what the document says now; what came meanwhile stays open.

    What HubSpot deleted meanwhile, or calls for no more, is not made anew: then no content is
    desired, but null or the reason.
    """
    rows = await connection.fetch(
        f"""
        UPDATE documents AS d
           SET content = CASE WHEN n.recreate AND json_typeof(d.desired) = 'object' THEN d.desired
                              WHEN n.is_written THEN n.desired::json ELSE d.content END,
               desired = CASE WHEN n.recreate OR n.is_written AND d.desired::text = n.desired
                              THEN NULL ELSE d.desired END,
               change = CASE WHEN n.recreate THEN ''
                             WHEN d.desired::text <> n.desired THEN 'open'
                             ELSE coalesce(n.change, d.change) END,
               state = CASE WHEN n.recreate AND json_typeof(d.desired) <> 'object' THEN 'dismissed'
                            WHEN n.recreate THEN 'wanted' ELSE d.state END,
               state_since = CASE WHEN n.recreate THEN now() ELSE d.state_since END,
               generation = d.generation + CASE WHEN n.recreate THEN 1 ELSE 0 END,
               revision = CASE WHEN n.recreate THEN 1 ELSE d.revision END,
               attempts = CASE WHEN n.recreate THEN 0 ELSE d.attempts END,
               ready_at = CASE WHEN n.recreate THEN now() ELSE d.ready_at END,
               quickbooks_id = CASE WHEN n.recreate THEN NULL ELSE d.quickbooks_id END,
               document_number = CASE WHEN n.recreate THEN NULL ELSE d.document_number END,
               sync_token = CASE WHEN n.recreate THEN NULL
                                 ELSE coalesce(n.sync_token, d.sync_token) END,
               total = CASE WHEN n.recreate THEN NULL ELSE coalesce(n.total, d.total) END,
               drift = CASE WHEN n.recreate THEN NULL
                            ELSE nullif(coalesce(n.drift, d.drift), '') END,
               reason = CASE WHEN n.recreate AND json_typeof(d.desired) <> 'object' THEN $2
                             WHEN {_STAYS} THEN d.reason ELSE n.reason END,
               detail = CASE WHEN n.recreate AND json_typeof(d.desired) <> 'object' THEN $3
                             WHEN {_STAYS} THEN d.detail ELSE n.detail END,
               version = d.version + 1,
               next_attempt_at = CASE WHEN n.recreate THEN now()
                                      ELSE coalesce(n.next_attempt_at, d.next_attempt_at) END
          FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                      $10::bool[], $11::text[], $12::numeric[], $13::text[], $14::bool[],
                      $15::timestamptz[])
               AS n(document_id, quickbooks_id, change, reason, detail, desired, is_written,
                    sync_token, total, drift, recreate, next_attempt_at)
         WHERE d.document_id = n.document_id AND d.quickbooks_id = n.quickbooks_id
           AND d.state = 'created' AND ($1 OR d.change <> 'sending')
        RETURNING d.document_id
        """,
        are_answers,
        Reason.NO_LONGER_WANTED,
        WORDS[Reason.NO_LONGER_WANTED].sentence,
        *zip(*map(msgspec.structs.astuple, amendments), strict=True),
    )
    amended = {row[0] for row in rows}
    written = {a.document_id: a.desired for a in amendments if a.is_written}
    await finding.note(connection, {id_: written[id_] for id_ in amended & written.keys()})
    return amended


def _standing(row: asyncpg.Record) -> StandingDocument:
    return StandingDocument(due_document(row), *row[22:28])
