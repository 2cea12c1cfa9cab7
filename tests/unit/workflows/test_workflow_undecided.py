"""When an enrolment can't be decided yet, so that it is worth asking HubSpot."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from workflow_texts import enrolment, flt, loaded, source, workflow

from reconciler.deciding.enrolling import is_undecided
from reconciler.model import AssociationList, SourceObject

WON = flt("dealstage", "is_any_of", "closedwon")
LARGE = flt("amount", "greater_than", 100)
FROM_CUSTOMER = flt("contact.lifecyclestage", "is_any_of", "customer")


class Case(NamedTuple):
    reason: str
    filters: list[object]
    obj: SourceObject
    undecided: bool


def bare(obj: SourceObject) -> SourceObject:
    """The object with a list of contacts that is known to be empty."""
    obj.associations = {"contacts": AssociationList(at=1, ids=[])}
    return obj


CASES = [
    Case("the amount was never mentioned", [WON, LARGE], source({"dealstage": "closedwon"}), True),
    Case("nothing was", [WON, LARGE], source({}), True),
    Case("the stage rules it out anyway", [WON, LARGE], source({"dealstage": "lost"}), False),
    Case(
        "it is known that there is no amount",
        [WON, LARGE],
        source({"dealstage": "closedwon", "amount": None}),
        False,
    ),
    Case(
        "all is known and it does not hold",
        [WON, LARGE],
        source({"dealstage": "closedwon", "amount": "5"}),
        False,
    ),
    Case(
        "it was won once, and that is enough if the amount is",
        [WON, LARGE],
        source({}, {"dealstage": [(1, "closedwon"), (2, "reopened")]}),
        True,
    ),
    Case("no contact was mentioned", [FROM_CUSTOMER], source({"dealstage": "x"}), True),
    Case("there is no contact", [FROM_CUSTOMER], bare(source({})), False),
    Case("the contact is known", [FROM_CUSTOMER], source({}, contact={"email": "a@b.c"}), False),
    Case(
        "one of two groups is open",
        [[WON, LARGE], [flt("dealname", "contains_any_of", "rush")]],
        source({"dealstage": "lost", "amount": "5"}),
        True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.reason for case in CASES])
def test_undecided(case: Case) -> None:
    """Undecided is what could hold if it were known what the feed never mentioned."""
    assert enrolment(*case.filters).is_undecided(case.obj) is case.undecided, case.reason


def test_one_undecided_workflow_is_enough() -> None:
    """Any workflow that is undecided is reason enough; a deleted object is left alone."""
    file = loaded(workflow("deal", enrol=[WON, LARGE]), workflow("deal", enrol=[WON], name="all"))
    obj = source({"dealstage": "closedwon"})
    first, both = file.workflows[:1], file.workflows
    assert is_undecided(obj, first)
    assert is_undecided(obj, both)  # the first of them may want a document of its own
    obj.deleted = (5, True)
    assert not is_undecided(obj, both)
