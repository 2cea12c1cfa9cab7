"""Counts that grow with the ledger, made now and then: finished documents, drift, duplicates.

Called by `app`'s bookkeeping, and by `summaries` for what was counted. One process at a time counts,
for all of them, and the more the counting costs the more rarely it is done: it never takes more than
a hundredth of one connection. Also keeps how many metered reads a company made in a month.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import asyncpg
import msgspec

from store.pool import Connection

COUNT_EVERY_SECONDS = 5.0
_LOCK = 7_204_021_993  # the advisory lock of whoever counts; any constant of our own
_FIRST_LOOK = 50_000
_CHEAP_SECONDS = 0.05

TO_CHECK = "state = 'created' AND reason NOT IN ('', 'paid_in_quickbooks')"
"""What was made and is not, or not any more, as HubSpot says; as in the index on it."""


class FinishedCounts(msgspec.Struct):
    """What is stored: rows of realm, action, state, reason and count; of realm, drift and count; of
    workflow and the count of those created.

    `duplicates` are documents that exist twice in QuickBooks or share their id there, found among
    those that operations up to `looked_to` created.
    """

    documents: list[tuple[str, str, str, str, int]] = []
    drifted: list[tuple[str, str, int]] = []
    duplicates: list[int] = []
    looked_to: int | None = None
    workflows: list[tuple[str, int]] = []


# From the index alone. A document that is in QuickBooks and waits for its next step is not counted.
_CREATED = """
    SELECT realm_id, action, state, '', count(*) FROM documents
     WHERE quickbooks_id IS NOT NULL AND state = 'created' GROUP BY 1, 2, 3
"""
_CREATED_BY_WORKFLOW = """
    SELECT workflow, count(*)::int FROM documents WHERE state = 'created' GROUP BY 1
"""
_DRIFTED = f"""
    SELECT realm_id, split_part(drift, ':', 1), count(*) FROM documents
     WHERE drift IS NOT NULL GROUP BY 1, 2
     UNION ALL
    SELECT realm_id, reason, count(*) FROM documents
     WHERE {TO_CHECK} AND drift IS NULL GROUP BY 1, 2
"""
# Only what was created since the last look, and what was found before: cheap however large the
# ledger is. Twice: two creations answered with different ids for one generation of a document.
# Shared: another document says that it is the same object in QuickBooks.
_DUPLICATES = """
    WITH candidates AS (
        SELECT document_id FROM operations
         WHERE operation_id > $1 AND operation_id <= $2 AND document_id IS NOT NULL
           AND verb = 'create' AND state = 'done'
         UNION SELECT unnest($3::bigint[]))
    SELECT d.document_id FROM candidates JOIN documents AS d USING (document_id)
     WHERE EXISTS (
        SELECT FROM operations AS o
         WHERE o.document_id = d.document_id AND o.verb = 'create' AND o.state = 'done'
         GROUP BY o.entity, substring(o.operation_key FROM '/([0-9]+)[.][0-9]+/[^/]*$')
        HAVING count(DISTINCT o.quickbooks_id) > 1)
        OR EXISTS (
        SELECT FROM documents AS other
         WHERE other.realm_id = d.realm_id AND other.quickbooks_entity = d.quickbooks_entity
           AND other.quickbooks_id = d.quickbooks_id AND other.document_id <> d.document_id)
     ORDER BY 1 LIMIT 1000
"""
_SETTLED_TO = """
    SELECT coalesce((SELECT min(operation_id) - 1 FROM operations WHERE state IN ('begun', 'unknown')),
                    (SELECT max(operation_id) FROM operations), 0)
"""


async def count_if_old(pool: asyncpg.Pool) -> bool:
    """Count anew unless that was done lately, with regard to what it costs."""
    is_old = await pool.fetchval(
        """
        SELECT coalesce((SELECT counted_at + make_interval(secs => greatest($1, 100 * seconds)) < now()
                           FROM ledger_counts), true)
        """,
        COUNT_EVERY_SECONDS,
    )
    if not is_old:
        return False
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
            return False
        await _count(connection)
    return True


async def created(pool: asyncpg.Pool) -> list[tuple[str, int]]:
    """How many documents were created, by company and action: counted now while that is cheap, else
    as it was counted last."""
    counted = await _counted_before(pool)
    if counted is not None:
        return [(row[0], row[4]) for row in counted.documents]
    return [(row[0], row[4]) for row in await pool.fetch(_CREATED)]


async def created_by_workflow(pool: asyncpg.Pool) -> list[tuple[str, int]]:
    """The same by workflow."""
    counted = await _counted_before(pool)
    if counted is not None:
        return counted.workflows
    return [tuple(row) for row in await pool.fetch(_CREATED_BY_WORKFLOW)]


async def _counted_before(pool: asyncpg.Pool) -> FinishedCounts | None:
    """What is stored, if counting takes too long to be done for a page."""
    stored = await pool.fetchval(
        "SELECT counts FROM ledger_counts WHERE seconds > $1", _CHEAP_SECONDS
    )
    return msgspec.json.decode(stored, type=FinishedCounts) if stored else None


async def _count(connection: Connection) -> None:
    started = time.perf_counter()
    stored = await connection.fetchval("SELECT counts FROM ledger_counts")
    before = msgspec.json.decode(stored, type=FinishedCounts) if stored else FinishedCounts()
    to = await connection.fetchval(_SETTLED_TO)
    since = max(0, to - _FIRST_LOOK) if before.looked_to is None else before.looked_to
    duplicates = await connection.fetch(_DUPLICATES, since, to, before.duplicates)
    counts = FinishedCounts(
        documents=[tuple(row) for row in await connection.fetch(_CREATED)],
        drifted=[tuple(row) for row in await connection.fetch(_DRIFTED)],
        duplicates=[row[0] for row in duplicates],
        looked_to=to,
        workflows=[tuple(row) for row in await connection.fetch(_CREATED_BY_WORKFLOW)],
    )
    await connection.execute(
        """
        INSERT INTO ledger_counts (counts_id, seconds, counts) VALUES (1, $1, $2::json)
        ON CONFLICT (counts_id) DO UPDATE
           SET counted_at = now(), seconds = excluded.seconds, counts = excluded.counts
        """,
        time.perf_counter() - started,
        msgspec.json.encode(counts).decode(),
    )


async def add_metered_reads(pool: asyncpg.Pool, reads: Mapping[str, int]) -> None:
    """Add reads (by realm id) to this month's."""
    await pool.execute(
        """
        INSERT INTO metered_reads AS m (realm_id, month, reads)
        SELECT n.realm_id, date_trunc('month', now() AT TIME ZONE 'UTC'), n.reads
          FROM unnest($1::text[], $2::bigint[]) AS n(realm_id, reads)
        ON CONFLICT (realm_id, month) DO UPDATE SET reads = m.reads + excluded.reads
        """,
        list(reads),
        list(reads.values()),
    )
