"""Receives HubSpot's webhooks and answers 200 only once Kafka holds every event of the request.

Wired by `reconciler.service.feeds` as `reconciler gateway`. HubSpot waits five seconds, then tries again,
ten times within a day, after which the events are gone: so a request that can't be kept in time is
refused with 503 at once rather than held. It decides nothing about the events, keeps none of them,
and believes no request that HubSpot did not sign within the last five minutes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog
from aiohttp import web

from reconciler.errors import RecordTooLarge, UndecodableRecord
from reconciler.model import ObjectType
from streams.connection import KafkaUnavailable
from streams.records import OutgoingRecord
from streams.routing import Routes, delivered, pieces
from streams.signature import SIGNATURE, TIMESTAMP, Recent, Refusal, Signed, premature, refusal

PATH = "/hubspot/webhooks"
RETRY_AFTER_SECONDS = "10"
_KAFKA = "kafka"

_log = structlog.get_logger("reconciler.gateway")


class Observer(Protocol):
    """What the gateway tells of itself (`reconciler.metrics.HubSpotMetrics`)."""

    def request(self, result: str, seconds: float) -> None: ...
    def events(self, object_type: str, count: int) -> None: ...


class Producer(Protocol):
    """`streams.producer.RecordProducer`."""

    async def send(self, records: Sequence[OutgoingRecord]) -> None: ...


@dataclass(frozen=True)
class GatewaySettings:
    """How the gateway is reached, and how much it takes on at once.

    `public_url` is the target URL exactly as it stands in the HubSpot app, which is what HubSpot
    signs; without it the URL of the request itself is taken, which is wrong behind a proxy.
    `deadline` covers reading the body, too, and stays below HubSpot's five seconds.
    """

    secrets: tuple[bytes, ...] = field(repr=False)
    topics: Mapping[ObjectType, str]
    public_url: str = ""
    max_body_bytes: int = 8 * 1024 * 1024
    most_requests: int = 200
    most_bytes: int = 64 * 1024 * 1024
    deadline: timedelta = timedelta(seconds=4)


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the word by which the request is counted."""

    status: int
    result: str


_KEPT = Answer(200, "kept")
_REPEATED = Answer(200, "repeated")
_UNREADABLE = Answer(400, "unreadable")
_GARBLED = Answer(400, "garbled")
_SLOW = Answer(408, "slow")
_TOO_LARGE = Answer(413, "too_large")
_OVERLOADED = Answer(503, "overloaded")
_NOT_KEPT = Answer(503, "not_kept")


@dataclass
class Gateway:
    """One process's gateway. Run it inside `opened`, which waits for the sends under way.

    `not_ready` holds a sentence under "kafka" while Kafka does not acknowledge.
    """

    settings: GatewaySettings
    producer: Producer
    observer: Observer
    not_ready: dict[str, str] = field(default_factory=dict)
    _requests: int = 0
    _bytes: int = 0
    _sends: int = 0
    _recent: Recent = field(default_factory=Recent)
    _tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[web.Application]:
        """The application; leaving waits until the last send is acknowledged or given up."""
        app = web.Application(client_max_size=self.settings.max_body_bytes)
        app.router.add_post(PATH, self.receive)
        async with asyncio.TaskGroup() as self._tasks:
            yield app

    async def receive(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        started = time.monotonic()
        answer = await self._admitted(request)
        self.observer.request(answer.result, time.monotonic() - started)
        headers = {"Retry-After": RETRY_AFTER_SECONDS} if answer.status == 503 else None
        return web.json_response(
            {"result": answer.result if answer.status != 401 else "refused"},
            status=answer.status,
            headers=headers,
        )

    async def _admitted(self, request: web.Request) -> Answer:
        """Refuse what there is no room for before reading any of it."""
        if (early := premature(self._signed(request, b""), _now_ms())) is not None:
            return _refused(request, early)
        most = self.settings.max_body_bytes
        size = most if request.content_length is None else request.content_length
        if size > most:
            return _TOO_LARGE
        if (
            self._requests >= self.settings.most_requests
            or self._bytes + size > self.settings.most_bytes
        ):
            return _OVERLOADED
        self._requests += 1
        self._bytes += size
        try:
            return await self._taken(request)
        finally:
            self._requests -= 1
            self._bytes -= size

    async def _taken(self, request: web.Request) -> Answer:
        deadline = asyncio.get_running_loop().time() + self.settings.deadline.total_seconds()
        try:
            async with asyncio.timeout_at(deadline):
                body = await request.read()
        except (TimeoutError, ConnectionError):
            return _SLOW
        except web.RequestPayloadError:
            return _GARBLED
        except web.HTTPRequestEntityTooLarge:
            return _TOO_LARGE
        now_ms = _now_ms()
        signed = self._signed(request, body)
        if (reason := refusal(signed, self.settings.secrets, now_ms)) is not None:
            return _refused(request, reason)
        if signed in self._recent:
            return _REPEATED
        try:
            events = delivered(body)
        except UndecodableRecord as error:
            _log.error("webhook not understood", reason=error.reason, detail=error.detail)
            return _UNREADABLE
        parts = [part for event in events for part in pieces(event)]
        if len(parts) > len(events):
            _log.error("webhook holds an event too large for Kafka", events=len(events))
        routed = Routes(self.settings.topics).routed(parts, now_ms)
        answer = await self._kept(routed.records, deadline)
        if answer.status == 200:
            self._recent.add(signed, now_ms)
            for object_type, count in routed.events.items():
                self.observer.events(object_type, count)
        return answer

    def _signed(self, request: web.Request, body: bytes) -> Signed:
        uri = self.settings.public_url or f"{request.scheme}://{request.host}{request.raw_path}"
        return Signed(
            request.method,
            uri,
            body,
            request.headers.get(TIMESTAMP, ""),
            request.headers.get(SIGNATURE, ""),
        )

    async def _kept(self, records: Sequence[OutgoingRecord], deadline: float) -> Answer:
        """Send, and wait for the acknowledgement until the deadline.

        The send goes on by itself after it: giving up a producer takes longer than HubSpot waits,
        and what is acknowledged late is merely there twice. While Kafka is out only one request
        at a time is held to try it.
        """
        if not records:
            return _KEPT
        if self.not_ready and self._sends:
            return _NOT_KEPT
        assert self._tasks is not None, "the gateway is used inside `opened`"
        send = self._tasks.create_task(self._send(records))
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(send)
        except TimeoutError:
            self.not_ready[_KAFKA] = "Kafka did not acknowledge in time"
            return _NOT_KEPT

    async def _send(self, records: Sequence[OutgoingRecord]) -> Answer:
        self._sends += 1
        try:
            await self.producer.send(records)
        except KafkaUnavailable as error:
            _log.error("webhook not kept", error=str(error))
            self.not_ready[_KAFKA] = str(error)
            return _NOT_KEPT
        except RecordTooLarge as error:
            _log.error("Kafka takes less than an event", error=str(error))
            return _TOO_LARGE
        finally:
            self._sends -= 1
        self.not_ready.pop(_KAFKA, None)
        return _KEPT


def _refused(request: web.Request, reason: Refusal) -> Answer:
    # Not a warning: anybody can make as many of these as they like. The metric tells of them.
    _log.debug("webhook refused", reason=reason, remote=request.remote)
    return Answer(401, reason)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
