"""The log is not the one that was being read: intake stops and says so, and the rest goes on.

What the reader notices is tested in `tests/integration/test_streams_consumer.py`; here it is what
the service makes of it, and what an operator sees.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import asyncpg
import pytest

from reconciler.demo.environment import Child
from streams.cluster import Cluster
from streams.connection import KafkaConnection
from tests.faults.feed import Writer
from tests.faults.stage import NotSettled, Scene, counter
from tests.integration.test_streams_cluster import delete_topic

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150), pytest.mark.usefixtures("real_kafka")]


async def until(holds: Callable[[], bool], child: Child, seconds: float = 45.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise NotSettled(f"it did not come true in {seconds:g} s: {child.tail()}")
        await asyncio.sleep(0.2)


def broken(child: Child) -> str:
    """Why intake stopped, as /healthz says it; "" while it is well."""
    try:
        with urllib.request.urlopen(f"{child.url}/healthz", timeout=5):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        with error:
            said: str = json.loads(error.read())["broken"].get("intake", "")
            return said
    except OSError:
        return ""  # it is starting


async def created(stage: Scene) -> int:
    """How many documents the ledger calls created."""
    connection = await asyncpg.connect(stage.places.dsn)
    try:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM documents WHERE state = 'created'"
        )
        return found
    finally:
        await connection.close()


async def test_a_topic_recreated_under_the_service(stage: Scene) -> None:
    """An alert and no silence; what the ledger already wants is created all the same."""
    unanswered = {"kind": "drop_before_commit", "operation": "batch", "realm": stage.places.realm}
    fault = await stage.admin("POST", "faults", unanswered)
    child = stage.start()
    feed = Writer(11).some(1)
    await stage.produce(feed)
    read = "reconciler_intake_records_total"
    await until(lambda: counter(child, read) >= len(feed.records), child)
    kafka, topic = KafkaConnection(stage.places.kafka), stage.places.feed_topics[0]
    await delete_topic(kafka, topic)
    async with Cluster(kafka) as cluster:
        await cluster.ensure_topics([topic], partitions=3)
    await until(lambda: bool(broken(child)), child)
    assert topic in broken(child)
    assert counter(child, "reconciler_feed_broken") == 1
    await stage.admin("DELETE", f"faults/{fault['id']}")
    expected = sum(each.state == "created" for each in feed.expected)
    deadline = time.monotonic() + 45
    while await created(stage) < expected:
        assert time.monotonic() < deadline, child.tail()
        await asyncio.sleep(0.2)


async def test_a_topic_recreated_while_the_service_was_down(stage: Scene) -> None:
    """Nothing of the new topic is taken for the old one's, at the same offsets or beyond; it counts
    once a person says so, and then nothing of the old one is made again."""
    child = stage.start()
    feed = Writer(12).some(1)
    await stage.produce(feed)
    await stage.settle()
    before = (await stage.verdict()).counts
    child.stop()
    kafka = KafkaConnection(stage.places.kafka)
    for topic in stage.places.feed_topics:
        await delete_topic(kafka, topic)
    async with Cluster(kafka) as cluster:
        await cluster.ensure_topics(stage.places.feed_topics, partitions=3)
    later = Writer(13, first_id=5000).some(2)
    await stage.produce(later)
    again = stage.start(ready=False)
    await until(lambda: bool(broken(again)), again)
    assert "created again" in broken(again)
    after = (await stage.verdict()).counts
    assert after["transactions in the books"] == before["transactions in the books"]
    again.stop()
    assert await stage.command("read-anew", *stage.places.feed_topics) == 0
    stage.start()
    await stage.settle()
    stage.produced = feed + later
    assert (await stage.verdict()).is_clean
