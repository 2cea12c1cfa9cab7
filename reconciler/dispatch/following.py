"""Finds out whether an invoice was refused because of the estimate that it follows. Called by `record`.

QuickBooks links an invoice to an estimate that is pending or accepted, of the same customer, and
that no other invoice was made from (Invoice, "LinkedTxn", read 2026-11).
"""

from __future__ import annotations

from reconciler.dispatch.locate import is_gone
from reconciler.errors import LookAgain, QuickBooksError
from reconciler.ports.dispatch import Operation
from reconciler.quickbooks.client import QuickBooks
from reconciler.quickbooks.payload import Payload, decode, reference_id
from reconciler.quickbooks.protocol import read
from reconciler.reasons import Blocked, Reason
from reconciler.writing.lifecycle import Block

_OPEN = ("Pending", "Accepted")
_JUDGE = "If that bills this sale, dismiss this document. Else retry: it is made without the link."


async def lost_link(quickbooks: QuickBooks, op: Operation, error: QuickBooksError) -> bool | Block:
    """Whether *op*, which ended in *error*, is an invoice that can only be made without its link.

    A `Block` where another invoice was made from that estimate: it may bill the very same sale.
    """
    wanted = decode(op.request) if op.entity == "Invoice" else {}
    estimate_id = next(iter(_linked(wanted, "Estimate")), "")
    if not estimate_id:
        return False
    try:
        answer = await quickbooks.send(read("Estimate", estimate_id))
    except QuickBooksError as unread:
        return isinstance(unread, LookAgain) and is_gone(unread)
    estimate = answer.entity("Estimate")
    if _linked(estimate, "Invoice"):
        number = estimate.get("DocNumber") or estimate_id
        message = f"Estimate {number}, which it follows, has an invoice there."
        stop = Blocked(Reason.REFUSED, message=message, fix=_JUDGE)
        return Block(stop.reason, stop.detail, str(error))
    is_ours = reference_id(estimate, "CustomerRef") == reference_id(wanted, "CustomerRef")
    return estimate.get("TxnStatus") not in _OPEN or not is_ours


def _linked(transaction: Payload, kind: str) -> list[str]:
    """Ids of the transactions of a kind that one is linked to."""
    links = transaction.get("LinkedTxn") or []
    return [str(link.get("TxnId")) for link in links if link.get("TxnType") == kind]
