"""Counts what a contestant has done, and reports it on standard output as JSON lines.

Used inside contestants' processes. The clock starts with the first record taken and ends with the
last one done, so that starting an interpreter, a JVM or a consumer group is no part of a rate.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Tally:
    """Progress towards `target`; thread-safe, because some peers work in threads."""

    target: int
    count: int = 0
    started_at: float | None = None
    cpu_at_start: float = 0.0
    reached: threading.Event = field(default_factory=threading.Event)
    _told: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self) -> None:
        """The first record is in our hands."""
        if self.started_at is None:
            self.started_at = time.monotonic()
            self.cpu_at_start = cpu_seconds()

    def did(self, count: int = 1) -> None:
        """So many more are done."""
        self.took()
        with self._lock:
            self.count += count
            if self.count - self._told >= max(1, self.target // 20):
                self._told = self.count
                say("progress", count=self.count, rss_megabytes=rss_megabytes())
            if self.count >= self.target and not self.reached.is_set():
                self._finish()

    def _finish(self) -> None:
        assert self.started_at is not None
        self.reached.set()
        say(
            "done",
            count=self.count,
            seconds=time.monotonic() - self.started_at,
            cpu_seconds=cpu_seconds() - self.cpu_at_start,
            rss_megabytes=rss_megabytes(),
        )

    async def wait(self) -> None:
        """Until the target is reached."""
        while not self.reached.is_set():
            await asyncio.sleep(0.02)


def say(event: str, **facts: object) -> None:
    """One line for the process that measures."""
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


def cpu_seconds() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def rss_megabytes() -> float:
    """Resident memory of this process now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) / 1024
