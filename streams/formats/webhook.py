"""Owns HubSpot's push webhooks (v3): one event, whatever array or hydrated record it came in.

Old documentation prints `eventType` where live events have `subscriptionType`; both are read.
Quotes and payments come only as generic `object.*` events with an `objectTypeId`. Event ids and
attempt numbers are ignored: neither is unique, and the fold needs no deduplication.
"""

from __future__ import annotations

from reconciler.model import Change, ChangeKind, ObjectType
from streams.formats.names import SUBSCRIPTIONS, is_of_another_type
from streams.formats.record import Context, Document, Reason, refused, shown
from streams.formats.statements import Event, event, linked, merged, sides_of, touched, type_of
from streams.formats.values import flag, property_value

_KINDS = {
    "creation": ChangeKind.CREATED,
    "deletion": ChangeKind.DELETED,
    "privacyDeletion": ChangeKind.DELETED,
    "restore": ChangeKind.RESTORED,
}


def changes(body: Document, context: Context) -> list[Change]:
    """Decode one event; none for objects and subscriptions this service doesn't read."""
    subscription = _subscription(body)
    if subscription is None:
        return []
    type_, action = subscription
    if action == "associationChange":
        return linked(event(body, context), bool(flag(body.get("associationRemoved"))))
    if type_ is None:
        type_ = type_of(body, context)
        if type_ is None:
            return []
    one = event(body, context)
    if action == "propertyChange":
        return _property(one, type_)
    if action == "merge":
        return merged(one, type_)
    return touched(one.key(type_), one.at, _KINDS[action])


def subject(body: Document, context: Context) -> ObjectType | None:
    """Give the type of the object an event is about; None when it isn't read."""
    subscription = _subscription(body)
    if subscription is None:
        return None
    type_, action = subscription
    if action == "associationChange":
        sides = sides_of(body)
        return sides and sides[0]
    return type_ or type_of(body, context)


def _subscription(body: Document) -> tuple[ObjectType | None, str] | None:
    name = body.get("subscriptionType") or body.get("eventType")
    found = SUBSCRIPTIONS.get(name) if type(name) is str else None
    if found is None and not (type(name) is str and is_of_another_type(name)):
        raise refused(Reason.UNKNOWN_SHAPE, f"{shown(name)} is not a webhook subscription type")
    return found


def _property(one: Event, type_: ObjectType) -> list[Change]:
    name = one.body.get("propertyName")
    if type(name) is not str or not name:
        raise refused(Reason.UNKNOWN_SHAPE, "a property change without a propertyName")
    key = one.key(type_)
    if "propertyValue" not in one.body:  # withheld, as for sensitive properties
        return touched(key, one.at, ChangeKind.PROPERTY)
    values = {name: property_value(name, one.body["propertyValue"])}
    return [Change(key=key, at=one.at, kind=ChangeKind.PROPERTY, properties=values)]
