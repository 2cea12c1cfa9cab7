"""Enrolment over time: which instant dates a document, and when an object enrols again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_texts import COMPANY, action, enrolment, flt, loaded, source, workflow

from reconciler.model import ObjectKey, ObjectType, SourceObject
from reconciler.workflows.filters import OPERATORS

WON = flt("dealstage", "is_any_of", "closedwon")
RICH = flt("amount", "greater_than", 100)


def test_a_deal_that_was_won_once_stays_enrolled() -> None:
    """Moved back since, it was won: the earliest instant is that of the win."""
    history = {"dealstage": [(10, "open"), (20, "closedwon"), (30, "open"), (40, "closedwon")]}
    assert enrolment(WON).matches(source(history=history)) == 20


def test_filters_of_a_group_must_hold_at_the_same_instant() -> None:
    """Won while poor and rich while open is not won and rich."""
    never = {
        "dealstage": [(10, "closedwon"), (20, "open")],
        "amount": [(10, "5"), (20, "500")],
    }
    assert enrolment([WON, RICH]).matches(source(history=never)) is None
    once = {**never, "amount": [(10, "5"), (15, "500"), (20, "5")]}
    assert enrolment([WON, RICH]).matches(source(history=once)) == 15


def test_what_was_first_known_late_is_taken_to_have_been_so() -> None:
    """A thin event says "won", a later snapshot the amount: won and rich since the event."""
    history = {"dealstage": [(10, "closedwon"), (20, "open")], "amount": [(30, "500")]}
    assert enrolment([WON, RICH]).matches(source(history=history)) == 10


def test_what_was_heard_of_goes_before_what_is_assumed() -> None:
    """Rich was heard of first, won at 30: there is no need to take it for won before that."""
    assert (
        enrolment([WON, RICH]).matches(
            source(history={"amount": [(10, "500")], "dealstage": [(30, "closedwon")]})
        )
        == 30
    )
    two_properties = {"hs_is_closed_won": [(10, "false")], "dealstage": [(30, "closedwon")]}
    assert enrolment({"preset": "deal_won"}).matches(source(history=two_properties)) == 30
    signing = {
        "hs_esign_num_signers_required": [(10, "2"), (20, "2")],
        "hs_esign_num_signers_completed": [(10, "1"), (20, "2")],
        "hs_esign_date": [(20, "2026-02-20")],
    }
    signed = enrolment({"preset": "quote_signed"}, object_type="quote")
    assert signed.matches(source(history=signing, object_type=ObjectType.QUOTE)) == 20


def test_what_came_by_a_change_was_another_before() -> None:
    """While it was rich it was not won: the event that says "won" tells of a change."""
    history = {"amount": [(10, "5000"), (20, "5")], "dealstage": [(30, "closedwon")]}
    assert enrolment([WON, RICH]).matches(source(history=history)) == 10
    told_by_events = source(history=history)
    told_by_events.first_is_change = ("amount", "dealstage")
    assert enrolment([WON, RICH]).matches(told_by_events) is None
    not_lost = flt("dealstage", "is_none_of", "closedlost")
    assert enrolment([not_lost, RICH]).matches(told_by_events) is None


def test_the_earliest_group_dates_the_enrolment() -> None:
    """Of several groups that held, the first instant counts, in whatever order they are written."""
    history = {"dealstage": [(10, "open"), (30, "closedwon")], "amount": [(20, "500")]}
    obj = source(history=history)
    assert enrolment([WON], [RICH]).matches(obj) == 20
    assert enrolment([RICH], [WON]).matches(obj) == 20


def test_without_history_the_match_is_dated_by_when_the_values_were_told() -> None:
    """Properties that no history is kept of are dated by their stamp, or the snapshot's time."""
    assert enrolment(WON).matches(source({"dealstage": "closedwon"}, at=77)) == 77


def test_changed_to_holds_from_the_instant_the_value_is_known() -> None:
    """Unlike "is", it is not taken to have held before it was first heard of."""
    history = {"dealstage": [(20, "closedwon")], "amount": [(10, "500")]}
    obj = source(history=history)
    assert enrolment([WON, RICH]).matches(obj) == 20
    changed = enrolment([flt("dealstage", "changed_to", "closedwon"), RICH])
    assert changed.matches(obj) == 20
    poor_since = source(history={**history, "amount": [(10, "500"), (15, "5")]})
    assert enrolment([WON, RICH]).matches(poor_since) == 10
    assert changed.matches(poor_since) is None
    varying = {"dealstage": [(20, "closedwon")], "amount": [(10, "500"), (30, "5")]}
    assert changed.matches(source(history=varying)) == 20
    too_late = {"dealstage": [(40, "closedwon")], "amount": [(10, "500"), (30, "5")]}
    assert changed.matches(source(history=too_late)) is None


def test_an_object_of_which_nothing_is_known_enrols_by_negative_filters_only() -> None:
    """Nothing positive holds of it."""
    obj = SourceObject(key=ObjectKey(1, ObjectType.DEAL, "1"), changed_at=5)
    assert enrolment(WON).matches(obj) is None
    negative = enrolment(flt("dealname", "is_none_of", "test"))
    assert negative.matches(obj) == 5


def test_the_first_contact_is_looked_at_as_it_is() -> None:
    """`contact.` reads the first associated contact; without one nothing positive holds."""
    customer = enrolment([WON, flt("contact.lifecyclestage", "is_any_of", "customer")])
    won = {"dealstage": [(10, "open"), (20, "closedwon")]}
    assert customer.matches(source(history=won, at=5)) is None
    assert customer.matches(source(history=won, at=5, contact={"lifecyclestage": "lead"})) is None
    assert customer.matches(source(history=won, at=5, contact={"lifecyclestage": "customer"})) == 20


