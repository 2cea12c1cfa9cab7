"""Owns the changes that events of any shape make: created, deleted, merged, associated.

`webhook` and `journal` name the same things differently; both build their changes here.
"""

from __future__ import annotations

import msgspec

from reconciler.model import (
    ASSOCIATION_NAMES,
    SOURCE_TYPES,
    Change,
    ChangeKind,
    Link,
    ObjectKey,
    ObjectType,
)
from streams.formats.names import TYPES_BY_ID, association_sides, is_primary
from streams.formats.record import Context, Document, Reason, refused, shown
from streams.formats.values import flag, ident, instant, portal

_LABELS = (702, 1226)  # quote signer and billing contact: labels of an association, not one more
_OF_THE_PORTAL = (
    "USER_DEFINED",
    "INTEGRATOR_DEFINED",
)  # categories of labels with numbers of their own


class Event(msgspec.Struct, frozen=True):
    """What every event says: where and when it happened, and the event as it came."""

    portal_id: int
    at: int
    body: Document

    def key(self, type_: ObjectType, name: str = "objectId") -> ObjectKey:
        """Give the identity of the object that a field of the event names."""
        return ObjectKey(self.portal_id, type_, ident(self.body.get(name)))


def event(body: Document, context: Context) -> Event:
    """Read an event's portal and time; topic and record stand in for what it leaves out."""
    at = body.get("occurredAt")
    return Event(portal_of(body, context), instant(context.at if at is None else at), body)


def portal_of(body: Document, context: Context) -> int:
    """Give the portal a document names, else the topic's; ids mean nothing without one."""
    named = body.get("portalId")
    found = context.portal_id if named is None else portal(named)
    if found is None:
        why = "none in the topic's settings" if named is None else f"{shown(named)} is none"
        raise refused(Reason.NO_PORTAL, f"no portal id in the record, {why}")
    return found


def type_of(body: Document, context: Context) -> ObjectType | None:
    """Give the type that `objectTypeId` names, else the topic's; None when it isn't read."""
    type_id = body.get("objectTypeId")
    if type_id is None:
        if context.type is None and not context.is_other:
            raise refused(Reason.NO_OBJECT_TYPE, "no objectTypeId here, no type in the settings")
        return context.type
    return type_by_id(type_id)


def type_by_id(type_id: object) -> ObjectType | None:
    """Find the type of an `objectTypeId`; None for the many this service doesn't read."""
    found = TYPES_BY_ID.get(type_id) if type(type_id) is str else None
    if found is None and not (type(type_id) is str and type_id.replace("-", "").isdigit()):
        raise refused(Reason.UNKNOWN_SHAPE, f"{shown(type_id)} is not an objectTypeId")
    return found


def touched(key: ObjectKey, at: int, kind: ChangeKind) -> list[Change]:
    """Say that an object was created, deleted, restored, or merely touched."""
    deleted = {ChangeKind.DELETED: True, ChangeKind.RESTORED: False}.get(kind)
    return [Change(key=key, at=at, kind=kind, deleted=deleted)]


def merged(one: Event, type_: ObjectType) -> list[Change]:
    """Say which objects were merged into which; the survivor may be a new object."""
    body = one.body
    primary = body.get("primaryObjectId") or body.get("objectId")
    survivor = ident(body.get("newObjectId") or primary)
    others = body.get("mergedObjectIds") or []
    if type(others) is not list:
        raise refused(Reason.UNKNOWN_SHAPE, "mergedObjectIds is not a list")
    gone = dict.fromkeys(ident(other) for other in (primary, *others))
    gone.pop(survivor, None)
    key = ObjectKey(one.portal_id, type_, survivor)
    return [
        *(
            Change(
                key=key._replace(id=id_), at=one.at, kind=ChangeKind.MERGED, merged_into=survivor
            )
            for id_ in gone
        ),
        Change(key=key, at=one.at, kind=ChangeKind.MERGED),
    ]


def linked(one: Event, removed: bool) -> list[Change]:
    """Say that two objects were associated or no longer are, on every side that starts workflows.

    HubSpot names either direction (DEAL_TO_LINE_ITEM, LINE_ITEM_TO_DEAL) for the same fact. A label or
    the primary flag taken off leaves the association; where that ends, too, an event of its own says
    so. One put on makes an association known that may not have been, and the flag tells which company
    comes first.
    """
    sides = sides_of(one.body)
    if sides is None or (removed and _is_label(one.body)):
        return []
    from_, to = one.key(sides[0], "fromObjectId"), one.key(sides[1], "toObjectId")
    pairs = [(near, far) for near, far in ((from_, to), (to, from_)) if near.type in SOURCE_TYPES]
    primary = _is_of_primary(one.body)
    return [_link(near, far, one.at, removed, primary) for near, far in pairs or [(from_, to)]]


def sides_of(body: Document) -> tuple[ObjectType, ObjectType] | None:
    """Find the types an association event joins; None when one of them isn't read."""
    number = body.get("associationTypeId")
    is_numbered_by_portal = body.get("associationCategory") in _OF_THE_PORTAL
    if "fromObjectTypeId" in body and "toObjectTypeId" in body:
        if number in _LABELS and not is_numbered_by_portal:
            return None
        from_, to = type_by_id(body["fromObjectTypeId"]), type_by_id(body["toObjectTypeId"])
        return (from_, to) if from_ and to else None
    name = body.get("associationType")
    if name is None:
        if is_numbered_by_portal:
            return None
        name = number
    found = association_sides(name)
    if found is None and type(name) is not int and "_TO_" not in str(name).upper():
        raise refused(Reason.UNKNOWN_SHAPE, f"{shown(name)} is not an association type")
    return found


def _is_label(body: Document) -> bool:
    """Tell whether an event is about a label or the primary flag that an association carries besides."""
    return body.get("associationCategory") in _OF_THE_PORTAL or _is_of_primary(body)


def _is_of_primary(body: Document) -> bool:
    """Tell whether an event is about which of several companies is the primary one."""
    is_numbered_by_portal = body.get("associationCategory") in _OF_THE_PORTAL
    return (
        flag(body.get("isPrimaryAssociation", body.get("isPrimary"))) is True
        or (not is_numbered_by_portal and is_primary(body.get("associationTypeId")))
        or is_primary(body.get("associationType"))
    )


def _link(near: ObjectKey, far: ObjectKey, at: int, removed: bool, primary: bool) -> Change:
    is_first = primary and not removed and far.type is ObjectType.COMPANY
    links = (Link(ASSOCIATION_NAMES[far.type], far.id, removed, is_first),)
    return Change(key=near, at=at, kind=ChangeKind.ASSOCIATION, links=links)
