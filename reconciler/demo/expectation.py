"""What must be in the QuickBooks books when the feed has been worked through.

Written by the stories as they plant facts, read by `audit` and by the demo's last table. It names
documents the way a bookkeeper would check them: company, kind, customer, lines, tax and total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

ZERO = Decimal(0)

# HubSpot's action -> the QuickBooks entity that carries its amount
ENTITY = {
    "invoice": "Invoice",
    "estimate": "Estimate",
    "sales_receipt": "SalesReceipt",
    "paid_invoice": "Invoice",
    "expense": "Purchase",
    "refund_receipt": "RefundReceipt",
}


class Party(NamedTuple):
    """A customer's identity: HubSpot matches on these three."""

    first: str
    last: str
    email: str

    def __str__(self) -> str:
        return f"{self.first} {self.last} <{self.email}>"


class ProductKey(NamedTuple):
    """How a line's product is found in QuickBooks: by SKU where it has one, else by name."""

    sku: str
    name: str

    def __str__(self) -> str:
        return self.sku or self.name


class ExpectedLine(NamedTuple):
    """One line: net of discounts, before tax. Expenses have lines without a product."""

    amount: Decimal
    taxed: bool = False
    product: ProductKey | None = None


class Wanted(NamedTuple):
    """One thing a workflow may make of one HubSpot object."""

    object_type: str
    object_id: str
    action: str

    def __str__(self) -> str:
        return f"{self.action} of {self.object_type} {self.object_id}"


class ExpectedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that must be in the books exactly once.

    `terms` is the name of the payment terms, None where the story does not fix them.
    """

    realm_id: str
    wanted: Wanted
    total: Decimal
    tax: Decimal = ZERO
    customer: Party | None = None
    lines: tuple[ExpectedLine, ...] = ()
    terms: str | None = None

    @property
    def entity(self) -> str:
        return ENTITY[self.wanted.action]

    @property
    def is_paid(self) -> bool:
        """An invoice that a linked Payment must have settled."""
        return self.wanted.action == "paid_invoice"

    @property
    def marker(self) -> str:
        """The text that its PrivateNote must contain."""
        return f"HubSpot {self.wanted.object_type} {self.wanted.object_id}"


class Unsettled(NamedTuple):
    """A document that must not exist, and what the service must say about it.

    `state` is blocked or waiting. `reasons` are the words that are right: more than one where the
    rules leave the choice open.
    """

    state: str
    reasons: frozenset[str]

    def __str__(self) -> str:
        return f"{self.state} ({' or '.join(sorted(self.reasons))})"


class Company(msgspec.Struct, kw_only=True):
    """What one company's books must hold beyond what they held before the feed."""

    documents: list[ExpectedDocument] = []
    new_customers: set[Party] = set()
    new_items: set[ProductKey] = set()
    known_customers: set[str] = set()  # DisplayNames that were there before
    known_items: set[str] = set()  # Names that were there before


class Expectation(msgspec.Struct, kw_only=True):
    """Everything that must be true at the end, per company (realm id) and per object.

    `never` are documents that a careless rule would make and nobody may; the service need not
    keep a row for them. `dead_letters` is the number of records that can't be understood.
    """

    companies: dict[str, Company]
    unsettled: dict[Wanted, Unsettled] = {}
    never: set[Wanted] = set()
    dead_letters: int = 0

    @property
    def documents(self) -> list[ExpectedDocument]:
        return [document for company in self.companies.values() for document in company.documents]

    def add(
        self, document: ExpectedDocument, existing: Iterable[Party], items: Iterable[ProductKey]
    ) -> None:
        """Enter a document, and the customer and items that it brings into being."""
        company = self.companies[document.realm_id]
        company.documents.append(document)
        if document.customer is not None and document.customer not in set(existing):
            company.new_customers.add(document.customer)
        products = {line.product for line in document.lines if line.product is not None}
        company.new_items |= products - set(items)

    def disagreements(self, found: Mapping[Wanted, tuple[str, str]]) -> list[str]:
        """Compare the states that the service reports, (state, reason) by document, with these."""
        problems = []
        for wanted, expected in self.unsettled.items():
            state, reason = found.get(wanted, ("absent", ""))
            if state != expected.state or reason not in expected.reasons:
                problems.append(f"{wanted} must be {expected}, is {state} ({reason})")
        return problems
