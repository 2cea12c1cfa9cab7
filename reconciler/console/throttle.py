"""Slows down guessing of passwords: so many failures from an address, and then a pause. Pure.

`login` asks before it looks at a password, and what it looks at counts as a failure until it is none:
those that come together can't all pass. `now` is seconds of a monotonic clock.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

_MOST_ADDRESSES = 10_000


@dataclass
class Throttle:
    """At most `failures` failed attempts in `seconds` from one address, and `overall` from all."""

    failures: int = 8
    seconds: float = 300.0
    overall: int = 200
    _failed: dict[str, deque[float]] = field(default_factory=dict)
    _all: deque[float] = field(default_factory=deque)

    def wait(self, address: str, now: float) -> float:
        """Seconds until the address may try again; 0 now."""
        own = self._failed.get(address, deque())
        return max(self._until(own, self.failures, now), self._until(self._all, self.overall, now))

    def _until(self, times: deque[float], most: int, now: float) -> float:
        while times and times[0] + self.seconds <= now:
            times.popleft()
        return times[0] + self.seconds - now if len(times) >= most else 0.0

    def attempt(self, address: str, now: float) -> float:
        """Seconds until the address may try again; 0 now, and then it is counted."""
        if (wait := self.wait(address, now)) > 0:
            return wait
        if len(self._failed) >= _MOST_ADDRESSES:
            self._failed.clear()  # `overall` still holds against a flood from many addresses
        self._failed.setdefault(address, deque()).append(now)
        self._all.append(now)
        return 0.0

    def succeeded(self, address: str, now: float) -> None:
        """Forget the failures of an address. The attempt made at *now* was none."""
        self._failed.pop(address, None)
        with suppress(ValueError):
            self._all.remove(now)
