"""What the service tells about itself while it works. `metrics` implements it with Prometheus.

Everything here may be ignored: the default does nothing, so tests and tools pass `Observer()`.
"""

from __future__ import annotations

from datetime import datetime

from reconciler.model import DocumentState
from reconciler.ports.dispatch import DueDocument
from reconciler.quickbooks.client import Call


class Observer:
    """Called by intake, dispatch and relay; never raises, never waits."""

    def batch(self, taken: object) -> None:
        """A batch was committed (`intake.Taken`)."""

    def fenced(self, stage: str) -> None:
        """A write was refused because another process owns the partition or company."""

    def document(
        self, document: DueDocument, state: DocumentState, reason: str, now: datetime
    ) -> None:
        """A document reached a state at dispatch."""

    def call(self, realm_id: str, call: Call) -> None:
        """One HTTP exchange with QuickBooks ended."""

    def throttled(self, realm_id: str, cause: str, seconds: float) -> None:
        """Work waited for QuickBooks's limits ("limits"), or for silence it asked for."""

    def retried(self, entity: str, kind: str) -> None:
        """An operation is to be tried again: send_again, resolve_again or park."""

    def unknown_outcome(self, entity: str) -> None:
        """A write got no answer."""

    def unknown_ended(self, entity: str, ended: str) -> None:
        """A write without an answer was settled: resent, adopted or refused."""

    def adopted(self, entity: str) -> None:
        """A document of ours was found in the books instead of being sent again."""

    def published(self, count: int) -> None:
        """Outcomes were published."""
