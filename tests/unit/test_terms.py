"""The due date that terms of payment make, and when an update says it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from reconciler.model import DocumentContent
from reconciler.quickbooks.references import Reference
from reconciler.quickbooks.terms import due_on
from reconciler.writing.amendments import due_by_terms
from reconciler.writing.resolve import Resolved

NET_30 = Reference(entity="Term", id="4", sync_token="0", name="Net 30", data={"DueDays": 30})


@pytest.mark.parametrize(
    ("term", "day", "due"),
    [
        ({"DueDays": 30}, "2026-12-20", "2027-01-19"),
        ({"DueDays": 0}, "2026-12-20", "2026-12-20"),
        ({"DayOfMonthDue": 10}, "2026-12-10", "2026-12-10"),
        ({"DayOfMonthDue": 10}, "2026-12-11", "2027-01-10"),
        ({"DayOfMonthDue": 10, "DueNextMonthDays": 5}, "2026-12-05", "2026-12-10"),
        ({"DayOfMonthDue": 10, "DueNextMonthDays": 5}, "2026-12-06", "2027-01-10"),
        ({"DayOfMonthDue": 31}, "2027-02-01", "2027-02-28"),
        ({}, "2026-12-20", None),
    ],
)
def test_when_terms_make_it_due(term: dict[str, int], day: str, due: str | None) -> None:
    """So many days later, or on a day of this month or the next one."""
    found = due_on(msgspec.structs.replace(NET_30, data=term), date.fromisoformat(day))
    assert found == (date.fromisoformat(due) if due else None)


def test_new_terms_bring_their_due_date() -> None:
    """An update with new terms alone says the day they make it due; a due date of its own stands."""
    resolved = Resolved(term=NET_30)
    now = DocumentContent(
        currency="USD", txn_date="2026-11-20", total=Decimal(1), payment_terms="Net 30"
    )
    before = msgspec.structs.replace(now, payment_terms="Net 15")
    assert due_by_terms(before, now, resolved).due_date == "2026-12-20"
    assert due_by_terms(now, now, resolved).due_date == ""
    dated = msgspec.structs.replace(now, due_date="2026-12-01")
    assert due_by_terms(before, dated, resolved).due_date == "2026-12-01"
