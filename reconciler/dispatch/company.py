"""Dispatches for one company while its lease is held: prepare, begin, send, record.

Started by `dispatcher`, once per company and process. The order is what nothing doubles by
(docs/exactly-once.md): everything is resolved before the first write, the intent is committed before
the call, the result after it, and no transaction is open in between. It keeps no state that a
restart would miss: what was begun is found again in the ledger.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.dispatch.amend import Amender
from reconciler.dispatch.calls import send
from reconciler.dispatch.directory import REFRESH_EVERY, Directory
from reconciler.dispatch.drift import WATCHED, DriftWatch
from reconciler.dispatch.locate import locate, still_exists
from reconciler.dispatch.missing import ReferenceMaker
from reconciler.dispatch.observe import Observer
from reconciler.dispatch.prepare import Prepared, Preparer
from reconciler.dispatch.ready import Ready
from reconciler.dispatch.record import Recorder
from reconciler.errors import Disconnected, QuickBooksError, Reaction
from reconciler.ports.dispatch import (
    Attention,
    DispatchLedger,
    Lease,
    Operation,
    UnfinishedOperation,
)
from reconciler.ports.references import ReferenceList
from reconciler.ports.standing import StandingLedger
from reconciler.quickbooks.answers import Answer, BatchResult
from reconciler.quickbooks.client import QuickBooks
from reconciler.quickbooks.faults import reaction
from reconciler.quickbooks.limits import Kind
from reconciler.quickbooks.protocol import MAX_BATCH_ITEMS, Verb
from reconciler.writing.lifecycle import RetryPolicy, is_refusal, may_be_forgotten
from reconciler.writing.operations import for_one_call
from reconciler.writing.policies import Policies

TAKEN_UP_AT_ONCE = 10 * MAX_BATCH_ITEMS
"""Operations without a result that are looked at again at once."""

IDLE_LOOK = timedelta(seconds=5)
"""How often the ledger is looked at when nobody says that there is work."""


@dataclass(frozen=True)
class Surroundings:
    """What a company's dispatch works with; the same for all companies of a process."""

    store: DispatchLedger
    standing: StandingLedger
    references: ReferenceList
    clock: Callable[[], datetime]
    observer: Observer = field(default_factory=Observer)
    policy: RetryPolicy = RetryPolicy()
    policies: Policies = field(default_factory=Policies)
    refresh_every: timedelta = REFRESH_EVERY
    concurrency: int = 40
    """Full batches whose documents may be begun and not recorded yet. Intuit's own limit of calls
    in the air is `Limits.concurrent`; answers that wait to be recorded come on top."""
    restored_at: datetime | None = None
    """When the ledger was restored from a backup: what was enrolled before may be in the books."""
    crash_point: Callable[[str], None] = lambda name: None


