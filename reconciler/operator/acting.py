"""Retrying and dismissing documents. Called by `desk`; pure but for the store it is given.

A retry decides anew from the stored object and today's workflows, so that a change of either counts,
and leaves the rest to the dispatcher. Nothing here touches a document that is in the air or in
QuickBooks, and each change holds only if the document is still as it was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from reconciler.deciding.decide import Verdict, examine
from reconciler.deciding.enrolling import InLedger, Unwanted
from reconciler.intake.ledger import by_source
from reconciler.intake.switching import why_off
from reconciler.model import DocumentKey, DocumentState, ObjectKey, SourceObject, encode_content
from reconciler.outcomes import about
from reconciler.ports.intake import DISMISSED_BY_A_PERSON, LedgerEntry
from reconciler.ports.operator import DocumentAct, NewAudit, OperatorStore, StoredDocument
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.views import Done, Selection
from reconciler.workflows import Workflow
from reconciler.writing.observed import LOST

CHUNK = 500
"""Documents changed in one transaction."""


_IN_THE_AIR = "It was sent to QuickBooks and its answer is awaited."
_CREATED = "It is in QuickBooks already."
_CHANGED = "It changed meanwhile; look again."
_MISSING = "There is no such document."


@dataclass(frozen=True)
class Acting:
    """Who acts, and on what rules."""

    store: OperatorStore
    workflows: Sequence[Workflow]
    by: str


async def retry(acting: Acting, selection: Selection, *, bill_anyway: bool = False) -> Done:
    """Look at the selected documents anew; *bill_anyway* also where the sale is billed already."""
    done = Done(changed={}, refused={})
    after = 0
    while chunk := await acting.store.selected(selection, after, CHUNK):
        after = chunk[-1].document_id
        allowed = _allowed(chunk, done)
        objects = await _objects(acting.store, allowed)
        ledger = await _ledger(acting.store, list(objects))
        changes = [
            retried(each, objects.get(each.key.source), acting.workflows, ledger[each.key.source])
            for each in allowed
        ]
        if bill_anyway:
            changes = [msgspec.structs.replace(each, guard_off=True) for each in changes]
        await _apply(acting, done, changes, "retry", {"bill_anyway": True} if bill_anyway else {})
    return _with_missing(done, selection)


async def dismiss(acting: Acting, selection: Selection, why: str) -> Done:
    """Decide that the selected documents are not to be made."""
    done = Done(changed={}, refused={})
    after = 0
    while chunk := await acting.store.selected(selection, after, CHUNK):
        after = chunk[-1].document_id
        allowed = [each for each in _allowed(chunk, done) if not _is_half_made(each, done)]
        changes = [_dismissed(each, why, acting.by) for each in allowed]
        await _apply(acting, done, changes, "dismiss", {"why": why})
    return _with_missing(done, selection)


def _is_half_made(stored: StoredDocument, done: Done) -> bool:
    """A paid invoice whose invoice exists can't be wished away."""
    if not stored.quickbooks_id:
        return False
    done.refused[stored.document_id] = (
        f"{stored.quickbooks_entity} {stored.quickbooks_id} of it is in QuickBooks; retry it, or "
        "void that first."
    )
    return True


def _allowed(chunk: Iterable[StoredDocument], done: Done) -> list[StoredDocument]:
    allowed = []
    for each in chunk:
        if each.state is DocumentState.SENDING:
            done.refused[each.document_id] = _IN_THE_AIR
        elif each.state is DocumentState.CREATED:
            done.refused[each.document_id] = _why_not(each)
        else:
            allowed.append(each)
    return allowed


def _why_not(created: StoredDocument) -> str:
    """What QuickBooks has, or what to do where it has it no more."""
    reason, _, detail = created.drift.partition(": ")
    return f"It was made already. {detail}" if reason in LOST else _CREATED


async def _objects(
    store: OperatorStore, documents: Iterable[StoredDocument]
) -> dict[ObjectKey, SourceObject]:
    keys = list({each.key.source for each in documents})
    return {obj.key: obj for obj in await store.objects(keys)} if keys else {}


