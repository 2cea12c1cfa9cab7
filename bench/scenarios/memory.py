"""(g) Memory: the process's resident size over many records, first seen and then replayed."""

from __future__ import annotations

from bench import contestants
from bench.contest import Measured, contestant
from bench.scale import Scale
from bench.table import Table, Target
from bench.world import World


def run(world: World, scale: Scale) -> Table:
    """A fifth of the records is first seen, the rest is read again and again by new groups."""
    first = scale.memory_records // 5
    topic, dsn = world.topic(first), world.database()
    resident: list[float] = []
    for _ in range(5):
        settings = contestants.settings(world, dsn, topic)
        with contestant(contestants.ours_command("intake", first), settings) as running:
            done = running.wait_for("done")
            sizes = [e["rss_megabytes"] for e in running.events if e["event"] == "progress"]
            resident += [*sizes, done["rss_megabytes"]]
    world.drop(dsn)
    intake = resident[: len(resident) // 5]
    rows = [Measured("resident", "MiB", resident)]
    growth = max(intake[len(intake) // 2 :]) / max(intake[: len(intake) // 2])
    targets = [
        Target("largest resident size, MiB", max(resident), 200, at_most=True),
        Target("second half of the records / first half", growth, 1.1, at_most=True),
    ]
    title = f"resident size over {scale.memory_records:,} records"
    return Table("memory", title, rows, targets)
