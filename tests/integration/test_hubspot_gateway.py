"""The webhook gateway: believed, kept on Kafka and only then answered 200."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from reconciler.demo.environment import Child, free_port, start_command
from reconciler.model import ObjectType
from reconciler.running.http import serve
from streams.cluster import Cluster
from streams.connection import KafkaConnection
from streams.embedded import EmbeddedBroker, start_broker
from streams.gateway import PATH, Gateway, GatewaySettings
from streams.producer import RecordProducer
from tests.feed import committed_values
from tests.hubspot_signing import SECRET, deal_event, delivery, headers
from tests.kafka_apache import ApacheKafka

PUBLIC_URL = "https://hooks.example.com/hubspot/webhooks"
MAX_BODY = 64 * 1024


@dataclass
class Counted:
    """Counts what the gateway tells of itself."""

    results: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0
    types: dict[str, int] = field(default_factory=dict)

    def request(self, result: str, seconds: float) -> None:
        self.results[result] = self.results.get(result, 0) + 1
        self.slowest = max(self.slowest, seconds)

    def events(self, object_type: str, count: int) -> None:
        self.types[object_type] = self.types.get(object_type, 0) + count


@dataclass
class Running:
    """A gateway in this process."""

    url: str
    gateway: Gateway
    counted: Counted
    session: aiohttp.ClientSession

    async def deliver(self, body: bytes, sent: Mapping[str, str] | None = None) -> int:
        """Send a delivery, signed unless its headers are given; answers the status."""
        signed = headers(PUBLIC_URL, body) if sent is None else sent
        sent_body = io.BytesIO(body)  # aiohttp warns of large ones given as bytes
        async with self.session.post(self.url, data=sent_body, headers=signed) as response:
            return response.status


@asynccontextmanager
async def running(kafka: KafkaConnection, topic: str, **options: Any) -> AsyncIterator[Running]:
    settings = GatewaySettings(
        (SECRET.encode(),), {ObjectType.DEAL: topic}, public_url=PUBLIC_URL,
        **{"max_body_bytes": MAX_BODY, **options},
    )  # fmt: skip
    producer = RecordProducer(
        kafka, delivery_timeout=timedelta(seconds=1), patience=timedelta(seconds=1)
    )
    counted = Counted()
    gateway = Gateway(settings, producer, counted)
    async with (
        producer,
        gateway.opened() as app,
        serve(app, "127.0.0.1", 0, setting="port") as port,
        aiohttp.ClientSession() as session,
    ):
        yield Running(f"http://127.0.0.1:{port}{PATH}", gateway, counted, session)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker that the test may pause."""
    with start_broker(tmp_path) as broker:
        yield broker


def pause(broker: EmbeddedBroker) -> None:
    """Stop the broker where it stands; returns once the kernel has."""
    broker.process.send_signal(signal.SIGSTOP)
    os.waitpid(broker.process.pid, os.WUNTRACED)


async def create(kafka: KafkaConnection, topic: str) -> None:
    async with Cluster(kafka) as cluster:
        await cluster.ensure_topics([topic])


def ids(values: list[bytes]) -> list[int]:
    return [msgspec.json.decode(value)["objectId"] for value in values]


# --- what is believed ----------------------------------------------------------------------------


async def test_forged_replayed_and_oversized_deliveries_are_refused(
    kafka: KafkaConnection, topic_prefix: str
) -> None:
    """Nothing of a delivery that HubSpot did not sign just now, or that is too large, is kept."""
    topic = f"{topic_prefix}deals"
    await create(kafka, topic)
    good = delivery(deal_event(1), deal_event(2))
    async with running(kafka, topic) as gateway:
        signed = headers(PUBLIC_URL, good)
        assert await gateway.deliver(delivery(deal_event(3)), signed) == 401
        assert await gateway.deliver(good, {}) == 401
        assert await gateway.deliver(good, headers(PUBLIC_URL, good, secret="guess")) == 401
        assert await gateway.deliver(good, headers(gateway.url, good)) == 401
        assert await gateway.deliver(good, headers(PUBLIC_URL, good, age_ms=300_001)) == 401
        assert await gateway.deliver(good, headers(PUBLIC_URL, good, age_ms=-31_000)) == 401
        large = delivery(deal_event(4, propertyValue="x" * MAX_BODY))
        assert await gateway.deliver(large) == 413
        assert await _chunked(gateway, large) == 413
        assert await gateway.deliver(b"[1,") == 400
        assert await committed_values(kafka, topic) == []
        assert await gateway.deliver(good, signed) == 200
        assert ids(await committed_values(kafka, topic)) == [1, 2]
    assert gateway.counted.types == {"deal": 2}


