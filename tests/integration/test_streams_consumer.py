"""Reading the feed as a group member: claims, rebalances and the client library's traps."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.protocol.fetch import FetchRequest

from reconciler.errors import ConfigurationError, Fenced
from streams.cluster import Cluster
from streams.connection import KafkaConnection, KafkaUnavailable
from streams.consumer import IntakeConsumer
from streams.group import GroupSettings
from streams.positions import (
    Claim,
    LogLost,
    RetentionOvertook,
    StartPolicy,
    TopicGone,
    TopicRecreated,
)
from streams.progress import Lag
from streams.ranges import Range, read_ranges
from streams.records import Batch, Partition, PartitionLog
from streams.taking import MOST_BYTES
from tests.feed import NewTopic, consumer, producer, write, write_headers
from tests.integration.test_streams_cluster import delete_topic
from tests.offset_book import BookOwner, OffsetBook

WAIT = timedelta(seconds=0.2)


@dataclass
class Member:
    """One member of the group, read by hand."""

    intake: IntakeConsumer
    owner: BookOwner
    batches: AsyncIterator[Batch]

    async def next(self) -> Batch:
        """The next batch, empty or not."""
        return await anext(self.batches)

    async def next_records(self) -> Batch:
        """The next batch that has slices."""
        while not (batch := await self.next()).slices:
            pass
        return batch

    async def store_until(self, is_reached: Callable[[], bool]) -> None:
        """Read and store until a condition holds."""
        while not is_reached():
            self.intake.stored(self.owner.book.store(await self.next()))

    async def settle(self, partitions: int) -> None:
        """Read, without storing, until that many partitions are held."""
        while len(self.intake.assigned) != partitions or not self.intake.progress.is_settled:
            await self.next()


@dataclass
class Group:
    """A consumer group of this test's own, on one topic, with one offset book."""

    kafka: KafkaConnection
    cluster: Cluster
    settings: GroupSettings
    book: OffsetBook = field(default_factory=OffsetBook)

    @property
    def topic(self) -> str:
        """The topic that is read."""
        return self.settings.topics[0]

    @asynccontextmanager
    async def member(self, owner: BookOwner | None = None, **changes: Any) -> AsyncIterator[Member]:
        """Join the group."""
        settings = replace(self.settings, **changes)
        own = owner or BookOwner(self.book)
        async with (
            IntakeConsumer(self.kafka, self.cluster, settings, own) as intake,
            aclosing(intake.batches(max_records=100, wait=WAIT)) as batches,  # type: ignore[type-var]
        ):
            yield Member(intake, own, batches)


@pytest.fixture
async def group(
    kafka: KafkaConnection, cluster: Cluster, new_topic: NewTopic, topic_prefix: str
) -> Group:
    """A group on a topic of two partitions, that looks at the log and commits at every poll."""
    topic = await new_topic(partitions=2)
    settings = GroupSettings(
        topic_prefix + "group",
        (topic,),
        heartbeat_interval=timedelta(seconds=0.3),
        session_timeout=timedelta(seconds=6),
        observe_every=timedelta(0),
        commit_every=timedelta(0),
    )
    return Group(kafka, cluster, settings)


# --- positions ---------------------------------------------------------------------------------


async def test_reading_goes_on_where_the_book_says(group: Group) -> None:
    """What was stored is not read again, and nothing is skipped, over restarts of the member."""
    await write(group.kafka, group.topic, [b"1", b"2"])
    async with group.member() as member:
        await member.store_until(lambda: len(group.book.values) == 2)
    await write(group.kafka, group.topic, [b"3"])
    await write(group.kafka, group.topic, [b"4"], partition=1)
    async with group.member() as member:
        await member.store_until(lambda: len(group.book.values) == 4)
    assert sorted(filter(None, group.book.values)) == [b"1", b"2", b"3", b"4"]


