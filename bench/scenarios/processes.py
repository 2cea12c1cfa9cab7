"""(h) Scale-out: one, two and four processes of one group read the same topic."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

from bench import contestants
from bench.contest import Measured, contestant
from bench.scale import Scale
from bench.table import Table, Target
from bench.world import World, fetch_value

PROCESSES = (1, 2, 4)
_POSITION = "SELECT coalesce(sum(next_offset), 0)::bigint FROM offsets"


def run(world: World, scale: Scale) -> Table:
    """All of them share the machine's cores with Postgres and Kafka."""
    found = {count: Measured(f"{count} processes", "records/s") for count in PROCESSES}
    for _ in range(min(2, scale.repetitions)):
        for count, measured in found.items():
            measured.values.append(_rate(world, scale.records, count))
    ratio = found[2].median / found[1].median
    note = f"{os.cpu_count()} cores for the processes, Postgres and Kafka together"
    target = Target("2 processes / 1 process", ratio, 1.7)
    title = "first-seen intake by the number of processes"
    return Table("scale", title, list(found.values()), [target], [note])


def _rate(world: World, records: int, processes: int) -> float:
    topic, dsn = world.topic(records), world.database()
    settings = contestants.settings(world, dsn, topic)
    with ExitStack() as stack:
        for _ in range(processes):
            command = contestants.ours_command("intake", 10**9)
            stack.enter_context(contestant(command, settings))
        while not _is_there(dsn):
            time.sleep(0.1)
        started, first = time.monotonic(), fetch_value(dsn, _POSITION)
        while (position := fetch_value(dsn, _POSITION)) < records:
            time.sleep(0.1)
        seconds = time.monotonic() - started
    world.drop(dsn)
    return (position - first) / seconds


def _is_there(dsn: str) -> bool:
    try:
        return fetch_value(dsn, _POSITION) > 0
    except Exception:
        return False  # the first process is still making the tables
