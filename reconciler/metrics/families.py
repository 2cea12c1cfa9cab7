"""Makes metric families on one registry and remembers what they are, for docs/metrics.md.

Used by the other modules of this package; with it the only owner of prometheus_client. Every
name starts with `reconciler_`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Bounds in seconds of what should take milliseconds."""

LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400)
"""Bounds in seconds of what may wait; 60 is the objective's."""

COUNTS = (1, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10000, 50000)


_without_created: Callable[[], None] = disable_created_metrics
_without_created()  # a second series for each counter, which nobody asks for


class Described(NamedTuple):
    """One family as docs/metrics.md lists it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


@dataclass
class Families:
    """All families of one process."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    described: list[Described] = field(default_factory=list)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A count since the process started; shown with `_total` at its end."""
        self._describe(f"{name}_total", "counter", labels, text)
        return Counter(f"reconciler_{name}", text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """What is so now."""
        self._describe(name, "gauge", labels, text)
        return Gauge(f"reconciler_{name}", text, labels, registry=self.registry)

    def histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        """How often something came to how much."""
        self._describe(name, "histogram", labels, text)
        return Histogram(
            f"reconciler_{name}", text, labels, buckets=buckets, registry=self.registry
        )

    def _describe(self, name: str, kind: str, labels: tuple[str, ...], text: str) -> None:
        self.described.append(Described(f"reconciler_{name}", kind, labels, text))
