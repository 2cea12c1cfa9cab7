"""SIGKILL at every boundary between reading a record and telling its outcome, for every action.

The service runs as a process on a feed that calls for all six documents, with every record
repeated and reordered; it is killed at a named point, started again, and the checker compares
books, ledger, outcomes and dead letters with what the feed calls for.
"""

from __future__ import annotations

from random import Random

import asyncpg
import pytest

from reconciler.running.crash import POINTS
from tests.faults.feed import Feed, Writer
from tests.faults.stage import Scene

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
ROUNDS = 2
KILLED = -9

FORGETFUL = {"requestid_ttl_seconds": 0.0}
"""QuickBooks as bad as its documents allow: it has forgotten every request id."""

AFTER_A_CALL = [
    point
    for point in POINTS
    if point.startswith(("dispatch.", "reference.")) and "before" not in point
]


async def run_into(stage: Scene, point: str, seed: int = 1, **changes: str) -> Feed:
    """Produce a feed and let the service die at *point*."""
    feed = Writer(seed).some(ROUNDS)
    await stage.produce(feed, feed.doubled(Random(seed)))
    crashed = stage.start(ready=False, crash_point=point, **changes)
    assert await stage.ended(crashed) == KILLED, crashed.tail()
    return feed


async def must_be_clean(stage: Scene, what: str) -> None:
    """The service comes to rest and everything happened once."""
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, f"{what}: {verdict}"


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_any_point_changes_nothing(stage: Scene, point: str) -> None:
    """Whatever was durable when the process died, the restart completes it, and once."""
    await run_into(stage, point)
    stage.start()
    await must_be_clean(stage, point)


@pytest.mark.parametrize(
    "point", ["dispatch.before_call:2", "dispatch.answered:2", "dispatch.recorded:2"]
)
async def test_a_crash_in_the_second_step(stage: Scene, point: str) -> None:
    """The payment of a paid invoice, whose invoice exists already."""
    await run_into(stage, point)
    stage.start()
    await must_be_clean(stage, point)


@pytest.mark.parametrize("point", AFTER_A_CALL)
async def test_a_crash_is_outlived_by_no_request_id(stage: Scene, point: str) -> None:
    """QuickBooks has forgotten the request when the service restarts: it looks, and adopts."""
    await stage.switch(**FORGETFUL)
    await run_into(stage, point)
    stage.start(replay_window_seconds="0")
    await must_be_clean(stage, point)


@pytest.mark.parametrize("point", ["resume.taken_up", "resume.looked"])
async def test_a_crash_while_recovering_from_one(stage: Scene, point: str) -> None:
    """Recovery itself may be cut short."""
    await stage.switch(**FORGETFUL)
    await run_into(stage, "dispatch.answered")
    again = stage.start(ready=False, replay_window_seconds="0", crash_point=point)
    assert await stage.ended(again) == KILLED, again.tail()
    stage.start(replay_window_seconds="0")
    await must_be_clean(stage, point)


async def test_a_crash_at_every_point_in_turn(stage: Scene) -> None:
    """One process after the other dies a step further on; the last one finishes."""
    stage.changes = {"lease_seconds": "0.5"}
    for number, point in enumerate(POINTS):
        feed = Writer(number, first_id=1000 * number).some(1)
        await stage.produce(stage.produced + feed if stage.produced else feed, feed.records)
        crashed = stage.start(ready=False, crash_point=point)
        assert await stage.ended(crashed) == KILLED, f"{point}: {crashed.tail()}"
    stage.start()
    await must_be_clean(stage, "all")


async def test_a_reordered_feed(stage: Scene) -> None:
    """Repeats and any order of arrival give what the changes say by their own times."""
    feed = Writer(9).some(6)
    await stage.produce(feed, feed.doubled(Random(9)))
    stage.start(batch_records="5")
    await must_be_clean(stage, "reordered")


async def test_a_replay_creates_nothing(stage: Scene) -> None:
    """The whole topic read again from its start leaves books, ledger and outcomes as they are."""
    await run_into(stage, "dispatch.answered")
    stage.start()
    await must_be_clean(stage, "before the replay")
    before = await stage.verdict()
    stage.kill_all()
    await forget_offsets(stage)
    stage.start()
    await must_be_clean(stage, "after the replay")
    assert (await stage.verdict()).counts == before.counts


async def forget_offsets(stage: Scene) -> None:
    """What `reconciler replay` does: the topics count as never read."""
    connection = await asyncpg.connect(stage.places.dsn)
    try:
        await connection.execute("UPDATE offsets SET next_offset = NULL, epoch = epoch + 1")
    finally:
        await connection.close()
