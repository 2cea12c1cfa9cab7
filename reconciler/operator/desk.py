"""The operator's door: every question and action, over the store and the pure core.

Called by the commands and by the console, which add nothing but presentation. It speaks to Postgres
alone: what must reach QuickBooks is made wanted and left to the dispatcher, whatever process runs
it. Every action takes `by`, the name of the person, and leaves an audit entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from reconciler.intake.intake import Intake, Transaction
from reconciler.model import DocumentState, ObjectKey, ObjectType
from reconciler.operator import acting, explaining, overview, redriving
from reconciler.operator.presenting import Names, hit, hubspot_problem, names_of, summary
from reconciler.operator.timeline import document_timeline, object_timeline
from reconciler.operator.workflow_words import workflows_view
from reconciler.ports.operator import NewAudit, OperatorStore
from reconciler.ports.views import (
    AuditPage,
    BlockedGroup,
    CompanyView,
    DeadLetterFilter,
    DeadLetterPage,
    DeadLetterView,
    DocumentFilter,
    DocumentPage,
    DocumentView,
    Done,
    Explanation,
    ObjectHit,
    Overview,
    ReplayView,
    Selection,
    WorkflowsView,
)
from reconciler.workflows import WorkflowFile

PAGE = 50


@dataclass(frozen=True)
class Operator:
    """Everything a person can ask and do. `redrive_transaction` opens intake's transaction and
    marks the given dead letters as resolved in it."""

    store: OperatorStore
    workflows: WorkflowFile
    intake: Intake
    group_id: str
    clock: Callable[[], datetime]
    redrive_transaction: Callable[
        [Sequence[int], NewAudit], AbstractAsyncContextManager[Transaction]
    ]
    topics: Mapping[str, str] = field(default_factory=dict)
    """By object type, of those that are read."""

    # --- asking ------------------------------------------------------------------------------------

    async def overview(self) -> Overview:
        """The first page."""
        return await overview.overview(self.store, self.workflows, self.group_id, self.clock())

    async def documents(
        self,
        wanted: DocumentFilter = DocumentFilter(),  # noqa: B008  frozen
        after: int | None = None,
        limit: int = PAGE,
    ) -> DocumentPage:
        """A page of documents, newest first; *after* is the `next_page` of the page before."""
        found = await self.store.documents(wanted, after, limit + 1)
        names = await self._names()
        shown = found[:limit]
        return DocumentPage(
            documents=tuple([summary(each, names) for each in shown]),
            next_page=shown[-1].document_id if len(found) > limit else None,
        )

    async def document(self, document_id: int) -> DocumentView | None:
        """One document with its timeline; None if there is none of that id."""
        found = await self.store.documents_by_id([document_id])
        if not found:
            return None
        stored = found[0]
        operations = await self.store.operations(document_id)
        outcomes = await self.store.outcomes(document_id)
        audit = await self.store.audit(f"document {document_id}", 100)
        objects = await self.store.objects([stored.key.source])
        view = document_timeline(
            summary(stored, await self._names()), stored, objects, (operations, outcomes, audit)
        )
        problems = await self.store.hubspot_problems(stored.key.source)
        mine = [
            hubspot_problem(each) for each in problems if each.document_id in (None, document_id)
        ]
        return msgspec.structs.replace(view, hubspot_problems=tuple(mine))

    async def explain(
        self, object_type: ObjectType, object_id: str, portal_id: int | None = None
    ) -> Explanation:
        """Why the documents of an object are as they are, for every workflow and action.

        Without *portal_id* the object is looked for in every portal; the one known is shown.
        """
        key = await self._key(object_type, object_id, portal_id)
        objects = await self.store.objects([key])
        documents = await self.store.documents_of([key])
        names = await self._names()
        entries = []
        for each in documents:
            entries += await self.store.audit(f"document {each.document_id}", 20)
        question = explaining.Question(
            key=key,
            object=objects[0] if objects else None,
            documents=[summary(each, names) for each in documents],
            companies={each.realm_id: each for each in await self.store.companies()},
            workflows=self.workflows,
            now=self.clock(),
            not_understood="" if objects else await self._not_understood(key.type),
        )
        told = explaining.explain(question, object_timeline(question.object, documents, entries))
        problems = [hubspot_problem(each) for each in await self.store.hubspot_problems(key)]
        return msgspec.structs.replace(told, hubspot_problems=tuple(problems))

    async def _not_understood(self, object_type: ObjectType) -> str:
        """How many records of the type's topic an object that was never read may be among."""
        topic = self.topics.get(object_type, "")
        count = await self.store.open_dead_letters(topic) if topic else 0
        return explaining.not_understood(count, topic) if count else ""

    async def _key(
        self, object_type: ObjectType, object_id: str, portal_id: int | None
    ) -> ObjectKey:
        own = self.workflows.portal_id
        portals = [portal_id] if portal_id is not None else [own, *await self.store.portals()]
        keys = [ObjectKey(portal, object_type, object_id) for portal in dict.fromkeys(portals)]
        found = await self.store.objects(keys)
        known = {obj.key for obj in found}
        return next((key for key in keys if key in known), keys[0])

    async def blocked_groups(
        self, state: DocumentState = DocumentState.BLOCKED
    ) -> list[BlockedGroup]:
        """What is blocked (or waiting), by company and reason with causes, most frequent first."""
        return await overview.stopped(self.store, state, await self._names())

    async def companies(self) -> list[CompanyView]:
        """Every company of the workflow file or the store."""
        return await overview.companies(self.store, self.workflows)

    async def workflow_file(self) -> WorkflowsView:
        """The workflows in words, with their warnings and how many documents each has."""
        return workflows_view(self.workflows, await self.store.workflow_counts())

    async def company_names(self) -> Names:
        """What every company of the workflow file or the store is called, by realm id."""
        return await self._names()

    async def audit(
        self, target: str = "", after: int | None = None, limit: int = PAGE
    ) -> AuditPage:
        """A page of what people did, newest first; *target* such as `document 12`."""
        found = await self.store.audit(target, limit + 1, after)
        shown = found[:limit]
        return AuditPage(
            entries=tuple(shown),
            next_page=shown[-1].audit_id if len(found) > limit else None,
        )

    async def replays(self, limit: int = 50) -> list[ReplayView]:
        """Replays and backfills with their progress, newest first."""
        return await self.store.replays(limit)

    async def stuck(self) -> dict[str, int]:
        """How many documents are blocked and waiting, and dead letters open: beside the menu."""
        letters = await self.store.dead_letter_reasons()
        return {**await self.store.stuck(), "dead_letters": sum(letters.values())}

    async def find_objects(
        self, text: str, types: Sequence[ObjectType], limit: int
    ) -> list[ObjectHit]:
        """Objects of that id, or else with that text in their name, whatever became of them."""
        portals = dict.fromkeys([self.workflows.portal_id, *await self.store.portals()])
        keys = [ObjectKey(portal, kind, text) for portal in portals for kind in types]
        found = await self.store.objects(keys) or await self.store.named(text, types, limit)
        return [hit(each) for each in found]

    async def note(self, action: str, target: str, detail: dict[str, object], by: str) -> None:
        """Keep in the audit log what a person did elsewhere, such as logging in."""
        await self.store.note(NewAudit(actor=by, action=action, target=target, detail=detail))

    async def _names(self) -> Names:
        return names_of(self.workflows, await self.store.companies())

    # --- acting on documents -----------------------------------------------------------------------

    async def retry(self, selection: Selection, by: str, *, bill_anyway: bool = False) -> Done:
        """Look at documents anew, now: blocked, waiting, dismissed, or wanted later.

        With *bill_anyway* they are made even if a linked object's document bills the sale already.

        Each is decided again from what HubSpot says today and today's workflows; the dispatcher then
        looks at QuickBooks afresh. Documents in the air or created are refused.
        """
        return await acting.retry(self._desk(by), selection, bill_anyway=bill_anyway)

    async def dismiss(self, selection: Selection, why: str, by: str) -> Done:
        """Decide that documents are not to be made; a retry takes them up again."""
        return await acting.dismiss(self._desk(by), selection, why)

    async def write_back_again(self, by: str) -> int:
        """Try again what HubSpot refused to be told of documents; answers of how many."""
        entry = NewAudit(actor=by, action="write back again", target="HubSpot", detail={})
        return await self.store.write_back_again(entry)

    def _desk(self, by: str) -> acting.Acting:
        return acting.Acting(self.store, self.workflows.workflows, by)

    # --- dead letters ------------------------------------------------------------------------------

    async def dead_letters(
        self,
        wanted: DeadLetterFilter = DeadLetterFilter(),  # noqa: B008  frozen
        after: int = 0,
        limit: int = PAGE,
    ) -> DeadLetterPage:
        """A page of records that could not be understood, oldest first."""
        found = await self.store.dead_letters(wanted, after, limit + 1)
        shown = found[:limit]
        return DeadLetterPage(
            dead_letters=tuple(shown),
            next_page=shown[-1].dead_letter_id if len(found) > limit else None,
            reasons=await self.store.dead_letter_reasons(),
        )

    async def dead_letter(self, dead_letter_id: int) -> DeadLetterView | None:
        """One of them whole, with what today's decoders make of it."""
        found = await self.store.dead_letters_by_id([dead_letter_id])
        if not found:
            return None
        audit = await self.store.audit(f"dead letter {dead_letter_id}", 20)
        return redriving.view(found[0], audit, self.intake.decode)

    async def redrive(self, dead_letter_ids: Sequence[int], by: str) -> Done:
        """Decode them with today's decoders and take them in like records just read.

        Each that is understood is resolved in the transaction that takes it in; of the others the
        reason is renewed. Resolved ones are refused.
        """
        return await redriving.redrive(self.store, self._redriver(), dead_letter_ids, by)

    async def dismiss_dead_letters(self, dead_letter_ids: Sequence[int], why: str, by: str) -> Done:
        """Decide that records need not be understood."""
        return await redriving.dismiss(self.store, dead_letter_ids, why, by)

    def _redriver(self) -> redriving.Redriver:
        return redriving.Redriver(self.intake, self.redrive_transaction)
