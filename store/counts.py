"""Counts that grow with the ledger, made now and then: finished documents, drift, duplicates.

Called by `app`'s bookkeeping. One process at a time counts, for all of them, and the more the
counting costs the more rarely it is done: it never takes more than a hundredth of one
connection. Also keeps how many metered reads a company made in a month.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import asyncpg
import msgspec

from store.pool import Connection

COUNT_EVERY_SECONDS = 5.0
_LOCK = 7_204_021_993  # the advisory lock of whoever counts; any constant of our own
_RECENT_OPERATIONS = 50_000


class FinishedCounts(msgspec.Struct):
    """What is stored: rows of realm, action, state, reason and count; of realm, drift and count."""

    documents: list[tuple[str, str, str, str, int]] = []
    drifted: list[tuple[str, str, int]] = []
    duplicated: int = 0


# From the index alone. A document that is in QuickBooks and waits for its next step is not counted.
_CREATED = """
    SELECT realm_id, action, state, '', count(*) FROM documents
     WHERE quickbooks_id IS NOT NULL AND state = 'created' GROUP BY 1, 2, 3
"""
_DRIFTED = """
    SELECT realm_id, split_part(drift, ':', 1), count(*) FROM documents
     WHERE drift IS NOT NULL GROUP BY 1, 2
"""
# Two creations that QuickBooks answered with different ids for the same generation of a document.
_DOUBLE = """
    WITH recent AS (
        SELECT DISTINCT document_id FROM operations
         WHERE operation_id > (SELECT coalesce(max(operation_id), 0) FROM operations) - $1
           AND document_id IS NOT NULL AND verb = 'create' AND state = 'done')
    SELECT count(*)::int FROM (
        SELECT FROM recent JOIN operations AS o USING (document_id)
         WHERE o.verb = 'create' AND o.state = 'done'
         GROUP BY o.document_id, o.entity, substring(o.operation_key FROM '/([0-9]+)\\.[0-9]+/[^/]*$')
        HAVING count(DISTINCT o.quickbooks_id) > 1) AS double
"""
# Two documents that say they are the same one in QuickBooks; also from the index alone.
_SHARED = """
    SELECT count(*)::int FROM (
        SELECT FROM documents WHERE quickbooks_id IS NOT NULL
         GROUP BY realm_id, quickbooks_entity, quickbooks_id HAVING count(*) > 1) AS shared
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


async def _count(connection: Connection) -> None:
    started = time.perf_counter()
    counts = FinishedCounts(
        documents=[tuple(row) for row in await connection.fetch(_CREATED)],
        drifted=[tuple(row) for row in await connection.fetch(_DRIFTED)],
        duplicated=await connection.fetchval(_DOUBLE, _RECENT_OPERATIONS)
        + await connection.fetchval(_SHARED),
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
