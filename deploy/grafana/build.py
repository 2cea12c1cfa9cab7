"""Makes the dashboards: `python deploy/grafana/build.py` writes dashboards/*.json beside it.

Each dashboard answers questions, in its rows' titles; a panel's description says what to make of
it. The names of metrics are explained in docs/metrics.md. A test runs every query of every panel.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from panels import BAD_ABOVE_ZERO, PER_SECOND, Dashboard, graph, row, stat, steps, table

from reconciler.metrics import Metrics

LABELS = {family.name: family.labels for family in Metrics("").families.described}
J = 'job=~"$job"'
R = 'job=~"$job", realm_id=~"$realm"'
RATE = "[$__rate_interval]"


def rate(metric: str, labels: str = J, by: str = "") -> str:
    """Per second, over all processes."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{labels}}}{RATE}))"


def quantile(q: float, metric: str, labels: str = J, by: str = "") -> str:
    """A quantile of a histogram over all processes."""
    return (
        f"histogram_quantile({q}, {rate(f'{metric}_bucket', labels, f'le, {by}' if by else 'le')})"
    )


def shown_alike(metric: str, labels: str = R) -> str:
    """A gauge that every process shows alike, each series once: by its own labels, for what tells the
    processes apart differs (beside `instance`, Kubernetes has a pod, a container, a node)."""
    return f"max by ({', '.join(('job', *LABELS[metric]))}) ({metric}{{{labels}}})"


def once(metric: str, labels: str = R, by: str = "", how: str = "sum") -> str:
    """The same, added up."""
    grouping = f" by ({by})" if by else ""
    return f"{how}{grouping} ({shown_alike(metric, labels)})"


def down_to_zero(metric: str, labels: str, by: str, how: str = "sum") -> str:
    """As `once`; what was there and is gone is 0, for a legend goes on showing the last value of a line that ends."""
    gone = f"0 * max by ({by}) (max_over_time({metric}{{{labels}}}[$__range]))"
    return f"{once(metric, labels, by, how)} or {gone}"


def named(expression: str) -> str:
    """With the company's name as a label beside its realm id, which nobody knows by heart."""
    names = f"max by (realm_id, name) (reconciler_company_info{{{R}}})"
    return f"{expression} * on (realm_id) group_left (name) {names}"


def quantiles(metric: str, labels: str) -> list[tuple[str, str]]:
    return [(quantile(q, metric, labels), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)]


WITHIN_A_MINUTE = (
    f'sum(increase(reconciler_record_to_document_seconds_bucket{{{R}, le="60.0"}}[1h]))'
    f" / (sum(increase(reconciler_record_to_document_seconds_count{{{R}}}[1h])) > 0)"
)
STUCK = f'{R}, state=~"waiting|blocked"'
LATENCY = "reconciler_record_to_document_seconds"
P99 = f"{quantile(0.99, LATENCY, R)} >= 0"
"""Nothing, rather than not a number, while no document is created."""


