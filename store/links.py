"""Which objects name each other: for the guard against billing twice, and for companions.

Called by `store.intake` (written in the transaction of the object that names the other) and by
dispatch (which documents bill the same sale). A link says that one object's association list, or
its line items, name the other, or, between two of one type, that one was merged into the other (the
source into the target, of companions); who says it does not matter to readers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import asyncpg

from reconciler.model import DocumentState, ObjectKey, ObjectType
from reconciler.ports.dispatch import Precedent
from reconciler.ports.intake import ObjectLink
from store.pool import Connection
from store.rows import document_key, key_columns


async def change_links(
    connection: Connection, added: Sequence[ObjectLink], removed: Sequence[ObjectLink]
) -> None:
    """Note links that an object names now, and forget those it names no more."""
    if removed:
        await connection.execute(
            """
            DELETE FROM object_links AS l
             USING unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
                   AS n(portal_id, target_type, target_id, source_type, source_id)
             WHERE l.portal_id = n.portal_id AND l.target_type = n.target_type
               AND l.target_id = n.target_id AND l.source_type = n.source_type
               AND l.source_id = n.source_id
            """,
            *_columns(removed),
        )
    if added:
        await connection.execute(
            """
            INSERT INTO object_links (portal_id, target_type, target_id, source_type, source_id)
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
            ON CONFLICT DO NOTHING
            """,
            *_columns(sorted(added)),
        )


async def with_merged(connection: Connection, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
    """The objects and all that were merged into one of them, at once or by way of others."""
    rows = await connection.fetch(
        """
        WITH RECURSIVE one(portal_id, type, id) AS (
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
            UNION
            SELECT l.portal_id, l.source_type, l.source_id
              FROM one
              JOIN object_links AS l
                ON l.portal_id = one.portal_id AND l.target_type = one.type AND l.target_id = one.id
               AND l.source_type = one.type)
        SELECT portal_id, type, id FROM one
        """,
        *key_columns(keys),
    )
    return {ObjectKey(row[0], ObjectType(row[1]), row[2]) for row in rows}


async def linked_sources(
    connection: Connection, targets: Collection[ObjectKey], *, undecided: bool
) -> set[ObjectKey]:
    """Source objects that name one of *targets* and have a document that is not in QuickBooks yet.

    One on its way counts: it may be refused, and else it is to be known that HubSpot says otherwise.
    With *undecided* also objects of which no document was ever wanted.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT l.portal_id, l.source_type, l.source_id
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t(portal_id, type, id)
          JOIN object_links AS l
            ON l.portal_id = t.portal_id AND l.target_type = t.type AND l.target_id = t.id
          LEFT JOIN documents AS d
            ON d.portal_id = l.portal_id AND d.object_type = l.source_type
           AND d.object_id = l.source_id
         WHERE l.source_type <> t.type
           AND (d.document_id IS NULL AND $4
                OR d.quickbooks_id IS NULL)
        """,
        *key_columns(targets),
        undecided,
    )
    return {ObjectKey(row[0], ObjectType(row[1]), row[2]) for row in rows}


async def waiting_unlinked(connection: Connection, kinds: Sequence[ObjectType]) -> list[int]:
    """Ids of documents that wait and whose object is not noted to name anything of these kinds."""
    rows = await connection.fetch(
        """
        SELECT d.document_id FROM documents AS d
         WHERE d.state = 'waiting' AND d.quickbooks_id IS NULL
           AND NOT EXISTS (SELECT FROM object_links AS l
                            WHERE l.portal_id = d.portal_id AND l.source_type = d.object_type
                              AND l.source_id = d.object_id AND l.target_type = ANY($1::text[]))
         ORDER BY d.document_id
        """,
        list(kinds),
    )
    return [row[0] for row in rows]


async def sale_links(
    pool: asyncpg.Pool, keys: Sequence[ObjectKey]
) -> list[tuple[ObjectKey, ObjectKey]]:
    """Each of these objects with the deals, quotes and payments that it names or that name it."""
    rows = await pool.fetch(
        _SALE_LINKS,
        *key_columns(keys),
    )
    return [
        (
            ObjectKey(row[0], ObjectType(row[1]), row[2]),
            ObjectKey(row[0], ObjectType(row[3]), row[4]),
        )
        for row in rows
    ]


async def precedents(
    pool: asyncpg.Pool, document_ids: Sequence[int]
) -> list[tuple[int, Precedent]]:
    """What stands before each of these documents: sales of the same thing, and its estimate.

    A sale (invoice, sales receipt, paid invoice) is of the same thing in the same company when its
    source is the same object, one that was merged with it, or one that this one descends from or
    that descends from it: deal, quote, payment, in this order. Two quotes of one deal, or two
    payments, are two sales. Left out are sales that were not sent and are not among *document_ids*,
    and documents whose guard is off.
    """
    rows = await pool.fetch(_PRECEDENTS, list(document_ids))
    return [
        (
            row[0],
            Precedent(
                document_id=row[1],
                key=document_key(row[2:]),
                state=DocumentState(row[8]),
                quickbooks_entity=row[9] or "",
                quickbooks_id=row[10] or "",
                document_number=row[11] or "",
            ),
        )
        for row in rows
    ]


async def wake_followers(connection: Connection, ended: Collection[int]) -> None:
    """Let documents that gave way to one of *ended*, or wait for it, be looked at now.

    One that somebody is writing at this moment is left out, so that nobody waits for another in a
    circle; it is looked at when its pause is over.
    """
    if await connection.fetchval(_ANY_GIVES_WAY):  # most often none, and the index is empty
        await connection.execute(_WAKE_FOLLOWERS, list(ended))


GIVES_WAY = "{one}.state = 'wanted' AND {one}.reason IN ('estimate', 'billed_first')"
"""Whether a document follows another (`reconciler.dispatch.precedence`); as in the index on it."""

_SALES = "('invoice', 'sales_receipt', 'paid_invoice')"

_NEIGHBOURS = """
    SELECT l.target_type AS type, l.target_id AS id FROM object_links AS l
     WHERE l.portal_id = {one}.portal_id AND l.source_type = {one}.type AND l.source_id = {one}.id
       AND l.target_type IN ('deal', 'quote', 'payment')
    UNION
    SELECT l.source_type, l.source_id FROM object_links AS l
     WHERE l.portal_id = {one}.portal_id AND l.target_type = {one}.type AND l.target_id = {one}.id"""

_SALE_LINKS = f"""
SELECT k.portal_id, k.type, k.id, n.type, n.id
  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k(portal_id, type, id)
 CROSS JOIN LATERAL ({_NEIGHBOURS.format(one="k")}) AS n"""

_KIN = f"""
near AS (
    SELECT s.document_id, s.realm_id, s.portal_id, s.type AS own_type, s.id AS own_id, n.type, n.id
      FROM sales AS s CROSS JOIN LATERAL ({_NEIGHBOURS.format(one="s")}) AS n),
