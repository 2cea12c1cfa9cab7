"""What a document refers to is found in the company, always the same one, or the reason is told."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from reconciler.model import (
    HUBSPOT_PAYMENT_METHODS,
    Action,
    Customer,
    DocumentContent,
    Line,
    ProductReference,
)
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.references import read_reference
from reconciler.reasons import Blocked, Reason
from reconciler.resolve import Book, Resolved, resolve
from tests.deciding import REALM

Row = tuple[str, dict[str, Any]]


def row(entity: str, id_: str, name: str, **more: Any) -> Row:
    named = "DisplayName" if entity in ("Customer", "Vendor") else "Name"
    return entity, {"Id": id_, "SyncToken": "0", named: name, **more}


def book(rows: Iterable[Row], **facts: Any) -> Book:
    """A US company with these entries."""
    company = CompanyFacts(realm_id=REALM, name="Books", country="US", **facts)
    return Book("us", company, [read_reference(entity, each) for entity, each in rows])


WALK_IN = row("Customer", "1", "Walk-in")
WIDGET = row("Item", "2", "Widget", Type="Service")


def sale(**more: Any) -> DocumentContent:
    """A sale of a widget to the walk-in customer."""
    usual: dict[str, Any] = {
        "currency": "USD",
        "txn_date": "2026-11-20",
        "total": Decimal(100),
        "customer": Customer("fixed", display_name="Walk-in"),
        "lines": (Line(Decimal(100), product=ProductReference(name="Widget")),),
    }
    return DocumentContent(**(usual | more))


def sold(company: Book, **more: Any) -> Resolved:
    return resolve(Action.SALES_RECEIPT, sale(**more), company)


# --- payment methods -----------------------------------------------------------------------------

METHODS = [
    WALK_IN, WIDGET, row("PaymentMethod", "3", "Credit Card"), row("PaymentMethod", "4", "Check"),
    row("PaymentMethod", "5", "Voucher", Active=False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "id_"), [("Check", "4"), ("credit card", "3"), ("card", "3"), ("check", "4"), ("", "")]
)
def test_a_payment_method_is_found_by_name_or_by_hubspots_word(said: str, id_: str) -> None:
    """HubSpot says `card` where a new QuickBooks company says Credit Card."""
    assert sold(book(METHODS), payment_method=said).payment_method_id == id_


@pytest.mark.parametrize("named", ["Cash", "Voucher", "Wire"])
def test_a_payment_method_that_is_named_and_not_there_blocks(named: str) -> None:
    """What workflows.yaml names must exist and be in use, payment methods no less than classes."""
    with pytest.raises(Blocked) as stop:
        sold(book(METHODS), payment_method=named)
    assert stop.value.reason == Reason.LIST_ENTRY_NOT_FOUND
    assert f"Payment method “{named}” is not in QuickBooks" in stop.value.sentence


@pytest.mark.parametrize("word", sorted(HUBSPOT_PAYMENT_METHODS))
def test_hubspots_word_never_blocks(word: str) -> None:
    """How the customer paid is HubSpot's to say; nobody chose it in workflows.yaml."""
    assert sold(book([WALK_IN, WIDGET]), payment_method=word).payment_method_id == ""
