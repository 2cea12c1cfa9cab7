"""The whole service as a user runs it, for tests: records in on Kafka, documents out in the sandbox.

It runs on the session's Kafka and Postgres (so the same tests pass on Apache Kafka), with a
sandbox and a service process of its own. Nothing here decides anything: it produces, waits until
nothing is left to do, and reads the books and the outcomes.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer

from reconciler.demo.environment import Child, Environment, start_sandbox
from streams.cluster import Cluster
from streams.connection import KafkaConnection
from streams.producer import RecordProducer
from streams.records import OutgoingRecord

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
    more: dict[str, str] = field(default_factory=dict)

    @property
    def topics(self) -> dict[str, str]:
        return {kind: f"{self.prefix}.{kind}" for kind in (*TYPES, "outcomes", "dead")}

    def start(self, **settings: str) -> None:
        """Start the service (again) and wait until it is ready."""
        topics = self.topics
        self.service = self.environment.start_service(
            self.environment.settings(
                self.workflows,
                group_id=self.group,
                topic_deals=topics["deal"],
                topic_quotes=topics["quote"],
                topic_payments=topics["payment"],
                topic_outcomes=topics["outcomes"],
                topic_dead_letters=topics["dead"],
                quickbooks_limits="false",
                **{**self.more, **settings},
            )
        )

    def feed(self, records: Sequence[tuple[str, bytes | None]]) -> None:
        """Produce (object type, value) in order and wait until everything is settled."""
        asyncio.run(self._feed(records))

    async def _feed(self, records: Sequence[tuple[str, bytes | None]]) -> None:
        connection = KafkaConnection(self.environment.kafka)
        async with RecordProducer(connection) as producer:
            await producer.send(
                [OutgoingRecord(self.topics[kind], None, value) for kind, value in records]
            )
        await self.settled()

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
        rows = asyncio.run(
            _fetch(
                self.environment.postgres_dsn,
                "SELECT object_type, object_id, action, state, reason FROM documents",
            )
        )
        return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}

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


async def _fetch(dsn: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement)
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


def snapshot(
    object_id: str,
    properties: Mapping[str, str | None],
    *,
    contacts: Sequence[tuple[str, Mapping[str, str]]] | None = None,
    lines: Sequence[tuple[str, Mapping[str, str]]] | None = None,
    at: str = "2026-03-02T10:00:00.000Z",
) -> bytes:
    """A hydrated REST snapshot as HubSpot gives it; None leaves an association out."""
    associations = {}
    for name, members in (("contacts", contacts), ("line items", lines)):
        if members is not None:
            rows = [{"id": id_, "type": name, "properties": dict(found)} for id_, found in members]
            associations[name] = {"results": rows}
    body = {
        "id": object_id,
        "properties": {**properties, "hs_lastmodifieddate": at},
        "updatedAt": at,
        "archived": False,
        "associations": associations,
    }
    return msgspec.json.encode(body)
