"""Writes docs/metrics.md from the metrics as they are: `python -m reconciler.metrics.reference`.

A test compares the file with what this makes. Without an argument it prints the page.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from reconciler.metrics import Metrics
from reconciler.metrics.families import Described

_HEAD = """\
# Metrics

`GET /metrics` of every process, in Prometheus's text format; the gateway and the journal poller show
only what is under *HubSpot* and *The process*. This page is made by `python -m
reconciler.metrics.reference docs/metrics.md`; a test holds it against the code.

- **Units** are in the names: seconds, records. Counters start at 0 with the process and end in
  `_total`; where the set of labels is known in advance, its zeros are shown from the start, so that
  a first failure is an increase.
- **Labels** are bounded: `realm_id` is a company of `workflows.yaml`, `topic` one of the settings,
  `reason` a word of `reconciler/reasons.py` (documents) or `streams/formats/record.py` (dead
  letters), `code` one of Intuit's fault codes. No label holds an id of a document, object or
  customer, or anything else from a record.
- **What is in Postgres** (`ledger_`, `outbox_`, `company_`, `replay_`, open dead letters, drift,
  unfinished operations) is the same whichever process is asked: take `max`, never `sum`, over
  processes. It is read at most every 3 s, more rarely if reading takes long; finished documents,
  drift and duplicates are counted by one process for all, at most every 5 s and in at most a
  hundredth of the time.
- Besides these there are `process_*` (CPU, memory, open files, start time) and `python_gc_*` as
  every Python client has.

"""

_GROUPS = {
    "reading the feed": (
        "intake_", "lag_", "partitions_", "rebalances", "feed_broken", "decisions",
        "dead_letters_total",
    ),
    "documents": (
        "documents_total", "change_to", "record_to", "retries", "unknown_", "adoptions", "fenced",
        "outcomes_", "company_lease",
    ),
    "QuickBooks": ("quickbooks_",),
    "HubSpot": ("gateway_", "feed_events", "journal_", "hubspot_", "hydrations", "write_backs"),
    "the ledger": ("",),
    "the process": ("build_info", "event_loop", "postgres_pool", "unforeseen"),
}  # fmt: skip
_ORDER = ("reading the feed", "documents", "the ledger", "QuickBooks", "HubSpot", "the process")


def page() -> str:
    """The whole page."""
    by_group: dict[str, list[Described]] = {name: [] for name in _ORDER}
    for family in Metrics("").families.described:
        by_group[_group(family)].append(family)
    return _HEAD + "\n".join(_section(name, by_group[name]) for name in _ORDER)


def _group(family: Described) -> str:
    name = family.name.removeprefix("reconciler_")
    named = (
        group
        for group, starts in _GROUPS.items()
        if group != "the ledger" and name.startswith(starts)
    )
    return next(named, "the ledger")


def _section(name: str, families: Sequence[Described]) -> str:
    rows = [
        f"## {name[0].upper()}{name[1:]}\n",
        "| metric | type | labels | what it says |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.text} |"
        for each in families
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
