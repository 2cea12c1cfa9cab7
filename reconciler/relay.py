"""Publishes the outbox on Kafka, each outcome once for read_committed readers.

Run by `app` in every process; one of them at a time is the relay, the others stand by. What is
certain comes from Kafka: the sequence kept in its transaction says what is out, whatever was
noted here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from reconciler.ports import UnpublishedOutcome

MOST_AT_ONCE = 500
STAND_BY = timedelta(seconds=5)


class Publisher(Protocol):
    """`streams.producer.OutcomePublisher`, with records already made."""

    async def last_published(self) -> int | None: ...
    async def publish(self, outcomes: Sequence[UnpublishedOutcome], sequence: int) -> None: ...


class Outbox(Protocol):
    """`store.outbox.Outbox`."""

    async def is_only_relay(self) -> bool: ...
    async def mark_published(self, up_to: int) -> None: ...
    async def numbered(self) -> list[UnpublishedOutcome]: ...
    async def number_next(self, limit: int) -> list[UnpublishedOutcome]: ...


class Relay:
    """One attempt at being the relay; `app` starts it anew after errors."""

    def __init__(
        self,
        outbox: Outbox,
        open_publisher: Callable[[], AbstractAsyncContextManager[Publisher]],
        published: Callable[[int], None] = lambda count: None,
        crash_point: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._outbox = outbox
        self._open_publisher = open_publisher
        self._published = published
        self._crash_point = crash_point
        self.woken = asyncio.Event()

    async def run(self, poll: timedelta = timedelta(milliseconds=100)) -> None:
        """Publish until cancelled. Raises what Kafka or Postgres raise, and `Fenced`."""
        while not await self._outbox.is_only_relay():
            await asyncio.sleep(STAND_BY.total_seconds())
        async with self._open_publisher() as publisher:
            await self._catch_up(publisher)
            while True:
                if not await self._publish_next(publisher):
                    await asyncio.sleep(poll.total_seconds())

    async def _catch_up(self, publisher: Publisher) -> None:
        """Settle what a former relay left numbered: out already, or to be sent again."""
        last = await publisher.last_published()
        if last is not None:
            await self._outbox.mark_published(last)
        if left := await self._outbox.numbered():
            await self._send(publisher, left)

    async def _publish_next(self, publisher: Publisher) -> bool:
        outcomes = await self._outbox.number_next(MOST_AT_ONCE)
        self._crash_point("relay.numbered")
        if not outcomes:
            return False
        await self._send(publisher, outcomes)
        return True

    async def _send(self, publisher: Publisher, outcomes: Sequence[UnpublishedOutcome]) -> None:
        last = outcomes[-1].sequence
        await publisher.publish(outcomes, last)
        self._crash_point("relay.published")
        await self._outbox.mark_published(last)
        self._crash_point("relay.marked")
        self._published(len(outcomes))
