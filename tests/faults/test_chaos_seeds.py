"""Seeds of chaos that are kept: a short one always, and every one that ever failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600), pytest.mark.usefixtures("real_kafka")]

ROOT = Path(__file__).resolve().parents[2]
SEEDS = [(1, 0.7, 1)]
"""Seed, minutes, brokers."""


@pytest.mark.parametrize(("seed", "minutes", "brokers"), SEEDS)
def test_chaos_ends_well(seed: int, minutes: float, brokers: int) -> None:
    """Whatever the schedule did, the checker finds nothing, before and after a last replay."""
    options = ["--seed", f"{seed}", "--minutes", f"{minutes}", "--brokers", f"{brokers}"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *options],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
