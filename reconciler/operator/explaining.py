"""Says for every workflow and action why an object has its documents, or has none. Pure.

What the ledger records is told as it stands; for the rest `decide.examine` is asked, the very rules
that intake follows, as if nothing had changed just now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.deciding.decide import Verdict, examine
from reconciler.deciding.enrolling import InLedger, Unwanted
from reconciler.model import Action, DocumentState, ObjectKey, SourceObject
from reconciler.objects.reading import associated
from reconciler.operator.presenting import day, hubspot_url
from reconciler.operator.workflow_words import why_no_match
from reconciler.ports.operator import StoredCompany
from reconciler.ports.views import (
    ActionExplanation,
    DocumentSummary,
    Explanation,
    ObjectView,
    RelatedView,
    TimelineEntry,
)
from reconciler.reasons import WORDS, Reason
from reconciler.workflows import ActionSettings, Workflow, WorkflowFile

NOT_WANTED = "not_wanted"

Place = tuple[str, Action, str]
"""Workflow name, action and realm id: one line of the explanation."""


@dataclass(frozen=True)
class Question:
    """All that an explanation is made of."""

    key: ObjectKey
    object: SourceObject | None
    documents: Sequence[DocumentSummary]
    companies: Mapping[str, StoredCompany]
    workflows: WorkflowFile
    now: datetime
    not_understood: str = ""
    """What is said of the dead letters that an object never read may be among."""


def not_understood(count: int, topic: str) -> str:
    """Tell of a topic's open dead letters."""
    what = "record" if count == 1 else "records"
    return f"{count} {what} of topic {topic} could not be understood: reconciler dead-letters list."


def explain(question: Question, timeline: tuple[TimelineEntry, ...]) -> Explanation:
    """The whole answer."""
    obj = question.object
    actions = tuple(_actions(question))
    return Explanation(
        key=question.key,
        object=None if obj is None else object_view(obj),
        sentence=_sentence(question, actions),
        actions=actions,
        timeline=timeline,
    )


def object_view(obj: SourceObject) -> ObjectView:
    """The object as known."""
    return ObjectView(
        key=obj.key,
        name=obj.properties.get("dealname") or obj.properties.get("hs_title") or "",
        hubspot_url=hubspot_url(obj.key),
        changed_at=datetime.fromtimestamp(max(obj.changed_at, 0) / 1000, UTC),
        is_deleted=obj.is_deleted,
        merged_into=obj.merged[1] if obj.merged else "",
        properties=dict(sorted(obj.properties.items())),
        associations={name: _related(obj, name) for name in sorted(obj.associations)},
    )


def _related(obj: SourceObject, name: str) -> tuple[RelatedView, ...] | None:
    found = associated(obj, name)
    if found is None:
        return None
    views = []
    for each in found:
        known = each.properties or {}
        person = f"{known.get('firstname') or ''} {known.get('lastname') or ''}".strip()
        label = known.get("name") or person or known.get("email") or ""
        views.append(RelatedView(id=each.id, name=label, properties=dict(known)))
    return tuple(views)


def _sentence(question: Question, actions: Sequence[ActionExplanation]) -> str:
    key = question.key
    if question.object is None:
        return (
            f"No change of {key} in portal {key.portal_id} has been read. Check that it exists in "
            "HubSpot and that the feed carries it; reading may also be behind. "
            f"{question.not_understood}"
        ).rstrip()
    if not actions:
        return f"No workflow is for {key.type}s, so nothing is wanted."
    counts: dict[str, int] = {}
    for each in actions:
        counts[each.state] = counts.get(each.state, 0) + 1
    parts = [f"{count} {state.replace('_', ' ')}" for state, count in sorted(counts.items())]
    return f"{str(key).capitalize()}: {', '.join(parts)}."


# --- one line per workflow and action --------------------------------------------------------------


