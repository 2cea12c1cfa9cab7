"""Gathers what the checker judges: books, ledger, topics; with plain clients, none of ours.

Reads the sandbox's admin API (the books as QuickBooks holds them), Postgres, and Kafka with
read_committed. Knows nothing of how any of it came about.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

TRANSACTIONS = ("Invoice", "Estimate", "SalesReceipt", "RefundReceipt", "Purchase", "Payment")
NAME_LISTS = ("Customer", "Item")

Entity = dict[str, Any]


@dataclass(frozen=True)
class Places:
    """Where the evidence lies."""

    sandbox_url: str
    realm: str
    dsn: str
    kafka: str
    feed_topics: tuple[str, ...]
    outcomes: str
    dead_letters: str
    group: str


class Published(NamedTuple):
    """An event that a read_committed reader of Kafka sees."""

    topic: str
    sequence: int
    kind: str
    key: str
    body: dict[str, Any]


class Outboxed(NamedTuple):
    """A row of the outbox."""

    sequence: int | None
    document_id: int | None
    kind: str
    is_marked: bool


class Document(NamedTuple):
    """A row of the ledger."""

    document_id: int
    object_type: str
    object_id: str
    action: str
    state: str
    reason: str
    detail: str
    quickbooks_id: str | None


class Letter(NamedTuple):
    """A dead letter."""

    topic: str
    partition: int
    offset: int
    value: bytes
    reason: str


@dataclass
class Evidence:
    """Everything as it was found."""

    books: dict[str, list[Entity]] = field(default_factory=dict)
    trial_balance: Decimal = Decimal(0)
    documents: list[Document] = field(default_factory=list)
    unfinished: int = 0
    outbox: list[Outboxed] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    offsets: dict[tuple[str, int], int | None] = field(default_factory=dict)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)


async def gather(places: Places) -> Evidence:
    """Read everything."""
    evidence = Evidence()
    await _books(places, evidence)
    await _tables(places, evidence)
    await _topics(places, evidence)
    return evidence


async def is_settled(places: Places) -> bool:
    """Nothing is left to read, to send, to look at or to publish."""
    connection = await asyncpg.connect(places.dsn)
    try:
        busy = await connection.fetchval(
            """
            SELECT (SELECT count(*) FROM documents WHERE state IN ('wanted', 'sending'))
                 + (SELECT count(*) FROM operations WHERE state IN ('begun', 'unknown'))
                 + (SELECT count(*) FROM outcomes WHERE published_at IS NULL)
            """
        )
        offsets = await _offsets(connection, places.group)
    finally:
        await connection.close()
    if busy:
        return False
    ends = await _ends(places.kafka, places.feed_topics)
    return all((offsets.get(key) or 0) >= end for key, end in ends.items())


# --- the books -----------------------------------------------------------------------------------


async def _books(places: Places, evidence: Evidence) -> None:
    async with aiohttp.ClientSession() as session:
        names = ",".join((*TRANSACTIONS, *NAME_LISTS))
        url = f"{places.sandbox_url}/admin/books/{places.realm}?entities={names}"
        evidence.books = await _json(session, url)
        balance = await _json(session, f"{places.sandbox_url}/admin/trial-balance/{places.realm}")
        evidence.trial_balance = balance["total"]


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as response:
        return json.loads(await response.text(), parse_float=Decimal, parse_int=Decimal)


# --- the tables ----------------------------------------------------------------------------------


async def _tables(places: Places, evidence: Evidence) -> None:
    connection = await asyncpg.connect(places.dsn)
    try:
        evidence.documents = [
            Document(*row)
            for row in await connection.fetch(
                """
                SELECT document_id, object_type, object_id, action, state, reason, detail,
                       quickbooks_id FROM documents
                """
            )
        ]
        evidence.unfinished = await connection.fetchval(
            "SELECT count(*) FROM operations WHERE state IN ('begun', 'unknown')"
        )
        evidence.outbox = [
            Outboxed(*row)
            for row in await connection.fetch(
                """
                SELECT sequence, document_id, kind, published_at IS NOT NULL
                  FROM outcomes ORDER BY outcome_id
                """
            )
        ]
        evidence.letters = [
            Letter(*row)
            for row in await connection.fetch(
                "SELECT topic, partition, record_offset, record_value, reason FROM dead_letters"
            )
        ]
        evidence.offsets = await _offsets(connection, places.group)
    finally:
        await connection.close()


async def _offsets(connection: Any, group: str) -> dict[tuple[str, int], int | None]:
    rows = await connection.fetch(
        "SELECT topic, partition, next_offset FROM offsets WHERE group_id = $1", group
    )
    return {(row[0], row[1]): row[2] for row in rows}


# --- the topics ----------------------------------------------------------------------------------


async def _topics(places: Places, evidence: Evidence) -> None:
    evidence.ends = await _ends(places.kafka, places.feed_topics)
    records = await read_committed(places.kafka, (places.outcomes, places.dead_letters))
    for record in records:
        headers = dict(record.headers)
        evidence.published.append(
            Published(
                record.topic,
                int(headers["sequence"]),
                headers["kind"].decode(),
                record.key.decode(),
                json.loads(record.value),
            )
        )


async def _ends(kafka: str, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    async with _Reader(kafka, isolation_level="read_uncommitted") as reader:
        ends = await reader.end_offsets(await _partitions(reader, topics))
    return {(key.topic, key.partition): end for key, end in ends.items()}


async def read_committed(kafka: str, topics: Sequence[str]) -> list[Any]:
    """All records that readers of these topics see, up to the end as it is now."""
    async with _Reader(kafka, isolation_level="read_uncommitted") as reader:
        ends = await reader.end_offsets(await _partitions(reader, topics))
    async with _Reader(kafka, isolation_level="read_committed") as reader:
        reader.assign(list(ends))
        await reader.seek_to_beginning(*ends)
        records: list[Any] = []
        async with asyncio.timeout(60):
            while any([await reader.position(key) < end for key, end in ends.items()]):
                polled = await reader.getmany(timeout_ms=200)
                records += [record for part in polled.values() for record in part]
    return records


async def _partitions(reader: Any, topics: Sequence[str]) -> list[TopicPartition]:
    await reader._client.force_metadata_update()
    for topic in topics:
        await reader._client.add_topic(topic)
    cluster = reader._client.cluster
    return [TopicPartition(t, p) for t in topics for p in cluster.partitions_for_topic(t) or ()]


class _Reader:
    """A consumer in no group, closed at the end."""

    def __init__(self, kafka: str, **options: Any) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=kafka, **options)

    async def __aenter__(self) -> Any:
        await self._consumer.start()
        return self._consumer

    async def __aexit__(self, *_error: object) -> None:
        await self._consumer.stop()
