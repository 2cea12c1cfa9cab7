"""Intake over a real Postgres, without Kafka: batches of records in, the ledger out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import asyncpg
import pytest

from reconciler.intake.intake import Batch, Intake, Taken
from reconciler.intake.known import KnownRecords
from reconciler.model import ObjectType
from reconciler.ports.intake import Advance
from reconciler.service.assembly import watched
from reconciler.workflows import WorkflowFile, load
from store.intake import ConcurrentFold, IntakeTransaction, transaction
from store.offsets import claim_partitions
from streams import formats
from streams.records import Record
from tests.feeds import History, Written, rest

PORTAL = 4711
WON_DEALS = """
version: 1
portal_id: 4711
companies:
  us: {realm_id: "9341450000000001"}
workflows:
  - name: Invoice won deals
    object: deal
    enrol: [{preset: deal_won}]
    actions: [{create: invoice, company: us, create_missing_products: yes}]
"""


@dataclass
class IntakeAtWork:
    """Takes batches in as the service does; every object type has a topic of one partition."""

    pool: asyncpg.Pool
    file: WorkflowFile
    companions: frozenset[ObjectType] = frozenset()
    group: str = "test"
    known: KnownRecords | None = None
    _offsets: dict[str, int] = field(default_factory=dict)
    _epochs: dict[str, int] = field(default_factory=dict)

    @property
    def intake(self) -> Intake:
        return Intake(
            group_id=self.group,
            workflows=self.file.workflows,
            watched=watched(self.file),
            decode=lambda record: formats.decode(
                record, formats.TopicSettings(ObjectType(record.topic), portal_id=PORTAL)
            ),
            transaction=partial(transaction, self.pool),
            concurrent=ConcurrentFold,
            companions=self.companions,
            known=self.known,
        )

    def switched_to(self, text: str) -> IntakeAtWork:
        """The same with another workflow file."""
        return replace(self, file=load(text))

    async def take(self, *histories: History) -> Taken:
        """Take whole histories in as one batch of REST snapshots."""
        return await self.take_records(
            [(history.key.type, one) for history in histories for one in rest(history)]
        )

    async def take_records(self, written: Iterable[tuple[ObjectType, Written]]) -> Taken:
        """Take records of these topics in as one batch."""
        start: dict[str, int] = {}
        records = []
        for type_, one in written:
            await self._claim(type_)
            offset = self._offsets[type_]
            start.setdefault(type_, offset)
            self._offsets[type_] = offset + 1
            records.append(
                Record(type_, 0, offset, one.timestamp_ms, one.key, one.value, one.headers)
            )
        advances = [
            Advance(topic, 0, self._epochs[topic], first, self._offsets[topic])
            for topic, first in start.items()
        ]
        return await self.intake.take(Batch(records, advances))

    async def _claim(self, topic: str) -> None:
        if topic in self._epochs:
            return
        (claim,) = await claim_partitions(self.pool, self.group, "test", [(topic, 0, "t", 0)])
        self._epochs[topic] = claim.epoch
        self._offsets[topic] = claim.next_offset

    async def ledger(self) -> dict[tuple[str, str, str, int], tuple[str, str]]:
        """State and reason by (object type, object id, action, enrolment)."""
        rows = await self.pool.fetch(
            "SELECT object_type, object_id, action, enrolment, state, reason FROM documents"
        )
        return {(row[0], row[1], row[2], row[3]): (row[4], row[5]) for row in rows}


def meanwhile(
    monkeypatch: pytest.MonkeyPatch,
    pool: asyncpg.Pool,
    work: Coroutine[Any, Any, object],
    before: str = "ledger",
) -> asyncio.Task[object]:
    """Have *work* done by another process just before a transaction's next statement of that name: to its
    end, or as far as it comes while that transaction lasts."""
    statement = getattr(IntakeTransaction, before)
    begun = asyncio.Event()
    waits = """
        SELECT EXISTS (SELECT FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock')
    """

    async def other() -> object:
        await begun.wait()
        return await work

    async def after_it(*arguments: Any) -> Any:
        monkeypatch.setattr(IntakeTransaction, before, statement)
        begun.set()
        while not task.done() and not await pool.fetchval(waits):
            await asyncio.sleep(0)
        return await statement(*arguments)

    task = asyncio.create_task(other())
    monkeypatch.setattr(IntakeTransaction, before, after_it)
    return task