def _actions(question: Question) -> Iterator[ActionExplanation]:
    obj, told = question.object, set[int]()
    found = _examined(question) if obj is not None else {}
    for workflow in question.workflows.workflows:
        if workflow.object_type is not question.key.type:
            continue
        for settings in workflow.actions:
            recorded = list(_recorded(question, workflow, settings))
            told.update(each.document_id for each in recorded)
            for document in recorded:
                yield _of_document(question, document)
            if not recorded and obj is not None:
                place = (workflow.name, settings.action, settings.company.realm_id)
                yield _unrecorded(question, workflow, settings, found.get(place))
    for document in question.documents:
        if document.document_id not in told:
            yield _of_document(question, document)


def _examined(question: Question) -> dict[Place, Verdict | Unwanted]:
    obj = question.object
    assert obj is not None
    ledger = {each.key: InLedger(each.state, each.workflow) for each in question.documents}
    results = examine(obj, obj, question.workflows.workflows, ledger)
    return {(each.workflow, each.key.action, each.key.realm_id): each for each in results}


def _recorded(
    question: Question, workflow: Workflow, settings: ActionSettings
) -> Iterator[DocumentSummary]:
    for document in question.documents:
        same = document.key.action is settings.action
        if (
            same
            and document.key.realm_id == settings.company.realm_id
            and document.workflow == workflow.name
        ):
            yield document


def _of_document(question: Question, document: DocumentSummary) -> ActionExplanation:
    sentence, fix = document.sentence, document.fix
    if document.state in (DocumentState.WANTED, DocumentState.SENDING):
        more, remedy = _why_not_yet(question, document)
        sentence, fix = f"{sentence} {more}".strip(), remedy or fix
    return ActionExplanation(
        workflow=document.workflow,
        action=document.key.action,
        company=document.company,
        realm_id=document.key.realm_id,
        state=document.state,
        reason=document.reason,
        sentence=sentence,
        fix=fix,
        document=document,
    )


def _why_not_yet(question: Question, document: DocumentSummary) -> tuple[str, str]:
    """Why a wanted document is not in the books yet."""
    company = question.companies.get(document.key.realm_id)
    if company is None:
        return (
            "No process has worked for this company yet.",
            "Start the service with this workflow file.",
        )
    if company.connection != "connected":
        return (
            f"The company is {company.connection}: {company.connection_detail}".rstrip(": "),
            "Connect the company to QuickBooks again.",
        )
    if company.lease_until is None or company.lease_until < question.now:
        return "No process works for this company now.", "Start the service, or see why it stopped."
    if document.reason:
        return "", ""
    if document.next_attempt_at > question.now:
        return f"The next attempt is at {day(document.next_attempt_at)}.", ""
    if document.is_backfill:
        return "It comes from a backfill; live documents go first.", ""
    return "It is its turn within seconds.", ""


def _unrecorded(
    question: Question,
    workflow: Workflow,
    settings: ActionSettings,
    found: Verdict | Unwanted | None,
) -> ActionExplanation:
    reason, sentence, fix = _why_unwanted(question, workflow, found)
    return ActionExplanation(
        workflow=workflow.name,
        action=settings.action,
        company=settings.company.name,
        realm_id=settings.company.realm_id,
        state=NOT_WANTED,
        reason=reason,
        sentence=sentence,
        fix=fix,
    )


def _why_unwanted(
    question: Question,
    workflow: Workflow,
    found: Verdict | Unwanted | None,
) -> tuple[str, str, str]:
    if not workflow.enabled:
        return (
            Reason.WORKFLOW_OFF,
            f"Workflow “{workflow.name}” is turned off.",
            "Set enabled: true in workflows.yaml, then backfill if the past is meant too.",
        )
    obj = question.object
    if isinstance(found, Unwanted):
        fix = WORDS[Reason(found.reason)].fix
        if found.reason == Reason.NO_MATCH and obj is not None:
            return found.reason, f"{found.detail} {why_no_match(obj, workflow.enrol)}".strip(), fix
        return found.reason, found.detail, "" if "{" in fix else fix
    return (
        Reason.MATCHED_BEFORE,
        f"It meets the enrolment of “{workflow.name}”, but nothing has changed since that is so.",
        WORDS[Reason.MATCHED_BEFORE].fix,
    )