async def _ledger(
    store: OperatorStore, keys: Sequence[ObjectKey]
) -> dict[ObjectKey, dict[DocumentKey, InLedger]]:
    """What is recorded of these objects: documents of one object depend on each other."""
    documents = await store.documents_of(keys) if keys else []
    return defaultdict(dict, by_source({each.key: _entry(each) for each in documents}))


def _entry(stored: StoredDocument) -> LedgerEntry:
    return LedgerEntry(
        stored.key, stored.document_id, stored.workflow, stored.state, stored.reason,
        stored.detail, int(stored.enrolled_at.timestamp() * 1000), stored.content, stored.desired,
        is_in_quickbooks=bool(stored.quickbooks_id),
    )  # fmt: skip


async def _apply(
    acting: Acting,
    done: Done,
    changes: Sequence[DocumentAct],
    action: str,
    detail: Mapping[str, object],
) -> None:
    if not changes:
        return
    audit = [
        NewAudit(
            actor=acting.by,
            action=action,
            target=f"document {each.document_id}",
            detail={**detail, "state": each.state, "reason": each.reason},
        )
        for each in changes
    ]
    applied = await acting.store.change(changes, audit)
    for each in changes:
        if each.document_id in applied:
            done.changed[each.document_id] = each.state
        else:
            done.refused[each.document_id] = _CHANGED


def _with_missing(done: Done, selection: Selection) -> Done:
    for document_id in selection.document_ids:
        if document_id not in done.changed and document_id not in done.refused:
            done.refused[document_id] = _MISSING
    return done


# --- what becomes of one document: pure ------------------------------------------------------------


def retried(
    stored: StoredDocument,
    obj: SourceObject | None,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, InLedger],
) -> DocumentAct:
    """What a retry makes of a document."""
    if stored.quickbooks_id or (obj is None and stored.content is not None):
        # Half of it is in the books (a paid invoice's invoice), or only the ledger knows it.
        return _wanted(stored, None)
    if obj is None:
        return _stopped(stored, stored.state, stored.reason, stored.detail)
    recorded = {**ledger, stored.key: InLedger(stored.state, stored.workflow)}
    found = [each for each in examine(obj, obj, workflows, recorded) if each.key == stored.key]
    # Several workflows may call for the same document; those that want nothing have no say then.
    verdict = next((each for each in found if isinstance(each, Verdict)), None) or next(
        (each for each in found if each.workflow == stored.workflow), None
    )
    if isinstance(verdict, Verdict):
        if verdict.content is not None:
            return _wanted(stored, encode_content(verdict.content), verdict.workflow)
        return _stopped(stored, verdict.state, verdict.reason, verdict.detail)
    if isinstance(verdict, Unwanted):
        return _stopped(stored, DocumentState.BLOCKED, verdict.reason, verdict.detail)
    off = why_off(stored.key, stored.workflow, workflows)
    return _stopped(stored, DocumentState.BLOCKED, off.reason, off.detail)


def _wanted(stored: StoredDocument, content: str | None, workflow: str = "") -> DocumentAct:
    return DocumentAct(
        document_id=stored.document_id,
        version=stored.version,
        state=DocumentState.WANTED,
        workflow=workflow,
        content=content,
        outcome=_event(stored, DocumentState.WANTED, "", ""),
    )


def _stopped(stored: StoredDocument, state: DocumentState, reason: str, detail: str) -> DocumentAct:
    return DocumentAct(
        document_id=stored.document_id,
        version=stored.version,
        state=state,
        reason=reason,
        detail=detail,
        drop_content=True,
        outcome=_event(stored, state, reason, detail),
    )


def _dismissed(stored: StoredDocument, why: str, by: str) -> DocumentAct:
    detail = f"Dismissed by {by}: {why}" if why else f"Dismissed by {by}."
    return DocumentAct(
        document_id=stored.document_id,
        version=stored.version,
        state=DocumentState.DISMISSED,
        reason=DISMISSED_BY_A_PERSON,
        detail=detail,
        outcome=_event(stored, DocumentState.DISMISSED, DISMISSED_BY_A_PERSON, detail),
    )


def _event(
    stored: StoredDocument, state: DocumentState, reason: str, detail: str
) -> NewOutcome | None:
    """Published only where the state or its reason becomes another."""
    if (stored.state, stored.reason) == (state, reason):
        return None
    return about(stored, state, reason, detail)
