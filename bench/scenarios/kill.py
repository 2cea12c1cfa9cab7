"""What one kill -9 in the middle loses or doubles; no speed, but what the speed is worth."""

from __future__ import annotations

import time

from bench import contestants
from bench.contest import ContestantFailed, Measured, contestant
from bench.scale import Scale
from bench.table import Table, Target
from bench.world import StandIn, World

PATIENCE = 45.0
"""Longer than a group's session and our lease: whoever was killed is then known to be dead."""


def run(world: World, scale: Scale) -> Table:
    """Killed at half of the documents, started again, and given time to finish."""
    documents = {"ours": scale.documents, "handwritten": scale.documents}
    documents["dbos_consumer"] = scale.documents_dbos
    rows, targets = [], []
    for name, count in documents.items():
        lost, doubled, repeated = _killed(world, name, count)
        rows.append(Measured(f"{name}: lost", "documents", [lost]))
        rows.append(
            Measured(f"{name}: doubled", "documents", [doubled], note=f"{repeated} calls repeated")
        )
        if name == "ours":
            targets.append(Target("ours: lost or doubled", lost + doubled, 0, at_most=True))
    return Table("kill", "one kill -9 at half, one restart", rows, targets)


def _killed(world: World, name: str, count: int) -> tuple[int, int, int]:
    topic, dsn = world.topic(count), world.database()
    with world.stand_in() as quickbooks:
        if name == "ours":
            command = contestants.ours_command("all", count)
            environment = contestants.settings(world, dsn, topic, quickbooks.url)
        else:
            command = contestants.peer(name, topic, count)
            environment = contestants.peer_environment(world, dsn, quickbooks.url)
        with contestant(command, environment) as running:
            running.wait_for("progress", count=count // 2)
        with contestant(command, environment):
            _settle(quickbooks, count)
        found = quickbooks.counts()
    world.drop(dsn)
    return count - found["sources"], found["doubled"], found["repeated"]


def _settle(quickbooks: StandIn, count: int) -> None:
    """Until all are made, or nothing has moved for longer than anybody waits for the dead."""
    moved_at, last = time.monotonic(), -1
    while time.monotonic() - moved_at < PATIENCE:
        counts = quickbooks.counts()
        if counts["sources"] >= count and last == counts["requests"]:
            return
        if counts["requests"] != last:
            moved_at, last = time.monotonic(), counts["requests"]
        time.sleep(1)
    if last <= 0:
        raise ContestantFailed("nothing was sent at all")
