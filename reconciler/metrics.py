"""Prometheus metrics; the only module that imports prometheus_client.

Counters and histograms are fed by the service as an `Observer`. Gauges about the ledger are read
from Postgres by one query at scrape time (`app` passes it in), so that they are true whichever
process is asked. Labels are bounded: realms are the companies of workflows.yaml.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from reconciler.intake import Taken
from reconciler.model import DocumentState
from reconciler.observe import Observer
from reconciler.ports import DueDocument, PartitionLag, Report
from reconciler.quickbooks.client import Call

_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LONG = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400)


class Metrics(Observer):
    """One process's metrics, on a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        Info("reconciler_build", "Version of the running code.", registry=registry).info(
            {"version": version}
        )
        self.records = Counter(
            "reconciler_intake_records", "Kafka records committed.", registry=registry
        )
        self.changes = Counter(
            "reconciler_intake_changes", "Changes decoded from records.", registry=registry
        )
        self.objects_changed = Counter(
            "reconciler_intake_objects_changed",
            "Source objects that a batch changed.",
            registry=registry,
        )
        self.dead_letters = Counter(
            "reconciler_dead_letters", "Records that could not be understood.", ["topic", "reason"],
            registry=registry,
        )  # fmt: skip
        self.batch_seconds = Histogram(
            "reconciler_intake_batch_seconds", "From a batch's records to its commit.",
            buckets=_SHORT, registry=registry,
        )  # fmt: skip
        self.decisions = Counter(
            "reconciler_decisions", "Verdicts on documents.", ["action", "state", "reason"],
            registry=registry,
        )  # fmt: skip
        self.documents = Counter(
            "reconciler_documents", "Documents that reached a state at dispatch.",
            ["realm_id", "action", "state", "reason"], registry=registry,
        )  # fmt: skip
        self.end_to_end = Histogram(
            "reconciler_change_to_document_seconds",
            "From the change that enrolled an object to its document in QuickBooks.",
            ["action"], buckets=_LONG, registry=registry,
        )  # fmt: skip
        self.calls = Counter(
            "reconciler_quickbooks_calls", "HTTP exchanges with QuickBooks.",
            ["realm_id", "operation", "entity", "outcome", "status", "code"], registry=registry,
        )  # fmt: skip
        self.metered = Counter(
            "reconciler_quickbooks_metered_reads", "Reads that Intuit counts against the allowance.",
            ["realm_id"], registry=registry,
        )  # fmt: skip
        self.call_seconds = Histogram(
            "reconciler_quickbooks_call_seconds", "Duration of HTTP exchanges with QuickBooks.",
            ["operation"], buckets=(*_SHORT, 30, 60), registry=registry,
        )  # fmt: skip
        self.unknown = Counter(
            "reconciler_unknown_outcomes",
            "Writes that got no answer.",
            ["entity"],
            registry=registry,
        )
        self.adoptions = Counter(
            "reconciler_adoptions", "Documents found in the books instead of sent again.", ["entity"],
            registry=registry,
        )  # fmt: skip
        self.fenced_writes = Counter(
            "reconciler_fenced_writes", "Writes refused because another process owns the work now.",
            ["stage"], registry=registry,
        )  # fmt: skip
        self.outcomes_published = Counter(
            "reconciler_outcomes_published", "Outcomes published on Kafka.", registry=registry
        )
        self.lag_records = Gauge(
            "reconciler_lag_records", "Records of a partition not read yet.", ["topic", "partition"],
            registry=registry,
        )  # fmt: skip
        self.lag_seconds = Gauge(
            "reconciler_lag_seconds", "Age of the oldest record not read yet.", ["topic", "partition"],
            registry=registry,
        )  # fmt: skip
        self.rebalances = Gauge(
            "reconciler_rebalances", "Rebalances since start.", registry=registry
        )
        self.leases = Gauge(
            "reconciler_company_lease", "1 where this process dispatches for the company.",
            ["realm_id"], registry=registry,
        )  # fmt: skip
        self.ledger = Gauge(
            "reconciler_ledger_documents", "Documents in the ledger.",
            ["realm_id", "action", "state", "reason"], registry=registry,
        )  # fmt: skip
        self.oldest = Gauge(
            "reconciler_ledger_oldest_seconds", "Time since the longest-standing document entered its state.",
            ["realm_id", "state"], registry=registry,
        )  # fmt: skip
        self.unfinished = Gauge(
            "reconciler_operations_unfinished", "Operations begun whose result is not recorded.",
            ["realm_id", "state"], registry=registry,
        )  # fmt: skip
        self.outbox_age = Gauge(
            "reconciler_outbox_oldest_seconds",
            "Age of the oldest outcome not published.",
            registry=registry,
        )
        self.open_dead_letters = Gauge(
            "reconciler_dead_letters_open", "Dead letters nobody has dealt with.", registry=registry
        )
        self.drifted = Gauge(
            "reconciler_documents_drifted", "Documents that QuickBooks shows otherwise than we wrote them.",
            ["realm_id", "drift"], registry=registry,
        )  # fmt: skip
        self.connected = Gauge(
            "reconciler_company_connected", "1 while the company's connection works.", ["realm_id"],
            registry=registry,
        )  # fmt: skip

        self.feed_broken = Gauge(
            "reconciler_feed_broken", "1 when intake stopped because a topic was re-created or lost records.",
            registry=registry,
        )  # fmt: skip

        self.hubspot = HubSpotMetrics(registry)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def batch(self, taken: object) -> None:
        assert isinstance(taken, Taken)
        self.records.inc(taken.records)
        self.changes.inc(taken.changes)
        self.objects_changed.inc(taken.changed_objects)
        self.batch_seconds.observe(taken.seconds)
        for letter in taken.dead_letters:
            self.dead_letters.labels(letter.topic, letter.reason).inc()
        for verdict in taken.verdicts:
            self.decisions.labels(verdict.key.action, verdict.state, verdict.reason).inc()

    def fenced(self, stage: str) -> None:
        self.fenced_writes.labels(stage).inc()

    def document(
        self, document: DueDocument, state: DocumentState, reason: str, now: datetime
    ) -> None:
        key = document.key
        self.documents.labels(key.realm_id, key.action, state, reason).inc()
        if state is DocumentState.CREATED:
            seconds = (now - document.enrolled_at).total_seconds()
            self.end_to_end.labels(key.action).observe(max(seconds, 0))

    def call(self, realm_id: str, call: Call) -> None:
        self.calls.labels(
            realm_id, call.operation, call.entity, call.outcome, str(call.status), call.code
        ).inc()
        self.call_seconds.labels(call.operation).observe(call.seconds)
        if call.metered:
            self.metered.labels(realm_id).inc()

    def unknown_outcome(self, entity: str) -> None:
        self.unknown.labels(entity).inc()

    def adopted(self, entity: str) -> None:
        self.adoptions.labels(entity).inc()

    def published(self, count: int) -> None:
        self.outcomes_published.inc(count)

    def reading(self, lags: Iterable[PartitionLag], rebalances: int) -> None:
        """How far each partition that this process reads is behind."""
        self.lag_records.clear()
        self.lag_seconds.clear()
        for lag in lags:
            self.lag_records.labels(lag.topic, str(lag.partition)).set(lag.records)
            self.lag_seconds.labels(lag.topic, str(lag.partition)).set(lag.seconds)
        self.rebalances.set(rebalances)

    def owning(self, realm_ids: Iterable[str], owned: Container[str]) -> None:
        """Which companies this process dispatches for."""
        for realm_id in realm_ids:
            self.leases.labels(realm_id).set(realm_id in owned)

    def ledger_is(self, report: Report) -> None:
        """Set the gauges that speak of the ledger to what it holds now."""
        self.ledger.clear()
        self.oldest.clear()
        self.unfinished.clear()
        oldest: dict[tuple[str, str], float] = {}
        for row in report.ledger:
            self.ledger.labels(row.realm_id, row.action, row.state, row.reason).set(row.documents)
            key = (row.realm_id, row.state)
            oldest[key] = max(oldest.get(key, 0.0), row.oldest_seconds)
        for key, seconds in oldest.items():
            self.oldest.labels(*key).set(seconds)
        for key, count in report.unfinished.items():
            self.unfinished.labels(*key).set(count)
        self.outbox_age.set(report.outbox_oldest_seconds)
        self.open_dead_letters.set(report.open_dead_letters)
        self.drifted.clear()
        for key, count in report.drifted.items():
            self.drifted.labels(*key).set(count)
        for realm_id, connected in report.connected.items():
            self.connected.labels(realm_id).set(connected)


