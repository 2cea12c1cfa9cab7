"""An OR of AND-groups of conditions, asked about a source object's whole dated history.

`load` builds an `Enrolment` for every `enrol`, `re_enrol` and `contact_filter`; `decide` calls
`matches` for every change of every object, so the path without history costs a few dictionary
look-ups. Pure: it reads `SourceObject` and writes nothing.

An object enrols when a group held at *any* instant of its history, so that the answer does not
depend on how the feed was cut into batches. What counts is what had been heard of by that instant.
Only where nothing ever held so, a property is taken to have been before what it was when first heard
of, unless it was heard of as changing to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from reconciler.model import SourceObject
from reconciler.objects.reading import Point, as_of, associated, stamp
from reconciler.workflows.filters import CONTACT_PREFIX, Condition, Values

HOLD_OF_UNKNOWN = frozenset({"is_unknown", "is_not_equal_to", "is_none_of", "contains_none_of"})
"""Operators that hold of an empty property, and so of one that was never heard of."""

History = dict[str, list[Point]]
_time = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that must all hold at the same instant; use `group` to make one."""

    conditions: tuple[Condition, ...]
    line: int = field(default=0, compare=False)
    own: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    reads_contact: bool = False

    def holds(self, values: Values, at: int) -> bool:
        """Whether every condition holds of these values at this instant (epoch ms)."""
        return _all_hold(self.conditions, values, at)

    def holds_at(self, obj: SourceObject, at: int) -> bool:
        """Whether the group held of the object as it was at `at`."""
        if any(_first_known(obj, name) > at for name in self.changes):
            return False
        return self.holds(values_at(obj, at, self.reads_contact), at)

    def earliest(self, obj: SourceObject, *, assuming: bool = False) -> int | None:
        """The first instant of the object's timeline at which the group held, or None.

        With *assuming*, also where something earlier is only taken to have been so.
        """
        history = obj.history
        values: Values = values_now(obj) if self.reads_contact else obj.properties.get
        varies = False
        for condition in self.conditions:
            if condition.is_moving or _varies(condition, history):
                varies = True
            elif not condition.holds(values, 0):  # and it never held otherwise
                return None
        since = max((_first_known(obj, name) for name in self.changes), default=-1)
        points = [(at, name, value) for name in self.own for at, value in history.get(name, ())]
        if not points:
            points = [(_as_told(obj, self.own), "", None)]
        if since >= 0:
            points.append((since, "", None))
        points.sort(key=_time)
        if not varies and points[0][0] == points[-1][0]:
            return max(since, points[0][0])
        undated = {
            name: values(name)
            for condition in self.conditions
            for name in condition.properties
            if not history.get(name)
        }
        if not assuming:
            at = _first_held(self.conditions, dict(undated), points, since)
            if at is not None:
                return at
        return _first_held(self.conditions, undated | _assumed(obj, self.own), points, since)

    def is_undecided(self, obj: SourceObject) -> bool:
        """Whether what was never mentioned of the object keeps this from being decided."""
        stated = tuple(each for each in self.conditions if _is_stated(each, obj))
        if len(stated) == len(self.conditions):
            return False
        return not stated or group(stated).earliest(obj) is not None

    def guesses(self, obj: SourceObject) -> tuple[str, ...]:
        """Properties that the group takes to be empty because the feed never mentioned them."""
        guessed: tuple[str, ...] = ()
        for condition in self.conditions:  # a generator costs twice as much here
            if condition.operator in HOLD_OF_UNKNOWN and not _is_stated(condition, obj):
                guessed += (condition.properties[0],)
        return guessed

    def open_for(self, properties: Mapping[str, str | None]) -> tuple[str, ...]:
        """Of a contact's properties those never mentioned, where all the others let it through."""
        said = properties.keys()
        stated = [each for each in self.conditions if said >= set(each.properties)]
        if not _all_hold(stated, properties.get, 0):
            return ()
        return tuple(name for name in self.own if name not in said)


def _is_stated(condition: Condition, obj: SourceObject) -> bool:
    """Whether everything the condition looks at was mentioned, if only as null."""
    for name in condition.properties:
        if name.startswith(CONTACT_PREFIX):
            contacts = associated(obj, "contacts")
            if contacts is None or (contacts and contacts[0].properties is None):
                return False
        elif name not in obj.properties:
            return False
    return True


def _all_hold(conditions: Iterable[Condition], values: Values, at: int) -> bool:
    for condition in conditions:  # noqa: SIM110 - a generator costs twice as much here
        if not condition.holds(values, at):
            return False
    return True


def _varies(condition: Condition, history: History) -> bool:
    for name in condition.properties:
        points = history.get(name)
        if points is not None and len(points) > 1:
            return True
    return False


def _assumed(obj: SourceObject, names: Iterable[str]) -> dict[str, str | None]:
    """What properties are taken to have been before they were heard of: what nothing contradicts."""
    return {
        name: points[0][1]
        for name in names
        if (points := obj.history.get(name)) and name not in obj.first_is_change
    }


