"""Decides which documents a source object calls for. Pure: no clock, no I/O.

Called by `intake` for every object a batch changed, and by `explain`, `plan` and `backfill`. It
compares the object with what the ledger already records and returns what should be recorded; it
never looks at QuickBooks, whose side is checked at dispatch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.content import Sale, content_of
from reconciler.model import DocumentContent, DocumentKey, DocumentState, SourceObject
from reconciler.reasons import Blocked, NotEnrolled, Reason, Stop, Waiting
from reconciler.workflows import ActionSettings, Workflow


class Verdict(NamedTuple):
    """What should be recorded for one document; `content` is None unless it is complete.

    `enrolled_at` is 0 where a document is dismissed: the ledger keeps what it has.
    """

    key: DocumentKey
    workflow: str
    state: DocumentState
    enrolled_at: int
    reason: str = ""
    detail: str = ""
    content: DocumentContent | None = None


class Unwanted(NamedTuple):
    """An action that wants nothing for this object, and why."""

    key: DocumentKey
    workflow: str
    reason: str
    detail: str


def decide(
    obj: SourceObject,
    before: SourceObject | None,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, DocumentState],
) -> list[Verdict]:
    """The documents *obj* calls for.

    *before* is the object as it was known before the changes now looked at: an object that met
    an enrolment already then, without a ledger entry, met it before the workflow was turned on
    and is left to `backfill`, which passes None. A document recorded but not sent yet that nothing
    calls for any more (the payment turns out to be of an invoice) is dismissed.
    """
    verdicts: list[Verdict] = []
    unwanted: list[Unwanted] = []
    for found in examine(obj, before, workflows, ledger):
        if isinstance(found, Verdict):
            verdicts.append(found)
        elif ledger.get(found.key) in _UNSENT:
            unwanted.append(found)
    if unwanted:
        called_for = {verdict.key for verdict in verdicts}
        verdicts += [_dismissal(each) for each in unwanted if each.key not in called_for]
    return verdicts


_UNSENT = (DocumentState.WAITING, DocumentState.BLOCKED, DocumentState.WANTED)


def _dismissal(found: Unwanted) -> Verdict:
    return Verdict(
        found.key, found.workflow, DocumentState.DISMISSED, 0, found.reason, found.detail
    )


def examine(
    obj: SourceObject,
    before: SourceObject | None,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, DocumentState],
) -> Iterator[Verdict | Unwanted]:
    """Like `decide`, and also says why each other action of the object's type wants nothing."""
    for workflow in workflows:
        if not workflow.enabled or workflow.object_type is not obj.key.type:
            continue
        enrolled_at = workflow.enrol.matches(obj)
        known_before: bool | None = None
        for settings in workflow.actions:
            key = document_key(obj, settings)
            if enrolled_at is None:
                yield _unwanted(key, workflow, NotEnrolled(Reason.NO_MATCH, workflow=workflow.name))
                continue
            if key not in ledger and before is not None:
                if known_before is None:
                    known_before = workflow.enrol.matches(before) is not None
                if known_before and not _wants_nothing(before, settings, enrolled_at):
                    stop = NotEnrolled(Reason.MATCHED_BEFORE, workflow=workflow.name)
                    yield _unwanted(key, workflow, stop)
                    continue
            yield _verdict(Sale(obj, settings, enrolled_at), key, workflow)


def is_undecided(obj: SourceObject, workflows: Sequence[Workflow]) -> bool:
    """Whether the object enrols nowhere, but might if it were known what the feed never mentioned."""
    return not obj.is_deleted and any(
        workflow.enrol.matches(obj) is None and workflow.enrol.is_undecided(obj)
        for workflow in workflows
        if workflow.enabled and workflow.object_type is obj.key.type
    )


def document_key(obj: SourceObject, settings: ActionSettings, enrolment: int = 1) -> DocumentKey:
    """The unit of idempotency for one action on one object."""
    source = obj.key
    return DocumentKey(
        settings.company.realm_id,
        settings.action,
        source.portal_id,
        source.type,
        source.id,
        enrolment,
    )


def _verdict(sale: Sale, key: DocumentKey, workflow: Workflow) -> Verdict | Unwanted:
    try:
        if sale.obj.is_deleted or sale.obj.merged is not None:
            raise Blocked(Reason.SOURCE_DELETED, object=key.object_type)
        content = content_of(sale)
    except NotEnrolled as stop:
        return _unwanted(key, workflow, stop)
    except Waiting as stop:
        return _stopped(sale, key, workflow, DocumentState.WAITING, stop)
    except Blocked as stop:
        return _stopped(sale, key, workflow, DocumentState.BLOCKED, stop)
    return Verdict(key, workflow.name, DocumentState.WANTED, sale.enrolled_at, content=content)


def _wants_nothing(before: SourceObject, settings: ActionSettings, enrolled_at: int) -> bool:
    """Whether the action wanted nothing while the object already matched (a payment not refunded
    yet, fees not known yet): then it is this change that calls for the document."""
    try:
        content_of(Sale(before, settings, enrolled_at))
    except NotEnrolled:
        return True
    except Stop:
        return False
    return False


def _stopped(
    sale: Sale, key: DocumentKey, workflow: Workflow, state: DocumentState, stop: Stop
) -> Verdict:
    return Verdict(key, workflow.name, state, sale.enrolled_at, stop.reason, stop.detail)


def _unwanted(key: DocumentKey, workflow: Workflow, stop: Stop) -> Unwanted:
    return Unwanted(key, workflow.name, stop.reason, stop.sentence)