def overview() -> Dashboard:
    """One screen for whoever is on call."""
    return Dashboard("reconciler-overview", "Overview", "Are we keeping up, are we correct, what is stuck, why?", [
        row("Are we keeping up?"),
        stat("Within 60 s, last hour", WITHIN_A_MINUTE, "Share of live documents created within a minute of the record that completed them. The objective is 99 %.", "percentunit", (("red", 0), ("orange", 0.95), ("green", 0.99)), empty="none sent"),
        stat("p99 latency", P99, "From Kafka record to document in QuickBooks.", "s", steps(30, 60), empty="none sent"),
        stat("Feed behind", f"max(reconciler_lag_seconds{{{J}}})", "How long the oldest unread record may have waited.", "s", steps(30, 60)),
        stat("Records unread", f"sum(reconciler_lag_records{{{J}}})", "Over all topics.", "short", steps(5_000, 50_000)),
        stat("Due now", once("reconciler_ledger_due_documents", f'{R}, priority="live"'), "Live documents that could be sent this moment and are not.", "short", steps(200, 2_000)),
        stat("Oldest due", f'max(reconciler_ledger_oldest_seconds{{{R}, state="due"}}) or vector(0)', "How long the longest of them has been due.", "s", steps(60, 300)),
        graph("Throughput", [(rate("reconciler_intake_records_total"), "records read"), (rate("reconciler_documents_total", f'{R}, state="created"'), "documents created")], "Records per second in, documents per second out.", PER_SECOND),
        graph("Latency", quantiles(LATENCY, R), "From Kafka record to document. Backfills are left out.", "s"),
        graph("Feed behind, by topic", [(f"max by (topic) (reconciler_lag_seconds{{{J}}})", "{{topic}}")], "A line that only climbs: intake of that topic does not move.", "s"),
        row("Are we correct?"),
        stat("Duplicates", f"max(reconciler_documents_duplicated{{{J}}})", "Documents with two ids in QuickBooks, or that share one. Anything but 0 is an incident.", "short", BAD_ABOVE_ZERO),
        stat("Oldest unknown", once("reconciler_operations_oldest_unknown_seconds", R, how="max"), "Since when the oldest write has had no answer. The objective is at most 15 minutes.", "s", steps(300, 900)),
        stat("Drifted", f"{once('reconciler_documents_drifted')} or vector(0)", "Documents that QuickBooks shows otherwise than we wrote them.", "short", (("orange", 1),)),
        stat("Dead letters open", f"max(reconciler_dead_letters_open{{{J}}})", "Records nobody could read and nobody has dealt with.", "short", (("orange", 1),)),
        stat("Outbox behind", f"max(reconciler_outbox_oldest_seconds{{{J}}})", "Age of the oldest outcome that consumers of quickbooks.documents have not got.", "s", steps(30, 120)),
        stat("Companies connected", f"{once('reconciler_company_connected')} / {once('reconciler_company_connected', how='count')}", "Share of companies whose connection works.", "percentunit", (("red", 0), ("green", 1))),
        row("What is stuck?"),
        table("Waiting and blocked, by reason", f"sort_desc({once('reconciler_ledger_documents', STUCK, 'state, reason')})", "Blocked needs a person: `reconciler blocked` says what to do. Waiting needs a fact from HubSpot.", value="documents", empty="Nothing waits and nothing is blocked"),
        graph("Documents by state", [(down_to_zero("reconciler_ledger_documents", f'{R}, state!="created"', "state"), "{{state}}")], "All but the created ones.", stacked=True),
        graph("Oldest, by state", [(down_to_zero("reconciler_ledger_oldest_seconds", R, "state", "max"), "{{state}}")], "Blocked ones grow old with people; due and sending ones must not.", "s"),
        row("Why?"),
        graph("QuickBooks's answers that are not ok", [(rate("reconciler_quickbooks_calls_total", f'{R}, outcome!="ok"', "outcome, status, code"), "{{outcome}} {{status}} {{code}}")], "By class of error, HTTP status and Intuit's fault code.", PER_SECOND, empty="All answers were ok"),
        graph("Waiting for limits", [(rate("reconciler_quickbooks_throttle_seconds_total", R, "cause"), "{{cause}}")], "Seconds of waiting per second: limits are ours, kept in advance; silence follows HTTP 429.", "s"),
        graph("Retries and lost answers", [(rate("reconciler_retries_total", J, "kind"), "{{kind}}"), (rate("reconciler_unknown_outcomes_total"), "no answer"), (rate("reconciler_fenced_writes_total"), "fenced")], "What is being tried again.", PER_SECOND),
        table("Alerts", 'ALERTS{alertname=~"Reconciler.*"}', "What Prometheus holds against us now; docs/operations.md has a section on each.", empty="–", size=(24, 6)),
    ])  # fmt: skip


