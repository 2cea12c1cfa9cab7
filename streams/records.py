"""Kafka's own vocabulary as plain values: partitions, records read, records to write.

Pure data, so that nothing outside `streams` sees a type of the client library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it was read; `timestamp_ms` is epoch milliseconds, as Kafka keeps it.

    A Struct, because hundreds of thousands are made in a second.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def record_of(read: Any) -> Record:
    """What the client library gave."""
    return Record(
        read.topic, read.partition, read.offset, read.timestamp, read.key, read.value, read.headers
    )


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to write; records with the same key go to the same partition, in order."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PartitionLog:
    """What Kafka holds of a partition: `end` is the offset the next readable record will get.

    `topic_id` is Kafka's UUID of the topic, None where the broker has none. A topic deleted and
    created again under its name has another one.
    """

    partition: Partition
    topic_id: str | None
    beginning: int
    end: int


@dataclass(frozen=True, slots=True)
class Slice:
    """What was read of one partition, and under which claim.

    `from_offset` is where the slice before, or the claim, left off; with `epoch` it is what a
    compare-and-set of the recorded offset must find there. `next_offset` is what to record once
    the records are stored. Markers of transactions and aborted records take offsets too, so there
    are gaps between records, and slices without any.
    """

    partition: Partition
    topic_id: str | None
    epoch: int
    from_offset: int
    next_offset: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll gave, at most one slice per partition; empty when there was nothing."""

    slices: tuple[Slice, ...] = ()

    def __len__(self) -> int:
        return sum(len(part.records) for part in self.slices)
