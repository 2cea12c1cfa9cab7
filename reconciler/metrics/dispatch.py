"""What dispatch counts: documents, latencies, retries, and writes whose answer never came."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime

from reconciler.metrics.families import LONG, Families
from reconciler.model import Action, DocumentState, Priority
from reconciler.ports.dispatch import DueDocument
from reconciler.writing.documents import ENTITY_OF

ENTITIES = sorted({*ENTITY_OF.values(), "Customer", "Item", "Payment"})
ENDINGS = ("resent", "adopted", "refused")
RETRIES = ("send_again", "resolve_again", "park")


class DispatchMetrics:
    """Fed by the recorder, the dispatcher and the relay through `Metrics`."""

    def __init__(self, families: Families) -> None:
        self.documents = families.counter(
            "documents", "Documents that reached a state at dispatch.",
            "realm_id", "action", "state", "reason",
        )  # fmt: skip
        self.change_to_document = families.histogram(
            "change_to_document_seconds",
            "From the change in HubSpot that enrolled an object to its document in QuickBooks. Not "
            "for documents of a backfill.",
            LONG, "action",
        )  # fmt: skip
        self.record_to_document = families.histogram(
            "record_to_document_seconds",
            "From the Kafka record that completed what a document needs, or a person's retry, to "
            "the document in QuickBooks: the time that is ours. Not for documents of a backfill.",
            LONG, "realm_id",
        )  # fmt: skip
        self.retries = families.counter(
            "retries",
            "Operations to be tried again: send_again (the same bytes), resolve_again (looked up "
            "anew) or park (until a person has connected the company).",
            "entity", "kind",
        )  # fmt: skip
        self.unknown = families.counter(
            "unknown_outcomes", "Attempts to write that got no answer.", "entity"
        )
        self.unknown_ended = families.counter(
            "unknown_outcomes_ended",
            "Operations without an answer that were settled: resent (the same request was answered "
            "later), adopted (found in the books) or refused.",
            "entity", "ended",
        )  # fmt: skip
        self.adoptions = families.counter(
            "adoptions", "Documents found in the books instead of being sent again.", "entity"
        )
        self.fenced = families.counter(
            "fenced_writes", "Writes refused because another process owns the work now.", "stage"
        )
        self.published = families.counter("outcomes_published", "Outcomes published on Kafka.")
        self.leases = families.gauge(
            "company_lease", "1 where this process dispatches for the company.", "realm_id"
        )

    def expect(self, realm_ids: Iterable[str]) -> None:
        """Show zeros for what has not happened yet, so that its first time is an increase."""
        for realm_id in realm_ids:
            self.record_to_document.labels(realm_id)
            for action in Action:
                self.documents.labels(realm_id, action, DocumentState.CREATED, "")
        for action in Action:
            self.change_to_document.labels(action)
        for entity in ENTITIES:
            self.unknown.labels(entity)
            self.adoptions.labels(entity)
            for kind in RETRIES:
                self.retries.labels(entity, kind)
            for ending in ENDINGS:
                self.unknown_ended.labels(entity, ending)
        for stage in ("intake", "dispatch", "relay"):
            self.fenced.labels(stage)

    def document(
        self, document: DueDocument, state: DocumentState, reason: str, now: datetime
    ) -> None:
        """A document reached a state."""
        key = document.key
        self.documents.labels(key.realm_id, key.action, state, reason).inc()
        if state is not DocumentState.CREATED or document.priority is not Priority.LIVE:
            return
        since_change = (now - document.enrolled_at).total_seconds()
        self.change_to_document.labels(key.action).observe(max(since_change, 0))
        ready = [at for at in (document.ready_at, document.retried_at) if at is not None]
        if ready:
            since_ready = (now - max(ready)).total_seconds()
            self.record_to_document.labels(key.realm_id).observe(max(since_ready, 0))

    def owning(self, realm_ids: Iterable[str], owned: Container[str]) -> None:
        """Which companies this process dispatches for."""
        for realm_id in realm_ids:
            self.leases.labels(realm_id).set(realm_id in owned)
