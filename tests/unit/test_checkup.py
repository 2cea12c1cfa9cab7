"""What `doctor` says of a company."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.operator.checkup import Grade, company
from reconciler.ports.operator import StoredCompany
from reconciler.quickbooks.company import read_company
from reconciler.writing.resolve import Book

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