def company() -> Dashboard:
    """One QuickBooks company."""
    return Dashboard("reconciler-company", "Company", "Everything about one QuickBooks company.", [
        row("Is its work being done?"),
        stat("Connected", f"min(reconciler_company_connected{{{R}}})", "Whether QuickBooks accepts our token.", "short", (("red", 0), ("green", 1)), words={0: "no", 1: "yes"}),
        stat("Dispatching process", f"sum(reconciler_company_lease{{{R}}})", "Must be exactly 1: who holds the company's lease.", "short", (("red", 0), ("green", 1), ("red", 2))),
        stat("Token expires in", f"min(reconciler_company_token_expiry_timestamp_seconds{{{R}}} - time())", "The refresh token, unless it is used before. A fixed token never does.", "s", (("red", 0), ("orange", 604_800), ("green", 2_592_000)), empty="never"),
        stat("p99 latency", P99, "From Kafka record to document.", "s", steps(30, 60), empty="none sent"),
        stat("Oldest due", f'max(reconciler_ledger_oldest_seconds{{{R}, state="due"}}) or vector(0)', "How long the longest due live document has been due.", "s", steps(60, 300)),
        stat("Created", f"""{once('reconciler_ledger_documents', f'{R}, state="created"')} or vector(0)""", "Documents that stand in QuickBooks by our doing."),
        graph("Documents created", [(rate("reconciler_documents_total", f'{R}, state="created"', "action"), "{{action}}")], "Per second, by action.", PER_SECOND, width=12, stacked=True),
        graph("Latency", quantiles(LATENCY, R), "From Kafka record to document. Backfills are left out.", "s", width=12),
        row("What is stuck, and why?"),
        table("Waiting and blocked", f"sort_desc({once('reconciler_ledger_documents', STUCK, 'action, state, reason')})", "By action, state and reason.", value="documents", empty="Nothing waits and nothing is blocked", size=(12, 9)),
        graph("Documents by state", [(down_to_zero("reconciler_ledger_documents", f'{R}, state!="created"', "state"), "{{state}}")], "All but the created ones.", width=12, stacked=True),
        graph("Drift", [(once("reconciler_documents_drifted", R, "drift"), "{{drift}}")], "What people did in QuickBooks to documents of ours.", width=12, empty="None"),
        graph("Oldest, by state", [(down_to_zero("reconciler_ledger_oldest_seconds", R, "state", "max"), "{{state}}")], "", "s", width=12),
        row("What does QuickBooks say?"),
        graph("Calls", [(rate("reconciler_quickbooks_calls_total", R, "operation, outcome"), "{{operation}} {{outcome}}")], "Per second.", PER_SECOND),
        graph("Duration of calls", [(quantile(0.5, "reconciler_quickbooks_call_duration_seconds", J, "operation"), "{{operation}} p50"), (quantile(0.99, "reconciler_quickbooks_call_duration_seconds", J, "operation"), "{{operation}} p99")], "Of all companies together.", "s"),
        graph("Faults", [(rate("reconciler_quickbooks_calls_total", f'{R}, code!=""', "code, status"), "{{code}} ({{status}})")], "By Intuit's fault code; reconciler/quickbooks/fault_codes.py says what each means.", PER_SECOND, empty="None"),
        row("How much of its limits is used?"),
        graph("Requests a minute", [(f"max(reconciler_quickbooks_requests_last_minute{{{R}}})", "requests"), (f"max(reconciler_quickbooks_batches_last_minute{{{R}}})", "batches"), (f"max(reconciler_quickbooks_requests_per_minute_limit{{{R}}})", "limit")], "What counts against Intuit's limit of 500 a minute and 40 batches."),
        graph("Metered reads this month", [(named(once("reconciler_quickbooks_metered_reads_month", R, "realm_id")), "{{name}}"), (f"max(reconciler_quickbooks_metered_reads_allowance{{{J}}})", "allowance of the app")], "Reads count against the app's allowance, all companies together."),
        graph("Waiting for limits", [(rate("reconciler_quickbooks_throttle_seconds_total", R, "cause"), "{{cause}}"), (f"max(reconciler_quickbooks_pause_seconds{{{R}}})", "silence left")], "Seconds of waiting per second, and how much silence is left.", "s"),
    ], realm="one")  # fmt: skip


