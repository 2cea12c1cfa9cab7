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


QUICK = Scale(repetitions=3, records=60_000, documents=12_000, documents_dbos=1_500)
FULL = Scale(repetitions=5, records=200_000, documents=40_000, documents_dbos=5_000)
