"""Lanes keep each partition's order and let others go on meanwhile."""

import asyncio

import pytest

from reconciler.intake.lanes import Lanes


async def test_a_lane_is_taken_again_only_when_it_is_free() -> None:
    """Parts of one lane follow each other; another lane does not wait for them."""
    done: list[int] = []
    gates = {part: asyncio.Event() for part in (0, 1, 2)}

    async def work(parts: list[int]) -> None:
        await gates[parts[0]].wait()
        done.extend(parts)

    async with Lanes[int](2, work, lambda part: part) as lanes:
        await lanes.put([0, 1])
        gates[1].set()
        second = asyncio.create_task(lanes.put([2]))
        while done != [1]:
            await asyncio.sleep(0)
        assert not second.done()
        gates[0].set()
        await second
        gates[2].set()
        await lanes.put([0, 1])
        assert done[:3] == [1, 0, 2]


async def test_an_error_of_one_lane_is_raised_and_the_others_are_cut_off() -> None:
    """A batch fenced in one lane ends reading; what another lane was at is not recorded."""
    cut_off = asyncio.Event()

    async def work(parts: list[int]) -> None:
        if parts == [0]:
            raise RuntimeError("fenced")
        try:
            await asyncio.Event().wait()
        finally:
            cut_off.set()

    async def run() -> None:
        async with Lanes[int](2, work, lambda part: part) as lanes:
            await lanes.put([0, 1])
            await asyncio.sleep(0)
            await lanes.put([])

    with pytest.raises(RuntimeError, match="fenced"):
        await run()
    assert cut_off.is_set()


async def test_idle_waits_for_what_is_at_work_and_for_what_waits_for_a_lane() -> None:
    """Partitions are handed over only once their last batch is recorded."""
    gates = [asyncio.Event(), asyncio.Event()]
    done: list[int] = []

    async def work(parts: list[int]) -> None:
        await gates[parts[0]].wait()
        done.extend(parts)

    async with Lanes[int](1, work, lambda part: part) as lanes:
        await lanes.put([0])
        second = asyncio.create_task(lanes.put([1]))
        await asyncio.sleep(0)
        resting = asyncio.create_task(lanes.idle())
        gates[0].set()
        await second
        assert not resting.done()
        gates[1].set()
        await resting
        assert done == [0, 1]
