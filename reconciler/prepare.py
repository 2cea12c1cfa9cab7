"""Turns due documents into operations ready to be sent, or says why they can't be.

Called by `company`. Everything a document refers to is resolved first, against the stored copy
of the company's lists; before a document is blocked for something that is missing, the copy is
refreshed once. Missing customers and products are created (by `missing`) only for documents
that are otherwise complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import structlog

from reconciler.directory import Directory
from reconciler.errors import UNFORESEEN
from reconciler.missing import ReferenceMaker, missing_keys
from reconciler.model import DocumentContent, DocumentState
from reconciler.outcomes import outcome
from reconciler.policies import Policies
from reconciler.ports.dispatch import DispatchLedger, DocumentUpdate, DueDocument, Lease, Operation
from reconciler.ports.outcomes import NewOutcome
from reconciler.precedence import Cleared, clear
from reconciler.quickbooks.payload import decode, reference_id
from reconciler.rates import Key
from reconciler.reasons import Blocked, unforeseen
from reconciler.resolve import Book, Resolved, resolve, resolve_payment
from reconciler.writes import first_write, is_half_made

_log = structlog.get_logger("reconciler.prepare")

_decode = msgspec.json.Decoder(DocumentContent).decode

FIRST_PAUSE = timedelta(seconds=5)
"""How long a document that can't go yet is left alone: at first, and then for as long again as it
has waited, so that whatever it waits for costs few looks."""

LONGEST_PAUSE = timedelta(minutes=15)
"""For one that follows another document, whose end makes it due at once."""

LONGEST_PAUSE_FOR_REFERENCE = timedelta(minutes=1)
"""For one that waits for a customer or item whose creation got no answer yet."""


@dataclass(frozen=True)
class Prepared:
    """A document with everything resolved, and its first operation."""

    document: DueDocument
    content: DocumentContent
    resolved: Resolved
    operation: Operation


@dataclass(frozen=True)
class Candidate:
    """A document on its way to being prepared; `estimate_id` is the QuickBooks id it links to.

    `payer_id` is the customer of the invoice that is made already and only to be paid, else "".
    """

    document: DueDocument
    content: DocumentContent
    estimate_id: str = ""
    payer_id: str = ""


Found = list[tuple[Candidate, Resolved]]
Stopped = list[tuple[Candidate, Blocked]]


@dataclass
class Preparer:
    """One company's; holds nothing between calls."""

    lease: Lease
    store: DispatchLedger
    directory: Directory
    maker: ReferenceMaker
    clock: Callable[[], datetime]
    policies: Policies = field(default_factory=Policies)

    async def prepare(self, due: Sequence[DueDocument]) -> list[Prepared]:
        """The operations of those that can be sent; the others are recorded as blocked or later."""
        cleared = await clear(self.store, due)
        if cleared.blocked or cleared.postponed:
            await self._give_way(cleared)
        given = await self._candidates(cleared)
        if not given:
            return []
        book, resolved, blocked = await self._looked_up(given)
        if await self._should_look_again(resolved, blocked):
            book, resolved, blocked = await self._looked_up(given)
        unrated = [each for each, _ in resolved if not self._has_rate(each, book)]
        resolved = [(each, found) for each, found in resolved if each not in unrated]
        incomplete = [each for each, found in resolved if not found.is_complete]
        if incomplete:
            refused = await self.maker.create_missing([found for _, found in resolved], book)
            again, failed = self._resolved([each for each, _ in resolved], book)
            failed += [(each, stop) for each, found in again if (stop := _refusal(found, refused))]
            resolved = [(each, found) for each, found in again if not _refusal(found, refused)]
            blocked += failed
        postponed = unrated + [each for each, found in resolved if not found.is_complete]
        ready, failed = _prepared(resolved, book)
        blocked += failed
        if blocked or postponed:
            await self._record(blocked, postponed)
        return ready

    async def _candidates(self, cleared: Cleared) -> list[Candidate]:
        half_made = [each.document_id for each in cleared.ready if is_half_made(each)]
        invoices = await self.store.invoices_made(half_made) if half_made else {}
        return [
            Candidate(
                each,
                _decode(each.content),
                cleared.estimates.get(each.document_id, ""),
                _payer_id(invoices.get(each.document_id)),
            )
            for each in cleared.ready
        ]

    async def _looked_up(self, given: Sequence[Candidate]) -> tuple[Book, Found, Stopped]:
        """What each refers to, exchange rates included, or why it is blocked."""
        book = await self.directory.book_for([each.content for each in given])
        resolved, blocked = self._resolved(given, book)
        keys = dict.fromkeys(self._rate_key(each, book) for each, _ in resolved)
        wanted = [key for key in keys if key is not None and not self.directory.rates.is_known(key)]
        if wanted:
            await self.directory.rates.read(wanted)
            resolved, blocked = self._resolved(given, book)
        return book, resolved, blocked

    def _rate_key(self, each: Candidate, book: Book) -> Key | None:
        return self.directory.rates.key(each.document, each.content, book.facts)

    def _has_rate(self, each: Candidate, book: Book) -> bool:
        return self.directory.rates.is_known(self._rate_key(each, book))

    async def _should_look_again(self, resolved: Found, blocked: Stopped) -> bool:
        """Whether the company was looked at anew, because something seems to be missing."""
        if blocked:
            return await self.directory.refresh_before_blocking(_last_retry(blocked))
        if all(found.is_complete for _, found in resolved):
            return False
        return await self.directory.refresh_before_creating()

    def _resolved(self, candidates: Sequence[Candidate], book: Book) -> tuple[Found, Stopped]:
        """What each, dated as it may be, refers to in the company, or why it is blocked."""
        resolved: Found = []
        blocked: Stopped = []
        realm_id, closed = self.lease.realm_id, book.facts.book_close_date
        for each in candidates:
            try:
                content = self.policies.dated(realm_id, each.content, closed)
                if each.payer_id:  # the rest is in the invoice, and may be gone by now
                    found = resolve_payment(content, each.payer_id, book)
                else:
                    found = resolve(each.document.key.action, content, book)
                dated = replace(each, content=content)
                found = self.directory.rates.rated(found, self._rate_key(dated, book))
                resolved.append((dated, found))
            except Blocked as stop:
                blocked.append((each, stop))
            except UNFORESEEN as error:
                blocked.append((each, _unforeseen(each, error)))
        return resolved, blocked

    async def _give_way(self, cleared: Cleared) -> None:
        """Those that would bill a sale again are blocked; those that follow another wait for it."""
        updates = [
            DocumentUpdate(
                each.document_id, DocumentState.BLOCKED, stop.reason, stop.detail,
                version=each.version,
            )
            for each, stop in cleared.blocked
        ]  # fmt: skip
        updates += [
            DocumentUpdate(
                each.document_id, DocumentState.WANTED, stop.reason, stop.detail,
                next_attempt_at=self._later(each.gives_way_since, LONGEST_PAUSE),
                version=each.version,
            )
            for each, stop in cleared.postponed
        ]  # fmt: skip
        outcomes = [_blocked(each, stop) for each, stop in cleared.blocked]
        await self.store.record(self.lease, (), updates, outcomes)

    async def _record(
        self, blocked: Sequence[tuple[Candidate, Blocked]], postponed: Sequence[Candidate]
    ) -> None:
        updates = [
            DocumentUpdate(
                each.document.document_id, DocumentState.BLOCKED, stop.reason, stop.detail,
                version=each.document.version,
            )
            for each, stop in blocked
        ]  # fmt: skip
        updates += [
            DocumentUpdate(
                each.document.document_id, DocumentState.WANTED,
                next_attempt_at=self._later(each.document.ready_at, LONGEST_PAUSE_FOR_REFERENCE),
                version=each.document.version,
            )
            for each in postponed
        ]  # fmt: skip
        outcomes = [_blocked(each.document, stop) for each, stop in blocked]
        await self.store.record(self.lease, (), updates, outcomes)

    def _later(self, waits_since: datetime | None, longest: timedelta) -> datetime:
        """When to look again at one that waits since then, or only from now on."""
        now = self.clock()
        return now + min(max(FIRST_PAUSE, now - (waits_since or now)), longest)


