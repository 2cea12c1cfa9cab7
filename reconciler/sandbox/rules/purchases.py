"""Owns Purchases (expenses): money out of a bank or card account, to expense accounts."""

from decimal import Decimal

from reconciler.sandbox import faults
from reconciler.sandbox.exact import ZERO, cents
from reconciler.sandbox.fields.entities import PEOPLE
from reconciler.sandbox.ledger import Posting
from reconciler.sandbox.rules import header
from reconciler.sandbox.rules.amounts import (
    drop_untracked_expense,
    drop_untracked_header,
    number_lines,
)
from reconciler.sandbox.rules.draft import Draft, ref
from reconciler.sandbox.rules.numbers import number
from reconciler.sandbox.table import Body

_PAID_FROM = {"Cash": "Bank", "Check": "Bank", "CreditCard": "Credit Card"}
_DETAILS = ("AccountBasedExpenseLineDetail", "ItemBasedExpenseLineDetail")


def write_purchase(draft: Draft) -> Body:
    """Create or update a Purchase."""
    row, old = draft.row, draft.old
    header.settle_date(draft)
    header.settle_currency(draft, _payee(draft))
    drop_untracked_header(draft)
    _check_account(draft)
    row["Credit"] = bool(row.get("Credit")) and row["PaymentType"] == "CreditCard"  # else ignored
    for line in row["Line"]:
        _settle(draft, line)
    expenses = [one for one in row["Line"] if one["DetailType"] in _DETAILS]
    if not expenses:
        raise faults.Fault(faults.missing("Line"))
    number_lines(row["Line"], old)
    tax = _tax(draft)
    row["TotalAmt"] = sum((one["Amount"] for one in expenses), ZERO) + tax
    if row["TotalAmt"] < 0:
        raise faults.Fault(faults.business("Transaction amount must be 0 or greater"))
    header.settle_home_total(row)
    row.setdefault("PrintStatus", "NotSet")
    row["LinkedTxn"] = []
    number(draft)
    saved = draft.save()
    draft.unit.post("Purchase", saved["Id"], _postings(draft, saved, expenses, tax))
    return saved


def _payee(draft: Draft) -> Body | None:
    """Whom the money went to: vendors, customers and employees share one row of ids."""
    payee = ref(draft.row, "EntityRef")
    found = (draft.unit.get(kind, payee) for kind in PEOPLE if payee is not None)
    return next((row for row in found if row is not None), None)


def _check_account(draft: Draft) -> None:
    wanted = _PAID_FROM[draft.row["PaymentType"]]
    account = draft.unit.get("Account", draft.row["AccountRef"]["value"])
    if account is None or account["AccountType"] != wanted:
        text = f"The account of a {draft.row['PaymentType']} purchase must be of type {wanted}"
        raise faults.Fault(faults.business(text, "AccountRef"))
    header.check_account_currency(draft, account, "AccountRef")


def _settle(draft: Draft, line: Body) -> None:
    kind = line.get("DetailType")
    if kind is None:
        raise faults.Fault(faults.missing("DetailType"))
    if kind not in _DETAILS:
        line.pop("Amount", None)
        return
    if line.get("Amount") is None:
        raise faults.Fault(faults.missing("Amount"))
    line["Amount"] = cents(line["Amount"])
    needed = "AccountRef" if kind == _DETAILS[0] else "ItemRef"
    detail = line.setdefault(kind, {})
    if needed not in detail:
        raise faults.Fault(faults.missing(needed))
    drop_untracked_expense(draft, detail)
    detail.setdefault("BillableStatus", "NotBillable")
    if draft.company.is_us:
        detail["TaxCodeRef"] = {"value": "NON"}
    if detail["BillableStatus"] == "Billable" and "CustomerRef" not in detail:
        raise faults.Fault(faults.missing("CustomerRef"))


def _tax(draft: Draft) -> Decimal:
    given = draft.row.pop("TxnTaxDetail", None) or {}
    tax = cents(given.get("TotalTax") or 0)
    if draft.company.is_us or not tax:
        return ZERO
    draft.row["TxnTaxDetail"] = {"TotalTax": tax}
    return tax


def _postings(draft: Draft, row: Body, expenses: list[Body], tax: Decimal) -> list[Posting]:
    sign = -1 if row["Credit"] else 1
    rate = header.rate_of(row)
    entries = [
        Posting(_expense_account(draft, one), sign * cents(one["Amount"] * rate))
        for one in expenses
    ]
    if tax:
        entries.append(Posting(draft.company.account("SalesTaxPayable"), sign * cents(tax * rate)))
    paid = sum((one.amount for one in entries), ZERO)
    entries.append(Posting(row["AccountRef"]["value"], -paid))
    return entries


def _expense_account(draft: Draft, line: Body) -> str:
    if line["DetailType"] == _DETAILS[0]:
        return str(line[_DETAILS[0]]["AccountRef"]["value"])
    item = draft.unit.get("Item", line[_DETAILS[1]]["ItemRef"]["value"])
    account = ref(item, "ExpenseAccountRef") if item else None
    return account or draft.company.account("OtherBusinessExpenses")
