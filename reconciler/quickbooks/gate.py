"""Waits until a company's `Budget` has room for a call; the asyncio half of `limits`.

One Gate per company and process. It never sleeps through a pause: while QuickBooks wants silence
it raises RetryLater, so that the work goes back to its row in the ledger and the company's owner
stays free.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from reconciler.errors import RetryLater
from reconciler.quickbooks.fault_codes import GATEWAY_FAULTS, QUOTA_EXHAUSTED
from reconciler.quickbooks.limits import Budget, Kind, Limits, Slot

Clock = Callable[[], float]


class Gate:
    """Lets calls to one company through in the order they came, as fast as the limits allow."""

    def __init__(
        self,
        limits: Limits | None = None,
        clock: Clock = time.monotonic,
        waited: Callable[[str, float], None] = lambda cause, seconds: None,
    ) -> None:
        self.budget = Budget(limits or Limits())
        self.clock = clock
        self.waited = waited
        self._turns: dict[bool, asyncio.Lock] = {False: asyncio.Lock(), True: asyncio.Lock()}
        self._settled = asyncio.Event()

    def delay(self, kind: Kind, kept: float = 0.0) -> timedelta | None:
        """How long a call would wait now, without taking a slot; None until one is answered.

        *kept* is the part of each limit that is left to others.
        """
        seconds = self.budget.next_slot(self.clock(), kind, kept)
        return None if seconds is None else timedelta(seconds=seconds)

    def room(self, kind: Kind, kept: float = 0.0) -> int:
        """How many calls could be sent now without waiting; *kept* as for `delay`."""
        return self.budget.room(self.clock(), kind, kept)

    @asynccontextmanager
    async def slot(self, kind: Kind) -> AsyncIterator[Slot]:
        """Hold permission for one call; it costs nothing if the call is never written.

        Raises RetryLater while QuickBooks wants silence.
        """
        asked_at = self.clock()
        async with self._turns[kind.batch]:  # first come, first served; a batch blocks no others
            slot = await self._next(kind)
        if (seconds := self.clock() - asked_at) > 0.001:
            self.waited("limits", seconds)
        try:
            yield slot
        finally:
            self.budget.settle(self.clock(), slot)
            self._settled.set()

    def throttled(self, kind: Kind, seconds: float, quota: bool = False) -> None:
        """QuickBooks said to slow down (HTTP 429); tells how much silence that adds."""
        now = self.clock()
        before = self.budget.pause_left(now, kind)
        self.budget.throttled(now, kind, seconds, quota)
        if (added := self.budget.pause_left(now, kind) - before) > 0:
            self.waited("silence", added)

    async def _next(self, kind: Kind) -> Slot:
        while True:
            now = self.clock()
            if (pause := self.budget.pause_left(now, kind)) > 0:
                raise _silence(pause, kind.metered and self.budget.quota_exhausted)
            delay = self.budget.next_slot(now, kind)
            if delay == 0.0:
                return self.budget.admit(now, kind)
            await self._wait(delay)

    async def _wait(self, seconds: float | None) -> None:
        """Until a call is answered, or `seconds` are over."""
        self._settled.clear()  # without an await since the budget was asked, so none is missed
        try:
            async with asyncio.timeout(seconds):
                await self._settled.wait()
        except TimeoutError:
            return


def _silence(seconds: float, quota: bool) -> RetryLater:
    rule = QUOTA_EXHAUSTED if quota else GATEWAY_FAULTS["3001"]
    return RetryLater(
        message=rule.sentence,
        detail="not sent: QuickBooks asked for a pause",
        remedy=rule.remedy,
        retry_after=timedelta(seconds=seconds),
        quota_exhausted=quota,
    )
