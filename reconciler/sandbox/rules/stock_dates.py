"""Owns the rule that stock can't be sold before it was there."""

from reconciler.sandbox import faults
from reconciler.sandbox.rules.amounts import sale_lines
from reconciler.sandbox.rules.draft import Draft


def check_stock_dates(draft: Draft) -> None:
    """6000 for a transaction dated before an inventory item's InvStartDate."""
    for line in sale_lines(draft.row["Line"]):
        item = draft.unit.get("Item", line["SalesItemLineDetail"]["ItemRef"]["value"])
        started = item.get("InvStartDate") if item else None
        if started and draft.row["TxnDate"] < started:
            text = "Transaction date is prior to start date for inventory item"
            raise faults.Fault(faults.business(text, "TxnDate"))
