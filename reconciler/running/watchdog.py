"""Ends a process whose event loop no longer turns. Started by `app`; knows nothing of the work.

A hung process is worse than a dead one: it keeps its leases' connections, its locks and its place
in the group. The thread counts its own ticks, not the clock's, so that a process that was stopped
and continued is not ended for the pause.
"""

from __future__ import annotations

import os
import sys
import threading

TICK_SECONDS = 1.0
EXIT_STATUS = 70  # EX_SOFTWARE


class Watchdog:
    """A thread that must be told `beat` at least every *limit_seconds*."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit = limit_seconds
        self._ticks = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def beat(self) -> None:
        """The event loop turns."""
        self._ticks = 0.0

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(TICK_SECONDS):
            self._ticks += TICK_SECONDS
            if self._ticks > self._limit:
                print(f"nothing moved for {self._ticks:.0f} s; ending", file=sys.stderr, flush=True)
                os._exit(EXIT_STATUS)
