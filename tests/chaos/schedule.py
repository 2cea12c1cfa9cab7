"""What goes wrong when, from a seed. Pure: the same seed gives the same schedule.

Called by `tests.chaos`. Each step is a time and one act; the run performs them in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

WEIGHTS = {
    "kill worker": 10,
    "stop worker": 3,
    "add worker": 2,
    "remove worker": 2,
    "restart postgres": 2,
    "kill broker": 2,
    "kill all brokers": 1,
    "cut": 4,
    "swallow": 3,
    "delay": 3,
    "quickbooks fault": 6,
    "replay": 1,
}
PAUSE_SECONDS = (0.5, 6.0)

QUICKBOOKS = (
    {"kind": "drop_before_commit", "rate": 0.4},
    {"kind": "drop_after_commit", "rate": 0.4},
    {"kind": "status_before_commit", "rate": 0.3, "status": 500},
    {"kind": "status_after_commit", "rate": 0.3, "status": 502},
    {"kind": "delay", "rate": 0.3, "seconds": 3.0, "phase": "before"},
    {"kind": "delay", "rate": 0.3, "seconds": 3.0, "phase": "after"},
    {"kind": "reset", "rate": 0.3},
    {"kind": "truncate", "rate": 0.3},
    {"kind": "throttle", "rate": 0.2},
)


class Step(NamedTuple):
    """One thing going wrong; `how` chooses among its kinds and `seconds` is how long it lasts."""

    at: float
    act: str
    how: int
    seconds: float


def schedule(seed: int, lasting_seconds: float) -> Iterator[Step]:
    """Steps with growing times, none after *lasting_seconds*."""
    rng = Random(f"chaos {seed}")
    acts, weights = list(WEIGHTS), list(WEIGHTS.values())
    at = 0.0
    while (at := at + rng.uniform(*PAUSE_SECONDS)) < lasting_seconds:
        yield Step(at, rng.choices(acts, weights)[0], rng.randrange(2**16), rng.uniform(0.5, 12.0))
