"""aiokafka and asyncpg by hand, as a careful developer would write it.

Per record: one insert on conflict do nothing, and if the deal is new one POST with a requestid
made from its id, then one update with the invoice's id. Twenty records are in flight; the offsets
are committed once a batch is done. `python -m bench.peers.handwritten TOPIC COUNT`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import aiohttp
import asyncpg
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer

from bench.tally import Tally

IN_FLIGHT = 20
SCHEMA = """CREATE TABLE IF NOT EXISTS invoices (
    deal_id text PRIMARY KEY, state text NOT NULL, quickbooks_id text,
    updated_at timestamptz NOT NULL DEFAULT now())"""

_decode, _encode = msgspec.json.decode, msgspec.json.encode


def invoice(deal: dict[str, Any]) -> bytes:
    """The invoice of a deal; its contact and SKUs are taken to be known in QuickBooks."""
    associations = deal["associations"]
    contact = associations["contacts"]["results"][0]
    lines = [item["properties"] for item in associations["line items"]["results"]]
    return _encode(
        {
            "CustomerRef": {"value": contact["id"]},
            "BillEmail": {"Address": contact["properties"]["email"]},
            "PrivateNote": f"HubSpot deal {deal['id']}",
            "TxnDate": deal["properties"]["closedate"][:10],
            "Line": [
                {
                    "DetailType": "SalesItemLineDetail",
                    "Amount": float(line["amount"]),
                    "Description": line["name"],
                    "SalesItemLineDetail": {
                        "ItemRef": {"value": line["hs_sku"]},
                        "Qty": float(line["quantity"]),
                        "UnitPrice": float(line["price"]),
                    },
                }
                for line in lines
            ],
        }
    )


class Worker:
    """The whole program."""

    def __init__(self, pool: asyncpg.Pool, session: aiohttp.ClientSession, tally: Tally) -> None:
        self.pool, self.session, self.tally = pool, session, tally
        self.url = f"{os.environ['BENCH_QUICKBOOKS']}/v3/company/1/invoice"

    async def handle(self, value: bytes) -> None:
        """One record."""
        deal = _decode(value)
        state = await self.pool.fetchval(
            "INSERT INTO invoices (deal_id, state) VALUES ($1, 'wanted')"
            " ON CONFLICT (deal_id) DO NOTHING RETURNING state",
            deal["id"],
        )
        if state is None and await self._is_created(deal["id"]):
            return
        async with self.session.post(
            f"{self.url}?requestid=deal-{deal['id']}&minorversion=75", data=invoice(deal)
        ) as response:
            response.raise_for_status()
            made = _decode(await response.read())
        await self.pool.execute(
            "UPDATE invoices SET state = 'created', quickbooks_id = $2, updated_at = now()"
            " WHERE deal_id = $1",
            deal["id"],
            made["Invoice"]["Id"],
        )

    async def _is_created(self, deal_id: str) -> bool:
        """A process that died may have left the deal wanted."""
        state = await self.pool.fetchval("SELECT state FROM invoices WHERE deal_id = $1", deal_id)
        return bool(state == "created")

    async def handle_all(self, values: list[bytes]) -> None:
        """A batch, twenty records at a time."""
        left = iter(values)

        async def work() -> None:
            for value in left:
                await self.handle(value)
                self.tally.did()

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


async def run(topic: str, count: int) -> None:
    """Until *count* records are done."""
    tally = Tally(count)
    pool = await asyncpg.create_pool(
        os.environ["BENCH_DSN"], min_size=IN_FLIGHT, max_size=IN_FLIGHT
    )
    await pool.execute(SCHEMA)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=os.environ["BENCH_KAFKA"],
        group_id=os.environ["BENCH_GROUP"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with aiohttp.ClientSession() as session:
        worker = Worker(pool, session, tally)
        await consumer.start()
        try:
            while not tally.reached.is_set():
                polled = await consumer.getmany(timeout_ms=500, max_records=500)
                values = [record.value for records in polled.values() for record in records]
                if values:
                    tally.took()
                    await worker.handle_all(values)
                    await consumer.commit()
        finally:
            await consumer.stop()
    await pool.close()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], int(sys.argv[2])))
