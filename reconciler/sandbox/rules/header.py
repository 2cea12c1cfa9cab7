"""Owns what transactions share: dates and closed books, currency, terms, customer defaults."""

from datetime import date, timedelta
from decimal import Decimal

from reconciler.sandbox import faults
from reconciler.sandbox.exact import cents
from reconciler.sandbox.rules.draft import Draft, ref
from reconciler.sandbox.table import Body


def settle_date(draft: Draft) -> None:
    """Default TxnDate to the server's date; refuse a date in closed books."""
    draft.row.setdefault("TxnDate", draft.company.clock.today())
    if draft.entity.name == "Estimate":  # non-posting
        return
    check_open(draft, draft.row["TxnDate"])
    if draft.old is not None:
        check_open(draft, draft.old["TxnDate"])


def check_open(draft: Draft, day: str) -> None:
    """6210 for a day up to BookCloseDate."""
    closed = draft.company.preference("AccountingInfoPrefs", "BookCloseDate")
    if closed and day <= closed:
        raise faults.Fault(faults.closed_period(draft.company.switches.closed_period_code))


def settle_currency(draft: Draft, party: Body | None) -> None:
    """Set CurrencyRef and ExchangeRate; with multicurrency on, CurrencyRef must be given."""
    row, company = draft.row, draft.company
    given = ref(row, "CurrencyRef")
    multi = company.preference("CurrencyPrefs", "MultiCurrencyEnabled", False)
    if not multi:
        if given not in {None, company.currency}:
            raise faults.Fault(faults.business("Multicurrency is not enabled", "CurrencyRef"))
        row["CurrencyRef"] = {"value": company.currency}
        row.pop("ExchangeRate", None)
        return
    if given is None:
        raise faults.Fault(faults.missing("CurrencyRef"))
    owed_in = ref(party, "CurrencyRef") if party else None
    if owed_in is not None and given != owed_in:
        text = f"The currency must be the customer's or vendor's, {owed_in}"
        raise faults.Fault(faults.business(text, "CurrencyRef"))
    row["CurrencyRef"] = {"value": given}
    if given == company.currency or not row.get("ExchangeRate"):
        row["ExchangeRate"] = 1


def check_account_currency(draft: Draft, account: Body, at: str) -> None:
    """Money moves in the currency of the transaction, or at home: there is one foreign one in each."""
    kept_in = ref(account, "CurrencyRef") or draft.company.currency
    if kept_in not in {draft.company.currency, ref(draft.row, "CurrencyRef")}:
        text = "The currency of the account must be the home currency or the transaction's"
        raise faults.Fault(faults.business(text, at))


def rate_of(row: Body) -> Decimal:
    """The exchange rate to the home currency."""
    return Decimal(row.get("ExchangeRate", 1))


def settle_home_total(row: Body) -> None:
    """TotalAmt in the home currency, shown where it is another."""
    row.pop("HomeTotalAmt", None)
    if rate_of(row) != 1:
        row["HomeTotalAmt"] = cents(row["TotalAmt"] * rate_of(row))


def settle_customer(draft: Draft) -> Body | None:
    """Fill in what the customer's record says: addresses, e-mail, terms."""
    customer_id = ref(draft.row, "CustomerRef")
    if customer_id is None:
        return None
    customer = draft.unit.get("Customer", customer_id)
    if customer is None or draft.old is not None:
        return customer
    row = draft.row
    for name in ("BillAddr", "ShipAddr"):
        if name in customer:
            row.setdefault(name, customer[name])
    if "PrimaryEmailAddr" in customer:
        row.setdefault("BillEmail", {"Address": customer["PrimaryEmailAddr"]["Address"]})
    if "SalesTermRef" in customer and draft.entity.name in {"Invoice", "Estimate"}:
        row.setdefault("SalesTermRef", customer["SalesTermRef"])
    return customer


def settle_email(row: Body) -> None:
    """BillEmail is required when a mail is to be sent."""
    row.setdefault("EmailStatus", "NotSet")
    row.setdefault("PrintStatus", "NotSet")
    if row["EmailStatus"] == "NeedToSend" and not row.get("BillEmail"):
        raise faults.Fault(faults.missing("BillEmail"))


def settle_due_date(draft: Draft) -> None:
    """DueDate from the terms when it isn't given.

    A sparse update with other terms alone leaves it, as is reported; Intuit doesn't say.
    """
    row = draft.row
    moved = draft.old is not None and row["TxnDate"] != draft.old["TxnDate"]
    if row.get("DueDate") and ("DueDate" in draft.given or not moved):
        return
    term_id = ref(row, "SalesTermRef")
    term = draft.unit.get("Term", term_id) if term_id else None
    row["DueDate"] = _due(date.fromisoformat(row["TxnDate"]), term).isoformat()


def _due(start: date, term: Body | None) -> date:
    if term is None:
        return start
    if term.get("DueDays") is not None:
        return start + timedelta(days=int(term["DueDays"]))
    day = int(term["DayOfMonthDue"])
    months = 1 if start.day + int(term.get("DueNextMonthDays", 0)) > day else 0
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day, last))
