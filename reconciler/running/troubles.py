"""What nobody foresaw: it stops one company or part and no other, is shown, and passes or is mended.

Used by `dispatcher`, and by `app` for the parts that stand apart; `/readyz` shows what stands here.
What failed is tried again, later each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

_log = structlog.get_logger("reconciler.troubles")


@dataclass
class Troubles:
    """One process's."""

    first_pause: timedelta = timedelta(seconds=10)
    longest_pause: timedelta = timedelta(minutes=5)
    shown: dict[str, str] = field(default_factory=dict)
    _times: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """While the block runs; once it has run for the longest pause, all is well again."""
        loop, patience = asyncio.get_running_loop(), self.longest_pause.total_seconds()
        timer = loop.call_later(patience, self.forget, name)
        try:
            yield
        finally:
            timer.cancel()

    def happened(self, name: str, error: BaseException) -> timedelta:
        """Note it; answers how long to wait until the next try. The same traceback is logged once."""
        said = f"{type(error).__name__}: {error}"[:300]
        is_known = self.shown.get(name) == said
        self.shown[name] = said
        times = self._times[name] = self._times.get(name, 0) + 1
        factor: int = 2 ** min(times - 1, 16)
        pause = min(self.first_pause * factor, self.longest_pause)
        _log.error(
            "not foreseen",
            part=name,
            error=said,
            next_try_seconds=pause.total_seconds(),
            exc_info=None if is_known else error,
        )
        return pause

    def forget(self, name: str) -> None:
        """It goes on, or is another process's now."""
        self.shown.pop(name, None)
        self._times.pop(name, None)
