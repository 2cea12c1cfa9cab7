"""The journal poller: every event is on Kafka before the offset moves, and a loss is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest

from reconciler.demo.environment import start_command
from reconciler.errors import FeedBroken, HubSpotBusy, UndecodableRecord
from reconciler.hubspot.client import open_session
from reconciler.hubspot.journal import Journal, JournalAccess
from reconciler.model import ObjectType
from reconciler.ports.hubspot import JournalEntry, JournalSource
from reconciler.service.feeds import Feeding, _poll
from reconciler.settings import Settings
from store.journal import JournalOffsetStore
from streams.connection import KafkaConnection, KafkaUnavailable
from streams.formats import TopicSettings, decode
from streams.journal import JournalPoller
from streams.producer import RecordProducer
from streams.records import OutgoingRecord, Record
from streams.routing import Routes
from tests.feed import NewTopic, committed_values
from tests.hubspot_process import HubSpotServer, hubspot_process

DAYS = 86_400


@pytest.fixture
def hubspot(tmp_path: Path) -> Iterator[HubSpotServer]:
    with hubspot_process(tmp_path) as server:
        yield server


@dataclass
class Seen:
    """What the poller tells of itself."""

    types: dict[str, int] = field(default_factory=dict)
    ends: int = 0

    def events(self, object_type: str, count: int) -> None:
        self.types[object_type] = self.types.get(object_type, 0) + count

    def journal_read(self, at_seconds: float) -> None:
        assert at_seconds > 0
        self.ends += 1


@dataclass
class CutOff:
    """A producer that writes, and then says that it does not know."""

    producer: RecordProducer
    cuts: int

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        await self.producer.send(records)
        if self.cuts:
            self.cuts -= 1
            raise KafkaUnavailable("no acknowledgement")


@dataclass
class Garbled:
    """A journal whose first files come otherwise than they were written."""

    journal: JournalSource
    files: list[bytes]

    async def after(self, offset: str | None) -> JournalEntry | None:
        return await self.journal.after(offset)

    async def file(self, entry: JournalEntry) -> bytes:
        return self.files.pop() if self.files else await self.journal.file(entry)


@dataclass
class Polling:
    """A poller, and what it works with."""

    poller: JournalPoller
    store: JournalOffsetStore
    pool: asyncpg.Pool
    seen: Seen

    async def to_end(self) -> None:
        while await self.poller.once():
            pass

    async def aged(self, seconds: float) -> None:
        """Let so much time pass since the journal was last read."""
        await self.pool.execute(
            "UPDATE journal_offsets SET read_at = now() - make_interval(secs => $1)", seconds
        )


Poll = Callable[..., Any]


@pytest.fixture
def poll(hubspot: HubSpotServer, kafka: KafkaConnection, database_dsn: str) -> Poll:
    """Opens a poller of the server's journal onto a topic."""

    @asynccontextmanager
    async def opened(topic: str, cuts: int = 0) -> AsyncIterator[Polling]:
        access = JournalAccess(hubspot.url, "/webhooks-journal/journal/2026-03", "id", "secret")
        async with (
            open_session() as session,
            asyncpg.create_pool(database_dsn, min_size=1, max_size=2) as pool,
            RecordProducer(kafka) as producer,
        ):
            store, seen = JournalOffsetStore(pool, "app"), Seen()
            routes = Routes({ObjectType.DEAL: topic})
            poller = JournalPoller(
                Journal(session, access), store, CutOff(producer, cuts), routes, seen
            )
            yield Polling(poller, store, pool, seen)

    return opened


def events(*ids: int) -> dict[str, Any]:
    return {
        "events": [
            {
                "portalId": 4711,
                "objectTypeId": "0-3",
                "objectId": id_,
                "action": "UPDATE",
                "occurredAt": 1_790_000_001_000 + id_,
                "propertyChanges": {"dealstage": "closedwon"},
            }
            for id_ in ids
        ]
    }


async def ids(kafka: KafkaConnection, topic: str) -> list[int]:
    return [msgspec.json.decode(v)["objectId"] for v in await committed_values(kafka, topic)]


