"""Owns the envelopes of connectors: each opens one and says what it knew about the contents.

Airbyte, Debezium (tables, outboxes), OpenCDC (Conduit), Kafka Connect with its schema, Estuary,
rows of an inbox whatever brought them, CloudEvents, and plain collections. `decoding` opens as many
as there are; none of them reads objects.
None instead of contents means that the record says nothing: a tombstone, or a row of an inbox
that was cleaned up.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import msgspec

from streams.formats.names import is_another_object, object_type
from streams.formats.parsing import text_document
from streams.formats.record import Context, Document, Reason, refused
from streams.formats.values import first_instant, flag

Contents = tuple[Any, Context] | None

_BODIES = (
    "payload",
    "body",
    "event",
    "value",
    "data",
    "message",
    "record",
    "raw",
    "json",
    "request",
)
_INBOX = {*_BODIES, "aggregateid", "aggregate_id"}
_BETWEEN_WORDS = re.compile(r"[./:]")


def airbyte(document: Document, context: Context) -> Contents:
    """Open Airbyte's record, old or new, with the data inside or beside its own columns."""
    emitted = first_instant(
        document.get("_airbyte_emitted_at"), document.get("_airbyte_extracted_at")
    )
    stream = document.get("_airbyte_stream")
    inside = _row_context(context, stream, emitted or context.at)
    if inside.type is None and stream is not None:
        return None
    if "_airbyte_data" in document:
        return _opened(document["_airbyte_data"]) or {}, inside
    return {k: v for k, v in document.items() if not k.startswith("_airbyte_")}, inside


def connect(document: Document, context: Context) -> Contents:
    """Open Kafka Connect's `{schema, payload}`; the schema says nothing that is needed."""
    return _required(document, "payload"), msgspec.structs.replace(context, columns=True)


def debezium(document: Document, context: Context) -> Contents:
    """Open a change of a table: of objects, or of an inbox or outbox that holds records."""
    operation = document.get("op")
    if operation in ("t", "m"):  # truncate, logical message
        return None
    source = document.get("source")
    source = source if type(source) is dict else {}
    at = first_instant(source.get("ts_ms"), document.get("ts_ms")) or context.at
    inside = _row_context(context, source.get("table"), at)
    if operation == "d" or (operation is None and document.get("after") is None):
        return _deleted(_opened(_required(document, "before")), inside)
    return _row(_opened(_required(document, "after")), inside)


def rows(document: Document, context: Context) -> Contents:
    """Open a row that Debezium's new-record-state transform flattened (`__op`, `__deleted`)."""
    at = first_instant(document.get("__source_ts_ms"), document.get("__ts_ms")) or context.at
    inside = _row_context(context, document.get("__table"), at)
    row = {name: value for name, value in document.items() if not name.startswith("__")}
    if flag(document.get("__deleted")) or document.get("__op") == "d":
        return _deleted(row, inside)
    return _row(row, inside)


def outbox(document: Document, context: Context) -> Contents:
    """Open an outbox row; its aggregate's type is the object's where the payload names none."""
    id_ = document.get("aggregateid") or document.get("aggregate_id")
    at = first_instant(document.get("timestamp"), document.get("created_at")) or context.at
    named = document.get("aggregatetype") or document.get("aggregate_type")
    inside = msgspec.structs.replace(
        _row_context(context, named, at), id=id_ if type(id_) is str else None
    )
    return _required(document, "payload"), inside


def opencdc(document: Document, context: Context) -> Contents:
    """Open an OpenCDC record; its metadata are texts, its times nanoseconds."""
    metadata = document.get("metadata")
    metadata = metadata if type(metadata) is dict else {}
    payload = document.get("payload")
    if type(payload) is not dict:
        raise refused(Reason.UNKNOWN_SHAPE, "an OpenCDC record without before and after")
    times = (metadata.get("opencdc.createdAt"), metadata.get("opencdc.readAt"))
    at = first_instant(*times) or context.at
    inside = msgspec.structs.replace(
        _row_context(context, metadata.get("opencdc.collection"), at),
        id=_opencdc_id(document.get("key")),
    )
    if document.get("operation") in ("delete", 3):
        return _opened(payload.get("before")) or {}, _with_deletion(inside)
    return _opened(_required(payload, "after")) or {}, inside


def estuary(document: Document, context: Context) -> Contents:
    """Open an Estuary document: the object itself with `_meta` beside its fields."""
    meta = _required(document, "_meta")
    inside = msgspec.structs.replace(context, columns=True)
    if type(meta) is dict and meta.get("op") == "d":
        inside = _with_deletion(inside)
    return {name: value for name, value in document.items() if name != "_meta"}, inside


