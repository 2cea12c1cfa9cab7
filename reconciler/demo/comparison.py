"""Compares a company's books with what was expected of them, to the cent. Pure; used by `audit`.

Everything in the books must be accounted for: a document nobody expected is as wrong as one that
is missing. Documents are recognised by the marker in their PrivateNote.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from reconciler.demo.books import Books, Entity
from reconciler.demo.expectation import Company, ExpectedDocument, Party, ProductKey

_MARKED = ("Invoice", "Estimate", "SalesReceipt", "RefundReceipt", "Purchase")
_MARKER = re.compile(r"HubSpot (?:deal|quote|payment) \d+")
_SEPARATORS = re.compile(r"[:\-\s]")
_LONGEST_NAME = 90  # QuickBooks cuts item names at 100; room for what keeps two apart
_STARTER_ITEMS = frozenset({"Services", "Hours"})  # a new US company has these


class Problem(NamedTuple):
    """One thing that is not as it must be."""

    realm_id: str
    kind: str  # missing, doubled, unexpected, or the field that is wrong
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.realm_id}  {self.kind:<11} {self.subject}  {self.detail}".rstrip()


class Line(NamedTuple):
    """A line as it stands in the books, comparable with an expected one."""

    amount: Decimal
    taxed: bool
    product: str

    def __str__(self) -> str:
        return f"{self.amount} {'TAX' if self.taxed else 'NON'} {self.product}".rstrip()


class Found(NamedTuple):
    """A company's books with their lists by id."""

    books: Books
    customers: dict[str, Entity]
    items: dict[str, Entity]
    terms: dict[str, str]
    payments: dict[str, list[Entity]]  # by the id of the invoice they pay


def compare(books: Books, expected: Company) -> list[Problem]:
    """Every difference between the books and the expectation; empty when they agree."""
    found = _indexed(books)
    return [
        *_document_problems(found, expected.documents),
        *_payment_problems(found, expected.documents),
        *_customer_problems(found, expected),
        *_item_problems(found, expected),
    ]


def _indexed(books: Books) -> Found:
    payments: defaultdict[str, list[Entity]] = defaultdict(list)
    for payment in books.of("Payment"):
        for invoice_id in _paid_invoices(payment):
            payments[invoice_id].append(payment)
    return Found(
        books,
        {row["Id"]: row for row in books.of("Customer")},
        {row["Id"]: row for row in books.of("Item")},
        {row["Id"]: row["Name"] for row in books.of("Term")},
        dict(payments),
    )


# --- documents ---


def _document_problems(found: Found, documents: Iterable[ExpectedDocument]) -> Iterator[Problem]:
    realm_id = found.books.realm_id
    actual: defaultdict[tuple[str, str], list[Entity]] = defaultdict(list)
    for entity in _MARKED:
        for row in found.books.of(entity):
            actual[entity, _marker(row)].append(row)
    for document in documents:
        rows = actual.pop((document.entity, document.marker), [])
        if not rows:
            yield Problem(realm_id, "missing", str(document.wanted), f"{document.total}")
            continue
        if len(rows) > 1:
            ids = ", ".join(row["Id"] for row in rows)
            yield Problem(realm_id, "doubled", str(document.wanted), f"{document.entity} {ids}")
        yield from _field_problems(found, document, rows[0])
    for (entity, marker), rows in actual.items():
        for row in rows:
            detail = f"{marker or 'no marker'}, {_total(row)}"
            yield Problem(realm_id, "unexpected", f"{entity} {row['Id']}", detail)


def _field_problems(found: Found, document: ExpectedDocument, row: Entity) -> Iterator[Problem]:
    checks = [
        ("total", document.total, _total(row)),
        ("tax", document.tax, Decimal(row.get("TxnTaxDetail", {}).get("TotalTax", 0))),
        ("lines", _expected_lines(document), _lines(found, document, row)),
    ]
    if document.customer is not None:
        checks.append(("customer", _party(document.customer), _customer(found, row)))
    if document.terms is not None:
        term_id = row.get("SalesTermRef", {}).get("value", "")
        checks.append(("terms", document.terms, found.terms.get(term_id, "none")))
    if document.entity == "Invoice":
        owed = Decimal(0) if document.is_paid else document.total
        checks.append(("balance", owed, Decimal(row.get("Balance", 0))))
    for kind, expected, actual in checks:
        if expected != actual:
            detail = f"must be {_shown(expected)}, is {_shown(actual)}"
            subject = f"{document.wanted} ({document.entity} {row['Id']})"
            yield Problem(found.books.realm_id, kind, subject, detail)


def _expected_lines(document: ExpectedDocument) -> list[Line]:
    return sorted(
        Line(line.amount, line.taxed, _product(line.product) if line.product else "")
        for line in document.lines
    )


