"""Counts for people and metrics: what the ledger holds, and what is oldest in it.

Called at scrape time and by the command line; never on the way of a record.
"""

from __future__ import annotations

import asyncpg

from reconciler.ports import LedgerCount, Report


async def report(pool: asyncpg.Pool) -> Report:
    """Read everything that gauges show, in a few queries."""
    async with pool.acquire() as connection:
        ledger = await connection.fetch(
            """
            SELECT realm_id, action, state, reason, count(*)::int,
                   extract(epoch FROM now() - min(state_since))::float8
              FROM documents GROUP BY 1, 2, 3, 4
            """
        )
        unfinished = await connection.fetch(
            """
            SELECT realm_id, state, count(*)::int FROM operations
             WHERE state IN ('begun', 'unknown') GROUP BY 1, 2
            """
        )
        oldest = await connection.fetchval(
            """
            SELECT coalesce(extract(epoch FROM now() - min(occurred_at)), 0)::float8
              FROM outcomes WHERE published_at IS NULL
            """
        )
        letters = await connection.fetchval(
            "SELECT count(*)::int FROM dead_letters WHERE resolved_at IS NULL"
        )
        drifted = await connection.fetch(
            """
            SELECT realm_id, split_part(drift, ':', 1), count(*)::int FROM documents
             WHERE drift IS NOT NULL GROUP BY 1, 2
            """
        )
        companies = await connection.fetch("SELECT realm_id, connection FROM companies")
    return Report(
        ledger=[LedgerCount(*row) for row in ledger],
        unfinished={(row[0], row[1]): row[2] for row in unfinished},
        outbox_oldest_seconds=oldest,
        open_dead_letters=letters,
        connected={row[0]: row[1] == "connected" for row in companies},
        drifted={(row[0], row[1]): row[2] for row in drifted},
    )
