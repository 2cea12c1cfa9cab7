"""(d) Intuit's real limits: documents a minute per company, for one company and for many at once.

A minute allows 500 requests, of which 40 may be batches of 30: 40 × 30 + 460 documents. The
stand-in counts as Intuit does and refuses what is too much.
"""

from __future__ import annotations

import time

from bench import contestants
from bench.contest import Measured, contestant
from bench.scale import Scale
from bench.table import Table, Target
from bench.world import StandIn, World

ALLOWED = 40 * 30 + (500 - 40)


def run(world: World, scale: Scale) -> Table:
    """One process, all companies at once, a backlog for each."""
    rows, targets, notes = [], [], []
    for companies in scale.companies:
        made, throttled, seconds = _minute(world, companies, scale.limit_seconds)
        share = made / (ALLOWED * companies * seconds / 60)
        name = f"{companies} companies" if companies > 1 else "1 company"
        rows.append(Measured(name, "documents/min/company", [made / companies / seconds * 60]))
        targets.append(Target(f"{name}: share of what the limits allow", share, 0.95))
        notes.append(f"{name}: {throttled} requests refused by the stand-in's own limits")
    rows.append(Measured("the limits", "documents/min/company", [float(ALLOWED)]))
    return Table("limits", "documents under Intuit's limits, one process", rows, targets, notes)


def _minute(world: World, companies: int, seconds: float) -> tuple[int, int, float]:
    """Documents in the first minute, requests refused, and how long it was."""
    records = round(ALLOWED * seconds / 60 * 1.1)
    topic, dsn = world.topic(records), world.database()
    with world.stand_in("--limits") as quickbooks:
        settings = contestants.settings(world, dsn, topic, quickbooks.url, companies)
        settings["RECONCILER_QUICKBOOKS_LIMITS"] = "true"
        command = contestants.ours_command("all", 10**9)
        with contestant(command, settings):
            _until_full(quickbooks, companies)
            started, before = time.monotonic(), quickbooks.counts()["documents"]
            time.sleep(seconds)
            counts, took = quickbooks.counts(), time.monotonic() - started
    world.drop(dsn)
    return counts["documents"] - before, counts["throttled"], took


def _until_full(quickbooks: StandIn, companies: int) -> None:
    """Until every company has been at work for a minute: in the first, its windows are empty."""
    deadline = time.monotonic() + 300
    while quickbooks.counts()["documents"] < companies and time.monotonic() < deadline:
        time.sleep(0.2)
