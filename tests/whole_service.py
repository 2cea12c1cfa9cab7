"""The whole service as a user runs it, for tests: records in on Kafka, documents out in the sandbox.

It runs on the session's Kafka and Postgres (so the same tests pass on Apache Kafka), with a
sandbox and a service process of its own. Nothing here decides anything: it produces, waits until
nothing is left to do, and reads the books and the outcomes.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from reconciler.demo.environment import Child, Environment, start_sandbox
from streams.cluster import Cluster
from streams.connection import KafkaConnection
from streams.producer import RecordProducer
from streams.records import OutgoingRecord
from tests import servers
from tests.sandbox_process import Sandbox

TYPES = ("deal", "quote", "payment")
SETTLE_SECONDS = 90.0
Entity = dict[str, Any]


@dataclass
class WholeService:
    """One service with its surroundings; topics and group are its own."""

    environment: Environment
    workflows: Path
    prefix: str
    group: str
    service: Child | None = None

    @property
    def sandbox(self) -> Sandbox:
        return Sandbox(self.environment.sandbox.url)

    @property
    def topics(self) -> dict[str, str]:
        return {kind: f"{self.prefix}.{kind}" for kind in (*TYPES, "outcomes", "dead")}

    def settings(self, **more: str) -> dict[str, str]:
        """What the service, and a command beside it, are told."""
        topics = self.topics
        return self.environment.settings(
            self.workflows,
            group_id=self.group,
            topic_deals=topics["deal"],
            topic_quotes=topics["quote"],
            topic_payments=topics["payment"],
            topic_outcomes=topics["outcomes"],
            topic_dead_letters=topics["dead"],
            **more,
        )

    def start(self, **settings: str) -> None:
        """Start the service (again) and wait until it is ready."""
        settings = {"quickbooks_limits": "false", **settings}
        self.service = self.environment.start_service(self.settings(**settings))

    def stop(self) -> None:
        """Stop the service as an orchestrator does."""
        assert self.service is not None
        self.service.stop()

    def feed(self, records: Sequence[tuple[str, bytes | None]]) -> None:
        """Produce (object type, value) in order and wait until everything is settled."""
        self.produce(records)
        self.settle()

    def produce(self, records: Sequence[tuple[str, bytes | None]]) -> None:
        """Produce (object type, value) in order."""
        asyncio.run(self._produce(records))

    async def _produce(self, records: Sequence[tuple[str, bytes | None]]) -> None:
        connection = KafkaConnection(self.environment.kafka)
        async with RecordProducer(connection) as producer:
            await producer.send(
                [OutgoingRecord(self.topics[kind], None, value) for kind, value in records]
            )

    def settle(self) -> None:
        """Wait until everything is read and nothing is wanted or in the air."""
        asyncio.run(self.settled())

    async def settled(self) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        pool = await asyncpg.create_pool(self.environment.postgres_dsn, min_size=1, max_size=1)
        try:
            async with Cluster(KafkaConnection(self.environment.kafka)) as cluster:
                while not await self._is_settled(pool, cluster):
                    if time.monotonic() > deadline:
                        tail = self.service.tail() if self.service else ""
                        raise AssertionError(f"not settled; the service's log ends:\n{tail}")
                    await asyncio.sleep(0.05)
        finally:
            await pool.close()

    async def _is_settled(self, pool: asyncpg.Pool, cluster: Cluster) -> bool:
        feed = [self.topics[kind] for kind in TYPES]
        ends = await cluster.end_offsets(await cluster.partitions(feed))
        read = dict(
            await pool.fetch(
                "SELECT topic || ':' || partition, coalesce(next_offset, 0) FROM offsets WHERE group_id = $1",
                self.group,
            )
        )
        behind = any(end > read.get(f"{p.topic}:{p.number}", 0) for p, end in ends.items())
        busy: int = await pool.fetchval(
            """
            SELECT (SELECT count(*) FROM documents
                     WHERE state = 'sending' OR (state = 'wanted' AND next_attempt_at < now() + '1 h'))
                 + (SELECT count(*) FROM outcomes WHERE published_at IS NULL)
            """
        )
        return not behind and not busy

    # --- what came of it -----------------------------------------------------------------------

    def books(self, realm_id: str) -> dict[str, list[Entity]]:
        """Every entity of a company, by type."""
        return asyncio.run(_get(f"{self.environment.sandbox.url}/admin/books/{realm_id}"))

    def ledger(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        """State and reason by (object type, object id, action)."""
        rows = self.sql("SELECT object_type, object_id, action, state, reason FROM documents")
        return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}

    def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of a statement on the store."""
        return asyncio.run(_fetch(self.environment.postgres_dsn, statement, *arguments))

    def first(self, statement: str) -> int:
        """The statement's one number, as soon as it is not zero."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while not (found := int(self.sql(statement)[0][0])):
            assert time.monotonic() < deadline, f"still nothing: {statement}"
            time.sleep(0.02)
        return found

    def outcomes(self) -> list[Entity]:
        """Every outcome that a read_committed reader sees, in order of reading."""
        return asyncio.run(self._outcomes())

    async def _outcomes(self) -> list[Entity]:
        consumer = AIOKafkaConsumer(
            self.topics["outcomes"],
            bootstrap_servers=self.environment.kafka,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            found: list[Entity] = []
            while polled := await consumer.getmany(timeout_ms=1500):
                found += [
                    msgspec.json.decode(r.value) for records in polled.values() for r in records
                ]
            return found
        finally:
            await consumer.stop()


async def _get(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.json()


async def _fetch(dsn: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
        return rows
    finally:
        await connection.close()


@contextmanager
def whole_service(
    directory: Path, kafka: str, dsn: str, workflows: str, companies: Sequence[str]
) -> Iterator[WholeService]:
    """A sandbox, and a service ready to be started, on a Kafka and a database that run already."""
    path = directory / "workflows.yaml"
    path.write_text(workflows, encoding="utf-8")
    sandbox = start_sandbox(directory, companies, "--no-limits")
    environment = Environment(directory, dsn, kafka, sandbox, "any")
    try:
        prefix = f"t{uuid.uuid4().hex[:10]}"
        yield WholeService(environment, path, prefix, group=prefix)
    finally:
        for child in [*environment.services, sandbox]:
            child.stop()


NewService = Callable[..., WholeService]


@pytest.fixture(scope="module")
def new_service(
    kafka_bootstrap: str,
    postgres_server: servers.PostgresServer,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[NewService]:
    """Makes a service ready to be started from workflows and companies (REALM:COUNTRY:CURRENCY)."""
    with ExitStack() as stack:

        def make(workflows: str, *companies: str) -> WholeService:
            name = stack.enter_context(servers.database(postgres_server, template_database))
            directory, dsn = tmp_path_factory.mktemp("service"), postgres_server.dsn_of(name)
            return stack.enter_context(
                whole_service(directory, kafka_bootstrap, dsn, workflows, companies)
            )

        yield make
