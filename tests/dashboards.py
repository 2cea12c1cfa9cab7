"""The dashboards with something to show: the service under the demo's load, and a Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from aiohttp import ClientSession

from reconciler.demo.environment import Environment
from reconciler.demo.feed import generate
from reconciler.demo.runner import WORKFLOWS
from streams.connection import KafkaConnection
from streams.producer import RecordProducer
from streams.records import OutgoingRecord
from tests.demo_service import demo_environment
from tests.prometheus import ROOT, RULES, Prometheus, prometheus, wait_for

DASHBOARDS = ROOT / "deploy/grafana/dashboards"

NOTHING_UNDER_LOAD = {
    ("Company", "Token expires in"): "the demo's companies have a fixed token that does not expire",
    ("Overview", "Alerts"): "an alert fires only after a while",
    ("Company", "Faults"): "QuickBooks's sandbox refuses nothing of the demo's feed",
    ("Overview", "QuickBooks's answers that are not ok"): "the same",
    ("Company", "Drift"): "nobody edits documents in the sandbox's books",
}
"""Panels that rightly show nothing while all goes well, and why."""


@contextmanager
def under_load(
    directory: Path,
    parts: int = 3,
    pause: float = 0.0,
    misfortunes: Sequence[dict[str, Any]] = (),
    **settings: str,
) -> Iterator[Prometheus]:
    """A Prometheus that has watched the service take the demo's feed.

    It comes in *parts* with pauses between; *misfortunes* are planned for the QuickBooks sandbox.
    *settings* are added to the service's.
    """
    with demo_environment(directory) as running:
        asyncio.run(_plan(running.sandbox.url, misfortunes))
        service = running.start_service(running.settings(WORKFLOWS, **settings))
        with prometheus(directory, [f"127.0.0.1:{service.port}"], RULES) as watching:
            wait_for("the service was scraped", lambda: watching.query("reconciler_build_info"))
            asyncio.run(_load(running, watching, parts, pause))
            yield watching


async def _plan(sandbox: str, misfortunes: Sequence[dict[str, Any]]) -> None:
    async with ClientSession(raise_for_status=True) as http:
        for plan in misfortunes:
            await (await http.post(f"{sandbox}/admin/faults", json=plan)).release()


async def _load(running: Environment, watching: Prometheus, parts: int, pause: float) -> None:
    """The feed in parts, so that there are rates to see, beside a replay's row."""
    records = generate(1).records
    part = len(records) // parts + 1
    pool = await asyncpg.create_pool(running.postgres_dsn, min_size=1, max_size=1)
    replay_id = await pool.fetchval(
        """
        INSERT INTO replays (kind, actor, request, positions, done, total, counts)
        VALUES ('backfill', 'test', '{}', '{}', 0, 1000, '{}') RETURNING replay_id
        """
    )
    async with RecordProducer(KafkaConnection(running.kafka)) as producer:
        advance = "UPDATE replays SET done = done + $2 WHERE replay_id = $1"
        for start in range(0, len(records), part):
            some = records[start : start + part]
            await producer.send([OutgoingRecord(r.topic, r.key, r.value) for r in some])
            await pool.execute(advance, replay_id, 900 // parts)
            produced = start + len(some)
            wait_for(
                "the records were read and seen",
                lambda n=produced: _value(watching, "sum(reconciler_intake_records_total)") >= n,
            )
            await asyncio.sleep(pause)
    wait_for(
        "documents were created and counted",
        lambda: _value(watching, 'sum(reconciler_ledger_documents{state="created"})') > 100,
    )
    speed = "deriv(max by (replay_id) (reconciler_replay_done_records)[5m:15s])"
    while _value(watching, speed) <= 0:  # a subquery's points are 15 s apart
        await pool.execute(advance, replay_id, 1)
        await asyncio.sleep(1)
    await pool.close()


def _value(watching: Prometheus, expression: str) -> float:
    result = watching.query(expression)
    return float(result[0]["value"][1]) if result else 0.0
