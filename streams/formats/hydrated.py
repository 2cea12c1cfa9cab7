"""Owns records of a receiver that fetched the object for its event: `{event, object}`.

Event and object are two statements: the event is true when it occurred, the object's properties
at the object's own time. It refuses an object that isn't one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.model import Change, ObjectType
from streams.formats import journal, snapshot, webhook
from streams.formats.record import Context, Document, Reason, refused
from streams.formats.statements import sides_of
from streams.formats.values import first_instant, ident, portal


def changes(document: Document, context: Context) -> list[Change]:
    """Decode the event or events, and the object if the receiver could fetch it."""
    events = document.get("events") or [document.get("event")]
    if type(events) is not list or not all(type(one) is dict for one in events):
        raise refused(Reason.UNKNOWN_SHAPE, "a hydrated record without an event")
    said = [change for one in events for change in _reader(one).changes(one, context)]
    found = document.get("object")
    if found is None:
        return said
    if type(found) is not dict:
        raise refused(Reason.UNKNOWN_SHAPE, "the object of a hydrated record is not an object")
    type_ = _type(events[0], found, context)
    if type_ is None:
        return said
    return said + snapshot.changes(found, _inside(events, type_, context))


def _reader(event: Document) -> Any:
    return journal if "action" in event else webhook


def _inside(events: list[Document], type_: ObjectType, context: Context) -> Context:
    times = [first_instant(one.get("occurredAt")) for one in events]
    return msgspec.structs.replace(
        context,
        type=type_,
        portal_id=portal(events[0].get("portalId")) or context.portal_id,
        at=max((at for at in times if at is not None), default=context.at),
        id=_object_id(events[0]),
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
