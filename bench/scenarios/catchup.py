"""(i) Start-up and catch-up: a process starts behind a backlog."""

from __future__ import annotations

import time

from bench import contestants
from bench.contest import Measured, contestant
from bench.scale import Scale
from bench.table import Table
from bench.world import World


def run(world: World, scale: Scale) -> Table:
    """From starting the process: until its first commit, and until nothing is left."""
    topic, dsn = world.topic(scale.backlog), world.database()
    first, whole = Measured("until the first commit", "s"), Measured("until caught up", "s")
    command = contestants.ours_command("intake", scale.backlog)
    started = time.monotonic()
    with contestant(command, contestants.settings(world, dsn, topic)) as running:
        running.wait_for("progress")
        first.values.append(time.monotonic() - started)
        running.wait_for("done", 3600)
        whole.values.append(time.monotonic() - started)
    world.drop(dsn)
    first.note = "a twentieth of the backlog, with an empty database to migrate"
    return Table("catchup", f"start behind {scale.backlog:,} records", [first, whole])
