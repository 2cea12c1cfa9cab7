"""Reading a company: its facts, its name lists, and what changed in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from reconciler.quickbooks.answers import Answer
from reconciler.quickbooks.cdc import read_changes
from reconciler.quickbooks.company import read_company
from reconciler.quickbooks.loading import load_changes, load_company, load_references
from reconciler.quickbooks.protocol import Request
from reconciler.quickbooks.references import Reference, page_statement, read_reference

CUSTOMER = {
    "Id": "58",
    "SyncToken": "2",
    "Active": True,
    "DisplayName": "Ada Byron",
    "FullyQualifiedName": "Engines:Ada Byron",
    "GivenName": "Ada",
    "FamilyName": "Byron",
    "PrimaryEmailAddr": {"Address": "Ada@X.org"},
    "CurrencyRef": {"value": "USD", "name": "United States Dollar"},
    "Balance": 12,
}


def test_customer() -> None:
    """A customer is found by name and e-mail address, and keeps its currency."""
    assert read_reference("Customer", CUSTOMER) == Reference(
        entity="Customer",
        id="58",
        sync_token="2",
        name="Ada Byron",
        name_key="ada byron",
        full_name_key="engines:ada byron",
        email_key="ada@x.org",
        given_name="Ada",
        family_name="Byron",
        data={"CurrencyRef": {"value": "USD", "name": "United States Dollar"}},
    )


@pytest.mark.parametrize(
    ("entity", "row", "expected"),
    [
        (
            "Item",
            {
                "Name": "Widget",
                "FullyQualifiedName": "Parts:Widget",
                "Sku": "W-1",
                "Type": "Service",
            },
            {"name": "Widget", "full_name_key": "parts:widget", "sku": "W-1", "kind": "Service"},
        ),
        (
            "Account",
            {"Name": "Checking", "AccountType": "Bank", "AccountSubType": "Checking"},
            {"kind": "Bank", "data": {"AccountSubType": "Checking"}},
        ),
        ("Term", {"Name": "Net 30", "DueDays": 30}, {"data": {"DueDays": 30}}),
        ("Vendor", {"DisplayName": "Ada Byron (deleted)", "Active": False}, {"active": False}),
        ("TaxCode", {"Id": "TAX", "Name": "TAX"}, {"id": "TAX", "active": True}),
        ("Customer", {"DisplayName": "X", "PrimaryEmailAddr": None}, {"email_key": ""}),
    ],
)
def test_other_entries(entity: str, row: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each list's own fields end where the documents look for them."""
    reference = read_reference(entity, {"Id": "1", "SyncToken": "0"} | row)
    assert {name: getattr(reference, name) for name in expected} == expected


# --- changes ----------------------------------------------------------------------------------


def test_changes() -> None:
    """Upserts, removals and transactions of all lists in a CDC answer are told apart."""
    lists = [
        {
            "Customer": [CUSTOMER, {"Id": "59", "status": "Deleted", "domain": "QBO"}],
            "startPosition": 1,
        },
        {"Invoice": [{"Id": "7", "SyncToken": "3"}, {"Id": "8", "status": "Deleted"}]},
        {},
    ]
    changes = read_changes(Answer({"CDCResponse": [{"QueryResponse": lists}]}))
    assert [one.id for one in changes.references] == ["58"]
    assert changes.removed_references == [("Customer", "59")]
    assert [(one.id, one.deleted, one.sync_token) for one in changes.transactions] == [
        ("7", False, "3"),
        ("8", True, ""),
    ]
    assert not changes.truncated


def test_a_full_answer_is_truncated() -> None:
    """A thousand objects are all CDC can say: more may have changed."""
    rows = [{"Id": str(number)} for number in range(1000)]
    data = {"CDCResponse": [{"QueryResponse": [{"Item": rows}]}]}
    assert read_changes(Answer(data)).truncated


@pytest.mark.parametrize("data", [{}, {"CDCResponse": []}, {"CDCResponse": [{}]}])
def test_nothing_changed(data: dict[str, Any]) -> None:
    """An answer without lists is no change."""
    assert read_changes(Answer(data)).objects == []


# --- the company ------------------------------------------------------------------------------

