"""What rows of several tables have in common: keys as columns and back, objects, how many were written.

Used by the modules of `store` alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from reconciler.model import Action, DocumentKey, ObjectKey, ObjectType, SourceObject

decode_object = msgspec.json.Decoder(SourceObject).decode


def key_columns(keys: Collection[ObjectKey]) -> tuple[list[int], list[ObjectType], list[str]]:
    """Portals, types and ids, as `unnest` takes them."""
    return [key.portal_id for key in keys], [key.type for key in keys], [key.id for key in keys]


def document_key(row: Sequence[Any]) -> DocumentKey:
    """Of realm_id, action, portal_id, object_type, object_id, enrolment, with which *row* begins."""
    return DocumentKey(row[0], Action(row[1]), row[2], ObjectType(row[3]), row[4], row[5])


def affected(status: str) -> int:
    """How many rows a statement wrote, of what Postgres says at its end (`UPDATE 3`)."""
    return int(status.rsplit(" ", 1)[1])
