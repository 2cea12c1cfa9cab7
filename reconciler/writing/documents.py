"""Writes the QuickBooks entities of a document. Pure; called by `prepare` and `amend`.

Field names, lengths and rules are those of the Accounting API's entity reference
(developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities, minor version 75).
Amounts are exact: each line's Amount is what the source says, UnitPrice is given only where
Qty × UnitPrice rounds to it (fault 6070), and the tax is the source's: TotalTax on every form with
a taxed line, and code NON on lines without tax, so that QuickBooks works out none of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from reconciler.model import Action, Customer, DocumentContent, Line, ProductReference
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.names import (
    AUTO_NUMBER,
    MAX_CUSTOMER_MEMO,
    MAX_SKU,
    clean_line,
    clean_text,
    company_name,
    customer_names,
    document_number,
    email_address,
    item_names,
    payment_reference,
    person_name,
    phone_number,
)
from reconciler.reasons import Blocked, Reason
from reconciler.writing.resolve import Book, Resolved, income_account

Entity = dict[str, Any]

ENTITY_OF = {
    Action.INVOICE: "Invoice",
    Action.ESTIMATE: "Estimate",
    Action.SALES_RECEIPT: "SalesReceipt",
    Action.PAID_INVOICE: "Invoice",
    Action.EXPENSE: "Purchase",
    Action.REFUND_RECEIPT: "RefundReceipt",
}
"""The entity that stands for the document; a paid invoice also has a Payment, written second."""

_NUMBERED_ON_DEMAND = (Action.INVOICE, Action.ESTIMATE, Action.SALES_RECEIPT, Action.PAID_INVOICE)

_PRIVATE_NOTE = 4000
_DESCRIPTION = 4000
_CUSTOM_FIELD = 31


def entity_of(
    action: Action, content: DocumentContent, resolved: Resolved, facts: CompanyFacts, marker: str
) -> Entity:
    """The document's own entity; *marker* is put in its private note to find it again by."""
    if action is Action.EXPENSE:
        return _purchase(content, resolved, facts, marker)
    entity = _sales_form(content, resolved, facts, marker)
    if facts.custom_txn_numbers and action in _NUMBERED_ON_DEMAND:
        entity.setdefault("DocNumber", AUTO_NUMBER)
    if action in (Action.INVOICE, Action.PAID_INVOICE):
        _set(entity, "DueDate", content.due_date)
        _set_ref(entity, "SalesTermRef", resolved.term.id if resolved.term else "")
    if action is Action.ESTIMATE:
        _set(entity, "ExpirationDate", content.expiration_date)
    if action in (Action.SALES_RECEIPT, Action.REFUND_RECEIPT):
        _set_money_received(entity, content, resolved)
    return entity


def payment_of(
    content: DocumentContent, resolved: Resolved, facts: CompanyFacts, invoice_id: str, marker: str
) -> Entity:
    """The Payment that pays a paid invoice in full."""
    entity: Entity = {
        "CustomerRef": {"value": resolved.customer_id},
        "TotalAmt": content.total,
        "TxnDate": content.txn_date,
        "PrivateNote": _note(content, marker),
        "Line": [
            {"Amount": content.total, "LinkedTxn": [{"TxnId": invoice_id, "TxnType": "Invoice"}]}
        ],
    }
    _set_currency(entity, content, resolved, facts)
    _set_money_received(entity, content, resolved)
    return entity


def _sales_form(
    content: DocumentContent, resolved: Resolved, facts: CompanyFacts, marker: str
) -> Entity:
    entity: Entity = {
        "CustomerRef": {"value": resolved.customer_id},
        "TxnDate": content.txn_date,
        "PrivateNote": _note(content, marker),
        "Line": list(_lines(content, resolved, facts)),
    }
    if facts.using_sales_tax and any(line.tax for line in content.lines):
        entity["TxnTaxDetail"] = {"TotalTax": content.tax}
    if content.customer_memo:
        entity["CustomerMemo"] = {"value": clean_text(content.customer_memo, MAX_CUSTOMER_MEMO)}
    if content.customer and (email := email_address(content.customer.email)):
        entity["BillEmail"] = {"Address": email}
    if facts.custom_txn_numbers:
        _set(entity, "DocNumber", document_number(content.document_number))
    if content.custom_fields:
        entity["CustomField"] = _custom_fields(content, resolved)
    if facts.class_tracking != "line":
        _set_ref(entity, "ClassRef", resolved.class_id)
    _set_ref(entity, "DepartmentRef", resolved.department_id)
    _set_currency(entity, content, resolved, facts)
    return entity


def _custom_fields(content: DocumentContent, resolved: Resolved) -> list[Entity]:
    """At most 31 characters each (CustomField.StringValue)."""
    together = zip(content.custom_fields, resolved.custom_field_ids, strict=True)
    return [
        {
            "DefinitionId": definition_id,
            "Name": name,
            "Type": "StringType",
            "StringValue": clean_line(text, _CUSTOM_FIELD),
        }
        for (name, text), definition_id in together
    ]


def _lines(content: DocumentContent, resolved: Resolved, facts: CompanyFacts) -> Iterable[Entity]:
    class_id = resolved.class_id if facts.class_tracking == "line" else ""
    for line, item_id in zip(content.lines, resolved.item_ids, strict=True):
        entity = _line(line, item_id, facts)
        _set_ref(entity["SalesItemLineDetail"], "ClassRef", class_id)
        yield entity
    if content.discount:
        yield {
            "DetailType": "DiscountLineDetail",
            "Amount": content.discount,
            "DiscountLineDetail": {"PercentBased": False},
        }