async def test_a_record_is_as_it_was_written(group: Group) -> None:
    """Key, value, headers, timestamp and position arrive unchanged; tombstones too."""
    at = round(time.time() * 1000)
    async with producer(group.kafka) as client:
        await client.send(group.topic, b"v", b"k", 0, at, [("h", b"1")])
        await client.send_and_wait(group.topic, None, b"k", 0, at + 5)
    async with group.member() as member:
        (part,) = (await member.next_records()).slices
    first, second = part.records
    assert (first.key, first.value, first.headers) == (b"k", b"v", (("h", b"1"),))
    assert (first.offset, first.timestamp_ms, second.offset) == (0, at, 1)
    assert second.value is None
    assert (part.from_offset, part.next_offset, part.epoch) == (0, 2, 1)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_topics_can_be_read(group: Group, codec: str) -> None:
    """Feeders may compress with any of Kafka's codecs."""
    await write(group.kafka, group.topic, [b"x" * 1_000] * 5, compression_type=codec)
    async with group.member() as member:
        await member.store_until(lambda: len(group.book.values) == 5)
    assert set(group.book.values) == {b"x" * 1_000}


async def test_a_batch_is_bounded_in_bytes(group: Group) -> None:
    """Records that compress well come by the hundred in one fetch: not all of them at once."""
    value = b"x" * 900_000
    await write(group.kafka, group.topic, [value] * 60, compression_type="zstd")
    async with group.member() as member:
        first = await member.next_records()
    assert len(first) * len(value) < 2 * MOST_BYTES
    read = read_ranges(group.kafka, {Partition(group.topic, 0): Range(0, 60)}, 100)
    batches = [records async for records, _ in read]
    assert sum(map(len, batches)) == 60
    assert max(map(len, batches)) * len(value) < 2 * MOST_BYTES


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
async def test_names_of_headers_need_not_be_utf8(group: Group, codec: int) -> None:
    """A header's name may be any bytes: its record is read, and what stands before and behind it, by
    the group and by a replay; only what is not ASCII of such a name is lost."""
    await write_headers(group.kafka, group.topic, [b"a", b"n\xf6", "\xf6".encode()], codec)
    await write(group.kafka, group.topic, [b"behind"], partition=1)
    async with group.member() as member:
        await member.store_until(lambda: len(group.book.values) == 4)
    assert sorted(filter(None, group.book.values)) == [b"0", b"1", b"2", b"behind"]
    ranges = {Partition(group.topic, 0): Range(0, 3), Partition(group.topic, 1): Range(0, 1)}
    read = [one async for records, _ in read_ranges(group.kafka, ranges, 100) for one in records]
    assert [(one.value, one.key, one.headers) for one in read if one.partition == 0] == [
        (b"0", b"k", (("a", b"h"),)),
        (b"1", b"k", (("n?", b"h"),)),
        (b"2", b"k", (("\xf6", b"h"),)),
    ]


async def test_latest_reads_only_what_comes(group: Group) -> None:
    """A group that never read starts at the end when told so, else at the beginning."""
    await write(group.kafka, group.topic, [b"old"])
    async with group.member(start=StartPolicy.LATEST) as member:
        await member.settle(2)
        await write(group.kafka, group.topic, [b"new"])
        await member.store_until(lambda: bool(group.book.values))
    assert group.book.values == [b"new"]


async def test_latest_starts_where_it_first_did(group: Group) -> None:
    """What comes while nobody reads is read after the restart, also of a partition that never had
    a record; and of partitions that the topic got meanwhile everything."""
    await write(group.kafka, group.topic, [b"old"])
    async with group.member(start=StartPolicy.LATEST) as member:
        await member.settle(2)
    await add_partitions(group, total=3)
    for partition in range(3):
        await write(group.kafka, group.topic, [b"%d" % partition], partition=partition)
    async with group.member(start=StartPolicy.LATEST) as member:
        await member.store_until(lambda: len(group.book.values) == 3)
    assert sorted(filter(None, group.book.values)) == [b"0", b"1", b"2"]