def _first_held(
    conditions: Iterable[Condition],
    state: dict[str, str | None],
    points: list[tuple[int, str, str | None]],
    since: int,
) -> int | None:
    """Replay the points, oldest first; the first instant not before `since` at which all held.

    A property not in `state` was not heard of: a negative operator says nothing of it.
    """
    last = len(points) - 1
    for index, (at, name, value) in enumerate(points):
        state[name] = value
        if index < last and points[index + 1][0] == at:
            continue
        if at >= since and _all_heard_hold(conditions, state, at):
            return at
    return None


def _all_heard_hold(
    conditions: Iterable[Condition], state: Mapping[str, str | None], at: int
) -> bool:
    for condition in conditions:
        if condition.operator in HOLD_OF_UNKNOWN and condition.properties[0] not in state:
            return False
        if not condition.holds(state.get, at):
            return False
    return True


def group(conditions: Iterable[Condition], line: int = 0) -> Group:
    """An AND-group; works out once which properties it must look up and how."""
    listed = tuple(conditions)
    names = dict.fromkeys(name for condition in listed for name in condition.properties)
    return Group(
        conditions=listed,
        line=line,
        own=tuple(name for name in names if not name.startswith(CONTACT_PREFIX)),
        changes=tuple(c.properties[0] for c in listed if c.is_change),
        reads_contact=any(name.startswith(CONTACT_PREFIX) for name in names),
    )


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Groups of which one must hold."""

    groups: tuple[Group, ...]

    def matches(self, obj: SourceObject, *, assuming: bool = False) -> int | None:
        """The earliest instant (epoch ms) at which a group held; None if none ever did.

        *assuming* is as in `Group.earliest`.
        """
        earliest: int | None = None
        for each in self.groups:
            at = each.earliest(obj, assuming=assuming)
            if at is not None and (earliest is None or at < earliest):
                earliest = at
        return earliest

    def matches_at(self, values: Values, at: int) -> bool:
        """Whether a group holds of these values at `at` (epoch ms); changed_to reads as "is"."""
        return any(each.holds(values, at) for each in self.groups)

    def holds(self, properties: Mapping[str, str | None]) -> bool:
        """Whether a group holds of these properties; for a contact filter, which has no history."""
        return self.matches_at(properties.get, 0)

    def open_for(self, properties: Mapping[str, str | None]) -> tuple[str, ...]:
        """Like `Group.open_for`; empty as soon as one group lets the contact through by what was said."""
        found: dict[str, None] = {}
        for each in self.groups:
            names = each.open_for(properties)
            if not names and each.holds(properties.get, 0):
                return ()
            found |= dict.fromkeys(names)
        return tuple(found)

    def holds_at(self, obj: SourceObject, at: int) -> bool:
        """Whether a group held of the object as it was at `at`."""
        return any(each.holds_at(obj, at) for each in self.groups)

    def properties(self) -> frozenset[str]:
        """Every property looked at; those of the contact start with `contact.`."""
        return frozenset(
            name for each in self.groups for c in each.conditions for name in c.properties
        )

    def is_undecided(self, obj: SourceObject) -> bool:
        """Whether a group might hold if it were known what the feed never mentioned."""
        return any(each.is_undecided(obj) for each in self.groups)

    def guesses(self, obj: SourceObject) -> tuple[str, ...]:
        """Of an object that matches: the never mentioned properties that every match rests on.

        Empty when a group matches by what was really said. HubSpot knows all properties of an
        object; a feed that leaves one out says nothing about it.
        """
        found: tuple[str, ...] = ()
        for each in self.groups:
            guessed = each.guesses(obj)
            if len(self.groups) > 1 and each.earliest(obj) is None:
                continue
            if not guessed:
                return ()
            found = guessed
        return found


def values_at(obj: SourceObject, at: int, reads_contact: bool = False) -> Values:
    """The object's values as they were at `at`: the latest known then, else the earliest known."""

    def own(name: str) -> str | None:
        return as_of(obj, name, at)

    return _with_contact(obj, own) if reads_contact else own


def values_now(obj: SourceObject) -> Values:
    """The object's current values, and those of its first contact under `contact.`."""
    return _with_contact(obj, obj.properties.get)


def _with_contact(obj: SourceObject, own: Values) -> Values:
    contact = _first_contact(obj)

    def value(name: str) -> str | None:
        if name.startswith(CONTACT_PREFIX):
            return contact.get(name.removeprefix(CONTACT_PREFIX))
        return own(name)

    return value


def _first_contact(obj: SourceObject) -> dict[str, str | None]:
    """Properties of the first associated contact: of contacts we know the present, not the past."""
    contacts = associated(obj, "contacts")
    return contacts[0].properties or {} if contacts else {}


def _first_known(obj: SourceObject, name: str) -> int:
    points = obj.history.get(name)
    return points[0][0] if points else stamp(obj, name)


def _as_told(obj: SourceObject, names: tuple[str, ...]) -> int:
    """When values that have no history of their own were last told."""
    told = max((stamp(obj, name) for name in names), default=-1)
    return told if told >= 0 else obj.changed_at
