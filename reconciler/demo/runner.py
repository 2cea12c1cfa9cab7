"""`reconciler demo`: the whole system on one machine, fed with a sample feed, checked at the end.

It starts the real service as its own process and treats it as a user would: it produces to Kafka,
reads the ledger, and reads the books back over the QuickBooks API. What must come of the feed was
written by the feed's generator, not by the service.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from reconciler.demo.audit import AuditReport, audit
from reconciler.demo.catalogue import catalogue
from reconciler.demo.environment import Environment, environment
from reconciler.demo.expectation import Expectation, Unsettled, Wanted
from reconciler.demo.feed import Feed, generate
from reconciler.demo.produce import produce, progress_bar
from reconciler.demo.seeding import seed_companies
from reconciler.workflows import load
from store.pool import Pool, close_pool, open_pool
from streams.cluster import Cluster
from streams.connection import KafkaConnection

WORKFLOWS = Path(__file__).with_name("workflows.yaml")
COMPANIES = ("9341450000000001:US:USD", "9341450000000002:CA:CAD", "9341450000000003:US:USD")
SETTLED_SECONDS = 180.0


@dataclass(frozen=True)
class Row:
    """A document as the ledger has it."""

    realm_id: str
    wanted: Wanted
    state: str
    reason: str
    detail: str


async def run_demo(*, seed: int, objects: int, stay: bool) -> int:
    """Run it; 0 when the books and the ledger are what the feed calls for."""
    signal.signal(signal.SIGTERM, _leave)
    console = Console()
    directory = Path(tempfile.mkdtemp(prefix="reconciler-demo-"))
    directory.chmod(0o755)  # as root, Postgres runs as another account and must get in
    started = time.monotonic()
    try:
        console.print("Starting Postgres, Kafka and a QuickBooks sandbox …")
        with environment(directory, COMPANIES) as running:
            return await _run(console, running, generate(seed, objects), seed, stay, started)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Leave every block, wherever it is, so that all that was started ends; only the first time."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


async def _run(
    console: Console, running: Environment, feed: Feed, seed: int, stay: bool, started: float
) -> int:
    await seed_companies(running.sandbox.url, running.token, catalogue(seed))
    service = running.start_service(
        running.settings(WORKFLOWS, quickbooks_limits="false", log_format="console")
    )
    console.print(f"The service runs (process {service.process.pid}). Producing the feed …")
    await produce(console, running.kafka, feed)
    pool = await open_pool(running.postgres_dsn, size=2, wait_seconds=10)
    try:
        settled = await _wait_until_settled(console, running, pool, len(feed.records))
        rows = await _ledger(pool)
        dead_letters = await pool.fetchval("SELECT count(*) FROM dead_letters")
    finally:
        await close_pool(pool)
    books = await audit(running.sandbox.url, running.token, feed.expectation)
    problems = ledger_problems(feed.expectation, rows, dead_letters)
    _print_tables(console, rows, dead_letters, feed)
    _print_verdict(console, books, problems, settled, time.monotonic() - started)
    ok = books.ok and not problems and settled
    if not ok and os.environ.get("RECONCILER_DEMO_LOG"):
        console.print(service.tail(), markup=False, highlight=False)
    if stay:
        _print_addresses(console, running, service.url)
        await _until_interrupted()
    return 0 if ok else 1


async def _wait_until_settled(
    console: Console, running: Environment, pool: Pool, records: int
) -> bool:
    """Everything read, and nothing wanted or in the air any more."""
    deadline = time.monotonic() + SETTLED_SECONDS
    with progress_bar(console) as progress:
        read_task = progress.add_task("read", total=records)
        made_task = progress.add_task("documents", total=None)
        async with Cluster(KafkaConnection(running.kafka)) as cluster:
            while time.monotonic() < deadline:
                ends = await cluster.end_offsets(await cluster.partitions(_topics()))
                total = sum(ends.values())
                read = await pool.fetchval("SELECT coalesce(sum(next_offset), 0)::int FROM offsets")
                states = Counter(
                    {
                        r[0]: r[1]
                        for r in await pool.fetch(
                            "SELECT state, count(*) FROM documents GROUP BY 1"
                        )
                    }
                )
                busy = states["wanted"] + states["sending"]
                progress.update(read_task, completed=read, total=total)
                progress.update(
                    made_task, completed=states["created"], total=states["created"] + busy
                )
                if read >= total and not busy:
                    return True
                await asyncio.sleep(0.2)
    return False


def _topics() -> tuple[str, ...]:
    return ("crm.deals", "crm.quotes", "crm.payments")


async def _ledger(pool: Pool) -> list[Row]:
    rows = await pool.fetch(
        """
        SELECT realm_id, object_type, object_id, action, state, reason, detail FROM documents
         ORDER BY document_id
        """
    )
    return [Row(r[0], Wanted(r[1], r[2], r[3]), r[4], r[5], r[6]) for r in rows]


def ledger_problems(expectation: Expectation, rows: list[Row], dead_letters: int) -> list[str]:
    """Where the ledger says something else than the feed's generator planted."""
    found = {row.wanted: row for row in rows}
    problems = [
        f"{wanted} should be {expected} but is {_state(found.get(wanted))}"
        for wanted, expected in expectation.unsettled.items()
        if not _agrees(found.get(wanted), expected)
    ]
    problems += [
        f"{wanted} should not be created" for wanted in expectation.never
        if wanted in found and found[wanted].state == "created"
    ]  # fmt: skip
    if dead_letters != expectation.dead_letters:
        problems.append(f"{dead_letters} dead letters instead of {expectation.dead_letters}")
    return problems