def _lines(found: Found, document: ExpectedDocument, row: Entity) -> list[Line]:
    """Lines that carry money, products named as the expectation names them."""
    skus = {line.product.sku for line in document.lines if line.product}
    lines = []
    for line in row.get("Line", []):
        match line.get("DetailType"):
            case "SubTotalLineDetail" | "DescriptionOnly":
                continue
            case "SalesItemLineDetail":
                detail = line["SalesItemLineDetail"]
                item = found.items.get(detail.get("ItemRef", {}).get("value", ""), {})
                taxed = detail.get("TaxCodeRef", {}).get("value") == "TAX"
                lines.append(Line(Decimal(line["Amount"]), taxed, _item_key(item, skus)))
            case "AccountBasedExpenseLineDetail":
                lines.append(Line(Decimal(line["Amount"]), False, ""))
            case other:
                lines.append(Line(Decimal(line.get("Amount", 0)), False, f"a {other}"))
    return sorted(lines)


def _item_key(item: Entity, skus: Iterable[str]) -> str:
    if not item.get("Active", True):
        return f"inactive item {item.get('Name')}"
    sku = item.get("Sku", "")
    known_by_sku = sku and sku in skus
    return _product(ProductKey(sku, "") if known_by_sku else ProductKey("", item.get("Name", "")))


# --- payments, customers, items ---


def _payment_problems(found: Found, documents: Iterable[ExpectedDocument]) -> Iterator[Problem]:
    """Each paid invoice is settled by exactly one payment, and there are no others."""
    realm_id = found.books.realm_id
    invoices = {_marker(row): row for row in found.books.of("Invoice")}
    accounted: set[str] = set()
    for document in documents:
        invoice = invoices.get(document.marker) if document.is_paid else None
        if invoice is None:
            continue
        payments = found.payments.get(invoice["Id"], [])
        accounted |= {payment["Id"] for payment in payments}
        amounts = [_total(payment) for payment in payments]
        if amounts != [document.total]:
            detail = f"must be one of {document.total}, is {[str(one) for one in amounts]}"
            yield Problem(realm_id, "payment", str(document.wanted), detail)
        elif payments[0]["CustomerRef"]["value"] != invoice["CustomerRef"]["value"]:
            yield Problem(realm_id, "payment", str(document.wanted), "is another customer's")
    for payment in found.books.of("Payment"):
        if payment["Id"] not in accounted:
            yield Problem(realm_id, "unexpected", f"Payment {payment['Id']}", f"{_total(payment)}")


def _customer_problems(found: Found, expected: Company) -> Iterator[Problem]:
    actual = Counter(
        _identity(row)
        for row in found.customers.values()
        if row.get("DisplayName") not in expected.known_customers
    )
    wanted = Counter(_party(party) for party in expected.new_customers)
    yield from _list_problems(found.books.realm_id, "customer", wanted, actual)


def _item_problems(found: Found, expected: Company) -> Iterator[Problem]:
    known = expected.known_items | _STARTER_ITEMS
    skus = {key.sku for key in expected.new_items}
    actual = Counter(
        _item_key(row, skus)
        for row in found.items.values()
        if row.get("Name", "").removesuffix(" (deleted)") not in known
    )
    wanted = Counter(_product(key) for key in expected.new_items)
    yield from _list_problems(found.books.realm_id, "item", wanted, actual)


def _list_problems(
    realm_id: str, kind: str, wanted: Counter[str], actual: Counter[str]
) -> Iterator[Problem]:
    for name in (wanted - actual).elements():
        yield Problem(realm_id, "missing", f"{kind} {name}")
    for name in (actual - wanted).elements():
        yield Problem(realm_id, "doubled" if name in wanted else "unexpected", f"{kind} {name}")


# --- reading rows ---


def _marker(row: Entity) -> str:
    match = _MARKER.search(row.get("PrivateNote", ""))
    return match[0] if match else ""


def _total(row: Entity) -> Decimal:
    return Decimal(row.get("TotalAmt", 0))


def _paid_invoices(payment: Entity) -> Iterator[str]:
    for line in payment.get("Line", []):
        for linked in line.get("LinkedTxn", []):
            if linked.get("TxnType") == "Invoice":
                yield linked["TxnId"]


def _customer(found: Found, row: Entity) -> str:
    customer = found.customers.get(row.get("CustomerRef", {}).get("value", ""))
    return _identity(customer) if customer else "none"


def _identity(customer: Entity) -> str:
    email = customer.get("PrimaryEmailAddr", {}).get("Address", "")
    return _party(Party(customer.get("GivenName", ""), customer.get("FamilyName", ""), email))


def _party(party: Party) -> str:
    return f"{_bare(party.first)} {_bare(party.last)} <{party.email}>"


def _product(key: ProductKey) -> str:
    return key.sku or _bare(key.name)[:_LONGEST_NAME]


def _bare(name: str) -> str:
    """A name without separators. QuickBooks refuses colons and tabs in names, and whether they
    become a space, a hyphen or nothing is for the service to choose."""
    return _SEPARATORS.sub("", name)


def _shown(value: Any) -> str:
    return f"[{'; '.join(map(str, value))}]" if isinstance(value, list) else str(value)
