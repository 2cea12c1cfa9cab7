"""Owns folding: changes of one object, in any order and any number, into what is known of it.

`intake` calls it for every object that a batch changes. Each part of a source object is a join: the
newest statement wins by its own time, ties break by content, and saying a thing twice adds nothing;
so any order, duplication and split of a history gives the same object. It never mutates what it is
given, returns the very object it was given when nothing changed, and refuses changes of two objects at once.
`reading` reads what was folded, `joining` joins it with companions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from reconciler.model import (
    SOURCE_TYPES,
    AssociationList,
    Change,
    ChangeKind,
    ObjectType,
    Related,
    SourceObject,
)
from reconciler.objects.reading import Point, beats, rank, stamp

KEPT_POINTS = 1000
"""Newest dated values kept of a watched property, and first ones of each value: for ever, but for a
property that no person changes. `decide` tells re-enrolments apart by them."""

DEFAULT_WATCHED: Mapping[ObjectType, frozenset[str]] = {
    ObjectType.DEAL: frozenset({"dealstage", "hs_is_closed", "hs_is_closed_won", "pipeline"}),
    ObjectType.QUOTE: frozenset(
        {
            "hs_accepted_date",
            "hs_esign_date",
            "hs_esign_enabled",
            "hs_esign_num_signers_completed",
            "hs_esign_num_signers_required",
            "hs_manually_signed",
            "hs_payment_status",
            "hs_quote_esign_status",
            "hs_quote_status",
            "hs_sign_status",
            "hs_status",
        }
    ),
    ObjectType.PAYMENT: frozenset({"hs_fees_amount", "hs_latest_status", "hs_refunds_amount"}),
}
"""Properties whose dated values are kept whatever the workflows look at."""

_NONE_WATCHED: frozenset[str] = frozenset()
_EVENTS = frozenset({ChangeKind.PROPERTY, ChangeKind.CREATED})


def fold(
    state: SourceObject | None,
    changes: Iterable[Change],
    watched: Mapping[ObjectType, frozenset[str]] = DEFAULT_WATCHED,
) -> SourceObject:
    """Fold changes of one object into what was known of it; the same object when nothing is new.

    `watched` names the properties whose history is kept, by object type. The result shares parts
    with its inputs: none of them may be mutated afterwards.
    """
    for change in changes:
        if state is None:
            state = SourceObject(key=change.key)
        elif state.key != change.key:
            raise ValueError(f"a change of {change.key} can't be folded into {state.key}")
        state = _applied(state, change, watched.get(change.key.type, _NONE_WATCHED))
    if state is None:
        raise ValueError("no object and no change: nothing to fold")
    return state


def _applied(obj: SourceObject, change: Change, watched: frozenset[str]) -> SourceObject:
    at, said = change.at, change.properties
    values = _values(obj, at, said) if said else None
    history = _history(obj, at, said, watched) if said else obj.history
    first_is_change = _first_is_change(obj, change, watched) if said else obj.first_is_change
    associations = _associations(obj, change)
    related = _related(obj, change.lists) if change.lists else obj.related
    is_whole = obj.is_whole or _is_whole_companion(change)
    deleted, merged = obj.deleted, obj.merged
    if change.deleted is not None and (deleted is None or (at, change.deleted) > deleted):
        deleted = (at, change.deleted)
    if change.merged_into is not None and (merged is None or (at, change.merged_into) > merged):
        merged = (at, change.merged_into)
    if (
        values is None
        and at <= obj.changed_at
        and history is obj.history
        and first_is_change is obj.first_is_change
        and associations is obj.associations
        and related is obj.related
        and deleted is obj.deleted
        and merged is obj.merged
        and is_whole is obj.is_whole
    ):
        return obj
    base_at, properties, stamps = values or (obj.base_at, obj.properties, obj.stamps)
    return SourceObject(
        key=obj.key,
        base_at=base_at,
        properties=properties,
        stamps=stamps,
        history=history,
        first_is_change=first_is_change,
        associations=associations,
        related=related,
        deleted=deleted,
        merged=merged,
        changed_at=max(at, obj.changed_at),
        is_whole=is_whole,
    )


def _is_whole_companion(change: Change) -> bool:
    return change.kind is ChangeKind.SNAPSHOT and change.key.type not in SOURCE_TYPES


def _values(
    obj: SourceObject, at: int, said: dict[str, str | None]
) -> tuple[int, dict[str, str | None], dict[str, int]] | None:
    """Give (base_at, properties, stamps) after a statement, or None when it says nothing newer."""
    known, stamps = obj.properties, obj.stamps
    if at > obj.changed_at:  # newer than all that is known: nothing to compare
        won = said
    else:
        won = _winners(obj, at, said)
        if not won:
            return None
    if known.keys() <= won.keys():
        return at, won, {}
    properties = known | won
    if len(won) * 2 > len(properties):  # most were said now: it is the others that need a stamp
        return at, properties, {name: stamp(obj, name) for name in known if name not in won}
    return obj.base_at, properties, stamps | dict.fromkeys(won, at)


def _winners(obj: SourceObject, at: int, said: dict[str, str | None]) -> dict[str, str | None]:
    known = obj.properties
    replayed = at < obj.base_at or (at == obj.base_at and said == known)
    if replayed and not obj.stamps and said.keys() <= known.keys():
        return {}
    return {name: value for name, value in said.items() if _wins(obj, name, at, value)}


def _wins(obj: SourceObject, name: str, at: int, value: str | None) -> bool:
    if name not in obj.properties:
        return True
    held_at = stamp(obj, name)
    return at > held_at or (at == held_at and beats(value, obj.properties[name]))


def _history(
    obj: SourceObject, at: int, said: dict[str, str | None], watched: frozenset[str]
) -> dict[str, list[Point]]:
    history = obj.history
    for name in watched:
        if name in said:
            points = _with_point(_points(obj, name), (at, said[name]))
            if points is not None:
                if history is obj.history:
                    history = dict(history)
                history[name] = points
    return history


def _first_is_change(obj: SourceObject, change: Change, watched: frozenset[str]) -> tuple[str, ...]:
    """Watched properties whose earliest known value an event told, and so were another before.

    That is said of the earliest instant, by whatever was told of it, so the order makes no difference.
    """
    known, is_event = obj.first_is_change, change.kind in _EVENTS
    if not (known or is_event):
        return known
    found = set(known)
    for name in watched & change.properties.keys():
        points = _points(obj, name)
        if not points or change.at <= points[0][0]:
            if is_event:
                found.add(name)
            elif not points or change.at < points[0][0]:
                found.discard(name)
    return known if len(found) == len(known) and found.issuperset(known) else tuple(sorted(found))


def _points(obj: SourceObject, name: str) -> list[Point]:
    points = obj.history.get(name, [])
    if not points and name in obj.properties:  # watched only since a workflow was edited
        return [(stamp(obj, name), obj.properties[name])]
    return points


def _with_point(points: list[Point], point: Point) -> list[Point] | None:
    """Give the history with one more dated value, or None when that adds nothing."""
    if not points or point[0] > points[-1][0]:
        more = [*points, point]
    else:
        index = bisect_left(points, rank(point), key=rank)
        if index < len(points) and points[index] == point:
            return None
        more = [*points[:index], point, *points[index:]]
    if len(more) <= KEPT_POINTS:
        return more
    kept = _kept(more)
    return None if kept == points else kept


def _kept(points: list[Point]) -> list[Point]:
    """Keep the newest points, and the first one of each value so that "was once won" is never lost.

    Both are joins (the greatest of a union, the least per value), so what is kept doesn't depend
    on the order of arrival either.
    """
    older, newest = points[:-KEPT_POINTS], points[-KEPT_POINTS:]
    values: set[str | None] = set()
    firsts = []
    for point in older:
        if point[1] not in values and len(values) < KEPT_POINTS:
            values.add(point[1])
            firsts.append(point)
    return firsts + newest


def _associations(obj: SourceObject, change: Change) -> dict[str, AssociationList]:
    found: dict[str, AssociationList] = {}
    for name, items in change.lists.items():
        newer = _listed(obj.associations.get(name), change.at, [item.id for item in items])
        if newer is not None:
            found[name] = newer
    for link in change.links:
        held = found.get(link.name) or obj.associations.get(link.name) or AssociationList()
        statement = (change.at, link.removed)
        if change.at > held.at and statement > held.links.get(link.id, (-1, False)):
            links = held.links | {link.id: statement}
            held = found[link.name] = AssociationList(held.at, held.ids, links, held.primary)
        if link.primary and not link.removed:
            primary = (change.at, link.id)
            if held.primary is None or primary > held.primary:
                found[link.name] = AssociationList(held.at, held.ids, held.links, primary)
    return obj.associations | found if found else obj.associations


def _listed(held: AssociationList | None, at: int, ids: list[str]) -> AssociationList | None:
    """Give the list that a whole-list statement makes of the held one, or None if no other."""
    if held is None:
        return AssociationList(at, ids)
    if (at, ids) <= (held.at, held.ids):
        return None
    newer = {one: link for one, link in held.links.items() if link[0] > at}
    return AssociationList(at, ids, newer, held.primary)


def _related(
    obj: SourceObject, lists: Mapping[str, tuple[Related, ...]]
) -> dict[str, dict[str, Related]]:
    found: dict[str, dict[str, Related]] = {}
    for name, items in lists.items():
        known = obj.related.get(name, {})
        newer: dict[str, Related] = {}
        for item in items:
            if item.properties is not None:
                best = _newer_related(newer.get(item.id) or known.get(item.id), item)
                if best is not None:
                    newer[item.id] = best
        if newer:
            found[name] = known | newer
    return obj.related | found if found else obj.related


def _newer_related(held: Related | None, said: Related) -> Related | None:
    """Give the newer of two records of one associated object; of equal age, their union."""
    if held is None or said.at > held.at:
        return said
    if said.at < held.at or said.properties == held.properties:
        return None
    ours, theirs = held.properties or {}, said.properties or {}
    won = {
        name: value
        for name, value in theirs.items()
        if name not in ours or beats(value, ours[name])
    }
    return Related(said.id, ours | won, said.at) if won else None
