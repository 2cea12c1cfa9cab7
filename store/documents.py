"""Ledger rows for people: pages, single ones, their operations and events, and changes by hand.

Called by `operator`. The hot path's statements are in `intake` and `dispatch`.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from reconciler.model import (
    SOURCE_TYPES,
    DocumentState,
    ObjectKey,
    Priority,
)
from reconciler.ports.operator import DocumentAct, StoredDocument
from reconciler.ports.views import DocumentFilter, OperationView, OutcomeView, Selection
from store import finding
from store.links import wake_followers
from store.pool import Connection
from store.rows import document_key, key_columns

_COLUMNS = """d.realm_id, d.action, d.portal_id, d.object_type, d.object_id, d.enrolment,
       d.document_id, d.workflow, d.version, d.state, d.reason, d.detail, d.content, d.desired,
       d.attempts, d.priority, d.enrolled_at, d.state_since, d.created_at, d.next_attempt_at,
       coalesce(d.quickbooks_entity, ''), coalesce(d.quickbooks_id, ''),
       coalesce(d.document_number, ''), d.total, coalesce(d.drift, ''),
       coalesce(o.state->'properties'->>'dealname', o.state->'properties'->>'hs_title', '')"""

_FROM = """documents AS d LEFT JOIN objects AS o USING (portal_id, object_type, object_id)"""


async def page(
    pool: asyncpg.Pool, wanted: DocumentFilter, after: int | None, limit: int
) -> list[StoredDocument]:
    """Newest first, before an id. Raises `SearchTooSlow`."""
    if not wanted.text:
        return await _page(pool, wanted, after, limit)
    is_text_all = wanted == DocumentFilter(text=wanted.text)
    shown = list[StoredDocument]()
    while True:
        found = await finding.documents(pool, wanted.text, after)
        newest = sorted(found.ids, reverse=True)
        among = newest[:limit] if is_text_all else newest
        shown += await _page(pool, wanted, after, limit - len(shown), among)
        after = found.more_below
        if len(shown) == limit or after is None:
            return shown


async def _page(
    pool: asyncpg.Pool,
    wanted: DocumentFilter,
    after: int | None,
    limit: int,
    among: Sequence[int] | None = None,
) -> list[StoredDocument]:
    where, arguments = _where(wanted, after)
    among_these = ""
    if among is not None:
        arguments.append(among)
        among_these = (
            f"JOIN unnest(${len(arguments)}::bigint[]) AS n(document_id) USING (document_id)"
        )
    rows = await pool.fetch(
        f"""
        SELECT {_COLUMNS} FROM {_FROM} {among_these}
         WHERE {where} ORDER BY d.document_id DESC LIMIT {limit:d}
        """,
        *arguments,
    )
    return [_document(row) for row in rows]


def _where(wanted: DocumentFilter, after: int | None) -> tuple[str, list[object]]:
    """The conditions that are asked for, and no others: then Postgres sees which index serves them,
    also in a plan that it keeps. States are among its words, as they are in the indexes."""
    found = ["true"]
    arguments: list[object] = []

    def given(condition: str, value: object) -> None:
        if value:
            arguments.append(value)
            found.append(condition.format(value=f"${len(arguments)}"))

    given("d.document_id < {value}", after)
    if wanted.states:
        states = ", ".join(f"'{DocumentState(state)}'" for state in wanted.states)
        found.append(f"d.state IN ({states})")
    given("d.reason = {value}", wanted.reason)
    given("d.detail = {value}", wanted.detail)
    given("d.action = {value}", wanted.action)
    given("d.realm_id = {value}", wanted.realm_id)
    given("d.workflow = {value}", wanted.workflow)
    if wanted.object_id:  # the index on it begins with portal and type
        types = [wanted.object_type] if wanted.object_type else list(SOURCE_TYPES)
        found.append(f"d.portal_id = ANY(ARRAY({finding.PORTALS}))")
        given("d.object_type = ANY({value}::text[])", types)
        given("d.object_id = {value}", wanted.object_id)
    else:
        given("d.object_type = {value}", wanted.object_type)
    return " AND ".join(found), arguments


async def by_id(pool: asyncpg.Pool, document_ids: Sequence[int]) -> list[StoredDocument]:
    """In the order of their ids."""
    rows = await pool.fetch(
        f"""
        SELECT {_COLUMNS} FROM {_FROM}
         WHERE d.document_id = ANY($1::bigint[]) ORDER BY d.document_id
        """,
        list(document_ids),
    )
    return [_document(row) for row in rows]


async def of_objects(pool: asyncpg.Pool, keys: Sequence[ObjectKey]) -> list[StoredDocument]:
    """Every document of these objects."""
    rows = await pool.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k(portal_id, object_type, object_id)
          JOIN {_FROM} USING (portal_id, object_type, object_id)
         ORDER BY d.document_id
        """,
        *key_columns(keys),
    )
    return [_document(row) for row in rows]


