"""Takes records of the topics in again, beside the live group. Called by the `replay` command.

The records go through `Intake.take` without moving any offset of the group. What was known stays
known and repeats add nothing, so a replay creates nothing that live reading did not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

from reconciler.errors import UndecodableRecord
from reconciler.intake.intake import Batch, Intake, Record, Taken, Transaction
from reconciler.model import Change, ObjectType
from reconciler.operator.pace import Pace

Positions = dict[tuple[str, int], int]
"""The next offset to read, by topic and partition."""


@dataclass(frozen=True)
class Chosen:
    """Which objects a replay is about; empty means all."""

    object_types: frozenset[ObjectType] = frozenset()
    object_ids: frozenset[str] = frozenset()

    def keeps(self, change: Change) -> bool:
        """Whether the change is of one of them."""
        key = change.key
        return (not self.object_types or key.type in self.object_types) and (
            not self.object_ids or key.id in self.object_ids
        )


@dataclass(frozen=True)
class Replay:
    """One replay; `transaction` also notes the position in it, `progress` tells a person."""

    intake: Intake
    chosen: Chosen
    transaction: Callable[[Positions], AbstractAsyncContextManager[Transaction]]
    pace: Pace
    progress: Callable[[Positions, Taken], None]
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    """Kafka's: a dead letter is one by them, so that a replay adds no second one."""

    async def run(self, batches: AsyncIterator[tuple[Sequence[Record], Positions]]) -> None:
        """Take in what *batches* read; each comes with the positions after it."""
        async for records, positions in batches:
            async with self.pace:
                taken = await self._take(records, positions)
            self.progress(positions, taken)

    async def _take(self, records: Sequence[Record], positions: Positions) -> Taken:
        intake = replace(
            self.intake,
            decode=self._decode_chosen,
            transaction=lambda: self.transaction(positions),
        )
        return await intake.take(Batch(records, advances=[], topic_ids=self.topic_ids))

    def _decode_chosen(self, record: Record) -> list[Change]:
        try:
            return list(filter(self.chosen.keeps, self.intake.decode(record)))
        except UndecodableRecord as error:
            kept = list(filter(self.chosen.keeps, error.changes))
            raise UndecodableRecord(error.reason, error.detail, kept) from error
