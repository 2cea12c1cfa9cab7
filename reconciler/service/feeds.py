"""Wires the processes that bring HubSpot's events to Kafka: the gateway and the journal poller.

Called by `cli`, like `app` for the service. They need Kafka and, for the journal, Postgres; they
decide nothing and may run in any number.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version

import structlog

from reconciler.errors import (
    ConfigurationError,
    FeedBroken,
    HubSpotBusy,
    HubSpotError,
    RecordTooLarge,
)
from reconciler.hubspot.client import open_session
from reconciler.hubspot.journal import Journal, JournalAccess
from reconciler.metrics import FeedMetrics, HubSpotMetrics
from reconciler.model import ObjectType
from reconciler.running.http import Health, monitoring, serve
from reconciler.service.adapters import kafka_connection, postgres_pool
from reconciler.settings import Settings
from store.journal import JournalOffsetStore
from store.migrate import ensure_schema
from store.pool import LOST, close_pool
from streams.cluster import Cluster
from streams.connection import KafkaUnavailable
from streams.gateway import Gateway, GatewaySettings
from streams.journal import POLL, JournalPoller
from streams.producer import RecordProducer
from streams.routing import Routes

_log = structlog.get_logger("reconciler.feeds")

ACKNOWLEDGED_WITHIN = timedelta(seconds=3)
"""HubSpot waits five seconds; what Kafka has not acknowledged by then is refused with 503."""

REOPENED_WITHIN = timedelta(seconds=2)
AFTER_TROUBLE = timedelta(seconds=5)


@dataclass
class Feeding:
    """What both processes have in common: health, metrics, and the wish to stop."""

    settings: Settings
    health: Health = field(default_factory=Health)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.metrics = FeedMetrics(version("hubspot-quickbooks-reconciler"))
        self.hubspot: HubSpotMetrics = self.metrics.hubspot

    async def open(self, stack: AsyncExitStack) -> None:
        """Listen for signals, wait for Kafka, create missing topics, serve health and metrics.

        It is not ready before `started`: what it is for is opened after this.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stopping.set)
        settings = self.settings
        patience = timedelta(seconds=settings.startup_wait_seconds)
        async with Cluster(kafka_connection(settings), patience) as cluster:
            if settings.create_topics:
                await cluster.ensure_topics(settings.topics.values(), partitions=3)
        self.health.not_ready["start"] = "not everything is opened yet"
        pages = monitoring(self.health, self._exposition)
        await stack.enter_async_context(
            serve(pages, settings.http_host, settings.http_port, setting="RECONCILER_HTTP_PORT")
        )

    def started(self, what: str, **about: object) -> None:
        """All is opened: say so."""
        del self.health.not_ready["start"]
        _log.info(f"{what} started", topics=list(self.settings.topics.values()), **about)

    async def _exposition(self) -> bytes:
        return self.metrics.exposition()