async def selected(
    pool: asyncpg.Pool, selection: Selection, after: int, limit: int
) -> list[StoredDocument]:
    """In the order of their ids, after an id: those named, or blocked ones of a group, or all."""
    by_group = bool(selection.realm_id or selection.reason or selection.detail)
    rows = await pool.fetch(
        f"""
        SELECT {_COLUMNS} FROM {_FROM}
         WHERE d.document_id > $1 AND d.document_id IN (
               SELECT unnest($2::bigint[])
               UNION
               SELECT b.document_id FROM documents AS b
                WHERE $3 AND b.state = 'blocked' AND ($4 = '' OR b.realm_id = $4)
                  AND ($5 = '' OR b.reason = $5) AND ($6 = '' OR b.detail = $6))
         ORDER BY d.document_id LIMIT $7
        """,
        after,
        list(selection.document_ids),
        by_group or selection.all_blocked,
        selection.realm_id,
        selection.reason,
        selection.detail,
        limit,
    )
    return [_document(row) for row in rows]


async def change(connection: Connection, changes: Sequence[DocumentAct]) -> set[int]:
    """Set what a person decided, where the version still holds; answers the ids."""
    rows = await connection.fetch(
        """
        UPDATE documents AS d
           SET state = n.state, reason = n.reason, detail = n.detail,
               workflow = coalesce(nullif(n.workflow, ''), d.workflow),
               content = CASE WHEN n.drop THEN NULL ELSE coalesce(n.content, d.content) END,
               desired = CASE WHEN n.content IS NULL AND NOT n.drop THEN d.desired END,
               change = CASE WHEN n.content IS NULL AND NOT n.drop THEN d.change ELSE '' END,
               state_since = CASE WHEN d.state = n.state AND d.reason = n.reason
                                  THEN d.state_since ELSE now() END,
               version = d.version + 1, attempts = 0, priority = 0, next_attempt_at = now(),
               retried_at = now(), guard_off = d.guard_off OR n.guard_off
          FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[],
                      $7::json[], $8::bool[], $9::bool[])
               AS n(document_id, version, state, reason, detail, workflow, content, drop,
                    guard_off)
         WHERE d.document_id = n.document_id AND d.version = n.version
           AND d.state NOT IN ('sending', 'created')
        RETURNING d.document_id
        """,
        [each.document_id for each in changes],
        [each.version for each in changes],
        [str(each.state) for each in changes],
        [each.reason for each in changes],
        [each.detail for each in changes],
        [each.workflow for each in changes],
        [each.content for each in changes],
        [each.drop_content for each in changes],
        [each.guard_off for each in changes],
    )
    changed = {row[0] for row in rows}
    await finding.note(
        connection,
        {
            each.document_id: each.content
            for each in changes
            if each.document_id in changed and (each.content or each.drop_content)
        },
    )
    await wake_followers(connection, changed)
    return changed


async def operations(pool: asyncpg.Pool, document_id: int) -> list[OperationView]:
    """Every write for a document, oldest first."""
    rows = await pool.fetch(
        """
        SELECT operation_id, operation_key, entity, verb, request_id, coalesce(b_id, ''), state,
               attempts, first_sent_at, next_attempt_at, finished_at, coalesce(quickbooks_id, ''),
               coalesce(error, ''), coalesce(tid, ''), request
          FROM operations WHERE document_id = $1 ORDER BY operation_id
        """,
        document_id,
    )
    return [
        OperationView(
            operation_id=row[0], operation_key=row[1], entity=row[2], verb=row[3],
            request_id=row[4], batch_item=row[5], state=row[6], attempts=row[7],
            first_sent_at=row[8], next_attempt_at=row[9], finished_at=row[10],
            quickbooks_id=row[11], error=row[12], tid=row[13],
            request=row[14].decode(errors="replace"),
        )
        for row in rows
    ]  # fmt: skip


async def outcomes(pool: asyncpg.Pool, document_id: int) -> list[OutcomeView]:
    """Every event about a document, oldest first."""
    rows = await pool.fetch(
        """
        SELECT kind, value, occurred_at, published_at FROM outcomes
         WHERE document_id = $1 ORDER BY outcome_id
        """,
        document_id,
    )
    views = []
    for kind, value, occurred_at, published_at in rows:
        body = msgspec.json.decode(value)
        views.append(
            OutcomeView(
                kind=kind, reason=body.get("reason", ""), detail=body.get("detail", ""),
                occurred_at=occurred_at, published_at=published_at,
            )
        )  # fmt: skip
    return views


def _document(row: asyncpg.Record) -> StoredDocument:
    return StoredDocument(
        key=document_key(row),
        document_id=row[6],
        workflow=row[7],
        version=row[8],
        state=DocumentState(row[9]),
        reason=row[10],
        detail=row[11],
        content=row[12],
        desired=row[13],
        attempts=row[14],
        priority=Priority(row[15]),
        enrolled_at=row[16],
        state_since=row[17],
        created_at=row[18],
        next_attempt_at=row[19],
        quickbooks_entity=row[20],
        quickbooks_id=row[21],
        document_number=row[22],
        total=row[23],
        drift=row[24],
        name=row[25],
    )
