"""Plain records: acknowledged, in order, and never waited for without end."""

import asyncio
import gc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from reconciler.errors import RecordTooLarge
from streams.cluster import Cluster
from streams.connection import KafkaConnection, KafkaUnavailable
from streams.embedded import EmbeddedBroker, start_broker
from streams.producer import RecordProducer, _send_all
from streams.records import OutgoingRecord
from tests.feed import NewTopic, committed_values


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker that the test may kill."""
    with start_broker(tmp_path) as broker:
        yield broker


async def test_records_of_one_key_keep_their_order(
    kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """All records are there once `send` returns, in the order given."""
    topic = await new_topic()
    async with RecordProducer(kafka) as producer:
        await producer.send([OutgoingRecord(topic, b"k", b"%d" % n) for n in range(100)])
        await producer.send([OutgoingRecord(topic, b"k", b"100", {"trace": b"1"})])
    assert await committed_values(kafka, topic) == [b"%d" % n for n in range(101)]


async def test_callers_may_send_at_the_same_time(
    kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """Concurrent sends share one producer and lose nothing."""
    topic = await new_topic()
    async with RecordProducer(kafka) as producer, asyncio.TaskGroup() as group:
        for n in range(50):
            group.create_task(producer.send([OutgoingRecord(topic, None, b"%d" % n)]))
    assert sorted(await committed_values(kafka, topic)) == sorted(b"%d" % n for n in range(50))


async def test_a_record_that_is_too_large(kafka: KafkaConnection, new_topic: NewTopic) -> None:
    """It is refused for good, and the producer goes on."""
    topic = await new_topic()
    async with RecordProducer(kafka, max_request_bytes=1_000) as producer:
        with pytest.raises(RecordTooLarge):
            await producer.send([OutgoingRecord(topic, None, b"x" * 2_000)])
        await producer.send([OutgoingRecord(topic, None, b"small")])
    assert await committed_values(kafka, topic) == [b"small"]


async def test_an_outage_is_told_in_time(own_broker: EmbeddedBroker) -> None:
    """aiokafka's idempotent producer retries for ever; ours says so, and works again after."""
    kafka = KafkaConnection(own_broker.bootstrap)
    record = OutgoingRecord("topic", None, b"1")
    async with RecordProducer(kafka, delivery_timeout=timedelta(seconds=1)) as producer:
        await _create(kafka)
        await producer.send([record])
        own_broker.kill()
        with pytest.raises(KafkaUnavailable, match="did not acknowledge"):
            await producer.send([record])
        own_broker.restart()
        await _create(kafka)
        await producer.send([record])
    assert await committed_values(kafka, "topic") == [b"1"]  # the embedded broker forgot the first


class _Failing:
    """Takes one record, which it loses later, and refuses the next at once."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.taken: list[asyncio.Future[None]] = []

    async def send(self, _topic: str, **_record: object) -> asyncio.Future[None]:
        if self.taken:
            raise self.error
        self.taken.append(asyncio.get_running_loop().create_future())
        return self.taken[0]


async def test_records_taken_before_one_that_is_refused_are_not_told_as_unseen() -> None:
    """Whoever sends hears of the refusal; that the others were lost later is no news to a log."""
    unseen: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unseen.append(context))
    producer = _Failing(MessageSizeTooLargeError("too large"))
    with pytest.raises(MessageSizeTooLargeError):
        await _send_all(producer, [OutgoingRecord("topic", None, b"1")] * 2)
    producer.taken.pop().set_exception(KafkaError("lost"))
    await asyncio.sleep(0)
    gc.collect()
    assert unseen == []


async def _create(kafka: KafkaConnection) -> None:
    async with Cluster(kafka) as cluster:
        await cluster.ensure_topics(["topic"])
