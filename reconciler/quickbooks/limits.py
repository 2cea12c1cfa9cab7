"""Counts the calls to one company so that Intuit never has to refuse one; pure.

Facts: developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles, read 2026-11: 500
requests a minute per company, 10 a second per company and app (10 at once in the older text), 40
batches a minute, and 60 s of silence after HTTP 429. One process owns a company at a time, so the
count is in memory; `gate.Gate` waits on it. `now` is seconds of a monotonic clock throughout.

Intuit counts a call when it arrives, which we never see: at some instant between our writing it
and its answer. So a call occupies every window while it is in flight, and afterwards from the
latest instant at which it can have arrived: its answer, or `transit_seconds` after it was
written if that is sooner. No window of Intuit's can then hold more calls than ours does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.quickbooks.protocol import Request, Verb

GUARD_SECONDS = 0.001
"""Added to each window, so that two calls exactly a window apart are not both in it by rounding."""


class Kind(NamedTuple):
    """What a call counts as."""

    batch: bool = False
    metered: bool = False

    @classmethod
    def of(cls, request: Request) -> Kind:
        return cls(request.operation is Verb.BATCH, request.metered)


@dataclass(frozen=True)
class Limits:
    """Intuit's numbers for one company, and our margins."""

    requests_per_minute: int = 500
    requests_per_second: int = 10
    concurrent: int = 10
    batches_per_minute: int = 40
    transit_seconds: float = 2.0
    """Longest time from writing a request until Intuit counts it; costs 3 % of a minute's quota."""
    pause_seconds: float = 60.0
    """Silence after HTTP 429."""
    quota_probe_seconds: float = 3600.0
    """How often one metered call may ask whether the monthly allowance is back."""
    pauses_before_circuit: int = 3
    """Metered calls refused this often in a row, each after a pause, mean the monthly allowance:
    its 429 is not documented to differ from the other."""

    @classmethod
    def none(cls) -> Limits:
        """For a server that does not count; calls in flight are still bounded."""
        return cls(10**9, 10**9, 100, 10**9, 0.0)


def _all_but(kept: float, limit: int) -> int:
    return max(1, int(limit * (1.0 - kept)))


@dataclass
class Window:
    """A sliding window: at most `limit` calls in any `period` seconds."""

    limit: int
    period: float
    in_flight: int = 0
    counted_at: deque[float] = field(default_factory=deque)

    def opens_in(self, now: float, kept: float = 0.0) -> float | None:
        """Seconds until there is room beside the part *kept*; None while only an answer can make it."""
        while self.counted_at and self.counted_at[0] + self.period <= now:
            self.counted_at.popleft()
        over = self.in_flight + len(self.counted_at) - _all_but(kept, self.limit)
        if over < 0:
            return 0.0
        return self.counted_at[over] + self.period - now if over < len(self.counted_at) else None

    def used(self, now: float) -> int:
        """Calls that count now, those in flight included."""
        return self.in_flight + sum(at + self.period > now for at in self.counted_at)

    def room(self, now: float, kept: float = 0.0) -> int:
        """How many calls may be sent now, leaving the part *kept* of the limit unused."""
        while self.counted_at and self.counted_at[0] + self.period <= now:
            self.counted_at.popleft()
        return max(0, _all_but(kept, self.limit) - self.in_flight - len(self.counted_at))

    def count(self, at: float) -> None:
        """A call left the air and is counted from `at`; answers come in any order."""
        self.in_flight -= 1
        later = []
        while self.counted_at and self.counted_at[-1] > at:
            later.append(self.counted_at.pop())
        self.counted_at.append(at)
        self.counted_at.extend(reversed(later))


class Usage(NamedTuple):
    """How much of a company's limits is used now; for metrics."""

    requests: int
    requests_limit: int
    batches: int
    pause_seconds: float
    quota_exhausted: bool


@dataclass(eq=False)
class Slot:
    """Permission for one call. `written_at` is set by the client once bytes left."""

    kind: Kind
    written_at: float | None = None


