"""Lets several batches be recorded at once, each of partitions of its own.

Used by `consuming`: while one batch waits for Postgres another is decoded. The order within
a partition stays, because a partition always takes the same lane; two lanes are to each other
what two processes of the group are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

Part = TypeVar("Part")


@dataclass
class Lanes(Generic[Part]):
    """At most one piece of work in each lane. Use as an async context manager."""

    count: int
    work: Callable[[Sequence[Part]], Awaitable[None]]
    lane_of: Callable[[Part], int]
    _busy: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _putting: int = 0

    async def put(self, parts: Sequence[Part]) -> None:
        """Start work on *parts*, waiting for the lanes that they take.

        Raises what earlier work raised.
        """
        self._putting += 1
        try:
            await self._put(parts)
        finally:
            self._putting -= 1

    async def idle(self) -> None:
        """Return once nothing is at work, nor waiting for a lane; raises nothing of theirs."""
        while True:
            running = [task for task in self._busy.values() if not task.done()]
            if running:
                await asyncio.wait(running)
            elif self._putting:
                await asyncio.sleep(0)
            else:
                return

    async def _put(self, parts: Sequence[Part]) -> None:
        for lane in [lane for lane, task in self._busy.items() if task.done()]:
            self._busy.pop(lane).result()
        by_lane: dict[int, list[Part]] = {}
        for part in parts:
            by_lane.setdefault(self.lane_of(part) % self.count, []).append(part)
        for lane, own in by_lane.items():
            if before := self._busy.get(lane):
                await before  # still among the busy: `idle` waits for it too
            self._busy[lane] = asyncio.create_task(self._run(own), name=f"lane {lane}")

    async def _run(self, parts: Sequence[Part]) -> None:
        await self.work(parts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Whatever is still at work is cut off: it is not recorded, and will be read again."""
        busy = list(self._busy.values())
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
