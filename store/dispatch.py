"""The dispatcher's statements: what is due, begin, record; each fenced by the company's lease.

Called by `company`, `prepare`, `missing` and `record` of `reconciler.dispatch`. `begin` commits before
the call to QuickBooks and `record` after it; no transaction is open in between. Everything is set-based
over one group of operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from reconciler.model import DocumentState, Priority
from reconciler.ports.dispatch import (
    Attention,
    DocumentUpdate,
    DueDocument,
    Lease,
    Operation,
    OperationResult,
    Precedent,
    UnfinishedOperation,
)
from reconciler.ports.outcomes import NewOutcome
from store import desired, writeback
from store.intake import insert_outcomes
from store.leases import done_anew, hold
from store.links import GIVES_WAY, precedents, wake_followers
from store.pool import Connection
from store.rows import document_key

DUE_COLUMNS = """d.realm_id, d.action, d.portal_id, d.object_type, d.object_id, d.enrolment,
       d.document_id, d.workflow, d.version, d.generation, d.revision, d.attempts, d.content,
       d.enrolled_at, d.quickbooks_entity, d.quickbooks_id, d.priority, d.retried_at,
       d.concessions, d.ready_at, coalesce(d.document_number, ''),
       CASE WHEN {gives_way} THEN d.state_since END""".format(gives_way=GIVES_WAY.format(one="d"))


CHANGE_TO_LOOK_AT = "change = 'open' AND desired IS NOT NULL AND state = 'created'"
"""HubSpot would now have otherwise what is in QuickBooks, and nobody has looked at that yet."""

_ENDS = frozenset({DocumentState.CREATED, DocumentState.BLOCKED})
"""States in which nothing waits for a document any more."""


class DispatchStore:
    """Bound to the pool; every method is one short transaction.

    An operation whose result is missing is looked at again only after `answer_within`: until then
    the call of a process that died or lost its lease may still be on its way to QuickBooks.
    `written_back` names the workflows whose documents are made known to HubSpot.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        answer_within: timedelta,
        written_back: frozenset[str] = frozenset(),
    ) -> None:
        self._pool = pool
        self._written_back = written_back
        self._answer_within = answer_within

    async def due(
        self, realm_id: str, live: int, backfill: int, now: datetime
    ) -> list[DueDocument]:
        """Documents to be created now, longest due first: up to so many live ones, then so many of
        a backfill."""
        due = f"""
            (SELECT {DUE_COLUMNS} FROM documents AS d
              WHERE d.realm_id = $1 AND d.state = 'wanted' AND d.priority = {{priority:d}}
                AND d.next_attempt_at <= $2
              ORDER BY {{order}} LIMIT {{limit:d}})
            """
        as_planned = "d.next_attempt_at, d.enrolled_at, d.document_id"  # `plan` foretells by it
        chosen = (
            (Priority.LIVE, "d.next_attempt_at", live),
            (Priority.BACKFILL, as_planned, backfill),
        )
        query = " UNION ALL ".join(
            due.format(priority=priority, order=order, limit=limit)
            for priority, order, limit in chosen
            if limit
        )
        return [due_document(row) for row in await self._pool.fetch(query, realm_id, now)]

    async def documents(self, document_ids: Sequence[int]) -> list[DueDocument]:
        """The same of documents whose operations are being resumed."""
        rows = await self._pool.fetch(
            f"SELECT {DUE_COLUMNS} FROM documents AS d WHERE d.document_id = ANY($1::bigint[])",
            list(document_ids),
        )
        return [due_document(row) for row in rows]

    async def attention(
        self, realm_id: str, now: datetime, *, of_backfill: bool = True, of_changes: bool = True
    ) -> Attention:
        """What is due besides new documents, and when the next thing will be.

        A backfill's documents count only *of_backfill*, changed ones only *of_changes*. An operation
        is due by the database's clock, as in `take_up`.
        """
        row = await self._pool.fetchrow(
            f"""
            SELECT coalesce(operation_at <= now(), false), coalesce(change_at <= $2, false),
                   least(live_at, backfill_at, change_at, operation_at)
              FROM (SELECT
                (SELECT min(next_attempt_at) FROM documents
                  WHERE realm_id = $1 AND state = 'wanted' AND priority = 0) AS live_at,
                (SELECT min(next_attempt_at) FROM documents
                  WHERE realm_id = $1 AND state = 'wanted' AND priority = 1 AND $3) AS backfill_at,
                (SELECT min(next_attempt_at) FROM documents
                  WHERE realm_id = $1 AND {CHANGE_TO_LOOK_AT} AND $4) AS change_at,
                (SELECT min(next_attempt_at) FROM operations
                  WHERE realm_id = $1 AND state IN ('begun', 'unknown')) AS operation_at)
            """,
            realm_id,
            now,
            of_backfill,
            of_changes,
        )
        return Attention(*row)

    async def precedents(self, document_ids: Sequence[int]) -> list[tuple[int, Precedent]]:
        """What stands before each of these documents: sales of the same thing, and its estimate."""
        return await precedents(self._pool, document_ids)

    @done_anew
    async def begin(
        self, lease: Lease, operations: Sequence[Operation], versions: dict[int, int]
    ) -> set[str]:
        """Commit the intent to send these operations; answers the keys of those that may go.

        Left out are documents whose content changed since they were read (*versions* by document
        id), and operations begun before under the same key. Raises `Fenced`.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, lease)
            begun = await _set_out(connection, versions)
            chosen = [op for op in operations if op.document_id is None or op.document_id in begun]
            return await insert_operations(connection, chosen, self._answer_within)

    @done_anew
    async def record(
        self,
        lease: Lease,
        results: Sequence[OperationResult],
        updates: Sequence[DocumentUpdate],
        outcomes: Sequence[NewOutcome],
        following: Sequence[Operation] = (),
    ) -> set[int]:
        """Commit what became of operations, with their documents' new states, events and next steps.

        Answers the documents that were updated. Left out, with their events and next steps, are
        those whose operation has a result already (the same call was answered twice) or whose
        version is another one by now. Documents that were refused, and that HubSpot would have
        otherwise by then, are wanted so. Raises `Fenced`, and then nothing is written.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, lease)
            if results:
                finished = await finish_operations(connection, lease.realm_id, results)
                updates = [u for u in updates if u.document_id in finished]
            updated = await _update_documents(connection, updates) if updates else set()
            ended = updated & {u.document_id for u in updates if u.state in _ENDS}
            if chosen := [op for op in following if op.document_id in updated]:
                await insert_operations(connection, chosen, self._answer_within)
            if self._written_back and updated:
                await writeback.enter(connection, updates, updated, self._written_back)
            if events := [event for event in outcomes if event.document_id in updated]:
                await insert_outcomes(connection, events)
            if refused := updated & {u.document_id for u in updates if u.next_revision}:
                ended |= await desired.take_up(connection, refused)
            if ended:
                await wake_followers(connection, ended)
            return updated

    @done_anew
    async def take_up(self, lease: Lease, limit: int) -> list[UnfinishedOperation]:
        """Operations without a result that are due for another look, and due again only after
        `answer_within`: until then this attempt may be on its way. Raises `Fenced`.

        What is due, and how old, is told by the database's clock: a process whose clock jumps
        must not believe that QuickBooks still remembers a request id. An operation that is locked
        is left out: its result is being recorded. What an attempt before was answered is forgotten:
        should this one get no answer, it has none.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await hold(connection, lease)
            rows = await connection.fetch(
                """
                WITH due AS (
                    SELECT operation_id, state = 'begun' AND error IS NOT NULL AS was_answered
                      FROM operations
                     WHERE realm_id = $1 AND state IN ('begun', 'unknown')
                       AND next_attempt_at <= now()
                     ORDER BY next_attempt_at, operation_id LIMIT $3 FOR UPDATE SKIP LOCKED),
                o AS (
                    UPDATE operations AS taken
                       SET next_attempt_at = now() + $2::interval,
                           error = CASE WHEN state = 'begun' THEN NULL ELSE error END
                      FROM due WHERE taken.operation_id = due.operation_id
                    RETURNING taken.*, due.was_answered)
                SELECT d.realm_id, d.action, d.portal_id, d.object_type, d.object_id, d.enrolment,
                       o.operation_id, o.operation_key, o.document_id, o.entity, o.verb,
                       o.request_id, o.b_id, o.marker, o.request, o.content, o.state, o.attempts,
                       o.first_sent_at, now(), o.was_answered, d.enrolled_at
                  FROM o LEFT JOIN documents AS d ON d.document_id = o.document_id
                 ORDER BY o.operation_id
                """,
                lease.realm_id,
                self._answer_within,
                limit,
            )
        return [_unfinished(lease.realm_id, row) for row in rows]

    async def invoices_made(self, document_ids: Sequence[int]) -> dict[int, bytes]:
        """What was written to make the invoices of these paid invoices, by document."""
        rows = await self._pool.fetch(
            """
            SELECT o.document_id, o.request
              FROM operations AS o JOIN documents AS d USING (document_id)
             WHERE o.document_id = ANY($1::bigint[]) AND o.entity = 'Invoice'
               AND o.verb = 'create' AND o.quickbooks_id = d.quickbooks_id
            """,
            list(document_ids),
        )
        return {row[0]: row[1] for row in rows}

    async def operation_ids(self, realm_id: str, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
        """State and QuickBooks id ("" if none) of operations already known, by key."""
        rows = await self._pool.fetch(
            """
            SELECT operation_key, state, coalesce(quickbooks_id, '') FROM operations
             WHERE realm_id = $1 AND operation_key = ANY($2::text[])
            """,
            realm_id,
            list(keys),
        )
        return {row[0]: (row[1], row[2]) for row in rows}


async def _set_out(connection: Connection, versions: dict[int, int]) -> set[int]:
    """Documents that are now being sent: of those given, who are still wanted in this version.

    They are found by their ids and looked at only then: asked for by state, all that wait would be
    read for each group, as statistics from a quiet time say that hardly any does. Locks are taken
    in the order in which intake writes documents, so that neither waits for the other in a circle.
    """
    rows = await connection.fetch(
        """
        WITH chosen AS MATERIALIZED (
            SELECT d.document_id, d.state, d.version
              FROM documents AS d WHERE d.document_id = ANY($1::bigint[])
             ORDER BY d.portal_id, d.object_type COLLATE "C", d.object_id COLLATE "C" FOR UPDATE)
        UPDATE documents AS d
           SET state = 'sending', reason = '', detail = '', version = d.version + 1,
               attempts = d.attempts + 1, state_since = now()
          FROM chosen JOIN unnest($1::bigint[], $2::int[]) AS n(document_id, version)
               USING (document_id, version)
         WHERE d.document_id = chosen.document_id AND chosen.state = 'wanted'
        RETURNING d.document_id
        """,
        list(versions),
        list(versions.values()),
    )
    return {row[0] for row in rows}


async def insert_operations(
    connection: Connection, operations: Sequence[Operation], answer_within: timedelta
) -> set[str]:
    """Write operations as begun; answers the keys of those that are new.

    One that has its result already is opened again, due at once: its document wants it, so that
    result was not recorded with the document. It is then repeated under its request id, or looked
    for, like any other without a result; nothing is made twice and nothing stays half recorded.
    """
    rows = await connection.fetch(
        """
        INSERT INTO operations AS o (realm_id, operation_key, document_id, entity, verb, request_id,
                                b_id, marker, request, content, attempts, next_attempt_at)
        SELECT n.*, 1, now() + $11::interval
          FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
                      $7::text[], $8::text[], $9::bytea[], $10::json[]) AS n
        ON CONFLICT ON CONSTRAINT operations_key DO UPDATE
           SET state = 'unknown', next_attempt_at = now(), finished_at = NULL
         WHERE o.state IN ('done', 'refused')
        RETURNING operation_key, xmax = 0
        """,
        [op.realm_id for op in operations],
        [op.operation_key for op in operations],
        [op.document_id for op in operations],
        [op.entity for op in operations],
        [op.verb for op in operations],
        [op.request_id for op in operations],
        [op.b_id for op in operations],
        [op.marker for op in operations],
        [op.request for op in operations],
        [op.content for op in operations],
        answer_within,
    )
    return {key for key, is_new in rows if is_new}


async def finish_operations(
    connection: Connection, realm_id: str, results: Sequence[OperationResult]
) -> set[int]:
    """Write results of operations that have none yet; answers whose documents they are of.

    They are found by their keys and looked at only then, as in `_set_out`.
    """
    rows = await connection.fetch(
        """
        WITH chosen AS MATERIALIZED (
            SELECT o.operation_id, o.operation_key, o.state
              FROM operations AS o WHERE o.realm_id = $1 AND o.operation_key = ANY($2::text[])
             ORDER BY o.operation_id FOR UPDATE)
        UPDATE operations AS o
           SET state = n.state, quickbooks_id = coalesce(n.quickbooks_id, o.quickbooks_id),
               sync_token = coalesce(n.sync_token, o.sync_token), error = n.error,
               tid = coalesce(n.tid, o.tid),
               attempts = o.attempts + CASE WHEN n.state IN ('begun', 'unknown') THEN 1 ELSE 0 END,
               next_attempt_at = coalesce(n.next_attempt_at, o.next_attempt_at),
               finished_at = CASE WHEN n.state IN ('done', 'refused') THEN now() END
          FROM chosen JOIN unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                                  $7::text[], $8::timestamptz[])
               AS n(operation_key, state, quickbooks_id, sync_token, error, tid, next_attempt_at)
               USING (operation_key)
         WHERE o.operation_id = chosen.operation_id AND chosen.state IN ('begun', 'unknown')
        RETURNING o.document_id
        """,
        realm_id,
        [r.operation_key for r in results],
        [r.state for r in results],
        [r.quickbooks_id for r in results],
        [r.sync_token for r in results],
        [r.error for r in results],
        [r.tid for r in results],
        [r.next_attempt_at for r in results],
    )
    return {row[0] for row in rows}


async def _update_documents(connection: Connection, changes: Sequence[DocumentUpdate]) -> set[int]:
    rows = await connection.fetch(
        """
        UPDATE documents AS d
           SET state = n.state, reason = n.reason, detail = n.detail,
               state_since = CASE WHEN d.state = n.state AND d.reason = n.reason
                                  THEN d.state_since ELSE now() END,
               next_attempt_at = coalesce(n.next_attempt_at, d.next_attempt_at),
               revision = d.revision + CASE WHEN n.next_revision THEN 1 ELSE 0 END,
               version = d.version + 1,
               quickbooks_entity = coalesce(n.quickbooks_entity, d.quickbooks_entity),
               quickbooks_id = coalesce(n.quickbooks_id, d.quickbooks_id),
               sync_token = coalesce(n.sync_token, d.sync_token),
               document_number = coalesce(n.document_number, d.document_number),
               total = coalesce(n.total, d.total),
               concessions = CASE WHEN n.concession = '' THEN d.concessions
                                  ELSE ltrim(d.concessions || ' ' || n.concession) END
          FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
                      $6::bool[], $7::text[], $8::text[], $9::text[], $10::text[], $11::numeric[],
                      $12::int[], $13::text[])
               AS n(document_id, state, reason, detail, next_attempt_at, next_revision,
                    quickbooks_entity, quickbooks_id, sync_token, document_number, total, version,
                    concession)
         WHERE d.document_id = n.document_id
           AND (n.version IS NULL OR d.version = n.version)
        RETURNING d.document_id
        """,
        [u.document_id for u in changes],
        [u.state for u in changes],
        [u.reason for u in changes],
        [u.detail for u in changes],
        [u.next_attempt_at for u in changes],
        [u.next_revision for u in changes],
        [u.quickbooks_entity for u in changes],
        [u.quickbooks_id for u in changes],
        [u.sync_token for u in changes],
        [u.document_number for u in changes],
        [u.total for u in changes],
        [u.version for u in changes],
        [u.concession for u in changes],
    )
    return {row[0] for row in rows}


def due_document(row: asyncpg.Record) -> DueDocument:
    return DueDocument(
        key=document_key(row),
        document_id=row[6],
        workflow=row[7],
        version=row[8],
        generation=row[9],
        revision=row[10],
        attempts=row[11],
        content=row[12],
        enrolled_at=row[13],
        quickbooks_entity=row[14],
        quickbooks_id=row[15],
        priority=Priority(row[16]),
        retried_at=row[17],
        concessions=row[18],
        ready_at=row[19],
        document_number=row[20],
        gives_way_since=row[21],
    )


def _unfinished(realm_id: str, row: asyncpg.Record) -> UnfinishedOperation:
    return UnfinishedOperation(
        operation_id=row[6],
        operation=Operation(
            operation_key=row[7],
            realm_id=realm_id,
            document_id=row[8],
            entity=row[9],
            verb=row[10],
            request_id=row[11],
            b_id=row[12],
            marker=row[13],
            request=row[14],
            content=row[15],
        ),
        state=row[16],
        attempts=row[17],
        first_sent_at=row[18],
        taken_up_at=row[19],
        was_answered=row[20],
        key=None if row[0] is None else document_key(row),
        enrolled_at=row[21],
    )
