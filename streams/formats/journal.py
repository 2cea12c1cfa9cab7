"""Owns HubSpot's webhooks journal (v4 and its dated successors): one event of `journalEvents`.

An event has no id and carries every property that changed at once. It refuses what names no
object; list memberships and app events are none of ours and give no change.
"""

from __future__ import annotations

from typing import Any

from reconciler.model import Change, ChangeKind, ObjectType
from streams.formats.record import Context, Document, Reason, refused, shown
from streams.formats.statements import event, linked, merged, sides_of, touched, type_of
from streams.formats.values import property_values

_KINDS = {
    "CREATE": ChangeKind.CREATED,
    "UPDATE": ChangeKind.PROPERTY,
    "SNAPSHOT": ChangeKind.SNAPSHOT,
    "DELETE": ChangeKind.DELETED,
    "GDPR_DELETE": ChangeKind.DELETED,
    "RESTORE": ChangeKind.RESTORED,
}
_LINKS = {"ASSOCIATION_ADDED": False, "ASSOCIATION_REMOVED": True}
_OTHERS = ("APP_INSTALL", "APP_UNINSTALL", "ADDED_TO_LIST", "REMOVED_FROM_LIST")


def changes(body: Document, context: Context) -> list[Change]:
    """Decode one journal event; none for objects and actions this service doesn't read."""
    action = body.get("action")
    if type(action) is not str:
        raise refused(Reason.UNKNOWN_SHAPE, f"{shown(action)} is not a journal action")
    if action in _OTHERS:
        return []
    if action in _LINKS:
        return linked(event(body, context), _LINKS[action])
    type_ = type_of(body, context)
    if type_ is None:
        return []
    one = event(body, context)
    if action == "MERGE":
        return merged(one, type_)
    if action not in _KINDS:
        raise refused(Reason.UNKNOWN_SHAPE, f"{shown(action)} is not a journal action")
    key, kind = one.key(type_), _KINDS[action]
    values = _values(body)
    if not values:
        return touched(key, one.at, kind)
    deleted = touched(key, one.at, kind)[0].deleted
    return [Change(key=key, at=one.at, kind=kind, properties=values, deleted=deleted)]


def subject(body: Document, context: Context) -> ObjectType | None:
    """Give the type of the object an event is about; None when it isn't read."""
    if body.get("action") in _LINKS:
        sides = sides_of(body)
        return sides and sides[0]
    return type_of(body, context)


def _values(body: Document) -> dict[str, str | None]:
    said = body.get("propertyChanges") or body.get("properties") or {}
    if type(said) is not dict:
        raise refused(Reason.UNKNOWN_SHAPE, "propertyChanges is not an object")
    return property_values({name: _new(value) for name, value in said.items()})


def _new(value: Any) -> Any:
    """Give the new value where a change is written as {previousValue, newValue} or {value}."""
    if type(value) is dict:
        for name in ("newValue", "value"):
            if name in value:
                return value[name]
    return value
