"""(c) Creation: record → invoice, with a QuickBooks that answers at once."""

from __future__ import annotations

from functools import partial

from bench import contestants
from bench.contest import alternate
from bench.scale import Scale
from bench.table import Table
from bench.world import World

OURS, BY_HAND, DBOS = "ours", "hand-written", "DBOS"


def run(world: World, scale: Scale) -> Table:
    """Ours and the peers that reach QuickBooks in turn, and what aiohttp can do."""
    rounds = {
        OURS: partial(contestants.ours_create, world, scale.documents),
        BY_HAND: partial(contestants.peer_create, world, "handwritten", scale.documents),
        DBOS: partial(contestants.peer_create, world, "dbos_consumer", scale.documents_dbos),
        "raw aiohttp": partial(contestants.raw, world, "http", str(scale.documents)),
    }
    notes = {OURS: "batches of 30", "raw aiohttp": "requests/s, client and server"}
    rows = alternate(rounds, "documents/s", scale.repetitions, notes)
    table = Table("create", "documents created, QuickBooks answers at once", rows)
    table.ratio(OURS, BY_HAND, 5)
    table.ratio(OURS, DBOS, 40)
    return table
