"""Owns Deposits and JournalEntries: money taken to the bank, and entries written by hand."""

from decimal import Decimal

from reconciler.sandbox import faults
from reconciler.sandbox.exact import ZERO, cents
from reconciler.sandbox.ledger import Posting
from reconciler.sandbox.rules import header
from reconciler.sandbox.rules.amounts import number_lines
from reconciler.sandbox.rules.draft import Draft, ref
from reconciler.sandbox.rules.forms import cash_account
from reconciler.sandbox.rules.numbers import number
from reconciler.sandbox.table import Body

_DEPOSITABLE = frozenset({"Payment", "SalesReceipt"})
_PARTY_ACCOUNTS = frozenset({"Accounts Receivable", "Accounts Payable"})


def write_deposit(draft: Draft) -> Body:
    """Create or update a Deposit; what is in it can't be changed any more (6540)."""
    row, old = draft.row, draft.old
    header.settle_date(draft)
    header.settle_currency(draft, None)
    bank = cash_account(draft)
    row["LinkedTxn"] = []
    if old is not None:
        unlink_deposit(draft, old)
    entries = [_deposit_line(draft, line) for line in row["Line"]]
    number_lines(row["Line"], old)
    row["TotalAmt"] = -sum((one.amount for one in entries), ZERO)
    saved = draft.save()
    _link(draft, saved)
    entries.append(Posting(bank, row["TotalAmt"]))
    draft.unit.post("Deposit", saved["Id"], entries)
    return saved


def _deposit_line(draft: Draft, line: Body) -> Posting:
    linked = line.get("LinkedTxn")
    if linked:
        held = _depositable(draft, linked[0])
        line["Amount"] = held["TotalAmt"]
        return Posting(held["DepositToAccountRef"]["value"], -held["TotalAmt"])
    account = ref(line.get("DepositLineDetail") or {}, "AccountRef")
    if line.get("Amount") is None or account is None:
        raise faults.Fault(faults.missing("AccountRef" if account is None else "Amount"))
    line["Amount"] = cents(line["Amount"])
    return Posting(account, -line["Amount"])


def _depositable(draft: Draft, linked: Body) -> Body:
    kind, row_id = linked.get("TxnType"), linked.get("TxnId", "")
    held = draft.unit.get(kind, row_id) if kind in _DEPOSITABLE else None
    undeposited = draft.company.account("UndepositedFunds")
    if held is None or ref(held, "DepositToAccountRef") != undeposited or held["LinkedTxn"]:
        raise faults.Fault(faults.cannot_link(f"{kind} {row_id} can't be deposited"))
    return held


def _link(draft: Draft, deposit: Body) -> None:
    for line in deposit["Line"]:
        for linked in line.get("LinkedTxn", ()):
            held = draft.unit.get(linked["TxnType"], linked["TxnId"])
            if held is not None:
                held["LinkedTxn"].append({"TxnId": deposit["Id"], "TxnType": "Deposit"})
                draft.unit.change(linked["TxnType"], held)


def unlink_deposit(draft: Draft, deposit: Body) -> None:
    """Give the money in a deposit back to Undeposited Funds."""
    for line in deposit["Line"]:
        for linked in line.get("LinkedTxn", ()):
            held = draft.unit.get(linked["TxnType"], linked["TxnId"])
            if held is not None:
                held["LinkedTxn"] = [
                    one for one in held["LinkedTxn"] if one["TxnId"] != deposit["Id"]
                ]
                draft.unit.change(linked["TxnType"], held)


def write_journal_entry(draft: Draft) -> Body:
    """Create or update a JournalEntry: debits equal credits."""
    row = draft.row
    header.settle_date(draft)
    header.settle_currency(draft, None)
    rate = header.rate_of(row)
    entries = [
        _journal_line(draft, line, rate)
        for line in row["Line"]
        if line.get("DetailType") == "JournalEntryLineDetail"
    ]
    number_lines(row["Line"], draft.old)
    if not entries:
        raise faults.Fault(faults.missing("Line"))
    if _difference(row["Line"]):
        raise faults.Fault(faults.business("Debits and credits must be equal", "Line"))
    rounding = sum((one.amount for one in entries), ZERO)
    entries.append(Posting(draft.company.account("ExchangeGainOrLoss"), -rounding))
    row["TotalAmt"] = ZERO
    row.setdefault("Adjustment", False)
    row["LinkedTxn"] = []
    number(draft)
    saved = draft.save()
    draft.unit.post("JournalEntry", saved["Id"], entries)
    return saved


def _difference(lines: list[Body]) -> Decimal:
    """Debits less credits, in the entry's own currency."""
    total = ZERO
    for line in lines:
        if line.get("DetailType") == "JournalEntryLineDetail":
            is_debit = line["JournalEntryLineDetail"]["PostingType"] == "Debit"
            total += line["Amount"] if is_debit else -line["Amount"]
    return total


def _journal_line(draft: Draft, line: Body, rate: Decimal) -> Posting:
    detail = line.get("JournalEntryLineDetail") or {}
    account_id = ref(detail, "AccountRef")
    for name, value in (
        ("Amount", line.get("Amount")),
        ("AccountRef", account_id),
        ("PostingType", detail.get("PostingType")),
    ):
        if value is None:
            raise faults.Fault(faults.missing(name))
    line["Amount"] = cents(line["Amount"])
    account = draft.unit.get("Account", account_id or "")
    party = ref(detail.get("Entity") or {}, "EntityRef")
    if account is not None and account["AccountType"] in _PARTY_ACCOUNTS and party is None:
        text = "A receivable or payable line needs a customer or vendor"
        raise faults.Fault(faults.business(text, "Entity"))
    sign = 1 if detail["PostingType"] == "Debit" else -1
    keeps_party = account is not None and account["AccountType"] in _PARTY_ACCOUNTS
    return Posting(
        account_id or "",
        sign * cents(line["Amount"] * rate),
        party=(party or "") if keeps_party else "",
    )