def test_a_contact_filter_looks_at_the_contact_itself() -> None:
    """The filter of a data-sync company is asked about a contact's properties."""
    company = {
        **COMPANY,
        "contacts": "data_sync",
        "contact_filter": [flt("lifecyclestage", "is_any_of", "customer")],
    }
    contact_filter = loaded(workflow(), us=company).companies["us"].contact_filter
    assert contact_filter is not None
    assert contact_filter.holds({"lifecyclestage": "Customer"})
    assert not contact_filter.holds({"lifecyclestage": "lead"})
    assert not contact_filter.holds({})


# --- re-enrolment ----------------------------------------------------------------------------


def again(*filters: object, **more: Any) -> Any:
    return loaded(workflow("deal", re_enrol=list(filters) or False, **more)).workflows[0]


def test_by_default_an_object_enrols_once() -> None:
    """Without `re_enrol` a deal won twice enrols once."""
    twice = {"dealstage": [(10, "closedwon"), (20, "open"), (30, "closedwon")]}
    assert again(enrol=[WON]).enrolled_at(source(history=twice)) == (10,)
    assert again(enrol=[WON]).enrolled_at(source({"dealstage": "open"})) == ()


def test_re_enrolment_begins_when_its_filters_begin_to_hold_again() -> None:
    """Each return to the stage is a new enrolment; staying there is not."""
    history = {
        "dealstage": [(10, "closedwon"), (20, "open"), (30, "closedwon"), (40, "closedwon")],
        "amount": [(35, "5")],
    }
    assert again(WON, enrol=[WON]).enrolled_at(source(history=history)) == (10, 30)


def test_re_enrolment_needs_the_enrolment_to_hold_too() -> None:
    """A trigger while the deal is not won starts nothing."""
    renewed = flt("renewal", "is_any_of", "yes")
    history = {
        "dealstage": [(10, "closedwon"), (20, "open"), (40, "closedwon")],
        "renewal": [(5, "no"), (25, "yes"), (45, "no"), (50, "yes")],
    }
    assert again(renewed, enrol=[WON]).enrolled_at(source(history=history)) == (10, 50)


def test_an_enrolment_that_was_only_assumed_stays_the_first() -> None:
    """Won, left, and only then its amount was told: that has its document, and the renewal another."""
    stages = [(10, "closedwon"), (20, "open")]
    told_late = {"dealstage": stages, "amount": [(30, "500")]}
    renewals = again(flt("dealstage", "changed_to", "closedwon"), enrol=[WON, RICH])
    assert renewals.enrolled_at(source(history=told_late)) == (10,)
    renewed = {**told_late, "dealstage": [*stages, (40, "closedwon")]}
    assert renewals.enrolled_at(source(history=renewed)) == (10, 40)
    known_before = {"dealstage": [(30, "closedwon")], "amount": [(10, "500")]}
    assert renewals.enrolled_at(source(history=known_before)) == (30,)


def test_what_enrolment_looks_at_is_watched() -> None:
    """History is asked for the properties of both kinds of filters, not of the contact's."""
    file = loaded(
        workflow(
            "deal",
            action("invoice", memo="{po_number}", document_number="{id}"),
            enrol=[WON, flt("contact.email", "is_known")],
            re_enrol=[RICH],
        ),
        workflow("quote"),
    )
    assert file.watched()[ObjectType.DEAL] == {"dealstage", "amount"}
    assert "hs_esign_date" in file.watched()[ObjectType.QUOTE]
    assert file.properties()[ObjectType.DEAL] == {"dealstage", "amount", "po_number"}
    assert file.properties()[ObjectType.CONTACT] == {"email"}


# --- properties ------------------------------------------------------------------------------

points = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(["open", "closedwon", None])),
    min_size=1,
    max_size=6,
    unique_by=lambda point: point[0],
).map(sorted)


@given(points, points)
def test_more_history_never_unenrols(known: list[Any], later: list[Any]) -> None:
    """What was enrolled stays so when newer changes arrive, and is dated the same."""
    newer = [(at + 10, value) for at, value in later]
    before = enrolment(WON).matches(source(history={"dealstage": known}))
    after = enrolment(WON).matches(source(history={"dealstage": known + newer}))
    if before is not None:
        assert after == before


@given(points, points)
def test_enrolments_are_counted_in_order(stages: list[Any], amounts: list[Any]) -> None:
    """The first is where the enrolment matched, and each later one is later."""
    obj = source(history={"dealstage": stages, "amount": amounts})
    workflow_again = again(WON, enrol=[WON])
    found = workflow_again.enrolled_at(obj)
    assert list(found) == sorted(set(found))
    assert found[:1] == tuple([at] if (at := workflow_again.enrol.matches(obj)) is not None else [])


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_compiled_conditions_print_as_written(operator: str) -> None:
    """What `explain` shows of a filter is what the author wrote."""
    operands = {"none": (), "one": ("5",), "many": ("5", "7")}[OPERATORS[operator][1]]
    if operator in ("before", "after"):
        operands = ("2026-01-31",)
    [condition] = enrolment(flt("x", operator, *operands)).groups[0].conditions
    assert str(condition) == f"x {operator} {', '.join(operands)}".strip()
