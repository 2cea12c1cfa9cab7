"""Adds pages of objects up to a plan. Called by `plan` and by the preview of `backfill`.

It reads the ledger, the links between objects and, if asked, the copies of QuickBooks's lists; it writes
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from reconciler.commands.session import Session
from reconciler.deciding.decide import Verdict
from reconciler.dispatch.directory import stored_book
from reconciler.dispatch.precedence import SALES
from reconciler.intake.companions import sales_named
from reconciler.model import (
    Action,
    DocumentContent,
    DocumentKey,
    ObjectKey,
    SourceObject,
)
from reconciler.operator.foretelling import (
    Expected,
    Prospect,
    expected_if_planned,
    expected_of,
    held_back,
    kin,
)
from reconciler.operator.planning import Fate, Plan, PlannedDocument, planned, resolved, stopped
from reconciler.operator.presenting import names_of
from reconciler.ports.intake import LedgerEntry
from reconciler.workflows import Workflow
from store import replays
from store.links import sale_links
from store.references import ReferenceStore

KEYS_AT_ONCE = 5000
"""As many as one statement should ask about."""


class Planner:
    """Adds pages of objects up to a plan. `whole` ends it."""

    def __init__(self, session: Session, workflows: list[Workflow], resolve: bool) -> None:
        self.session, self.workflows, self.resolve = session, workflows, resolve
        self.plan = Plan()
        self.names = names_of(session.workflows, ())
        self.now = time.time_ns() // 1_000_000
        self.prospects: list[Prospect] = []
        self.recorded: dict[DocumentKey, Expected] = {}
        self.planned: dict[DocumentKey, Expected] = {}
        self.links: dict[ObjectKey, set[ObjectKey]] = {}

    async def add(self, objects: Sequence[SourceObject]) -> None:
        """Decide about some objects."""
        ledger = await replays.ledger_of(self.session.pool, [obj.key for obj in objects])
        found = planned(objects, ledger, self.workflows, self.names)
        self.plan.objects += len(objects)
        documents = await self._resolved(found) if self.resolve else [each for each, _ in found]
        self.plan.documents += documents
        self._note_ledger(ledger)
        for document, (_, verdict) in zip(documents, found, strict=True):
            if document.fate is not Fate.RECORDED:
                self._note(document, verdict)
        for obj in objects:
            for other in sales_named(obj):
                self._link(obj.key, other)

    def _note_ledger(self, ledger: Mapping[DocumentKey, LedgerEntry]) -> None:
        for key, entry in ledger.items():
            if key.action in SALES or key.action is Action.ESTIMATE:
                self.recorded[key] = expected_of(entry)

    def _note(self, document: PlannedDocument, verdict: Verdict) -> None:
        """Keep what the others of the same sale depend on."""
        if document.key.action is Action.ESTIMATE:
            self.planned[document.key] = expected_if_planned(document, verdict.not_before, self.now)
        elif document.key.action in SALES and verdict.content is not None:
            follows = bool(verdict.content.linked_estimate)
            self.prospects.append(
                Prospect(
                    document, verdict.enrolled_at, verdict.not_before, follows, len(self.prospects)
                )
            )

    def _link(self, one: ObjectKey, other: ObjectKey) -> None:
        self.links.setdefault(one, set()).add(other)
        self.links.setdefault(other, set()).add(one)

    async def whole(self) -> Plan:
        """The plan, less what would be held back when it is sent."""
        await self._learn_kin()
        expected = {**self.recorded, **self.planned}
        stops = held_back(self.prospects, expected, self.links, self.now)
        self.plan.documents = [
            stopped(each, stops[each.key]) if each.key in stops else each
            for each in self.plan.documents
        ]
        return self.plan

    async def _learn_kin(self) -> None:
        """What is stored of the objects of the same sales: their links and documents."""
        own = list(dict.fromkeys(each.document.key.source for each in self.prospects))
        await self._learn_links(own)
        near = {other for key in own for other in self.links.get(key, ())}
        await self._learn_links(sorted(near))
        others = {other for key in own for other in kin(key, self.links)}.difference(own)
        for keys in _chunks(sorted(others)):
            self._note_ledger(await replays.ledger_of(self.session.pool, keys))

    async def _learn_links(self, objects: Sequence[ObjectKey]) -> None:
        for keys in _chunks(objects):
            for one, other in await sale_links(self.session.pool, keys):
                self._link(one, other)

    async def _resolved(
        self, found: Sequence[tuple[PlannedDocument, Verdict]]
    ) -> list[PlannedDocument]:
        contents: dict[str, list[DocumentContent]] = {}
        for each, verdict in found:
            if verdict.content is not None and each.fate is Fate.CREATE:
                contents.setdefault(each.key.realm_id, []).append(verdict.content)
        store = ReferenceStore(self.session.pool)
        books = {
            realm: await stored_book(store, realm, self.names.get(realm, realm), of_company)
            for realm, of_company in contents.items()
        }
        documents = []
        for each, verdict in found:
            book = books.get(each.key.realm_id)
            if verdict.content is not None and book is not None and each.fate is Fate.CREATE:
                documents.append(resolved(each, verdict.content, book))
            else:
                documents.append(each)
        return documents


def _chunks(keys: Sequence[ObjectKey]) -> Iterator[Sequence[ObjectKey]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[start : start + KEYS_AT_ONCE]
