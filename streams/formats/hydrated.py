"""Owns records of a receiver that fetched the object for its event: `{event, object}`.

Event and object are two statements: the event is true when it occurred, the object's properties
at the object's own time. One that can't be understood keeps none of the others from being taken.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.errors import UndecodableRecord
from reconciler.model import Change, ObjectType
from streams.formats import journal, snapshot, webhook
from streams.formats.partly import Parts
from streams.formats.record import Context, Document, Reason, refused
from streams.formats.statements import sides_of
from streams.formats.values import first_instant, ident, portal


def changes(document: Document, context: Context) -> list[Change]:
    """Decode the event or events, and the object if the receiver could fetch it."""
    events = document.get("events") or [document.get("event")]
    if type(events) is not list or not any(type(one) is dict for one in events):
        raise refused(Reason.UNKNOWN_SHAPE, "a hydrated record without an event")
    parts = Parts()
    for number, one in enumerate(events, start=1):
        try:
            parts.changes += _event(one, context)
        except Exception as error:
            parts.refuse(f"event {number} of {len(events)}", error)
    found = document.get("object")
    if found is None:
        return parts.read(len(events))
    try:
        parts.changes += _object(found, events, context)
    except Exception as error:
        parts.refuse("the object", error)
    return parts.read(len(events) + 1)


def _event(one: Any, context: Context) -> list[Change]:
    if type(one) is not dict:
        raise refused(Reason.UNKNOWN_SHAPE, f"a bare {type(one).__name__} for an event")
    found: list[Change] = _reader(one).changes(one, context)
    return found


def _object(found: Any, events: list[Any], context: Context) -> list[Change]:
    """Decode the object as what the first event that can be read says it is."""
    if type(found) is not dict:
        raise refused(Reason.UNKNOWN_SHAPE, "the object of a hydrated record is not an object")
    told = [one for one in events if type(one) is dict]
    for number, one in enumerate(told, start=1):
        try:
            type_, id_ = _type(one, found, context), _object_id(one)
        except UndecodableRecord:
            if number == len(told):
                raise
            continue
        if type_ is None:
            return []
        return snapshot.changes(found, _inside(one, told, type_, id_, context))
    return []


def _reader(event: Document) -> Any:
    return journal if "action" in event else webhook


def _inside(
    event: Document, events: list[Document], type_: ObjectType, id_: str | None, context: Context
) -> Context:
    times = [first_instant(one.get("occurredAt")) for one in events]
    return msgspec.structs.replace(
        context,
        type=type_,
        portal_id=portal(event.get("portalId")) or context.portal_id,
        at=max((at for at in times if at is not None), default=context.at),
        id=id_,
    )


def _object_id(event: Document) -> str | None:
    found = event.get("objectId") or event.get("fromObjectId")
    return None if found is None else ident(found)


def _type(event: Document, found: Document, context: Context) -> ObjectType | None:
    """Give the object's type: the event's, or the far side's of an association event."""
    type_: ObjectType | None = _reader(event).subject(event, context)
    far = event.get("toObjectId")
    if far is not None and found.get("id") is not None and ident(far) == ident(found["id"]):
        sides = sides_of(event)
        return sides and sides[1]
    return type_