INFO = {
    "CompanyName": "Engines Inc.",
    "Country": "US",
}
PREFERENCES = {
    "SalesFormsPrefs": {"CustomTxnNumbers": True, "AllowDiscount": True},
    "TaxPrefs": {"UsingSalesTax": True},
    "CurrencyPrefs": {"MultiCurrencyEnabled": False, "HomeCurrency": {"value": "USD"}},
    "AccountingInfoPrefs": {"BookCloseDate": "2025-12-31"},
    "VendorAndPurchasesPrefs": {"UseCustomTxnNumbers": True},
}


def test_company() -> None:
    """Country, settings and the closing date are read from the two answers."""
    facts = read_company("934", INFO, PREFERENCES)
    assert facts.is_supported
    assert facts.custom_txn_numbers
    assert facts.custom_purchase_numbers
    assert facts.is_closed(date(2025, 12, 31))
    assert not facts.is_closed(date(2026, 1, 1))


@pytest.mark.parametrize(
    ("preferences", "tracking"),
    [
        ({}, "off"),
        ({"ClassTrackingPerTxn": True}, "transaction"),
        ({"ClassTrackingPerTxnLine": True, "ClassTrackingPerTxn": False}, "line"),
        ({"ClassTrackingPerLine": "true"}, "line"),
    ],
)
def test_tracking_of_classes(preferences: dict[str, Any], tracking: str) -> None:
    """Per transaction or per line, by either of its names; what is not told is off."""
    facts = read_company("934", INFO, {"AccountingInfoPrefs": preferences})
    assert facts.class_tracking == tracking
    assert facts.department_tracking is False
    track = {"AccountingInfoPrefs": {"TrackDepartments": True}}
    assert read_company("934", INFO, track).department_tracking


def test_company_that_tells_nothing() -> None:
    """A setting left out counts as off, an unknown country as unsupported."""
    facts = read_company("934", {}, {})
    assert not facts.is_supported
    assert facts.home_currency == "USD"
    assert not facts.is_closed(date(2000, 1, 1))
    assert not read_company("934", {"Country": "CA"}, {}).is_supported


# --- loading ----------------------------------------------------------------------------------


class Sender:
    """Answers requests from a function, and remembers them."""

    realm_id = "934"

    def __init__(self, answer: Callable[[Request], dict[str, Any]]) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Answer:
        self.requests.append(request)
        return Answer(self.answer(request), at=datetime(2026, 3, 2, tzinfo=UTC))


async def test_all_pages_are_loaded() -> None:
    """Pages follow by rows received, a page of one too many included, and none is read twice."""
    sizes = {1: 1001, 1002: 1000, 2002: 3}

    def page(request: Request) -> dict[str, Any]:
        start = int(request.query["query"].split("STARTPOSITION ")[1].split()[0])
        rows = [{"Id": str(start + n), "Name": f"I{start + n}"} for n in range(sizes[start])]
        return {"QueryResponse": {"Item": rows}}

    sender = Sender(page)
    loaded = [one async for rows in load_references(sender, "Item") for one in rows]
    assert [one.id for one in loaded] == [str(n) for n in range(1, 2005)]
    assert [request.query["query"] for request in sender.requests] == [
        page_statement("Item", start) for start in sizes
    ]


async def test_an_empty_list_is_one_read() -> None:
    """A list without rows ends at once."""
    sender = Sender(lambda _request: {"QueryResponse": {}})
    assert [rows async for rows in load_references(sender, "Class")] == []
    assert len(sender.requests) == 1


async def test_company_and_changes_are_loaded() -> None:
    """The company costs two reads, a sweep one; the sweep's time is QuickBooks's own."""
    sender = Sender(lambda _request: {"CompanyInfo": INFO, "Preferences": PREFERENCES})
    assert (await load_company(sender)).name == "Engines Inc."
    since = datetime(2026, 3, 1, tzinfo=UTC)
    changes, at = await load_changes(sender, ["Customer"], since)
    assert changes.objects == []
    assert at == datetime(2026, 3, 2, tzinfo=UTC)
    assert [request.path for request in sender.requests] == [
        "companyinfo/934",
        "preferences",
        "cdc",
    ]
