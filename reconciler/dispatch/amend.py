"""Brings documents in QuickBooks to what HubSpot says now, as far as the action's policy allows.

Called by `company` in its loop. `report` shows the change; `update` writes it; `void_and_recreate`
voids the document and wants it anew. Each write is an operation of its own, committed before the
call; its SyncToken makes a repetition harmless. What was paid, closed, voided or edited by a person
is left alone, and said so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from reconciler.dispatch.directory import Directory
from reconciler.dispatch.locate import is_gone
from reconciler.dispatch.missing import ReferenceMaker
from reconciler.dispatch.record import compared
from reconciler.errors import (
    ODD_ANSWER,
    UNFORESEEN,
    Disconnected,
    LookAgain,
    QuickBooksError,
    RetryLater,
)
from reconciler.model import DocumentContent, decode_content
from reconciler.outcomes import about_made
from reconciler.ports.dispatch import (
    DueDocument,
    Lease,
    Operation,
    OperationResult,
    UnfinishedOperation,
)
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.standing import (
    NOT_DESIRED,
    Amendment,
    StandingDocument,
    StandingLedger,
    unmade,
)
from reconciler.quickbooks.answers import Answer, BatchResult, not_understood
from reconciler.quickbooks.client import QuickBooks
from reconciler.quickbooks.payload import Payload, encode, reference_id
from reconciler.quickbooks.protocol import Verb, read
from reconciler.reasons import WORDS, Blocked, Reason, unforeseen
from reconciler.workflows import OnChange
from reconciler.writing.amendments import (
    as_dated,
    change_operation_key,
    differences,
    due_by_terms,
    settled,
    update_entity,
)
from reconciler.writing.lifecycle import Block, ResolveAgain, RetryPolicy, ending
from reconciler.writing.observed import Drift, compare, is_settled, is_voided, rewritten, with_row
from reconciler.writing.operations import (
    DOCUMENT,
    changed_id,
    document_operation_key,
    marker,
    request_id,
)
from reconciler.writing.policies import Policies
from reconciler.writing.resolve import resolve

_log = structlog.get_logger("reconciler.amend")


AT_ONCE = 10
"""Changes looked at between two batches of new documents: each may cost a read."""

LOOK_AGAIN = timedelta(seconds=30)
"""When a change is looked at again that could not be settled now."""


class _Refused(Exception):
    """Why the document can't be changed, for a person."""


@dataclass(frozen=True)
class Changed:
    """A document and the contents it has and should have."""

    standing: StandingDocument
    written: DocumentContent
    desired: DocumentContent

    @property
    def desired_text(self) -> str:
        """What is noted as desired, to be taken back once it is done."""
        return self.standing.desired or ""

    def amendment(self, change: str | None = None, **news: Any) -> Amendment:
        """News of the document, found out when this was desired."""
        due = self.standing.document
        return Amendment(
            due.document_id, str(due.quickbooks_id), change, desired=self.desired_text, **news
        )

    @property
    def what(self) -> str:
        return ", ".join(differences(self.written, self.desired))


