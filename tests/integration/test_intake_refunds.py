"""Partial refunds when a receipt is sent while a late step of the same payment is taken in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import asyncpg

from reconciler.intake.intake import Batch
from reconciler.model import DocumentKey, ObjectKey, ObjectType
from reconciler.ports.intake import Advance, WantedDocument
from reconciler.workflows import load
from store.intake import IntakeTransaction, folding
from store.pool import open_pool
from streams.records import Record
from tests.feeds import Associated, History, Step, rest
from tests.intake_at_work import PORTAL, IntakeAtWork

AT = 1_769_817_600_000
FILE = load("""
version: 1
portal_id: 4711
companies:
  us: {realm_id: "9341450000000001", defaults: {deposit_account: Checking}}
workflows:
  - name: Refunds
    object: payment
    enrol: [{preset: payment_refunded}]
    actions:
      - {create: refund_receipt, company: us, create_missing_products: yes, partial_refunds: receipt}
""")
LISTS: dict[str, Associated] = {
    "line_items": (("71", {"name": "Rollout", "price": "100.00", "quantity": "1"}),),
    "contacts": (("81", {"email": "ada@example.com"}),),
}


def refunded(total: str, at: int) -> History:
    facts = {
        "hs_latest_status": "partially_refunded",
        "hs_initial_amount": "100.00",
        "hs_refunds_amount": total,
    }
    return History(ObjectKey(PORTAL, ObjectType.PAYMENT, "1"), (Step(at, facts, LISTS),))


class _Overtaken(IntakeTransaction):
    """A dispatcher begins to send the document between the ledger's reading and its writing."""

    def __init__(self, connection: asyncpg.Connection, pool: asyncpg.Pool) -> None:
        super().__init__(connection)
        self.pool = pool

    async def want(
        self, documents: Sequence[WantedDocument], heard_at: int = 0
    ) -> dict[DocumentKey, int]:
        await self.pool.execute("UPDATE documents SET state = 'sending' WHERE state = 'wanted'")
        return await super().want(documents, heard_at)


async def test_what_is_on_its_way_counts_as_given_back(database_dsn: str) -> None:
    """50 is being sent when a step of 20 is heard of: no receipt of 30 is added, and 10 more are 10."""
    pool = await open_pool(database_dsn, size=4, wait_seconds=10)
    try:
        work = IntakeAtWork(pool, FILE)
        await work.take(refunded("50.00", AT + 2))

        @asynccontextmanager
        async def overtaken() -> AsyncIterator[IntakeTransaction]:
            async with folding(pool) as connection:
                yield _Overtaken(connection, pool)

        (late,) = rest(refunded("20.00", AT + 1))
        record = Record("payment", 0, 1, late.timestamp_ms, late.key, late.value)
        advance = Advance("payment", 0, work._epochs["payment"], 1, 2)
        await replace(work.intake, transaction=overtaken).take(Batch([record], [advance]))
        work._offsets["payment"] = 2
        await work.take(refunded("60.00", AT + 3))
        rows = await pool.fetch("SELECT state, content FROM documents ORDER BY enrolment")
        assert [row["state"] for row in rows] == ["sending", "wanted"]
        total = "SELECT sum((content->>'total')::numeric) FROM documents"
        assert await pool.fetchval(total) == Decimal("60.00")
    finally:
        await pool.close()
