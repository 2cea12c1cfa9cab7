"""What the service tells about itself while it works. `metrics` implements it with Prometheus.

Everything here may be ignored: the default does nothing, so tests and tools pass `Observer()`.
"""

from __future__ import annotations

from datetime import datetime

from reconciler.model import DocumentState
from reconciler.ports.dispatch import DueDocument


class Observer:
    """Called by dispatch; never raises, never waits."""

    def fenced(self, stage: str) -> None:
        """A write was refused because another process owns the partition or company."""

    def document(
        self, document: DueDocument, state: DocumentState, reason: str, now: datetime
    ) -> None:
        """A document reached a state at dispatch."""

    def unforeseen(self, stage: str) -> None:
        """Something nobody thought of stopped a company, or another part; it is tried again later."""

    def retried(self, entity: str, kind: str) -> None:
        """An operation is to be tried again: send_again, resolve_again or park."""

    def unknown_outcome(self, entity: str) -> None:
        """A write got no answer."""

    def unknown_ended(self, entity: str, ended: str) -> None:
        """A write without an answer was settled: resent, adopted or refused."""

    def adopted(self, entity: str) -> None:
        """A document of ours was found in the books instead of being sent again."""
