"""Creates the customers and items that documents lack. Called by `prepare` and `amend`.

Each is created once however many documents want it: the operation's key is what they are matched
by, and one process owns the company. What was created before is known by its operation even if
it was renamed in QuickBooks since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from reconciler.dispatch.calls import send
from reconciler.dispatch.directory import Directory
from reconciler.dispatch.locate import is_wanted
from reconciler.errors import (
    ODD_ANSWER,
    UNFORESEEN,
    Disconnected,
    QuickBooksError,
    Reaction,
    Refused,
)
from reconciler.model import ProductReference
from reconciler.ports.dispatch import (
    DispatchLedger,
    Lease,
    Operation,
    OperationResult,
    UnfinishedOperation,
)
from reconciler.quickbooks.answers import Answer, BatchResult, not_understood
from reconciler.quickbooks.client import QuickBooks
from reconciler.quickbooks.faults import reaction
from reconciler.quickbooks.payload import encode, written_id
from reconciler.quickbooks.protocol import MAX_BATCH_ITEMS, Verb
from reconciler.quickbooks.references import Reference
from reconciler.reasons import Blocked, Reason, unforeseen
from reconciler.writing.documents import customer_entity, item_entity
from reconciler.writing.lifecycle import RetryPolicy, ending, unsent
from reconciler.writing.operations import for_one_call, marker, reference_operation_key, request_id
from reconciler.writing.resolve import Book, MissingCustomer, Resolved, item_key

_log = structlog.get_logger("reconciler.missing")

_CALLED = {"Customer": "customer", "Item": "product"}

MOST_NAMES = 40
"""How many times one customer or item is tried under another operation before it is left, at once."""

REFUSED_FOR = timedelta(seconds=5)
"""How long a refusal counts for others that want the same: thousands may be retried at once."""

Refusals = dict[tuple[str, str], Blocked]
"""Why customers and items can't be created, by entity and key."""


@dataclass(frozen=True)
class Missing:
    """A customer or item to be created; `key` is what makes two of them the same."""

    entity: str
    key: str
    wanted: MissingCustomer | ProductReference
    without_email: bool = False

    def body(self, book: Book) -> dict[str, Any]:
        if not isinstance(self.wanted, MissingCustomer):
            return item_entity(self.wanted, book)
        body = customer_entity(self.wanted.customer, self.wanted.currency, book)
        if self.without_email:
            body.pop("PrimaryEmailAddr", None)
        return body

    def may_be_another(self, book: Book) -> bool:
        """Whether a product without a SKU is looked for again once one of its name, with a SKU, is made."""
        wanted = self.wanted
        if not isinstance(wanted, ProductReference) or wanted.sku:
            return False
        return book.is_being_made(self.entity, wanted.name)


