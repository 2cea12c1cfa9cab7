"""The budget against a vendor that counts every window of its own clock."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import RetryLater
from reconciler.quickbooks import protocol
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Budget, Kind, Limits

WRITE, READ, BATCH = Kind(), Kind(metered=True), Kind(batch=True)


class Vendor:
    """Counts arrivals as Intuit does and remembers the fullest window of each length."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[float, Kind]] = []

    def fullest(self, seconds: float, kind: Kind | None = None) -> int:
        times = sorted(at for at, one in self.arrivals if kind is None or one == kind)
        best = first = 0
        for last, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            best = max(best, last - first + 1)
        return best


def run(limits: Limits, until: float, kinds: list[Kind], latency: Callable[[], float]) -> Vendor:
    """Send without a pause until `until`: write at once, arrive at some instant, be answered."""
    budget, vendor = Budget(limits), Vendor()
    now, turn = 0.0, 0
    answers: list[tuple[float, int]] = []
    slots = {}
    while now < until:
        kind = kinds[turn % len(kinds)]
        delay = budget.next_slot(now, kind)
        if delay == 0.0:
            slot = budget.admit(now, kind)
            slot.written_at = now
            slots[turn] = slot
            seconds = latency()
            transit = min(seconds, limits.transit_seconds) * (turn % 3) / 2
            vendor.arrivals.append((now + transit, kind))
            heapq.heappush(answers, (now + seconds, turn))
            turn += 1
            continue
        following = now + delay if delay is not None else float("inf")
        if answers and answers[0][0] <= following:
            now, number = heapq.heappop(answers)
            budget.settle(now, slots.pop(number))
        else:
            now = max(following, now + 1e-6)
    return vendor


def test_a_part_can_be_kept_for_others() -> None:
    """Whoever leaves a tenth finds no room, and is told when there is some, while others find it."""
    budget = Budget(Limits(requests_per_second=10, concurrent=100))
    for _ in range(9):
        slot = budget.admit(0.0, WRITE)
        slot.written_at = 0.0
        budget.settle(0.0, slot)
    assert (budget.room(0.0, WRITE), budget.room(0.0, WRITE, kept=0.1)) == (1, 0)
    assert budget.next_slot(0.0, WRITE) == 0.0
    assert budget.next_slot(0.0, WRITE, kept=0.1) == pytest.approx(1.0, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), kinds=st.lists(st.sampled_from([WRITE, READ, BATCH]), min_size=1))
def test_no_window_of_the_vendor_overflows(data: st.DataObject, kinds: list[Kind]) -> None:
    """However long calls are on their way, no 60 s and no 1 s of Intuit's clock holds too many."""
    latencies = data.draw(st.lists(st.floats(0.01, 8.0), min_size=1, max_size=20))
    turn = iter(range(10**9))
    vendor = run(Limits(), 130.0, kinds, lambda: latencies[next(turn) % len(latencies)])
    assert vendor.fullest(1.0) <= 10
    assert vendor.fullest(60.0) <= 500
    assert vendor.fullest(60.0, BATCH) <= 40


@pytest.mark.parametrize("seconds", [0.05, 1.0, 4.0, 12.0])
def test_the_batch_quota_is_used(seconds: float) -> None:
    """At full backlog at least 95 % of 40 batches a minute are sent, also by slow answers."""
    vendor = run(Limits(), 600.0, [BATCH], lambda: seconds)
    assert len(vendor.arrivals) >= 0.95 * 40 * 10


def test_single_calls_use_most_of_their_quota() -> None:
    """Without batches, calls of 0.2 s come to over 95 % of 500 a minute."""
    vendor = run(Limits(), 600.0, [WRITE], lambda: 0.2)
    assert len(vendor.arrivals) >= 0.95 * 500 * 10


def test_at_most_ten_at_once() -> None:
    """The eleventh call waits for an answer, not for a clock."""
    budget = Budget(Limits(requests_per_second=100))
    slots = [budget.admit(0.0, WRITE) for _ in range(10)]
    assert budget.next_slot(0.0, WRITE) is None
    budget.settle(0.5, slots[0])
    assert budget.next_slot(0.5, WRITE) == 0.0


def test_a_call_never_sent_costs_nothing() -> None:
    """A connection that failed before a byte left is given back whole."""
    budget = Budget(Limits(batches_per_minute=1))
    budget.settle(5.0, budget.admit(0.0, BATCH))
    assert budget.next_slot(5.0, BATCH) == 0.0
    slot = budget.admit(5.0, BATCH)
    slot.written_at = 5.0
    budget.settle(5.5, slot)
    assert budget.next_slot(6.0, BATCH) == pytest.approx(59.5, abs=0.01)


