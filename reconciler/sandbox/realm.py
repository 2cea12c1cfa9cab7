"""Owns one realm of the sandbox: its company, and what watches over requests to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from reconciler.sandbox.company import Company
from reconciler.sandbox.counts import Counts
from reconciler.sandbox.limits import Limits
from reconciler.sandbox.replay import Remembered, Replays
from reconciler.sandbox.unit import Commit

Listener = Callable[["Realm", Commit, str, Remembered | None], None]


@dataclass(slots=True)
class Realm:
    """A company with its throttle, its requestid memory and its counters."""

    company: Company
    limits: Limits
    replays: Replays
    counts: Counts = field(default_factory=Counts)
    listeners: list[Listener] = field(default_factory=list)

    def committed(self, commit: Commit, key: str = "", answer: Remembered | None = None) -> None:
        """Tell the log and the webhooks what changed, together with the remembered answer."""
        for change in commit.changes:
            if change.operation == "Create":
                self.counts.created[change.entity] += 1
        for listener in self.listeners:
            listener(self, commit, key, answer)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """While a batch runs, what it creates can't be referred to by its later items."""
        self.company.hidden = set()
        try:
            yield
        finally:
            self.company.hidden = None