def servers() -> Dashboard:
    """What lies below: Kafka, Postgres, the processes."""
    return Dashboard("reconciler-servers", "Kafka and Postgres", "What the service sees of Kafka and Postgres, and its processes.", [
        row("Kafka: reading the feed"),
        graph("Unread records", [(f"sum by (topic, partition) (reconciler_lag_records{{{J}}})", "{{topic}} {{partition}}")], "By partition. One that grows alone: a hot key, or a process that hangs."),
        graph("Busy with one batch", [(f"max by (instance) (reconciler_intake_unpolled_seconds{{{J}}})", "{{instance}}")], "Since when intake has not asked Kafka for records. Meanwhile its lag is not observed.", "s"),
        graph("Partitions held", [(f"sum by (instance, topic) (reconciler_partitions_assigned{{{J}}})", "{{instance}} {{topic}}")], "The sum over processes must be the number of partitions.", stacked=True),
        graph("Rebalances", [(f"sum by (instance) (increase(reconciler_rebalances_total{{{J}}}{RATE}))", "{{instance}}")], "Many in a row: processes restart, or polls come too rarely."),
        graph("Changes", [(rate("reconciler_intake_changes_total", J), "changes"), (rate("reconciler_intake_objects_changed_total", J), "objects changed")], "Many changes and few changed objects: repeats, which cost little.", PER_SECOND, width=16),
        graph("Records by shape", [(rate("reconciler_intake_records_total", J, "format, result"), "{{format}} {{result}}")], "What the feed is made of.", PER_SECOND, width=12),
        graph("Dead letters", [(f"sum by (topic, reason) (increase(reconciler_dead_letters_total{{{J}}}{RATE})) > 0", "{{topic}} {{reason}}")], "By reason; `reconciler dead-letters list` shows them.", width=12, empty="None"),
        row("Kafka: publishing outcomes"),
        graph("Published", [(rate("reconciler_outcomes_published_total"), "outcomes")], "Per second.", PER_SECOND),
        graph("Outbox", [(f"max(reconciler_outbox_pending{{{J}}})", "pending")], "Counted up to 10,000."),
        graph("Oldest in the outbox", [(f"max(reconciler_outbox_oldest_seconds{{{J}}})", "age")], "Climbs when Kafka refuses transactions or no process is the relay.", "s"),
        row("Postgres"),
        graph("Batches", quantiles("reconciler_intake_batch_duration_seconds", J), "From a batch's records to its commit: Postgres's share of the latency.", "s"),
        graph("Records in a batch", [(quantile(0.5, "reconciler_intake_batch_records"), "p50"), (quantile(0.95, "reconciler_intake_batch_records"), "p95")], "Near the limit (RECONCILER_BATCH_RECORDS) while catching up."),
        graph("Connections", [(f"sum by (instance, state) (reconciler_postgres_pool_connections{{{J}}})", "{{instance}} {{state}}"), (f"max(reconciler_postgres_pool_limit{{{J}}})", "limit of one process")], "In use at the limit: raise RECONCILER_POSTGRES_POOL_SIZE.", stacked=False),
        graph("Age of the ledger's figures", [(f"time() - max(reconciler_ledger_read_timestamp_seconds{{{J}}})", "read"), (f"time() - max(reconciler_ledger_counted_timestamp_seconds{{{J}}})", "finished ones counted")], "How old the gauges about the ledger are.", "s", width=12),
        graph("Refused writes", [(rate("reconciler_fenced_writes_total", J, "stage"), "{{stage}}")], "Of processes that lost their partition or company; harmless by themselves.", PER_SECOND, width=12),
        row("Processes"),
        graph("Event loop", [(f"histogram_quantile(0.99, sum by (instance, le) (rate(reconciler_event_loop_lag_seconds_bucket{{{J}}}{RATE})))", "{{instance}} p99")], "How late the loop wakes up; above 0.1 s the process is short of CPU.", "s", width=6),
        graph("CPU", [(f"rate(process_cpu_seconds_total{{{J}}}{RATE})", "{{instance}}")], "Cores.", width=6),
        graph("Memory", [(f"process_resident_memory_bytes{{{J}}}", "{{instance}}")], "Resident.", "bytes", width=6),
        graph("Open files", [(f"process_open_fds{{{J}}}", "{{instance}}"), (f"min(process_max_fds{{{J}}})", "limit")], "", width=6),
        table("Versions", f"reconciler_build_info{{{J}}}", "What runs where.", hide=(), size=(24, 5)),
    ])  # fmt: skip


def replay() -> Dashboard:
    """Replays and backfills, and what they do to live traffic."""
    progress = f"max by (replay_id, kind) (reconciler_replay_done_records{{{J}}})"
    total = f"max by (replay_id, kind) (reconciler_replay_total_records{{{J}}})"
    return Dashboard("reconciler-replay", "Replay and backfill", "How far replays and backfills are, and whether live traffic suffers.", [
        row("How far?"),
        graph("Progress", [(f"{progress} / ({total} > 0)", "{{kind}} {{replay_id}}")], "Of those that run or ran in the last day.", "percentunit", width=12),
        graph("Records done per second", [(f"deriv({progress}[5m:15s])", "{{kind}} {{replay_id}}")], "While it runs.", PER_SECOND, width=6),
        graph("Time left", [(f"({total} - {progress}) / (deriv({progress}[5m:15s]) > 0)", "{{kind}} {{replay_id}}")], "At the speed of the last five minutes.", "s", width=6),
        row("Does live traffic suffer?"),
        graph("Latency of live documents", quantiles(LATENCY, R), "No worse than twice what it is without a backfill.", "s", width=12),
        graph("Due documents", [(once("reconciler_ledger_due_documents", R, "priority"), "{{priority}}")], "Live ones go first; a backfill's shrink as it goes on.", width=12),
        graph("Requests a minute", [(named(f"max by (realm_id) (reconciler_quickbooks_requests_last_minute{{{R}}})"), "{{name}}")], "A backfill uses what live traffic leaves of the limit.", width=12),
        graph("Documents created", [(named(rate("reconciler_documents_total", f'{R}, state="created"', "realm_id")), "{{name}}")], "", PER_SECOND, width=12),
    ])  # fmt: skip


DASHBOARDS = {"overview": overview, "company": company, "servers": servers, "replay": replay}


def built() -> dict[str, str]:
    """The text of each file by its name."""
    return {
        f"{name}.json": json.dumps(dashboard().json(), indent=1, ensure_ascii=False) + "\n"
        for name, dashboard in DASHBOARDS.items()
    }


if __name__ == "__main__":
    for name, text in built().items():
        (Path(__file__).parent / "dashboards" / name).write_text(text, encoding="utf-8")
