"""Owns deletion and voiding of transactions, and what each gives back to what it was linked to."""

from typing import Any

from reconciler.sandbox import faults
from reconciler.sandbox.exact import ZERO
from reconciler.sandbox.rules import estimates, header, links
from reconciler.sandbox.rules.banking import unlink_deposit
from reconciler.sandbox.rules.draft import Draft
from reconciler.sandbox.table import Body

_VOIDED_MONEY = (
    "TotalAmt",
    "Balance",
    "UnappliedAmt",
    "HomeTotalAmt",
    "HomeBalance",
    "Deposit",
    "RemainingCredit",
)
_VOIDED_DETAIL = ("Qty", "UnitPrice", "DiscountPercent", "TaxInclusiveAmt")


def delete(draft: Draft) -> None:
    """Delete a transaction: its links are undone, its postings taken out."""
    _check(draft)
    _unlink(draft)
    draft.unit.remove(draft.entity.name, draft.row["Id"])
    draft.unit.post(draft.entity.name, draft.row["Id"], ())


def void(draft: Draft) -> Body:
    """Void a transaction: it stays with its number and date, and amounts of zero."""
    _check(draft)
    _unlink(draft)
    row = draft.row
    for name in _VOIDED_MONEY:
        if name in row:
            row[name] = ZERO
    _zero_lines(row)
    if "TxnTaxDetail" in row:
        row["TxnTaxDetail"] = {"TotalTax": ZERO}
    note = row.get("PrivateNote")
    row["PrivateNote"] = "Voided" if not note or note == "Voided" else f"Voided - {note}"[:4000]
    draft.unit.change(draft.entity.name, row, "Void")
    draft.unit.post(draft.entity.name, row["Id"], ())
    return row


def _check(draft: Draft) -> None:
    if draft.entity.name != "Estimate":
        header.check_open(draft, draft.row["TxnDate"])
    links.check_not_deposited(draft.row)


def _unlink(draft: Draft) -> None:
    row, unit, name = draft.row, draft.unit, draft.entity.name
    if name == "Invoice":
        links.release(unit, row, keep=ZERO)
        for linked in list(row["LinkedTxn"]):
            if linked["TxnType"] == "Estimate":
                estimates.unlink(unit, row, linked["TxnId"])
    elif name == "Payment":
        links.move(unit, row, links.applied(row), {})
        row["Line"] = []
    elif name == "Estimate":
        _unlink_invoice(draft)
    elif name == "Deposit":
        unlink_deposit(draft, row)
    elif name == "CreditMemo" and row["LinkedTxn"]:
        raise faults.Fault(
            faults.Error("800", "Dependency on delete", "The credit is applied; un-apply it first")
        )


def _unlink_invoice(draft: Draft) -> None:
    for linked in list(draft.row["LinkedTxn"]):
        invoice = draft.unit.get("Invoice", linked["TxnId"])
        if invoice is not None:
            estimates.unlink(draft.unit, invoice, draft.row["Id"])
            draft.unit.change("Invoice", invoice)


def _zero_lines(row: Body) -> None:
    for line in row.get("Line", []):
        if "Amount" in line:
            line["Amount"] = ZERO
        detail: dict[str, Any] = line.get(line.get("DetailType", ""), {})
        for name in _VOIDED_DETAIL:
            if name in detail:
                detail[name] = 0
        _zero_lines(detail)
