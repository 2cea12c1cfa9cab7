"""(j) Cost: CPU seconds of every process and metered QuickBooks reads, per 1,000 documents."""

from __future__ import annotations

from bench import contestants
from bench.contest import Measured, contestant
from bench.scale import Scale
from bench.table import Table
from bench.world import World


def run(world: World, scale: Scale) -> Table:
    """Ours and the hand-written peer, each with a fresh database and stand-in."""
    rows = [
        *_costs(world, "ours", scale.documents),
        *_costs(world, "hand-written", scale.documents),
    ]
    return Table("cost", "per 1,000 documents", rows)


def _costs(world: World, name: str, documents: int) -> list[Measured]:
    topic, dsn = world.topic(documents), world.database()
    with world.stand_in() as quickbooks:
        if name == "ours":
            command = contestants.ours_command("all", documents)
            environment = contestants.settings(world, dsn, topic, quickbooks.url)
        else:
            command = contestants.peer("handwritten", topic, documents)
            environment = contestants.peer_environment(world, dsn, quickbooks.url)
        before = world.cpu_seconds()
        with contestant(command, environment) as running:
            done = running.wait_for("done")
        after = world.cpu_seconds()
        counts, stand_in = quickbooks.counts(), quickbooks.cpu_seconds()
    world.drop(dsn)
    used = {
        "its own process": done["cpu_seconds"],
        "Postgres": after["postgres"] - before["postgres"],
        "Kafka": after["kafka"] - before["kafka"],
        "the stand-in": stand_in,
    }
    thousands = documents / 1000
    costs = [Measured(f"{name}: {who}", "CPU s", [cpu / thousands]) for who, cpu in used.items()]
    costs.append(Measured(f"{name}: metered reads", "reads", [counts["reads"] / thousands]))
    costs.append(Measured(f"{name}: requests", "requests", [counts["requests"] / thousands]))
    return costs
