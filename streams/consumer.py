"""Reading the feed as one member of a consumer group, from offsets that the caller keeps.

Owns the Kafka side of an assignment: claim, check that the log is the one recorded, seek, read,
notice when Kafka lost or replaced it. Called by `reconciler.service.consuming`. It stores nothing: the
caller's `Owner` claims partitions in its own database, and whatever was read under a claim that is
no longer the last one is refused there. Kafka's group offsets are an informative copy.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidSessionTimeoutError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)

from reconciler.errors import ConfigurationError, Fenced
from streams.cluster import Cluster
from streams.connection import KafkaConnection, KafkaUnavailable, open_patiently
from streams.group import Assignment, GroupSettings, Held, Listener, Owner
from streams.header_names import mend_header_names
from streams.pacing import start_consumer
from streams.positions import (
    StartPolicy,
    TopicGone,
    check_identity,
    check_range,
    starting_position,
)
from streams.progress import Lag, Progress
from streams.protocol import commit_as_member
from streams.records import Batch, Partition, PartitionLog, Slice, record_of
from streams.taking import take_records

_POLL_GRACE_SECONDS = 1.0
_BACKOFF_SECONDS = 0.2
_SIDE_REQUEST_SECONDS = 3.0
_CLOSE_SECONDS = 10.0


class IntakeConsumer:
    """A member of the group. Use as an async context manager and iterate over `batches`."""

    def __init__(
        self,
        connection: KafkaConnection,
        cluster: Cluster,
        settings: GroupSettings,
        owner: Owner,
    ) -> None:
        self._connection = connection
        self._cluster = cluster
        self._settings = settings
        self._owner = owner
        self._consumer: Any = None
        self._assignment = Assignment()
        self._is_closing = False
        self._failure: Exception | None = None
        self._failing_since: float | None = None
        self._unanswered_since: float | None = None
        self._observed_at = 0.0
        self._topic_ids: dict[str, str | None] = {}
        self._to_commit: dict[Partition, int] = {}
        self._committed_at = 0.0
        self.progress = Progress(time.monotonic())
        self.rebalances = 0

    async def __aenter__(self) -> Self:
        await self._cluster.partitions(self._settings.topics)  # or say which topic is missing
        self._topic_ids = await self._cluster.topic_ids(self._settings.topics)
        self._consumer = await open_patiently(self._start, self._connection)
        # After start: aiokafka's start waits for the first assignment, however long that takes.
        self._consumer.subscribe(list(self._settings.topics), listener=Listener(self))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closing = True
        await self._commit_copy()
        try:
            if held := self._assignment.drop():  # aiokafka calls no listener when it stops
                await self._owner.release(held)
        finally:
            await _stop(self._consumer)

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions held and claimed just now."""
        return frozenset(self._assignment.held)

    @property
    def logs(self) -> list[PartitionLog]:
        """What Kafka holds of the partitions held, as last observed."""
        return [held.log for held in self._assignment.held.values()]

    def lag(self) -> dict[Partition, Lag]:
        """How far each held partition is behind, as last observed."""
        return self.progress.lag(time.monotonic())

    def stored(self, next_offsets: Mapping[Partition, int]) -> None:
        """Note what the caller has stored, to be copied to Kafka's group offsets some time."""
        self._to_commit.update(next_offsets)

    async def batches(self, max_records: int, wait: timedelta) -> AsyncIterator[Batch]:
        """Read until the caller stops asking; an empty batch when *wait* passed without records.

        Raises what `Owner` raised, `Fenced` when a partition that is held was claimed or forgotten
        by somebody else, a `FeedBroken` when the log isn't the one that was being read,
        `ConfigurationError` or `KafkaUnavailable` when reading can't go on. Errors of the network
        and of single brokers are waited out.
        """
        while True:
            self.progress.polled(time.monotonic())
            self._give_up_on_the_group()
            await self._observe_when_due()
            await self._commit_copy_when_due()
            batch = await self._poll(max_records, wait.total_seconds())
            if self._failure is not None:
                raise self._failure
            yield batch

    # --- the rebalance, called from the client library's task ---

    async def revoke(self) -> None:
        """Hand over what is held."""
        held = self._assignment.drop()
        self.progress.revoked(time.monotonic())
        self.rebalances += 1
        if held and not self._is_closing:
            release = self._owner.release(held)
            await _bounded(release, self._settings.longest_release, "releasing partitions")

    async def take(self, assigned: Collection[Partition]) -> None:
        """Claim *assigned* and seek."""
        if not self._is_closing:
            claim = self._claim(assigned)
            await _bounded(claim, self._settings.longest_claim, "claiming partitions")

    def fail(self, error: Exception) -> None:
        """Keep an error of a rebalance for `batches` to raise."""
        self._failure = self._failure or error

    async def _claim(self, assigned: Collection[Partition]) -> None:
        logs = await self._logs(assigned)
        starts = await self._starts(logs) if logs else {}
        claims = await self._owner.claim(tuple(logs.values()), starts) if logs else {}
        held: dict[Partition, Held] = {}
        for partition, log in logs.items():
            position = starting_position(log, claims[partition])
            self._consumer.seek(TopicPartition(*partition), position)
            held[partition] = Held(claims[partition], log, position)
        self._assignment.take(held)
        standing = {p: (h.next_offset, h.log.end) for p, h in held.items()}
        self.progress.claimed(standing, time.monotonic())

    async def _starts(self, logs: Mapping[Partition, PartitionLog]) -> dict[Partition, int]:
        """Where the partitions of a topic start that was never read, unless it is the beginning.

        Also those that other members hold: one that claims later must not take another instant.
        """
        if self._settings.start is not StartPolicy.LATEST:
            return {}
        topics = {partition.topic for partition in logs}
        others = [p for p in await self._cluster.partitions(topics) if p not in logs]
        return {
            log.partition: log.end for log in (*logs.values(), *await self._cluster.logs(others))
        }

    async def _logs(self, partitions: Collection[Partition]) -> dict[Partition, PartitionLog]:
        logs = {log.partition: log for log in await self._cluster.logs(sorted(partitions))}
        for partition in partitions:
            if partition not in logs:
                raise TopicGone(partition.topic)
        return logs

    # --- reading ---

    async def _poll(self, max_records: int, seconds: float) -> Batch:
        if not await self._assignment.is_claimed_within(seconds):
            seconds = 0.0  # nothing can be read, but errors of the group are told here only
        try:
            # During a rebalance getmany waits without regard to its own timeout.
            async with asyncio.timeout(seconds + _POLL_GRACE_SECONDS):
                polled = await take_records(self._consumer, round(seconds * 1000), max_records)
        except TimeoutError:
            self._rewind()
            return Batch()
        except (KafkaError, UnicodeDecodeError) as error:
            self._rewind()
            await self._survive(error)
            return Batch()
        self._failing_since = None
        # Records are taken out and returned in one step of the event loop, and so are our seek and
        # the end of a claim: what comes while unclaimed was read from Kafka's own group offsets.
        if not self._assignment.claimed.is_set():
            return Batch()
        return Batch(tuple([part async for part in self._slices(polled)]))

    def _rewind(self) -> None:
        """Read again what was not handed out: an error of one partition drops others' records."""
        for partition, held in self._assignment.held.items():
            self._consumer.seek(TopicPartition(*partition), held.next_offset)

    async def _slices(self, polled: Mapping[Any, Any]) -> AsyncIterator[Slice]:
        for partition, held in self._assignment.held.items():
            key = TopicPartition(*partition)
            records = tuple(record_of(record) for record in polled.get(key, ()))
            position = await self._consumer.position(key)
            if position == held.next_offset:
                continue
            yield Slice(
                partition,
                held.log.topic_id,
                held.claim.epoch,
                from_offset=held.next_offset,
                next_offset=position,
                records=records,
            )
            held.next_offset = position
            if records:
                age = time.time() - records[-1].timestamp_ms / 1000
                self.progress.read(partition, position, age, time.monotonic())

    async def _survive(self, error: KafkaError | UnicodeDecodeError) -> None:
        """Return if trying again may help, else raise what is to be done about it."""
        if isinstance(error, UnicodeDecodeError):
            mend_header_names(self._consumer)
        elif isinstance(error, NoOffsetForPartitionError):
            pass  # aiokafka looked between an assignment and our seek
        elif isinstance(error, OffsetOutOfRangeError):
            await self._observe_if_possible()
        elif refusal := self._refusal(error):
            raise ConfigurationError(refusal) from error
        elif not error.retriable:
            raise KafkaUnavailable(f"reading ended and must be started anew: {error!r}") from error
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > self._settings.give_up_after.total_seconds():
            raise KafkaUnavailable(
                f"reading fails since {now - self._failing_since:.0f} s: {error!r}"
            ) from error
        await asyncio.sleep(_BACKOFF_SECONDS)

    def _refusal(self, error: KafkaError) -> str | None:
        """What a person must change, if that is what the error comes to."""
        if isinstance(error, InvalidSessionTimeoutError):
            return (
                "Kafka allows no session timeout of"
                f" {self._settings.session_timeout.total_seconds():g} s: set one between the brokers'"
                " group.min.session.timeout.ms and group.max.session.timeout.ms (6 s and 30 min"
                " unless they were changed)."
            )
        if isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError):
            return f"Kafka does not allow group {self._settings.group_id} to read: {error}"
        return None

    def _give_up_on_the_group(self) -> None:
        waiting = self.progress.waiting(time.monotonic())
        if waiting > self._settings.longest_join.total_seconds():
            raise KafkaUnavailable(
                f"group {self._settings.group_id} has given us no assignment for {waiting:.0f} s:"
                " does its coordinator answer?"
            )

    # --- is it still the log we read, and are we still who reads it? ---

    async def _observe_when_due(self) -> None:
        now = time.monotonic()
        if now - self._observed_at >= self._settings.observe_every.total_seconds():
            self._observed_at = now
            await self._check_claims()
            await self._observe_if_possible()

    async def _check_claims(self) -> None:
        """Without records nothing is stored, and nothing would tell us that we are fenced."""
        number = self._assignment.number
        epochs = {p: held.claim.epoch for p, held in self._assignment.held.items()}
        lost = await self._owner.superseded(epochs) if epochs else ()
        if lost and self._assignment.still(number):
            raise Fenced(f"{', '.join(map(str, lost))}: claimed or forgotten by somebody else")

    async def _observe_if_possible(self) -> None:
        # An outage is for the fetcher to survive; here it only means that nothing is known.
        try:
            async with asyncio.timeout(_SIDE_REQUEST_SECONDS):
                await self._observe_topics()
            self._unanswered_since = None
        except (KafkaUnavailable, TimeoutError) as error:
            self._give_up_on_the_brokers(error)
            return
        with contextlib.suppress(KafkaUnavailable, TimeoutError):
            async with asyncio.timeout(_SIDE_REQUEST_SECONDS):
                await self._observe_logs()

    def _give_up_on_the_brokers(self, error: Exception) -> None:
        """Any broker could have answered: their addresses may be others by now."""
        now = time.monotonic()
        self._unanswered_since = self._unanswered_since or now
        if now - self._unanswered_since > self._settings.give_up_after.total_seconds():
            raise KafkaUnavailable(
                f"no broker has answered for {now - self._unanswered_since:.0f} s"
            ) from error

    async def _observe_logs(self) -> None:
        number, held = self._assignment.number, dict(self._assignment.held)
        logs = await self._logs(held) if held else {}
        for partition, log in logs.items():
            if not self._assignment.still(number):
                return
            position = held[partition].next_offset
            check_range(log, position)
            held[partition].log = log
            self.progress.observed(partition, position, log.end, time.monotonic())

    async def _observe_topics(self) -> None:
        """All topics are there and are those first seen.

        Not only the topics held: of a topic that was deleted, aiokafka just gets no partitions.
        """
        found = await self._cluster.topic_ids(self._settings.topics)
        for topic in self._settings.topics:
            if topic not in found:
                raise TopicGone(topic)
            check_identity(topic, found[topic], self._topic_ids.setdefault(topic, found[topic]))

    # --- Kafka's own offsets, for tools that show lag ---

    async def _commit_copy_when_due(self) -> None:
        now = time.monotonic()
        if now - self._committed_at >= self._settings.commit_every.total_seconds():
            self._committed_at = now
            await self._commit_copy()

    async def _commit_copy(self) -> None:
        held = self._assignment.held
        due = {
            partition: offset for partition, offset in self._to_commit.items() if partition in held
        }
        self._to_commit = {}
        if not due:
            return
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(_SIDE_REQUEST_SECONDS):
                await commit_as_member(self._consumer, due)

    async def _start(self) -> Any:
        return await start_consumer(self._settings.options() | self._connection.arguments())


async def _bounded(work: Awaitable[None], limit: timedelta, what: str) -> None:
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await work
    except TimeoutError as error:
        raise TimeoutError(f"{what} took longer than {limit.total_seconds():g} s") from error


async def _stop(consumer: Any) -> None:
    """Leave the group, without waiting for a coordinator that may never answer."""
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await consumer.stop()
            return
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await consumer._client.close()
