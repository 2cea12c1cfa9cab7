"""Owns whole objects as HubSpot's REST API gives them, and table rows that connectors make of them.

`decoding` and `hydrated` call it, the former also for what it found in an envelope. It refuses an
object without an id, a type or a portal; it says nothing of properties that aren't listed.
"""

from __future__ import annotations

from typing import Any

from reconciler.model import Change, ChangeKind, ObjectKey, ObjectType
from streams.formats import dated
from streams.formats.associations import BESIDE_PROPERTIES, read
from streams.formats.names import object_type
from streams.formats.parsing import text_document
from streams.formats.record import Context, Document, Reason, refused
from streams.formats.statements import portal_of, touched
from streams.formats.values import first_instant, flag, ident, own_time, property_values

_FLAT = "properties_"
_BESIDE = (
    BESIDE_PROPERTIES
    | dated.FIELDS
    | {
        "archived",
        "archivedAt",
        "associations",
        "createdAt",
        "created_at",
        "id",
        "objectType",
        "objectTypeId",
        "object_type",
        "portalId",
        "portal_id",
        "properties",
        "updatedAt",
        "updated_at",
        "url",
    }
)


def changes(document: Document, context: Context) -> list[Change]:
    """Decode one object: its properties now and before, associations, and whether it is archived."""
    type_ = _type(document, context)
    if type_ is None:
        return []
    raw = _properties(document, context)
    before: Document = {}
    if type(next(iter(raw.values()), None)) is dict:  # API v1 writes them all alike
        raw, before = dated.unversioned(raw)
    at = own_time(document, raw, context.at)
    key = ObjectKey(portal_of(document, context), type_, _id(document, raw, context))
    if context.deleted_at is not None:  # a last look, often with empty columns: only the id counts
        return touched(key, max(at, context.deleted_at), ChangeKind.DELETED)
    lists, links = read(document, at)
    archived = document.get("archived")
    if archived is not False:
        archived = flag(archived)
    whole = Change(
        key=key,
        at=at,
        kind=ChangeKind.SNAPSHOT,
        properties=property_values(raw),
        lists=lists,
        links=links,
        deleted=False if archived is False else None,
    )
    found = [whole]
    if before or "propertiesWithHistory" in document or "properties_with_history" in document:
        found += dated.changes(key, before | dated.history(document))
    if archived:
        gone_at = first_instant(document.get("archivedAt")) or at
        found += touched(key, max(at, gone_at), ChangeKind.DELETED)
    return found


def _type(document: Document, context: Context) -> ObjectType | None:
    named = (
        document.get("objectTypeId") or document.get("object_type") or document.get("objectType")
    )
    if named is not None:
        return object_type(named)
    if context.type is None and not context.is_other:
        raise refused(Reason.NO_OBJECT_TYPE, "the topic's settings don't say what it holds")
    return context.type


def _id(document: Document, raw: Document, context: Context) -> str:
    for found in (document.get("id"), document.get("hs_object_id"), raw.get("hs_object_id")):
        if found is not None:
            return ident(found)
    return ident(context.id)


def _properties(document: Document, context: Context) -> Document:
    raw: Any = document.get("properties")
    if type(raw) is dict:
        return raw
    if type(raw) is str and raw:
        raw = text_document(raw)
        if type(raw) is dict:
            return raw
    if raw is not None:
        raise refused(Reason.UNKNOWN_SHAPE, "properties is not an object")
    flat = {
        name[len(_FLAT) :]: value
        for name, value in document.items()
        if name.startswith(_FLAT) and name not in dated.FIELDS
    }
    if flat or not context.columns:
        return flat
    return {
        name: value
        for name, value in document.items()
        if name not in _BESIDE and not name.startswith("_")
    }