async def test_latest_is_one_instant_for_all_members(group: Group) -> None:
    """The first of them notes it for partitions that others will read, however late those come."""
    async with group.member(FirstOnly(group.book), start=StartPolicy.LATEST) as first:
        await first.settle(2)
        await write(group.kafka, group.topic, [b"new"], partition=1)
    async with group.member(start=StartPolicy.LATEST) as second:
        await second.store_until(lambda: bool(group.book.values))
    assert group.book.values == [b"new"]


async def test_the_book_beats_kafkas_own_offsets(group: Group) -> None:
    """aiokafka starts fetching at Kafka's committed offset before our seek: that is discarded."""
    await write(group.kafka, group.topic, [b"%d" % n for n in range(10)])
    async with consumer(group.kafka, group_id=group.settings.group_id) as stranger:
        stranger.subscribe([group.topic])
        while not stranger.assignment():
            await stranger.getmany(timeout_ms=100)
        await stranger.commit({TopicPartition(group.topic, 0): 7})
    group.book.claims[Partition(group.topic, 0)] = Claim(5, 2)
    async with group.member(SlowOwner(group.book, claim_seconds=1.0)) as member:
        await member.store_until(lambda: len(group.book.values) == 8)
    assert group.book.values == [b"%d" % n for n in range(2, 10)]


async def test_kafkas_offsets_follow_as_a_copy(group: Group) -> None:
    """Tools that show lag see what was stored."""
    await write(group.kafka, group.topic, [b"1", b"2", b"3"])
    async with group.member() as member:
        await member.store_until(lambda: len(group.book.values) == 3)
    partition = Partition(group.topic, 0)
    assert await group.cluster.committed_offset(group.settings.group_id, partition) == 3


# --- transactional feeders ---------------------------------------------------------------------


async def test_aborted_records_are_not_read_but_passed(group: Group, topic_prefix: str) -> None:
    """Aborted records and markers move the position, and the lag comes down to nothing."""
    async with producer(group.kafka, transactional_id=topic_prefix + "feeder") as client:
        await client.begin_transaction()
        await client.send_and_wait(group.topic, b"aborted", partition=0)
        await client.abort_transaction()
        async with client.transaction():
            await client.send_and_wait(group.topic, b"committed", partition=0)
    partition = Partition(group.topic, 0)
    async with group.member() as member:
        await member.store_until(
            lambda: bool(group.book.values) and (group.book.claims[partition].next_offset or 0) >= 4
        )
        await member.next()
        assert member.intake.lag()[partition] == Lag(0, 0.0)
    assert group.book.values == [b"committed"]


# --- rebalances --------------------------------------------------------------------------------


async def test_partitions_move_and_the_late_batch_is_refused(group: Group) -> None:
    """A batch read before another member joined can't be stored once that one has claimed."""
    await write(group.kafka, group.topic, [b"0"], partition=0)
    await write(group.kafka, group.topic, [b"1"], partition=1)
    async with group.member() as first:
        late = await first.next_records()
        async with group.member() as second, asyncio.TaskGroup() as both:
            both.create_task(first.settle(1))
            both.create_task(second.settle(1))
        with pytest.raises(Fenced):
            group.book.store(late)
        assert first.owner.released[0] == {Partition(group.topic, n) for n in (0, 1)}
        await first.store_until(lambda: len(group.book.values) == 2)
    assert sorted(filter(None, group.book.values)) == [b"0", b"1"]
    assert group.book.refused == 1


async def test_nothing_is_lost_while_members_come_and_go(group: Group) -> None:
    """However polls and rebalances interleave, each record is stored once."""
    total, churn = 3_000, 8
    stored = asyncio.Event()

    async def work(member: Member) -> None:
        while len(group.book.values) < total:
            with suppress(Fenced):
                group.book.store(await member.next())
        stored.set()

    async def feed() -> None:
        async with producer(group.kafka) as client:
            for n in range(total):
                await client.send_and_wait(group.topic, b"%d" % n, partition=n % 2)

    async with group.member() as steady, asyncio.TaskGroup() as tasks:
        tasks.create_task(feed())
        tasks.create_task(work(steady))
        for _ in range(churn):
            async with group.member() as guest:
                while not stored.is_set() and not guest.intake.assigned:
                    with suppress(Fenced):
                        group.book.store(await guest.next())
                with suppress(Fenced):
                    group.book.store(await guest.next())
    assert sorted(map(int, filter(None, group.book.values))) == list(range(total))


