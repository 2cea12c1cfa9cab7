"""How a HubSpot property value, a string or None, reads as text, number, date or list.

Called by `filters` for every value it compares, and by `source` for money, so nothing here raises:
what cannot be read is None and matches no comparison. It refuses to guess (no locale, no currency signs).
HubSpot gives numbers as "49.99" and dates as ISO-8601, date only, or epoch milliseconds, depending
on which of its interfaces the feed came through.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_NUMBER = 64
_LONGEST_INSTANT = 40


def is_known(value: str | None) -> bool:
    """HubSpot shows a cleared property as null or as an empty string: both are unknown."""
    return value is not None and value != ""


def folded(value: str) -> str:
    """Text as compared: trimmed and without regard to case."""
    return value.strip().casefold()


def chosen(value: str) -> list[str]:
    """The options of a multi-value property, which HubSpot joins with `;`."""
    return [folded(option) for option in value.split(";")]


def number(value: str | None) -> Decimal | None:
    """A finite decimal, or None for anything else, also for what only Python takes for a number."""
    if not value or len(value) > _LONGEST_NUMBER or "_" in value or not value.isascii():
        return None
    try:
        read = Decimal(value.strip())
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def instant(value: str | None) -> int | None:
    """Epoch milliseconds; a date alone is its first instant and a time without a zone is in UTC."""
    if not value or len(value) > _LONGEST_INSTANT:
        return None
    trimmed = value.strip()
    if trimmed.removeprefix("-").isdecimal() and len(trimmed) < 17:
        return int(trimmed)
    try:
        read = datetime.fromisoformat(trimmed)
        aware = read if read.tzinfo else read.replace(tzinfo=UTC)
        return (aware - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None


def is_day(value: str) -> bool:
    """Whether a date was written without a time of day."""
    trimmed = value.strip()
    return len(trimmed) == 10 and trimmed.count("-") == 2 and instant(trimmed) is not None