@dataclass(frozen=True)
class Amender:
    """One company's."""

    lease: Lease
    standing: StandingLedger
    quickbooks: QuickBooks
    directory: Directory
    maker: ReferenceMaker
    policies: Policies
    clock: Callable[[], datetime]
    policy: RetryPolicy = RetryPolicy()

    async def next_operations(self) -> list[Operation]:
        """Settle what can be settled at once; the operations begun for the rest."""
        due = await self.standing.changed(self.lease.realm_id, AT_ONCE, self.clock())
        operations = []
        for document in due:
            operation = await self._settle(document)
            if operation is not None and await self.standing.begin_change(
                self.lease, operation, self.clock() + LOOK_AGAIN
            ):
                operations.append(operation)
        return operations

    async def _settle(self, standing: StandingDocument) -> Operation | None:
        changed, document = _changed(standing), standing.document
        if standing.desired == NOT_DESIRED:  # whether to void it is for a person, not for a policy
            await self._report(changed, Reason.DELETED_IN_HUBSPOT)
            return None
        if found := unmade(standing.desired):
            await self._report(changed, Reason.NOT_CALLED_FOR, found.why)
            return None
        policy = self.policies.of(document.workflow, document.key).on_change
        if changed.written == changed.desired:
            await self._amend(changed.amendment("", is_written=True))
            return None
        if policy is OnChange.REPORT:
            await self._report(changed, Reason.SOURCE_CHANGED)
            return None
        try:
            return await self._operation(changed, policy)
        except _Refused as refused:
            await self._report(changed, Reason.CHANGE_REFUSED, str(refused))
        except UNFORESEEN as error:
            _log.error("change not prepared", document=str(document.key), exc_info=error)
            why = unforeseen(error, document.key.object_type).detail
            await self._report(changed, Reason.CHANGE_REFUSED, why)
        except RetryLater as error:
            later = self.clock() + error.retry_after
            await self._amend(changed.amendment("open", next_attempt_at=later))
        return None

    async def _operation(self, changed: Changed, policy: OnChange) -> Operation | None:
        row = await self._read(changed)
        standing, observed = _as_now(changed.standing, row), with_row(changed.standing, row)
        drift = compare(changed.standing, observed)
        if policy is OnChange.VOID_AND_RECREATE:
            if is_voided(row, standing.total):  # our own void whose answer was lost, or a person's
                await self._amend(changed.amendment(recreate=True), _event(standing, "voided"))
                return None
            self._refuse(row, drift, standing)
            target = {"Id": standing.document.quickbooks_id, "SyncToken": standing.sync_token}
            return _operation(standing, Verb.VOID, encode(target), changed)
        if not is_voided(row, standing.total) and not is_settled(standing, row):
            body = await self._update(changed, standing, row)
            if (
                drift
                and compare(rewritten(standing, body, changed.desired.total), observed) is None
            ):
                await self._amend(_updated(changed, row), _event(standing, "updated"))
                return None  # our own update whose answer was lost
            if drift is None:
                return _operation(standing, Verb.UPDATE, body, changed)
        self._refuse(row, drift, standing)
        raise AssertionError("refused above")

    def _refuse(self, row: Payload, drift: Drift | None, standing: StandingDocument) -> None:
        """Raises `_Refused` where the document is not ours to change any more."""
        if is_voided(row, standing.total):
            raise _Refused("it was voided in QuickBooks.")
        if is_settled(standing, row):
            raise _Refused("it is paid or closed.")
        if drift:
            raise _Refused(drift.detail)

    async def _read(self, changed: Changed) -> Payload:
        """The document as it is now. Raises `_Refused` where it is gone."""
        document = changed.standing.document
        try:
            answer = await self.quickbooks.send(
                read(str(document.quickbooks_entity), str(document.quickbooks_id))
            )
        except LookAgain as error:
            if not is_gone(error):
                raise RetryLater(str(error), retry_after=LOOK_AGAIN) from error
            raise _Refused("it was deleted in QuickBooks.") from None
        except (Disconnected, RetryLater):
            raise
        except QuickBooksError as error:
            raise _Refused(str(error)) from error
        return answer.entity(str(document.quickbooks_entity))

    async def _update(self, changed: Changed, standing: StandingDocument, row: Payload) -> bytes:
        """The body of the update, with everything it refers to found or created.

        Its date stays: what counts for closed books is the one it has in QuickBooks.
        """
        document = standing.document
        content = as_dated(changed.desired, str(row.get("TxnDate") or changed.desired.txn_date))
        book = await self.directory.book_for([content])
        _keep_currency(row, book.facts.stated_currency(content.currency))
        try:
            resolved = resolve(document.key.action, content, book)
            if not resolved.is_complete:
                await self.maker.create_missing([resolved], book)
                resolved = resolve(document.key.action, content, book)
        except Blocked as stop:
            raise _Refused(stop.detail) from None
        if not resolved.is_complete:
            raise RetryLater("A customer or product is being created.", retry_after=LOOK_AGAIN)
        content = due_by_terms(changed.written, content, resolved)
        mark = marker(request_id(document.key.realm_id, document_operation_key(document, DOCUMENT)))
        entity = update_entity(standing, content, resolved, book.facts, mark)
        _refuse_former_address(row, entity)
        return encode(entity)

    async def _report(self, changed: Changed, reason: Reason, why: str = "") -> None:
        words = WORDS[reason]
        kind = changed.standing.document.key.object_type
        detail = f"{words.sentence} {words.fix}".format(what=changed.what, why=why, object=kind)
        word = "refused" if reason is Reason.CHANGE_REFUSED else "reported"
        await self._amend(
            changed.amendment(word, reason=reason, detail=detail),
            _event(changed.standing, "drifted", reason, detail),
        )

    # --- what QuickBooks answered ------------------------------------------------------------------

    async def record(
        self,
        op: Operation,
        result: BatchResult,
        document: DueDocument,
        before: UnfinishedOperation | None,
    ) -> None:
        """Write what became of a change. Raises `Fenced`."""
        if isinstance(result, Answer):
            try:
                done = self._done(op, result, document)
            except ODD_ANSWER as error:
                _log.error("answer not understood", operation=op.operation_key, exc_info=error)
                result = not_understood(result, error)
            else:
                await self.standing.amend(self.lease, *done)
                return
        about = document.document_id, changed_id(op)
        finished, following = ending(op.operation_key, result, before, self.clock(), self.policy)
        match following:
            case ResolveAgain(at):
                again = Amendment(*about, "open", next_attempt_at=at)
                await self.standing.amend(self.lease, [again], (), [finished])
            case Block() as block:
                detail = WORDS[Reason.CHANGE_REFUSED].sentence.format(
                    what=f"operation {op.verb}", why=block.detail
                )
                refused = Amendment(
                    *about, "refused", Reason.CHANGE_REFUSED, detail, desired=op.content
                )
                news = about_made(document, "drifted", Reason.CHANGE_REFUSED, detail)
                await self.standing.amend(self.lease, [refused], [news], [finished])
            case _:
                await self.standing.amend(self.lease, (), (), [finished])

    def _done(
        self, op: Operation, answer: Answer, document: DueDocument
    ) -> tuple[list[Amendment], list[NewOutcome], list[OperationResult]]:
        row = answer.entity(op.entity)
        token, total = str(row.get("SyncToken", "")), Decimal(str(row.get("TotalAmt", 0)))
        about = document.document_id, changed_id(op)
        results = [OperationResult(op.operation_key, "done", about[1], token, tid=answer.tid)]
        if op.verb == Verb.VOID:
            amendment = Amendment(*about, recreate=True)
            news = about_made(document, "voided")
        else:
            reason, detail = compared(total, decode_content(op.content or document.content).total)
            amendment = Amendment(
                *about, "", reason, detail, op.content, True, token, total, drift=""
            )
            news = about_made(document, "updated", reason, detail, total=total)
        return [amendment], [news], results

    async def _amend(self, amendment: Amendment, *outcomes: NewOutcome) -> None:
        await self.standing.amend(self.lease, [amendment], outcomes)


