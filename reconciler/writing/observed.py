"""Compares a document as QuickBooks shows it with what we wrote. Pure; called by `drift` and `amend`.

Only what we own is compared: whether it exists, its total, customer, and its lines. A payment makes
an invoice `paid`, which is news and no defect. Voiding zeroes the amounts and keeps the number and
date (developer.intuit.com, Invoice, "Void an invoice", read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from reconciler.model import Action
from reconciler.ports.standing import StandingDocument
from reconciler.quickbooks.cdc import Observed
from reconciler.quickbooks.payload import Payload, decode, reference_id
from reconciler.reasons import WORDS, Reason

LOST = (Reason.GONE_IN_QUICKBOOKS, Reason.VOIDED_IN_QUICKBOOKS)
"""The document has no effect in the books any more."""


class Drift(NamedTuple):
    """How QuickBooks differs from what we wrote, and for a person what that means."""

    reason: Reason
    detail: str

    @property
    def text(self) -> str:
        """As stored in the ledger: the word, a colon, the sentence."""
        return f"{self.reason}: {self.detail}"


def compare(standing: StandingDocument, observed: Observed) -> Drift | None:
    """The difference, or None where QuickBooks still has what we wrote."""
    if observed.deleted:
        return _drift(Reason.GONE_IN_QUICKBOOKS, standing, remedy=_remedy(standing))
    row = observed.row
    if is_voided(row, standing.total):
        return _drift(Reason.VOIDED_IN_QUICKBOOKS, standing, remedy=_remedy(standing))
    if edits := list(_edits(standing, row)):
        return _drift(Reason.EDITED_IN_QUICKBOOKS, standing, what="; ".join(edits))
    if standing.document.key.action is Action.INVOICE and (paid := _paid(row)):
        return _drift(Reason.PAID_IN_QUICKBOOKS, standing, paid=paid, total=row.get("TotalAmt"))
    return None


def _remedy(standing: StandingDocument) -> str:
    """How a document that went comes back; a paid invoice is never recreated (`workflows`)."""
    by_hand = "enter it in QuickBooks by hand"
    if standing.document.key.action is Action.PAID_INVOICE:
        return by_hand
    return f"set on_drift: recreate on its action, or {by_hand}"


def is_news(standing: StandingDocument, observed: Observed) -> bool:
    """False for a version that is not newer than our own last write: an echo, or a late answer."""
    if observed.deleted or not standing.sync_token.isdigit():
        return True
    token = observed.sync_token
    return not token.isdigit() or int(token) > int(standing.sync_token)


def is_voided(row: Payload, total: Decimal | None) -> bool:
    """Whether the amounts were zeroed though there was something to pay."""
    if _money(row, "TotalAmt") != 0 or not total:
        return False
    return all(_money(line, "Amount") == 0 for line in _lines(row))


def is_settled(standing: StandingDocument, row: Payload) -> bool:
    """Paid (also in part), or an estimate that was closed: not ours to change any more."""
    if standing.document.quickbooks_entity == "Invoice":
        return _paid(row) != 0
    return row.get("TxnStatus") in ("Closed", "Converted", "Rejected")


def _paid(row: Payload) -> Decimal:
    if "Balance" not in row:
        return Decimal(0)
    return _money(row, "TotalAmt") - _money(row, "Balance")


def _edits(standing: StandingDocument, row: Payload) -> Iterable[str]:
    written: Payload = decode(standing.request) if standing.request else {}
    total = _money(row, "TotalAmt")
    if standing.total is not None and total != standing.total:
        yield f"its total is {total} instead of {standing.total}"
    if (before := reference_id(written, "CustomerRef")) and reference_id(
        row, "CustomerRef"
    ) != before:
        yield "it is made out to another customer"
    if written and _shape(row) != _shape(written):
        yield "its lines are others"
    if standing.document.key.action is Action.PAID_INVOICE and (open_ := _money(row, "Balance")):
        yield f"its payment was removed, {open_} is open"


def _shape(row: Payload) -> list[tuple[str, Decimal]]:
    """What of the lines matters: which products or accounts, for how much."""
    shape = []
    for line in _lines(row):
        kind = str(line.get("DetailType"))
        detail = line.get(kind)
        if isinstance(detail, dict):
            target = reference_id(detail, "ItemRef") or reference_id(detail, "AccountRef")
            amount = _money(line, "Amount")
            shape.append((target if kind != "DiscountLineDetail" else "", amount))
    return sorted(shape)


def _lines(row: Payload) -> list[Payload]:
    """Lines we write; QuickBooks adds subtotals by itself."""
    lines = row.get("Line")
    return [
        line
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, dict) and line.get("DetailType") != "SubTotalLineDetail"
    ]


def _money(row: Payload, name: str) -> Decimal:
    return Decimal(str(row.get(name) or 0))


def _drift(reason: Reason, standing: StandingDocument, **facts: object) -> Drift:
    document = standing.document
    name = f"{document.quickbooks_entity} {document.document_number or document.quickbooks_id}"
    words = WORDS[reason]
    text = f"{words.sentence} {words.fix}".strip()
    return Drift(reason, text.format(name=name, **facts))


def with_row(standing: StandingDocument, row: Payload) -> Observed:
    """A document read by itself, as a sweep would tell it."""
    document = standing.document
    return Observed(str(document.quickbooks_entity), str(document.quickbooks_id), False, row)


def rewritten(standing: StandingDocument, request: bytes, total: Decimal) -> StandingDocument:
    """The same document as if *request* had been written."""
    return msgspec.structs.replace(standing, request=request, total=total, drift="")
