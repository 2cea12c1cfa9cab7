"""Decides which documents a source object calls for. Pure: no clock, no I/O.

Called by `intake` for every object a batch changed, and by `explain`, `plan` and `backfill`. It
compares the object with what the ledger already records and returns what should be recorded; it
never looks at QuickBooks, whose side is checked at dispatch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from reconciler.deciding.content import content_of
from reconciler.deciding.enrolling import InLedger, Step, Unwanted, document_key, steps, unwanted
from reconciler.deciding.source import suspects
from reconciler.errors import UNFORESEEN
from reconciler.model import (
    UNSENT,
    Action,
    DocumentContent,
    DocumentKey,
    DocumentState,
    SourceObject,
)
from reconciler.objects.fold import KEPT_POINTS
from reconciler.reasons import WORDS, Blocked, NotEnrolled, Reason, Stop, Waiting, unforeseen
from reconciler.workflows import PartialRefunds, Workflow


class Verdict(NamedTuple):
    """What should be recorded for one document; `content` is None unless it is complete.

    It is not to be made before `not_before` (epoch ms). `enrolled_at` is 0 where a document is
    dismissed: the ledger keeps what it has. `unforeseen` is the error that kept the object from
    being decided, for the log.
    """

    key: DocumentKey
    workflow: str
    state: DocumentState
    enrolled_at: int
    reason: str = ""
    detail: str = ""
    content: DocumentContent | None = None
    not_before: int = 0
    unforeseen: Exception | None = None


def decide(
    obj: SourceObject,
    before: SourceObject | None,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, InLedger],
) -> list[Verdict]:
    """The documents *obj* calls for; *ledger* holds this object's.

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
        else:
            unwanted.append(found)
    if ledger:
        verdicts += _dismissals(obj, workflows, ledger, verdicts, unwanted)
    return verdicts


def examine(
    obj: SourceObject,
    before: SourceObject | None,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, InLedger],
) -> list[Verdict | Unwanted]:
    """Like `decide`, and also says why each other action of the object's type wants nothing.

    The last net, too: what nobody foresaw in a value blocks its object and no other.
    """
    try:
        return list(_examined(obj, before, workflows, ledger))
    except UNFORESEEN as error:
        return _unreadable(obj, workflows, ledger, error)


def _examined(
    obj: SourceObject,
    before: SourceObject | None,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, InLedger],
) -> Iterator[Verdict | Unwanted]:
    wanted: dict[DocumentKey, Verdict] = {}
    for step in _in_order(steps(obj, before, workflows, ledger), ledger):
        if isinstance(step, Unwanted):
            yield step
        elif other := wanted.get(step.key):
            stop = NotEnrolled(Reason.SAME_DOCUMENT, other=other.workflow)
            yield unwanted(step.key, step.workflow, stop)
        else:
            found = _verdict(_linked(step, wanted, ledger), ledger.get(step.key))
            if isinstance(found, Verdict):
                wanted[found.key] = found
            yield found


def _in_order(
    found: Iterator[Step | Unwanted], ledger: Mapping[DocumentKey, InLedger]
) -> list[Step | Unwanted]:
    """Estimates first, for invoices link to them; a document already sent stays its workflow's."""
    listed = list(found)
    if len(listed) == 1:
        return listed

    def place(step: Step | Unwanted) -> tuple[bool, bool]:
        entry = ledger.get(step.key)
        name = step.workflow if isinstance(step, Unwanted) else step.workflow.name
        is_its_own = entry is not None and not entry.is_open and entry.workflow == name
        return step.key.action is not Action.ESTIMATE, not is_its_own

    return sorted(listed, key=place)


def _linked(
    step: Step, wanted: Mapping[DocumentKey, Verdict], ledger: Mapping[DocumentKey, InLedger]
) -> Step:
    """An invoice follows the estimate of the same object, company and enrolment made before it."""
    if step.key.action is not Action.INVOICE or not (wanted or ledger):
        return step
    key = step.key._replace(action=Action.ESTIMATE)
    estimate = wanted.get(key) or _sent_already(ledger.get(key))
    if estimate is None or estimate.enrolled_at > step.enrolled.enrolled_at:
        return step
    return step._replace(enrolled=step.enrolled._replace(linked_estimate=str(key)))


def _sent_already(entry: InLedger | None) -> InLedger | None:
    """An estimate that nothing calls for any more counts only if it was sent: else it is dismissed."""
    if entry is None or entry.is_open or entry.state is DocumentState.DISMISSED:
        return None
    return entry


# --- verdicts ------------------------------------------------------------------------------------


def _verdict(step: Step, entry: InLedger | None) -> Verdict | Unwanted:
    enrolled, workflow = step.enrolled, step.workflow
    if step.was_known:
        return unwanted(
            step.key, workflow, NotEnrolled(Reason.MATCHED_BEFORE, workflow=workflow.name)
        )
    try:
        if enrolled.obj.merged is not None:
            other = enrolled.obj.merged[1]
            raise Blocked(Reason.SOURCE_MERGED, object=step.key.object_type, other=other)
        if enrolled.obj.is_deleted:
            raise Blocked(Reason.SOURCE_DELETED, object=step.key.object_type)
        if step.is_uncounted:
            raise Blocked(Reason.UNCOUNTED, object=step.key.object_type, most=f"{KEPT_POINTS:,}")
        if step.missing and (entry is None or entry.is_open):
            raise Waiting(Reason.PROPERTY_UNKNOWN, missing=", ".join(step.missing))
        content = content_of(enrolled)
    except NotEnrolled as stop:
        return unwanted(step.key, workflow, stop)
    except Waiting as stop:
        return _stopped(step, DocumentState.WAITING, stop)
    except Blocked as stop:
        return _stopped(step, DocumentState.BLOCKED, stop)
    made = Verdict(
        step.key, workflow.name, DocumentState.WANTED, enrolled.enrolled_at, content=content
    )
    return _delayed(made, workflow.delay) if workflow.delay else made