def _agrees(row: Row | None, expected: Unsettled) -> bool:
    return row is not None and row.state == expected.state and row.reason in expected.reasons


def _state(row: Row | None) -> str:
    return "not in the ledger" if row is None else f"{row.state} ({row.reason})"


# --- what is printed ---------------------------------------------------------------------------------


def _print_tables(console: Console, rows: list[Row], dead_letters: int, feed: Feed) -> None:
    names = {c.realm_id: c.name for c in load(WORKFLOWS.read_text("utf-8")).companies.values()}
    created = Table(title="Created in QuickBooks", title_justify="left")
    realms = sorted({row.realm_id for row in rows})
    created.add_column("document")
    for realm in realms:
        created.add_column(f"{names.get(realm, '')}\n{realm}", justify="right")
    counts = Counter((row.wanted.action, row.realm_id) for row in rows if row.state == "created")
    for action in sorted({row.wanted.action for row in rows}):
        cells = [str(counts[action, realm] or "–") for realm in realms]
        created.add_row(action.replace("_", " "), *cells)
    console.print(created)
    for state in ("blocked", "waiting"):
        _print_stuck(console, state, [row for row in rows if row.state == state])
    console.print(
        f"{len(feed.records)} records about {feed.objects} objects; {dead_letters} records could not be "
        "understood and are kept as dead letters."
    )


def _print_stuck(console: Console, state: str, rows: list[Row]) -> None:
    if not rows:
        return
    table = Table(title=f"{state.capitalize()}: {len(rows)}", title_justify="left")
    table.add_column("why")
    table.add_column("how many", justify="right")
    table.add_column("for example, and what to do")
    for reason, count in Counter(row.reason for row in rows).most_common():
        example = next(row for row in rows if row.reason == reason)
        table.add_row(reason, str(count), f"{example.wanted}: {example.detail}")
    console.print(table)


def _print_verdict(
    console: Console, books: AuditReport, problems: list[str], settled: bool, seconds: float
) -> None:
    if not settled:
        console.print(f"[red]Not everything was settled after {SETTLED_SECONDS:g} s.[/]")
    console.print(str(books), style="green" if books.ok else "red", markup=False)
    for problem in problems[:40]:
        console.print(f"Ledger: {problem}", style="red", markup=False)
    if not problems:
        console.print(
            "The ledger says of every other object what the feed's generator planted.",
            style="green",
        )
    console.print(f"Done in {seconds:.0f} s.")


def _print_addresses(console: Console, running: Environment, service: str) -> None:
    console.print(
        f"\nStill running; press Ctrl-C to stop.\n"
        f"  console    {service}/console/\n"
        f"  metrics    {service}/metrics\n"
        f"  QuickBooks {running.sandbox.url}/admin/books/{COMPANIES[0].split(':')[0]}\n"
        f"  Kafka      {running.kafka}\n"
        f"  Postgres   {running.postgres_dsn}\n",
        markup=False,
        highlight=False,
    )


async def _until_interrupted() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return
