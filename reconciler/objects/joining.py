"""Owns the join of an object with its companions: contacts and so on from topics of their own.

`intake` loads what `references` names and gives it to `joined` before deciding. The result is for
reading only: it is never stored, because the companions are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from reconciler.model import (
    ASSOCIATION_NAMES,
    AssociationList,
    ObjectKey,
    ObjectType,
    Related,
    SourceObject,
)
from reconciler.objects.reading import beats, effective_ids, stamp

TYPE_OF_ASSOCIATION: Mapping[str, ObjectType] = {
    name: type_ for type_, name in ASSOCIATION_NAMES.items()
}

TAX_AMOUNTS, AFTER_TAX = ("hs_tax_amount", "hs_auto_tax_amount", "tax"), "hs_post_tax_amount"

_FACTORS = ("price", "quantity", "discount", "hs_discount_percentage")
_COMPUTED = ("amount", *TAX_AMOUNTS, AFTER_TAX)
"""What HubSpot works out of a line's factors (line items guide, March 2026)."""

_WANTED: Mapping[ObjectType, tuple[tuple[str, ...], ...]] = {
    ObjectType.CONTACT: (("firstname",), ("lastname",), ("email",)),  # R7: all are matched
    ObjectType.LINE_ITEM: (("quantity", "amount"), ("name", "hs_sku", "hs_product_id")),
}


def references(obj: SourceObject) -> tuple[ObjectKey, ...]:
    """Name the objects that this one refers to: its associations, and its line items' products."""
    portal_id = obj.key.portal_id
    named = {
        ObjectKey(portal_id, TYPE_OF_ASSOCIATION[name], one): None
        for name, held in obj.associations.items()
        if name in TYPE_OF_ASSOCIATION
        for one in effective_ids(held)
    }
    for product_id in _product_ids(obj):
        named[ObjectKey(portal_id, ObjectType.PRODUCT, product_id)] = None
    return tuple(named)


def joined(obj: SourceObject, companions: Mapping[ObjectKey, SourceObject]) -> SourceObject:
    """Give the object with its companions' properties where they are newer or not known otherwise.

    A companion deleted after the list was made leaves the list; one that was merged gives its place to
    the one it was merged into. Products of line items are put under `related["products"]`. The object
    itself is returned when no companion adds anything.
    """
    related: dict[str, dict[str, Related]] = {}
    associations: dict[str, AssociationList] = {}
    for name, listed in obj.associations.items():
        if name in TYPE_OF_ASSOCIATION:
            held = _with_survivors(obj, name, listed, companions)
            if held is not listed:
                associations[name] = held
            found = dict(_found(obj, name, effective_ids(held), companions))
            newer = _newer(obj.related.get(name, {}), found)
            if newer:
                related[name] = obj.related.get(name, {}) | newer
            if gone := _deleted_since(held.at, found):
                associations[name] = msgspec.structs.replace(held, links=held.links | gone)
    if related or associations:
        obj = msgspec.structs.replace(
            obj, related=obj.related | related, associations=obj.associations | associations
        )
    return _with_products(obj, companions)


def _with_survivors(
    obj: SourceObject,
    name: str,
    held: AssociationList,
    companions: Mapping[ObjectKey, SourceObject],
) -> AssociationList:
    """The list with what was merged replaced: HubSpot keeps the associations, under the other's id."""
    ids = effective_ids(held)
    type_ = TYPE_OF_ASSOCIATION[name]
    now = [_survivor(ObjectKey(obj.key.portal_id, type_, one), companions).id for one in ids]
    if now == ids:
        return held
    return msgspec.structs.replace(held, ids=list(dict.fromkeys(now)), links={})


def _survivor(key: ObjectKey, companions: Mapping[ObjectKey, SourceObject]) -> ObjectKey:
    """What an object was merged into at last; itself where it was not, or the merges go in a circle."""
    last, seen = key, {key}
    while (one := companions.get(last)) is not None and one.merged is not None:
        last = last._replace(id=one.merged[1])
        if last in seen:
            return key
        seen.add(last)
    return last


def _with_products(obj: SourceObject, companions: Mapping[ObjectKey, SourceObject]) -> SourceObject:
    known = obj.related.get("products", {})
    newer = _newer(known, dict(_found(obj, "products", list(_product_ids(obj)), companions)))
    if not newer:
        return obj
    return msgspec.structs.replace(obj, related=obj.related | {"products": known | newer})


def _deleted_since(at: int, found: Mapping[str, SourceObject]) -> dict[str, tuple[int, bool]]:
    deletions = ((object_id, one.deleted) for object_id, one in found.items() if one.is_deleted)
    return {object_id: last for object_id, last in deletions if last is not None and last[0] > at}


def _product_ids(obj: SourceObject) -> Iterator[str]:
    for item in obj.related.get("line_items", {}).values():
        if item.properties and (product_id := item.properties.get("hs_product_id")):
            yield product_id


def _found(
    obj: SourceObject, name: str, ids: list[str], companions: Mapping[ObjectKey, SourceObject]
) -> Iterator[tuple[str, SourceObject]]:
    portal_id, type_ = obj.key.portal_id, TYPE_OF_ASSOCIATION[name]
    for one in ids:
        companion = companions.get(ObjectKey(portal_id, type_, one))
        if companion is not None:
            yield one, companion


def _newer(known: Mapping[str, Related], found: Mapping[str, SourceObject]) -> dict[str, Related]:
    merged = (_with_companion(known.get(one), companion) for one, companion in found.items())
    return {related.id: related for related in merged if related is not None}


def _with_companion(held: Related | None, companion: SourceObject) -> Related | None:
    """Merge property by property: a companion known from one thin event must not hide the rest."""
    if not companion.properties:
        return None
    newest = max(stamp(companion, name) for name in companion.properties)
    if held is None or held.properties is None:
        alone = Related(companion.key.id, companion.properties, newest)
        told = {name: stamp(companion, name) for name in companion.properties}
        return _with_awaited(companion, alone, told, _never_mentioned(companion))
    won = {
        name: value
        for name, value in companion.properties.items()
        if name not in held.properties
        or stamp(companion, name) > held.at
        or (stamp(companion, name) == held.at and beats(value, held.properties[name]))
    }
    if not won:
        return None
    properties = held.properties | won
    both = Related(held.id, properties, max(held.at, newest))
    told = {name: stamp(companion, name) if name in won else held.at for name in properties}
    restated = {
        name: min(held.at, stamp(companion, name))
        for name, value in companion.properties.items()
        if name in held.properties and held.properties[name] == value
    }
    return _with_awaited(companion, both, told | restated)


def _with_awaited(
    companion: SourceObject,
    related: Related,
    told: Mapping[str, int],
    awaited: tuple[str, ...] = (),
) -> Related:
    """Say also which figures of a line were told before what they are worked out from changed.

    An event carries one property: a line's new quantity comes before the amount that follows from it.
    """
    if companion.key.type is ObjectType.LINE_ITEM:
        changed = max((told[name] for name in _FACTORS if name in told), default=-1)
        awaited += tuple(name for name in _COMPUTED if told.get(name, changed) < changed)
    return msgspec.structs.replace(related, awaited=awaited) if awaited else related


def _never_mentioned(companion: SourceObject) -> tuple[str, ...]:
    """What a document needs of a companion that is known from events alone, and none has told yet.

    Of each line of names one is enough.
    """
    said = companion.properties.keys()
    if companion.is_whole or "hs_object_id" in said:  # as all records of HubSpot's have it
        return ()
    wanted = _WANTED.get(companion.key.type, ())
    return tuple(names[0] for names in wanted if said.isdisjoint(names))
