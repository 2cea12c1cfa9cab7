"""Brokers that die and come back under a reader, a producer and a publisher. Apache Kafka only."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from reconciler.errors import Fenced
from streams.cluster import Cluster
from streams.connection import KafkaConnection, KafkaUnavailable
from streams.consumer import IntakeConsumer
from streams.group import GroupSettings
from streams.producer import OutcomePublisher, RecordProducer
from streams.records import OutgoingRecord
from tests.feed import committed_values
from tests.kafka_apache import ApacheKafka
from tests.offset_book import BookOwner, OffsetBook

pytestmark = [pytest.mark.usefixtures("real_kafka"), pytest.mark.faults, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def brokers(kafka_choice: str) -> Iterator[ApacheKafka]:
    """Three brokers of this module's own; replication 3, min.insync.replicas 2."""
    if kafka_choice != "apache":
        pytest.skip("needs brokers that it may kill: --kafka=apache")
    with ApacheKafka(size=3) as cluster:
        yield cluster


async def test_reading_and_writing_survive_the_loss_of_brokers(brokers: ApacheKafka) -> None:
    """One of three killed in turn, then all: every acknowledged record is read, once."""
    kafka = KafkaConnection(brokers.bootstrap)
    book = OffsetBook()
    acknowledged: list[bytes] = []
    ended = asyncio.Event()

    async def write() -> None:
        async with RecordProducer(kafka, delivery_timeout=timedelta(seconds=60)) as producer:
            while not ended.is_set():
                value = b"%d" % len(acknowledged)
                await producer.send([OutgoingRecord("feed", value, value)])
                acknowledged.append(value)

    async def read(cluster: Cluster) -> None:
        settings = GroupSettings("group", ("feed",), session_timeout=timedelta(seconds=10))
        owner = BookOwner(book)
        async with IntakeConsumer(kafka, cluster, settings, owner) as intake:
            async for batch in intake.batches(500, timedelta(seconds=0.5)):
                try:
                    intake.stored(book.store(batch))
                except Fenced:
                    continue
                if ended.is_set() and len(book.values) >= len(acknowledged):
                    return

    async with Cluster(kafka) as cluster:
        await cluster.ensure_topics(["feed"], partitions=6)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write())
            tasks.create_task(read(cluster))
            for victims in ((1,), (2,), (3,), (1, 2, 3)):
                await _more(acknowledged, 50)
                await asyncio.to_thread(brokers.kill, *victims)
                if len(victims) == 1:
                    await _more(acknowledged, 50)
                await _restart(brokers, *victims)
            await _more(acknowledged, 50)
            ended.set()
    assert sorted(filter(None, book.values)) == sorted(acknowledged)


async def test_outcomes_survive_the_loss_of_brokers(brokers: ApacheKafka) -> None:
    """However publishing is interrupted, asking `last_published` and going on is right."""
    kafka = KafkaConnection(brokers.bootstrap)
    done = 0

    async def relay(last: int) -> None:
        nonlocal done
        while done < last:
            try:
                async with OutcomePublisher(kafka, "outcomes", "relay") as publisher:
                    done = await publisher.last_published() or 0
                    while done < last:
                        record = OutgoingRecord("outcomes", b"k", b"%d" % (done + 1))
                        await publisher.publish([record], done + 1)
                        done += 1
            except (Fenced, KafkaUnavailable):
                continue

    async with Cluster(kafka) as cluster:
        await cluster.ensure_topics(["outcomes"])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay(300))
        for victim in (1, 2, 3):
            await asyncio.to_thread(brokers.kill, victim)
            await _restart(brokers, victim)
    assert await committed_values(kafka, "outcomes") == [b"%d" % n for n in range(1, 301)]


async def _more(acknowledged: list[bytes], count: int) -> None:
    """Wait until that many more records are acknowledged."""
    target = len(acknowledged) + count
    while len(acknowledged) < target:
        await asyncio.sleep(0.05)


async def _restart(brokers: ApacheKafka, *numbers: int) -> None:
    """Start brokers from this thread, with which they die, and let the others' tasks run."""
    brokers.launch(*numbers)
    await asyncio.to_thread(brokers.until_answering, *numbers)