def test_admission_without_room_is_a_bug() -> None:
    """The budget refuses rather than overflow."""
    budget = Budget(Limits(batches_per_minute=1))
    budget.admit(0.0, BATCH)
    with pytest.raises(ValueError, match="no room"):
        budget.admit(0.0, BATCH)


def test_throttled_means_a_minute_of_silence() -> None:
    """After 429 nothing is sent for 60 s, or longer if Intuit says so."""
    budget = Budget(Limits())
    budget.throttled(100.0, WRITE, 5.0)
    assert budget.next_slot(100.0, BATCH) == 60.0
    budget.throttled(110.0, WRITE, 90.0)
    assert budget.next_slot(110.0, READ) == 90.0
    assert budget.next_slot(200.0, READ) == 0.0


def test_monthly_quota_stops_reads_only() -> None:
    """An exhausted allowance stops metered calls but for a probe an hour; writes go on."""
    budget = Budget(Limits())
    budget.throttled(0.0, READ, 60.0, quota=True)
    assert budget.quota_exhausted
    assert budget.next_slot(0.0, WRITE) == 0.0
    assert budget.next_slot(0.0, READ) == 3600.0
    probe = budget.admit(3600.0, READ)
    assert budget.next_slot(3600.0, READ) == 3600.0, "one probe only"
    budget.settle(3601.0, probe)
    budget.answered(READ)
    assert not budget.quota_exhausted
    assert budget.next_slot(3602.0, READ) == 0.0


def test_refusals_after_each_pause_open_the_circuit() -> None:
    """The monthly 429 may look like any other: reads refused after three pauses are it."""
    budget = Budget(Limits())
    for at in (0.0, 61.0, 122.0):
        assert not budget.quota_exhausted
        budget.throttled(at, READ, 60.0)
        budget.throttled(at + 0.1, READ, 60.0)  # another call that was in flight
    assert budget.quota_exhausted
    assert budget.next_slot(200.0, WRITE) == 0.0


def test_throttled_writes_do_not_open_the_circuit() -> None:
    """Writes are unmetered: their throttles say nothing of the allowance."""
    budget = Budget(Limits())
    for at in range(0, 1000, 100):
        budget.throttled(float(at), BATCH, 60.0)
    assert not budget.quota_exhausted


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (protocol.create("Invoice", {}, "k"), WRITE),
        (protocol.read("Invoice", "1"), READ),
        (protocol.preferences(), READ),
    ],
)
def test_kind_of_request(request_: protocol.Request, kind: Kind) -> None:
    """What a request counts as follows from the request."""
    assert Kind.of(request_) == kind


# --- the gate ---------------------------------------------------------------------------------


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_gate_lets_waiters_through_in_order() -> None:
    """Calls past the limit wait for an answer and then go first come, first served."""
    gate = Gate(Limits(concurrent=1))
    order: list[int] = []

    async def call(number: int) -> None:
        async with gate.slot(WRITE):
            order.append(number)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(call(number))
    assert order == list(range(8))


async def test_gate_waits_for_the_window() -> None:
    """A full window is waited for by the clock."""
    gate = Gate(Limits(batches_per_minute=1, transit_seconds=0.0), clock := Clock())
    async with gate.slot(BATCH) as slot:
        slot.written_at = 0.0
    assert gate.delay(BATCH) == timedelta(seconds=60.001)
    clock.now = 59.99
    waiting = asyncio.ensure_future(enter(gate, BATCH))
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.now = 60.1
    async with asyncio.timeout(5):
        await waiting


async def enter(gate: Gate, kind: Kind) -> None:
    """Pass the gate once."""
    async with gate.slot(kind):
        pass


async def test_gate_does_not_sleep_through_a_pause() -> None:
    """While QuickBooks wants silence the caller is told how long, and no slot is held."""
    gate = Gate(Limits(), Clock())
    gate.budget.throttled(0.0, WRITE, 60.0)
    with pytest.raises(RetryLater) as caught:
        await enter(gate, WRITE)
    assert caught.value.retry_after == timedelta(seconds=60)
    assert not caught.value.quota_exhausted
    gate.budget.throttled(0.0, READ, 60.0, quota=True)
    with pytest.raises(RetryLater) as caught:
        await enter(gate, READ)
    assert caught.value.quota_exhausted


async def test_cancelled_waiters_leave_nothing_behind() -> None:
    """A cancelled call gives its slot back."""
    gate = Gate(Limits(concurrent=1))
    async with gate.slot(WRITE):
        waiting = asyncio.ensure_future(enter(gate, WRITE))
        await asyncio.sleep(0)
        waiting.cancel()
    async with asyncio.timeout(5):
        await enter(gate, WRITE)
    with pytest.raises(asyncio.CancelledError):
        await waiting
