"""What must be known of a company before documents are made for it; pure.

Read once when a company is connected and now and then after, from CompanyInfo and Preferences.
Facts: the API Explorer pages of both and developer.intuit.com/.../workflows/
manage-sales-tax-for-us-locales, read 2026-11.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import msgspec

from reconciler.quickbooks.names import folded
from reconciler.quickbooks.payload import Payload


class CompanyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A company's country and settings; a setting QuickBooks does not tell counts as off."""

    realm_id: str
    name: str
    country: str
    home_currency: str = "USD"
    multicurrency: bool = False
    custom_txn_numbers: bool = False
    """Our DocNumber is kept on sales forms; if off QuickBooks counts by itself."""
    custom_purchase_numbers: bool = False
    using_sales_tax: bool = False
    automated_sales_tax: bool | None = None
    """Whether it has Intuit's Automated Sales Tax; None: stored before that was read."""
    allow_discount: bool = False
    class_tracking: Literal["off", "transaction", "line"] | None = None
    """Whether a form has one class or each line its own; None: stored before that was read."""
    department_tracking: bool | None = None
    """Whether forms have a department; None: stored before that was read."""
    book_close_date: date | None = None
    """Documents dated on or before it are refused (fault 6210)."""
    custom_fields: dict[str, str] = {}
    """Definition ids of the text fields on sales forms, by name in lower case."""

    @property
    def is_supported(self) -> bool:
        """Only US companies are: taxes elsewhere need a code on every line."""
        return self.country.upper() in {"US", "USA", "UNITED STATES"}

    def stated_currency(self, currency: str) -> str:
        """What a document in *currency* states; "" with multicurrency off, where there is but one."""
        return (currency or self.home_currency) if self.multicurrency else ""

    def foreign_currency(self, currency: str) -> str:
        """The currency of a document that is booked at an exchange rate; "" for the others."""
        stated = self.stated_currency(currency)
        return "" if stated == self.home_currency else stated

    def is_closed(self, day: date) -> bool:
        """Whether the books are closed for a document of that date."""
        return self.book_close_date is not None and day <= self.book_close_date


def read_company(realm_id: str, company_info: Payload, preferences: Payload) -> CompanyFacts:
    """From the CompanyInfo and Preferences objects of their answers."""
    sales = _part(preferences, "SalesFormsPrefs")
    tax = _part(preferences, "TaxPrefs")
    accounting = _part(preferences, "AccountingInfoPrefs")
    currency = _part(preferences, "CurrencyPrefs")
    return CompanyFacts(
        realm_id=realm_id,
        name=str(company_info.get("CompanyName") or company_info.get("LegalName") or ""),
        country=_country(company_info),
        home_currency=str(_part(currency, "HomeCurrency").get("value") or "USD"),
        multicurrency=_flag(currency, "MultiCurrencyEnabled"),
        custom_txn_numbers=_flag(sales, "CustomTxnNumbers"),
        custom_purchase_numbers=_flag(
            _part(preferences, "VendorAndPurchasesPrefs"), "UseCustomTxnNumbers"
        ),
        using_sales_tax=_flag(tax, "UsingSalesTax"),
        automated_sales_tax="PartnerTaxEnabled" in tax,  # left out in companies without it
        allow_discount=_flag(sales, "AllowDiscount"),
        class_tracking=_class_tracking(accounting),
        department_tracking=_flag(accounting, "TrackDepartments"),
        book_close_date=_date(accounting.get("BookCloseDate")),
        custom_fields=_custom_fields(sales),
    )


def _class_tracking(accounting: Payload) -> Literal["off", "transaction", "line"]:
    """Per line has two names: the entity page's and the one in answers."""
    if _flag(accounting, "ClassTrackingPerTxnLine") or _flag(accounting, "ClassTrackingPerLine"):
        return "line"
    return "transaction" if _flag(accounting, "ClassTrackingPerTxn") else "off"


def _custom_fields(sales: Payload) -> dict[str, str]:
    """From `SalesFormsPrefs.CustomField`: names under SalesCustomName1 to 3, used ones flagged.

    The number in the name is the definition id (Preferences entity page, read 2026-11).
    """
    named: dict[str, str] = {}
    unused: set[str] = set()
    groups = sales.get("CustomField")
    for group in groups if isinstance(groups, list) else []:
        fields = group.get("CustomField") if isinstance(group, dict) else None
        for field in fields if isinstance(fields, list) else []:
            name = str(field.get("Name", "")).rpartition(".")[2]
            if name.startswith("SalesCustomName") and field.get("StringValue"):
                named[name.removeprefix("SalesCustomName")] = str(field["StringValue"])
            if name.startswith("UseSalesCustom") and not _flag(field, "BooleanValue"):
                unused.add(name.removeprefix("UseSalesCustom"))
    return {folded(name): number for number, name in named.items() if number not in unused}


def _country(company_info: Payload) -> str:
    address = _part(company_info, "CompanyAddr")
    return str(company_info.get("Country") or address.get("Country") or "")


def _part(parent: Payload, name: str) -> Payload:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _flag(part: Payload, name: str) -> bool:
    """A boolean; some preferences are told as text."""
    return part.get(name) is True or str(part.get(name)).lower() == "true"


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
