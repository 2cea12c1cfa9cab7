"""Runs contestants as processes, alternating, and says what each came to: median and range.

A contestant is a command that prints JSON lines (`bench.tally`). Whatever it claims, its result is
checked against its database or the stand-in's books.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.world import ROOT

LONGEST_SECONDS = 900.0


class ContestantFailed(RuntimeError):
    """A contestant ended without being done."""


@dataclass
class Measured:
    """One scenario's figures of one contestant; rates per second unless said otherwise."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    cpu_per_thousand: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values) if self.values else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "low": min(self.values, default=0.0),
            "high": max(self.values, default=0.0),
            "runs": len(self.values),
            "cpu_seconds_per_1000": statistics.median(self.cpu_per_thousand or [0.0]),
            "note": self.note,
        }


@dataclass
class Running:
    """A contestant's process and what it has said so far."""

    process: subprocess.Popen[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def last(self, event: str) -> dict[str, Any] | None:
        return next((e for e in reversed(self.events) if e["event"] == event), None)

    def wait_for(
        self, event: str, seconds: float = LONGEST_SECONDS, count: int = 0
    ) -> dict[str, Any]:
        """Return the event once it was said (with at least *count*); raises ContestantFailed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.last(event)
            if found is not None and found.get("count", count) >= count:
                return found
            if self.ended.is_set():
                break
            time.sleep(0.005)
        raise ContestantFailed(f"{self.process.args!r} did not say {event!r}")

    def wait_for_end(self) -> None:
        """Until it has stopped by itself: what it holds or has sent must not be waited for by the
        next run on the same database."""
        self.process.wait(LONGEST_SECONDS)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                said = json.loads(line)
                if "count" in said and "event" in said:
                    self.events.append(said)
                    continue
            sys.stderr.write(line)
        self.ended.set()


@contextmanager
def contestant(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """The process, ended when the block ends."""
    process = subprocess.Popen(
        list(command),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
    )
    running = Running(process)
    reader = threading.Thread(target=running.read, daemon=True)
    reader.start()
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        reader.join(5)


Round = Callable[[], tuple[float, float]]
"""Runs a contestant once; answers its rate and its CPU seconds per 1,000."""


def alternate(
    rounds: Mapping[str, Round], unit: str, repetitions: int, notes: Mapping[str, str] | None = None
) -> list[Measured]:
    """Every contestant once, then again from the first: what drifts then drifts for all."""
    found = {name: Measured(name, unit, note=(notes or {}).get(name, "")) for name in rounds}
    for number in range(repetitions):
        for name, run in rounds.items():
            try:
                rate, cpu = run()
            except ContestantFailed as error:
                found[name].note = f"failed: {error}"
                continue
            found[name].values.append(rate)
            found[name].cpu_per_thousand.append(cpu)
            sys.stderr.write(f"  {name} #{number + 1}: {rate:,.0f} {unit}\n")
    return list(found.values())


def rate_of(done: Mapping[str, Any]) -> tuple[float, float]:
    """From the line that a contestant prints at its end."""
    return done["count"] / done["seconds"], done["cpu_seconds"] / done["count"] * 1000
