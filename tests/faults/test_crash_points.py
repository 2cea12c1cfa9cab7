"""SIGKILL at every boundary between reading a record and telling its outcome, for every action."""

from __future__ import annotations

from random import Random

import pytest

from reconciler.crash import POINTS
from tests.faults.feed import Writer
from tests.faults.stage import Scene

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]
ROUNDS = 2


async def killed_and_restarted(stage: Scene, point: str, seed: int, **changes: str) -> None:
    """Run into the crash, restart, let it come to rest, judge; then replay and judge again."""
    feed = Writer(seed).some(ROUNDS)
    await stage.produce(feed, feed.doubled(Random(seed)))
    crashed = stage.start(ready=False, crash_point=point)
    assert await stage.ended(crashed) == -9, crashed.tail()
    stage.start(**changes)
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, f"{point}: {verdict}"


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_any_point_changes_nothing(stage: Scene, point: str) -> None:
    """Whatever was durable when the process died, the restart completes it, and once."""
    await killed_and_restarted(stage, point, seed=1)
