"""Puts HubSpot's webhooks journal on Kafka: an alternative to the gateway that nobody need reach.

Wired by `reconciler.service.feeds` as `reconciler poll-journal`. A file's events are on Kafka before the
offset moves past it, so a crash repeats a file and loses none; folding a repeated event changes
nothing. HubSpot forgets files after three days: if that happened before they were read it stops and
says so, rather than go on as if nothing were missing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from reconciler.errors import FeedBroken, UndecodableRecord
from reconciler.ports.hubspot import (
    JournalEntry,
    JournalOffsets,
    JournalPosition,
    JournalSource,
    OffsetForgotten,
)
from streams.records import OutgoingRecord
from streams.routing import Routes, journalled, pieces

_log = structlog.get_logger("reconciler.journal")

KEPT = timedelta(days=3)
_MARGIN = timedelta(hours=1)
POLL = timedelta(seconds=2)
"""How long to wait for the next entry once all are read."""

AT_ONCE = 1000


class Observer(Protocol):
    """What the poller tells of itself (`reconciler.metrics.HubSpotMetrics`)."""

    def events(self, object_type: str, count: int) -> None: ...
    def journal_read(self, at_seconds: float) -> None: ...


class Producer(Protocol):
    """`streams.producer.RecordProducer`."""

    async def send(self, records: Sequence[OutgoingRecord]) -> None: ...


@dataclass
class JournalPoller:
    """Reads one journal."""

    source: JournalSource
    offsets: JournalOffsets
    producer: Producer
    routes: Routes
    observer: Observer

    async def once(self) -> bool:
        """Put the next file on Kafka; False when there is none yet.

        Raises `FeedBroken`, `RecordTooLarge` where Kafka takes less than usual, and what HubSpot,
        Kafka and Postgres raise.
        """
        position = await self.offsets.position()
        entry = await self._next(position)
        if entry is None:
            if position is not None:
                await self.offsets.at_end()
            self.observer.journal_read(time.time())
            return False
        await self._keep(entry)
        if not await self.offsets.advance(position.offset if position else None, entry.offset):
            _log.warning("another poller reads this journal too", offset=entry.offset)
        return True

    async def _next(self, position: JournalPosition | None) -> JournalEntry | None:
        if position is None:
            return await self.source.after(None)
        try:
            return await self.source.after(position.offset)
        except OffsetForgotten as error:
            if position.age_seconds < (KEPT - _MARGIN).total_seconds():
                # Nothing was published for days: what came after we last saw the end is all there.
                _log.info("the journal's offset expired unused; reading from the earliest entry")
                return await self.source.after(None)
            days = position.age_seconds / 86_400
            raise FeedBroken(
                f"HubSpot's journal was last read to its end {days:.1f} days ago and keeps 3 days:"
                " the events in between are lost. Run `reconciler poll-journal --accept-loss` to go"
                " on from the earliest entry, and bring the objects up to date with snapshots of"
                " them (docs/hubspot.md)."
            ) from error

    async def _keep(self, entry: JournalEntry) -> None:
        body = await self.source.file(entry)
        now_ms = time.time_ns() // 1_000_000
        try:
            events = journalled(body)
        except UndecodableRecord as error:
            # Kept whole: intake makes a dead letter of it, where a person will find it.
            _log.error("a journal file is not understood", offset=entry.offset, detail=error.detail)
            events = [body]
        parts = [part for event in events for part in pieces(event)]
        if len(parts) > len(events):
            _log.error("a journal file holds what is too large for Kafka", offset=entry.offset)
        routed = self.routes.routed(parts, now_ms)
        for start in range(0, len(routed.records), AT_ONCE):
            await self.producer.send(routed.records[start : start + AT_ONCE])
        for object_type, count in routed.events.items():
            self.observer.events(object_type, count)