@dataclass
class ReferenceMaker:
    """One company's."""

    lease: Lease
    store: DispatchLedger
    quickbooks: QuickBooks
    directory: Directory
    clock: Callable[[], datetime]
    policy: RetryPolicy = RetryPolicy()
    crash_point: Callable[[str], None] = lambda name: None
    _refused: dict[tuple[str, str], tuple[Blocked, datetime]] = field(default_factory=dict)

    async def create_missing(self, documents: Sequence[Resolved], book: Book) -> Refusals:
        """Create what is missing and add it to *book*; answers what QuickBooks will not take.

        What got no answer yet stays missing and is taken up later. Raises Disconnected.
        """
        recently, refused = self._refused_just_now(), Refusals()
        missing = [each for each in _distinct(documents) if (each.entity, each.key) not in recently]
        number, fresh_rounds = 0, 0
        while missing and fresh_rounds < MOST_NAMES:
            number += 1
            keys = {
                reference_operation_key(each.entity, each.key, number): each for each in missing
            }
            known = await self.store.operation_ids(self.lease.realm_id, list(keys))
            if len(known) < len(keys):  # what was tried in former attempts costs a look alone
                fresh_rounds += 1
            missing = await self._round(keys, known, book, refused)
        for each in missing:
            words = f"No name was accepted for its {_CALLED[each.entity]}."
            stop = Blocked(Reason.REFUSED, message=words, fix="Create it by hand.")
            refused.setdefault((each.entity, each.key), stop)
        until = self.clock() + REFUSED_FOR
        self._refused |= {key: (stop, until) for key, stop in refused.items()}
        return recently | refused

    def _refused_just_now(self) -> Refusals:
        now = self.clock()
        self._refused = {key: each for key, each in self._refused.items() if each[1] > now}
        return {key: stop for key, (stop, _) in self._refused.items()}

    async def _round(
        self,
        keys: Mapping[str, Missing],
        known: Mapping[str, tuple[str, str]],
        book: Book,
        refused: Refusals,
    ) -> list[Missing]:
        """One attempt at each; answers those that need another one, under another operation."""
        again: list[Missing] = []
        fresh: list[tuple[Missing, Operation]] = []
        for key, each in keys.items():
            state, id_ = known.get(key, ("", ""))
            if state == "done" and await self._is_usable(each, id_, book):
                continue
            if state in ("done", "refused"):
                again.append(each)
            elif not state and not each.may_be_another(book):
                try:
                    fresh.append((each, self._operation(each, key, book)))
                except Blocked as stop:  # no name is left for it
                    refused[each.entity, each.key] = stop
                except UNFORESEEN as error:
                    refused[each.entity, each.key] = unforeseen(error, _CALLED[each.entity])
        for start in range(0, len(fresh), MAX_BATCH_ITEMS):
            again += await self._create(fresh[start : start + MAX_BATCH_ITEMS], book, refused)
        return again

    async def _is_usable(self, each: Missing, id_: str, book: Book) -> bool:
        """Whether what was created before is still there and active; then it goes in the book."""
        found = await self.directory.with_id(each.entity, id_)
        if found is None or not found.active:
            return False
        book.made[each.entity, each.key] = found
        return True

    def _operation(self, each: Missing, key: str, book: Book) -> Operation:
        request = request_id(self.lease.realm_id, key)
        body = each.body(book)
        book.reserve(each.entity, str(body.get("DisplayName") or body.get("Name")))
        return Operation(
            operation_key=key,
            realm_id=self.lease.realm_id,
            document_id=None,
            entity=each.entity,
            verb=Verb.CREATE,
            request_id=request,
            b_id=None,
            marker=marker(request),
            request=encode(body),
        )

    async def _create(
        self, fresh: Sequence[tuple[Missing, Operation]], book: Book, refused: Refusals
    ) -> list[Missing]:
        operations = for_one_call([op for _, op in fresh])
        self.crash_point("reference.before_begin")
        begun = await self.store.begin(self.lease, operations, {})
        operations = [op for op in operations if op.operation_key in begun]
        self.crash_point("reference.begun")
        if not operations:
            return []
        results = await send(self.quickbooks, operations)
        self.crash_point("reference.answered")
        finished = await self._record(operations, results, book)
        by_key = {op.operation_key: each for each, op in fresh}
        again = []
        for op in operations:
            each, result = by_key[op.operation_key], results[op.operation_key]
            if (made := finished[op.operation_key]) is not None:
                book.made[each.entity, each.key] = made
            elif isinstance(result, Answer):
                continue
            elif another := _another(each, result):
                again.append(another)
            elif isinstance(result, Refused):
                words = f"Its {_CALLED[each.entity]} can't be created. {result.in_words}"
                stop = Blocked(Reason.REFUSED, message=words, fix=result.remedy)
                refused[each.entity, each.key] = stop
            elif isinstance(result, Disconnected):
                raise result
        return again

    async def _record(
        self, operations: Sequence[Operation], results: dict[str, BatchResult], book: Book
    ) -> dict[str, Reference | None]:
        """Keep what became of creations; what each made, by operation key."""
        finished, made = [], {}
        for op in operations:
            result, reference = await self._learned(op, results[op.operation_key], book, None)
            finished.append(result)
            made[op.operation_key] = reference
        await self.store.record(self.lease, finished, (), ())
        self.crash_point("reference.recorded")
        return made

    async def result_of(
        self, op: Operation, result: BatchResult, before: UnfinishedOperation | None
    ) -> OperationResult:
        """What to record of a creation that was taken up again; what it made is learned first."""
        finished, _ = await self._learned(op, result, None, before)
        return finished

    async def _learned(
        self,
        op: Operation,
        result: BatchResult,
        book: Book | None,
        before: UnfinishedOperation | None,
    ) -> tuple[OperationResult, Reference | None]:
        if isinstance(result, Answer):
            try:
                made = await self._made(op, result)
            except ODD_ANSWER as error:
                _log.error("answer not understood", operation=op.operation_key, exc_info=error)
                return await self._learned(op, not_understood(result, error), book, before)
            if book is not None:
                book.add([made])
            return _done(op, made, result.tid), made
        if reaction(result) is Reaction.ADOPT_NAME:
            return await self._holder(op, result, book, before)
        finished, _ = ending(op.operation_key, result, before, self.clock(), self.policy)
        return finished, None

    async def _made(self, op: Operation, answer: Answer) -> Reference:
        entity = answer.entity(op.entity)
        written_id(entity)
        (made,) = await self.directory.learn(op.entity, [entity])
        return made

    async def _holder(
        self,
        op: Operation,
        error: QuickBooksError,
        book: Book | None,
        before: UnfinishedOperation | None,
    ) -> tuple[OperationResult, Reference | None]:
        """Someone bears that name (6240): the very one we wanted, perhaps made by ourselves when an
        answer was lost, is adopted; of a stranger we learn, so that the next name is a free one."""
        key = op.operation_key
        try:
            holders = await self.directory.look_up_name(op)
        except QuickBooksError as unknown:
            attempts = before.attempts if before else 1
            at = self.clock() + self.policy.delay(attempts + 1)  # a guess could make a second
            state = unsent(before)
            return OperationResult(key, state, error=str(unknown), next_attempt_at=at), None
        if book is not None:
            book.add(holders)
        if ours := next((one for one in holders if is_wanted(op, one)), None):
            return _done(op, ours, error.tid), ours
        return OperationResult(key, "refused", error=str(error), tid=error.tid), None


def _done(op: Operation, made: Reference, tid: str) -> OperationResult:
    return OperationResult(op.operation_key, "done", made.id, made.sync_token, tid=tid)


def _another(each: Missing, error: QuickBooksError) -> Missing | None:
    """What to try next of a creation that was refused; None where trying won't help."""
    match reaction(error):
        case Reaction.ADOPT_NAME | Reaction.SPLIT_BATCH:
            return each
        case Reaction.DROP_EMAIL if not each.without_email:
            return replace(each, without_email=True)
    return None


def missing_keys(resolved: Resolved) -> list[tuple[str, str]]:
    """What a document lacks, as `Refusals` names it."""
    return [(each.entity, each.key) for each in _distinct([resolved])]


def _distinct(documents: Sequence[Resolved]) -> list[Missing]:
    found: dict[tuple[str, str], Missing] = {}
    for resolved in documents:
        if (wanted := resolved.missing_customer) is not None:
            customer = Missing("Customer", wanted.key, wanted)
            found.setdefault((customer.entity, customer.key), customer)
        for product in resolved.missing_items:
            item = Missing("Item", item_key(product), product)
            found.setdefault((item.entity, item.key), item)
    return list(found.values())
