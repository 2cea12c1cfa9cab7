"""Writes the deals to Kafka, with librdkafka because a feed must not be what is measured."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bench.deals import FIRST_ID, record

PARTITIONS = 4


def produce(bootstrap: str, topic: str, numbers: Iterable[int], ms: int = 0) -> None:
    """Write these deals to *topic*, keyed by their id; made with four partitions if absent."""
    ensure_topic(bootstrap, topic)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "batch.size": 256 * 1024,
            "queue.buffering.max.messages": 200_000,
        }
    )
    for number in numbers:
        value, key = record(number, ms), str(FIRST_ID + number).encode()
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def ensure_topic(bootstrap: str, topic: str, partitions: int = PARTITIONS) -> None:
    """Make the topic and wait until it can be used."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if topic in admin.list_topics(timeout=10).topics:
        return
    made = admin.create_topics([NewTopic(topic, partitions, 1, config={"retention.ms": "-1"})])
    made[topic].result()
    while topic not in admin.list_topics(timeout=10).topics:
        time.sleep(0.05)
