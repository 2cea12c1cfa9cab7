"""Owns how a source object is read: values now and then, association lists, the canonical view.

`decide`, the filters of workflows and the console call it. It never changes an object and never
guesses: a list that was never given whole is *not known yet*, not empty.
"""

from __future__ import annotations

from bisect import bisect_right

from reconciler.model import AssociationList, Related, SourceObject

Point = tuple[int, str | None]


def beats(value: str | None, held: str | None) -> bool:
    """Tell which of two values said at the same instant wins: the greater text, None lowest."""
    return value is not None and (held is None or value > held)


def rank(point: Point) -> tuple[int, bool, str]:
    """Order dated values: by time, then as `beats` does."""
    at, value = point
    return at, value is not None, value or ""


def stamp(obj: SourceObject, name: str) -> int:
    """Give the instant (epoch ms) at which the object's value of a known property was true."""
    return obj.stamps.get(name, obj.base_at)


def as_of(obj: SourceObject, name: str, at: int) -> str | None:
    """Give the value at an instant (epoch ms): the latest not after it, else the earliest known.

    Only watched properties have a history; of any other the newest value is all that is kept.
    """
    points = obj.history.get(name)
    if not points:
        return obj.properties.get(name)
    index = bisect_right(points, at, key=_time)
    return points[index - 1 if index else 0][1]


def instants(obj: SourceObject) -> tuple[int, ...]:
    """List the distinct instants (epoch ms) at which the object may have looked different.

    They are those of the history and the newest change, so that a known object has at least one.
    """
    times = {at for points in obj.history.values() for at, _ in points}
    if obj.changed_at >= 0:
        times.add(obj.changed_at)
    return tuple(sorted(times))


def associated(obj: SourceObject, name: str) -> tuple[Related, ...] | None:
    """List the associated objects in association order; None when the list is not known yet.

    Newest whole list, less newer removals, then newer additions by time and id; the primary one before
    them all, where it was said which is. Additions alone never make a list known: half of a deal's line
    items would bill half a deal.
    """
    held = obj.associations.get(name)
    if held is None or held.at < 0:
        return None
    related = obj.related.get(name, {})
    return tuple(related.get(one) or Related(one) for one in effective_ids(held))


def named(obj: SourceObject, name: str) -> list[str]:
    """List the ids heard of so far under an association, also where the list is not known whole."""
    held = obj.associations.get(name)
    return effective_ids(held) if held is not None else []


def effective_ids(held: AssociationList) -> list[str]:
    """Give a list's ids with its newer additions and removals applied, the primary one first."""
    found = held.ids
    if held.links:
        kept = [one for one in found if not held.links.get(one, (0, False))[1]]
        added = [(at, one) for one, (at, removed) in held.links.items() if not removed]
        found = kept + [one for _, one in sorted(added) if one not in held.ids]
    if held.primary is not None and held.primary[1] in found[1:]:
        first = held.primary[1]
        return [first, *(one for one in found if one != first)]
    return found


def _time(point: Point) -> int:
    return point[0]
