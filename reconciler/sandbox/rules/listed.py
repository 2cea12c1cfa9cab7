"""Owns the rules of the plain lists: accounts, terms, payment methods, classes, departments."""

from collections.abc import Callable

from reconciler.sandbox import faults
from reconciler.sandbox.fields.lists import ACCOUNT_TYPES
from reconciler.sandbox.rules.draft import Draft
from reconciler.sandbox.rules.hierarchy import place
from reconciler.sandbox.rules.people import DELETED
from reconciler.sandbox.table import Body

_TAKEN = "Another {} is already using this name. Please use a different name."
# the subtype a type gets when only the type is given, and the type each known subtype belongs to
_DEFAULT_SUBTYPES = {
    "Bank": "Checking",
    "Accounts Receivable": "AccountsReceivable",
    "Other Current Asset": "OtherCurrentAssets",
    "Fixed Asset": "OtherFixedAssets",
    "Other Asset": "OtherLongTermAssets",
    "Accounts Payable": "AccountsPayable",
    "Credit Card": "CreditCard",
    "Other Current Liability": "OtherCurrentLiabilities",
    "Long Term Liability": "OtherLongTermLiabilities",
    "Equity": "OpeningBalanceEquity",
    "Income": "ServiceFeeIncome",
    "Cost of Goods Sold": "SuppliesMaterialsCogs",
    "Expense": "OtherMiscellaneousServiceCost",
    "Other Income": "OtherMiscellaneousIncome",
    "Other Expense": "OtherMiscellaneousExpense",
}
_TYPE_OF_SUBTYPE = {
    **{subtype: kind for kind, subtype in _DEFAULT_SUBTYPES.items()},
    "Savings": "Bank",
    "CashOnHand": "Bank",
    "MoneyMarket": "Bank",
    "UndepositedFunds": "Other Current Asset",
    "Inventory": "Other Current Asset",
    "PrepaidExpenses": "Other Current Asset",
    "SalesTaxPayable": "Other Current Liability",
    "SalesOfProductIncome": "Income",
    "DiscountsRefundsGiven": "Income",
    "OtherPrimaryIncome": "Income",
    "BankCharges": "Expense",
    "AdvertisingPromotional": "Expense",
    "OfficeGeneralAdministrativeExpenses": "Expense",
    "OtherBusinessExpenses": "Expense",
    "InterestEarned": "Other Income",
    "ExchangeGainOrLoss": "Other Expense",
}

SYSTEM_SUBTYPES = frozenset(
    {
        "AccountsReceivable",
        "UndepositedFunds",
        "SalesTaxPayable",
        "OpeningBalanceEquity",
        "DiscountsRefundsGiven",
        "OtherPrimaryIncome",
        "SalesOfProductIncome",
        "UnappliedCashPaymentIncome",
        "ExchangeGainOrLoss",
        "OtherBusinessExpenses",
    }
)


def write_account(draft: Draft) -> Body:
    """Create or update an Account."""
    row, company = draft.row, draft.company
    row.setdefault("Active", True)
    _classify(row)
    _keep_system_account(draft)
    number = row.get("AcctNum")
    longest = 20 if company.country in {"AU", "CA"} else 7
    if number and len(number) > longest:
        raise faults.Fault(faults.wrong_length("AcctNum", 0, longest, len(number)))
    _inactivation(draft)
    _unique(draft)
    row["SubAccount"] = bool(row.get("ParentRef"))
    place(draft, "Name")
    row.setdefault("CurrencyRef", {"value": company.currency})
    return draft.save()


def _keep_system_account(draft: Draft) -> None:
    """The accounts QuickBooks posts to by itself keep their kind and stay active."""
    row, old, company = draft.row, draft.old, draft.company
    if old is None or old["AccountSubType"] not in SYSTEM_SUBTYPES:
        return
    if company.account(old["AccountSubType"]) != old["Id"]:
        return
    if row["AccountSubType"] != old["AccountSubType"] or not row["Active"]:
        text = "This account is used by QuickBooks and can't be made inactive or change its type"
        raise faults.Fault(faults.business(text, "AccountType"))


def _classify(row: Body) -> None:
    kind, subtype = row.get("AccountType"), row.get("AccountSubType")
    if kind is None:
        kind = _TYPE_OF_SUBTYPE.get(subtype or "")
    if kind is None:
        message = "Account type or subtype is required"
        detail = "Account Type and Account SubType are both missing or unknown"
        raise faults.Fault(faults.Error("6010", message, detail, "AccountType"))
    row["AccountType"] = kind
    row["AccountSubType"] = subtype or _DEFAULT_SUBTYPES[kind]
    row["Classification"] = ACCOUNT_TYPES[kind]


def write_term(draft: Draft) -> Body:
    """Create or update a Term."""
    row = draft.row
    row.setdefault("Active", True)
    if row.get("DueDays") is not None:
        row["Type"] = "STANDARD"
    elif row.get("DayOfMonthDue") is not None:
        row["Type"] = "DATE_DRIVEN"
    else:
        raise faults.Fault(faults.missing("DueDays"))
    row.setdefault("DiscountPercent", 0)
    _inactivation(draft)
    _unique(draft)
    return draft.save()


def write_payment_method(draft: Draft) -> Body:
    """Create or update a PaymentMethod."""
    draft.row.setdefault("Active", True)
    draft.row.setdefault("Type", "NON_CREDIT_CARD")
    _inactivation(draft)
    _unique(draft)
    return draft.save()


def _nested_list(flag: str) -> Callable[[Draft], Body]:
    def write(draft: Draft) -> Body:
        """Create or update a list element that may have a parent."""
        row = draft.row
        row.setdefault("Active", True)
        row[flag] = bool(row.get("ParentRef"))
        _inactivation(draft)
        place(draft, "Name")
        row.pop("Level")
        _unique(draft)
        return draft.save()

    return write


write_class = _nested_list("SubClass")
write_department = _nested_list("SubDepartment")


def write_tax_agency(draft: Draft) -> Body:
    """Create or update a TaxAgency."""
    draft.row.setdefault("TaxTrackedOnSales", True)
    draft.row.setdefault("TaxTrackedOnPurchases", False)
    _unique(draft)
    return draft.save()


def _unique(draft: Draft) -> None:
    """6240 when another element has this (fully qualified) name."""
    table = draft.company.tables[draft.entity.name]
    named_by = draft.entity.named_by
    path = "FullyQualifiedName" if "FullyQualifiedName" in table.indexed else named_by
    name = draft.row.get(path) or draft.row[named_by]
    for holder in table.find(path, name):
        if holder != draft.row_id:
            tail = _TAKEN.format(draft.entity.name.lower())
            raise faults.Fault(faults.duplicate_name(tail, holder))


def _inactivation(draft: Draft) -> None:
    """Add or take off " (deleted)" as Active changes."""
    row, old = draft.row, draft.old
    if old is None or old["Active"] == row["Active"]:
        return
    if row["Active"]:
        row["Name"] = row["Name"].removesuffix(DELETED)
    elif draft.company.switches.deleted_name_suffix:
        row["Name"] += DELETED
