"""Which day an instant is, and which day a property of HubSpot's states. Pure; called by `content`.

A date alone is midnight in UTC to HubSpot, also in epoch milliseconds and in properties that hold an
instant. It is meant as it is written; of any other instant it is the day in the company's time zone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from reconciler.deciding.source import Properties
from reconciler.model import AFTER_LAST_MS, FIRST_MS
from reconciler.reasons import Blocked, Reason
from reconciler.workflows.values import DAY_MS, instant


def day_of(at: int, timezone: str) -> str:
    """The ISO date of an instant (epoch ms) in a time zone."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return (moment if timezone == "UTC" else moment.astimezone(_zone(timezone))).date().isoformat()


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def stated_day(found: Properties, name: str, where: str, date_of: Callable[[int], str]) -> str:
    """The ISO date in property *name*, "" where it says none; `Blocked` where it says no date."""
    text = found.get(name)
    if not text:
        return ""
    at = instant(text)
    if at is None or not FIRST_MS <= at < AFTER_LAST_MS:
        raise Blocked(Reason.BAD_DATE, where=f"{name} of {where}", value=text[:40])
    return day_of(at, "UTC") if at % DAY_MS == 0 else date_of(at)
