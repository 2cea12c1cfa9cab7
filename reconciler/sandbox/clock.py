"""Owns the sandbox's time: the machine's clock plus what a test has moved it forward by.

Everything that ages (requestid memory, tokens, throttle windows, CDC look-back) reads this clock.
"""

import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo

try:
    from zoneinfo import ZoneInfo

    _PACIFIC: tzinfo = ZoneInfo("America/Los_Angeles")
except Exception:  # a slim image without tzdata: standard time is close enough
    _PACIFIC = timezone(timedelta(hours=-8))


class Clock:
    """A clock that can be advanced and never goes back."""

    def __init__(self) -> None:
        self.advanced_seconds = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.advanced_seconds

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`."""
        self.advanced_seconds += seconds

    def today(self) -> str:
        """The server's date, which is Pacific, as YYYY-MM-DD."""
        return datetime.fromtimestamp(self.now(), _PACIFIC).date().isoformat()


def pacific(seconds: float, timespec: str = "seconds") -> str:
    """Write a moment as QuickBooks does: Pacific time with its offset."""
    return datetime.fromtimestamp(seconds, _PACIFIC).isoformat(timespec=timespec)


def moment(text: str) -> float | None:
    """Read an ISO date or time (without an offset: Pacific); None when it is neither."""
    try:
        read = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        return None
    if read.tzinfo is None:
        read = read.replace(tzinfo=_PACIFIC)
    return read.astimezone(UTC).timestamp()
