"""DBOS's Kafka consumer: a durable workflow per record, with a step that POSTs the invoice.

Tuned as its documentation allows: batches of 1,000 are enqueued durably, a queue of its own with
40 workflows at once and short polling. `python -m bench.peers.dbos_consumer TOPIC COUNT`.
"""

from __future__ import annotations

import os
import sys
import time

import aiohttp
import msgspec
from dbos import DBOS, DBOSConfig, KafkaMessage

from bench.peers.handwritten import invoice
from bench.tally import Tally

QUEUE = "invoices"
CONCURRENT = 40


def main(topic: str, count: int) -> None:
    """Until *count* workflows are done."""
    tally = Tally(count)
    config: DBOSConfig = {
        "name": "bench-peer",
        "system_database_url": os.environ["BENCH_DSN"],
        "log_level": "ERROR",
    }
    DBOS(config=config)
    url = f"{os.environ['BENCH_QUICKBOOKS']}/v3/company/1/invoice"
    sessions: list[aiohttp.ClientSession] = []

    @DBOS.step()
    async def create(value: bytes | str | None) -> str:
        if not sessions:
            sessions.append(aiohttp.ClientSession())
        deal = msgspec.json.decode(value or b"{}")
        request = f"{url}?requestid=deal-{deal['id']}&minorversion=75"
        async with sessions[0].post(request, data=invoice(deal)) as response:
            response.raise_for_status()
            return str(msgspec.json.decode(await response.read())["Invoice"]["Id"])

    @DBOS.kafka_consumer(
        {
            "bootstrap.servers": os.environ["BENCH_KAFKA"],
            "group.id": os.environ["BENCH_GROUP"],
            "auto.offset.reset": "earliest",
        },
        [topic],
        batch_size=1000,
        queue_name=QUEUE,
    )
    @DBOS.workflow()
    async def handle(message: KafkaMessage) -> None:
        tally.took()
        await create(message.value)
        tally.did()

    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=CONCURRENT, polling_interval_sec=0.05)
    while not tally.reached.is_set():
        time.sleep(0.05)
    os._exit(0)  # its threads take their time to end, which is not what is measured


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
