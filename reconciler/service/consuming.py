"""Wires the part of the service that consumes the feed: Kafka's records into the ledger.

Called by `app`, which runs it in every process. `streams.consumer` reads, `intake` folds and
decides; what is known of the reading (lag, stalls, the logs' ends) is asked for here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from reconciler.intake.intake import Intake
from reconciler.intake.known import KnownRecords
from reconciler.intake.lanes import Lanes
from reconciler.ports.reports import PartitionLag
from reconciler.service.adapters import OffsetsInPostgres, as_intake_batch, as_span, lane_of
from reconciler.service.assembly import companions, decoder, reading_of, watched
from reconciler.service.process import Process, Ready
from store.intake import ConcurrentFold, transaction
from store.known import KnownStore
from streams import records
from streams.cluster import Cluster
from streams.consumer import IntakeConsumer
from streams.group import GroupSettings
from streams.positions import StartPolicy

_log = structlog.get_logger("reconciler.consuming")

POLL = timedelta(milliseconds=500)
FORGET_EVERY = timedelta(minutes=10)


@dataclass
class Consuming:
    """One process's share of the feed."""

    process: Process
    hydrates: bool
    consumer: IntakeConsumer | None = None

    async def run(self, ready: Ready) -> None:
        """Read and take in until cancelled; `consumer` is there meanwhile."""
        process, settings = self.process, self.process.settings
        # Cut off from Postgres, we would hold partitions that another process could read.
        await process.pool.fetchval("SELECT 1")
        intake = self._intake()

        async def take(slices: Sequence[records.Slice]) -> None:
            process.metrics.batch(await intake.take(as_intake_batch(slices)))
            consumer.stored({part.partition: part.next_offset for part in slices})

        lanes = Lanes(settings.intake_lanes, take, lane_of)
        owner = OffsetsInPostgres(
            process.pool, settings.group_id, process.owner, lanes.idle, process.crash_point
        )
        async with (
            # Opened anew each time: a client never asks for the addresses of brokers that all moved.
            Cluster(process.kafka, timedelta(seconds=settings.startup_wait_seconds)) as cluster,
            IntakeConsumer(process.kafka, cluster, self._group(), owner) as consumer,
        ):
            self.consumer = consumer
            ready()
            try:
                async with lanes:
                    async for batch in consumer.batches(settings.batch_records, POLL):
                        await lanes.put(batch.slices)
            finally:
                self.consumer = None

    def _intake(self) -> Intake:
        process, settings, workflows = self.process, self.process.settings, self.process.workflows
        return Intake(
            group_id=settings.group_id,
            workflows=workflows.workflows,
            watched=watched(workflows),
            decode=decoder(settings, workflows, process.metrics.intake.decoded),
            transaction=partial(transaction, process.pool),
            concurrent=ConcurrentFold,
            companions=companions(settings),
            hydrates=self.hydrates,
            known=KnownRecords(reading_of(settings, workflows), KnownStore(process.pool).find),
            crash_point=process.crash_point,
        )

    def _group(self) -> GroupSettings:
        settings = self.process.settings
        session = timedelta(seconds=settings.session_timeout_seconds)
        return GroupSettings(
            group_id=settings.group_id,
            topics=tuple(settings.topics.values()),
            start=StartPolicy(settings.start_from),
            group_instance_id=settings.group_instance_id or None,
            session_timeout=session,
            heartbeat_interval=min(session / 4, timedelta(seconds=3)),
            # Sooner than the watchdog would end the process for it.
            give_up_after=timedelta(seconds=min(60.0, settings.stall_seconds / 2)),
        )

    async def forget_known(self) -> None:
        """Keep no digests of records that can't be read again, or not in the same way."""
        known = KnownStore(self.process.pool)
        reading = reading_of(self.process.settings, self.process.workflows)
        while True:
            await asyncio.sleep(FORGET_EVERY.total_seconds())
            logs = self.consumer.logs if self.consumer is not None else ()
            if forgotten := await known.forget(reading, list(map(as_span, logs))):
                _log.info("known records forgotten", runs=forgotten)

    def stalled(self) -> str | None:
        """What has not moved for longer than it may; None while all is well or nothing is read."""
        if self.consumer is None:
            return None
        seconds = self.process.settings.stall_seconds
        return self.consumer.progress.stalled(time.monotonic(), seconds)

    def lags(self) -> list[PartitionLag]:
        """How far the partitions that this process reads are behind."""
        lag = self.consumer.lag().items() if self.consumer is not None else ()
        return [PartitionLag(p.topic, p.number, each.records, each.seconds) for p, each in lag]

    def show(self) -> None:
        """Set the gauges of reading."""
        metrics = self.process.metrics
        if self.consumer is None:
            metrics.reading((), 0, 0.0)
        else:
            unpolled = time.monotonic() - self.consumer.progress.polled_at
            metrics.reading(self.lags(), self.consumer.rebalances, unpolled)
