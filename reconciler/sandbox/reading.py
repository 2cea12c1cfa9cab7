"""Owns what a stored row looks like when read: balances that follow the ledger are added."""

from decimal import Decimal

from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import ZERO, encode
from reconciler.sandbox.table import Body

DERIVED = frozenset({"Customer", "Vendor", "Account", "Item"})
_CREDIT_SIDE = frozenset({"Liability", "Equity", "Revenue"})


def shown(company: Company, entity: str, row: Body) -> Body:
    """The row with its derived fields."""
    ledger = company.ledger
    if entity == "Customer":
        own = ledger.parties.get(row["Id"], ZERO)
        row["Balance"] = own
        row["BalanceWithJobs"] = own + _jobs(company, row)
    elif entity == "Vendor":
        row["Balance"] = -ledger.parties.get(row["Id"], ZERO)
    elif entity == "Account":
        sign = -1 if row["Classification"] in _CREDIT_SIDE else 1
        balance = sign * ledger.accounts.get(row["Id"], ZERO)
        row["CurrentBalance"] = row["CurrentBalanceWithSubAccounts"] = balance
    elif entity == "Item" and row.get("Type") == "Inventory":
        row["QtyOnHand"] = ledger.stock.get(row["Id"], ZERO).normalize() + 0
    return row


def shown_body(company: Company, entity: str, row_id: str, include: str = "") -> bytes:
    """The encoded row with its derived fields; invoiceLink includes the link to pay it by."""
    table = company.tables[entity]
    if entity == "Invoice" and "invoiceLink" in include.split(","):
        link = f"https://connect.intuit.com/portal/app/CommerceNetwork/view/scs-{row_id}"
        return encode({**table.row(row_id), "InvoiceLink": link})
    if entity not in DERIVED:
        return table.rows[row_id]
    return encode(shown(company, entity, table.row(row_id)))


def _jobs(company: Company, row: Body) -> Decimal:
    """Balances of the customers below this one."""
    total = ZERO
    waiting = [row["Id"]]
    while waiting:
        for child in company.tables["Customer"].find("ParentRef", waiting.pop()):
            total += company.ledger.parties.get(child, ZERO)
            waiting.append(child)
    return total
