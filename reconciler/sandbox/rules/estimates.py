"""Owns the link from an estimate to the invoice made from it.

One estimate per invoice and the reverse; only a Pending or Accepted estimate links; it then shows
Closed (newer: Converted) with the link back. QuickBooks doesn't copy the lines.
"""

from reconciler.sandbox import faults
from reconciler.sandbox.rules.draft import Draft
from reconciler.sandbox.table import Body
from reconciler.sandbox.unit import Unit

_OPEN = frozenset({"Pending", "Accepted"})


def wanted(draft: Draft) -> list[str] | None:
    """Ids of the estimates the request links; None when it says nothing of links."""
    if "LinkedTxn" not in draft.given:
        return None if draft.old else []
    listed = draft.row.get("LinkedTxn") or []
    for link in listed:
        known = link.get("TxnType") in {"Estimate", "TimeActivity", "Payment", "Deposit"}
        if not known or not link.get("TxnId"):
            raise faults.Fault(faults.cannot_link(f"TxnType {link.get('TxnType')}"))
    return [one["TxnId"] for one in listed if one["TxnType"] == "Estimate"]


def link(draft: Draft, invoice: Body, estimate_ids: list[str] | None) -> None:
    """Bring the invoice's estimate links to the wanted ones."""
    if estimate_ids is None:
        return
    if len(estimate_ids) > 1:
        raise faults.Fault(faults.cannot_link("an invoice links to one estimate only"))
    held = [one["TxnId"] for one in invoice["LinkedTxn"] if one["TxnType"] == "Estimate"]
    for gone in held:
        if gone not in estimate_ids:
            unlink(draft.unit, invoice, gone)
    for added in estimate_ids:
        if added not in held:
            _link(draft, invoice, added)


def _link(draft: Draft, invoice: Body, estimate_id: str) -> None:
    estimate = draft.unit.get("Estimate", estimate_id)
    if estimate is None or estimate["TxnStatus"] not in _OPEN or estimate["LinkedTxn"]:
        raise faults.Fault(faults.cannot_link(f"Estimate {estimate_id} is not open"))
    if estimate["CustomerRef"]["value"] != invoice["CustomerRef"]["value"]:
        raise faults.Fault(faults.cannot_link("the estimate is another customer's"))
    invoice["LinkedTxn"].append({"TxnId": estimate_id, "TxnType": "Estimate"})
    estimate["LinkedTxn"].append({"TxnId": invoice["Id"], "TxnType": "Invoice"})
    estimate["TxnStatus"] = draft.company.switches.linked_estimate_status
    draft.unit.change("Estimate", estimate)


def unlink(unit: Unit, invoice: Body, estimate_id: str) -> None:
    """Take the link off both; the estimate is open again."""
    invoice["LinkedTxn"] = [
        one
        for one in invoice["LinkedTxn"]
        if (one["TxnType"], one["TxnId"]) != ("Estimate", estimate_id)
    ]
    estimate = unit.get("Estimate", estimate_id)
    if estimate is None:
        return
    estimate["LinkedTxn"] = [one for one in estimate["LinkedTxn"] if one["TxnId"] != invoice["Id"]]
    estimate["TxnStatus"] = "Accepted"
    unit.change("Estimate", estimate)
