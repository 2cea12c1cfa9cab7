"""Follows workflows that were switched off, on again or removed since the service last ran, and
companion topics that were not read before.

Called once by `app` at start, before anything is read. Unsent documents of an action that is off or
gone are blocked, so that they are seen and not sent; once it is on again they are decided anew
from what is known of their objects. Nothing is decided about objects without a document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple, Protocol

from reconciler.intake.intake import Intake, Taken, Transaction
from reconciler.intake.ledger import events_of
from reconciler.model import (
    UNSENT,
    DocumentKey,
    DocumentState,
    ObjectKey,
    ObjectType,
)
from reconciler.ports.intake import ActionPlace, LedgerEntry, WantedDocument
from reconciler.reasons import OFF, Blocked, Reason
from reconciler.workflows import Workflow

CHUNK = 500
"""Documents in one transaction."""


class SwitchTransaction(Transaction, Protocol):
    """Intake's transaction, which also finds the documents that a switch concerns."""

    async def unsent_elsewhere(self, on: Sequence[ActionPlace]) -> list[int]:
        """Ids of unsent documents of none of these actions, not blocked as off yet, in order."""
        ...

    async def blocked_as_off(self, on: Sequence[ActionPlace]) -> list[int]:
        """Ids of documents blocked for what `why_off` answers, of one of these actions, in order."""
        ...

    async def entries(self, document_ids: Sequence[int]) -> list[LedgerEntry]:
        """These documents as they are recorded now."""
        ...

    async def waiting_unlinked(self, kinds: Sequence[ObjectType]) -> list[int]:
        """Ids of documents that wait, of objects not noted to name any of these kinds, in order."""
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
    async with transaction() as store:
        off = await store.unsent_elsewhere(on)
    blocked = 0
    for chunk in _chunks(off):
        blocked += await _anew(
            intake, transaction, partial(_switch_off, intake.workflows, on, chunk)
        )
    async with transaction() as store:
        on_again = await store.blocked_as_off(on)
    decided = 0
    for chunk in _chunks(on_again):
        decided += await _anew(intake, transaction, partial(_decide_anew, intake, chunk))
    return Switched(blocked, decided)


async def follow_companions(
    intake: Intake, transaction: Callable[[], AbstractAsyncContextManager[SwitchTransaction]]
) -> int:
    """Let documents that wait be woken by companions whose topics were not read when their objects named
    them; answers how many were looked at."""
    if not intake.companions:
        return 0
    async with transaction() as store:
        waiting = await store.waiting_unlinked(sorted(intake.companions))
    linked = 0
    for chunk in _chunks(waiting):
        linked += await _anew(intake, transaction, partial(_decide_anew, intake, chunk))
    return linked


def _chunks(document_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(document_ids), CHUNK):
        yield document_ids[start : start + CHUNK]


async def _anew(
    intake: Intake,
    transaction: Callable[[], AbstractAsyncContextManager[SwitchTransaction]],
    step: Callable[[SwitchTransaction], Awaitable[int]],
) -> int:
    """One transaction, again and again while other processes write the same documents."""
    while True:
        try:
            async with transaction() as store:
                count = await step(store)
        except intake.concurrent:
            continue
        return count


async def _switch_off(
    workflows: Sequence[Workflow],
    on: Sequence[ActionPlace],
    document_ids: Sequence[int],
    store: SwitchTransaction,
) -> int:
    await store.lock_objects(await _sources(store, document_ids))
    wanted = []
    for document in await store.entries(document_ids):
        if document.state not in UNSENT or document.reason in OFF or _place(document) in on:
            continue  # sent, blocked or taken up by another process since it was found
        stop = why_off(document.key, document.workflow, workflows)
        wanted.append(
            WantedDocument(
                document.key, document.workflow, DocumentState.BLOCKED, stop.reason, stop.detail,
                None, document.enrolled_at,
            )
        )  # fmt: skip
    if not wanted:
        return 0
    ids = await store.want(wanted)
    await store.save_outcomes(events_of(wanted, ids, {}))
    return len(ids)


async def _decide_anew(
    intake: Intake, document_ids: Sequence[int], store: SwitchTransaction
) -> int:
    """As known before and now they are the same: only what the ledger holds is decided."""
    found = await intake.held(store, await _sources(store, document_ids))
    await intake.record_decisions(store, found, {obj.key: obj for obj in found}, Taken())
    return len(document_ids)


async def _sources(store: SwitchTransaction, document_ids: Sequence[int]) -> list[ObjectKey]:
    """The objects of these documents. They are locked before anything is recorded: other processes take
    records in meanwhile, and may start as well."""
    return sorted({document.key.source for document in await store.entries(document_ids)})


def _place(document: LedgerEntry) -> ActionPlace:
    realm_id, action, _, object_type, *_ = document.key
    return ActionPlace(document.workflow, realm_id, action, object_type)
