"""What documents refer to in a company: customers, items, terms, accounts and so on; pure.

The loader turns query and CDC answers into `Reference`s, the store keeps them per company, and
the dispatcher resolves names against them, so that a document costs no metered read. Removed
objects are only known from CDC. Facts: the API Explorer's entity pages and developer.intuit.com/
.../explore-the-quickbooks-online-api/change-data-capture, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from reconciler.quickbooks import queries
from reconciler.quickbooks.names import email_key, name_key
from reconciler.quickbooks.payload import Payload

REFERENCE_ENTITIES = (
    "Account",
    "Class",
    "Customer",
    "Department",
    "Employee",
    "Item",
    "PaymentMethod",
    "TaxCode",
    "Term",
    "Vendor",
)

WITHOUT_CDC = frozenset({"JournalCode", "TaxAgency", "TaxCode", "TaxRate", "TimeActivity"})
"""Change data capture does not cover these: load them whole now and then."""

KEPT_FIELDS: dict[str, tuple[str, ...]] = {
    "Account": ("AccountSubType", "AcctNum", "Classification", "CurrencyRef"),
    "Class": ("ParentRef",),
    "Customer": (
        "CompanyName",
        "CurrencyRef",
        "DefaultTaxCodeRef",
        "Job",
        "ParentRef",
        "SalesTermRef",
        "Taxable",
    ),
    "Department": ("ParentRef",),
    "Employee": (),
    "Item": ("IncomeAccountRef", "ExpenseAccountRef", "InvStartDate", "ParentRef", "Taxable"),
    "PaymentMethod": (),
    "TaxCode": ("Taxable", "TaxGroup"),
    "Term": ("DueDays", "DayOfMonthDue", "DueNextMonthDays"),
    "Vendor": ("CurrencyRef",),
}
"""What documents need beyond the columns of `Reference`; the rest is not stored."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a name list as QuickBooks last told it.

    `name` is the DisplayName or Name, `name_key` the same for comparing, and `full_name_key` that
    of the fully qualified name ("Parent:Child"), which alone is unique for items, accounts, classes
    and departments. `kind` is an Account's AccountType, an Item's or PaymentMethod's Type. `data`
    holds `KEPT_FIELDS`.
    """

    entity: str
    id: str
    sync_token: str
    active: bool = True
    name: str = ""
    name_key: str = ""
    full_name_key: str = ""
    email_key: str = ""
    given_name: str = ""
    family_name: str = ""
    sku: str = ""
    kind: str = ""
    data: dict[str, Any] = {}

    @property
    def currency(self) -> str:
        """That of a customer, vendor or account, fixed for ever; "" where QuickBooks tells none."""
        given = self.data.get("CurrencyRef")
        return _text(given, "value") if isinstance(given, dict) else ""


def read_reference(entity: str, row: Payload) -> Reference:
    """One row of a query, or the object that a write answered, as a Reference."""
    name = _text(row, "DisplayName") if entity in PEOPLE else _text(row, "Name")
    email = row.get("PrimaryEmailAddr")
    return Reference(
        entity=entity,
        id=_text(row, "Id"),
        sync_token=_text(row, "SyncToken"),
        active=row.get("Active") is not False,
        name=name,
        name_key=name_key(name),
        full_name_key=name_key(_text(row, "FullyQualifiedName") or name),
        email_key=email_key(_text(email, "Address")) if isinstance(email, dict) else "",
        given_name=_text(row, "GivenName"),
        family_name=_text(row, "FamilyName"),
        sku=_text(row, "Sku"),
        kind=_text(row, "AccountType") or _text(row, "Type"),
        data={field: row[field] for field in KEPT_FIELDS.get(entity, ()) if field in row},
    )


PEOPLE = frozenset({"Customer", "Vendor", "Employee"})
"""These share one space of DisplayNames (fault 6240)."""


def read_references(entity: str, rows: Iterable[Payload]) -> list[Reference]:
    """The rows of one page."""
    return [read_reference(entity, row) for row in rows]


def page_statement(entity: str, start: int = 1) -> str:
    """The statement for one page of a whole list, inactive entries included."""
    return queries.select(entity, start=start)


def _text(row: Payload, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""
