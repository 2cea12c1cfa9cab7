"""Owns the choice of shape: one look at a document's keys, envelopes opened until objects appear.

`intake` calls `decode` for every record. It raises `UndecodableRecord` and nothing else, so that
no record can stop a partition; a failure nobody foresaw has the reason `unexpected`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.errors import UndecodableRecord
from reconciler.model import Change
from streams.formats import envelopes, hydrated, journal, snapshot, webhook
from streams.formats.parsing import text_document, value_document
from streams.formats.partly import Parts, unforeseen
from streams.formats.record import (
    Context,
    Document,
    Reason,
    Record,
    TopicSettings,
    refused,
)
from streams.formats.values import first_instant, portal

_MOST_ENVELOPES = 6

_READERS: dict[str, Callable[[Document, Context], list[Change]]] = {
    "webhook": webhook.changes,
    "journal": journal.changes,
    "hydrated": hydrated.changes,
    "snapshot": snapshot.changes,
}
_OPENERS: dict[str, Callable[[Document, Context], envelopes.Contents]] = {
    "airbyte": envelopes.airbyte,
    "connect": envelopes.connect,
    "debezium": envelopes.debezium,
    "rows": envelopes.rows,
    "outbox": envelopes.outbox,
    "opencdc": envelopes.opencdc,
    "estuary": envelopes.estuary,
    "inbox": envelopes.inbox,
    "cloudevent": envelopes.cloudevent,
    "collection": envelopes.collection,
}


def decode(record: Record, topic: TopicSettings) -> list[Change]:
    """Decode a record into the statements it makes; none for tombstones and types not read.

    Raises `UndecodableRecord` whose reason is one of `Reason`, and no other exception. Where only
    some parts of the record can't be understood, it has the changes of the others.
    """
    return read(record, topic)[1]


def read(record: Record, topic: TopicSettings) -> tuple[str, list[Change]]:
    """The same with the outermost shape that was recognised, for metrics: "" if there was none."""
    if record.value is None:
        return "tombstone", []
    try:
        document = value_document(record.value, topic.max_bytes)
        forced = None if topic.format == "auto" else topic.format
        shapes: list[str] = []
        changes = _changes(document, _context(record, topic), forced, 0, shapes)
        return shapes[0] if shapes else "", changes
    except UndecodableRecord:
        raise
    except Exception as error:
        raise unforeseen(error) from error


def _context(record: Record, topic: TopicSettings) -> Context:
    portal_id = topic.portal_id
    if portal_id is None and record.headers:
        named = (value for name, value in record.headers if name.lower() == "portalid")
        portal_id = portal((next(named, None) or b"").decode("ascii", "replace"))
    at = first_instant(record.timestamp_ms) or 0  # whatever the producer gave it: µs, or nothing
    return Context(topic.object_type, portal_id, at, topic.format == "snapshot")


def _changes(
    document: Any, context: Context, forced: str | None, depth: int, shapes: list[str]
) -> list[Change]:
    for level in range(depth, _MOST_ENVELOPES):
        if type(document) is list:
            return _each(document, context, forced, level, shapes)
        if document is None:
            return []
        if type(document) is str and document[:1] in ("{", "["):
            document = text_document(document)
            continue
        if type(document) is not dict:
            raise refused(Reason.UNKNOWN_SHAPE, f"a bare {type(document).__name__}")
        shape = forced or _shape(document, context)
        shapes.append(shape)
        reader = _READERS.get(shape)
        if reader is not None:
            return reader(document, context)
        contents = _OPENERS[shape](document, context)
        if contents is None:
            return []
        document, context = contents
        forced = None
    raise refused(Reason.TOO_DEEP, f"more than {_MOST_ENVELOPES} envelopes")


def _each(
    items: list[Any], context: Context, forced: str | None, level: int, shapes: list[str]
) -> list[Change]:
    """Decode an array: what can be understood of it is taken, whatever the rest is like."""
    parts = Parts()
    for number, item in enumerate(items, start=1):
        try:
            if type(item) is not dict:
                raise refused(Reason.UNKNOWN_SHAPE, f"a bare {type(item).__name__} in an array")
            parts.changes += _changes(item, context, forced, level + 1, shapes)
        except Exception as error:
            parts.refuse(f"element {number} of {len(items)}", error)
    return parts.read(len(items))


def _shape(document: Document, context: Context) -> str:
    """Name a document's shape by its keys, commonest first."""
    if "subscriptionType" in document:
        return "webhook"
    if "object" in document and ("event" in document or "events" in document):
        return "hydrated"
    if "_meta" in document:
        return "estuary"
    if "__op" in document or "__deleted" in document:
        return "rows"
    if "id" in document and ("properties" in document or "associations" in document):
        return "snapshot"
    for shape, keys in _TELLING:
        if keys <= document.keys():
            return shape
    return _by_prefix(document, context)


_TELLING: tuple[tuple[str, frozenset[str]], ...] = (
    ("airbyte", frozenset({"_airbyte_data"})),
    ("cloudevent", frozenset({"specversion"})),
    ("webhook", frozenset({"eventType", "objectId"})),
    ("webhook", frozenset({"eventType", "fromObjectId"})),
    ("collection", frozenset({"journalEvents"})),
    ("journal", frozenset({"action", "occurredAt"})),
    ("journal", frozenset({"action", "objectTypeId"})),
    ("opencdc", frozenset({"operation", "payload", "metadata"})),
    ("opencdc", frozenset({"operation", "payload", "position"})),
    ("connect", frozenset({"schema", "payload"})),
    ("debezium", frozenset({"op", "before"})),
    ("debezium", frozenset({"op", "after"})),
    ("debezium", frozenset({"before", "after"})),
    ("outbox", frozenset({"aggregateid", "payload"})),
    ("outbox", frozenset({"aggregate_id", "payload"})),
    ("snapshot", frozenset({"hs_object_id"})),
    ("snapshot", frozenset({"properties", "updatedAt"})),
    ("snapshot", frozenset({"id", "propertiesWithHistory"})),
    ("collection", frozenset({"results"})),
)


def _by_prefix(document: Document, context: Context) -> str:
    if any(name.startswith("_airbyte_") for name in document):
        return "airbyte"
    if any(name.startswith("properties_") for name in document):
        return "snapshot"
    if envelopes.is_of_inbox(document, context):
        return "inbox"
    if context.columns and ("id" in document or context.id or context.deleted_at is not None):
        return "snapshot"
    raise refused(Reason.UNKNOWN_SHAPE, "an object that is none of the known shapes")
