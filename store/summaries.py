"""How things stand, for people: causes, counts, companies, reading. Called by `operator`.

What metrics show at every scrape is in `reports`.
"""

from __future__ import annotations

import asyncpg
import msgspec

from reconciler.model import DocumentState
from reconciler.operator.ports import DocumentCount, Health, StoredCause, StoredCompany
from reconciler.operator.views import PartitionPosition

MOST_CAUSES = 2000


TO_CHECK = "state = 'created' AND reason NOT IN ('', 'paid_in_quickbooks')"
"""What was made and is not, or not any more, as HubSpot says; as in the index on it."""


async def causes(pool: asyncpg.Pool, state: DocumentState) -> list[StoredCause]:
    """Documents of a state by company, reason and detail, most frequent first; of the created ones
    those that a person should check."""
    these = TO_CHECK if state is DocumentState.CREATED else f"state = '{state}'"
    rows = await pool.fetch(
        f"""
        SELECT realm_id, reason, detail, count(*)::int,
               coalesce(sum(coalesce(total, (content->>'total')::numeric)), 0),
               min(state_since), (array_agg(document_id ORDER BY document_id))[1:5]
          FROM documents WHERE {these} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 6 LIMIT $1
        """,
        MOST_CAUSES,
    )
    return [StoredCause(*row) for row in rows]


async def counts(pool: asyncpg.Pool) -> list[DocumentCount]:
    """Documents by company, workflow and state; the oldest wanted one since it was last due."""
    rows = await pool.fetch(
        """
        SELECT realm_id, workflow, state, count(*)::int,
               min(CASE state WHEN 'wanted' THEN greatest(state_since, next_attempt_at)
                              ELSE state_since END)
          FROM documents GROUP BY 1, 2, 3
        """
    )
    return [DocumentCount(row[0], row[1], DocumentState(row[2]), row[3], row[4]) for row in rows]


async def companies(pool: asyncpg.Pool) -> list[StoredCompany]:
    """Every company ever registered; tokens are not read."""
    rows = await pool.fetch(
        """
        SELECT c.realm_id, c.name, c.connection, c.connection_detail, coalesce(c.lease_owner, ''),
               c.lease_until, c.tokens_expire_at, c.references_loaded_at,
               c.references_changed_since, c.facts,
               coalesce((SELECT json_object_agg(entity, n) FROM
                   (SELECT entity, count(*) AS n FROM quickbooks_references AS r
                     WHERE r.realm_id = c.realm_id AND r.active GROUP BY entity) AS e), '{}'),
               (SELECT count(*)::int FROM operations AS o WHERE o.realm_id = c.realm_id
                   AND o.first_sent_at > now() - interval '1 minute'),
               (SELECT count(*)::int FROM operations AS o WHERE o.realm_id = c.realm_id
                   AND o.first_sent_at >= date_trunc('day', now()))
          FROM companies AS c ORDER BY c.name, c.realm_id
        """
    )
    return [_company(row) for row in rows]


def _company(row: asyncpg.Record) -> StoredCompany:
    return StoredCompany(
        realm_id=row[0], name=row[1], connection=row[2], connection_detail=row[3],
        lease_owner=row[4], lease_until=row[5], tokens_expire_at=row[6],
        references_loaded_at=row[7], references_changed_since=row[8], facts=row[9],
        references=msgspec.json.decode(row[10]), writes_last_minute=row[11], writes_today=row[12],
    )  # fmt: skip


async def health(pool: asyncpg.Pool) -> Health:
    """Counts over the whole store."""
    row = await pool.fetchrow(
        """
        SELECT (SELECT count(*)::int FROM documents
                 WHERE state = 'created' AND state_since > now() - interval '1 hour'),
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
        SELECT topic, partition, next_offset, owner, updated_at FROM offsets
         WHERE group_id = $1 ORDER BY topic, partition
        """,
        group_id,
    )
    return [
        PartitionPosition(
            topic=row[0], partition=row[1], next_offset=row[2], owner=row[3], updated_at=row[4]
        )
        for row in rows
    ]
