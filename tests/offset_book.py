"""A keeper of offsets in memory with the rules of the real one: claims, epochs, compare-and-set.

Stands in for the database where a test is about Kafka. Several members may share one, as several
processes share a database.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from reconciler.errors import Fenced
from streams.positions import Claim
from streams.records import Batch, Partition, PartitionLog


@dataclass
class OffsetBook:
    """What is recorded per partition, and what was refused."""

    claims: dict[Partition, Claim] = field(default_factory=dict)
    values: list[bytes | None] = field(default_factory=list)
    refused: int = 0

    def claim(
        self, logs: Collection[PartitionLog], starts: Mapping[Partition, int]
    ) -> dict[Partition, Claim]:
        """Raise the epoch of each partition and answer what is recorded, where it starts at least."""
        known = {partition.topic for partition in self.claims}
        for partition, offset in starts.items():
            if partition.topic not in known:
                self.claims[partition] = Claim(0, offset)
        for log in logs:
            was = self.claims.get(log.partition, Claim(0, log.beginning))
            self.claims[log.partition] = Claim(
                was.epoch + 1, was.next_offset, was.topic_id or log.topic_id
            )
        return {log.partition: self.claims[log.partition] for log in logs}

    def forget(self) -> None:
        """Everything counts as never read, and who reads it is refused."""
        self.claims = {p: Claim(known.epoch + 1, 0) for p, known in self.claims.items()}

    def store(self, batch: Batch) -> dict[Partition, int]:
        """Keep the records' values and move the offsets, or refuse all of the batch."""
        for part in batch.slices:
            known = self.claims[part.partition]
            if (known.epoch, known.next_offset) != (part.epoch, part.from_offset):
                self.refused += 1
                raise Fenced(f"{part.partition} is at epoch {known.epoch}, not {part.epoch}")
        for part in batch.slices:
            self.claims[part.partition] = Claim(part.epoch, part.next_offset, part.topic_id)
            self.values += [record.value for record in part.records]
        return {part.partition: part.next_offset for part in batch.slices}


@dataclass
class BookOwner:
    """One member's view of the book; remembers what it was told."""

    book: OffsetBook
    claimed: list[frozenset[Partition]] = field(default_factory=list)
    released: list[frozenset[Partition]] = field(default_factory=list)

    async def claim(
        self, logs: Collection[PartitionLog], starts: Mapping[Partition, int]
    ) -> Mapping[Partition, Claim]:
        """Claim in the book."""
        self.claimed.append(frozenset(log.partition for log in logs))
        return self.book.claim(logs, starts)

    async def release(self, partitions: Collection[Partition]) -> None:
        """Only remember it: the next claim raises the epoch."""
        self.released.append(frozenset(partitions))

    async def superseded(self, epochs: Mapping[Partition, int]) -> Collection[Partition]:
        """Whose epoch is another one in the book."""
        return [p for p, epoch in epochs.items() if self.book.claims[p].epoch != epoch]
