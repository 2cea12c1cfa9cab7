"""Whether two enrolments can share an object, and whether one condition implies another.

Only `lint` asks. The answers are cautious: "apart" and "implies" are said when the filters prove
it, so a warning may be needless but is never missing for want of a guess.
"""

from __future__ import annotations

from reconciler.workflows.enrolment import Enrolment, Group
from reconciler.workflows.filters import CONTACT_PREFIX, Condition
from reconciler.workflows.values import folded, number
from reconciler.workflows.vocabulary import PASSING

_IS = frozenset({"is_equal_to", "is_any_of", "changed_to"})
_IS_NOT = frozenset({"is_not_equal_to", "is_none_of"})
_ABOVE = frozenset({"greater_than", "greater_than_or_equal"})
_BELOW = frozenset({"less_than", "less_than_or_equal"})
_MATCH_UNKNOWN = _IS_NOT | {"contains_none_of", "is_unknown"}


def apart(first: Enrolment, second: Enrolment) -> bool:
    """Whether no object can ever enrol in both."""
    return all(_groups_apart(one, other) for one in first.groups for other in second.groups)


def _groups_apart(one: Group, other: Group) -> bool:
    return any(
        contradict(a, b)
        for a in one.conditions
        for b in other.conditions
        if not PASSING.intersection(a.properties)
    )


def never_holds(group: Group) -> bool:
    """Whether two conditions of the group exclude each other."""
    listed = group.conditions
    return any(contradict(a, b) for i, a in enumerate(listed) for b in listed[i + 1 :])


def contradict(one: Condition, other: Condition) -> bool:
    """Whether no value of the property satisfies both."""
    if one.properties != other.properties or "preset" in (one.operator, other.operator):
        return False
    return _excludes(one, other) or _excludes(other, one)


def _excludes(one: Condition, other: Condition) -> bool:
    if one.operator == "is_unknown":
        return other.operator not in _MATCH_UNKNOWN
    mine, theirs = _texts(one), _texts(other)
    if one.operator in _IS:
        if other.operator in _IS:
            return mine.isdisjoint(theirs)
        if other.operator in _IS_NOT:
            return mine <= theirs
        if other.operator == "contains_any_of":
            return not any(_contains_one(text, theirs) for text in mine)
    if one.operator in _IS | {"contains_any_of"} and other.operator == "contains_none_of":
        return all(_contains_one(text, theirs) for text in mine)
    if one.operator in _ABOVE and other.operator in _BELOW:
        low, high = number(one.operands[0]), number(other.operands[0])
        strict = "or_equal" not in one.operator or "or_equal" not in other.operator
        return low is not None and high is not None and (low > high or (strict and low == high))
    return False


def _contains_one(text: str, parts: frozenset[str]) -> bool:
    return any(part in text for part in parts)


def _texts(condition: Condition) -> frozenset[str]:
    return frozenset(folded(operand) for operand in condition.operands)


def within_contact_filter(enrolment: Enrolment, contact_filter: Enrolment) -> bool:
    """Whether every group repeats, as `contact.…`, all that some group of the filter asks."""
    return all(
        any(
            all(any(_implies(c, wanted) for c in group.conditions) for wanted in allowed.conditions)
            for allowed in contact_filter.groups
        )
        for group in enrolment.groups
    )


def _implies(condition: Condition, wanted: Condition) -> bool:
    named = tuple(f"{CONTACT_PREFIX}{name}" for name in wanted.properties)
    if condition.properties != named:
        return False
    if condition.operator in _IS and wanted.operator in _IS:
        return _texts(condition) <= _texts(wanted)
    if condition.operator != wanted.operator:
        return wanted.operator == "is_known" and condition.operator not in _MATCH_UNKNOWN
    if condition.operator.endswith("none_of"):
        return _texts(condition) >= _texts(wanted)
    return _texts(condition) <= _texts(wanted) if _texts(wanted) else True


def allowed_values(group: Group, name: str, known: frozenset[str]) -> frozenset[str]:
    """Which of the known values of a property the group lets in, as far as its filters say."""
    left = known
    for condition in group.conditions:
        if condition.properties == (name,):
            if condition.operator in _IS:
                left &= _texts(condition)
            elif condition.operator in _IS_NOT:
                left -= _texts(condition)
    return left
