"""A backfill ends, however many live objects are stored meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from reconciler.intake.intake import Intake, Taken, Transaction
from reconciler.model import ObjectKey, ObjectType, Priority, SourceObject
from reconciler.operator.backfilling import BATCH, Backfill
from reconciler.operator.pace import Pace
from reconciler.workflows import load

WORKFLOWS = """
version: 1
portal_id: 4711
companies: {us: {realm_id: "9341450000000131"}}
workflows:
  - name: bill
    object: deal
    enrol: [{property: dealstage, operator: is_any_of, values: [won]}]
    actions: [{create: invoice, company: us, create_missing_products: true}]
"""


@dataclass(frozen=True)
class Deciding:
    """Intake as far as a backfill uses it."""

    workflows: Sequence[Any] = ()
    priority: Priority = Priority.LIVE
    concurrent: type[Exception] = RuntimeError

    async def held(self, _: object, keys: Sequence[ObjectKey]) -> list[SourceObject]:
        return [SourceObject(key=key) for key in keys]

    async def record_decisions(self, *_: object) -> None:
        """Nothing differs from the ledger."""


class Objects:
    """As many as three batches hold, and another one whenever somebody looks."""

    @asynccontextmanager
    async def transaction(self, *_: object) -> AsyncIterator[Transaction]:
        yield cast("Transaction", self)

    async def page(self, kind: ObjectType, after: ObjectKey | None, limit: int) -> list[ObjectKey]:
        first = int(after.id) + 1 if after else 0
        return [
            ObjectKey(4711, kind, str(number)) for number in range(first, max(3 * BATCH, first) + 1)
        ][:limit]


async def test_it_ends_beside_live_traffic() -> None:
    """What is stored after its last page was taken in with the workflow on: it is left to that."""
    objects, passed = Objects(), list[ObjectKey]()

    def progress(last: ObjectKey, _taken: Taken) -> None:
        passed.append(last)

    await Backfill(
        intake=cast("Intake", Deciding()),
        workflows=load(WORKFLOWS).workflows,
        page=objects.page,
        transaction=objects.transaction,
        pace=Pace(1.0),
        progress=progress,
    ).run({})
    assert [int(key.id) for key in passed] == [BATCH - 1, 2 * BATCH - 1, 3 * BATCH - 1, 3 * BATCH]
