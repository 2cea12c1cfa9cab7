"""“Where is my invoice?”: documents and objects by what a person has in hand.

Names and addresses are kept ready to be compared: a document's in the narrow table `document_names`,
which its changes of state leave alone, an object's in a column with a covering index. A search reads
these and nothing else, which is a few percent of what is stored. Why: see `docs/decisions.md`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from reconciler.model import SOURCE_TYPES, SourceObject
from reconciler.ports.operator import SearchTooSlow
from store.pool import Connection

MOST_AT_ONCE = 20_000
"""Of documents that share a text the newest are looked at first, so many at a time."""

WITHIN_SECONDS = 10.0
"""A search that takes longer is given up: it would keep a connection of the service's."""

_HIGHEST = 2**63 - 1

_NUMBERED = re.compile(
    r"(?:(?:invoice|estimate|sales receipt|refund receipt|receipt|expense|deal|quote|payment)\b)?"
    r"[\s:]*(?:(?:no|number)\b\.?|#)?\s*(\S+)",
    re.IGNORECASE,
)
"""What people write before a number or an id."""

_LONGEST = 150
"""Characters of each part that are kept; an entry of an index has to fit in a third of a page."""


class _Customer(msgspec.Struct):
    display_name: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""


class _Content(msgspec.Struct):
    """Of a document's content what it is found by."""

    private_note: str = ""
    customer: _Customer | None = None


_decode = msgspec.json.Decoder(_Content).decode


def of_content(content: str | None) -> str:
    """What a document is found by: its customer, and the note that names its object."""
    if content is None:
        return ""
    found = _decode(content)
    who = found.customer or _Customer()
    person = f"{who.first_name} {who.last_name}"
    return _joined(who.display_name, person, who.email, found.private_note)


def of_object(obj: SourceObject) -> str:
    """What an object is found by: its name."""
    if obj.key.type not in SOURCE_TYPES:
        return ""
    return _joined(obj.properties.get("dealname") or obj.properties.get("hs_title") or "")


def pattern(text: str) -> str:
    """What LIKE finds a part of `found_by` by."""
    escaped = _plain(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


class Found(NamedTuple):
    """Documents that a text finds, and below which id there are more; None if these are all."""

    ids: list[int]
    more_below: int | None


async def note(connection: Connection, contents: Mapping[int, str | None]) -> None:
    """Keep what documents (by id) are found by; one without content only by its object."""
    texts = {document_id: of_content(content) for document_id, content in contents.items()}
    if texts:
        await connection.execute(
            """
            INSERT INTO document_names AS d (document_id, found_by)
            SELECT * FROM unnest($1::bigint[], $2::text[])
            ON CONFLICT (document_id) DO UPDATE SET found_by = excluded.found_by
             WHERE d.found_by <> excluded.found_by
            """,
            list(texts),
            list(texts.values()),
        )


async def documents(pool: asyncpg.Pool, text: str, below: int | None) -> Found:
    """The newest of those below an id: by customer, object, or number or HubSpot id (`Invoice 1031`).

    Of objects that share a name only so many are looked at; the others' documents are found by
    their own note of that name, unless they have no content yet.
    """
    numbered = _NUMBERED.fullmatch(text.strip())
    number = numbered[1] if numbered else text
    types = list(SOURCE_TYPES)
    rows = await _found(
        pool, _DOCUMENTS, pattern(text), MOST_AT_ONCE, number, types, below or _HIGHEST
    )
    told = [row[0] for row in rows if row[1]]
    if len(told) < MOST_AT_ONCE:
        return Found([row[0] for row in rows], None)
    lowest = min(told)
    return Found([row[0] for row in rows if row[0] >= lowest], lowest)


async def objects_named(
    pool: asyncpg.Pool, text: str, types: Sequence[str], limit: int
) -> list[str]:
    """States of objects with the text in their name, last changed first unless they are very many."""
    rows = await _found(pool, _OBJECTS, pattern(text), MOST_AT_ONCE, list(types), limit)
    return [row[0] for row in rows]


async def _found(pool: asyncpg.Pool, query: str, *arguments: object) -> list[asyncpg.Record]:
    try:
        rows: list[asyncpg.Record] = await pool.fetch(query, *arguments, timeout=WITHIN_SECONDS)
    except TimeoutError as error:
        raise SearchTooSlow(WITHIN_SECONDS) from error
    return rows


def _joined(*parts: str) -> str:
    return " ".join(filter(None, (_plain(part)[:_LONGEST] for part in parts)))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


PORTALS = """
    WITH RECURSIVE portals(id) AS (
        (SELECT portal_id FROM objects ORDER BY portal_id LIMIT 1)
        UNION ALL
        SELECT (SELECT portal_id FROM objects WHERE portal_id > p.id ORDER BY portal_id LIMIT 1)
          FROM portals AS p WHERE p.id IS NOT NULL)
    SELECT id FROM portals WHERE id IS NOT NULL
"""
"""Every portal of which an object is known; one index probe for each."""

_DOCUMENTS = f"""
WITH told AS MATERIALIZED (
    SELECT document_id FROM document_names
     WHERE found_by LIKE $1 AND document_id < $5
     ORDER BY document_id DESC LIMIT $2),
named AS MATERIALIZED (
    SELECT portal_id, object_type, object_id FROM objects
     WHERE found_by LIKE $1 AND found_by <> '' LIMIT $2),
portals AS MATERIALIZED ({PORTALS}),
others AS (
    SELECT document_id FROM named JOIN documents USING (portal_id, object_type, object_id)
    UNION
    SELECT document_id FROM documents WHERE document_number = $3
    UNION
    SELECT d.document_id
      FROM portals AS p CROSS JOIN unnest($4::text[]) AS t(type)
      JOIN documents AS d
        ON d.portal_id = p.id AND d.object_type = t.type AND d.object_id = $3)
SELECT document_id, true FROM told
UNION ALL
SELECT document_id, false FROM others
 WHERE document_id < $5 AND document_id NOT IN (SELECT document_id FROM told)"""

_OBJECTS = """
WITH named AS MATERIALIZED (
    SELECT portal_id, object_type, object_id FROM objects
     WHERE found_by LIKE $1 AND found_by <> '' AND object_type = ANY($3::text[])
     LIMIT $2)
SELECT state FROM named JOIN objects USING (portal_id, object_type, object_id)
 ORDER BY changed_at DESC LIMIT $4"""
