"""Owns sales forms: Invoice, Estimate, SalesReceipt, RefundReceipt and CreditMemo."""

from decimal import Decimal

from reconciler.sandbox import faults
from reconciler.sandbox.exact import ZERO, cents
from reconciler.sandbox.rules import estimates, header, links
from reconciler.sandbox.rules.amounts import discount_of, drop_untracked_header, settle_lines
from reconciler.sandbox.rules.draft import Draft, ref
from reconciler.sandbox.rules.numbers import number
from reconciler.sandbox.rules.postings import post_form
from reconciler.sandbox.rules.stock_dates import check_stock_dates
from reconciler.sandbox.rules.tax import settle_tax
from reconciler.sandbox.table import Body

_CASH = frozenset({"Bank", "Other Current Asset"})


def _settle(draft: Draft) -> Body | None:
    """What every form goes through; returns the customer."""
    row = draft.row
    header.settle_date(draft)
    customer = header.settle_customer(draft)
    header.settle_currency(draft, customer)
    drop_untracked_header(draft)
    header.settle_email(row)
    row.setdefault("ApplyTaxAfterDiscount", False)
    subtotal = settle_lines(draft)
    check_stock_dates(draft)
    total = subtotal - discount_of(row["Line"]) + settle_tax(draft, subtotal)
    if total < 0:
        raise faults.Fault(faults.business("Transaction amount must be 0 or greater"))
    row["TotalAmt"] = total
    header.settle_home_total(row)
    row.setdefault("CustomField", [])
    number(draft)
    return customer


def write_invoice(draft: Draft) -> Body:
    """Create or update an Invoice; its open balance follows its total."""
    row, old = draft.row, draft.old
    _settle(draft)
    header.settle_due_date(draft)
    deposit = _deposit(draft)
    row["AllowIPNPayment"] = False
    row.setdefault("AllowOnlinePayment", False)
    row.setdefault("AllowOnlineCreditCardPayment", False)
    row.setdefault("AllowOnlineACHPayment", False)
    if deposit > row["TotalAmt"]:
        raise faults.Fault(faults.business("The deposit is more than the total", "Deposit"))
    wanted_estimates = estimates.wanted(draft)
    row["LinkedTxn"] = list(old["LinkedTxn"]) if old else []
    moved = old is not None and ref(old, "CustomerRef") != ref(row, "CustomerRef")
    if old is None:
        row["Balance"] = row["TotalAmt"] - deposit
    else:
        paid = old["TotalAmt"] - old.get("Deposit", ZERO) - old["Balance"]
        row["Balance"] = row["TotalAmt"] - deposit - paid
    saved = draft.save()
    estimates.link(draft, saved, wanted_estimates)
    if moved:
        links.release(draft.unit, saved, keep=ZERO)
    elif saved["Balance"] < 0:
        links.release(draft.unit, saved, keep=saved["TotalAmt"] - deposit)
    _home_balance(saved)
    post_form(
        draft,
        saved,
        _receivable(draft),
        saved["CustomerRef"]["value"],
        1,
        (_deposit_account(draft), deposit),
    )
    return saved


def write_estimate(draft: Draft) -> Body:
    """Create or update an Estimate, which posts nothing."""
    row, old = draft.row, draft.old
    _settle(draft)
    row["LinkedTxn"] = list(old["LinkedTxn"]) if old else []
    if old is not None and "TxnStatus" not in draft.given:
        row["TxnStatus"] = old["TxnStatus"]
    row.setdefault("TxnStatus", "Pending")
    return draft.save()


def write_sales_receipt(draft: Draft) -> Body:
    """Create or update a SalesReceipt: the money is there at once."""
    if draft.company.switches.sales_receipt_needs_customer and not draft.row.get("CustomerRef"):
        raise faults.Fault(faults.missing("CustomerRef"))
    return _write_cash_form(draft, 1)


def write_refund_receipt(draft: Draft) -> Body:
    """Create or update a RefundReceipt: the money leaves DepositToAccountRef."""
    return _write_cash_form(draft, -1)


def _write_cash_form(draft: Draft, sign: int) -> Body:
    row, old = draft.row, draft.old
    _settle(draft)
    row["Balance"] = ZERO
    account = cash_account(draft)
    row["LinkedTxn"] = list(old["LinkedTxn"]) if old else []
    if old is not None:
        links.check_not_deposited(old)
    saved = draft.save()
    post_form(draft, saved, account, "", sign)
    return saved


def write_credit_memo(draft: Draft) -> Body:
    """Create or update a CreditMemo; what of it is used stays used."""
    row, old = draft.row, draft.old
    _settle(draft)
    used = old["TotalAmt"] - old["Balance"] if old else ZERO
    if used > row["TotalAmt"]:
        raise faults.Fault(faults.business("The credit is already applied", "TotalAmt"))
    row["Balance"] = row["RemainingCredit"] = row["TotalAmt"] - used
    row["LinkedTxn"] = list(old["LinkedTxn"]) if old else []
    saved = draft.save()
    post_form(draft, saved, _receivable(draft), saved["CustomerRef"]["value"], -1)
    return saved


def _deposit(draft: Draft) -> Decimal:
    deposit = cents(draft.row.get("Deposit") or 0)
    if not deposit:
        draft.row.pop("Deposit", None)
        return ZERO
    if not draft.company.preference("SalesFormsPrefs", "AllowDeposit", False):
        raise faults.Fault(faults.business("Deposits are not enabled", "Deposit"))
    draft.row["Deposit"] = deposit
    return deposit


def _deposit_account(draft: Draft) -> str:
    return ref(draft.row, "DepositToAccountRef") or draft.company.account("UndepositedFunds")


def _receivable(draft: Draft) -> str:
    return ref(draft.row, "ARAccountRef") or draft.company.account("AccountsReceivable")


def cash_account(draft: Draft) -> str:
    """Settle DepositToAccountRef; Undeposited Funds unless given, and only where cash can be."""
    account_id = ref(draft.row, "DepositToAccountRef")
    if account_id is None:
        account_id = draft.company.account("UndepositedFunds")
        name = draft.company.tables["Account"].names[account_id]
        draft.row["DepositToAccountRef"] = {"value": account_id, "name": name}
    account = draft.unit.get("Account", account_id)
    if account is None or account["AccountType"] not in _CASH:
        text = "You need to select a different type of account for this transaction"
        raise faults.Fault(faults.business(text, "DepositToAccountRef"))
    header.check_account_currency(draft, account, "DepositToAccountRef")
    return account_id


def _home_balance(row: Body) -> None:
    if header.rate_of(row) != 1:
        row["HomeBalance"] = cents(row["Balance"] * header.rate_of(row))
