"""Follows workflows that were switched off, on again or removed since the service last ran.

Called once by `app` at start, before anything is read. Unsent documents of an action that is off or
gone are blocked, so that they are seen and not sent; once it is on again they are decided anew
from what is known of their objects. Nothing is decided about objects without a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from reconciler.intake import Intake, Taken, Transaction
from reconciler.model import DocumentKey, DocumentState, ObjectKey
from reconciler.outcomes import outcome
from reconciler.ports.intake import ActionPlace, LedgerEntry, WantedDocument
from reconciler.reasons import Blocked, Reason
from reconciler.workflows import Workflow

CHUNK = 500
"""Documents in one transaction."""


class SwitchTransaction(Transaction, Protocol):
    """Intake's transaction, which also finds the documents that a switch concerns."""

    async def unsent_elsewhere(
        self, on: Sequence[ActionPlace], after: int, limit: int
    ) -> list[LedgerEntry]:
        """Unsent documents of none of these actions, not blocked as off yet, in order of id."""
        ...

    async def blocked_as_off(
        self, on: Sequence[ActionPlace], after: int, limit: int
    ) -> list[LedgerEntry]:
        """Documents blocked for what `why_off` answers, of one of these actions."""
        ...


class Switched(NamedTuple):
    """How many documents were blocked, and how many decided anew."""

    off: int
    on: int


def places(workflows: Iterable[Workflow]) -> list[ActionPlace]:
    """The actions that are on. Pure."""
    return sorted(
        {
            ActionPlace(workflow.name, action.company.realm_id, action.action, workflow.object_type)
            for workflow in workflows
            if workflow.enabled
            for action in workflow.actions
        }
    )


def why_off(key: DocumentKey, workflow: str, workflows: Iterable[Workflow]) -> Blocked:
    """What to say of a document whose action is not on. Pure."""
    companies = {action.company.realm_id for each in workflows for action in each.actions}
    if key.realm_id not in companies:
        return Blocked(Reason.COMPANY_UNKNOWN, company=key.realm_id)
    return Blocked(Reason.WORKFLOW_OFF, workflow=workflow)


async def follow_switches(
    intake: Intake, transaction: Callable[[], AbstractAsyncContextManager[SwitchTransaction]]
) -> Switched:
    """Bring the ledger's unsent documents to the workflows that are on now."""
    on = places(intake.workflows)
    blocked = decided = 0

    async def switch_off(store: SwitchTransaction, after: int) -> list[LedgerEntry]:
        nonlocal blocked
        documents = await store.unsent_elsewhere(on, after, CHUNK)
        if documents:
            blocked += await _switch_off(store, documents, intake.workflows)
        return documents

    async def decide_anew(store: SwitchTransaction, after: int) -> list[LedgerEntry]:
        nonlocal decided
        documents = await store.blocked_as_off(on, after, CHUNK)
        if documents:
            await _decide_anew(intake, store, {document.key.source for document in documents})
        decided += len(documents)
        return documents

    for step in (switch_off, decide_anew):
        after = 0
        while True:
            try:
                async with transaction() as store:
                    documents = await step(store, after)
            except intake.concurrent:
                continue  # another process wrote some of these: look again
            if not documents:
                break
            after = documents[-1].document_id
    return Switched(blocked, decided)


async def _switch_off(
    store: SwitchTransaction, documents: Sequence[LedgerEntry], workflows: Sequence[Workflow]
) -> int:
    wanted = []
    for document in documents:
        stop = why_off(document.key, document.workflow, workflows)
        wanted.append(
            WantedDocument(
                document.key, document.workflow, DocumentState.BLOCKED, stop.reason, stop.detail,
                None, document.enrolled_at,
            )
        )  # fmt: skip
    ids = await store.want(wanted)
    await store.save_outcomes(
        [
            outcome(
                ids[each.key], each.key, each.state, each.workflow,
                reason=each.reason, detail=each.detail,
            )
            for each in wanted
            if each.key in ids
        ]
    )  # fmt: skip
    return len(ids)


async def _decide_anew(intake: Intake, store: SwitchTransaction, keys: set[ObjectKey]) -> None:
    """As known before and now they are the same: only what the ledger holds is decided."""
    found = await store.objects(sorted(keys))
    objects = {key: stored.object for key, stored in found.items()}
    await intake.record_decisions(store, list(objects.values()), objects, Taken())
