"""Writing and reading topics with the bare client library: what tests compare our adapters with."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

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


class _Name(str):
    """A header's name that is written as other bytes than a text's."""

    raw: bytes

    def encode(self, *_: object) -> bytes:
        return self.raw


async def write_headers(
    kafka: KafkaConnection, topic: str, names: Sequence[bytes], codec: int = 0
) -> None:
    """Append one batch of records to the first partition, each with a header named so."""
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 1 << 16)
    for number, raw in enumerate(names):
        name = _Name("?")
        name.raw = raw
        at = time.time_ns() // 1_000_000
        builder.append(number, at, b"k", b"%d" % number, [(name, b"h")])
    async with producer(kafka) as client:
        batch = client.create_batch()
        batch._buffer, batch._relative_offset = bytes(builder.build()), len(names)
        batch.close()
        await (await client.send_batch(batch, topic, partition=0))


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
