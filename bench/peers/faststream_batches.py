"""FastStream's batch subscriber, manual acknowledgement after the commit: intake only.

What its documentation teaches for batches, with the best that asyncpg offers inside: one insert
on conflict through unnest per batch. `python -m bench.peers.faststream_batches TOPIC COUNT`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any, cast

import asyncpg
import msgspec
import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from bench.peers.handwritten import SCHEMA
from bench.tally import Tally

_decode = msgspec.json.decode


async def run(topic: str, count: int) -> None:
    """Until *count* records are done."""
    tally = Tally(count)
    pool = await asyncpg.create_pool(os.environ["BENCH_DSN"], min_size=2, max_size=4)
    await pool.execute(SCHEMA)
    broker = KafkaBroker(os.environ["BENCH_KAFKA"], logger=None)
    app = FastStream(broker, logger=logging.getLogger("faststream"))

    @broker.subscriber(
        topic,
        batch=True,
        group_id=os.environ["BENCH_GROUP"],
        auto_offset_reset="earliest",
        max_records=2000,
        ack_policy=AckPolicy.MANUAL,
        decoder=_decoded,
    )
    async def handle(deals: list[dict[Any, Any]], message: KafkaMessage) -> None:
        tally.took()
        await pool.execute(
            "INSERT INTO invoices (deal_id, state) SELECT DISTINCT d, 'wanted'"
            " FROM unnest($1::text[]) AS d ON CONFLICT (deal_id) DO NOTHING",
            [deal["id"] for deal in deals],
        )
        await message.ack()
        tally.did(len(deals))
        if tally.reached.is_set():
            app.exit()

    await app.run()
    await pool.close()


async def _decoded(message: KafkaMessage) -> list[object]:
    return [_decode(body) for body in cast("list[bytes]", message.body)]  # it is a batch's


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], int(sys.argv[2])))
    asyncio.set_event_loop(None)
