"""Leaves the store to live traffic for a part of the time. Called by replay and backfill."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self


class Pace:
    """After work that took a while, rest so that no more than *share* of the time is worked.

    Use as a context manager around each piece of work. Work that got slow because the store is
    busy is then followed by longer rests.
    """

    def __init__(self, share: float) -> None:
        self._rest_per_second = (1 - share) / share
        self._started_at = 0.0

    async def __aenter__(self) -> Self:
        self._started_at = time.monotonic()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            await asyncio.sleep((time.monotonic() - self._started_at) * self._rest_per_second)