def _last_retry(blocked: Sequence[tuple[Candidate, Blocked]]) -> datetime | None:
    retries = [each.document.retried_at for each, _ in blocked if each.document.retried_at]
    return max(retries, default=None)


def _refusal(found: Resolved, refused: Mapping[tuple[str, str], Blocked]) -> Blocked | None:
    """Why a customer or product that the document lacks can't be created."""
    if found.is_complete or not refused:
        return None
    return next((refused[key] for key in missing_keys(found) if key in refused), None)


def _prepared(
    resolved: Sequence[tuple[Candidate, Resolved]], book: Book
) -> tuple[list[Prepared], list[tuple[Candidate, Blocked]]]:
    """Those that are complete with their first write, and those that can't be written down."""
    ready, blocked = [], []
    for each, found in resolved:
        if not found.is_complete:
            continue
        try:
            write = first_write(each.document, each.content, found, book, each.estimate_id)
            ready.append(Prepared(each.document, each.content, found, write))
        except UNFORESEEN as error:
            blocked.append((each, _unforeseen(each, error)))
    return ready, blocked


def _unforeseen(each: Candidate, error: Exception) -> Blocked:
    _log.error("document not prepared", document=str(each.document.key), exc_info=error)
    return unforeseen(error, each.document.key.object_type)


def _payer_id(invoice: bytes | None) -> str:
    return reference_id(decode(invoice), "CustomerRef") if invoice else ""


def _blocked(document: DueDocument, stop: Blocked) -> NewOutcome:
    return outcome(
        document.document_id, document.key, "blocked", document.workflow,
        reason=stop.reason, detail=stop.detail,
    )  # fmt: skip
