"""Every field and value we write is one that Intuit's schema knows: an unknown one is fault 2010.

The names are those of the API Explorer's entity pages and of Finance.xsd of Intuit's Java SDK, as
far as we could write them; a new field in `documents` needs its line here first.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest

from reconciler.model import (
    Action,
    Customer,
    DocumentContent,
    DocumentKey,
    Line,
    ObjectType,
    ProductReference,
)
from reconciler.ports.dispatch import DueDocument
from reconciler.ports.standing import StandingDocument
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.references import Reference
from reconciler.writing.amendments import update_entity
from reconciler.writing.documents import (
    ENTITY_OF,
    customer_entity,
    entity_of,
    item_entity,
    payment_of,
)
from reconciler.writing.resolve import Book, Resolved

REFERENCE = {"value", "name", "type"}
SALES = {
    "CustomerRef", "Line", "DocNumber", "TxnDate", "PrivateNote", "CustomerMemo", "BillEmail",
    "EmailStatus", "PrintStatus", "BillAddr", "ShipAddr", "CurrencyRef", "ExchangeRate",
    "GlobalTaxCalculation", "ClassRef", "DepartmentRef", "CustomField", "ApplyTaxAfterDiscount",
    "TxnTaxDetail", "Id", "SyncToken", "sparse",
}  # fmt: skip
DEPOSIT = {"PaymentMethodRef", "PaymentRefNum", "DepositToAccountRef"}
FIELDS: dict[str, set[str]] = {
    "Invoice": SALES | {"DueDate", "SalesTermRef", "LinkedTxn", "Deposit"},
    "Estimate": SALES | {"DueDate", "ExpirationDate", "TxnStatus", "SalesTermRef"},
    "SalesReceipt": SALES | DEPOSIT,
    "RefundReceipt": SALES | DEPOSIT | {"PaymentType"},
    "Payment": DEPOSIT
    | {"CustomerRef", "TotalAmt", "TxnDate", "CurrencyRef", "ExchangeRate", "PrivateNote", "Line"},
    "Purchase": {
        "PaymentType", "AccountRef", "EntityRef", "Line", "TxnDate", "DocNumber", "PrivateNote",
        "DepartmentRef", "CurrencyRef", "ExchangeRate", "Credit", "Id", "SyncToken", "sparse",
    },
    "Customer": {
        "DisplayName", "GivenName", "FamilyName", "CompanyName", "PrimaryEmailAddr", "PrimaryPhone",
        "Notes", "BillAddr", "CurrencyRef",
    },
    "Item": {"Name", "Type", "IncomeAccountRef", "Sku", "Description", "UnitPrice", "Taxable"},
    "Line": {"DetailType", "Amount", "Description", "LineNum", "LinkedTxn"},
    "SalesItemLineDetail": {
        "ItemRef", "Qty", "UnitPrice", "TaxCodeRef", "ClassRef", "ServiceDate",
    },
    "DiscountLineDetail": {"PercentBased", "DiscountPercent", "DiscountAccountRef"},
    "AccountBasedExpenseLineDetail": {
        "AccountRef", "ClassRef", "CustomerRef", "BillableStatus", "TaxCodeRef", "TaxAmount",
    },
    "TxnTaxDetail": {"TotalTax", "TxnTaxCodeRef", "TaxLine"},
    "LinkedTxn": {"TxnId", "TxnType"},
    "CustomerMemo": {"value"},
    "BillEmail": {"Address"},
    "PrimaryEmailAddr": {"Address"},
    "PrimaryPhone": {"FreeFormNumber"},
    "CustomField": {"DefinitionId", "Type", "StringValue", "Name"},
}  # fmt: skip
VALUES = {
    "DetailType": {"SalesItemLineDetail", "DiscountLineDetail", "AccountBasedExpenseLineDetail"},
    "PaymentType": {"Cash", "Check", "CreditCard"},
    "Type": {"Service", "NonInventory", "Inventory"},
    "TxnType": {"Invoice", "Estimate"},
}
LENGTHS = {
    "DocNumber": 21, "PrivateNote": 4000, "Description": 4000, "PaymentRefNum": 21, "Address": 100,
    "DisplayName": 500, "GivenName": 100, "FamilyName": 100, "CompanyName": 100, "Sku": 100,
    "Notes": 2000, "FreeFormNumber": 30,
}  # fmt: skip
LONG = 'Ünï’"code: \t' * 900

FACTS = CompanyFacts(
    realm_id="1", name="Books", country="US", multicurrency=True, custom_txn_numbers=True,
    using_sales_tax=True, allow_discount=True,
)  # fmt: skip
ACCOUNT = Reference(
    entity="Account", id="35", sync_token="0", active=True, name="Sales", kind="Income"
)
TERM = Reference(entity="Term", id="4", sync_token="0", name="Net 30", data={"DueDays": 30})
RESOLVED = Resolved(
    customer_id="1", item_ids=("2", "3"), term=TERM, deposit_account_id="5", bank_account=ACCOUNT,
    expense_account_id="6", vendor_id="7", class_id="8", department_id="9", payment_method_id="10",
)  # fmt: skip
CUSTOMER = Customer("contact", "301", LONG, LONG, "a" * 80 + "@example.com", LONG, phone=LONG)
CONTENT = DocumentContent(
    currency="USD", txn_date="2026-11-20", total=Decimal("208.00"), customer=CUSTOMER,
    lines=(
        Line(Decimal("100.00"), Decimal(3), None, LONG, tax=Decimal("8.00")),
        Line(Decimal("110.00"), Decimal(2), Decimal("55.00"), "plain"),
    ),
    discount=Decimal("10.00"), tax=Decimal("8.00"), due_date="2026-12-20", payment_terms="Net 30",
    expiration_date="2026-12-20", customer_memo=LONG, private_note=LONG, document_number=LONG,
    payment_method="card",
    payment_reference=LONG, deposit_account="x", bank_account="y", expense_account="z",
    vendor="v", class_name="c", department="d", create_missing_products=True,
)  # fmt: skip
MARKER = "Ref abcdefghijklmnopqrstuvwxyz234567"


def check(kind: str, value: Any) -> None:
    """Every key, value and length below *kind*."""
    if isinstance(value, list):
        for one in value:
            check(kind, one)
    elif isinstance(value, dict):
        allowed = (
            REFERENCE if kind.endswith("Ref") else FIELDS[kind] | VALUES["DetailType"] & set(value)
        )
        if kind == "Line":
            allowed = FIELDS["Line"] | {value.get("DetailType")}
        assert set(value) <= allowed, f"{kind}: {set(value) - allowed}"
        for name, inner in value.items():
            check(name, inner)
    elif kind in VALUES:
        assert value in VALUES[kind], f"{kind} {value}"
    elif kind in LENGTHS:
        assert 1 <= len(value) <= LENGTHS[kind], f"{kind} has {len(value)} characters"
    assert not isinstance(value, float)


@pytest.mark.parametrize("tracking", ["line", "transaction", None])
@pytest.mark.parametrize("action", list(Action))
def test_documents_have_known_fields_only(
    action: Action, tracking: Literal["line", "transaction"] | None
) -> None:
    """With everything filled in, and every text too long, each document is one QuickBooks reads."""
    facts = msgspec.structs.replace(FACTS, class_tracking=tracking)
    entity = entity_of(action, CONTENT, RESOLVED, facts, MARKER)
    check(ENTITY_OF[action], entity)
    assert entity["PrivateNote"].endswith(MARKER), "however long the note, we find it again"


@pytest.mark.parametrize("action", list(Action))
def test_updates_have_known_fields_only(action: Action) -> None:
    """An update names the document and its version, and keeps its date and number."""
    key = DocumentKey("1", action, 4711, ObjectType.DEAL, "5")
    due = DueDocument(
        1, key, "w", 1, 1, 1, 0, "{}", None, ENTITY_OF[action], "77",  # type: ignore[arg-type]
        document_number="HS-1",
    )  # fmt: skip
    standing = StandingDocument(due, None, "3", Decimal(1), "", "open", b"")
    entity = update_entity(standing, CONTENT, RESOLVED, FACTS, MARKER)
    check(ENTITY_OF[action], entity)
    assert (entity["Id"], entity["SyncToken"], entity["sparse"]) == ("77", "3", True)
    assert not {"TxnDate", "DocNumber"} & set(entity)


def test_payments_customers_and_items_have_known_fields_only() -> None:
    """So have the objects that are written beside documents."""
    check("Payment", payment_of(CONTENT, RESOLVED, FACTS, "12", MARKER))
    book = Book("us", FACTS, [ACCOUNT])
    check("Customer", customer_entity(CUSTOMER, "EUR", book))
    check("Item", item_entity(ProductReference("1", LONG, LONG), book))
