"""The servers that every contestant shares: Apache Kafka, PostgreSQL with fsync on, the stand-in.

Started once per run by `bench.__main__`. Each contestant gets a fresh database and consumer group.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from bench import feed
from store.embedded import EmbeddedPostgres, start_postgres
from streams import child
from tests.kafka_apache import ApacheKafka

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
}
"""For all contestants; `synchronous_commit` and fsync stay on."""


@dataclass
class StandIn:
    """The QuickBooks stand-in as a process; started anew for each contestant, so it knows nothing."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counts(self) -> dict[str, int]:
        """What it was asked so far."""
        found: dict[str, int] = self._ask("/counts")
        return found

    def times(self) -> dict[str, float]:
        """When (epoch seconds) the first invoice of each deal was asked for, by the deal's id."""
        found: dict[str, float] = self._ask("/times")
        return found

    def cpu_seconds(self) -> float:
        """Used so far."""
        return _cpu_of(psutil.Process(self.process.pid))

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as response:  # noqa: S310
            return json.load(response)


@dataclass
class World:
    """The shared servers, running."""

    directory: Path
    kafka: ApacheKafka
    postgres: EmbeddedPostgres
    produced: set[str] = field(default_factory=set)

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap

    def topic(self, records: int, first: int = 0) -> str:
        """A topic that holds *records* deals from the *first* on; written once per run."""
        name = f"deals.{first}.{records}"
        if name not in self.produced:
            feed.produce(self.bootstrap, name, range(first, first + records))
            self.produced.add(name)
        return name

    def database(self) -> str:
        """Connection string of a fresh, empty database."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        asyncio.run(_execute(self.postgres.dsn, f'CREATE DATABASE "{name}"'))
        return self.postgres.dsn_of(name)

    def drop(self, dsn: str) -> None:
        """Make room on the disk, and settle: what one contestant wrote must not slow the next."""
        name = dsn.rsplit("/", 1)[1]
        asyncio.run(_execute(self.postgres.dsn, f'DROP DATABASE "{name}" WITH (FORCE)'))

    def settle(self) -> None:
        """Write out what is dirty, so that no contestant pays for another's pages."""
        asyncio.run(_execute(self.postgres.dsn, "CHECKPOINT"))

    @contextmanager
    def stand_in(self, *options: str) -> Iterator[StandIn]:
        """A QuickBooks that answers at once, while the block runs."""
        port = child.free_port()
        command = [sys.executable, "-m", "bench.stand_in", "--port", str(port), *options]
        process = subprocess.Popen(command, cwd=ROOT)
        running = StandIn(process, port)
        try:
            _await(running)
            yield running
        finally:
            process.kill()
            process.wait()

    def cpu_seconds(self) -> dict[str, float]:
        """Used so far by the servers."""
        broker = self.kafka.brokers[1].process
        assert broker is not None
        return {
            "kafka": _cpu_of(psutil.Process(broker.pid)),
            "postgres": sum(map(_cpu_of, self._postgres_processes())),
        }

    def _postgres_processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self.postgres.process.pid)
        return [parent, *parent.children(recursive=True)]


def _cpu_of(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system + used.children_user + used.children_system)


def _await(stand_in: StandIn) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            stand_in.counts()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement, timeout=300)
    finally:
        await connection.close()


def fetch_value(dsn: str, query: str) -> int:
    """One number from a contestant's database."""

    async def ask() -> int:
        connection = await asyncpg.connect(dsn)
        try:
            return int(await connection.fetchval(query) or 0)
        finally:
            await connection.close()

    return asyncio.run(ask())


@contextmanager
def world() -> Iterator[World]:
    """Start the servers; everything they wrote is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        kafka = ApacheKafka(heap_megabytes=512)
        with kafka, start_postgres(directory / "postgres", settings=POSTGRES) as postgres:
            yield World(directory, kafka, postgres)
