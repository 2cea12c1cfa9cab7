"""What a scrape needs besides counters: the ledger's report, kept for a while, and accounts.

Wired by `app`. Prometheus, a person with curl and every further scraper share one reading of
Postgres, and the dearer that gets the longer it serves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from reconciler.metrics import Metrics
from reconciler.ports.reports import Report

_log = structlog.get_logger("reconciler.scraping")

FRESH_SECONDS = 3.0
SHARE = 20
"""Reading the report takes at most one part in this many of a connection's time."""

ACCOUNT_EVERY_SECONDS = 5.0


@dataclass
class CachedReport:
    """The last report, read again when it is old; readers at the same moment share one reading."""

    read: Callable[[], Awaitable[Report]]
    lost: tuple[type[BaseException], ...]
    clock: Callable[[], float] = time.monotonic
    _report: Report | None = None
    _fresh_until: float = float("-inf")
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self) -> Report | None:
        """A report that is fresh enough; None when Postgres can't be asked."""
        async with self._turn:
            started = self.clock()
            if started < self._fresh_until:
                return self._report
            try:
                self._report = await self.read()
            except self.lost as error:
                _log.warning("ledger not read for metrics", error=repr(error))
                return None
            now = self.clock()
            self._fresh_until = now + max(FRESH_SECONDS, SHARE * (now - started))
            return self._report


async def keep_accounts(
    metrics: Metrics,
    add_reads: Callable[[Mapping[str, int]], Awaitable[None]],
    count: Callable[[], Awaitable[object]],
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Until cancelled, save metered reads and count what is counted now and then.

    A process that is killed forgets the reads of its last seconds: the number is for people.
    """
    while True:
        await asyncio.sleep(ACCOUNT_EVERY_SECONDS)
        if reads := metrics.quickbooks.take_unsaved_reads():
            try:
                await add_reads(reads)
            except BaseException:
                metrics.quickbooks.give_back_reads(reads)
                raise
        await count()
        ready()
