"""What is counted, under which labels; the rest is shown by the tests of dashboards and alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reconciler.metrics import FeedMetrics, Metrics
from reconciler.model import Action, DocumentKey, DocumentState, ObjectType, Priority
from reconciler.ports.dispatch import DueDocument
from reconciler.ports.reports import CompanyReport, PartitionLag, Report
from reconciler.quickbooks.client import Call
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Budget, Kind, Limits

REALM = "9341450000000001"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One sample as Prometheus would read it."""
    found: float | None = metrics.registry.get_sample_value(f"reconciler_{name}", labels)
    return found


def document(**more: object) -> DueDocument:
    """One that was enrolled an hour ago and completed by a record ten seconds ago."""
    key = DocumentKey(REALM, Action.INVOICE, 1, ObjectType.DEAL, "7")
    facts: dict[str, object] = {
        "enrolled_at": NOW - timedelta(hours=1),
        "ready_at": NOW - timedelta(seconds=10),
        **more,
    }
    return DueDocument(
        1, key, "w", 1, 1, 1, 0, "{}", quickbooks_entity=None, quickbooks_id=None, **facts  # type: ignore[arg-type]
    )  # fmt: skip


def test_zeros_are_shown_before_anything_happened() -> None:
    """A first dead letter or lost answer is an increase, not the birth of a series."""
    metrics = Metrics("1")
    metrics.expect([REALM], ["crm.deals"], ["not_json"], 500_000)
    assert value(metrics, "dead_letters_total", topic="crm.deals", reason="not_json") == 0
    assert value(metrics, "unknown_outcomes_total", entity="Invoice") == 0
    assert value(metrics, "quickbooks_throttle_seconds_total", realm_id=REALM, cause="limits") == 0


def test_our_time_counts_from_the_record_that_completed_the_document() -> None:
    """Or from a person's later retry; the change's own time is in a histogram of its own."""
    metrics = Metrics("1")
    metrics.document(document(), DocumentState.CREATED, "", NOW)
    assert value(metrics, "record_to_document_seconds_sum", realm_id=REALM) == 10
    assert value(metrics, "change_to_document_seconds_sum", action="invoice") == 3600
    retried = document(retried_at=NOW - timedelta(seconds=2))
    metrics.document(retried, DocumentState.CREATED, "", NOW)
    assert value(metrics, "record_to_document_seconds_sum", realm_id=REALM) == 12


def test_a_backfill_uses_no_budget_of_the_objective() -> None:
    """Its documents count as created, and in no latency."""
    metrics = Metrics("1")
    metrics.document(document(priority=Priority.BACKFILL), DocumentState.CREATED, "", NOW)
    labels = {"realm_id": REALM, "action": "invoice", "state": "created", "reason": ""}
    assert value(metrics, "documents_total", **labels) == 1
    assert value(metrics, "record_to_document_seconds_count", realm_id=REALM) is None


def test_lag_is_shown_only_of_partitions_that_are_read() -> None:
    """After a rebalance the former owner shows nothing of a partition, and 0 assigned."""
    metrics = Metrics("1")
    metrics.expect([], ["crm.deals"], [], 1)
    metrics.reading([PartitionLag("crm.deals", 2, 5, 1.5)], 1, 0.1)
    assert value(metrics, "lag_records", topic="crm.deals", partition="2") == 5
    assert value(metrics, "partitions_assigned", topic="crm.deals") == 1
    metrics.reading([], 2, 0.1)
    assert value(metrics, "lag_records", topic="crm.deals", partition="2") is None
    assert value(metrics, "partitions_assigned", topic="crm.deals") == 0
    assert value(metrics, "rebalances_total") == 2


def test_metered_reads_are_handed_over_once_or_given_back() -> None:
    """What could not be saved in Postgres is tried again; nothing is saved twice."""
    metrics = Metrics("1")
    read = Call("query", "Customer", "ok", 200, "", 0.1, metered=True)
    metrics.call(REALM, read)
    metrics.call(REALM, read)
    taken = metrics.quickbooks.take_unsaved_reads()
    assert taken == {REALM: 2}
    metrics.quickbooks.give_back_reads(taken)
    assert metrics.quickbooks.take_unsaved_reads() == {REALM: 2}
    assert metrics.quickbooks.take_unsaved_reads() == {}


def test_a_budget_tells_what_counts_in_the_last_minute() -> None:
    """Calls in flight and answered ones, until a minute after they were counted."""
    budget = Budget(Limits(requests_per_minute=5, transit_seconds=0))
    slot = budget.admit(0.0, Kind(batch=True))
    assert budget.usage(1.0).requests == budget.usage(1.0).batches == 1
    slot.written_at = 1.0
    budget.settle(2.0, slot)
    assert budget.usage(60.0)[:3] == (1, 5, 1)
    assert budget.usage(62.0).requests == 0


def test_silence_that_quickbooks_asks_for_is_counted_once() -> None:
    """Two refusals of calls in flight at once make one pause."""
    heard: list[tuple[str, float]] = []
    gate = Gate(Limits(), lambda: 100.0, lambda cause, seconds: heard.append((cause, seconds)))
    gate.throttled(Kind(), 60.0)
    gate.throttled(Kind(), 60.0)
    assert heard == [("silence", 60.0)]
    assert gate.budget.usage(100.0).pause_seconds == 60.0


def test_no_label_comes_from_a_record() -> None:
    """Labels are those of closed lists: whatever a record holds can't make a series."""
    bounded = {
        "realm_id", "name", "action", "state", "reason", "topic", "partition", "format", "result",
        "entity", "kind", "ended", "stage", "operation", "outcome", "status", "code", "cause",
        "priority", "drift", "replay_id", "object_type", "version", "python",
    }  # fmt: skip
    families = Metrics("1").families.described
    assert {label for family in families for label in family.labels} <= bounded


def test_a_process_that_feeds_kafka_says_nothing_of_the_ledger() -> None:
    """Gateway and poller never read it. Shown as 0, its age would be that of the epoch, and page under
    ReconcilerLedgerUnreadable wherever they are scraped as a job of their own."""
    shown = FeedMetrics("1").exposition().decode()
    assert "reconciler_gateway_request_seconds" in shown
    assert "reconciler_ledger" not in shown
    assert "reconciler_feed_broken" not in shown


def test_a_company_taken_out_of_the_workflow_file_needs_no_connection() -> None:
    """It was disconnected for good: nobody is to connect it again, so nobody is paged to."""
    metrics = Metrics("1")
    metrics.expect([REALM], [], [], 1)
    companies = [CompanyReport(REALM, "us", False, 5.0), CompanyReport("2", "old", False, 5.0)]
    metrics.ledger_is(
        Report(
            ledger=[], oldest={}, due={}, unfinished={}, oldest_unknown={"2": 60.0},
            outbox_oldest_seconds=0, outbox_pending=0, open_dead_letters=0, companies=companies,
            metered_reads={}, replays=[], read_at=1.0,
        )
    )  # fmt: skip
    assert value(metrics, "company_connected", realm_id=REALM) == 0
    assert value(metrics, "company_token_expiry_timestamp_seconds", realm_id=REALM) == 5
    assert value(metrics, "company_connected", realm_id="2") is None
    assert value(metrics, "company_token_expiry_timestamp_seconds", realm_id="2") is None
    assert value(metrics, "operations_oldest_unknown_seconds", realm_id="2") == 60
