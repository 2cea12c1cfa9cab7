"""Reads given ranges of a topic's partitions, outside any consumer group.

Called by replay and plan. It claims nothing, commits nothing and ends where it was told to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.connection import KafkaConnection, KafkaUnavailable, open_patiently
from streams.header_names import mend_header_names
from streams.pacing import start_consumer
from streams.records import Partition, Record, record_of
from streams.taking import take_records

_POLL_MS = 1000
_MOST_EMPTY_POLLS = 30


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets from `start` up to, not including, `end`."""

    start: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)


async def read_ranges(
    connection: KafkaConnection, ranges: Mapping[Partition, Range], max_records: int
) -> AsyncIterator[tuple[list[Record], dict[Partition, int]]]:
    """Batches of records with the positions after them; ends when every range was read.

    Raises `KafkaUnavailable` when nothing comes though something should.
    """
    left = {TopicPartition(*p): each for p, each in ranges.items() if len(each)}
    if not left:
        return
    consumer = await open_patiently(partial(_start, connection), connection)
    try:
        consumer.assign(list(left))
        for key, each in left.items():
            consumer.seek(key, each.start)
        empty_polls = 0
        while left:
            polled = await _poll(consumer, left, max_records)
            records = [
                record_of(each)
                for key, found in polled.items()
                if key in left
                for each in found
                if each.offset < left[key].end
            ]
            positions = {key: await consumer.position(key) for key in left}
            moved = any(positions[key] != left[key].start for key in left)
            empty_polls = 0 if moved else empty_polls + 1
            if empty_polls > _MOST_EMPTY_POLLS:
                raise KafkaUnavailable(f"no records come of {', '.join(map(str, left))}")
            done = {key for key, position in positions.items() if position >= left[key].end}
            if done:
                consumer.pause(*done)
            left = {key: Range(positions[key], each.end) for key, each in left.items()
                    if key not in done}  # fmt: skip
            if moved:
                yield (
                    records,
                    {
                        Partition(key.topic, key.partition): min(
                            position, ranges[Partition(key.topic, key.partition)].end
                        )
                        for key, position in positions.items()
                    },
                )
    finally:
        await consumer.stop()


async def _start(connection: KafkaConnection) -> Any:
    options = {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
    }
    return await start_consumer(options | connection.arguments())


async def _poll(consumer: Any, left: Mapping[TopicPartition, Range], max_records: int) -> Any:
    try:
        return await take_records(consumer, _POLL_MS, max_records)
    except UnicodeDecodeError:
        mend_header_names(consumer)
        for key, each in left.items():
            consumer.seek(key, each.start)
        return {}
    except KafkaError as error:
        raise KafkaUnavailable(f"reading the topics failed: {error!r}") from error
