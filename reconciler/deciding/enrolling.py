"""Finds out when an object met the enrolments of workflows, and which document each time is. Pure.

Called by `decide`. Each step is one enrolment in one action, numbered as the ledger numbers them; a
partial refund is a step too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from reconciler.deciding.content import Enrolled, content_of
from reconciler.deciding.refunds import refund_shares, refund_steps
from reconciler.model import DocumentKey, DocumentState, ObjectType, SourceObject
from reconciler.objects.fold import KEPT_POINTS
from reconciler.reasons import NotEnrolled, Reason, Stop
from reconciler.workflows import ActionSettings, PartialRefunds, Workflow


class InLedger(NamedTuple):
    """What the ledger says of a document; `content` is JSON text, `enrolled_at` epoch ms.

    It is open while nothing of it was sent and no person dismissed it: its content may change.
    """

    state: DocumentState
    workflow: str = ""
    is_open: bool = True
    content: str | None = None
    enrolled_at: int = 0


class Unwanted(NamedTuple):
    """An action that wants nothing for this object, and why."""

    key: DocumentKey
    workflow: str
    reason: str
    detail: str


class Step(NamedTuple):
    """One enrolment of an object in one action."""

    workflow: Workflow
    enrolled: Enrolled
    key: DocumentKey
    missing: tuple[str, ...]
    was_known: bool
    is_uncounted: bool


def steps(
    obj: SourceObject,
    before: SourceObject | None,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, InLedger],
) -> Iterator[Step | Unwanted]:
    for workflow in workflows:
        if not workflow.enabled or workflow.object_type is not obj.key.type:
            continue
        enrolled = _enrolled_at(workflow, obj)
        if not enrolled:
            for settings in workflow.actions:
                stop = NotEnrolled(Reason.NO_MATCH, workflow=workflow.name)
                yield unwanted(document_key(obj, settings), workflow, stop)
            continue
        missing = workflow.enrol.guesses(obj)
        uncounted = len(enrolled) > 1 and _is_cut(workflow, obj)
        numbered = _last_enrolment if uncounted else _each_enrolment
        for settings in workflow.actions:
            for number, each in numbered(obj, settings, enrolled, ledger):
                key = document_key(obj, settings, number)
                known = (
                    before is not None
                    and key not in ledger
                    and _was_known(workflow, each, None if uncounted else number, before)
                )
                yield Step(workflow, each, key, missing, known, uncounted)


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


def _is_cut(workflow: Workflow, obj: SourceObject) -> bool:
    """Whether not all is kept that the object once was: its enrolments can't be counted."""
    return any(len(obj.history.get(name, ())) > KEPT_POINTS for name in workflow.watched())


def _last_enrolment(
    obj: SourceObject,
    settings: ActionSettings,
    enrolled: tuple[int, ...],
    ledger: Mapping[DocumentKey, InLedger],
) -> Iterator[tuple[int, Enrolled]]:
    """Where they can't be counted: the last one if it is not recorded, and those that are open."""
    first = document_key(obj, settings)
    own = {known: ledger[known] for known in ledger if known._replace(enrolment=1) == first}
    for known, entry in own.items():
        if entry.is_open:
            yield known.enrolment, Enrolled(obj, settings, entry.enrolled_at)
    if all(entry.enrolled_at < enrolled[-1] for entry in own.values()):
        last = max((known.enrolment for known in own), default=0)
        yield last + 1, Enrolled(obj, settings, enrolled[-1])


def _enrolled_at(workflow: Workflow, obj: SourceObject) -> tuple[int, ...]:
    """When the object enrolled, first to last. A payment enrols once: its money moved once."""
    enrolled = workflow.enrolled_at(obj)
    return enrolled[:1] if obj.key.type is ObjectType.PAYMENT else enrolled


def _each_enrolment(
    obj: SourceObject,
    settings: ActionSettings,
    enrolled: tuple[int, ...],
    ledger: Mapping[DocumentKey, InLedger],
) -> Iterator[tuple[int, Enrolled]]:
    """Each enrolment of an action by its number; for partial refunds, each step of them."""
    steps = refund_steps(obj) if settings.partial_refunds is PartialRefunds.RECEIPT else ()
    if not steps:
        for number, at in enumerate(enrolled, start=1):
            yield number, Enrolled(obj, settings, at)
        return
    for number, share in refund_shares(steps, _sent(document_key(obj, settings), ledger)):
        yield number, Enrolled(obj, settings, enrolled[0], refund=share)


class _Total(msgspec.Struct):
    total: Decimal


_decode_total = msgspec.json.Decoder(_Total).decode


def _sent(key: DocumentKey, ledger: Mapping[DocumentKey, InLedger]) -> dict[int, Decimal | None]:
    """Totals of the receipts of a payment that can't change any more, by enrolment."""
    return {
        known.enrolment: _decode_total(entry.content).total if entry.content else None
        for known, entry in ledger.items()
        if known._replace(enrolment=1) == key and not entry.is_open
    }


def _was_known(
    workflow: Workflow, each: Enrolled, number: int | None, before: SourceObject
) -> bool:
    """Whether the object called for this document before the changes now looked at.

    *number* is None where enrolments can't be counted: then the time of the last one tells.
    """
    enrolled = _enrolled_at(workflow, before)
    if number is None:
        return bool(enrolled) and each.enrolled_at <= enrolled[-1]
    if each.refund is not None:
        return bool(enrolled) and number <= len(refund_steps(before))
    if number > len(enrolled):
        return False
    return not _wants_nothing(Enrolled(before, each.settings, each.enrolled_at))


def _wants_nothing(each: Enrolled) -> bool:
    """Whether the action wanted nothing while the object already matched (a payment not refunded
    yet, fees not known yet): then it is this change that calls for the document."""
    try:
        content_of(each)
    except NotEnrolled:
        return True
    except Stop:
        return False
    return False


def unwanted(key: DocumentKey, workflow: Workflow, stop: Stop) -> Unwanted:
    return Unwanted(key, workflow.name, stop.reason, stop.sentence)
