"""(e) Latency at 100 records a second: from the record's production to QuickBooks being asked."""

from __future__ import annotations

import time

from bench import contestants, live
from bench.contest import Measured, contestant
from bench.feed import ensure_topic
from bench.scale import Scale
from bench.table import Table, Target
from bench.world import World

WARM_UP = 3.0


def run(world: World, scale: Scale) -> Table:
    """Open loop: a record every 10 ms whether or not the last one is done."""
    names = ("ours", "hand-written")
    found = {name: _latencies(world, name, scale.latency_seconds) for name in names}
    rows = [
        Measured(f"{name} p{point:g}", "ms", [live.percentile(found[name], point) * 1000])
        for name in names
        for point in (50, 99, 99.9)
    ]
    target = Target("ours p99, ms", live.percentile(found["ours"], 99) * 1000, 50, at_most=True)
    title = f"change → document at {live.RATE} records/s, QuickBooks answers at once"
    return Table("latency", title, rows, [target])


def _latencies(world: World, name: str, seconds: float) -> list[float]:
    topic, dsn = f"latency.{name}", world.database()
    ensure_topic(world.bootstrap, topic)
    count = round((seconds + WARM_UP) * live.RATE)
    with world.stand_in() as quickbooks:
        if name == "ours":
            command = contestants.ours_command("all", 10**9)
            environment = contestants.settings(world, dsn, topic, quickbooks.url)
        else:
            command = contestants.peer("handwritten", topic, 10**9)
            environment = contestants.peer_environment(world, dsn, quickbooks.url)
        with contestant(command, environment):
            time.sleep(8)  # until it has joined its group
            sent = live.send(world.bootstrap, topic, range(live.FIRST, live.FIRST + count))
            deadline = time.monotonic() + 30
            while len(quickbooks.times()) < count and time.monotonic() < deadline:
                time.sleep(0.5)
            times = quickbooks.times()
    world.drop(dsn)
    return live.latencies(sent[round(WARM_UP * live.RATE) :], times)
