"""Wires the parts of the service that call HubSpot: hydration and write back.

Called by `app`, which runs them beside the others in every process. Without a HubSpot token there
are none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from reconciler.hubspot import properties
from reconciler.hubspot.client import HubSpot, open_session
from reconciler.hubspot.hydrate import FACTS, Hydrator, Snapshot
from reconciler.hubspot.limits import Window
from reconciler.hubspot.writeback import WriteBacks
from reconciler.metrics import HubSpotMetrics
from reconciler.model import ObjectKey, ObjectType
from reconciler.operator.presenting import quickbooks_url
from reconciler.service.process import Part, Ready
from reconciler.settings import Settings
from reconciler.workflows import WorkflowFile
from store.hydration import HydrationQueue
from store.pool import Pool
from store.writeback import WriteBackStore
from streams.connection import KafkaConnection
from streams.producer import RecordProducer
from streams.records import OutgoingRecord
from streams.routing import record_key

DELIVERED_WITHIN = timedelta(seconds=20)

_log = structlog.get_logger("reconciler.crm")


@dataclass
class Crm:
    """One process's dealings with HubSpot's API; both parts share its limit of calls."""

    settings: Settings
    workflows: WorkflowFile
    pool: Pool
    kafka: KafkaConnection
    metrics: HubSpotMetrics

    def __post_init__(self) -> None:
        self.window = Window(self.settings.hubspot_requests_per_10s)

    @property
    def is_on(self) -> bool:
        """Whether HubSpot may be asked at all."""
        return bool(self.settings.hubspot_token.get_secret_value())

    def parts(self) -> list[tuple[str, Part]]:
        """What is to run; write back only where a workflow asks for it."""
        asked_for = written_back(self.workflows)
        if not self.is_on:
            if asked_for:
                _log.warning("nothing is written back without a HubSpot token", workflows=asked_for)
            return []
        found: list[tuple[str, Part]] = [("hydrator", self.hydrate)]
        if asked_for:
            found.append(("write back", self.write_back))
        return found

    async def hydrate(self, ready: Ready) -> None:
        """Fetch what decisions lack, until cancelled."""
        types = [ObjectType(kind) for kind in self.settings.topics]
        queue = HydrationQueue(self.pool, self.workflows.portal_id, FACTS, types)
        producer = RecordProducer(self.kafka, delivery_timeout=DELIVERED_WITHIN)
        async with self._hubspot() as hubspot, producer:

            async def keep(snapshots: Sequence[Snapshot]) -> None:
                await producer.send([self._record(*each) for each in snapshots])

            wanted = properties.wanted(self.workflows)
            await Hydrator(hubspot, queue, keep, wanted, self.metrics.hydrated).run(ready)

    async def write_back(self, ready: Ready) -> None:
        """Write created documents back, until cancelled."""
        async with self._hubspot() as hubspot:
            await WriteBacks(
                hubspot,
                WriteBackStore(self.pool, self.workflows.portal_id),
                self.settings.hubspot_property_prefix,
                quickbooks_url,
                lambda: datetime.now(UTC),
                self.metrics.written_back,
            ).run(ready)

    def _record(self, key: ObjectKey, value: bytes) -> OutgoingRecord:
        headers = {"source": b"hydration", "portalId": str(key.portal_id).encode()}
        topic = self.settings.topics[key.type]
        return OutgoingRecord(topic, record_key(key), value, headers)

    @asynccontextmanager
    async def _hubspot(self) -> AsyncIterator[HubSpot]:
        token = self.settings.hubspot_token
        async with open_session() as session:
            yield HubSpot(
                session,
                token.get_secret_value,
                self.window,
                self.settings.hubspot_base_url.rstrip("/"),
                self.metrics.hubspot_call,
            )


def written_back(workflows: WorkflowFile) -> frozenset[str]:
    """Names of the workflows whose documents are written back."""
    return frozenset(
        workflow.name
        for workflow in workflows.workflows
        if any(action.write_back for action in workflow.actions)
    )
