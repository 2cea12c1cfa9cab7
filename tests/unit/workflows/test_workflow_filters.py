"""Filters: what each operator compares, and that the compiled form means what is written.

The reference interpreter below reads filters as written, slowly and in another way, and must agree
with the compiled enrolment on every instant of random histories.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workflow_texts import enrolment, flt, messages, source, workflow

from reconciler.model import SourceObject
from reconciler.objects.reading import as_of
from reconciler.workflows.filters import OPERATORS

# property value, operator, operands, holds, reason
CASES: list[tuple[str | None, str, tuple[Any, ...], bool, str]] = [
    ("x", "is_known", (), True, "a value is known"),
    ("", "is_known", (), False, "HubSpot clears a property with an empty string"),
    (None, "is_known", (), False, "null is unknown"),
    ("0", "is_known", (), True, "zero is a value"),
    (None, "is_unknown", (), True, "null is unknown"),
    ("", "is_unknown", (), True, "empty is unknown"),
    ("x", "is_unknown", (), False, "a value is known"),
    (" ClosedWon ", "is_equal_to", ("closedwon",), True, "text is trimmed and caseless"),
    ("closedlost", "is_equal_to", ("closedwon",), False, "another text"),
    ("100.00", "is_equal_to", (100,), True, "an unquoted number compares as a number"),
    ("100.00", "is_equal_to", ("100",), False, "a quoted number compares as text"),
    ("0123", "is_equal_to", ("123",), False, "an id with a leading zero is another id"),
    ("true", "is_equal_to", (True,), True, "HubSpot's booleans are words"),
    ("STRASSE", "is_equal_to", ("straße",), True, "case folding, not lower case"),
    (None, "is_not_equal_to", ("x",), True, "unknown is not equal to anything"),
    ("X", "is_not_equal_to", ("x",), False, "equal but for case"),
    ("b", "is_any_of", ("a", "b"), True, "one of the list"),
    ("a;c", "is_any_of", ("c",), True, "one option of a multi-value property"),
    ("a;c", "is_any_of", ("a;c",), True, "all options as written"),
    ("ac", "is_any_of", ("a",), False, "the whole value must match"),
    (None, "is_any_of", ("a",), False, "unknown is none of them"),
    (None, "is_none_of", ("INVOICE",), True, "is none of includes unknown"),
    ("", "is_none_of", ("INVOICE",), True, "is none of includes unknown"),
    ("invoice", "is_none_of", ("INVOICE",), False, "caseless"),
    ("QUOTE", "is_none_of", ("INVOICE",), True, "another value"),
    ("a;c", "is_none_of", ("c",), False, "one option is excluded"),
    ("Big Deal", "contains_any_of", ("small", "deal"), True, "a part, caseless"),
    ("Big", "contains_any_of", ("deal",), False, "no part"),
    (None, "contains_any_of", ("deal",), False, "unknown contains nothing"),
    (None, "contains_none_of", ("deal",), True, "contains none of includes unknown"),
    ("Big Deal", "contains_none_of", ("deal",), False, "a part is excluded"),
    ("INV-7", "starts_with_any_of", ("inv-", "q-"), True, "begins with one"),
    ("7-INV", "starts_with_any_of", ("inv",), False, "does not begin with it"),
    ("Acme GmbH", "ends_with_any_of", ("gmbh",), True, "ends with one"),
    ("10", "greater_than", (9,), True, "as numbers, not as text"),
    ("9.99", "greater_than", ("9.99",), False, "not greater than itself"),
    ("9.990", "greater_than_or_equal", ("9.99",), True, "equal as numbers"),
    ("-1", "less_than", (0,), True, "negative"),
    ("0.1", "less_than_or_equal", (Decimal("0.10"),), True, "exact decimals"),
    ("1,000", "greater_than", (0,), False, "not a number: no match"),
    ("NaN", "less_than", (0,), False, "not finite: no match"),
    ("Infinity", "greater_than", (0,), False, "not finite: no match"),
    ("1e3", "greater_than", (999,), True, "HubSpot may write an exponent"),
    (None, "less_than", (5,), False, "unknown is not less"),
    ("", "greater_than", (-1,), False, "unknown is not greater"),
    ("9" * 70, "greater_than", (0,), False, "longer than any amount: no match"),
    ("2026-01-31", "before", ("2026-02-01",), True, "a day before"),
    ("1769817600000", "before", ("2026-02-01",), True, "epoch milliseconds"),
    ("2026-02-01", "before", ("2026-02-01",), False, "not before itself"),
    ("2026-01-31T23:59:59Z", "after", ("2026-01-31",), False, "after excludes the whole day"),
    ("2026-02-01T00:00:00Z", "after", ("2026-01-31",), True, "the next day begins"),
    ("2026-01-31T12:00:01", "after", ("2026-01-31T12:00:00Z",), True, "no zone means UTC"),
    ("2026-01-31T12:00:00Z", "before", ("2026-01-31T09:00:00-05:00",), True, "zones are read"),
    ("soon", "after", ("2026-01-31",), False, "not a date: no match"),
    ("", "before", ("2026-01-31",), False, "unknown is not before"),
    ("²", "before", ("2026-01-31",), False, "a superscript is no number"),
    ("closedwon", "changed_to", ("closedwon",), True, "a single known value counts as changed"),
    ("closedlost", "changed_to", ("closedwon",), False, "another value"),
]


@pytest.mark.parametrize(
    ("value", "operator", "operands", "holds", "reason"),
    CASES,
    ids=[f"{case[1]}-{case[4]}".replace(" ", "_") for case in CASES],
)
def test_operator(
    value: str | None, operator: str, operands: tuple[Any, ...], holds: bool, reason: str
) -> None:
    """Each operator compares as HubSpot's does; the reason is in the case."""
    written = [str(each) if isinstance(each, Decimal) else each for each in operands]
    compiled = enrolment(flt("x", operator, *written))
    assert compiled.matches_at({"x": value}.get, 0) is holds, reason
    assert (compiled.matches(source({"x": value})) is not None) is holds, reason


