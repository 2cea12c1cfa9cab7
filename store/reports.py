"""Counts for people and metrics: what the ledger holds, and what is oldest in it.

Called at scrape time by `app`; never on the way of a record. Whatever can grow with the ledger is
read from a narrow index alone (documents_stuck, documents_due) or was counted before
(`store.counts`), so that a scrape costs the same with ten million documents.
"""

from __future__ import annotations

import asyncpg
import msgspec

from reconciler.ports.reports import CompanyReport, LedgerCount, ReplayReport, Report
from store.counts import FinishedCounts
from store.pool import Connection

_OUTBOX_COUNTED = 10_000

_STUCK = """
    SELECT realm_id, action, state, reason, count(*)::int,
           extract(epoch FROM now() - min(state_since))::float8
      FROM documents WHERE state IN ('waiting', 'blocked', 'dismissed') GROUP BY 1, 2, 3, 4
"""
_WANTED = """
    SELECT realm_id, action, priority, count(*)::int, (count(*) FILTER (WHERE next_attempt_at <= now()))::int,
           greatest(extract(epoch FROM now() - min(next_attempt_at)), 0)::float8
      FROM documents WHERE state = 'wanted' GROUP BY 1, 2, 3
"""
_UNFINISHED = """
    SELECT o.realm_id, o.state, d.action, count(*)::int, count(DISTINCT o.document_id)::int,
           extract(epoch FROM now() - min(o.first_sent_at))::float8
      FROM operations AS o LEFT JOIN documents AS d ON d.document_id = o.document_id
     WHERE o.state IN ('begun', 'unknown') GROUP BY 1, 2, 3
"""
_OUTBOX = """
    SELECT (SELECT coalesce(extract(epoch FROM now() - occurred_at), 0)::float8 FROM outcomes
             WHERE published_at IS NULL ORDER BY outcome_id LIMIT 1),
           (SELECT count(*)::int FROM (SELECT FROM outcomes WHERE published_at IS NULL LIMIT $1) AS n)
"""
_COMPANIES = """
    SELECT realm_id, name, connection = 'connected', extract(epoch FROM tokens_expire_at)::float8
      FROM companies ORDER BY realm_id
"""
_METERED = """
    SELECT realm_id, reads FROM metered_reads WHERE month = date_trunc('month', now() AT TIME ZONE 'UTC')
"""
_REPLAYS = """
    SELECT replay_id, kind, done, total FROM replays
     WHERE finished_at IS NULL OR finished_at > now() - interval '1 day'
     ORDER BY replay_id DESC LIMIT 20
"""


async def report(pool: asyncpg.Pool) -> Report:
    """Read everything that gauges show, at one instant."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await _read(connection)


async def _read(connection: Connection) -> Report:
    ledger: list[LedgerCount] = []
    oldest: dict[tuple[str, str], float] = {}
    for row in await connection.fetch(_STUCK):
        ledger.append(LedgerCount(*row))
        if row[2] != "dismissed":
            _older(oldest, (row[0], row[2]), row[5])
    due: dict[tuple[str, str], int] = {}
    for realm_id, action, priority, count, due_count, seconds in await connection.fetch(_WANTED):
        ledger.append(LedgerCount(realm_id, action, "wanted", "", count, seconds))
        _add(due, (realm_id, "live" if priority == 0 else "backfill"), due_count)
        if priority == 0:  # a backfill may wait its turn
            _older(oldest, (realm_id, "due"), seconds)
    unfinished: dict[tuple[str, str], int] = {}
    unknown: dict[str, float] = {}
    for realm_id, state, action, count, documents, seconds in await connection.fetch(_UNFINISHED):
        _add(unfinished, (realm_id, state), count)
        if action is not None:
            ledger.append(LedgerCount(realm_id, action, "sending", "", documents, seconds))
            _older(oldest, (realm_id, "sending"), seconds)
        if state == "unknown":
            unknown[realm_id] = max(unknown.get(realm_id, 0.0), seconds)
    outbox = await connection.fetchrow(_OUTBOX, _OUTBOX_COUNTED)
    letters = await connection.fetchval(
        "SELECT count(*)::int FROM dead_letters WHERE resolved_at IS NULL"
    )
    companies = [CompanyReport(*row) for row in await connection.fetch(_COMPANIES)]
    counted = await connection.fetchrow(
        "SELECT extract(epoch FROM counted_at)::float8, counts FROM ledger_counts"
    )
    finished = msgspec.json.decode(counted[1], type=FinishedCounts) if counted else FinishedCounts()
    return Report(
        ledger=_merged(ledger) + [LedgerCount(*row, 0.0) for row in finished.documents],
        oldest=oldest,
        due=due,
        unfinished=unfinished,
        oldest_unknown=unknown,
        outbox_oldest_seconds=outbox[0] or 0.0,
        outbox_pending=outbox[1],
        open_dead_letters=letters,
        companies=companies,
        metered_reads=dict(await connection.fetch(_METERED)),
        replays=[ReplayReport(*row) for row in await connection.fetch(_REPLAYS)],
        read_at=await connection.fetchval("SELECT extract(epoch FROM now())::float8"),
        drifted={(realm_id, drift): count for realm_id, drift, count in finished.drifted},
        duplicated=len(finished.duplicates),
        counted_at=counted[0] if counted else 0.0,
    )


def _older(oldest: dict[tuple[str, str], float], key: tuple[str, str], seconds: float) -> None:
    oldest[key] = max(oldest.get(key, 0.0), seconds)


def _add(counts: dict[tuple[str, str], int], key: tuple[str, str], count: int) -> None:
    counts[key] = counts.get(key, 0) + count


def _merged(rows: list[LedgerCount]) -> list[LedgerCount]:
    """One row for each set of labels."""
    found: dict[tuple[str, str, str, str], LedgerCount] = {}
    for row in rows:
        key = row[:4]
        other = found.get(key)
        if other is not None:
            row = LedgerCount(
                *key,
                other.documents + row.documents,
                max(other.oldest_seconds, row.oldest_seconds),
            )
        found[key] = row
    return list(found.values())
