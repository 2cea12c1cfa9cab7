"""What a document refers to is found in the company, always the same one, or the reason is told."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


# --- which of several ----------------------------------------------------------------------------


def item(id_: str, name: str, full_name: str = "", **more: Any) -> Row:
    return row(
        "Item", id_, name, **{"FullyQualifiedName": full_name or name, "Type": "Service"} | more
    )


def product(name: str = "", sku: str = "") -> dict[str, Any]:
    return {"lines": (Line(Decimal(100), product=ProductReference(name=name, sku=sku)),)}


LOGOS = [
    item("12", "Logo", "Print:Logo"), item("9", "Logo", "Web:Logo"), item("30", "Logo"),
    item("8", "Logo", "Old:Logo", Active=False),
]  # fmt: skip


@given(st.permutations(LOGOS))
@pytest.mark.parametrize(
    ("name", "id_"), [("Logo", "30"), ("print:logo", "12"), ("Web:Logo", "9"), ("LOGO", "30")]
)
def test_the_full_name_goes_first(name: str, id_: str, rows: list[Row]) -> None:
    """Also where others of that name stand in categories, and however they come from the store."""
    assert sold(book([WALK_IN, *rows]), **product(name)).item_ids == (id_,)
    assert sold(book([WALK_IN, *rows]), fixed_product=name).item_ids == (id_,)


@given(st.permutations(LOGOS[:2]))
def test_of_several_in_categories_the_oldest_is_taken(rows: list[Row]) -> None:
    """Ids grow: 9 is older than 12."""
    assert sold(book([WALK_IN, *rows]), **product("Logo")).item_ids == ("9",)


@given(
    st.permutations(
        [item("12", "A", Sku="R-1"), item("9", "B", Sku="R-1"), item("3", "C", Sku="r-1")]
    )
)
def test_of_several_with_a_sku_the_oldest_is_taken(rows: list[Row]) -> None:
    """Those that spell it in other letters come after it."""
    assert sold(book([WALK_IN, *rows]), **product("C", "R-1")).item_ids == ("9",)


@given(st.permutations([("7", "Income:Fees"), ("12", "Fees"), ("9", "Costs:Fees")]))
def test_accounts_classes_and_terms_are_always_the_same_ones(named: list[tuple[str, str]]) -> None:
    """A name that stands in several places is the one at the top; a full name tells them apart."""
    rows = [
        row(entity, id_, "Fees", FullyQualifiedName=full, AccountType="Bank")
        for entity in ("Account", "Class", "Department")
        for id_, full in named
    ]
    company = book([WALK_IN, WIDGET, *rows])
    found = sold(company, deposit_account="Fees", class_name="fees", department="Costs:Fees")
    assert (found.deposit_account_id, found.class_id, found.department_id) == ("12", "12", "9")


@pytest.mark.parametrize("kind", ["Category", "Group"])
@pytest.mark.parametrize("active", [True, False])
def test_a_category_or_bundle_of_the_name_is_no_product(kind: str, active: bool) -> None:
    """It is not told to be an inactive product, and does not keep the product from being found."""
    other = item("2", "Design", Type=kind, Sku="D-1", Active=active)
    both = book([WALK_IN, other, item("5", "Design", "Other:Design")])
    assert sold(both, **product("Design", "D-1")).item_ids == ("5",)
    alone = book([WALK_IN, other])
    for more in (product("Design"), product(sku="D-1"), {"fixed_product": "Design"}):
        with pytest.raises(Blocked) as stop:
            sold(alone, **more)
        assert stop.value.reason == Reason.PRODUCT_NOT_FOUND
    new = sold(alone, **product("Design", "D-1"), create_missing_products=True)
    assert new.missing_items == (ProductReference(name="Design", sku="D-1"),)


def test_an_inactive_product_is_told_to_be_one() -> None:
    """It may be made active; a second one of its name is not made."""
    for more in ({}, {"create_missing_products": True}):
        with pytest.raises(Blocked) as stop:
            sold(book([WALK_IN, item("2", "Design", Active=False)]), **product("Design"), **more)
        assert stop.value.reason == Reason.PRODUCT_INACTIVE


# --- what an expense is paid from ----------------------------------------------------------------


def account(id_: str, name: str, kind: str = "Bank", currency: str = "") -> Row:
    kept_in = {"CurrencyRef": {"value": currency}} if currency else {}
    return row("Account", id_, name, AccountType=kind, **kept_in)


def vendor(id_: str, name: str, currency: str = "") -> Row:
    kept_in = {"CurrencyRef": {"value": currency}} if currency else {}
    return row("Vendor", id_, name, **kept_in)


CHECKING, FEES = account("35", "Checking"), account("60", "Fees", "Expense")


def spent(company: Book, **more: Any) -> Resolved:
    """An expense from Checking for Fees."""
    usual: dict[str, Any] = {"bank_account": "Checking", "expense_account": "Fees"}
    return resolve(Action.EXPENSE, sale(customer=None, lines=(), **(usual | more)), company)


@pytest.mark.parametrize("kind", ["Bank", "Credit Card"])
def test_an_expense_is_paid_from_a_bank_or_card_account(kind: str) -> None:
    """Those are what QuickBooks takes."""
    found = spent(book([account("9", "Stripe", kind), FEES]), bank_account="Stripe")
    assert found.bank_account is not None
    assert (found.bank_account.id, found.expense_account_id) == ("9", "60")


@pytest.mark.parametrize("kind", ["Other Current Asset", "Accounts Receivable", "Income"])
def test_an_expense_is_paid_from_no_other_account(kind: str) -> None:
    """It is blocked here and not refused there; one of the right type beside it is taken."""
    clearing = account("8", "Stripe", kind)
    with pytest.raises(Blocked) as stop:
        spent(book([clearing, FEES]), bank_account="Stripe")
    assert stop.value.reason == Reason.ACCOUNT_NOT_FOUND
    assert "no active account “Stripe” of type Bank or Credit Card" in stop.value.sentence
    found = spent(book([clearing, account("9", "Stripe"), FEES]), bank_account="Stripe")
    assert found.bank_account is not None
    assert found.bank_account.id == "9"