@dataclass
class CompanyDispatcher:
    """One company's way from wanted documents to QuickBooks."""

    lease: Lease
    quickbooks: QuickBooks
    directory: Directory
    preparer: Preparer
    recorder: Recorder
    amender: Amender
    around: Surroundings
    ready: Ready
    _in_the_air: dict[str, int | None] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _told_to_stop: asyncio.Event = field(default_factory=asyncio.Event)
    _trouble: QuickBooksError | None = None
    _batch_items: int = MAX_BATCH_ITEMS

    def wake(self) -> None:
        """There may be work, or room for it."""
        self._woken.set()

    @property
    def is_stopping(self) -> bool:
        return self._told_to_stop.is_set()

    def stop(self) -> None:
        """Finish the calls in the air, begin nothing new."""
        self._told_to_stop.set()
        self.wake()

    def notice(self) -> None:
        """Something changed in QuickBooks: look soon."""
        self.directory.notice()
        self.wake()

    async def run(self) -> None:
        """Dispatch until stopped. Raises `Fenced` when the company has another owner, and a
        QuickBooksError, once what was in the air is recorded, when nothing can be done now."""
        self.around.crash_point("company.taken")
        await self.directory.ensure_loaded()
        self.around.crash_point("company.loaded")
        self.ready.clear()
        self._in_the_air.clear()  # a call that was cut off before it began could not land itself
        self._trouble = None
        async with asyncio.TaskGroup() as calls:
            try:
                await self._keep_going(calls)
            except QuickBooksError as error:
                self._trouble = error
        if self._trouble is not None:
            raise self._trouble

    async def _keep_going(self, calls: asyncio.TaskGroup) -> None:
        while not self.is_stopping and self._trouble is None:
            self._woken.clear()
            await self.directory.refresh_when_due()
            sent = await self._send_next(calls)  # first: somebody waits for a new document
            attention = await self._attention()
            resumed = attention.operations and await self._resume(calls)
            changed = attention.changes and await self._amend(calls)
            if not (sent or resumed or changed):
                await self._wait(attention.next_at)

    async def _attention(self) -> Attention:
        """What wants attention besides new documents, as far as there is room for it."""
        return await self.around.store.attention(
            self.lease.realm_id,
            self.around.clock(),
            of_backfill=self.ready.rest == 0,
            of_changes=self._room() > 0 and self.quickbooks.gate.room(Kind()) > 0,
        )

    async def _amend(self, calls: asyncio.TaskGroup) -> bool:
        """Send changes of documents that exist; False if there were none to send."""
        operations = await self.amender.next_operations()
        for op in operations:
            self._lift([op])
            calls.create_task(self._send([op], ()))
        return bool(operations)

    # --- new documents -----------------------------------------------------------------------

    async def _send_next(self, calls: asyncio.TaskGroup) -> bool:
        """Begin and send as many documents as there is room for; False if none could go."""
        with self.ready.working():
            await self._claim()  # also without room: others are being recorded meanwhile
            taken = self.ready.take(self._room(), self._batch_items)
            if taken and not self.ready.is_judged:
                taken = await self.preparer.still_going(taken)
            groups = [part for group in taken for part in self._parted(group)]
            of_calls = await self._begin(groups) if groups else []
        for group, begun in zip(groups, of_calls, strict=True):
            if not begun:
                continue
            self._lift(begun)
            if self._is_from_before(group[0].document.enrolled_at):
                calls.create_task(self._look_first(begun[0], group))
            else:
                calls.create_task(self._send(begun, group))
        return bool(groups)

    def _parted(self, group: Sequence[Prepared]) -> Iterator[Sequence[Prepared]]:
        """Those of one call that may go unseen, and each that must be looked for first, alone."""
        unseen = [each for each in group if not self._is_from_before(each.document.enrolled_at)]
        if unseen:
            yield unseen
        yield from ([each] for each in group if each not in unseen)

    def _is_from_before(self, enrolled_at: datetime | None) -> bool:
        """Whether the ledger may have forgotten that the document was created."""
        restored_at = self.around.restored_at
        return restored_at is not None and enrolled_at is not None and enrolled_at <= restored_at

    async def _claim(self) -> None:
        wanted = self.ready.room
        if not any(wanted):
            return
        judged_at = self.quickbooks.gate.clock()
        due = await self.around.store.due(self.lease.realm_id, *wanted, self.around.clock())
        if due:
            self.ready.replace(await self.preparer.prepare(due), judged_at)

    async def _begin(self, groups: Sequence[Sequence[Prepared]]) -> list[list[Operation]]:
        """Commit the intent to make these calls; the operations of each that may go."""
        of_calls = [for_one_call([each.operation for each in group]) for group in groups]
        versions = {
            prepared.document.document_id: prepared.document.version
            for group in groups
            for prepared in group
        }
        self.around.crash_point("dispatch.before_begin")
        operations = [op for of_call in of_calls for op in of_call]
        begun = await self.around.store.begin(self.lease, operations, versions)
        self.around.crash_point("dispatch.begun")
        return [[op for op in of_call if op.operation_key in begun] for of_call in of_calls]

    def _room(self) -> int:
        """How many more documents may be begun and not recorded."""
        return max(0, self.around.concurrency * MAX_BATCH_ITEMS - len(self._in_the_air))

    # --- documents begun before ----------------------------------------------------------------

    async def _resume(self, calls: asyncio.TaskGroup) -> bool:
        """Take up operations whose result is not recorded: after a crash, or without an answer."""
        before = dict(self._in_the_air)  # a call may land meanwhile
        taken_up = await self.around.store.take_up(self.lease, TAKEN_UP_AT_ONCE)
        mine = [each for each in taken_up if not _is_among(before, each.operation)]
        if not mine:
            return False
        self.around.crash_point("resume.taken_up")
        forgotten = [each for each in mine if self._must_look_first(each)]
        for each in forgotten:
            self._lift([each.operation])
            calls.create_task(self._look_first(each.operation, (), [each]))
        for group in _by_request([each for each in mine if each not in forgotten]):
            operations = [each.operation for each in group]
            self._lift(operations)
            calls.create_task(self._send(operations, (), group))
        return True

    def _must_look_first(self, each: UnfinishedOperation) -> bool:
        """A change can't be made twice, because it names the version that it changes."""
        if each.operation.verb != Verb.CREATE:
            return False
        if self._is_from_before(each.enrolled_at):
            return True
        return may_be_forgotten(each.first_sent_at, each.taken_up_at, self.around.policy)

    async def _look_first(
        self,
        op: Operation,
        group: Sequence[Prepared],
        resumed: Sequence[UnfinishedOperation] = (),
    ) -> None:
        """Adopt what stands in the books, or send the bytes that were committed."""
        found = await locate(self.quickbooks, op)
        if found is None:
            await self._send([op], group, resumed)
            return
        self.around.crash_point("resume.looked")
        try:
            await self.recorder.record(
                [op], {op.operation_key: found}, group, resumed, adopted=True
            )
            self._heed([found])
        finally:
            self._landed([op])

    # --- the call --------------------------------------------------------------------------------

    async def _send(
        self,
        operations: Sequence[Operation],
        group: Sequence[Prepared],
        resumed: Sequence[UnfinishedOperation] = (),
    ) -> None:
        """Call QuickBooks and record what it answered; then the next step of what has one."""
        self._lift(operations)
        try:
            self.around.crash_point("dispatch.before_call")
            results = await send(self.quickbooks, operations)
            self.around.crash_point("dispatch.answered")
            if resumed:
                results = await self._checked(resumed, results)
            if overtaking := _overtaking(resumed, results):
                if not await self._until_landed():
                    return  # it is taken up again
                results = await self._checked(overtaking, results)
            following = await self._record(operations, results, group, resumed)
            self._heed(list(results.values()))
            self.around.crash_point("dispatch.recorded")
        finally:
            self._landed(operations)
        if following:
            # Without the group: its documents are those before the first step.
            await self._send(following, ())

    async def _record(
        self,
        operations: Sequence[Operation],
        results: dict[str, BatchResult],
        group: Sequence[Prepared],
        resumed: Sequence[UnfinishedOperation],
    ) -> list[Operation]:
        if operations[0].verb == Verb.CREATE:
            return await self.recorder.record(operations, results, group, resumed)
        (op,) = operations  # a change is never sent in a batch
        (document,) = await self.around.store.documents([op.document_id or 0])
        before = resumed[0] if resumed else None
        await self.amender.record(op, results[op.operation_key], document, before)
        return []

    async def _checked(
        self, resumed: Sequence[UnfinishedOperation], results: dict[str, BatchResult]
    ) -> dict[str, BatchResult]:
        """What repeated requests really came to.

        An answer may come from memory: look whether the object still exists. A refusal may be
        due to the earlier attempt, which has landed by now: look for what it made.
        """
        for each in resumed:
            op, result = each.operation, results[each.operation.operation_key]
            if op.verb != Verb.CREATE:
                continue
            if isinstance(result, Answer):
                results[op.operation_key] = await still_exists(self.quickbooks, op, result)
            elif is_refusal(result):
                results[op.operation_key] = await locate(self.quickbooks, op) or result
        return results

    async def _until_landed(self) -> bool:
        """Wait until calls without an answer have landed or never will; False if told to stop."""
        try:
            async with asyncio.timeout(self.around.policy.landing.total_seconds()):
                await self._told_to_stop.wait()
        except TimeoutError:
            return True
        return False

    def _heed(self, results: Sequence[BatchResult]) -> None:
        """What an answer means for the company as a whole."""
        for result in results:
            if isinstance(result, Disconnected):
                self._trouble = result
            elif isinstance(result, QuickBooksError) and reaction(result) is Reaction.SPLIT_BATCH:
                # of this batch, not of the limit: others of its size are in the air
                self._batch_items = max(1, min(self._batch_items, len(results) // 2))
                return

    def _lift(self, operations: Sequence[Operation]) -> None:
        self._in_the_air.update({op.operation_key: op.document_id for op in operations})

    def _landed(self, operations: Sequence[Operation]) -> None:
        for op in operations:
            self._in_the_air.pop(op.operation_key, None)
        self.wake()

    # --- waiting ---------------------------------------------------------------------------------

    async def _wait(self, next_at: datetime | None) -> None:
        """Until someone says there is work, a call ends, or something becomes due."""
        seconds = min(IDLE_LOOK.total_seconds(), self._until_next_look(next_at))
        gate, asked_at = self.quickbooks.gate, self.quickbooks.gate.clock()
        try:
            async with asyncio.timeout(max(seconds, 0.01)):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            if self.ready:  # there was work, and no room for it
                gate.waited("limits", gate.clock() - asked_at)

    def _until_next_look(self, next_at: datetime | None) -> float:
        """Seconds until there may be something to do that nobody wakes us for."""
        if self.ready:
            return self.ready.delay if self._room() > 0 else math.inf  # a call that ends wakes us
        rest = self.ready.rest
        delay = math.inf if next_at is None else (next_at - self.around.clock()).total_seconds()
        return min(delay, rest) if rest > 0 else delay


def open_company(
    lease: Lease, name: str, quickbooks: QuickBooks, around: Surroundings
) -> CompanyDispatcher:
    """Put together what works for one company while its lease is held."""
    store, clock, policy = around.store, around.clock, around.policy
    drift = DriftWatch(lease, around.standing, around.policies)
    directory = Directory(
        lease, name, quickbooks, around.references, clock, around.refresh_every, WATCHED, drift.look
    )
    maker = ReferenceMaker(lease, store, quickbooks, directory, clock, policy, around.crash_point)
    return CompanyDispatcher(
        lease=lease,
        quickbooks=quickbooks,
        directory=directory,
        preparer=Preparer(lease, store, directory, maker, clock, around.policies),
        recorder=Recorder(
            lease, store, quickbooks, directory, maker, around.observer, clock, policy,
            around.policies,
        ),
        amender=Amender(
            lease, around.standing, quickbooks, directory, maker, around.policies, clock, policy
        ),
        around=around,
        ready=Ready(quickbooks.gate),
    )  # fmt: skip


def _is_among(in_the_air: Mapping[str, int | None], op: Operation) -> bool:
    """Whether it is in the air, or follows a step of its document that is: its own call comes."""
    if op.operation_key in in_the_air:
        return True
    return op.document_id is not None and op.document_id in in_the_air.values()


def _overtaking(
    resumed: Sequence[UnfinishedOperation], results: Mapping[str, BatchResult]
) -> list[UnfinishedOperation]:
    """Those whose repetition was refused while an attempt before it may still land.

    The refusal's cause may be gone by then: the document would be made anew, and that as well.
    """
    return [
        each
        for each in resumed
        if each.operation.verb == Verb.CREATE
        and not each.was_answered
        and isinstance(result := results[each.operation.operation_key], QuickBooksError)
        and is_refusal(result)
    ]


def _by_request(unfinished: Sequence[UnfinishedOperation]) -> list[list[UnfinishedOperation]]:
    """Operations that were begun in one batch go out in one again: Intuit keys by both ids."""
    groups: dict[str, list[UnfinishedOperation]] = {}
    for each in unfinished:
        groups.setdefault(each.operation.request_id, []).append(each)
    return list(groups.values())
