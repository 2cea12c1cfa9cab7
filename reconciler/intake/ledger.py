"""Compares verdicts with the ledger: what is to be recorded, corrected and told. Pure.

Called by `intake` for every batch, and by `operator` for what a plan foretells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.deciding.decide import UNMAKING, Verdict
from reconciler.deciding.enrolling import InLedger
from reconciler.model import Action, DocumentKey, DocumentState, ObjectKey, Priority, encode_content
from reconciler.outcomes import outcome
from reconciler.ports.intake import DISMISSED_BY_A_PERSON, LedgerEntry, WantedDocument
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.standing import NOT_DESIRED, Unmade, unmade
from reconciler.reasons import Reason

_CLOSED = (DocumentState.SENDING, DocumentState.CREATED)

_TOLD_OTHERWISE = frozenset(
    {Reason.SOURCE_MERGED, Reason.UNFORESEEN, Reason.UNCOUNTED, Reason.CONTACT_NOT_ELIGIBLE}
)
"""What blocks a document and says nothing against one that was sent: its sale is the other object's
now, nothing is known, or it was asked once, as enrolment is."""


def by_source(
    ledger: Mapping[DocumentKey, LedgerEntry],
) -> dict[ObjectKey, dict[DocumentKey, InLedger]]:
    """The ledger as `decide` reads it, by source object."""
    found: dict[ObjectKey, dict[DocumentKey, InLedger]] = {}
    for key, entry in ledger.items():
        found.setdefault(key.source, {})[key] = InLedger(
            entry.state, entry.workflow, _is_open(entry), entry.content, entry.enrolled_at
        )
    return found


def differences(
    verdicts: Sequence[Verdict],
    ledger: Mapping[DocumentKey, LedgerEntry],
    priority: Priority = Priority.LIVE,
) -> tuple[list[WantedDocument], dict[int, str]]:
    """Verdicts to be recorded, and what documents already sent should say now."""
    wanted: list[WantedDocument] = []
    desired: dict[int, str] = {}
    for verdict in verdicts:
        entry = ledger.get(verdict.key)
        content = None if verdict.content is None else encode_content(verdict.content)
        if entry is None or _is_open(entry):
            document = WantedDocument(
                verdict.key,
                verdict.workflow,
                verdict.state,
                verdict.reason,
                verdict.detail,
                content,
                verdict.enrolled_at or (entry.enrolled_at if entry else 0),
                priority,
                verdict.not_before,
            )
            if entry is None or _differs(document, entry):
                wanted.append(document)
        elif (says := _news(verdict, content, entry)) is not None:
            desired[entry.document_id] = says
    return wanted, desired


def overtaken(
    wanted: Sequence[WantedDocument],
    ids: Mapping[DocumentKey, int],
    ledger: Mapping[DocumentKey, LedgerEntry],
) -> dict[int, str]:
    """Documents that began to be sent since the ledger was read: what they should say is noted."""
    said = (
        (ledger[document.key].document_id, _says(document, document.content))
        for document in wanted
        if document.key not in ids and document.key in ledger
    )
    return {document_id: says for document_id, says in said if says is not None}


def _news(verdict: Verdict, content: str | None, entry: LedgerEntry) -> str | None:
    """What a sent document should say if that was not noted yet; of no document its own workflow tells."""
    says = _says(verdict, content)
    if unmade(says) and verdict.workflow != entry.workflow:
        return None
    return says if says != (entry.desired or entry.content) else None


def _says(verdict: Verdict | WantedDocument, content: str | None) -> str | None:
    """What a document that was sent should say; None where nothing is known against it."""
    if content is not None:
        return content
    if verdict.reason == Reason.SOURCE_DELETED:
        return NOT_DESIRED
    is_blocked = verdict.state is DocumentState.BLOCKED and verdict.reason not in _TOLD_OTHERWISE
    is_dismissed = verdict.state is DocumentState.DISMISSED and verdict.reason in UNMAKING
    if is_blocked or is_dismissed:
        return str(Unmade(verdict.state, verdict.reason, verdict.detail))
    return None


def splits_refunds(wanted: Sequence[WantedDocument], ids: Mapping[DocumentKey, int]) -> bool:
    """Whether a refund receipt among them began to be sent: the payment's others depend on it."""
    return any(
        document.key.action is Action.REFUND_RECEIPT and document.key not in ids
        for document in wanted
    )


def _is_open(entry: LedgerEntry) -> bool:
    """Nothing of it was sent yet, so what is wanted may still change. A person's dismissal stands."""
    if entry.state is DocumentState.DISMISSED and entry.reason == DISMISSED_BY_A_PERSON:
        return False
    return entry.state not in _CLOSED and not entry.is_in_quickbooks


def _differs(document: WantedDocument, entry: LedgerEntry) -> bool:
    """A document blocked at dispatch stays so until its content changes or someone retries it."""
    if document.content is not None:
        return document.content != entry.content
    return (document.state, document.reason, document.detail) != (
        entry.state,
        entry.reason,
        entry.detail,
    )


def events_of(
    wanted: Sequence[WantedDocument],
    ids: Mapping[DocumentKey, int],
    ledger: Mapping[DocumentKey, LedgerEntry],
) -> list[NewOutcome]:
    """Events for documents that now wait or are blocked for another reason than before."""
    events = []
    for document in wanted:
        if document.state is DocumentState.WANTED or document.key not in ids:
            continue
        entry = ledger.get(document.key)
        if entry is not None and (entry.state, entry.reason) == (document.state, document.reason):
            continue
        events.append(
            outcome(
                ids[document.key],
                document.key,
                document.state,
                document.workflow,
                reason=document.reason,
                detail=document.detail,
            )
        )
    return events
