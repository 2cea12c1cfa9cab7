"""What a document must give way to or wait for: a sale already billed, an estimate not made yet.

Called by `prepare` before anything is resolved or created, and again for what waited for room since.
All sales of one company pass here in one place: the company's only owner prepares them one batch after
another, and what was begun is committed before the next batch is read. So of two documents for the same
sale the second always sees the first, whichever processes and partitions they came by; a lock across
them is not needed.
What can't be seen is a link that HubSpot tells only after both were sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from reconciler.model import Action, DocumentState, Priority
from reconciler.ports.dispatch import DispatchLedger, DueDocument, Precedent
from reconciler.reasons import Blocked, Reason, Waiting

SALES = frozenset({Action.INVOICE, Action.SALES_RECEIPT, Action.PAID_INVOICE})
NAMES = {
    Action.INVOICE: "Invoice",
    Action.SALES_RECEIPT: "Sales receipt",
    Action.PAID_INVOICE: "Paid invoice",
}


class _Following(msgspec.Struct):
    """Of an invoice's content what it follows; the rest is passed over."""

    linked_estimate: str = ""


_decode = msgspec.json.Decoder(_Following).decode

_UNMADE = frozenset({DocumentState.WAITING, DocumentState.WANTED, DocumentState.SENDING})
_AT_ONCE = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Cleared:
    """The documents that may go on, and why the others may not.

    `estimates` gives the QuickBooks id of the estimate that an invoice follows, by document id.
    """

    ready: list[DueDocument] = field(default_factory=list)
    blocked: list[tuple[DueDocument, Blocked]] = field(default_factory=list)
    postponed: list[tuple[DueDocument, Waiting]] = field(default_factory=list)
    estimates: dict[int, str] = field(default_factory=dict)


async def clear(ledger: DispatchLedger, due: Sequence[DueDocument]) -> Cleared:
    """Look up what stands before these documents, and tell them apart by it."""
    asking = [each.document_id for each in due if each.key.action in SALES]
    if not asking:
        return Cleared(ready=list(due))
    found: dict[int, list[Precedent]] = {}
    for document_id, precedent in await ledger.precedents(asking):
        found.setdefault(document_id, []).append(precedent)
    return judged(due, found)


def judged(due: Sequence[DueDocument], found: Mapping[int, Sequence[Precedent]]) -> Cleared:
    """The same, of what was found. Pure. Of documents due together the one enrolled first wins.

    The others wait until it is in QuickBooks, which may refuse it: what bills nothing blocks nobody.
    """
    cleared = Cleared()
    due_together = {each.document_id for each in due}
    going: set[int] = set()
    for each in sorted(due, key=turn):
        precedents = found.get(each.document_id, ())
        if rival := _rival(precedents, going):
            facts = {"other": _name(rival), "document": rival.key.source}
            if _is_made(rival):
                cleared.blocked.append((each, Blocked(Reason.ALREADY_BILLED, **facts)))
            else:
                cleared.postponed.append((each, Waiting(Reason.BILLED_FIRST, **facts)))
            continue
        estimate = _estimate(each, precedents)
        if estimate is not None and estimate.state in _UNMADE:
            cleared.postponed.append((each, Waiting(Reason.ESTIMATE, object=each.key.object_type)))
            if estimate.state is DocumentState.SENDING or estimate.document_id in due_together:
                going.add(each.document_id)  # it follows within seconds, and keeps its turn
            continue
        if estimate is not None and estimate.state is DocumentState.CREATED:
            cleared.estimates[each.document_id] = estimate.quickbooks_id
        cleared.ready.append(each)
        going.add(each.document_id)
    return cleared


def turn(document: DueDocument) -> tuple[Priority, datetime, datetime, int]:
    """Who goes first: live before backfill, which keeps the order in which it recorded them."""
    is_backfill = document.priority is Priority.BACKFILL
    recorded_at = document.ready_at if is_backfill and document.ready_at else _AT_ONCE
    return document.priority, recorded_at, document.enrolled_at, document.document_id


def _rival(precedents: Sequence[Precedent], going: set[int]) -> Precedent | None:
    """The sale that is in QuickBooks, on its way there, or goes before in this very batch."""
    sales = [each for each in precedents if each.key.action in SALES]
    ordered = sorted(sales, key=lambda sale: (not _is_made(sale), sale.document_id))
    return next((sale for sale in ordered if _is_sent(sale) or sale.document_id in going), None)


def _is_sent(sale: Precedent) -> bool:
    return sale.state is DocumentState.SENDING or _is_made(sale)


def _is_made(sale: Precedent) -> bool:
    return sale.state is DocumentState.CREATED or bool(sale.quickbooks_id)


def _estimate(document: DueDocument, precedents: Sequence[Precedent]) -> Precedent | None:
    """The estimate that the content names; one that is blocked or dismissed is not waited for."""
    if document.key.action is not Action.INVOICE:
        return None
    estimate = document.key._replace(action=Action.ESTIMATE)
    if _decode(document.content).linked_estimate != str(estimate):
        return None
    return next((each for each in precedents if each.key.action is Action.ESTIMATE), None)


def _name(sale: Precedent) -> str:
    name = NAMES[sale.key.action]
    number = sale.document_number or sale.quickbooks_id
    return f"{name} {number}" if number else name
