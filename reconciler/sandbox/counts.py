"""Owns the count of what a realm was asked, for `/admin/stats`."""

from collections import Counter
from typing import Any


class Counts:
    """Counters of one realm since it began or was reset."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.throttled = 0
        self.struck = 0  # by planned misfortunes
        self.batch_items = 0
        self.replays = 0
        self.metered_reads = 0
        self.batches = 0
        self.created: Counter[str] = Counter()

    def count(self, operation: str, status: int) -> None:
        """Count one HTTP request."""
        self.requests[f"{operation} {status}"] += 1

    def shown(self) -> dict[str, Any]:
        """The counters as JSON."""
        by_operation: dict[str, dict[str, int]] = {}
        for key, count in self.requests.items():
            operation, _, status = key.rpartition(" ")
            by_operation.setdefault(operation, {})[status] = count
        return {
            "requests": by_operation,
            "total_requests": sum(self.requests.values()),
            "faults": dict(self.faults),
            "throttled": self.throttled,
            "struck": self.struck,
            "batches": self.batches,
            "batch_items": self.batch_items,
            "replays": self.replays,
            "metered_reads": self.metered_reads,
            "created": dict(self.created),
        }
