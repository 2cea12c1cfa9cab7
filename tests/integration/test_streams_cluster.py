"""What a cluster says about its topics, and what is said when it can't be reached."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from reconciler.errors import ConfigurationError
from streams.cluster import Cluster
from streams.connection import KafkaConnection, KafkaUnavailable
from streams.records import Partition
from tests.feed import NewTopic, committed_values, producer, write


async def test_topics_are_created_once(cluster: Cluster, topic_name: Callable[[str], str]) -> None:
    """Ensuring topics twice creates them once, and leaves existing ones as they are."""
    await cluster.ensure_topics([topic_name("a"), topic_name("b")], partitions=3)
    await cluster.ensure_topics([topic_name("a"), topic_name("c")], partitions=2)
    counts = await cluster.topics()
    assert [counts[topic_name(name)] for name in "abc"] == [3, 3, 2]


async def test_partitions_of_a_missing_topic(
    cluster: Cluster, new_topic: NewTopic, topic_name: Callable[[str], str]
) -> None:
    """A topic that does not exist is named, and nothing is created by asking for it."""
    topic = await new_topic(partitions=2)
    assert await cluster.partitions([topic]) == [Partition(topic, 0), Partition(topic, 1)]
    with pytest.raises(ConfigurationError, match=f"has no topic {topic_name('absent')}"):
        await cluster.partitions([topic, topic_name("absent")])
    assert topic_name("absent") not in await cluster.topics()


async def test_logs_and_times(
    kafka: KafkaConnection, cluster: Cluster, new_topic: NewTopic
) -> None:
    """Beginning, end and offsets by time are told per partition."""
    topic = await new_topic()
    start = round(time.time() * 1000)  # retention goes by the records' own time
    async with producer(kafka) as client:
        for at in (0, 1_000, 2_000):
            await client.send_and_wait(topic, b"x", timestamp_ms=start + at)
    partition = Partition(topic, 0)
    (log,) = await cluster.logs([partition])
    assert (log.beginning, log.end) == (0, 3)
    for at, offset in ((-1, 0), (500, 1), (2_000, 2), (2_001, 3)):
        assert await cluster.offsets_for_times([partition], start + at) == {partition: offset}


async def test_the_log_of_a_deleted_topic_is_left_out(
    cluster: Cluster, topic_name: Callable[[str], str]
) -> None:
    """A topic that is gone has no log, instead of an empty one."""
    assert await cluster.logs([Partition(topic_name("gone"), 0)]) == []


@pytest.mark.usefixtures("real_kafka")
async def test_a_recreated_topic_has_another_id(
    kafka: KafkaConnection, cluster: Cluster, new_topic: NewTopic
) -> None:
    """Kafka's own UUID tells a topic from its namesake. (noida-db has no topic ids.)"""
    topic = await new_topic()
    (before,) = (await cluster.topic_ids([topic])).values()
    await delete_topic(kafka, topic)
    assert await new_topic() == topic
    (after,) = (await cluster.topic_ids([topic])).values()
    assert before is not None
    assert after is not None
    assert before != after


async def test_identity_is_unknown_where_the_broker_has_none(
    kafka_choice: str, cluster: Cluster, new_topic: NewTopic
) -> None:
    """A broker without topic ids is no error: the identity is just not known."""
    topic = await new_topic()
    (identity,) = (await cluster.topic_ids([topic])).values()
    assert (identity is None) == (kafka_choice == "embedded")


async def test_open_transactions_hold_the_end_back(
    kafka: KafkaConnection, cluster: Cluster, new_topic: NewTopic, topic_prefix: str
) -> None:
    """The end is the one that read_committed readers reach."""
    topic = await new_topic()
    partition = Partition(topic, 0)
    await write(kafka, topic, [b"1"])
    async with producer(kafka, transactional_id=topic_prefix + "feeder") as client:
        async with client.transaction():
            await client.send_and_wait(topic, b"2", partition=0)
            assert await cluster.end_offsets([partition]) == {partition: 1}
        assert await committed_values(kafka, topic) == [b"1", b"2"]
    (log,) = await cluster.logs([partition])
    assert log.end > 1


async def test_an_address_that_does_not_answer() -> None:
    """Who can't be reached, why, and what to check, is all in the error."""
    nowhere = KafkaConnection("127.0.0.1:9")
    with pytest.raises(KafkaUnavailable, match=r"127\.0\.0\.1:9 .* Connect call failed.* Check"):
        async with Cluster(nowhere, patience=timedelta(seconds=0.5)):
            pass


def test_passwords_are_not_shown() -> None:
    """The settings of a connection can be logged."""
    connection = KafkaConnection(
        "broker:9092",
        security_protocol="SASL_PLAINTEXT",
        username="service",
        password="hunter2",
        key_password="hunter3",
    )
    assert "hunter" not in repr(connection)
    assert connection.arguments()["sasl_plain_password"] == "hunter2"


async def delete_topic(kafka: KafkaConnection, topic: str) -> None:
    """Delete and wait until the cluster has forgotten the name."""
    admin = AIOKafkaAdminClient(**kafka.arguments())
    await admin.start()
    try:
        await admin.delete_topics([topic])
        async with Cluster(kafka) as cluster:
            while topic in await cluster.topics():
                pass
    finally:
        await admin.close()