def inbox(document: Document, context: Context) -> Contents:
    """Open a row of an inbox; one that is deleted says nothing."""
    if context.deleted_at is not None:
        return None
    return _body(document), msgspec.structs.replace(context, id=None)  # the row's is no object's


def is_of_inbox(row: Document, context: Context) -> bool:
    """Tell a row that holds a record in one of its columns, as a receiver's table does."""
    if _is_row_of_object(row):
        return False
    if context.deleted_at is not None:
        return not row.keys().isdisjoint(_INBOX)
    return _body(row) is not None


def cloudevent(document: Document, context: Context) -> Contents:
    """Open a CloudEvent; its type names the object's where one of its words does, and only one."""
    named = document.get("type")
    words = _BETWEEN_WORDS.split(named) if type(named) is str else ()
    types = {type_ for type_ in map(object_type, words) if type_ is not None}
    inside = msgspec.structs.replace(
        context,
        type=types.pop() if len(types) == 1 else context.type,
        at=first_instant(document.get("time")) or context.at,
        columns=False,
    )
    raw = document.get("data_base64")
    if type(raw) is str:
        return text_document(_from_base64(raw)), inside
    return _required(document, "data"), inside


def collection(document: Document, context: Context) -> Contents:
    """Open a page of objects or a journal file."""
    found = document["journalEvents"] if "journalEvents" in document else document["results"]
    if type(found) is not list:
        raise refused(Reason.UNKNOWN_SHAPE, "a collection that is not a list")
    return found, context


def _is_row_of_object(row: Document) -> bool:
    """Tell a table row that holds an object from one that holds a record about it."""
    return (
        "properties" in row
        or "hs_object_id" in row
        or any(k.startswith("properties_") for k in row)
    )


def _row_context(context: Context, name: object, at: int) -> Context:
    """What is known inside a stream or table of that name: several may share the topic of one type.

    Only what names no type itself is taken for what the stream or table is called after.
    """
    type_ = object_type(name)
    is_other = type_ is None and is_another_object(name)
    if type_ is None and not is_other:
        type_, is_other = context.type, context.is_other
    return msgspec.structs.replace(context, type=type_, is_other=is_other, at=at, columns=True)


def _with_deletion(context: Context) -> Context:
    return msgspec.structs.replace(context, deleted_at=context.at)


def _required(document: Document, name: str) -> Any:
    if name not in document:
        raise refused(Reason.UNKNOWN_SHAPE, f"an envelope without {name}")
    return document[name]


def _row(row: Document | None, context: Context) -> Contents:
    if row is None:
        raise refused(Reason.UNKNOWN_SHAPE, "a row was written, but it is null")
    if "aggregateid" in row or "aggregate_id" in row:
        return outbox(row, context)
    body = None if _is_row_of_object(row) else _body(row)
    return row if body is None else body, context


def _body(row: Document) -> Any:
    """Give the record that a row holds, as such or as JSON text."""
    for name in _BODIES:
        body = row.get(name)
        if type(body) in (dict, list):
            return body
        if type(body) is str and (body[:1], body.rstrip()[-1:]) in (("{", "}"), ("[", "]")):
            return body
    return None


def _deleted(row: Document | None, context: Context) -> Contents:
    """A deleted row of objects is a deleted object; of an inbox or outbox, only housekeeping."""
    if row is None:
        raise refused(Reason.UNKNOWN_SHAPE, "a row was deleted, but not said which")
    if not _is_row_of_object(row) and not row.keys().isdisjoint(_INBOX):
        return None
    return row, _with_deletion(context)


def _opened(value: Any) -> Any:
    """Open an object given as such, as JSON text, or as base64 of JSON text (OpenCDC raw data)."""
    if type(value) is not str:
        if value is None or type(value) is dict:
            return value
        raise refused(Reason.UNKNOWN_SHAPE, "a row that is not an object")
    text = value.lstrip()
    if text[:1] != "{":
        text = _from_base64(text)
    opened = text_document(text)
    if opened is None or type(opened) is dict:
        return opened
    raise refused(Reason.UNKNOWN_SHAPE, "a row that is not an object")


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise refused(Reason.NOT_JSON, "text that is neither JSON nor base64 of it") from error


def _opencdc_id(key: Any) -> str | None:
    """Give the id in an OpenCDC key: structured, plain digits, or base64 of them."""
    if type(key) is dict:
        key = key.get("id")
    if type(key) is int:
        return str(key) if 0 <= key < 10**18 else None
    if type(key) is not str or not key.isascii():
        return None
    if key.isdigit():
        return key
    try:
        text = base64.b64decode(key, validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return text if text.isdigit() else None