def _event(standing: StandingDocument, kind: str, reason: str = "", detail: str = "") -> NewOutcome:
    number = standing.document.document_number
    return about_made(standing.document, kind, reason, detail, document_number=number)


def _updated(changed: Changed, row: Payload) -> Amendment:
    return changed.amendment(
        "",
        is_written=True,
        sync_token=str(row.get("SyncToken", "")),
        total=Decimal(str(row.get("TotalAmt", 0))),
        drift="",
    )


def _changed(standing: StandingDocument) -> Changed:
    written = decode_content(standing.document.content)
    says_none = standing.desired == NOT_DESIRED or unmade(standing.desired) is not None
    desired = decode_content(standing.desired) if standing.desired and not says_none else written
    return Changed(standing, written, settled(desired, written.txn_date))


def _keep_currency(row: Payload, currency: str) -> None:
    """Raises `_Refused` for another currency: the document would keep the old one's exchange rate."""
    now = reference_id(row, "CurrencyRef")
    if currency and now and now != currency:
        raise _Refused(f"it is in {now}, and a document keeps its currency.")


def _refuse_former_address(row: Payload, entity: Payload) -> None:
    """Raises `_Refused` where a document made out to somebody else would be mailed to whom it was for."""
    moves = reference_id(row, "CustomerRef") != reference_id(entity, "CustomerRef")
    if moves and row.get("BillEmail") and "BillEmail" not in entity:
        raise _Refused("the new customer has no e-mail address, and it would keep the former's.")


def _as_now(standing: StandingDocument, row: Payload) -> StandingDocument:
    return msgspec.structs.replace(standing, sync_token=str(row.get("SyncToken", "")))


def _operation(standing: StandingDocument, verb: str, body: bytes, changed: Changed) -> Operation:
    document = standing.document
    key = change_operation_key(standing, verb)
    realm_id = document.key.realm_id
    creation = document_operation_key(document, DOCUMENT)
    return Operation(
        operation_key=key,
        realm_id=realm_id,
        document_id=document.document_id,
        entity=str(document.quickbooks_entity),
        verb=verb,
        request_id=request_id(realm_id, key),
        b_id=None,
        marker=marker(request_id(realm_id, creation)),
        request=body,
        content=changed.desired_text,
    )
