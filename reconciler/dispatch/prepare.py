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

import structlog

from reconciler.dispatch.directory import Directory
from reconciler.dispatch.missing import ReferenceMaker, missing_keys
from reconciler.dispatch.precedence import Cleared, clear
from reconciler.dispatch.rates import Key
from reconciler.errors import UNFORESEEN
from reconciler.model import DocumentContent, DocumentState, decode_content
from reconciler.outcomes import about
from reconciler.ports.dispatch import DispatchLedger, DocumentUpdate, DueDocument, Lease, Operation
from reconciler.quickbooks.payload import decode, reference_id
from reconciler.reasons import Blocked, unforeseen
from reconciler.writing.policies import Policies
from reconciler.writing.resolve import Book, Resolved, resolve, resolve_payment
from reconciler.writing.writes import first_write, is_half_made

_log = structlog.get_logger("reconciler.prepare")


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


@dataclass
class Sorting:
    """Candidates by what can become of them: each goes from `found` to another list, or is sent."""

    found: list[tuple[Candidate, Resolved]] = field(default_factory=list)
    blocked: list[tuple[Candidate, Blocked]] = field(default_factory=list)
    postponed: list[Candidate] = field(default_factory=list)


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
        book, sorting = await self._looked_up(given)
        if await self._should_look_again(sorting):
            book, sorting = await self._looked_up(given)
        self._postpone_unrated(sorting, book)
        await self._complete(sorting, book)
        ready = _written(sorting, book)
        if sorting.blocked or sorting.postponed:
            await self._record(sorting)
        return ready

    async def still_going(self, groups: Sequence[Sequence[Prepared]]) -> list[list[Prepared]]:
        """Those of prepared documents that still need not give way to another. The others are wanted
        as before, and prepared again with the next."""
        cleared = await clear(self.store, [each.document for group in groups for each in group])
        going = {each.document_id for each in cleared.ready}
        kept = ([each for each in group if each.document.document_id in going] for group in groups)
        return [group for group in kept if group]

    async def _candidates(self, cleared: Cleared) -> list[Candidate]:
        half_made = [each.document_id for each in cleared.ready if is_half_made(each)]
        invoices = await self.store.invoices_made(half_made) if half_made else {}
        return [
            Candidate(
                each,
                decode_content(each.content),
                cleared.estimates.get(each.document_id, ""),
                _payer_id(invoices.get(each.document_id)),
            )
            for each in cleared.ready
        ]

    async def _looked_up(self, given: Sequence[Candidate]) -> tuple[Book, Sorting]:
        """What each refers to, exchange rates included, or why it is blocked."""
        book = await self.directory.book_for([each.content for each in given])
        sorting = self._resolved(given, book)
        keys = dict.fromkeys(self._rate_key(each, book) for each, _ in sorting.found)
        wanted = [key for key in keys if key is not None and not self.directory.rates.is_known(key)]
        if wanted:
            await self.directory.rates.read(wanted)
            sorting = self._resolved(given, book)
        return book, sorting

    async def _should_look_again(self, sorting: Sorting) -> bool:
        """Whether the company was looked at anew, because something seems to be missing."""
        if sorting.blocked:
            return await self.directory.refresh_before_blocking(_last_retry(sorting))
        if all(found.is_complete for _, found in sorting.found):
            return False
        return await self.directory.refresh_before_creating()

    def _postpone_unrated(self, sorting: Sorting, book: Book) -> None:
        """Those whose exchange rate could not be read just now wait for it."""
        found, sorting.found = sorting.found, []
        for each, resolved in found:
            if self.directory.rates.is_known(self._rate_key(each, book)):
                sorting.found.append((each, resolved))
            else:
                sorting.postponed.append(each)

    async def _complete(self, sorting: Sorting, book: Book) -> None:
        """Create the customers and products that are missing; who lacks one still waits for it."""
        if all(found.is_complete for _, found in sorting.found):
            return
        refused = await self.maker.create_missing([found for _, found in sorting.found], book)
        again = self._resolved([each for each, _ in sorting.found], book)
        sorting.found = []
        sorting.blocked += again.blocked
        for each, found in again.found:
            if found.is_complete:
                sorting.found.append((each, found))
            elif stop := _refusal(found, refused):
                sorting.blocked.append((each, stop))
            else:
                sorting.postponed.append(each)

    def _rate_key(self, each: Candidate, book: Book) -> Key | None:
        return self.directory.rates.key(each.document, each.content, book.facts)

    def _resolved(self, candidates: Sequence[Candidate], book: Book) -> Sorting:
        """What each, dated as it may be, refers to in the company, or why it is blocked."""
        sorting = Sorting()
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
                sorting.found.append((dated, found))
            except Blocked as stop:
                sorting.blocked.append((each, stop))
            except UNFORESEEN as error:
                sorting.blocked.append((each, _unforeseen(each, error)))
        return sorting

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
        outcomes = [
            about(each, "blocked", stop.reason, stop.detail) for each, stop in cleared.blocked
        ]
        await self.store.record(self.lease, (), updates, outcomes)

    async def _record(self, sorting: Sorting) -> None:
        updates = [
            DocumentUpdate(
                each.document.document_id, DocumentState.BLOCKED, stop.reason, stop.detail,
                version=each.document.version,
            )
            for each, stop in sorting.blocked
        ]  # fmt: skip
        updates += [
            DocumentUpdate(
                each.document.document_id, DocumentState.WANTED,
                next_attempt_at=self._later(each.document.ready_at, LONGEST_PAUSE_FOR_REFERENCE),
                version=each.document.version,
            )
            for each in sorting.postponed
        ]  # fmt: skip
        outcomes = [
            about(each.document, "blocked", stop.reason, stop.detail)
            for each, stop in sorting.blocked
        ]
        await self.store.record(self.lease, (), updates, outcomes)

    def _later(self, waits_since: datetime | None, longest: timedelta) -> datetime:
        """When to look again at one that waits since then, or only from now on."""
        now = self.clock()
        return now + min(max(FIRST_PAUSE, now - (waits_since or now)), longest)


def _last_retry(sorting: Sorting) -> datetime | None:
    retries = [each.document.retried_at for each, _ in sorting.blocked if each.document.retried_at]
    return max(retries, default=None)


def _refusal(found: Resolved, refused: Mapping[tuple[str, str], Blocked]) -> Blocked | None:
    """Why a customer or product that the document lacks can't be created."""
    return next((refused[key] for key in missing_keys(found) if key in refused), None)


def _written(sorting: Sorting, book: Book) -> list[Prepared]:
    """Those that are complete, each with its first write; blocked are those that have none."""
    ready = []
    for each, found in sorting.found:
        try:
            write = first_write(each.document, each.content, found, book, each.estimate_id)
            ready.append(Prepared(each.document, each.content, found, write))
        except UNFORESEEN as error:
            sorting.blocked.append((each, _unforeseen(each, error)))
    return ready


def _unforeseen(each: Candidate, error: Exception) -> Blocked:
    _log.error("document not prepared", document=str(each.document.key), exc_info=error)
    return unforeseen(error, each.document.key.object_type)


def _payer_id(invoice: bytes | None) -> str:
    return reference_id(decode(invoice), "CustomerRef") if invoice else ""