def _line(line: Line, item_id: str | None, facts: CompanyFacts) -> Entity:
    taxed = line.tax and facts.using_sales_tax  # taxable at nothing is NON: TAX may be worked out
    detail: Entity = {
        "ItemRef": {"value": item_id},
        "TaxCodeRef": {"value": "TAX" if taxed else "NON"},
    }
    description = line.description
    if line.unit_price is None:
        # Amount alone: QuickBooks would refuse a quantity it can't multiply to the same cents.
        description = f"{description} ({_plain(line.quantity)} ×)".strip()
    else:
        detail["Qty"] = line.quantity
        detail["UnitPrice"] = line.unit_price
    entity: Entity = {
        "DetailType": "SalesItemLineDetail",
        "Amount": line.amount,
        "SalesItemLineDetail": detail,
    }
    _set(entity, "Description", clean_text(description, _DESCRIPTION))
    return entity


def _purchase(
    content: DocumentContent, resolved: Resolved, facts: CompanyFacts, marker: str
) -> Entity:
    """The fees as an expense paid from the bank or card account they were taken from.

    A Purchase has no class of its own: the line bears it however classes are tracked.
    """
    account = resolved.bank_account
    assert account is not None  # resolve() found it or blocked the document
    detail: Entity = {"AccountRef": {"value": resolved.expense_account_id}}
    _set_ref(detail, "ClassRef", resolved.class_id)
    entity: Entity = {
        "PaymentType": "CreditCard" if account.kind == "Credit Card" else "Cash",
        "AccountRef": {"value": account.id},
        "TxnDate": content.txn_date,
        "PrivateNote": _note(content, marker),
        "Line": [
            {
                "DetailType": "AccountBasedExpenseLineDetail",
                "Amount": content.total,
                "Description": clean_text(content.private_note, _DESCRIPTION),
                "AccountBasedExpenseLineDetail": detail,
            }
        ],
    }
    if facts.custom_purchase_numbers:
        _set(entity, "DocNumber", document_number(content.document_number))
    if resolved.vendor_id:
        entity["EntityRef"] = {"value": resolved.vendor_id, "type": "Vendor"}
    _set_ref(entity, "DepartmentRef", resolved.department_id)
    _set_currency(entity, content, resolved, facts)
    return entity


# --- customers and items --------------------------------------------------------------------------


def customer_entity(customer: Customer, currency: str, book: Book) -> Entity:
    """A new customer under the first of its names that nobody in the company bears yet."""
    full_name = customer.full_name
    foreign = book.facts.foreign_currency(currency)
    names = customer_names(full_name, customer.email, customer.hubspot_id, foreign)
    entity: Entity = {"DisplayName": _free_name(names, book.name_is_taken, "customer", full_name)}
    _set(entity, "GivenName", person_name(customer.first_name))
    _set(entity, "FamilyName", person_name(customer.last_name))
    _set(entity, "CompanyName", company_name(customer.company_name))
    if email := email_address(customer.email):
        entity["PrimaryEmailAddr"] = {"Address": email}
    if phone := phone_number(customer.phone):
        entity["PrimaryPhone"] = {"FreeFormNumber": phone}
    if customer.hubspot_id:
        entity["Notes"] = f"HubSpot {customer.source} {customer.hubspot_id}"
    _set_ref(entity, "CurrencyRef", currency)
    return entity


def item_entity(product: ProductReference, book: Book) -> Entity:
    """A new service item; QuickBooks demands an income account for it."""
    wanted = product.name or product.sku
    names = item_names(wanted, product.sku, product.hubspot_product_id)
    entity: Entity = {
        "Name": _free_name(names, book.item_name_is_taken, "product", wanted),
        "Type": "Service",
        "IncomeAccountRef": {"value": income_account(book).id},
    }
    _set(entity, "Sku", clean_line(product.sku, MAX_SKU))
    return entity


def _free_name(
    names: Iterable[str], is_taken: Callable[[str], bool], kind: str, wanted: str
) -> str:
    """The first name that nobody bears. Raises `Blocked` if none is left."""
    tried = []
    for name in names:
        if not is_taken(name):
            return name
        tried.append(f"“{name}”")
    raise Blocked(Reason.NAME_TAKEN, kind=kind, item=wanted, names=", ".join(tried))


# --- shared ---------------------------------------------------------------------------------------


def _set_money_received(entity: Entity, content: DocumentContent, resolved: Resolved) -> None:
    _set_ref(entity, "PaymentMethodRef", resolved.payment_method_id)
    _set_ref(entity, "DepositToAccountRef", resolved.deposit_account_id)
    _set(entity, "PaymentRefNum", payment_reference(content.payment_reference))


def _set_currency(
    entity: Entity, content: DocumentContent, resolved: Resolved, facts: CompanyFacts
) -> None:
    _set_ref(entity, "CurrencyRef", facts.stated_currency(content.currency))
    if resolved.exchange_rate is not None:
        entity["ExchangeRate"] = resolved.exchange_rate


def _note(content: DocumentContent, marker: str) -> str:
    """The private note: the source, and last the marker, which is never cut off."""
    return f"{clean_text(content.private_note, _PRIVATE_NOTE - len(marker) - 1)}\n{marker}"


def _set(entity: Entity, name: str, text: str) -> None:
    if text:
        entity[name] = text


def _set_ref(entity: Entity, name: str, id_: str) -> None:
    if id_:
        entity[name] = {"value": id_}


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