async def test_a_rebalance_that_takes_long_does_not_block_the_caller(group: Group) -> None:
    """While another member delays the rebalance, `batches` still answers in time."""
    clock = asyncio.get_running_loop().time
    slow = SlowOwner(group.book, release_seconds=3.0)
    async with group.member() as first, group.member(slow) as second:
        async with asyncio.TaskGroup() as both:
            both.create_task(first.settle(1))
            both.create_task(second.settle(1))
        before = first.intake.rebalances
        async with group.member():
            while first.intake.rebalances == before:
                await first.next()
            waits = []
            while not first.intake.progress.is_settled:
                asked_at = clock()
                assert not (await first.next()).slices
                waits.append(clock() - asked_at)
    assert len(waits) > 1
    assert max(waits) < 2.0


async def test_a_spare_member_takes_over(group: Group) -> None:
    """A member without partitions stays in the group and gets them when the others leave."""
    async with AsyncExitStack() as busy:
        members = [await busy.enter_async_context(group.member()) for _ in range(2)]
        async with group.member() as third:
            holders = (*members, third)

            def is_spread() -> bool:
                held = sorted(len(member.intake.assigned) for member in holders)
                return held == [0, 1, 1] and all(m.intake.progress.is_settled for m in holders)

            while not is_spread():
                await asyncio.gather(*(member.next() for member in holders))
            await busy.aclose()
            await third.settle(2)


async def test_a_restart_with_the_same_instance_id_moves_nothing(group: Group) -> None:
    """Static membership: the group does not notice a rolling restart."""
    async with group.member(group_instance_id="one") as first:
        async with group.member(group_instance_id="two") as second, asyncio.TaskGroup() as both:
            both.create_task(first.settle(1))
            both.create_task(second.settle(1))
        before, held = first.intake.rebalances, first.intake.assigned
        async with group.member(group_instance_id="two") as second:
            await second.settle(1)
            await first.next()
            assert (first.intake.rebalances, first.intake.assigned) == (before, held)


# --- errors of the callbacks, which aiokafka swallows ------------------------------------------


async def test_an_error_while_claiming_is_raised(group: Group) -> None:
    """A claim that fails stops the reading, instead of reading from anywhere."""
    await write(group.kafka, group.topic, [b"1"])
    async with group.member(FailingOwner(group.book, on="claim")) as member:
        with pytest.raises(RuntimeError, match="claim failed"):
            await member.next_records()


async def test_an_error_while_releasing_is_raised(group: Group) -> None:
    """So does a release that fails."""
    async with group.member(FailingOwner(group.book, on="release")) as first:
        await first.settle(2)
        async with group.member():
            with pytest.raises(RuntimeError, match="release failed"):
                await first.next_records()
        first.owner.released = []


async def test_a_refused_member_says_why(group: Group) -> None:
    """What the group's coordinator refuses is raised even though nothing was ever assigned."""
    async with group.member(session_timeout=timedelta(milliseconds=1)) as member:
        with pytest.raises(ConfigurationError, match=r"0\.001 s.*group\.min\.session\.timeout"):
            await member.next_records()


async def test_an_idle_member_notices_that_it_was_superseded(group: Group) -> None:
    """Offsets that are forgotten while nothing arrives are noticed without a record."""
    await write(group.kafka, group.topic, [b"1"])
    async with group.member() as member:
        await member.store_until(lambda: len(group.book.values) == 1)
        await member.settle(2)
        group.book.forget()
        with pytest.raises(Fenced):
            await member.next_records()