async def test_an_event_larger_than_a_record_is_kept_in_parts(
    kafka: KafkaConnection, topic_prefix: str
) -> None:
    """HubSpot sends it with others, which would be lost with it after ten attempts."""
    topic = f"{topic_prefix}deals"
    await create(kafka, topic)
    large = deal_event(2, propertyValue="x" * 1_500_000)
    async with running(kafka, topic, max_body_bytes=4_000_000) as gateway:
        assert await gateway.deliver(delivery(deal_event(1), large, deal_event(3))) == 200
    before, *parts, after = await committed_values(kafka, topic)
    assert ids([before, after]) == [1, 3]
    titles, bodies = zip(*(part.split(b"\n", 1) for part in parts), strict=True)
    assert [title[:11] for title in titles] == [b"part 1 of 2", b"part 2 of 2"]
    assert msgspec.json.decode(b"".join(bodies))["objectId"] == 2
    assert gateway.counted.types == {"deal": 2, "unreadable": 2}


async def test_a_delivery_sent_again_on_the_way_is_kept_once(
    kafka: KafkaConnection, topic_prefix: str
) -> None:
    """The same signed request within five minutes adds nothing; HubSpot's own retry is signed anew."""
    topic = f"{topic_prefix}deals"
    await create(kafka, topic)
    body = delivery(deal_event(1))
    async with running(kafka, topic) as gateway:
        signed = headers(PUBLIC_URL, body)
        assert [await gateway.deliver(body, signed) for _ in range(3)] == [200, 200, 200]
        assert gateway.counted.results == {"kept": 1, "repeated": 2}
        assert await gateway.deliver(delivery(deal_event(1, attemptNumber=1))) == 200
    assert ids(await committed_values(kafka, topic)) == [1, 1]


async def test_a_body_that_does_not_come_is_not_waited_for(
    kafka: KafkaConnection, topic_prefix: str
) -> None:
    """A sender that stops in the middle is answered 408 at the deadline and frees its room."""
    topic = f"{topic_prefix}deals"
    await create(kafka, topic)
    async with running(kafka, topic, deadline=timedelta(milliseconds=200)) as gateway:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(gateway.url.split(":")[2].split("/")[0])
        )
        lines = [f"POST {PATH} HTTP/1.1", "Host: h", "Content-Length: 100"]
        lines += [f"{k}: {v}" for k, v in headers(PUBLIC_URL, b"").items()]
        writer.write("\r\n".join([*lines, "", "[half"]).encode())
        assert b" 408 " in await reader.readline()
        writer.close()
        assert gateway.gateway._bytes == 0


