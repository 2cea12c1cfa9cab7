"""What QuickBooks is asked, what it answers, and how much of its limits is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from reconciler.metrics.families import SHORT, Families
from reconciler.quickbooks.client import Call
from reconciler.quickbooks.limits import Usage

THROTTLES = ("limits", "silence")


class QuickBooksMetrics:
    """Fed by the client's observer and, at scrape time, from each owned company's budget."""

    def __init__(self, families: Families) -> None:
        self.calls = families.counter(
            "quickbooks_calls",
            "HTTP exchanges with QuickBooks: outcome is ok or the class of the error, status 0 "
            "without an answer, code Intuit's fault code.",
            "realm_id", "operation", "entity", "outcome", "status", "code",
        )  # fmt: skip
        self.call_seconds = families.histogram(
            "quickbooks_call_duration_seconds", "Duration of HTTP exchanges with QuickBooks.",
            (*SHORT, 30, 60, 120), "operation",
        )  # fmt: skip
        self.throttle_seconds = families.counter(
            "quickbooks_throttle_seconds",
            "Time that work spent waiting for QuickBooks's limits: ours, kept in advance (limits), "
            "or silence after QuickBooks said to slow down.",
            "realm_id", "cause",
        )  # fmt: skip
        self.metered = families.counter(
            "quickbooks_metered_reads", "Reads that Intuit counts against the month's allowance.",
            "realm_id",
        )  # fmt: skip
        self.metered_month = families.gauge(
            "quickbooks_metered_reads_month", "The same in this calendar month, by all processes.",
            "realm_id",
        )  # fmt: skip
        self.allowance = families.gauge(
            "quickbooks_metered_reads_allowance",
            "Metered reads that the Intuit app may make in a month, for all its companies together.",
        )
        self.requests_minute = families.gauge(
            "quickbooks_requests_last_minute",
            "Requests of the last minute, those in flight included; shown by the company's owner.",
            "realm_id",
        )  # fmt: skip
        self.requests_limit = families.gauge(
            "quickbooks_requests_per_minute_limit", "Most requests a minute that we allow ourselves.",
            "realm_id",
        )  # fmt: skip
        self.batches_minute = families.gauge(
            "quickbooks_batches_last_minute", "Batches among them.", "realm_id"
        )
        self.pause = families.gauge(
            "quickbooks_pause_seconds", "Silence left to keep after HTTP 429.", "realm_id"
        )
        self.quota_exhausted = families.gauge(
            "quickbooks_quota_exhausted",
            "1 while the month's allowance of metered reads is taken to be used up.", "realm_id",
        )  # fmt: skip
        self._unsaved: Counter[str] = Counter()

    def expect(self, realm_ids: Iterable[str], allowance: int) -> None:
        """Show zeros for what has not happened yet, so that its first time is an increase."""
        self.allowance.set(allowance)
        for realm_id in realm_ids:
            self.metered.labels(realm_id)
            self.metered_month.labels(realm_id)
            for cause in THROTTLES:
                self.throttle_seconds.labels(realm_id, cause)

    def call(self, realm_id: str, call: Call) -> None:
        """One exchange ended."""
        self.calls.labels(
            realm_id, call.operation, call.entity, call.outcome, str(call.status), call.code
        ).inc()
        self.call_seconds.labels(call.operation).observe(call.seconds)
        if call.metered:
            self.metered.labels(realm_id).inc()
            self._unsaved[realm_id] += 1

    def take_unsaved_reads(self) -> dict[str, int]:
        """Metered reads since this was asked last, to be added to the month's in Postgres."""
        taken, self._unsaved = self._unsaved, Counter()
        return dict(taken)

    def give_back_reads(self, reads: Mapping[str, int]) -> None:
        """They could not be saved; they are taken again the next time."""
        self._unsaved.update(reads)

    def read_this_month(self, reads: Mapping[str, int]) -> None:
        """What all processes made together, from Postgres."""
        for realm_id, count in reads.items():
            self.metered_month.labels(realm_id).set(count)

    def using(self, usages: Mapping[str, Usage]) -> None:
        """How much of its limits each company that is ours uses now."""
        gauges = (
            self.requests_minute, self.requests_limit, self.batches_minute, self.pause,
            self.quota_exhausted,
        )  # fmt: skip
        for gauge in gauges:
            gauge.clear()
        for realm_id, usage in usages.items():
            values = (
                usage.requests, usage.requests_limit, usage.batches, usage.pause_seconds,
                usage.quota_exhausted,
            )  # fmt: skip
            for gauge, value in zip(gauges, values, strict=True):
                gauge.labels(realm_id).set(value)