class Budget:
    """What may be sent to one company, and when.

    `next_slot` asks, `admit` takes, `settle` gives back; `throttled` and `answered` tell what
    QuickBooks said.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._in_flight = 0
        self._all = (
            Window(limits.requests_per_second, 1.0 + GUARD_SECONDS),
            Window(limits.requests_per_minute, 60.0 + GUARD_SECONDS),
        )
        self._batches = Window(limits.batches_per_minute, 60.0 + GUARD_SECONDS)
        self._paused_until = float("-inf")
        self._refused_in_a_row = 0
        self._circuit_until = float("-inf")
        self._circuit_is_open = False

    def _windows(self, kind: Kind) -> tuple[Window, ...]:
        return (*self._all, self._batches) if kind.batch else self._all

    # --- asking -------------------------------------------------------------------------------

    def pause_left(self, now: float, kind: Kind) -> float:
        """Seconds during which nothing of this kind should be tried at all (0 if none)."""
        until = max(self._paused_until, self._circuit_until if kind.metered else self._paused_until)
        return max(0.0, until - now)

    @property
    def quota_exhausted(self) -> bool:
        """The monthly allowance of metered calls is taken to be used up."""
        return self._circuit_is_open

    def usage(self, now: float) -> Usage:
        """What counts in the minute that ends now, calls in flight included."""
        minute = self._all[1]
        return Usage(
            minute.used(now),
            minute.limit,
            self._batches.used(now),
            self.pause_left(now, Kind()),
            self._circuit_is_open,
        )

    def next_slot(self, now: float, kind: Kind, kept: float = 0.0) -> float | None:
        """Seconds until a call of this kind may be sent; None until some call is answered.

        *kept* is the part of each limit that is left to others.
        """
        delays = [window.opens_in(now, kept) for window in self._windows(kind)]
        if self._at_once(kept) <= 0:
            return None
        known = [delay for delay in delays if delay is not None]
        if len(known) < len(delays):
            return None
        return max(self.pause_left(now, kind), *known)

    def room(self, now: float, kind: Kind, kept: float = 0.0) -> int:
        """How many calls of this kind may be sent now, all at once; *kept* as for `next_slot`."""
        if self.pause_left(now, kind) > 0:
            return 0
        rooms = [window.room(now, kept) for window in self._windows(kind)]
        return max(0, min(self._at_once(kept), *rooms))

    def _at_once(self, kept: float) -> int:
        return _all_but(kept, self.limits.concurrent) - self._in_flight

    # --- taking and giving back ---------------------------------------------------------------

    def admit(self, now: float, kind: Kind) -> Slot:
        """Take a slot. Raises ValueError unless `next_slot` is 0."""
        if self.next_slot(now, kind) != 0.0:
            raise ValueError("there is no room for this call now")
        if kind.metered and self._circuit_is_open:  # this one call is the probe
            self._circuit_until = now + self.limits.quota_probe_seconds
        self._in_flight += 1
        for window in self._windows(kind):
            window.in_flight += 1
        return Slot(kind)

    def settle(self, now: float, slot: Slot) -> None:
        """The call is over; it costs nothing if it was never sent (`written_at` None)."""
        self._in_flight -= 1
        for window in self._windows(slot.kind):
            if slot.written_at is None:
                window.in_flight -= 1
            else:
                window.count(min(now, slot.written_at + self.limits.transit_seconds))

    # --- what QuickBooks said -----------------------------------------------------------------

    def throttled(self, now: float, kind: Kind, seconds: float, quota: bool = False) -> None:
        """HTTP 429: be silent for `seconds`; open the circuit if it is the monthly allowance."""
        if kind.metered:
            fresh = now >= self._paused_until  # calls already in flight share one refusal
            self._refused_in_a_row += fresh or quota
            if quota or self._refused_in_a_row >= self.limits.pauses_before_circuit:
                self._circuit_is_open = True
                self._circuit_until = now + self.limits.quota_probe_seconds
        if not (kind.metered and self._circuit_is_open):  # the allowance does not concern writes
            pause = max(seconds, self.limits.pause_seconds)
            self._paused_until = max(self._paused_until, now + pause)

    def answered(self, kind: Kind) -> None:
        """Any answer other than 429: a metered one closes the circuit."""
        if kind.metered:
            self._refused_in_a_row = 0
            self._circuit_is_open = False
            self._circuit_until = float("-inf")
