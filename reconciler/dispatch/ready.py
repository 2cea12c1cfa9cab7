"""Documents that are ready to be sent, in the order in which they go: live ones, then a backfill's.

Kept by `company`. A backfill takes a small part of the time, in making its documents ready, and
never all of Intuit's limits, so that a live document is looked at soon and finds room at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.dispatch.prepare import Prepared
from reconciler.model import Priority
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Kind
from reconciler.quickbooks.protocol import MAX_BATCH_ITEMS

BATCH, SINGLE = Kind(batch=True), Kind()

LIVE_AT_ONCE = 10 * MAX_BATCH_ITEMS
"""Documents read from the ledger at once; large enough that reading them costs little."""

BACKFILL_AT_ONCE = MAX_BATCH_ITEMS
"""The same of a backfill: few, because a live document waits until they are on their way."""

BACKFILL_SHARE = 0.15
"""Of the time: making a backfill's documents ready is followed by leaving it for the rest of it.
Intuit's limits let far less through."""

JUDGED_FOR = 1.0
"""Seconds for which it is taken that none of them bills a sale again. After that it is asked anew
before they go: they may wait for room for a minute, and HubSpot tells meanwhile what belongs together."""

KEPT_FOR_LIVE = 0.1
"""The part of Intuit's limits that a backfill leaves unused."""


class Room(NamedTuple):
    """How many documents may be asked for: live ones, and a backfill's."""

    live: int
    backfill: int


@dataclass
class Ready:
    """One company's."""

    gate: Gate
    _live: deque[Prepared] = field(default_factory=deque)
    _backfill: deque[Prepared] = field(default_factory=deque)
    _judged_at: float = float("-inf")
    _rests_until: float = float("-inf")
    _is_backfilling: bool = False

    def __bool__(self) -> bool:
        return bool(self._live or self._backfill)

    def clear(self) -> None:
        """Forget them: they are still wanted, and will be asked for again."""
        self._live.clear()
        self._backfill.clear()

    @property
    def room(self) -> Room:
        """What to ask for now: none while some of the kind are ready, which would be given again,
        and of a backfill only what may be sent at once."""
        if self._live:
            return Room(0, 0)
        is_backfills_turn = not self._backfill and self.rest == 0.0
        return Room(LIVE_AT_ONCE, self._room_for_backfill if is_backfills_turn else 0)

    @property
    def _room_for_backfill(self) -> int:
        calls = self.gate.room(SINGLE, KEPT_FOR_LIVE)
        has_batch = calls > 0 and self.gate.room(BATCH, KEPT_FOR_LIVE) > 0
        return BACKFILL_AT_ONCE if has_batch else min(calls, BACKFILL_AT_ONCE)

    @property
    def rest(self) -> float:
        """Seconds for which a backfill is left alone; infinite until a call is answered."""
        seconds = max(0.0, self._rests_until - self.gate.clock())
        return seconds if self._room_for_backfill > 0 else max(seconds, self._delay(KEPT_FOR_LIVE))

    @property
    def is_judged(self) -> bool:
        """Whether it was looked at just now which of them may go."""
        return self.gate.clock() - self._judged_at <= JUDGED_FOR

    def replace(self, prepared: Iterable[Prepared], judged_at: float) -> None:
        """These may go. A backfill's that still wait are asked for again: they were judged without
        these, one of which may bill the same sale."""
        self.clear()
        self._judged_at = judged_at
        for each in prepared:
            if each.document.priority is Priority.LIVE:
                self._live.append(each)
            else:
                self._backfill.append(each)
                self._is_backfilling = True

    def take(self, room: int, batch_items: int) -> list[list[Prepared]]:
        """Up to *room* documents by the calls that may be made now: full batches first, then the
        rest of the calls with one document each."""
        groups = list[list[Prepared]]()
        while room > 0 and (size := self._size_of_call(groups, batch_items)):
            group = list(self._next(min(size, room)))
            groups.append(group)
            room -= len(group)
        return groups

    def _size_of_call(self, before: list[list[Prepared]], batch_items: int) -> int:
        """How many documents another call may hold besides those *before*; 0 if it may not be."""
        if not self:
            return 0
        kept = 0.0 if self._live else KEPT_FOR_LIVE
        calls = self.gate.room(SINGLE, kept)
        if len(before) >= calls:
            return 0
        return batch_items if len(before) < min(self.gate.room(BATCH, kept), calls) else 1

    def _next(self, count: int) -> Iterator[Prepared]:
        for queue in (self._live, self._backfill):
            while queue and count > 0:
                count -= 1
                yield queue.popleft()

    @property
    def delay(self) -> float:
        """Seconds until some of these may go; infinite until a call is answered."""
        return self._delay(0.0 if self._live else KEPT_FOR_LIVE)

    def _delay(self, kept: float) -> float:
        delays = [self.gate.delay(kind, kept) for kind in (BATCH, SINGLE)]
        return min((each.total_seconds() for each in delays if each is not None), default=math.inf)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around making documents ready and beginning them: a backfill's are followed by a rest."""
        started, self._is_backfilling = self.gate.clock(), False
        yield
        if self._is_backfilling:
            now = self.gate.clock()
            self._rests_until = now + (now - started) * (1 - BACKFILL_SHARE) / BACKFILL_SHARE