def _delayed(verdict: Verdict, delay: timedelta) -> Verdict:
    not_before = verdict.enrolled_at + delay // timedelta(milliseconds=1)
    until = datetime.fromtimestamp(not_before / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    stop = Waiting(Reason.DELAY, delay=_spoken(delay), until=until)
    return verdict._replace(reason=stop.reason, detail=stop.detail, not_before=not_before)


def _spoken(delay: timedelta) -> str:
    """`3 days`, as in the workflow file."""
    for unit, name in ((timedelta(weeks=1), "week"), (timedelta(days=1), "day"),
                       (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):  # fmt: skip
        count, rest = divmod(delay, unit)
        if count and not rest:
            return f"{count} {name}" + ("s" if count > 1 else "")
    return str(delay)


def _unreadable(
    obj: SourceObject,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, InLedger],
    error: Exception,
) -> list[Verdict | Unwanted]:
    """A blocked document of each action that may want one; where some are sent, of the others."""
    stop = unforeseen(error, obj.key.type, suspects(obj)[:3])
    found: dict[DocumentKey, Verdict | Unwanted] = {}
    for workflow in workflows:
        if not _may_enrol(workflow, obj):
            continue
        for settings in workflow.actions:
            repeats = workflow.re_enrol or settings.partial_refunds is PartialRefunds.RECEIPT
            for key in _unsent(document_key(obj, settings), ledger, repeats=bool(repeats)):
                blocked = Verdict(
                    key, workflow.name, DocumentState.BLOCKED, obj.changed_at, stop.reason,
                    stop.detail, unforeseen=error,
                )  # fmt: skip
                found.setdefault(key, blocked)
    return list(found.values())


def _unsent(
    key: DocumentKey, ledger: Mapping[DocumentKey, InLedger], *, repeats: bool
) -> list[DocumentKey]:
    """The documents of an action that are still open, or its next one. One that was sent stands,
    whatever its verdict."""
    recorded = [known for known in ledger if known._replace(enrolment=1) == key]
    if not recorded:
        return [key]
    last = max(known.enrolment for known in recorded)
    following = key._replace(enrolment=last + 1 if repeats else last)
    return [known for known in recorded if ledger[known].is_open] or [following]


def _may_enrol(workflow: Workflow, obj: SourceObject) -> bool:
    if not workflow.enabled or workflow.object_type is not obj.key.type:
        return False
    try:
        return workflow.enrol.matches(obj) is not None
    except UNFORESEEN:
        return True


UNMAKING = frozenset(
    {Reason.INVOICE_PAYMENT, Reason.QUICKBOOKS_PAYMENT, Reason.PAYMENT_FAILED, Reason.NO_FEES,
     Reason.NOT_REFUNDED}
)  # fmt: skip
"""Facts that speak against a document also after it was sent. That an object does not match any more
is none: enrolment is once held."""


def _dismissals(
    obj: SourceObject,
    workflows: Sequence[Workflow],
    ledger: Mapping[DocumentKey, InLedger],
    verdicts: Sequence[Verdict],
    unwanted: Sequence[Unwanted],
) -> Iterator[Verdict]:
    """Documents recorded that what is known by now does not call for any more: those not sent, and
    those sent that a fact speaks against (`ledger` shows it)."""
    called_for = {verdict.key for verdict in verdicts}
    why = {each.key: each for each in reversed(unwanted)}
    for key, entry in ledger.items():
        if key in called_for or key.source != obj.key:
            continue
        found = why.get(key)
        if not entry.is_open:
            if found and found.reason in UNMAKING and found.workflow == entry.workflow:
                yield _dismissed(found)
            continue
        if entry.state not in UNSENT:
            continue
        if found is None and _is_on(key, entry.workflow, workflows):
            found = Unwanted(
                key,
                entry.workflow,
                Reason.NO_LONGER_WANTED,
                WORDS[Reason.NO_LONGER_WANTED].sentence,
            )
        if found is not None:  # else its workflow is off, which is seen to when the service starts
            yield _dismissed(found._replace(workflow=entry.workflow))


def _dismissed(found: Unwanted) -> Verdict:
    return Verdict(
        found.key, found.workflow, DocumentState.DISMISSED, 0, found.reason, found.detail
    )


def _is_on(key: DocumentKey, name: str, workflows: Sequence[Workflow]) -> bool:
    return any(
        workflow.enabled
        and workflow.name == name
        and any(
            (each.action, each.company.realm_id) == (key.action, key.realm_id)
            for each in workflow.actions
        )
        for workflow in workflows
    )


def _stopped(step: Step, state: DocumentState, stop: Stop) -> Verdict:
    return Verdict(
        step.key, step.workflow.name, state, step.enrolled.enrolled_at, stop.reason, stop.detail
    )
