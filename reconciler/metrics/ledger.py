"""Gauges about what Postgres holds; every process shows the same, so that asking any is enough.

Set at scrape time from `ports.Report`. Queries take `max` over the processes, never `sum`.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.metrics.families import Families
from reconciler.ports.reports import Report


class LedgerMetrics:
    """The ledger, the outbox, dead letters, companies, replays."""

    def __init__(self, families: Families) -> None:
        gauge = families.gauge
        self.documents = gauge(
            "ledger_documents",
            "Documents in the ledger. Finished ones (created, dismissed) are counted now and then.",
            "realm_id", "action", "state", "reason",
        )  # fmt: skip
        self.counted_at = gauge(
            "ledger_counted_timestamp_seconds", "When finished documents were last counted."
        )
        self.oldest = gauge(
            "ledger_oldest_seconds",
            "Age of the oldest document that is waiting or blocked (since it became so), due (since "
            "it was) or sending (since its request was first sent).",
            "realm_id", "state",
        )  # fmt: skip
        self.due = gauge(
            "ledger_due_documents", "Documents to be sent now, by what they are of: live or backfill.",
            "realm_id", "priority",
        )  # fmt: skip
        self.unfinished = gauge(
            "operations_unfinished", "Operations begun whose result is not recorded.",
            "realm_id", "state",
        )  # fmt: skip
        self.oldest_unknown = gauge(
            "operations_oldest_unknown_seconds",
            "Since when the oldest operation has had no answer; 0 if none is without.",
            "realm_id",
        )  # fmt: skip
        self.outbox_age = gauge(
            "outbox_oldest_seconds", "Age of the oldest outcome that is not published."
        )
        self.outbox_pending = gauge(
            "outbox_pending", "Outcomes not published yet; counted up to 10000."
        )
        self.dead_letters = gauge("dead_letters_open", "Dead letters nobody has dealt with.")
        self.drifted = gauge(
            "documents_drifted",
            "Documents that QuickBooks has otherwise than HubSpot says, or than we wrote them.",
            "realm_id", "drift",
        )  # fmt: skip
        self.duplicated = gauge(
            "documents_duplicated",
            "Documents for which QuickBooks gave two ids, or that share one: must be 0 for ever.",
        )
        self.company = gauge(
            "company_info", "1; the company's name by realm id.", "realm_id", "name"
        )
        self.connected = gauge(
            "company_connected",
            "1 while the connection of a company of the workflow file works.", "realm_id",
        )  # fmt: skip
        self.token_expiry = gauge(
            "company_token_expiry_timestamp_seconds",
            "When the company's refresh token expires unless it is used.", "realm_id",
        )  # fmt: skip
        self.replay_done = gauge(
            "replay_done_records", "Records done by a replay or backfill that runs or ran today.",
            "replay_id", "kind",
        )  # fmt: skip
        self.replay_total = gauge(
            "replay_total_records",
            "Records that it will have done at its end.",
            "replay_id",
            "kind",
        )
        self.read_at = gauge(
            "ledger_read_timestamp_seconds", "When these gauges were last read from Postgres."
        )
        self._in_file: set[str] = set()

    def expect(self, realm_ids: Iterable[str]) -> None:
        """The companies of the workflow file. One that was taken out of it needs no connection."""
        self._in_file.update(realm_ids)

    def show(self, report: Report) -> None:
        """Set every gauge to what the report says."""
        self._documents(report)
        self._companies(report)
        self.outbox_age.set(report.outbox_oldest_seconds)
        self.outbox_pending.set(report.outbox_pending)
        self.dead_letters.set(report.open_dead_letters)
        self.duplicated.set(report.duplicated)
        self.read_at.set(report.read_at)
        self.counted_at.set(report.counted_at)
        for gauge in (self.replay_done, self.replay_total):
            gauge.clear()
        for replay in report.replays:
            self.replay_done.labels(str(replay.replay_id), replay.kind).set(replay.done)
            self.replay_total.labels(str(replay.replay_id), replay.kind).set(replay.total)

    def _documents(self, report: Report) -> None:
        for gauge in (self.documents, self.oldest, self.due, self.unfinished, self.drifted):
            gauge.clear()
        for row in report.ledger:
            self.documents.labels(row.realm_id, row.action, row.state, row.reason).set(
                row.documents
            )
        for pair, seconds in report.oldest.items():
            self.oldest.labels(*pair).set(seconds)
        for pair, count in report.unfinished.items():
            self.unfinished.labels(*pair).set(count)
        for pair, count in report.drifted.items():
            self.drifted.labels(*pair).set(count)

    def _companies(self, report: Report) -> None:
        for gauge in (self.company, self.connected, self.token_expiry, self.oldest_unknown):
            gauge.clear()
        for company in report.companies:
            for priority in ("live", "backfill"):
                count = report.due.get((company.realm_id, priority), 0)
                self.due.labels(company.realm_id, priority).set(count)
            self.company.labels(company.realm_id, company.name).set(1)
            self.oldest_unknown.labels(company.realm_id).set(
                report.oldest_unknown.get(company.realm_id, 0)
            )
            if company.realm_id not in self._in_file:
                continue
            self.connected.labels(company.realm_id).set(company.connected)
            if company.token_expires_at is not None:
                self.token_expiry.labels(company.realm_id).set(company.token_expires_at)
