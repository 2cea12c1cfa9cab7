"""How much each scenario does: quick for a look in a quarter of an hour, full for the record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Numbers of records and documents per run, and how often each contestant runs."""

    repetitions: int
    records: int
    documents: int
    documents_dbos: int
    companies: tuple[int, ...] = (1, 50)
    limit_seconds: float = 60.0
    latency_seconds: float = 20.0
    objects: tuple[int, ...] = (10**4, 10**5, 10**6)
    growth_records: int = 60_000
    memory_records: int = 10**7
    backlog: int = 10**6
    history: int = 200_000


QUICK = Scale(
    repetitions=3,
    records=24_000,
    documents=6_000,
    documents_dbos=600,
    latency_seconds=10.0,
    objects=(10**4, 10**5),
    growth_records=6_000,
    memory_records=200_000,
    backlog=60_000,
    history=4_000,
)
FULL = Scale(
    repetitions=3,
    records=120_000,
    documents=30_000,
    documents_dbos=3_000,
    latency_seconds=60.0,
    objects=(10**4, 10**5, 10**6, 10**7),
)
