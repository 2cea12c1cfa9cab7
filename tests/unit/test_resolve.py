"""What a document refers to is found in the company, always the same one, or the reason is told."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

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
from reconciler.writing.resolve import (
    Book,
    Resolved,
    customer_key,
    find_customer,
    item_key,
    resolve,
)
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
WALK_IN_ABROAD = row("Customer", "11", "Walk-in (EUR)", CurrencyRef={"value": "EUR"})
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


# --- accents -------------------------------------------------------------------------------------

APART = unicodedata.normalize("NFD", "José Núñez")
WHOLE = unicodedata.normalize("NFC", APART)


@pytest.mark.parametrize(("known", "said"), [(APART, WHOLE), (WHOLE, APART)])
@pytest.mark.parametrize("email", ["jose@example.com", ""])
def test_a_person_is_found_however_the_accents_are_written(
    known: str, said: str, email: str
) -> None:
    """An accented letter is one character or two (NFC or NFD): the person is the same one."""
    given, family = known.split()
    address = {"PrimaryEmailAddr": {"Address": email}} if email else {}
    them = row("Customer", "7", known, GivenName=given, FamilyName=family, **address)
    first, last = said.split()
    found = find_customer(Customer("contact", "301", first, last, email), "", book([them]))
    assert found is not None
    assert found.id == "7"


def test_keys_are_the_same_however_the_accents_are_written() -> None:
    """Two documents of one person or product create it once; keys that are stored stay as they were."""
    facts = book([]).facts
    keys = {
        customer_key(Customer("contact", "1", first, last, "Jose@x.org"), "", facts)
        for first, last in (APART.split(), WHOLE.split())
    }
    assert keys == {"jose@x.org|josé|núñez"}
    skus = {item_key(ProductReference("1", sku, "Soap")) for sku in (APART, WHOLE)}
    assert skus == {"sku josé núñez"}


@pytest.mark.parametrize(("known", "said"), [(APART, WHOLE), (WHOLE, APART)])
def test_a_product_is_found_by_its_sku_however_the_accents_are_written(
    known: str, said: str
) -> None:
    """As a person is."""
    item = row("Item", "8", "Soap", Type="Service", Sku=known)
    line = Line(Decimal(100), product=ProductReference("1", said))
    assert sold(book([WALK_IN, item]), lines=(line,)).item_ids == ("8",)


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


@given(st.permutations([item("12", "Logo", Sku="L-2"), item("30", "Logo", "Web:Logo", Sku="L-3")]))
def test_an_item_of_the_name_with_another_sku_is_another_product(rows: list[Row]) -> None:
    """It is not billed in its place, whichever was made first; a product of its own is made."""
    company = book([WALK_IN, *rows])
    with pytest.raises(Blocked) as stop:
        sold(company, **product("Logo", "L-1"))
    assert stop.value.reason == Reason.PRODUCT_NOT_FOUND
    new = sold(company, **product("Logo", "L-1"), create_missing_products=True)
    assert new.missing_items == (ProductReference(name="Logo", sku="L-1"),)
    bare = book([WALK_IN, *rows, item("40", "Logo", "Print:Logo")])
    assert sold(bare, **product("Logo", "L-1")).item_ids == ("40",)
    assert sold(company, **product("Logo", "l-3")).item_ids == ("30",)
    assert sold(company, **product("Logo")).item_ids == ("12",)
    assert sold(company, **product("Logo", "L-1"), product_source="name").item_ids == ("12",)


@pytest.mark.parametrize("source", ["sku_or_name", "sku", "name"])
@pytest.mark.parametrize("create", [True, False])
def test_a_line_without_name_and_sku_is_told_to_be_one(source: str, create: bool) -> None:
    """No switch of the action helps there, and nothing in QuickBooks."""
    lines = (Line(Decimal(100), product=ProductReference(name="Widget")), Line(Decimal("5.00")))
    company = book([WALK_IN, WIDGET])
    with pytest.raises(Blocked) as stop:
        sold(company, lines=lines[1:], product_source=source, create_missing_products=create)
    assert stop.value.reason == Reason.PRODUCT_UNNAMED
    with pytest.raises(Blocked) as stop:
        sold(company, lines=lines, create_missing_products=create)
    assert stop.value.sentence == "Line item no. 2, of 5.00, has neither a name nor a SKU."
    assert sold(company, lines=lines, fixed_product="Widget").item_ids == ("2", "2")


@pytest.mark.parametrize(
    ("product_id", "told"), [("1002", "1002"), ("1003", "1003"), ("", "no product id")]
)
def test_a_product_that_is_not_in_the_map_is_told_to_be_one(product_id: str, told: str) -> None:
    """Neither is one that the map has an item for that QuickBooks has not; a name is not looked for."""
    mapped = {"product_source": "id_map", "product_map": {"1001": "2", "1003": "77"}}

    def line(id_: str) -> tuple[Line, ...]:
        return (Line(Decimal(100), product=ProductReference(id_, name="Widget")),)

    company = book([WALK_IN, WIDGET])
    assert sold(company, lines=line("1001"), **mapped).item_ids == ("2",)
    with pytest.raises(Blocked) as stop:
        sold(company, lines=line(product_id), **mapped)
    assert stop.value.reason == Reason.PRODUCT_UNMAPPED
    assert f"HubSpot product “Widget” ({told})" in stop.value.sentence
    assert "create_missing_products" not in stop.value.detail


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


# --- currencies ----------------------------------------------------------------------------------

TRADING = {"multicurrency": True, "home_currency": "USD"}


class Case(NamedTuple):
    """Entries of a company that keeps several currencies, and what a document in one of them gets:
    an id, or the beginning of the sentence that says why it is blocked."""

    rows: Iterable[Row]
    currency: str
    outcome: str


def outcome_of(find: Callable[[], str]) -> str:
    try:
        return find()
    except Blocked as stop:
        return stop.detail


ACCOUNTS = {
    "the home currency's serves a foreign document": Case([account("1", "A", currency="USD")], "EUR", "1"),
    "one that states no currency is the home one's": Case([account("1", "A")], "EUR", "1"),
    "the home currency's serves a home document": Case([account("1", "A", currency="USD")], "USD", "1"),
    "one in the document's own": Case([account("1", "A", currency="EUR")], "EUR", "1"),
    "a third currency's": Case(
        [account("1", "A", currency="GBP")], "EUR",
        "Account “A” is kept in GBP in QuickBooks, and the document is in EUR. "
        "A currency can't be changed there: create “A (EUR)” in EUR",
    ),
    "a foreign one and a home document": Case(
        [account("1", "A", currency="EUR")], "USD",
        "Account “A” is kept in EUR in QuickBooks, and the document is in USD.",
    ),
    "a third currency's, and one called after the document's": Case(
        [account("1", "A", currency="GBP"), account("2", "A (EUR)", currency="EUR")], "EUR", "2"
    ),
    "one called after a currency that it is not kept in": Case(
        [account("1", "A", currency="GBP"), account("2", "A (EUR)", currency="JPY")], "EUR",
        "Account “A” is kept in GBP",
    ),
    "an inactive one of the right currency": Case(
        [account("1", "A", currency="GBP"),
         row("Account", "2", "A (EUR)", AccountType="Bank", Active=False, CurrencyRef={"value": "EUR"})],
        "EUR", "Account “A” is kept in GBP",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCOUNTS.values(), ids=ACCOUNTS)
def test_accounts_are_in_the_home_currency_or_the_documents(case: Case) -> None:
    """Of expenses the account paid from and the one booked to, of sales the one deposited to."""
    company = book([*case.rows, WALK_IN_ABROAD, WALK_IN, WIDGET, CHECKING, FEES], **TRADING)
    spendable = [
        (entity, {**each, "AccountType": "Expense"} if entity == "Account" else each)
        for entity, each in case.rows
    ]
    expenses = book([*spendable, CHECKING], **TRADING)

    def paid_from() -> str:
        found = spent(company, bank_account="A", currency=case.currency).bank_account
        assert found is not None
        return found.id

    for find in (
        paid_from,
        lambda: spent(expenses, expense_account="A", currency=case.currency).expense_account_id,
        lambda: sold(company, deposit_account="A", currency=case.currency).deposit_account_id,
    ):
        assert outcome_of(find).startswith(case.outcome)


VENDORS = {
    "kept in the document's": Case([vendor("1", "HubSpot", "EUR")], "EUR", "1"),
    "kept in the home currency, as is the document": Case([vendor("1", "HubSpot", "USD")], "USD", "1"),
    "stating no currency, and a home document": Case([vendor("1", "HubSpot")], "USD", "1"),
    "stating no currency, and a foreign document": Case(
        [vendor("1", "HubSpot")], "EUR",
        "Vendor “HubSpot” is kept in USD in QuickBooks, and the document is in EUR. "
        "A currency can't be changed there: create “HubSpot (EUR)” in EUR",
    ),
    "kept in another": Case(
        [vendor("1", "HubSpot", "GBP")], "USD", "Vendor “HubSpot” is kept in GBP in QuickBooks"
    ),
    "one for each currency": Case(
        [vendor("1", "HubSpot", "USD"), vendor("2", "HubSpot (EUR)", "EUR")], "EUR", "2"
    ),
    "none at all": Case([], "EUR", "Vendor “HubSpot” is not in QuickBooks"),
}  # fmt: skip


@pytest.mark.parametrize("case", VENDORS.values(), ids=VENDORS)
def test_the_vendor_of_an_expense_is_kept_in_its_currency(case: Case) -> None:
    """QuickBooks keeps a vendor in one currency, and takes no document in another."""
    company = book([*case.rows, CHECKING, FEES], **TRADING)
    found = outcome_of(lambda: spent(company, vendor="HubSpot", currency=case.currency).vendor_id)
    assert found.startswith(case.outcome)


def test_a_document_that_names_no_currency_is_in_the_home_one() -> None:
    """So are its vendor and accounts."""
    rows = [vendor("1", "HubSpot", "EUR"), vendor("2", "HubSpot", "USD"), CHECKING, FEES]
    assert spent(book(rows, **TRADING), vendor="HubSpot", currency="").vendor_id == "2"


def test_with_one_currency_nothing_is_said_of_any() -> None:
    """Where multicurrency is off QuickBooks's entries are all in the home currency; others are refused."""
    rows = [vendor("1", "HubSpot"), vendor("2", "HubSpot (USD)"), CHECKING, FEES]
    assert spent(book(rows), vendor="HubSpot").vendor_id == "1"
    with pytest.raises(Blocked) as stop:
        spent(book(rows), vendor="HubSpot", currency="EUR")
    assert stop.value.reason == Reason.CURRENCY_MISMATCH


@pytest.mark.parametrize(("currency", "id_"), [("USD", "1"), ("EUR", "11"), ("", "1")])
def test_a_fixed_customer_is_the_one_of_the_currency(currency: str, id_: str) -> None:
    """“Walk-in (EUR)” stands in for Walk-in where euros are billed."""
    company = book([WALK_IN_ABROAD, WALK_IN, WIDGET], **TRADING)
    assert sold(company, currency=currency).customer_id == id_
    with pytest.raises(Blocked) as stop:
        sold(company, currency="GBP")
    assert stop.value.reason == Reason.OTHER_CURRENCY
    assert "create “Walk-in (GBP)” in GBP" in stop.value.detail
