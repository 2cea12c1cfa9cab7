"""(f) Growth: intake, replay and creation with ever more objects and documents in the store.

The store is filled by copying the rows that the service itself wrote for one deal, under other
ids, so that a million objects take a minute and every index is as large as it would be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg

from bench import contestants
from bench.contest import Measured, contestant, rate_of
from bench.deals import FIRST_ID
from bench.scale import Scale
from bench.table import Table, Target
from bench.world import World

FIRST_COPY = 1_000_000_000
"""Far from the ids of the feed, but of the same length as most."""

_OBJECTS = """
    INSERT INTO objects (portal_id, object_type, object_id, version, state, changed_at, found_by)
    SELECT portal_id, object_type, n::text, version, replace(state::text, object_id, n::text)::json,
           changed_at, replace(found_by, object_id, n::text)
      FROM objects, generate_series($2::bigint, $3::bigint) AS n WHERE object_id = $1
"""
_DOCUMENTS = """
    WITH copied AS (
        INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                               workflow, state, content, enrolled_at, generation, revision, version,
                               attempts, quickbooks_entity, quickbooks_id)
        SELECT realm_id, action, portal_id, object_type, n::text, enrolment, workflow, 'created',
               content, enrolled_at, 1, 1, 2, 1, 'Invoice', n::text
          FROM documents, generate_series($2::bigint, $3::bigint) AS n WHERE object_id = $1
        RETURNING document_id, object_id)
    INSERT INTO document_names
    SELECT c.document_id, replace(found_by, d.object_id, c.object_id)
      FROM copied AS c, document_names JOIN documents AS d USING (document_id)
     WHERE d.object_id = $1
"""
_CHUNK = 100_000
_IN_THE_AIR = 1_200
"""Documents that a run may create beyond its count, because they were under way when it stopped:
the next run would wait for them in vain."""


def run(world: World, scale: Scale) -> Table:
    """Each size in turn; the figures of one size are of one database."""
    rows: list[Measured] = []
    rates: dict[tuple[str, int], float] = {}
    for objects in scale.objects:
        for what, values in _rates(world, scale, objects).items():
            measured = Measured(f"{what}, {objects:,} objects", "records/s", values)
            rates[what, objects] = measured.median
            rows.append(measured)
    small, large = scale.objects[0], scale.objects[-1]
    targets = [
        Target(f"{what}: rate at {large:,} / rate at {small:,}", rates[what, large] / rate, 0.8)
        for (what, objects), rate in rates.items()
        if objects == small
    ]
    return Table("growth", "rates by the number of objects in the store", rows, targets)


def _rates(world: World, scale: Scale, objects: int) -> dict[str, list[float]]:
    """New deals are taken in, read again by another group, and invoiced: each in several runs."""
    count, dsn = scale.growth_records, world.database()
    topics = [world.topic(count, (1 + each) * count) for each in range(scale.repetitions)]
    with contestant(
        contestants.ours_command("intake", 1), contestants.settings(world, dsn, world.topic(1))
    ) as running:
        running.wait_for("done")
    asyncio.run(_fill(dsn, objects))
    found: dict[str, list[float]] = {}
    with world.stand_in() as quickbooks:
        for what, part, each in (
            ("intake", "intake", count),
            ("replay", "intake", count),
            ("creation", "all", count - _IN_THE_AIR),
        ):
            world.settle()
            found[what] = [
                _run(
                    contestants.ours_command(part, each),
                    contestants.settings(world, dsn, topic, quickbooks.url),
                )
                for topic in topics
            ]
    world.drop(dsn)
    return found


def _run(command: Sequence[str], settings: dict[str, str]) -> float:
    with contestant(command, settings) as running:
        rate, _ = rate_of(running.wait_for("done"))
        running.wait_for_end()
    return rate


async def _fill(dsn: str, objects: int) -> None:
    connection = await asyncpg.connect(dsn)
    for first in range(0, objects, _CHUNK):
        span = (FIRST_COPY + first, FIRST_COPY + min(first + _CHUNK, objects) - 1)
        for statement in (_OBJECTS, _DOCUMENTS):
            await connection.execute(statement, str(FIRST_ID), *span, timeout=600)
    await connection.execute("VACUUM ANALYZE objects, documents, document_names", timeout=600)
    await connection.close()
