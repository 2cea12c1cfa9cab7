"""Digests of records are kept for as long as they can recognise something, and no longer."""

from __future__ import annotations

from array import array

import pytest

from reconciler.intake.known import RUN
from reconciler.ports.intake import KnownRun, Span
from store import known
from store.pool import open_pool

READING = "now"
LOG = Span("deals", "id", 0, 1500, 9000)
"""Kafka holds these offsets; those before were deleted by retention."""


def run(
    first: int, *, topic: str = "deals", topic_id: str = "id", reading: str = READING
) -> KnownRun:
    return KnownRun(
        Span(topic, topic_id, 0, first, first + RUN), reading, array("Q", [7] * RUN).tobytes()
    )


KEPT = [run(1000), run(2000), run(0, topic="another")]
GONE = [run(0), run(2000, topic_id="former"), run(2000, reading="before the update")]


async def test_what_can_recognise_nothing_is_forgotten(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted by retention, of a topic that was created again, or read in another way: these go,
    however many they are; a run that reaches into the log stays, and so do topics not asked about."""
    monkeypatch.setattr(known, "FORGOTTEN_AT_ONCE", 2)
    pool = await open_pool(database_dsn, size=1, wait_seconds=5)
    try:
        await known.save(pool, [*KEPT, *GONE])
        store = known.KnownStore(pool)
        assert await store.forget(READING, [LOG]) == len(GONE)
        rows = await pool.fetch("SELECT topic, topic_id, from_offset, reading FROM known_records")
        assert {tuple(row) for row in rows} == {
            (each.span.topic, each.span.topic_id, each.span.from_offset, each.reading)
            for each in KEPT
        }
        assert await store.find(READING, [LOG]) == KEPT[:2]
        assert await store.forget(READING, []) == 0
    finally:
        await pool.close()
