"""Records what a workflow or company calls for of the past. Called by the `backfill` command.

It goes through the stored objects in the order of their keys, in batches of one transaction each,
and decides as if each had just appeared. Documents get a low priority, so that live ones go first.
Its position moves with the batch: a killed backfill goes on where it was, and repeats nothing that
the ledger does not already refuse.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from reconciler.intake.intake import Intake, Taken, Transaction
from reconciler.model import ObjectKey, ObjectType, Priority
from reconciler.operator.pace import Pace
from reconciler.workflows import Workflow

BATCH = 25


Progress = Callable[[ObjectKey, Taken], None]


@dataclass(frozen=True)
class Backfill:
    """One backfill. `page` gives the next keys of a type; `transaction` also notes the position."""

    intake: Intake
    workflows: Sequence[Workflow]
    page: Callable[[ObjectType, ObjectKey | None, int], Awaitable[list[ObjectKey]]]
    transaction: Callable[[ObjectKey, Taken], AbstractAsyncContextManager[Transaction]]
    pace: Pace
    progress: Progress

    async def run(self, positions: dict[str, ObjectKey]) -> None:
        """Go on from *positions*, the last key passed by object type."""
        for kind in sorted({workflow.object_type for workflow in self.workflows}):
            after = positions.get(kind)
            while keys := await self.page(kind, after, BATCH):
                async with self.pace:
                    taken = await self._take(keys)
                after = keys[-1]
                self.progress(after, taken)
                if len(keys) < BATCH:
                    break  # what comes after was taken in while the workflow was on

    async def _take(self, keys: Sequence[ObjectKey]) -> Taken:
        """Decide a batch; again if what it depends on was sent to QuickBooks meanwhile."""
        intake = replace(self.intake, workflows=self.workflows, priority=Priority.BACKFILL)
        while True:
            taken = Taken(records=len(keys))
            try:
                async with self.transaction(keys[-1], taken) as transaction:
                    objects = await intake.held(transaction, keys)
                    await intake.record_decisions(transaction, objects, {}, taken)
            except intake.concurrent:
                continue
            return taken