def test_every_operator_has_a_case() -> None:
    """No operator is untested."""
    assert {case[1] for case in CASES} == set(OPERATORS)


@pytest.mark.parametrize(
    ("value", "holds"),
    [("2026-01-10", False), ("2026-01-02", True), ("2026-01-01T12:00:00Z", True)],
)
def test_relative_dates_count_from_the_moment_of_the_change(value: str, holds: bool) -> None:
    """ "1 day ago" is a day before the instant asked about, so a replay gives the same answer."""
    at = 1_767_484_800_000  # 2026-01-04T00:00Z
    compiled = enrolment(flt("closedate", "before", "1 day ago"))
    assert compiled.matches_at({"closedate": value}.get, at) is holds
    obj = source(history={"closedate": [(at, value)]}, at=at)
    assert compiled.matches(obj) == (at if holds else None)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (flt("x", "greater_than", "a"), "'a' is not a number"),
        (flt("x", "greater_than", "2026-01-01"), "for a date write before or after"),
        (flt("x", "before", "5 fortnights ago"), "is not a date"),
        (flt("x", "is_any_of", ""), "write is_unknown"),
        (flt("x", "contains_any_of", " "), "would match everything"),
        (flt("x", "is_equal_to", "a", "b"), "takes one value"),
        (flt("x", "is any of", "a"), "(did you mean is_any_of?)"),
        (flt("x", "=", "a"), "(did you mean is_equal_to?)"),
    ],
)
def test_a_bad_filter_says_what_to_write(written: dict[str, Any], said: str) -> None:
    """What can't be compared is an error when the file is loaded, never at run time."""
    assert said in messages(workflow("deal", enrol=[written]))


# --- the compiled form against a reference ----------------------------------------------------

POSITIVE = {
    "is_known": lambda _v, _o: True,
    "is_any_of": lambda v, o: (
        v.strip().lower() in [e.lower() for e in o]
        or any(part.strip().lower() in [e.lower() for e in o] for part in v.split(";"))
    ),
    "contains_any_of": lambda v, o: any(e.lower() in v.lower() for e in o),
    "starts_with_any_of": lambda v, o: any(v.strip().lower().startswith(e.lower()) for e in o),
    "ends_with_any_of": lambda v, o: any(v.strip().lower().endswith(e.lower()) for e in o),
    "greater_than": lambda v, o: decimal(v) > decimal(o[0]),
    "greater_than_or_equal": lambda v, o: decimal(v) >= decimal(o[0]),
    "less_than": lambda v, o: decimal(v) < decimal(o[0]),
    "less_than_or_equal": lambda v, o: decimal(v) <= decimal(o[0]),
}
POSITIVE["is_equal_to"] = POSITIVE["changed_to"] = POSITIVE["is_any_of"]
NEGATIVE = {
    "is_unknown": "is_known",
    "is_none_of": "is_any_of",
    "is_not_equal_to": "is_any_of",
    "contains_none_of": "contains_any_of",
}
NUMERIC = [name for name in POSITIVE if "than" in name]


def decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("sNaN")


