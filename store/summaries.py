"""How things stand, for people: causes, counts, companies, reading. Called by `operator`.

What metrics show at every scrape is in `reports`.
"""

from __future__ import annotations

import asyncpg
import msgspec

from reconciler.model import DocumentState
from reconciler.ports.operator import (
    CompanyActivity,
    DocumentCount,
    Health,
    StoredCause,
    StoredCompany,
    WorkflowCount,
)
from reconciler.ports.views import PartitionPosition
from store.counts import TO_CHECK, created, created_by_workflow

_SENDING = """d.state = 'sending' AND d.document_id IN (
           SELECT document_id FROM operations WHERE state IN ('begun', 'unknown'))"""


async def causes(pool: asyncpg.Pool, state: DocumentState, most: int) -> list[StoredCause]:
    """Documents of a state by company and reason, and by the *most* frequent details of each; of the
    created ones those that a person should check. Amounts are added up by currency."""
    these = TO_CHECK if state is DocumentState.CREATED else f"state = '{state}'"
    rows = await pool.fetch(
        f"""
        WITH counted AS MATERIALIZED (
            SELECT realm_id, reason, detail, coalesce(content->>'currency', '') AS currency,
                   count(*)::int AS documents,
                   sum(coalesce(total, (content->>'total')::numeric)) AS total,
                   min(state_since) AS oldest,
                   (array_agg(document_id ORDER BY document_id))[1:5] AS examples
              FROM documents WHERE {these} GROUP BY 1, 2, 3, 4),
        ranked AS (
            SELECT *, dense_rank() OVER (
                       PARTITION BY realm_id, reason ORDER BY of_detail DESC, detail) AS place
              FROM (SELECT *, sum(documents) OVER (PARTITION BY realm_id, reason, detail) AS of_detail
                      FROM counted) AS c)
        SELECT realm_id, reason, NULL, currency, sum(documents)::int, sum(total), min(oldest), '{{}}'
          FROM counted GROUP BY 1, 2, 4
         UNION ALL
        SELECT realm_id, reason, detail, currency, documents, total, oldest, examples
          FROM ranked WHERE place <= $1
        """,
        most,
    )
    return [StoredCause(*row) for row in rows]


async def counts(pool: asyncpg.Pool) -> list[DocumentCount]:
    """Documents by company and state; the oldest wanted one since it was due."""
    rows = await pool.fetch(
        f"""
        SELECT realm_id, state, count(*)::int, min(state_since) FROM documents
         WHERE state IN ('waiting', 'blocked', 'dismissed') GROUP BY 1, 2
         UNION ALL
        SELECT realm_id, 'wanted', count(*)::int, min(next_attempt_at) FROM documents
         WHERE state = 'wanted' GROUP BY 1
         UNION ALL
        SELECT d.realm_id, 'sending', count(*)::int, min(d.state_since) FROM documents AS d
         WHERE {_SENDING} GROUP BY 1
        """
    )
    found = [DocumentCount(row[0], DocumentState(row[1]), row[2], row[3]) for row in rows]
    finished = [
        DocumentCount(realm_id, DocumentState.CREATED, count, None)
        for realm_id, count in await created(pool)
    ]
    return found + finished


async def stuck(pool: asyncpg.Pool) -> dict[str, int]:
    """How many documents are blocked, and how many are waiting."""
    rows = await pool.fetch(
        """
        SELECT state, count(*)::int FROM documents WHERE state IN ('blocked', 'waiting') GROUP BY 1
        """
    )
    return {"blocked": 0, "waiting": 0} | {row[0]: row[1] for row in rows}


async def workflow_counts(pool: asyncpg.Pool) -> list[WorkflowCount]:
    """Documents by workflow and state."""
    rows = await pool.fetch(
        f"""
        SELECT workflow, state, count(*)::int FROM documents
         WHERE state IN ('waiting', 'blocked', 'dismissed') GROUP BY 1, 2
         UNION ALL
        SELECT workflow, 'wanted', count(*)::int FROM documents WHERE state = 'wanted' GROUP BY 1
         UNION ALL
        SELECT d.workflow, 'sending', count(*)::int FROM documents AS d WHERE {_SENDING} GROUP BY 1
        """
    )
    found = [WorkflowCount(row[0], DocumentState(row[1]), row[2]) for row in rows]
    finished = [
        WorkflowCount(workflow, DocumentState.CREATED, count)
        for workflow, count in await created_by_workflow(pool)
    ]
    return found + finished


async def companies(pool: asyncpg.Pool) -> list[StoredCompany]:
    """Every company ever registered; tokens are not read."""
    rows = await pool.fetch(
        """
        SELECT realm_id, name, connection, connection_detail, coalesce(lease_owner, ''), lease_until,
               tokens_expire_at, references_loaded_at, references_changed_since, facts
          FROM companies ORDER BY name, realm_id
        """
    )
    return [
        StoredCompany(
            realm_id=row[0], name=row[1], connection=row[2], connection_detail=row[3],
            lease_owner=row[4], lease_until=row[5], tokens_expire_at=row[6],
            references_loaded_at=row[7], references_changed_since=row[8], facts=row[9],
        )
        for row in rows
    ]  # fmt: skip


async def activity(pool: asyncpg.Pool) -> dict[str, CompanyActivity]:
    """What is known of companies' lists and written to them, by realm id."""
    rows = await pool.fetch(
        """
        SELECT c.realm_id,
               coalesce((SELECT json_object_agg(entity, n) FROM
                   (SELECT entity, count(*) AS n FROM quickbooks_references AS r
                     WHERE r.realm_id = c.realm_id AND r.active GROUP BY entity) AS e), '{}'),
               coalesce(w.last_minute, 0), coalesce(w.today, 0)
          FROM companies AS c LEFT JOIN (
               SELECT realm_id,
                      count(*) FILTER (WHERE first_sent_at > now() - interval '1 minute')::int
                          AS last_minute,
                      count(*) FILTER (WHERE first_sent_at >= date_trunc('day', now()))::int AS today
                 FROM operations
                WHERE first_sent_at >= least(date_trunc('day', now()), now() - interval '1 minute')
                GROUP BY 1) AS w USING (realm_id)
        """
    )
    return {row[0]: CompanyActivity(msgspec.json.decode(row[1]), row[2], row[3]) for row in rows}


async def health(pool: asyncpg.Pool) -> Health:
    """Counts over the whole store."""
    row = await pool.fetchrow(
        """
        SELECT (SELECT count(*)::int FROM outcomes
                 WHERE kind = 'created' AND occurred_at > now() - interval '1 hour'),
               (SELECT count(*)::int FROM operations WHERE state = 'unknown'),
               (SELECT min(first_sent_at) FROM operations WHERE state = 'unknown'),
               (SELECT count(*)::int FROM outcomes WHERE published_at IS NULL),
               (SELECT count(*)::int FROM dead_letters WHERE resolved_at IS NULL)
        """
    )
    assert row is not None
    return Health(*row)


async def reading(pool: asyncpg.Pool, group_id: str) -> list[PartitionPosition]:
    """How far each partition was read."""
    rows = await pool.fetch(
        """
        SELECT topic, partition, topic_id, next_offset, owner, updated_at FROM offsets
         WHERE group_id = $1 ORDER BY topic, partition
        """,
        group_id,
    )
    return [
        PartitionPosition(
            topic=row[0],
            partition=row[1],
            topic_id=row[2],
            next_offset=row[3],
            owner=row[4],
            updated_at=row[5],
        )
        for row in rows
    ]
