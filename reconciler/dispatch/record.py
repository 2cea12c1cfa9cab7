"""Records what QuickBooks answered: the ledger's new states, events, and the next step.

Called by `company` after every call. What one call came to is written whole or not at all:
operations, documents, outcomes and the operations that follow; calls that end together share a
transaction (`together`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from reconciler.dispatch.directory import Directory
from reconciler.dispatch.following import lost_link
from reconciler.dispatch.locate import is_gone, is_ours
from reconciler.dispatch.missing import ReferenceMaker
from reconciler.dispatch.observe import Observer
from reconciler.dispatch.prepare import Prepared
from reconciler.dispatch.rates import rate_in
from reconciler.dispatch.together import Together, Writing
from reconciler.errors import ODD_ANSWER, LookAgain, QuickBooksError, Reaction
from reconciler.model import Action, DocumentState, decode_content
from reconciler.outcomes import about
from reconciler.ports.dispatch import (
    DispatchLedger,
    DocumentUpdate,
    DueDocument,
    Lease,
    Operation,
    OperationResult,
    UnfinishedOperation,
)
from reconciler.ports.outcomes import NewOutcome
from reconciler.quickbooks.answers import Answer, BatchResult, not_understood
from reconciler.quickbooks.client import QuickBooks
from reconciler.quickbooks.faults import number_holder, reaction
from reconciler.quickbooks.names import AUTO_NUMBER
from reconciler.quickbooks.payload import Payload, decode, reference_id, written_id
from reconciler.quickbooks.protocol import read
from reconciler.reasons import Reason, Stop
from reconciler.writing.documents import ENTITY_OF
from reconciler.writing.lifecycle import (
    Block,
    NoAnswer,
    Park,
    ResolveAgain,
    RetryPolicy,
    SendAgain,
    ending,
    refusal,
    unsent,
)
from reconciler.writing.operations import for_one_call
from reconciler.writing.policies import Policies
from reconciler.writing.resolve import resolve_payment
from reconciler.writing.writes import ANOTHER_NUMBER, NO_EMAIL, NO_LINK, payment

_log = structlog.get_logger("reconciler.record")

_CONCESSIONS = {Reaction.DROP_EMAIL: NO_EMAIL, Reaction.ADOPT_NUMBER: ANOTHER_NUMBER}


@dataclass
class Recording:
    """What one call came to, gathered to be written at once."""

    results: list[OperationResult] = field(default_factory=list)
    updates: list[DocumentUpdate] = field(default_factory=list)
    outcomes: list[NewOutcome] = field(default_factory=list)
    following: list[Operation] = field(default_factory=list)
    park: Park | None = None

    def add(self, other: Recording) -> None:
        """What another operation of the call came to."""
        self.results += other.results
        self.updates += other.updates
        self.outcomes += other.outcomes
        self.following += other.following
        self.park = other.park or self.park


@dataclass
class Recorder:
    """One company's."""

    lease: Lease
    store: DispatchLedger
    quickbooks: QuickBooks
    directory: Directory
    maker: ReferenceMaker
    observer: Observer
    clock: Callable[[], datetime]
    policy: RetryPolicy = RetryPolicy()
    policies: Policies = field(default_factory=Policies)

    def __post_init__(self) -> None:
        self._together = Together(self.lease, self.store)

    async def record(
        self,
        operations: Sequence[Operation],
        results: Mapping[str, BatchResult],
        group: Sequence[Prepared],
        resumed: Sequence[UnfinishedOperation] = (),
        *,
        adopted: bool = False,
    ) -> list[Operation]:
        """Write what became of *operations*; answers those to be sent next. Raises `Fenced`."""
        documents = {each.document.document_id: each.document for each in group}
        unknown = [op.document_id for op in operations if op.document_id not in documents]
        if found := [id_ for id_ in unknown if id_ is not None]:
            documents |= {each.document_id: each for each in await self.store.documents(found)}
        taken_up = {each.operation.operation_key: each for each in resumed}
        recording = Recording()
        for op in operations:
            result, before = results[op.operation_key], taken_up.get(op.operation_key)
            document = documents[op.document_id] if op.document_id is not None else None
            recording.add(await self._ended(op, result, document, before, adopted=adopted))
        recording.following = for_one_call(recording.following)
        updated = await self._together.write(
            Writing(recording.results, recording.updates, recording.outcomes, recording.following)
        )
        if recording.park is not None:
            await self.directory.disconnected(recording.park.detail)
        self._observe(recording, documents, updated)
        self._observe_ends(resumed, recording.results, adopted=adopted)
        return [op for op in recording.following if op.document_id in updated]

    async def _ended(
        self,
        op: Operation,
        result: BatchResult,
        document: DueDocument | None,
        before: UnfinishedOperation | None,
        *,
        adopted: bool,
    ) -> Recording:
        """What one operation came to. An answer that can't be understood is none: it is looked at
        again later, and shown as unknown meanwhile."""
        recording = Recording()
        try:
            if document is None:
                recording.results.append(await self.maker.result_of(op, result, before))
            elif isinstance(result, Answer):
                await self._done(recording, op, result, document, adopted=adopted)
            else:
                await self._failed(recording, op, result, document, before)
        except ODD_ANSWER as error:
            if not isinstance(result, Answer):
                raise
            _log.error("answer not understood", operation=op.operation_key, exc_info=error)
            none = not_understood(result, error)
            return await self._ended(op, none, document, before, adopted=False)
        return recording

    def _observe(
        self, recording: Recording, documents: Mapping[int, DueDocument], updated: set[int]
    ) -> None:
        now = self.clock()
        for update in recording.updates:
            if update.document_id not in updated:
                continue
            document = documents[update.document_id]
            self.observer.document(document, update.state, update.reason, now)

    def _observe_ends(
        self,
        resumed: Sequence[UnfinishedOperation],
        results: Sequence[OperationResult],
        *,
        adopted: bool,
    ) -> None:
        """What became of operations that had no answer, where that is known now."""
        endings = {"done": "adopted" if adopted else "resent", "refused": "refused"}
        states = {result.operation_key: result.state for result in results}
        for each in resumed:
            how = endings.get(states.get(each.operation.operation_key, ""))
            if each.state == "unknown" and how is not None:
                self.observer.unknown_ended(each.operation.entity, how)

    # --- done ------------------------------------------------------------------------------------

    async def _done(
        self,
        recording: Recording,
        op: Operation,
        answer: Answer,
        document: DueDocument,
        *,
        adopted: bool,
    ) -> None:
        entity = answer.entity(op.entity)
        id_, sync_token = written_id(entity), _text(entity.get("SyncToken"))
        recording.results.append(
            OperationResult(op.operation_key, "done", id_, sync_token, tid=answer.tid)
        )
        is_to_be_paid = document.key.action is Action.PAID_INVOICE and op.entity == "Invoice"
        if is_to_be_paid and decode_content(document.content).total:
            await self._pay(recording, op, document, entity)
        else:
            self._created(recording, op, document, entity, adopted=adopted)
        if adopted:
            self.observer.adopted(op.entity)

    def _created(
        self,
        recording: Recording,
        op: Operation,
        document: DueDocument,
        entity: Mapping[str, Any],
        *,
        adopted: bool,
    ) -> None:
        content = decode_content(document.content)
        own = op.entity == ENTITY_OF[document.key.action]
        id_ = written_id(entity) if own else document.quickbooks_id
        number = _number(entity) if own else document.document_number
        total = Decimal(str(entity.get("TotalAmt", content.total)))
        reason, detail = compared(total, content.total)
        recording.updates.append(
            DocumentUpdate(
                document.document_id,
                DocumentState.CREATED,
                reason,
                detail,
                quickbooks_entity=ENTITY_OF[document.key.action],
                quickbooks_id=id_,
                sync_token=_text(entity.get("SyncToken")) if own else None,
                document_number=number,
                total=total,
            )
        )
        recording.outcomes.append(
            about(
                document,
                "created",
                reason,
                detail,
                quickbooks_entity=ENTITY_OF[document.key.action],
                quickbooks_id=id_ or "",
                document_number=number or "",
                total=total,
                currency=content.currency,
                adopted=adopted,
            )
        )

    async def _pay(
        self, recording: Recording, op: Operation, document: DueDocument, invoice: Payload
    ) -> None:
        """The invoice of a paid invoice exists: its payment follows, in the same commit."""
        content = decode_content(document.content)
        realm_id, invoice_id = document.key.realm_id, written_id(invoice)
        customer_id = reference_id(invoice, "CustomerRef")
        book = await self.directory.book_for([content])
        content = self.policies.dated(realm_id, content, book.facts.book_close_date)
        update = DocumentUpdate(
            document.document_id,
            DocumentState.SENDING,
            quickbooks_entity="Invoice",
            quickbooks_id=invoice_id,
            sync_token=_text(invoice.get("SyncToken")),
            document_number=_number(invoice),
            total=Decimal(str(invoice.get("TotalAmt", content.total))),
        )
        try:
            resolved = resolve_payment(content, customer_id, book)
            if book.facts.foreign_currency(content.currency):
                rate = rate_in(invoice) or rate_in(decode(op.request))
                resolved = replace(resolved, exchange_rate=rate)
        except Stop as stop:
            blocked = msgspec.structs.replace(
                update, state=DocumentState.BLOCKED, reason=stop.reason, detail=stop.detail
            )
            recording.updates.append(blocked)
            recording.outcomes.append(about(document, "blocked", stop.reason, stop.detail))
            return
        recording.updates.append(update)
        recording.following.append(payment(document, content, resolved, book, invoice_id))

    # --- not done --------------------------------------------------------------------------------

    async def _failed(
        self,
        recording: Recording,
        op: Operation,
        error: QuickBooksError,
        document: DueDocument,
        before: UnfinishedOperation | None,
    ) -> None:
        now = self.clock()
        result, following = ending(op.operation_key, error, before, now, self.policy)
        match following:
            case SendAgain():
                self.observer.retried(op.entity, "send_again")
                recording.results.append(result)
            case NoAnswer():
                self.observer.unknown_outcome(op.entity)
                recording.results.append(result)
            case Park() as park:
                self.observer.retried(op.entity, "park")
                recording.park = park
                recording.results.append(result)
            case Block() as block:
                if self._is_to_be_redated(error):
                    self.directory.forget_freshness()  # the books were closed since we looked
                if self._may_concede(op, error, document):
                    self._again(recording, op, error, document, now)
                else:
                    self._block(recording, op, document, block)
            case ResolveAgain() as again:
                await self._resolve_again(recording, op, error, document, again, before)

    async def _resolve_again(
        self,
        recording: Recording,
        op: Operation,
        error: QuickBooksError,
        document: DueDocument,
        again: ResolveAgain,
        before: UnfinishedOperation | None,
    ) -> None:
        number_is_taken = again.reaction is Reaction.ADOPT_NUMBER
        holder = await self._holder(op, error) if number_is_taken else None
        if isinstance(holder, Answer):
            await self._done(recording, op, holder, document, adopted=True)
        elif holder is not None:  # asked again: another number could make a second document
            recording.results.append(
                OperationResult(
                    op.operation_key, unsent(before), error=str(holder), next_attempt_at=again.at
                )
            )
        elif isinstance(lost := await lost_link(self.quickbooks, op, error), Block):
            self._block(recording, op, document, lost, NO_LINK)
        elif lost:
            self._again(recording, op, error, document, again.at, NO_LINK)
        elif document.attempts + 1 >= self.policy.give_up_resolving:
            self._block(recording, op, document, refusal(error))
        else:
            if not number_is_taken:  # numbers are not part of our picture
                self.directory.forget_freshness()
            self._again(recording, op, error, document, again.at)

    def _may_concede(self, op: Operation, error: QuickBooksError, document: DueDocument) -> bool:
        """Whether the document can be sent otherwise without a person: see `_CONCESSIONS`."""
        match reaction(error):
            case Reaction.DROP_EMAIL:
                return NO_EMAIL not in document.concessions
            case Reaction.SPLIT_BATCH:
                is_in_batch = op.b_id is not None
                return is_in_batch or document.attempts + 1 < self.policy.give_up_resolving
            case Reaction.REDATE if self._is_to_be_redated(error):
                return document.attempts + 1 < self.policy.give_up_resolving
        return False

    def _is_to_be_redated(self, error: QuickBooksError) -> bool:
        """Whether the books are closed for its date, and the policy gives it a later one then."""
        redates = self.policies.redates(self.lease.realm_id)
        return redates and reaction(error) is Reaction.REDATE

    def _again(
        self,
        recording: Recording,
        op: Operation,
        error: QuickBooksError,
        document: DueDocument,
        at: datetime,
        concession: str = "",
    ) -> None:
        """A new request for the document, without what was not accepted."""
        self.observer.retried(op.entity, "resolve_again")
        recording.results.append(
            OperationResult(op.operation_key, "refused", error=str(error), tid=error.tid)
        )
        recording.updates.append(
            DocumentUpdate(
                document.document_id,
                DocumentState.WANTED,
                next_attempt_at=at,
                next_revision=True,
                concession=concession or _CONCESSIONS.get(reaction(error), ""),
            )
        )

    def _block(
        self,
        recording: Recording,
        op: Operation,
        document: DueDocument,
        block: Block,
        concession: str = "",
    ) -> None:
        recording.results.append(OperationResult(op.operation_key, "refused", error=block.error))
        recording.updates.append(
            DocumentUpdate(
                document.document_id, DocumentState.BLOCKED, block.reason, block.detail,
                next_revision=True, concession=concession,
            )
        )  # fmt: skip
        recording.outcomes.append(about(document, "blocked", block.reason, block.detail))

    async def _holder(self, op: Operation, error: QuickBooksError) -> BatchResult | None:
        """The transaction that holds our number (6140), if it is the one we made ourselves; None if
        it is not, and the error when it can't be read now."""
        holder = number_holder(error)
        if holder is None or holder[0] != op.entity:
            return None
        try:
            answer = await self.quickbooks.send(read(*holder))
        except QuickBooksError as unread:
            is_deleted = isinstance(unread, LookAgain) and is_gone(unread)
            return None if is_deleted else unread
        return answer if is_ours(op, answer.entity(op.entity)) else None


def compared(actual: Decimal, wanted: Decimal) -> tuple[str, str]:
    """QuickBooks may compute another tax; the difference is shown on the document."""
    if actual == wanted:
        return "", ""
    stop = Stop(Reason.TOTAL_DIFFERS, actual=actual, wanted=wanted)
    return stop.reason, stop.detail


def _number(entity: Mapping[str, Any]) -> str | None:
    """The number that a document bears; the request for one is none."""
    number = _text(entity.get("DocNumber"))
    return None if number == AUTO_NUMBER else number


def _text(value: object) -> str | None:
    return None if value is None else str(value)
