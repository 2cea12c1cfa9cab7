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

from reconciler.ports.outcomes import UnpublishedOutcome
from reconciler.running.farewell import quietly

MOST_AT_ONCE = 500


class Publisher(Protocol):
    """`streams.producer.OutcomePublisher`, with records already made."""

    async def last_published(self) -> int | None: ...
    async def publish(self, outcomes: Sequence[UnpublishedOutcome], sequence: int) -> None: ...


class Outbox(Protocol):
    """`store.outbox.Outbox`."""

    async def become_relay(self) -> bool: ...
    async def stay_relay(self) -> None: ...
    async def give_up_relay(self) -> None: ...
    async def mark_published(self, up_to: int) -> None: ...
    async def numbered(self) -> list[UnpublishedOutcome]: ...
    async def number_next(self, limit: int, above: int) -> list[UnpublishedOutcome]: ...


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
        self._last = 0

    async def run(
        self,
        lasting: timedelta,
        poll: timedelta = timedelta(milliseconds=100),
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Publish until cancelled. Raises what Kafka or Postgres raise, and `Fenced`.

        *ready* hears that it stands by, or has caught up. *lasting* is how long being the relay
        lasts; it is prolonged in good time. Nothing depends on that being early enough: numbering
        is fenced in Postgres, publishing in Kafka.
        """
        while not await self._outbox.become_relay():
            ready()
            await asyncio.sleep(lasting.total_seconds() / 3)
        try:
            async with self._open_publisher() as publisher:
                self._last = await self._catch_up(publisher)
                ready()
                await self._publish(publisher, lasting / 3, poll)
        finally:
            await quietly(self._outbox.give_up_relay())

    async def _publish(self, publisher: Publisher, prolong: timedelta, poll: timedelta) -> None:
        clock = asyncio.get_running_loop().time
        prolonged_at = clock()
        while True:
            if clock() - prolonged_at > prolong.total_seconds():
                prolonged_at = clock()
                await self._outbox.stay_relay()
            if not await self._publish_next(publisher):
                await asyncio.sleep(poll.total_seconds())

    async def _catch_up(self, publisher: Publisher) -> int:
        """Settle what a former relay left numbered: out already, or to be sent again.

        Answers the last number that Kafka has, 0 if none.
        """
        last = await publisher.last_published() or 0
        await self._outbox.mark_published(last)
        if left := await self._outbox.numbered():
            await self._send(publisher, left)
        return last

    async def _publish_next(self, publisher: Publisher) -> bool:
        outcomes = await self._outbox.number_next(MOST_AT_ONCE, self._last)
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