async def test_every_file_is_read_in_order_and_once(
    hubspot: HubSpotServer, poll: Poll, kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """From the earliest entry on; a poller started later goes on where the former stopped, with a
    token of its own after the old one ran out."""
    topic = await new_topic()
    async with poll(topic) as first:
        assert not await first.poller.once()
        await hubspot.admin("journal", events(1, 2))
        await hubspot.admin("journal", events(3))
        await first.to_end()
        await hubspot.admin("tokens", {})
        with pytest.raises(HubSpotBusy):
            await first.poller.once()
        assert not await first.poller.once()
        assert first.seen.types == {"deal": 3}
    await hubspot.admin("journal", events(4))
    async with poll(topic) as second:
        await second.to_end()
        assert second.seen.ends == 1
    assert await ids(kafka, topic) == [1, 2, 3, 4]


async def test_what_was_perhaps_not_kept_is_read_again(
    hubspot: HubSpotServer, poll: Poll, kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """Without Kafka's acknowledgement the offset stays: a file may come twice, never not at all."""
    topic = await new_topic()
    await hubspot.admin("journal", events(1, 2))
    async with poll(topic, cuts=1) as polling:
        with pytest.raises(KafkaUnavailable):
            await polling.poller.once()
        assert await polling.store.position() is None
        await polling.to_end()
    assert await ids(kafka, topic) == [1, 2, 1, 2]


async def test_events_forgotten_before_they_were_read_are_told(
    hubspot: HubSpotServer, poll: Poll, kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """After more than three days away it stops with what to do, and goes on only when told to."""
    topic = await new_topic()
    await hubspot.admin("journal", events(1))
    async with poll(topic) as polling:
        await polling.to_end()
        await hubspot.admin("journal", events(2))
        await hubspot.admin("journal", {**events(3), "forget": 2})
        await polling.aged(3.5 * DAYS)
        with pytest.raises(FeedBroken, match=r"3\.5 days ago.*--accept-loss"):
            await polling.poller.once()
        await polling.store.forget()
        await polling.to_end()
    assert await ids(kafka, topic) == [1, 3]


async def test_a_backlog_that_expires_while_it_is_read_is_told(
    hubspot: HubSpotServer, poll: Poll, new_topic: NewTopic
) -> None:
    """Having just read a file of a backlog is not having read all: what expired next is a loss."""
    async with poll(await new_topic()) as polling:
        for n in range(4):
            await hubspot.admin("journal", events(n))
        assert await polling.poller.once()
        await hubspot.admin("journal", {"forget": 3})
        with pytest.raises(FeedBroken):
            await polling.poller.once()


async def test_a_quiet_journal_is_no_loss(
    hubspot: HubSpotServer, poll: Poll, kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """An offset that expires while nothing is published is no loss: all that came since is there."""
    topic = await new_topic()
    await hubspot.admin("journal", events(1))
    async with poll(topic) as polling:
        await polling.to_end()
        await polling.aged(5 * DAYS)
        await polling.to_end()  # the end is seen: nothing was published in all that time
        await hubspot.admin("journal", {"events": [], "forget": 1})
        await hubspot.admin("journal", {**events(2), "forget": 1})
        await polling.to_end()
    assert await ids(kafka, topic) == [1, 2]


async def test_two_pollers_lose_nothing(
    hubspot: HubSpotServer, poll: Poll, kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """Both may put a file on Kafka, but the offset never goes back or past a file."""
    topic = await new_topic()
    for n in range(20):
        await hubspot.admin("journal", events(n))
    async with poll(topic) as one, poll(topic) as other, asyncio.TaskGroup() as tasks:
        tasks.create_task(one.to_end())
        tasks.create_task(other.to_end())
    assert set(await ids(kafka, topic)) == set(range(20))


async def test_a_file_larger_than_a_record_is_kept_in_parts(
    hubspot: HubSpotServer, poll: Poll, kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """What is not understood is kept whole for a person, whatever its size, and the next is read."""
    topic = await new_topic()
    whole = b"<html>%s</html>" % (b"x" * 2_500_000)
    await hubspot.admin("journal", events())
    await hubspot.admin("journal", events(1))
    async with poll(topic) as polling:
        polling.poller.source = Garbled(polling.poller.source, [whole])
        await polling.to_end()
        assert polling.seen.types == {"unreadable": 3, "deal": 1}
    *parts, event = await committed_values(kafka, topic)
    assert msgspec.json.decode(event)["objectId"] == 1
    titles, bodies = zip(*(part.split(b"\n", 1) for part in parts), strict=True)
    assert titles == tuple(b"part %d of 3, of 2500013 bytes" % n for n in (1, 2, 3))
    assert b"".join(bodies) == whole
    for part in parts:
        with pytest.raises(UndecodableRecord):
            decode(Record(topic, 0, 0, 1_790_000_000_000, None, part), TopicSettings())


async def test_what_this_kafka_does_not_take_stops_no_process(
    hubspot: HubSpotServer,
    poll: Poll,
    kafka: KafkaConnection,
    new_topic: NewTopic,
    tmp_path: Path,
) -> None:
    """A broker that takes less than usual: reading stands still before the entry, and says why."""
    (tmp_path / "workflows.yaml").touch()
    feeding = Feeding(Settings(workflows=tmp_path / "workflows.yaml"))
    await hubspot.admin("journal", events(1))
    narrow = RecordProducer(kafka, max_request_bytes=100)
    async with poll(await new_topic()) as polling, narrow:
        polling.poller.producer = narrow
        task = asyncio.create_task(_poll(feeding, polling.poller))
        async with asyncio.timeout(10):
            while "journal" not in feeding.health.not_ready:
                await asyncio.sleep(0.01)
        assert "RecordTooLarge" in feeding.health.not_ready["journal"]
        assert not task.done()
        assert await polling.store.position() is None
        task.cancel()


@pytest.fixture
def settings(
    hubspot: HubSpotServer,
    kafka: KafkaConnection,
    kafka_bootstrap: str,
    database_dsn: str,
    topic_prefix: str,
    tmp_path: Path,
) -> dict[str, str]:
    """Those of a poller that is a process."""
    (tmp_path / "workflows.yaml").touch()
    return {
        "workflows": str(tmp_path / "workflows.yaml"),
        "kafka_bootstrap_servers": kafka_bootstrap,
        "postgres_dsn": database_dsn,
        "hubspot_base_url": hubspot.url,
        "hubspot_client_id": "app",
        "hubspot_client_secrets": "secret",
        "topic_deals": f"{topic_prefix}deals",
        "topic_quotes": "",
        "topic_payments": "",
    }


async def test_the_poller_as_a_process(
    hubspot: HubSpotServer, database_dsn: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    """It reads, says how far, and after a loss stays up and unhealthy for a person to see."""
    await hubspot.admin("journal", events(1))
    child = start_command(tmp_path, ["poll-journal"], settings, "journal")
    try:
        child.wait_until("/readyz")
        text = ""
        while 'reconciler_feed_events_total{object_type="deal"} 1.0' not in text:
            text = await _get(f"{child.url}/metrics")
        await hubspot.admin("journal", {"events": [], "forget": 2})
        connection = await asyncpg.connect(database_dsn)
        await connection.execute("UPDATE journal_offsets SET read_at = now() - interval '4 days'")
        await connection.close()
        while "reconciler_journal_lost 1.0" not in await _get(f"{child.url}/metrics"):
            await asyncio.sleep(0.05)
        assert "--accept-loss" in await _get(f"{child.url}/healthz")
        assert child.stop() == 0
    finally:
        child.stop()


async def test_a_poller_that_hubspot_refuses_shows_since_when(
    poll: Poll, new_topic: NewTopic, tmp_path: Path, settings: dict[str, str]
) -> None:
    """Its last reading is two hours old when it starts, and gets older: what ReconcilerJournalBehind asks."""
    async with poll(await new_topic()) as polling:
        await polling.pool.execute(
            """
            INSERT INTO journal_offsets (name, journal_offset, read_at)
            VALUES ('app/webhooks-journal/journal/2026-03', '1', now() - interval '2 hours')
            """
        )
        refused = settings | {"hubspot_base_url": "http://127.0.0.1:9"}
        child = start_command(tmp_path, ["poll-journal"], refused, "journal")
        try:
            child.wait_until("/metrics")
            while "journal" not in (await _get(f"{child.url}/readyz")):
                await asyncio.sleep(0.05)
            name, text = (
                "reconciler_journal_read_timestamp_seconds ",
                await _get(f"{child.url}/metrics"),
            )
            (shown,) = [each for each in text.splitlines() if each.startswith(name)]
            assert time.time() - float(shown.removeprefix(name)) == pytest.approx(7200, abs=120)
        finally:
            child.stop()


async def _get(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()
