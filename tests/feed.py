"""Writing and reading topics with the bare client library: what tests compare our adapters with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.connection import KafkaConnection

NewTopic = Callable[..., Awaitable[str]]


@asynccontextmanager
async def producer(kafka: KafkaConnection, **options: Any) -> AsyncIterator[Any]:
    """A started producer of the client library."""
    client = AIOKafkaProducer(**kafka.arguments(), **options)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def write(
    kafka: KafkaConnection, topic: str, values: Iterable[bytes], partition: int = 0, **options: Any
) -> None:
    """Append *values* to a partition."""
    async with producer(kafka, **options) as client:
        for value in values:
            await client.send(topic, value, partition=partition)
        await client.flush()


async def committed_values(kafka: KafkaConnection, topic: str, partition: int = 0) -> list[bytes]:
    """All values that a read_committed reader of the partition gets, once no transaction is open.

    A commit is answered before its marker is in the log, so the end is asked for as an
    uncommitted reader would see it.
    """
    key = TopicPartition(topic, partition)
    async with consumer(kafka) as client:
        end = (await client.end_offsets([key]))[key]
    async with consumer(kafka, isolation_level="read_committed") as client:
        client.assign([key])
        await client.seek_to_beginning(key)
        values: list[bytes] = []
        while await client.position(key) < end:
            polled = await client.getmany(timeout_ms=200)
            values += [record.value for record in polled.get(key, ())]
        return values


@asynccontextmanager
async def consumer(kafka: KafkaConnection, **options: Any) -> AsyncIterator[Any]:
    """A started consumer of the client library, in no group."""
    client = AIOKafkaConsumer(**kafka.arguments(), **options)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()