async def test_what_is_not_http_is_answered_and_not_logged(
    kafka: KafkaConnection, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The port is open to the world, whose scanners would fill the log with tracebacks."""
    topic = f"{topic_prefix}deals"
    await create(kafka, topic)
    chunked = (
        f"POST {PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".encode()
    )
    async with running(kafka, topic) as gateway:
        port = int(gateway.url.split(":")[2].split("/")[0])
        for sent in (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", chunked):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert b" 400 " in await reader.readline()
            writer.close()
    assert "Traceback" not in caplog.text


async def test_a_body_that_breaks_off_or_is_garbled_is_no_error_of_ours(
    kafka: KafkaConnection, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted like any other that is refused, and logged as an error of the server nowhere:
    anybody can send as many as they like."""
    topic = f"{topic_prefix}deals"
    await create(kafka, topic)
    async with running(kafka, topic) as gateway:
        garbled = b"not what the header says"
        signed = headers(PUBLIC_URL, garbled) | {"Content-Encoding": "gzip"}
        async with gateway.session.post(gateway.url, data=garbled, headers=signed) as response:
            assert response.status == 400
        port = int(gateway.url.split(":")[2].split("/")[0])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [f"POST {PATH} HTTP/1.1", "Host: h", "Content-Length: 100"]
        lines += [f"{k}: {v}" for k, v in headers(PUBLIC_URL, b"").items()]
        writer.write("\r\n".join([*lines, "", "[half"]).encode())
        await writer.drain()
        while not gateway.gateway._requests:
            await asyncio.sleep(0)
        writer.close()
        while gateway.gateway._requests:
            await asyncio.sleep(0)
    assert gateway.counted.results == {"garbled": 1, "slow": 1}
    assert "Error handling request" not in caplog.text


async def _chunked(gateway: Running, body: bytes) -> int:
    """Send without saying how long it is."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 8192):
            yield body[start : start + 8192]

    try:
        async with gateway.session.post(
            gateway.url, data=chunks(), headers=headers(PUBLIC_URL, body)
        ) as response:
            return response.status
    except aiohttp.ClientConnectionError:  # it hung up on us in the middle, as it may
        return 413


# --- what is kept --------------------------------------------------------------------------------


async def test_an_outage_during_a_burst_loses_nothing_answered_200(
    own_broker: EmbeddedBroker,
) -> None:
    """While the broker stands still deliveries get 503 within HubSpot's five seconds; sent again,
    as HubSpot does, each is kept; and whatever got 200, before, during or after, is there."""
    await _burst(
        own_broker.bootstrap,
        lambda: pause(own_broker),
        lambda: own_broker.process.send_signal(signal.SIGCONT),
    )


async def test_a_killed_broker_during_a_burst_loses_nothing_answered_200(real_kafka: None) -> None:
    """The same with Apache Kafka killed and started again: its log keeps what it acknowledged."""
    with ApacheKafka() as kafka:
        await _burst(
            kafka.bootstrap,
            lambda: kafka.kill(1),
            lambda: kafka.restart(1),
        )


async def _burst(bootstrap: str, stop: Callable[[], object], go_on: Callable[[], object]) -> None:
    kafka = KafkaConnection(bootstrap)
    await create(kafka, "deals")
    answered: dict[int, list[int]] = {n: [] for n in range(120)}
    async with running(kafka, "deals") as gateway:

        async def send(number: int) -> None:
            for attempt in range(100):
                body = delivery(deal_event(number, attemptNumber=attempt))
                answered[number].append(await gateway.deliver(body))
                if answered[number][-1] == 200:
                    return
                await asyncio.sleep(0.25)  # HubSpot waits longer

        async def recover() -> None:
            while not gateway.gateway.not_ready:
                await asyncio.sleep(0)
            await asyncio.to_thread(go_on)

        async with asyncio.TaskGroup() as tasks:
            for number in answered:
                tasks.create_task(send(number))
                await asyncio.sleep(0.005)
                if number == 40:
                    stop()
                    tasks.create_task(recover())
    assert gateway.counted.slowest < 5
    assert all(statuses[-1] == 200 for statuses in answered.values())
    refused = [status for statuses in answered.values() for status in statuses if status != 200]
    assert refused
    assert set(refused) == {503}
    assert set(ids(await committed_values(kafka, "deals"))) == answered.keys()
    assert not gateway.gateway.not_ready


async def test_what_there_is_no_room_for_is_refused_at_once(own_broker: EmbeddedBroker) -> None:
    """With one delivery under way of at most one, the next is told to come again later."""
    kafka = KafkaConnection(own_broker.bootstrap)
    await create(kafka, "deals")
    async with running(kafka, "deals", most_requests=1) as gateway:
        pause(own_broker)
        body = delivery(deal_event(1))
        async with asyncio.TaskGroup() as tasks:
            held = tasks.create_task(gateway.deliver(body))
            while not gateway.gateway._requests:
                await asyncio.sleep(0)
            started = time.monotonic()
            async with gateway.session.post(
                gateway.url, data=body, headers=headers(PUBLIC_URL, body)
            ) as response:
                assert response.status == 503
                assert int(response.headers["Retry-After"]) > 0
            assert time.monotonic() - started < 0.5
        assert held.result() == 503
        own_broker.process.send_signal(signal.SIGCONT)
    assert gateway.counted.results["overloaded"] == 1


# --- the process ---------------------------------------------------------------------------------


@pytest.fixture
def process(kafka_bootstrap: str, topic_prefix: str, tmp_path: Path) -> Iterator[tuple[Child, str]]:
    """`reconciler gateway`, its monitoring and the URL that HubSpot would call."""
    workflows = tmp_path / "workflows.yaml"
    workflows.touch()
    port = free_port()
    settings = {
        "workflows": str(workflows),
        "kafka_bootstrap_servers": kafka_bootstrap,
        "hubspot_client_secrets": f"old one, {SECRET}",
        "topic_deals": f"{topic_prefix}deals",
        "topic_quotes": "",
        "topic_payments": "",
        "gateway_host": "127.0.0.1",
        "gateway_port": str(port),
    }
    child = start_command(tmp_path, ["gateway"], settings, "gateway")
    try:
        child.wait_until("/readyz")
        yield child, f"http://127.0.0.1:{port}{PATH}"
    finally:
        child.stop()


async def test_the_gateway_as_a_process(
    process: tuple[Child, str], kafka: KafkaConnection, topic_prefix: str
) -> None:
    """It serves deliveries, health and its own metrics, and stops in order on SIGTERM."""
    child, url = process
    body = delivery(deal_event(5))
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=body, headers=headers(url, body)) as response:
            assert response.status == 200, await response.text()
        async with session.post(url, data=body) as response:
            assert await response.json() == {"result": "refused"}
        async with session.get(f"{child.url}/metrics") as response:
            text = await response.text()
    assert 'reconciler_gateway_requests_total{result="kept"} 1.0' in text
    assert 'reconciler_gateway_requests_total{result="unsigned"} 1.0' in text
    assert 'reconciler_feed_events_total{object_type="deal"} 1.0' in text
    partitions = [await committed_values(kafka, f"{topic_prefix}deals", n) for n in range(3)]
    assert [each for values in partitions for each in ids(values)] == [5]
    assert child.stop() == 0
    assert "gateway stopped" in child.tail()
