"""(a) First-seen intake: record → folded, decided, wanted document committed."""

from __future__ import annotations

from functools import partial

from bench import contestants
from bench.contest import alternate
from bench.scale import Scale
from bench.table import Table
from bench.world import World

OURS, BY_HAND, UPSERT = "ours", "hand-written (documents)", "raw unnest upsert"


def run(world: World, scale: Scale) -> Table:
    """Ours, the peers and the raw upsert in turn."""
    rounds = {
        OURS: partial(contestants.ours_intake, world, scale.records),
        "FastStream batches": partial(contestants.faststream_intake, world, scale.records),
        "Kafka Streams EOSv2": partial(contestants.streams_intake, world, scale.records),
        BY_HAND: partial(contestants.peer_create, world, "handwritten", scale.documents),
        UPSERT: partial(contestants.raw, world, "upsert", str(scale.records)),
    }
    notes = {
        "FastStream batches": "stores the deal's id only",
        "Kafka Streams EOSv2": "no database, no decision",
        BY_HAND: "its whole way to QuickBooks",
    }
    rows = alternate(rounds, "records/s", scale.repetitions, notes)
    table = Table("intake", "first-seen records, decided and committed", rows)
    table.ratio(OURS, BY_HAND, 10)
    table.ratio(OURS, UPSERT, 0.25)
    return table
