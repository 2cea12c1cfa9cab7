"""Ids as HubSpot gives them: numeric strings, rising with gaps, apart for each object type."""

from __future__ import annotations

from random import Random

_FIRST = {
    "contact": 51_000_000, "company": 9_100_000_000, "deal": 18_400_000_000, "quote": 7_200_000_000,
    "payment": 310_000_000, "line_item": 64_000_000_000, "product": 2_100_000_000,
    "invoice": 4_500_000_000, "event": 3_816_000_000,
}  # fmt: skip


class Ids:
    """Numbers objects and events, deterministically by its random source."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._last = dict(_FIRST)

    def next(self, kind: str) -> str:
        self._last[kind] += self._rng.randrange(1, 40)
        return str(self._last[kind])
