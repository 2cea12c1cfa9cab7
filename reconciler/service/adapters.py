"""Fits Postgres and Kafka to what the parts ask for: their protocols, in terms of `store` and `streams`.

Made by `app`, used by intake, dispatch and the relay without their knowing. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from reconciler.intake.intake import Batch
from reconciler.ports.dispatch import Lease
from reconciler.ports.intake import Advance, Span
from reconciler.ports.outcomes import UnpublishedOutcome
from reconciler.running.clock import SharedClock, elapsed
from reconciler.settings import Settings
from store import leases as lease_store
from store.offsets import claim_partitions, superseded
from store.pool import Pool, open_pool
from streams.connection import KafkaConnection
from streams.positions import Claim
from streams.producer import OutcomePublisher
from streams.records import OutgoingRecord, Partition, PartitionLog, Slice


async def postgres_pool(settings: Settings, size: int, wait_seconds: float) -> Pool:
    """A pool as the settings say. Raises ConfigurationError (`store.pool.open_pool`)."""
    return await open_pool(
        settings.postgres_dsn.get_secret_value(),
        size=size,
        wait_seconds=wait_seconds,
        pooler=settings.postgres_pooler,
        timeout_seconds=settings.postgres_timeout_seconds,
    )


@dataclass(frozen=True)
class OffsetsInPostgres:
    """`streams.group.Owner` over Postgres."""

    pool: Pool
    group_id: str
    owner: str
    at_rest: Callable[[], Awaitable[None]]
    crash_point: Callable[[str], None]

    async def claim(
        self, logs: Collection[PartitionLog], starts: Mapping[Partition, int]
    ) -> Mapping[Partition, Claim]:
        wanted = [(*log.partition, log.topic_id, log.beginning) for log in logs]
        at = [(*partition, offset) for partition, offset in starts.items()]
        claims = await claim_partitions(self.pool, self.group_id, self.owner, wanted, at)
        self.crash_point("intake.claimed")
        return {
            Partition(claim.topic, claim.partition): Claim(
                claim.epoch, claim.next_offset, claim.topic_id
            )
            for claim in claims
        }

    async def release(self, partitions: Collection[Partition]) -> None:  # noqa: ARG002
        """Let the batches at work be recorded: the next claim would fence them, and its owner would
        read and fold them once more."""
        await self.at_rest()

    async def superseded(self, epochs: Mapping[Partition, int]) -> Collection[Partition]:
        held = [(p.topic, p.number, epoch) for p, epoch in epochs.items()]
        return [Partition(*each) for each in await superseded(self.pool, self.group_id, held)]


@dataclass(frozen=True)
class LeasesInPostgres:
    """`dispatcher.Leases` over Postgres."""

    pool: Pool
    owner: str
    lasting: timedelta
    answer_within: timedelta
    clock: SharedClock

    async def take(self, realm_ids: Sequence[str]) -> list[Lease]:
        await self._look_at_the_clock()
        return await lease_store.take_leases(
            self.pool, self.owner, realm_ids, self.lasting, self.answer_within
        )

    async def renew(self, leases: Sequence[Lease]) -> set[str]:
        kept = await lease_store.renew_leases(self.pool, leases, self.lasting)
        await self._look_at_the_clock()
        return kept

    async def _look_at_the_clock(self) -> None:
        asked_at = elapsed()
        self.clock.set(await lease_store.database_time(self.pool), asked_at)

    async def give_back(self, leases: Sequence[Lease]) -> None:
        await lease_store.give_back_leases(self.pool, leases)


@dataclass(frozen=True)
class KafkaPublisher:
    """`relay.Publisher` over Kafka: outcomes and dead letters on their topics."""

    publisher: OutcomePublisher
    outcomes: str
    dead_letters: str

    async def last_published(self) -> int | None:
        return await self.publisher.last_published()

    async def publish(self, outcomes: Sequence[UnpublishedOutcome], sequence: int) -> None:
        await self.publisher.publish([self._record(each) for each in outcomes], sequence)

    def _record(self, each: UnpublishedOutcome) -> OutgoingRecord:
        topic = self.dead_letters if each.kind == "dead_letter" else self.outcomes
        headers = {"kind": each.kind.encode(), "sequence": str(each.sequence).encode()}
        return OutgoingRecord(topic, each.key.encode(), each.value.encode(), headers)


@asynccontextmanager
async def open_publisher(
    kafka: KafkaConnection,
    settings: Settings,
    transactional_id: str,
    before_commit: Callable[[], None],
) -> AsyncIterator[KafkaPublisher]:
    async with OutcomePublisher(
        kafka, settings.topic_outcomes, transactional_id, before_commit=before_commit
    ) as publisher:
        yield KafkaPublisher(publisher, settings.topic_outcomes, settings.topic_dead_letters)


def kafka_connection(settings: Settings) -> KafkaConnection:
    """How to reach Kafka, from the settings."""
    password, key_password = settings.kafka_password, settings.kafka_key_password
    return KafkaConnection(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=password.get_secret_value() if password else None,
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
        key_password=key_password.get_secret_value() if key_password else None,
    )


def lane_of(part: Slice) -> int:
    """Slices of one partition are taken in order; those of others may be taken meanwhile."""
    return part.partition.number


def as_span(log: PartitionLog) -> Span:
    """What Kafka holds of a partition, as `store.known` takes it."""
    topic, partition = log.partition
    return Span(topic, log.topic_id or "", partition, log.beginning, log.end)


def as_intake_batch(slices: Sequence[Slice]) -> Batch:
    """What the consumer read, as intake takes it."""
    return Batch(
        records=[record for part in slices for record in part.records],
        advances=[
            Advance(
                part.partition.topic,
                part.partition.number,
                part.epoch,
                part.from_offset,
                part.next_offset,
            )
            for part in slices
        ],
        topic_ids={part.partition.topic: part.topic_id or "" for part in slices},
    )
