"""(b) Replay: a new consumer group reads records that are all known."""

from __future__ import annotations

from functools import partial

from bench import contestants
from bench.contest import alternate
from bench.scale import Scale
from bench.table import Table
from bench.world import World

OURS, BY_HAND, RAW = "ours", "hand-written", "raw aiokafka"


def run(world: World, scale: Scale) -> Table:
    """Ours, the peers and aiokafka alone in turn."""
    rounds = {
        OURS: partial(contestants.ours_replay, world, scale.records),
        BY_HAND: partial(contestants.handwritten_replay, world, scale.documents),
        "FastStream batches": partial(contestants.faststream_intake, world, scale.records, 2),
        RAW: partial(contestants.raw, world, "consume", world.topic(scale.records), str(scale.records)),
    }  # fmt: skip
    rows = alternate(rounds, "records/s", scale.repetitions)
    table = Table("replay", "records that are all known", rows)
    table.ratio(OURS, BY_HAND, 8)
    table.ratio(OURS, RAW, 0.30)
    return table
