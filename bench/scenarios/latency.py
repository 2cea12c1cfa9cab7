"""(e) Latency at 100 records a second: from the record's production to QuickBooks being asked."""

from __future__ import annotations

import time

from confluent_kafka import Producer

from bench import contestants
from bench.contest import Measured, contestant
from bench.deals import FIRST_ID, record
from bench.feed import ensure_topic
from bench.scale import Scale
from bench.table import Table, Target
from bench.world import World

RATE = 100
WARM_UP = 3.0
FIRST = 5_000_000


def run(world: World, scale: Scale) -> Table:
    """Open loop: a record every 10 ms whether or not the last one is done."""
    names = ("ours", "hand-written")
    found = {name: _latencies(world, name, scale.latency_seconds) for name in names}
    rows = [
        Measured(f"{name} p{point:g}", "ms", [_percentile(found[name], point) * 1000])
        for name in names
        for point in (50, 99, 99.9)
    ]
    target = Target("ours p99, ms", _percentile(found["ours"], 99) * 1000, 50, at_most=True)
    title = f"change → document at {RATE} records/s, QuickBooks answers at once"
    return Table("latency", title, rows, [target])


def _latencies(world: World, name: str, seconds: float) -> list[float]:
    topic, dsn = f"latency.{name}", world.database()
    ensure_topic(world.bootstrap, topic)
    count = round((seconds + WARM_UP) * RATE)
    with world.stand_in() as quickbooks:
        if name == "ours":
            command = contestants.ours_command("all", 10**9)
            environment = contestants.settings(world, dsn, topic, quickbooks.url)
        else:
            command = contestants.peer("handwritten", topic, 10**9)
            environment = contestants.peer_environment(world, dsn, quickbooks.url)
        with contestant(command, environment):
            time.sleep(8)  # until it has joined its group
            sent = _produce(world.bootstrap, topic, count)
            deadline = time.monotonic() + 30
            while len(quickbooks.times()) < count and time.monotonic() < deadline:
                time.sleep(0.5)
            times = quickbooks.times()
    world.drop(dsn)
    counted = sent[round(WARM_UP * RATE) :]
    return [times.get(id_, float("inf")) - at for id_, at in counted]


def _produce(bootstrap: str, topic: str, count: int) -> list[tuple[str, float]]:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    sent, started = [], time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, started + number / RATE - time.monotonic()))
        id_ = str(FIRST_ID + FIRST + number)
        sent.append((id_, time.time()))
        producer.produce(topic, record(FIRST + number), id_.encode())
        producer.poll(0)
    producer.flush()
    return sent


def _percentile(values: list[float], point: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * point / 100))]
