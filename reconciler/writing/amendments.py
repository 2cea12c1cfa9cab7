"""Changes to documents that exist: what differs, and what to write. Pure; called by `amend`.

An update is sparse and holds only fields we own; lines are replaced as a whole, because
QuickBooks replaces them even in a sparse update (Invoice, "Sparse update", read 2026-11). The date
and the number are never changed: they were given when the document was made.
"""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from reconciler.model import Action, DocumentContent
from reconciler.ports.standing import StandingDocument
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.terms import due_on
from reconciler.writing.dating import dated
from reconciler.writing.documents import Entity, entity_of
from reconciler.writing.resolve import Resolved

_KEPT = ("TxnDate", "DocNumber")
_LABELS = {
    "customer": "the customer",
    "lines": "the lines",
    "total": "the total",
    "due_date": "the due date",
    "expiration_date": "the expiration date",
    "payment_terms": "the terms",
    "customer_memo": "the memo",
    "private_note": "the note",
    "document_number": "the number",
}


def settled(desired: DocumentContent, day: str) -> DocumentContent:
    """What is desired, dated *day* as before.

    Another enrolment instant alone is no change, and a due date that only moved with it stays.
    """
    moved = _days(desired.txn_date) - _days(day)
    due = desired.due_date
    if moved and due:
        due = (date.fromisoformat(due) - timedelta(days=moved)).isoformat()
    return msgspec.structs.replace(desired, txn_date=day, due_date=due)


def as_dated(desired: DocumentContent, day: str) -> DocumentContent:
    """What is desired, dated as it is in QuickBooks: on a later day where it was redated."""
    return settled(desired, day) if day < desired.txn_date else dated(desired, day)


def due_by_terms(
    written: DocumentContent, desired: DocumentContent, resolved: Resolved
) -> DocumentContent:
    """What is desired, due when new terms say.

    QuickBooks is reported to leave the DueDate where a sparse update has only the terms.
    """
    same = desired.payment_terms == written.payment_terms
    if same or desired.due_date or resolved.term is None:
        return desired
    due = due_on(resolved.term, date.fromisoformat(desired.txn_date))
    return msgspec.structs.replace(desired, due_date=due.isoformat()) if due else desired


def _days(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def differences(written: DocumentContent, desired: DocumentContent) -> list[str]:
    """For a person: which parts of the document HubSpot would have otherwise."""
    names = []
    for name in DocumentContent.__struct_fields__:
        old, new = getattr(written, name), getattr(desired, name)
        if old == new:
            continue
        label = _LABELS.get(name, name.replace("_", " "))
        names.append(f"{label} ({old} → {new})" if name == "total" else label)
    return names


def update_entity(
    standing: StandingDocument,
    content: DocumentContent,
    resolved: Resolved,
    facts: CompanyFacts,
    marker: str,
) -> Entity:
    """The sparse update that makes the document say *content*. *standing* has its SyncToken."""
    document = standing.document
    entity = entity_of(document.key.action, content, resolved, facts, marker)
    for name in _KEPT:
        entity.pop(name, None)
    if facts.using_sales_tax and document.key.action is not Action.EXPENSE:
        entity.setdefault("TxnTaxDetail", {"TotalTax": content.tax})  # a tax that went must go
    return {
        "Id": document.quickbooks_id,
        "SyncToken": standing.sync_token,
        "sparse": True,
        **entity,
    }


def change_operation_key(standing: StandingDocument, verb: str) -> str:
    """A change has a new name once the last one is recorded; the SyncToken in its body keeps an
    older one from being made late."""
    document = standing.document
    return f"{document.key}/{document.generation}.{document.revision}/{verb}/{document.version}"