class HubSpotMetrics:
    """What the HubSpot side counts: gateway, journal, hydration, write back."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "reconciler_gateway_requests", "Webhook deliveries, by what became of them.", ["result"],
            registry=registry,
        )  # fmt: skip
        self.request_seconds = Histogram(
            "reconciler_gateway_request_seconds", "From a delivery's headers to its answer.",
            buckets=_SHORT, registry=registry,
        )  # fmt: skip
        self.feed_events = Counter(
            "reconciler_feed_events", "Events received from HubSpot, by type of object.",
            ["object_type"], registry=registry,
        )  # fmt: skip
        self.journal_read_at = Gauge(
            "reconciler_journal_read_timestamp_seconds", "When the journal was last read to its end.",
            registry=registry,
        )  # fmt: skip
        self.journal_lost = Gauge(
            "reconciler_journal_lost", "1 when HubSpot forgot events before they were read.",
            registry=registry,
        )  # fmt: skip
        self.hubspot_calls = Counter(
            "reconciler_hubspot_calls", "HTTP exchanges with HubSpot.", ["operation", "status"],
            registry=registry,
        )  # fmt: skip
        self.hydrations = Counter(
            "reconciler_hydrations", "Objects fetched from HubSpot for want of facts.", ["result"],
            registry=registry,
        )  # fmt: skip
        self.write_backs = Counter(
            "reconciler_write_backs", "Documents written back to HubSpot.", ["result"],
            registry=registry,
        )  # fmt: skip

    def request(self, result: str, seconds: float) -> None:
        self.requests.labels(result).inc()
        self.request_seconds.observe(seconds)

    def events(self, object_type: str, count: int) -> None:
        self.feed_events.labels(object_type).inc(count)

    def journal_read(self, at_seconds: float) -> None:
        self.journal_read_at.set(at_seconds)

    def hubspot_call(self, operation: str, status: int) -> None:
        self.hubspot_calls.labels(operation, str(status)).inc()

    def hydrated(self, result: str, count: int) -> None:
        self.hydrations.labels(result).inc(count)

    def written_back(self, result: str) -> None:
        self.write_backs.labels(result).inc()
