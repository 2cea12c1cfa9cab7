"""Prometheus metrics; the only package that imports prometheus_client.

Counters and histograms are fed by the service as an `Observer`. Gauges about the ledger are read
from Postgres at scrape time (`app` passes a `Report`), so that they are true whichever process is
asked. Labels are bounded: realms are the companies of workflows.yaml, reasons are a closed list,
and fault codes are Intuit's, who may add to them. docs/metrics.md lists all of it (`python -m
reconciler.metrics.reference`).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from datetime import datetime

from prometheus_client import generate_latest

from reconciler.dispatch.observe import Observer
from reconciler.intake.intake import Taken
from reconciler.metrics.dispatch import DispatchMetrics
from reconciler.metrics.families import Families
from reconciler.metrics.hubspot import HubSpotMetrics
from reconciler.metrics.intake import IntakeMetrics
from reconciler.metrics.ledger import LedgerMetrics
from reconciler.metrics.process import ProcessMetrics
from reconciler.metrics.quickbooks import QuickBooksMetrics
from reconciler.model import DocumentState
from reconciler.ports.dispatch import DueDocument
from reconciler.ports.reports import PartitionLag, Report
from reconciler.quickbooks.client import Call

__all__ = ["FeedMetrics", "HubSpotMetrics", "Metrics"]


class Metrics(Observer):
    """One process's metrics, on a registry of their own."""

    def __init__(self, version: str) -> None:
        self.families = families = Families()
        self.registry = families.registry
        self.intake = IntakeMetrics(families)
        self.dispatch = DispatchMetrics(families)
        self.quickbooks = QuickBooksMetrics(families)
        self.ledger = LedgerMetrics(families)
        self.hubspot = HubSpotMetrics(families)
        self.process = ProcessMetrics(families, version)
        self.feed_broken = self.intake.feed_broken

    def expect(
        self,
        realm_ids: Collection[str],
        topics: Collection[str],
        dead_letter_reasons: Iterable[str],
        monthly_reads: int,
    ) -> None:
        """Show zeros for what has not happened yet, so that its first time is an increase."""
        self.intake.expect(topics, dead_letter_reasons)
        self.dispatch.expect(realm_ids)
        self.ledger.expect(realm_ids)
        self.quickbooks.expect(realm_ids, monthly_reads)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def batch(self, taken: object) -> None:
        assert isinstance(taken, Taken)
        self.intake.batch(taken)

    def fenced(self, stage: str) -> None:
        self.dispatch.fenced.labels(stage).inc()

    def unforeseen(self, stage: str) -> None:
        self.process.unforeseen.labels(stage).inc()

    def document(
        self, document: DueDocument, state: DocumentState, reason: str, now: datetime
    ) -> None:
        self.dispatch.document(document, state, reason, now)

    def call(self, realm_id: str, call: Call) -> None:
        self.quickbooks.call(realm_id, call)

    def throttled(self, realm_id: str, cause: str, seconds: float) -> None:
        self.quickbooks.throttle_seconds.labels(realm_id, cause).inc(seconds)

    def retried(self, entity: str, kind: str) -> None:
        self.dispatch.retries.labels(entity, kind).inc()

    def unknown_outcome(self, entity: str) -> None:
        self.dispatch.unknown.labels(entity).inc()

    def unknown_ended(self, entity: str, ended: str) -> None:
        self.dispatch.unknown_ended.labels(entity, ended).inc()

    def adopted(self, entity: str) -> None:
        self.dispatch.adoptions.labels(entity).inc()

    def published(self, count: int) -> None:
        self.dispatch.published.inc(count)

    def reading(
        self, lags: Iterable[PartitionLag], rebalances: int, unpolled_seconds: float
    ) -> None:
        """How far each partition that this process reads is behind."""
        self.intake.reading(lags, rebalances, unpolled_seconds)

    def owning(self, realm_ids: Iterable[str], owned: Container[str]) -> None:
        """Which companies this process dispatches for."""
        self.dispatch.owning(realm_ids, owned)

    def ledger_is(self, report: Report) -> None:
        """Set the gauges that speak of the ledger to what it holds now."""
        self.ledger.show(report)
        self.quickbooks.read_this_month(report.metered_reads)


class FeedMetrics:
    """Those of a process that brings HubSpot's events to Kafka.

    It knows nothing of the ledger, and must not say 0 of it: that pages somebody.
    """

    def __init__(self, version: str) -> None:
        families = Families()
        self.registry = families.registry
        self.hubspot = HubSpotMetrics(families)
        self.process = ProcessMetrics(families, version)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