def reference_holds(written: dict[str, Any], value: str | None) -> bool:
    operator, operands = written["operator"], written.get("values", [])
    if operator in NEGATIVE:
        return not reference_holds({**written, "operator": NEGATIVE[operator]}, value)
    if value is None or value == "":
        return False
    try:
        return bool(POSITIVE[operator](value, operands))
    except InvalidOperation:
        return False


def reference_group(group: list[dict[str, Any]], obj: SourceObject) -> int | None:
    """The earliest instant of the group's own properties at which all its filters hold.

    A change that has no history of its own is taken to have come when the object was first told.
    """
    names = {written["property"] for written in group}
    instants = {at for name in names for at, _ in obj.history.get(name, [])}
    changed = {written["property"] for written in group if written["operator"] == "changed_to"}
    if any(not obj.history.get(name) for name in changed):
        instants.add(obj.base_at)
    for assumed in (False, True):
        for at in sorted(instants) or [obj.base_at]:
            if all(reference_at(written, obj, at, assumed) for written in group):
                return at
    return None


def reference_at(written: dict[str, Any], obj: SourceObject, at: int, assumed: bool = True) -> bool:
    """Before a property was heard of nothing holds, or with *assumed* what then did."""
    name = written["property"]
    points = obj.history.get(name, [])
    if points and points[0][0] > at:
        is_change = written["operator"] == "changed_to" or name in obj.first_is_change
        if is_change or not assumed:
            return False
    return reference_holds(written, as_of(obj, name, at))


names = st.sampled_from(["a", "b", "c"])
texts = st.sampled_from(["1", "2", "10", "won", "lost", "won;lost", "Won ", "x1"])
values = st.one_of(st.none(), st.just(""), texts)


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    operator = draw(st.sampled_from(sorted({*POSITIVE, *NEGATIVE})))
    name = draw(names)
    if operator in ("is_known", "is_unknown"):
        return flt(name, operator)
    if operator in NUMERIC:
        return flt(name, operator, draw(st.sampled_from(["1", "2", "5", "10"])))
    operand = st.sampled_from(["1", "2", "10", "won", "lost", "x1"])
    most = 1 if operator.endswith("equal_to") else 3
    return flt(name, operator, *draw(st.lists(operand, min_size=1, max_size=most)))


@st.composite
def histories(draw: st.DrawFn, changed: bool = False) -> SourceObject:
    history = {}
    for name in draw(st.sets(names)):
        times = sorted(draw(st.sets(st.integers(1, 6), min_size=1, max_size=4)))
        history[name] = [(at, draw(values)) for at in times]
    found = source(draw(st.dictionaries(names, values)), history, at=0)
    if changed and history:
        found.first_is_change = tuple(sorted(draw(st.sets(st.sampled_from(sorted(history))))))
    return found


@settings(max_examples=400)
@given(
    st.lists(st.lists(filters(), min_size=1, max_size=3), min_size=1, max_size=3),
    histories(changed=True),
)
def test_the_compiled_enrolment_agrees_with_the_reference(
    groups: list[list[dict[str, Any]]], obj: SourceObject
) -> None:
    """`matches` is the earliest instant of any group, as the slow reading of the file says."""
    compiled = enrolment(*groups)
    found = [at for group in groups if (at := reference_group(group, obj)) is not None]
    assert compiled.matches(obj) == (min(found) if found else None)


@settings(max_examples=200)
@given(st.lists(filters(), min_size=1, max_size=3), histories(), st.integers(0, 7))
def test_the_state_at_an_instant_agrees_with_the_reference(
    group: list[dict[str, Any]], obj: SourceObject, at: int
) -> None:
    """`holds_at` looks at the object as it was at the instant, however far it went since."""
    expected = all(reference_at(written, obj, at) for written in group)
    assert enrolment(group).holds_at(obj, at) is expected


@settings(max_examples=300)
@given(filters(), st.one_of(st.none(), st.text(), st.binary().map(repr), st.floats().map(str)))
def test_no_value_makes_a_filter_fail(written: dict[str, Any], value: str | None) -> None:
    """Whatever HubSpot sends as a value, a filter answers yes or no."""
    assert enrolment(written).matches_at({written["property"]: value}.get, 0) in (True, False)


@given(st.text(), st.sampled_from(["before", "after"]))
def test_no_value_makes_a_date_filter_fail(value: str, operator: str) -> None:
    """What is not a date is neither before nor after one."""
    compiled = enrolment(flt("x", operator, "2026-01-31"))
    assert compiled.matches_at({"x": value}.get, 0) in (True, False)
