"""Kafka's own vocabulary as plain values: partitions, records read, records to write.

Pure data, so that nothing outside `streams` sees a type of the client library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read; `timestamp_ms` is epoch milliseconds, as Kafka keeps it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


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