kin AS (
    SELECT document_id, realm_id, portal_id, type, id FROM near
    UNION
    SELECT q.document_id, q.realm_id, q.portal_id, n.type, n.id
      FROM near AS q CROSS JOIN LATERAL ({_NEIGHBOURS.format(one="q")}) AS n
     WHERE (n.type, n.id) <> (q.own_type, q.own_id)
       AND (q.type = 'quote' AND n.type <> q.own_type OR q.type IN (n.type, q.own_type)))"""

_ANY_GIVES_WAY = f"SELECT EXISTS (SELECT FROM documents AS d WHERE {GIVES_WAY.format(one='d')})"

_WAKE_FOLLOWERS = f"""
WITH sales AS (
    SELECT document_id, realm_id, portal_id, object_type AS type, object_id AS id
      FROM documents WHERE document_id = ANY($1::bigint[])),
{_KIN},
followers AS (
    SELECT o.document_id
      FROM (SELECT realm_id, portal_id, type, id FROM kin
            UNION SELECT realm_id, portal_id, type, id FROM sales) AS k
      JOIN documents AS o
        ON o.portal_id = k.portal_id AND o.object_type = k.type AND o.object_id = k.id
     WHERE o.realm_id = k.realm_id AND {GIVES_WAY.format(one="o")}
       AND o.next_attempt_at > now()
       FOR UPDATE OF o SKIP LOCKED)
UPDATE documents SET next_attempt_at = now()
 WHERE document_id IN (SELECT document_id FROM followers)"""

_OTHER = """o.document_id, o.realm_id, o.action, o.portal_id, o.object_type, o.object_id,
       o.enrolment, o.state, o.quickbooks_entity, o.quickbooks_id, o.document_number"""

_COUNTS = """(o.state IN ('sending', 'created') OR o.quickbooks_id IS NOT NULL
       OR o.document_id = ANY($1::bigint[]))"""
"""Whether another sale stands before one: it was sent, or is among those asked for."""

_PRECEDENTS = f"""
WITH mine AS (
    SELECT d.document_id, d.realm_id, d.action, d.portal_id, d.object_type AS type,
           d.object_id AS id, d.enrolment
      FROM documents AS d
     WHERE d.document_id = ANY($1::bigint[]) AND d.quickbooks_id IS NULL),
sales AS (
    SELECT m.* FROM mine AS m JOIN documents AS d USING (document_id)
     WHERE m.action IN {_SALES} AND NOT d.guard_off),
{_KIN}
SELECT k.document_id, {_OTHER}
  FROM kin AS k
  JOIN documents AS o
    ON o.portal_id = k.portal_id AND o.object_type = k.type AND o.object_id = k.id
 WHERE o.realm_id = k.realm_id AND o.action IN {_SALES} AND {_COUNTS}
UNION
SELECT s.document_id, {_OTHER}
  FROM sales AS s
  JOIN documents AS o
    ON o.portal_id = s.portal_id AND o.object_type = s.type AND o.object_id = s.id
 WHERE o.realm_id = s.realm_id AND o.action IN {_SALES} AND o.action <> s.action AND {_COUNTS}
UNION
SELECT m.document_id, {_OTHER}
  FROM mine AS m
  JOIN documents AS o
    ON o.portal_id = m.portal_id AND o.object_type = m.type AND o.object_id = m.id
 WHERE m.action = 'invoice' AND o.action = 'estimate' AND o.realm_id = m.realm_id
   AND o.enrolment = m.enrolment
"""


def _columns(links: Sequence[ObjectLink]) -> tuple[Sequence[object], ...]:
    return (
        *key_columns([link.target for link in links]),
        [link.source.type for link in links],
        [link.source.id for link in links],
    )
