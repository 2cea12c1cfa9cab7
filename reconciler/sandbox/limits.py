"""Owns throttling: Intuit's published limits per realm, and the answer when one is passed.

developer.intuit.com, learn/limits-and-throttles (read 2026-11): 500 requests a minute and 10 a
second, 40 batches a minute, 800 a minute over all APIs. Windows slide; a refused request isn't
counted.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.sandbox.clock import Clock
from reconciler.sandbox.switches import Switches

MINUTE = 60.0
DAY = 86_400.0


class Window:
    """A sliding window of moments."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._moments: deque[float] = deque()

    def count(self, now: float) -> int:
        """How many moments are inside."""
        while self._moments and self._moments[0] <= now - self.seconds:
            self._moments.popleft()
        return len(self._moments)

    def add(self, now: float) -> None:
        """Count one more."""
        self._moments.append(now)


class Limits:
    """The throttle of one realm."""

    def __init__(self, clock: Clock, enforced: bool) -> None:
        self._clock = clock
        self.enforced = enforced
        self.peaks: dict[str, int] = {}  # the most that was counted in any window
        self._minute = Window(MINUTE)
        self._second = Window(1.0)
        self._batches = Window(MINUTE)
        self._emails = Window(DAY)
        self._in_work = 0
        self._month = ""
        self._month_reads = 0

    def admits(self, switches: Switches, is_batch: bool) -> bool:
        """Count a request; False, and not counted, when it is one too many."""
        now = self._clock.now()
        minute, second = self._minute.count(now), self._second.count(now)
        batches = self._batches.count(now)
        if self.enforced:
            if minute >= min(switches.requests_per_minute, switches.all_requests_per_minute):
                return False
            held = self._in_work if switches.per_second_rule == "concurrent" else second
            if held >= switches.requests_per_second:
                return False
            if is_batch and batches >= switches.batches_per_minute:
                return False
        self._minute.add(now)
        self._second.add(now)
        self._peak("requests_in_a_minute", minute + 1)
        self._peak("requests_in_a_second", second + 1)
        if is_batch:
            self._batches.add(now)
            self._peak("batches_in_a_minute", batches + 1)
        return True

    def _peak(self, name: str, count: int) -> None:
        if count > self.peaks.get(name, 0):
            self.peaks[name] = count

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold one of the concurrent requests."""
        self._in_work += 1
        try:
            yield
        finally:
            self._in_work -= 1

    def admits_email(self, switches: Switches) -> bool:
        """Count a mail against the sandbox's 40 a day."""
        now = self._clock.now()
        if self.enforced and self._emails.count(now) >= switches.emails_per_day:
            return False
        self._emails.add(now)
        return True

    def admits_read(self, switches: Switches) -> bool:
        """Whether the month's CorePlus quota has room."""
        month = self._clock.today()[:7]
        if month != self._month:
            self._month, self._month_reads = month, 0
        return not switches.monthly_reads or self._month_reads < switches.monthly_reads

    def count_read(self) -> None:
        """Count a successful CorePlus call."""
        self._month_reads += 1
