"""The service's clock: Postgres's, carried on between looks at it by the machine's own ticking.

Made by `dispatching`, set at every lease renewal, handed to the parts as their `clock`. Whether QuickBooks
may have forgotten a request id, and when something is due, must not depend on what this machine's
administrator or NTP does to its wall clock: all processes measure by the one of the database.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta


def elapsed() -> float:
    """Seconds that really passed, also while the machine slept (Linux's CLOCK_BOOTTIME)."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class SharedClock:
    """Call it for the time; it is the wall clock's until `set` was called once."""

    def __init__(self) -> None:
        self._told: datetime | None = None
        self._at = 0.0

    def set(self, now: datetime, asked_at: float) -> None:
        """The database said *now* when asked at *asked_at* (of `elapsed`)."""
        self._told, self._at = now, asked_at

    def __call__(self) -> datetime:
        """The time now, aware and in UTC."""
        if self._told is None:
            return datetime.now(UTC)
        return self._told + timedelta(seconds=elapsed() - self._at)
