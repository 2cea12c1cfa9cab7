"""What HubSpot could not be asked or told, for people. Called by `store.operator`.

The rows are those of `hydration` and `writeback`, which set and clear their problems.
"""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from reconciler.model import ObjectKey, ObjectType
from reconciler.ports.operator import NewAudit, StoredHubSpotProblem
from store import audit

EXAMPLES = 3
MOST_GROUPS = 20

_PROBLEMS = """
    SELECT h.portal_id, h.object_type, h.object_id, NULL::bigint AS document_id, h.problem,
           h.next_hydration_at AS next_attempt_at
      FROM hydrations AS h WHERE h.problem <> '' AND h.next_hydration_at IS NOT NULL
    UNION ALL
    SELECT d.portal_id, d.object_type, d.object_id, w.document_id, w.problem,
           CASE WHEN w.state = 'wanted' THEN w.next_attempt_at END
      FROM write_backs AS w JOIN documents AS d USING (document_id) WHERE w.problem <> ''"""


async def of_object(pool: asyncpg.Pool, key: ObjectKey) -> list[StoredHubSpotProblem]:
    """Of one object and its documents."""
    rows = await pool.fetch(
        f"""
        SELECT p.document_id, p.problem, p.next_attempt_at FROM ({_PROBLEMS}) AS p
         WHERE p.portal_id = $1 AND p.object_type = $2 AND p.object_id = $3
         ORDER BY p.document_id NULLS FIRST
        """,
        *key,
    )
    return [
        StoredHubSpotProblem(
            is_write_back=row[0] is not None, problem=row[1], objects=1, next_attempt_at=row[2],
            document_id=row[0], examples=(key,),
        )
        for row in rows
    ]  # fmt: skip


async def groups(pool: asyncpg.Pool) -> list[StoredHubSpotProblem]:
    """By what was tried and what HubSpot said to it, most frequent first."""
    rows = await pool.fetch(
        f"""
        SELECT p.document_id IS NOT NULL, p.problem, count(*)::int, min(p.next_attempt_at),
               (array_agg(p.portal_id))[1:$1], (array_agg(p.object_type))[1:$1],
               (array_agg(p.object_id))[1:$1]
          FROM ({_PROBLEMS}) AS p GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT $2
        """,
        EXAMPLES,
        MOST_GROUPS,
    )
    return [
        StoredHubSpotProblem(
            is_write_back=row[0], problem=row[1], objects=row[2], next_attempt_at=row[3],
            document_id=None, examples=_keys(zip(*row[4:7], strict=True)),
        )
        for row in rows
    ]  # fmt: skip


def _keys(found: Iterable[tuple[int, str, str]]) -> tuple[ObjectKey, ...]:
    return tuple([ObjectKey(portal, ObjectType(kind), id_) for portal, kind, id_ in found])


async def write_back_again(pool: asyncpg.Pool, entry: NewAudit) -> int:
    """Let what HubSpot refused to take be tried again; answers how many documents."""
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            """
            UPDATE write_backs SET state = 'wanted', attempts = 0, next_attempt_at = now()
             WHERE state = 'blocked' RETURNING document_id
            """
        )
        if rows:
            await audit.write(connection, [entry])
        return len(rows)
