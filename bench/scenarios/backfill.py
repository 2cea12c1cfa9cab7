"""A backfill of the past beside live traffic: what it costs live documents, and how exact it is.

The past was taken in while the workflow was off, so none of it was created. `plan` is asked first;
then live deals arrive alone, and then while `reconciler backfill` runs, is killed and goes on. With
Intuit's limits those bound the backfill (1,660 documents a minute); here there are none.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice, takewhile
from threading import Event
from typing import Any

import asyncpg

from bench import contestants, feed, live
from bench.contest import ContestantFailed, Measured, Running, contestant
from bench.scale import Scale
from bench.table import Table, Target
from bench.world import ROOT, StandIn, World, fetch_value

TOPIC = "backfill"
WORKFLOW = "Invoice won deals 0"
WARM_UP = round(3.0 * live.RATE)
"""Live deals that are not counted."""
LONGEST_SECONDS = 3600.0
"""A backfill of hundreds of thousands takes its time on purpose."""

_KEY = ("realm_id", "action", "portal_id", "object_type", "object_id", "enrolment")
_CREATED = f"SELECT {', '.join(_KEY)} FROM documents WHERE state = 'created'"
_PASSED = "SELECT coalesce(max(done), 0)::bigint FROM replays"
_LEFT = (
    "SELECT count(*) FROM (SELECT FROM documents WHERE state = 'wanted' AND priority = 1 LIMIT 1)"
)
_OBJECT = _KEY.index("object_id")

Keys = set[tuple[Any, ...]]


def run(world: World, scale: Scale) -> Table:
    """One database, and one process of the service for live traffic alone and beside."""
    feed.produce(world.bootstrap, TOPIC, range(scale.history))
    dsn = world.database()
    with world.stand_in() as quickbooks:
        stage = Stage(world, quickbooks, dsn, scale.history)
        stage.take_in_unwanted()
        planned = stage.plan()
        found = stage.measure(round(scale.latency_seconds * live.RATE) + WARM_UP)
    created = asyncio.run(_created(dsn))
    world.drop(dsn)
    title = f"backfill of {scale.history:,} records beside {live.RATE} live records/s"
    return Table("backfill", title, found.rows(planned, created), found.targets(planned, created))


@dataclass
class Found:
    """Live deals without and with the backfill, and what QuickBooks was asked."""

    alone: live.Sent
    beside: live.Sent
    seconds: float
    """From the start of the backfill until nothing of it was left, a kill -9 included."""
    asked: dict[str, float] = field(default_factory=dict)
    doubled: int = 0

    def rows(self, planned: Keys, created: Keys) -> list[Measured]:
        past = self.past(created)
        note = "killed with -9 at half and resumed"
        return [
            *(
                Measured(f"live p{point} {name} backfill", "ms", [self._percentile(sent, point)])
                for name, sent in (("without", self.alone[WARM_UP:]), ("with", self.beside))
                for point in (50, 99)
            ),
            Measured("backfill", "documents/s", [len(past) / self.seconds], note=note),
            Measured("planned", "documents", [len(planned)]),
            Measured("created of the past", "documents", [len(past)]),
            Measured("created live", "documents", [len(created) - len(past)]),
        ]

    def targets(self, planned: Keys, created: Keys) -> list[Target]:
        ratio = self._percentile(self.beside, 99) / self._percentile(self.alone[WARM_UP:], 99)
        wrong = len(planned ^ self.past(created))
        lost = len(self.live_ids - {key[_OBJECT] for key in created})
        return [
            Target("live p99 with / without the backfill", ratio, 2, at_most=True),
            Target("documents planned or created, not both", wrong, 0, at_most=True),
            Target("documents doubled, live ones lost", self.doubled + lost, 0, at_most=True),
        ]

    @property
    def live_ids(self) -> set[str]:
        return {id_ for id_, _ in self.alone + self.beside}

    def past(self, created: Keys) -> Keys:
        """The documents that are not of live deals."""
        live_ids = self.live_ids
        return {key for key in created if key[_OBJECT] not in live_ids}

    def _percentile(self, sent: live.Sent, point: float) -> float:
        return live.percentile(live.latencies(sent, self.asked), point) * 1000


@dataclass
class Stage:
    """The service with its surroundings."""

    world: World
    quickbooks: StandIn
    dsn: str
    history: int

    def __post_init__(self) -> None:
        self.settings = contestants.settings(self.world, self.dsn, TOPIC, self.quickbooks.url)

    def take_in_unwanted(self) -> None:
        """Let the service read the past while the workflow is off."""
        off = contestants.workflows(self.world.directory, enabled=False)
        settings = {**self.settings, "RECONCILER_WORKFLOWS": str(off)}
        with contestant(contestants.ours_command("intake", self.history), settings) as running:
            running.wait_for("done")
        if fetch_value(self.dsn, "SELECT count(*) FROM documents"):
            raise ContestantFailed("a workflow that is off called for documents")

    def plan(self) -> Keys:
        """What `reconciler plan` says will be created."""
        told = json.loads(_output(self._command("plan")))
        return {
            tuple(each["key"][name] for name in _KEY)
            for each in told["documents"]
            if each["fate"] == "create"
        }

    def measure(self, live_deals: int) -> Found:
        """Live deals alone, then for as long as the backfill takes."""
        numbers = count(live.FIRST)
        with contestant(contestants.ours_command("all", 10**9), self.settings) as service:
            joined = self._send(islice(numbers, 1))
            self._settle(len(joined))
            alone = joined + self._send(islice(numbers, live_deals))
            self._settle(len(alone))
            with ThreadPoolExecutor(1) as pool:
                over = Event()
                beside = pool.submit(self._send, takewhile(lambda _: not over.is_set(), numbers))
                try:
                    seconds = self._backfill(service)
                finally:
                    over.set()
            found = Found(alone, beside.result(), seconds)
            self._settle(self.history + len(found.live_ids))
        found.asked, found.doubled = self.quickbooks.times(), self.quickbooks.counts()["doubled"]
        return found

    def _send(self, numbers: Iterable[int]) -> live.Sent:
        return live.send(self.world.bootstrap, TOPIC, numbers)

    def _settle(self, documents: int) -> None:
        """Until so many are made, or are not made for long."""
        deadline = time.monotonic() + 60
        while self.quickbooks.counts()["sources"] < documents and time.monotonic() < deadline:
            time.sleep(0.5)

    def _backfill(self, service: Running) -> float:
        """Run the command, kill it at half, run it again; the seconds until all is created."""
        started = time.monotonic()
        command = self._command("backfill", "--yes")
        try:
            self._until_passed(command, self.history // 2)
        finally:
            command.kill()
            command.communicate()
        told = json.loads(_output(self._command("backfill", "--yes")))
        if told["done"] < self.history:
            raise ContestantFailed(f"the backfill ended after {told['done']} objects")
        while fetch_value(self.dsn, _LEFT):
            if service.ended.is_set() or time.monotonic() - started > LONGEST_SECONDS:
                raise ContestantFailed("the backfill's documents were not created in time")
            time.sleep(1.0)
        return time.monotonic() - started

    def _until_passed(self, command: subprocess.Popen[str], objects: int) -> None:
        while fetch_value(self.dsn, _PASSED) < objects:
            if command.poll() is not None:
                raise ContestantFailed("the backfill ended before it could be killed")
            time.sleep(1.0)

    def _command(self, name: str, *options: str) -> subprocess.Popen[str]:
        """`reconciler NAME` over the service's store, as an operator runs it."""
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "reconciler.cli",
                name,
                "--workflow",
                WORKFLOW,
                "--json",
                *options,
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.settings},
        )


def _output(command: subprocess.Popen[str]) -> str:
    """What the command printed, once it is done."""
    try:
        output, _ = command.communicate(timeout=LONGEST_SECONDS)
    finally:
        command.kill()
    if command.returncode:
        raise ContestantFailed(f"{command.args!r} ended with status {command.returncode}")
    return output


async def _created(dsn: str) -> Keys:
    connection = await asyncpg.connect(dsn)
    try:
        return {tuple(row) for row in await connection.fetch(_CREATED)}
    finally:
        await connection.close()
