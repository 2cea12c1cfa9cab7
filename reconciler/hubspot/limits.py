"""Owns HubSpot's limit of calls within ten seconds. Pure: the clock is an argument.

`client` asks it before every call. HubSpot counts an app's calls over a rolling window, whichever
process makes them; a process keeps to its own share and otherwise heeds 429.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 10.0


@dataclass
class Window:
    """The calls of the last ten seconds."""

    most: int
    _made: deque[float] = field(default_factory=deque)

    def delay(self, now: float) -> float:
        """Seconds until a call may be made; 0 takes the place for one now."""
        while self._made and now - self._made[0] >= WINDOW_SECONDS:
            self._made.popleft()
        if len(self._made) >= self.most:
            return self._made[0] + WINDOW_SECONDS - now
        self._made.append(now)
        return 0.0
