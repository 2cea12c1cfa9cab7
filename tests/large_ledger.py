"""A ledger large enough that Postgres plans as it would for millions, and what it plans then.

Filled by SQL in a few seconds: nearly everything is created, a few hundred documents are in each
other state. `Watched` remembers the statements that were asked, to be explained afterwards.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from reconciler.model import ObjectKey, ObjectType, SourceObject
from tests.company_at_work import sale

LARGE = frozenset({"documents", "operations", "objects", "outcomes"})
"""Tables that grow with every deal for ever."""

DOCUMENTS = 50_000
_REALMS = ("9341450000000001", "9341450000000002")

_DEAL = SourceObject(
    key=ObjectKey(4711, ObjectType.DEAL, "NUMBER"),
    properties={"dealname": "deal NUMBER", "description": "x" * 600},
)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


_STATEMENTS: tuple[tuple[str, ...], ...] = (
    (f"""
    INSERT INTO companies (realm_id, name) VALUES ('{_REALMS[0]}', 'us'), ('{_REALMS[1]}', 'us2')
    """,),
    (f"""
    INSERT INTO objects (portal_id, object_type, object_id, version, state, changed_at, found_by)
    SELECT 4711, 'deal', n::text, 1,
           replace($1, 'NUMBER', n::text)::json,
           now() - ({DOCUMENTS} - n) * interval '2 minutes', 'deal ' || n
      FROM generate_series(1, {DOCUMENTS}) AS n
    """, _json(_DEAL)),
    (f"""
    INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment, workflow,
                           generation, revision, version, state, reason, attempts, enrolled_at,
                           state_since, next_attempt_at, quickbooks_entity, quickbooks_id, total,
                           document_number, content, change)
    SELECT (ARRAY['{_REALMS[0]}', '{_REALMS[1]}'])[1 + n % 2], 'invoice', 4711, 'deal', n::text, 1,
           'Invoices ' || n % 2, 1, 1, 1, s.state,
           CASE s.state WHEN 'blocked' THEN 'refused' WHEN 'waiting' THEN 'contact'
                        WHEN 'dismissed' THEN 'no_longer_wanted' ELSE '' END,
           1, t.at, t.at, t.at,
           CASE s.state WHEN 'created' THEN 'Invoice' END,
           CASE s.state WHEN 'created' THEN n::text END, n % 100,
           CASE s.state WHEN 'created' THEN n::text END,
           $1::json, ''
      FROM generate_series(1, {DOCUMENTS}) AS n
     CROSS JOIN LATERAL (SELECT now() - ({DOCUMENTS} - n) * interval '2 minutes' AS at) AS t
     CROSS JOIN LATERAL (SELECT CASE n % 200 WHEN 0 THEN 'blocked' WHEN 1 THEN 'waiting'
                                             WHEN 2 THEN 'wanted' WHEN 3 THEN 'dismissed'
                                             WHEN 4 THEN 'sending'
                                             ELSE 'created' END AS state) AS s
    """, _json(sale(customer_memo="x" * 300))),
    ("INSERT INTO document_names SELECT document_id, 'deal ' || object_id FROM documents",),
    ("""
    INSERT INTO operations (realm_id, operation_key, document_id, entity, request_id, marker, request,
                            state, attempts, first_sent_at, quickbooks_id)
    SELECT realm_id, 'd' || document_id || '/1.1/document', document_id, 'Invoice', object_id, object_id,
           repeat('x', 600)::bytea, CASE state WHEN 'created' THEN 'done' ELSE 'begun' END, 1,
           state_since, quickbooks_id
      FROM documents WHERE state IN ('created', 'sending') ORDER BY document_id
    """,),
    ("""
    INSERT INTO outcomes (document_id, kind, key, value, occurred_at, sequence, published_at)
    SELECT document_id, state, object_id, json_build_object('note', repeat('x', 300)), state_since,
           row_number() OVER (ORDER BY document_id), state_since
      FROM documents WHERE state <> 'wanted' ORDER BY document_id
    """,),
    ("VACUUM ANALYZE",),
)  # fmt: skip


async def fill(dsn: str) -> None:
    """Make it in an empty database."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement, *arguments in _STATEMENTS:
            await connection.execute(statement, *arguments)
    finally:
        await connection.close()


@dataclass
class Watched:
    """A pool, and the statements that were asked through it."""

    pool: asyncpg.Pool
    asked: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    async def read_through(self) -> dict[str, set[str]]:
        """By statement, the large tables that it reads from one end to the other: planned for its
        arguments, and once for all as Postgres does with a statement that comes often."""
        found: dict[str, set[str]] = {}
        async with self.pool.acquire() as connection:
            for query, arguments in tuple(self.asked.items()):
                if not any(table in query for table in LARGE):
                    continue
                for options in ("FORMAT JSON", "FORMAT JSON, GENERIC_PLAN"):
                    plan = await connection.fetchval(f"EXPLAIN ({options}) {query}", *arguments)
                    if tables := set(_read_through(msgspec.json.decode(plan)[0]["Plan"])):
                        found.setdefault(query, set()).update(tables)
        return found


@asynccontextmanager
async def watched(dsn: str) -> AsyncIterator[Watched]:
    """A pool on a large ledger."""
    asked: dict[str, tuple[Any, ...]] = {}

    def note(query: Any) -> None:
        asked[query.query.strip()] = query.args

    async def listen(connection: Any) -> None:
        connection.add_query_logger(note)

    async with asyncpg.create_pool(dsn, min_size=1, max_size=2, setup=listen) as pool:
        yield Watched(pool, asked)


def _read_through(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE:
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from _read_through(below)
