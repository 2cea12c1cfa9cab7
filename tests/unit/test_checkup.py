"""What `doctor` says of a company and of a topic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.commands.doctor import _state
from reconciler.operator.checkup import Grade, company, topic
from reconciler.ports.operator import StoredCompany
from reconciler.ports.views import PartitionPosition
from reconciler.quickbooks.company import read_company
from reconciler.writing.resolve import Book
from streams.records import Partition, PartitionLog

NOW = datetime(2026, 11, 20, tzinfo=UTC)
STORED = StoredCompany(
    realm_id="934", name="us", connection="connected", connection_detail="", lease_owner="me",
    lease_until=NOW + timedelta(minutes=1), tokens_expire_at=None, references_loaded_at=NOW,
    references_changed_since=NOW, facts=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("taxes", "warned"),
    [
        ({"UsingSalesTax": True, "PartnerTaxEnabled": True}, False),
        ({"UsingSalesTax": True, "PartnerTaxEnabled": False}, False),
        ({"UsingSalesTax": True}, True),
        ({}, False),
    ],
)
def test_sales_tax_without_the_automated_one_is_warned_of(
    taxes: dict[str, bool], warned: bool
) -> None:
    """That QuickBooks keeps HubSpot's tax is documented of automated sales tax only."""
    facts = read_company("934", {"CompanyName": "Books", "Country": "US"}, {"TaxPrefs": taxes})
    found = list(company("us", STORED, Book("us", facts, []), NOW))
    warnings = [each.text for each in found if each.grade is Grade.WARNING]
    assert warnings == (["has sales tax, but not QuickBooks's automated one"] if warned else [])


@pytest.mark.parametrize(
    ("log", "grade", "said"),
    [
        (PartitionLog(Partition("crm.deals", 0), "A", 0, 12), Grade.OK, "2 records not read"),
        (PartitionLog(Partition("crm.deals", 0), None, 0, 12), Grade.OK, "2 records not read"),
        (PartitionLog(Partition("crm.deals", 0), "B", 0, 12), Grade.PROBLEM, "created again"),
        (PartitionLog(Partition("crm.deals", 0), "A", 0, 9), Grade.PROBLEM, "ends before"),
        (PartitionLog(Partition("crm.deals", 0), "A", 11, 12), Grade.PROBLEM, "by retention"),
    ],
)
def test_a_topic_that_stops_intake_is_a_problem(log: PartitionLog, grade: Grade, said: str) -> None:
    """What the service finds broken is not told to be well, and the command that mends it is named."""
    position = PartitionPosition(
        topic="crm.deals", partition=0, topic_id="A", next_offset=10, owner="me", updated_at=NOW
    )
    (found,) = topic(_state("crm.deals", [log], [position], None))
    assert (found.grade, said in found.text) == (grade, True)
    assert ("reconciler read-anew crm.deals" in found.fix) == (grade is Grade.PROBLEM)
