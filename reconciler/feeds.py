"""Wires the processes that bring HubSpot's events to Kafka: `reconciler gateway` and others.

Called by `cli`, like `app` for the service. They need Kafka and, for the journal, Postgres; they
decide nothing and may run in any number.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version

import structlog

from reconciler.app import kafka_connection
from reconciler.errors import ConfigurationError
from reconciler.http import Health, monitoring, serve
from reconciler.metrics import HubSpotMetrics, Metrics
from reconciler.model import ObjectType
from reconciler.settings import Settings
from streams.cluster import Cluster
from streams.gateway import Gateway, GatewaySettings
from streams.producer import RecordProducer

_log = structlog.get_logger("reconciler.feeds")

ACKNOWLEDGED_WITHIN = timedelta(seconds=3)
"""HubSpot waits five seconds; what Kafka has not acknowledged by then is refused with 503."""

REOPENED_WITHIN = timedelta(seconds=2)


@dataclass
class Feeding:
    """What both processes have in common: health, metrics, and the wish to stop."""

    settings: Settings
    health: Health = field(default_factory=Health)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.metrics = Metrics(version("hubspot-quickbooks-reconciler"))
        self.hubspot: HubSpotMetrics = self.metrics.hubspot

    async def open(self, stack: AsyncExitStack) -> None:
        """Listen for signals, create missing topics, serve health and metrics."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stopping.set)
        settings = self.settings
        if settings.create_topics:
            patience = timedelta(seconds=settings.startup_wait_seconds)
            async with Cluster(kafka_connection(settings), patience) as cluster:
                await cluster.ensure_topics(settings.topics.values(), partitions=3)
        pages = monitoring(self.health, self._exposition)
        await stack.enter_async_context(serve(pages, settings.http_host, settings.http_port))

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
            serve(app, settings.gateway_host, settings.gateway_port)
        )
        _log.info("gateway started", port=port, topics=list(settings.topics.values()))
        await feeding.stopping.wait()
        feeding.health.stopping = True
    _log.info("gateway stopped")


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