async def run_gateway(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; deliveries under way are answered first."""
    gateway_settings = gateway_settings_of(settings)
    feeding = Feeding(settings)
    async with AsyncExitStack() as stack:
        await feeding.open(stack)
        producer = await stack.enter_async_context(
            RecordProducer(
                kafka_connection(settings),
                delivery_timeout=ACKNOWLEDGED_WITHIN,
                patience=REOPENED_WITHIN,
            )
        )
        gateway = Gateway(gateway_settings, producer, feeding.hubspot, feeding.health.not_ready)
        app = await stack.enter_async_context(gateway.opened())
        port = await stack.enter_async_context(
            serve(
                app, settings.gateway_host, settings.gateway_port, setting="RECONCILER_GATEWAY_PORT"
            )
        )
        feeding.started("gateway", port=port)
        await feeding.stopping.wait()
        feeding.health.stopping = True
    _log.info("gateway stopped")


async def run_journal_poller(settings: Settings, *, accept_loss: bool) -> None:
    """Poll until SIGTERM or SIGINT. After a loss it stays, unhealthy, and reads nothing."""
    access = journal_access(settings)
    feeding = Feeding(settings)
    async with AsyncExitStack() as stack:
        await feeding.open(stack)
        pool = await postgres_pool(settings, 2, settings.startup_wait_seconds)
        stack.push_async_callback(close_pool, pool)
        await ensure_schema(pool, settings.direct_dsn)
        offsets = JournalOffsetStore(pool, f"{access.client_id}{access.path}")
        if accept_loss:
            await offsets.forget()
        await _tell_age(offsets, feeding.hubspot)
        session = await stack.enter_async_context(open_session())
        producer = RecordProducer(kafka_connection(settings))
        poller = JournalPoller(
            Journal(session, access, feeding.hubspot.hubspot_call),
            offsets,
            await stack.enter_async_context(producer),
            Routes(topics_by_type(settings), {"source": b"journal"}),
            feeding.hubspot,
        )
        async with asyncio.TaskGroup() as tasks:
            polling = tasks.create_task(_poll(feeding, poller))
            feeding.started("journal poller")
            await feeding.stopping.wait()
            feeding.health.stopping = True
            polling.cancel()
    _log.info("journal poller stopped")


async def _tell_age(offsets: JournalOffsetStore, metrics: HubSpotMetrics) -> None:
    """How old the reading is shows from the start, also where HubSpot refuses us from then on."""
    if (position := await offsets.position()) is not None:
        metrics.journal_read(time.time() - position.age_seconds)


async def _poll(feeding: Feeding, poller: JournalPoller) -> None:
    """Go on after trouble that passes; stop at a loss, for a person to see."""
    health = feeding.health
    while True:
        try:
            found = await poller.once()
            health.not_ready.pop("journal", None)
            pause = timedelta(0) if found else POLL
        except FeedBroken as error:
            _log.critical("feed broken", error=str(error))
            health.broken["journal"] = str(error)
            feeding.hubspot.journal_lost.set(1)
            return
        except (HubSpotError, KafkaUnavailable, RecordTooLarge, *LOST) as error:
            health.not_ready["journal"] = f"{type(error).__name__}: {error}"
            _log.warning("journal not read", error=repr(error))
            pause = error.retry_after if isinstance(error, HubSpotBusy) else AFTER_TROUBLE
        await asyncio.sleep(pause.total_seconds())


def journal_access(settings: Settings) -> JournalAccess:
    """The app's credentials; raises `ConfigurationError` naming what is missing."""
    secret = settings.hubspot_client_secrets.get_secret_value().split(",")[0].strip()
    if not (secret and settings.hubspot_client_id):
        raise ConfigurationError(
            "the journal is read with an app's credentials: set RECONCILER_HUBSPOT_CLIENT_ID and"
            " RECONCILER_HUBSPOT_CLIENT_SECRETS"
        )
    return JournalAccess(
        settings.hubspot_base_url.rstrip("/"),
        settings.hubspot_journal_path,
        settings.hubspot_client_id,
        secret,
    )


def gateway_settings_of(settings: Settings) -> GatewaySettings:
    """What the gateway needs; raises `ConfigurationError` where it could believe nobody."""
    written = settings.hubspot_client_secrets.get_secret_value()
    secrets = tuple(each.strip().encode() for each in written.split(",") if each.strip())
    if not secrets:
        raise ConfigurationError(
            "RECONCILER_HUBSPOT_CLIENT_SECRETS is empty: write the client secret of the HubSpot app"
            " that sends the webhooks, or nothing it sends could be told from a forgery"
        )
    return GatewaySettings(
        secrets=secrets,
        topics=topics_by_type(settings),
        public_url=settings.gateway_public_url,
        max_body_bytes=settings.gateway_max_body_bytes,
        most_requests=settings.gateway_most_requests,
        most_bytes=settings.gateway_most_bytes,
    )


def topics_by_type(settings: Settings) -> dict[ObjectType, str]:
    """Topic by object type; the first of them takes what can't be understood."""
    found = {ObjectType(kind): topic for kind, topic in settings.topics.items()}
    if not found:
        raise ConfigurationError("no topic is configured: set RECONCILER_TOPIC_DEALS and so on")
    return found
