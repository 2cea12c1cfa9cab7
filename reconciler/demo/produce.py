"""Produces the demo's feed to any Kafka and checks the books of any sandbox against it.

`python -m reconciler.demo.produce` for a system that runs elsewhere (docker-compose.yml's `feed`);
`runner` uses `produce` for the one it starts. It reads no ledger: only what QuickBooks answers
counts.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from reconciler.demo.audit import AuditReport, audit
from reconciler.demo.books import query, session_for
from reconciler.demo.catalogue import catalogue
from reconciler.demo.expectation import Expectation
from reconciler.demo.feed import Feed, generate
from reconciler.demo.seeding import seed_companies
from streams.connection import KafkaConnection
from streams.producer import RecordProducer
from streams.records import OutgoingRecord

SETTLED_SECONDS = 300.0
LOOK_EVERY_SECONDS = 3.0
SEEN_AFTER_SECONDS = 20.0
"""The service keeps a copy of the companies' lists; docker-compose.yml has it look every 10 s."""

_CHUNK = 100


def progress_bar(console: Console) -> Progress:
    """The bar that every step of the demo shows."""
    return Progress(
        TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console,
    )  # fmt: skip


async def produce(console: Console, bootstrap_servers: str, feed: Feed) -> None:
    """Produce the feed's records in their order.

    Stamped now: Kafka's retention would soon delete records as old as the story they tell.
    """
    with progress_bar(console) as progress:
        task = progress.add_task("produced", total=len(feed.records))
        async with RecordProducer(KafkaConnection(bootstrap_servers)) as producer:
            for start in range(0, len(feed.records), _CHUNK):
                chunk = feed.records[start : start + _CHUNK]
                await producer.send([OutgoingRecord(r.topic, r.key, r.value) for r in chunk])
                progress.advance(task, len(chunk))


async def produce_and_check(options: argparse.Namespace, console: Console) -> int:
    """0 once the books are what the feed calls for, 1 if they are not in time."""
    feed = generate(options.seed, options.objects)
    companies = catalogue(options.seed)
    if await _has_customers(options.quickbooks, options.token, next(iter(companies))):
        console.print("The companies have customers already; they are taken as they are.")
    else:
        await seed_companies(options.quickbooks, options.token, companies)
        console.print("The companies have their products now; waiting until they may be seen …")
        await asyncio.sleep(SEEN_AFTER_SECONDS)
    await produce(console, options.kafka, feed)
    console.print("Waiting until the books are what the feed calls for …")
    report = await _settled(options, feed.expectation)
    console.print(str(report), style="green" if report.ok else "red", markup=False)
    return 0 if report.ok else 1


async def _has_customers(base_url: str, token: str, realm_id: str) -> bool:
    async with session_for(token) as session:
        url = f"{base_url.rstrip('/')}/v3/company/{realm_id}/query"
        return bool(await query(session, url, "SELECT * FROM Customer MAXRESULTS 1"))


async def _settled(options: argparse.Namespace, expectation: Expectation) -> AuditReport:
    deadline = time.monotonic() + options.wait_seconds
    while True:
        report = await audit(options.quickbooks, options.token, expectation)
        if report.ok or time.monotonic() > deadline:
            return report
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def parser() -> argparse.ArgumentParser:
    """The options, with docker-compose.yml's names as defaults."""
    parser = argparse.ArgumentParser("reconciler.demo.produce", description=__doc__)
    parser.add_argument("--kafka", default="kafka:19092", help="host:port of some brokers")
    parser.add_argument("--quickbooks", default="http://sandbox:9400", help="the sandbox's address")
    parser.add_argument("--token", default="any", help="its bearer token")
    parser.add_argument("--seed", type=int, default=1, help="another random feed of the same kinds")
    parser.add_argument("--objects", type=int, default=320, help="how many HubSpot objects")
    parser.add_argument("--wait-seconds", type=float, default=SETTLED_SECONDS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return asyncio.run(produce_and_check(parser().parse_args(argv), Console()))


if __name__ == "__main__":
    sys.exit(main())