async def test_waiting_for_the_group_ends(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets no assignment for too long gives this membership up, to begin another."""
    monkeypatch.setattr(GroupSettings, "longest_join", timedelta(0))
    async with group.member() as member:
        with pytest.raises(KafkaUnavailable, match="no assignment"):
            await member.next_records()


async def test_brokers_that_have_all_gone_are_given_up(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client asks only the addresses it knows: another one asks the first again."""

    async def silence(_topics: object) -> None:
        raise KafkaUnavailable("no answer")

    async with group.member(give_up_after=timedelta(0)) as member:
        await member.settle(2)
        monkeypatch.setattr(group.cluster, "topic_ids", silence)
        with pytest.raises(KafkaUnavailable, match="no broker has answered"):
            await member.next_records()


async def test_a_claim_that_takes_too_long_is_raised(group: Group) -> None:
    """aiokafka sends no heartbeats during a claim: better an error than silent expulsion."""
    async with group.member(SlowOwner(group.book, claim_seconds=60.0)) as member:
        with pytest.raises(TimeoutError, match="claiming partitions took longer than 3 s"):
            await member.next_records()


# --- a log that is not the one we read ---------------------------------------------------------


async def test_a_missing_topic_is_named(group: Group, topic_name: Callable[[str], str]) -> None:
    """A member does not wait for ever for a topic that nobody created."""
    with pytest.raises(ConfigurationError, match=topic_name("absent")):
        async with group.member(topics=(topic_name("absent"),)):
            pass


async def test_a_log_that_ends_before_the_book(group: Group) -> None:
    """Losing the broker's log under a live store is noticed, not obeyed."""
    group.book.claims[Partition(group.topic, 0)] = Claim(1, next_offset=5)
    async with group.member() as member:
        with pytest.raises(LogLost, match="records up to 5 were read"):
            await member.next_records()


async def test_retention_that_overtook_us_on_restart(group: Group) -> None:
    """Records deleted before they were read are missed out loud."""
    await write(group.kafka, group.topic, [b"1", b"2", b"3"])
    await delete_records(group, before=2)
    group.book.claims[Partition(group.topic, 0)] = Claim(1, next_offset=1)
    async with group.member() as member:
        with pytest.raises(RetentionOvertook, match="retention deleted 1 of them"):
            await member.next_records()


async def test_what_retention_deleted_is_told_while_reading(group: Group) -> None:
    """Where the log begins follows retention: what is kept by position can be forgotten."""
    await write(group.kafka, group.topic, [b"1", b"2", b"3"])
    async with group.member() as member:
        await member.store_until(lambda: len(group.book.values) == 3)
        await delete_records(group, before=2)
        await member.store_until(lambda: max(log.beginning for log in member.intake.logs) == 2)


async def test_retention_that_overtakes_us_while_reading(group: Group) -> None:
    """aiokafka must not jump to where the log begins now."""
    async with group.member() as member:
        await member.settle(2)
        await write(group.kafka, group.topic, [b"x" * 100_000] * 30)
        group.book.store(await member.next())
        await write(group.kafka, group.topic, [b"x" * 100_000] * 30)
        await delete_records(group, before=60)
        with pytest.raises(RetentionOvertook):
            await member.store_until(lambda: False)
    assert len(group.book.values) < 60


async def test_a_deleted_topic_is_noticed(group: Group) -> None:
    """aiokafka would ask for it for ever without a word."""
    async with group.member() as member:
        await member.settle(2)
        await delete_topic(group.kafka, group.topic)
        with pytest.raises(TopicGone, match="does not exist any more"):
            await member.next_records()


@pytest.mark.usefixtures("real_kafka")
async def test_a_recreated_topic_is_noticed_on_restart(group: Group, new_topic: NewTopic) -> None:
    """Same name, same offsets, another topic: nothing of it is read. (Needs topic ids.)"""
    await write(group.kafka, group.topic, [b"old"])
    async with group.member() as member:
        await member.store_until(lambda: bool(group.book.values))
    await delete_topic(group.kafka, group.topic)
    await new_topic(partitions=2)
    await write(group.kafka, group.topic, [b"new", b"newer"])
    async with group.member() as member:
        with pytest.raises(TopicRecreated, match="deleted and created again"):
            await member.next_records()
    assert group.book.values == [b"old"]


@pytest.mark.usefixtures("real_kafka")
async def test_a_topic_recreated_under_a_reader_is_noticed(
    group: Group, new_topic: NewTopic
) -> None:
    """Between two looks at the log the topic was replaced; aiokafka reads on. (Needs topic ids.)"""
    async with group.member(observe_every=timedelta(seconds=1)) as member:
        await member.settle(2)
        await delete_topic(group.kafka, group.topic)
        await new_topic(partitions=2)
        with pytest.raises(TopicRecreated, match="deleted and created again"):
            await member.store_until(lambda: False)


# --- idling and lag ---------------------------------------------------------------------------------------


async def test_an_idle_member_asks_seldom(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that answers empty fetches at once is not asked in a tight loop."""
    fetches: list[object] = []
    prepare = FetchRequest.prepare

    def counted(request: Any, versions: Any) -> Any:
        fetches.append(request)
        return prepare(request, versions)

    monkeypatch.setattr(FetchRequest, "prepare", counted)
    async with group.member() as member:
        await member.settle(2)
        fetches.clear()
        for _ in range(5):
            await member.next()
    assert len(fetches) <= 5 * WAIT.total_seconds() / 0.05 + 10


async def test_lag_is_told_per_partition(group: Group) -> None:
    """Unread records count, and the age of what was read."""
    await write(group.kafka, group.topic, [b"%d" % n for n in range(250)])
    async with group.member() as member:
        await member.store_until(lambda: bool(group.book.values))
        lag = member.intake.lag()
        assert lag[Partition(group.topic, 0)].records == 150
        assert 0 <= lag[Partition(group.topic, 0)].seconds < 60
        assert lag[Partition(group.topic, 1)] == Lag(0, 0.0)


@dataclass
class SlowOwner(BookOwner):
    """A database that takes its time."""

    claim_seconds: float = 0.0
    release_seconds: float = 0.0

    async def claim(
        self, logs: Collection[PartitionLog], starts: Mapping[Partition, int]
    ) -> Mapping[Partition, Claim]:
        """Claim late."""
        await asyncio.sleep(self.claim_seconds)
        return await super().claim(logs, starts)

    async def release(self, partitions: Collection[Partition]) -> None:
        """Release late."""
        await asyncio.sleep(self.release_seconds)
        await super().release(partitions)


@dataclass
class FailingOwner(BookOwner):
    """A database that fails at one of the two steps, the first time."""

    on: str = ""

    async def claim(
        self, logs: Collection[PartitionLog], starts: Mapping[Partition, int]
    ) -> Mapping[Partition, Claim]:
        """Claim, or not."""
        self._fail_once("claim")
        return await super().claim(logs, starts)

    async def release(self, partitions: Collection[Partition]) -> None:
        """Release, or not."""
        self._fail_once("release")
        await super().release(partitions)

    def _fail_once(self, step: str) -> None:
        if self.on == step:
            self.on = ""
            raise RuntimeError(f"{step} failed")


@dataclass
class FirstOnly(BookOwner):
    """A member that was assigned partition 0 alone, as far as the book is told."""

    async def claim(
        self, logs: Collection[PartitionLog], starts: Mapping[Partition, int]
    ) -> Mapping[Partition, Claim]:
        """Claim that one; of the other answer what is noted."""
        await super().claim([log for log in logs if log.partition.number == 0], starts)
        return dict(self.book.claims)


async def add_partitions(group: Group, total: int) -> None:
    """Let the topic have more."""
    admin = AIOKafkaAdminClient(**group.kafka.arguments())
    await admin.start()
    try:
        await admin.create_partitions({group.topic: NewPartitions(total)})
    finally:
        await admin.close()


async def delete_records(group: Group, before: int) -> None:
    """What retention does."""
    admin = AIOKafkaAdminClient(**group.kafka.arguments())
    await admin.start()
    try:
        key = TopicPartition(group.topic, 0)
        await admin.delete_records({key: RecordsToDelete(before)})
    finally:
        await admin.close()
