"""What intake counts: records, changes, decisions, dead letters, and how far reading is behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from reconciler.intake.intake import Taken
from reconciler.metrics.families import COUNTS, SHORT, Families
from reconciler.ports.reports import PartitionLag


class IntakeMetrics:
    """Fed by `consuming` after each batch, and at scrape time with the lag."""

    def __init__(self, families: Families) -> None:
        self.records = families.counter(
            "intake_records",
            "Kafka records committed, by the shape they were read as and what they gave: changes, "
            "nothing (a tombstone, a type not read), known (taken in before, not decoded) or "
            "dead_letter.",
            "topic", "format", "result",
        )  # fmt: skip
        self.changes = families.counter(
            "intake_changes", "Changes decoded from records.", "topic", "format"
        )
        self.objects_changed = families.counter(
            "intake_objects_changed", "Source objects that a batch really changed."
        )
        self.batch_seconds = families.histogram(
            "intake_batch_duration_seconds", "From a batch's records to its commit.", SHORT
        )
        self.batch_records = families.histogram(
            "intake_batch_records", "Records in one batch.", COUNTS
        )
        self.dead_letters = families.counter(
            "dead_letters", "Records that could not be understood.", "topic", "reason"
        )
        self.decisions = families.counter(
            "decisions",
            "Verdicts on documents; an object that is looked at again counts again.",
            "action", "state", "reason",
        )  # fmt: skip
        self.lag_records = families.gauge(
            "lag_records", "Records not read yet of a partition that this process reads.",
            "topic", "partition",
        )  # fmt: skip
        self.lag_seconds = families.gauge(
            "lag_seconds", "How long the oldest of them may have waited.", "topic", "partition"
        )
        self.assigned = families.gauge(
            "partitions_assigned", "Partitions that this process reads.", "topic"
        )
        self.unpolled = families.gauge(
            "intake_unpolled_seconds",
            "How long ago this process last asked Kafka for records; a batch takes that long, and "
            "meanwhile the lag is not observed.",
        )
        self.rebalances = families.counter("rebalances", "Rebalances of the consumer group seen.")
        self.feed_broken = families.gauge(
            "feed_broken", "1 when intake stopped because a topic was re-created or lost records."
        )
        self._rebalances_seen = 0
        self._topics: set[str] = set()
        self._read: Counter[tuple[str, str, bool]] = Counter()
        self._changes_read: Counter[tuple[str, str]] = Counter()

    def expect(self, topics: Collection[str], reasons: Iterable[str]) -> None:
        """Show zeros for what has not happened yet, so that its first time is an increase."""
        reasons = list(reasons)
        self._topics.update(topics)
        for topic in topics:
            self.assigned.labels(topic).set(0)
            for reason in reasons:
                self.dead_letters.labels(topic, reason)

    def decoded(self, topic: str, shape: str, changes: int) -> None:
        """A record was decoded; shown once its batch is committed. A dictionary is cheap here."""
        self._read[topic, shape, changes > 0] += 1
        if changes:
            self._changes_read[topic, shape] += changes

    def batch(self, taken: Taken) -> None:
        """A batch was committed."""
        self._flush()
        self.objects_changed.inc(taken.changed_objects)
        self.batch_seconds.observe(taken.seconds)
        self.batch_records.observe(taken.records)
        for topic, count in taken.known.items():
            self.records.labels(topic, "known", "known").inc(count)
        for letter in taken.dead_letters:
            self.records.labels(letter.topic, "unknown", "dead_letter").inc()
            self.dead_letters.labels(letter.topic, letter.reason).inc()
        verdicts = Counter((v.key.action, v.state, v.reason) for v in taken.verdicts)
        for labels, count in verdicts.items():
            self.decisions.labels(*labels).inc(count)

    def reading(
        self, lags: Iterable[PartitionLag], rebalances: int, unpolled_seconds: float
    ) -> None:
        """How far each partition that this process reads is behind; none while it reads none."""
        self.unpolled.set(unpolled_seconds)
        self.lag_records.clear()
        self.lag_seconds.clear()
        assigned: Counter[str] = Counter()
        for lag in lags:
            self.lag_records.labels(lag.topic, str(lag.partition)).set(lag.records)
            self.lag_seconds.labels(lag.topic, str(lag.partition)).set(lag.seconds)
            assigned[lag.topic] += 1
        self._topics.update(assigned)
        for topic in self._topics:
            self.assigned.labels(topic).set(assigned[topic])
        self.rebalances.inc(max(0, rebalances - self._rebalances_seen))
        self._rebalances_seen = rebalances

    def _flush(self) -> None:
        for (topic, shape, gave), count in self._read.items():
            self.records.labels(topic, shape, "changes" if gave else "nothing").inc(count)
        for labels, count in self._changes_read.items():
            self.changes.labels(*labels).inc(count)
        self._read.clear()
        self._changes_read.clear()
