"""Owns normalising: ids, instants and property values, so that every feed says them the same way.

The shape decoders call it. A property value is text or None (HubSpot's own REST form); empty text
is None, as HubSpot means *unknown* by it. Numbers keep their digits, never going through a float.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from reconciler.model import AFTER_LAST_MS, FIRST_MS
from streams.formats.record import Document, Reason, refused, shown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_ONLY = frozenset({"hs_recurring_billing_start_date", "hs_recurring_billing_end_date"})
_ENDS_OF_DATETIMES = (  # not `date` alone: a mandate is a number
    "_date", "_at", "_timestamp", "closedate", "createdate", "modifieddate", "startdate", "enddate",
    "duedate",
)  # fmt: skip
_LONGEST_ID = 64
_LONGEST_NUMBER = 60

_encoder = msgspec.json.Encoder(decimal_format="number")


def ident(value: object) -> str:
    """Give an object id as text: a number, or up to 64 printable characters without a space."""
    if type(value) is int:
        if 0 <= value < 10**18:
            return str(value)
    elif type(value) is str:
        if value.isascii() and value.isdigit() and len(value) <= _LONGEST_ID:
            return value
        text = value.strip().removesuffix(".0")  # 123.0: a whole number that went through a float
        if (
            0 < len(text) <= _LONGEST_ID
            and text.isascii()
            and text.isprintable()
            and " " not in text
        ):
            return text
    elif type(value) is Decimal and value == value.to_integral_value() and value.adjusted() < 18:
        return ident(int(value))
    raise refused(Reason.BAD_ID, f"{shown(value)} is not an object id")


def portal(value: object) -> int | None:
    """Give a portal id, or None when this isn't one."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 19:
        value = int(value)
    return value if type(value) is int and 0 < value < 1 << 63 else None


def flag(value: object) -> bool | None:
    """Give what a flag says, also as text in any case; None when it isn't one."""
    if type(value) is str:
        value = value.lower()
    return True if value in (True, "true") else False if value in (False, "false") else None


def instant(value: object) -> int:
    """Give epoch ms from a number (s, ms, µs or ns by its size), its text, or ISO 8601."""
    found = _ms(value)
    if found is None or not FIRST_MS <= found < AFTER_LAST_MS:
        raise refused(Reason.BAD_TIME, f"{shown(value)} is not an instant between 2000 and 2100")
    return found


def first_instant(*candidates: object) -> int | None:
    """Give the first candidate that is a sensible instant in epoch ms; None when none is."""
    for value in candidates:
        found = _ms(value)
        if found is not None and FIRST_MS <= found < AFTER_LAST_MS:
            return found
    return None


def own_time(document: Document, properties: Any, fallback: int) -> int:
    """Give the instant at which an object's properties were true: its own, else the fallback's."""
    value = document.get("updatedAt") or document.get("updated_at")
    if not value and type(properties) is dict:
        value = properties.get("hs_lastmodifieddate") or properties.get("lastmodifieddate")
    return instant(value or fallback)


def property_values(raw: Document) -> dict[str, str | None]:
    """Normalise properties by name: text or None, datetimes as ISO 8601 in UTC with ms.

    The document's own dictionary is normalised in place: nearly every value is as it should be.
    """
    for name, value in raw.items():
        if type(value) is str:
            if not value:
                raw[name] = None
            elif len(value) > 11 and value[0] <= "9" and is_datetime(name):
                raw[name] = _datetime(name, value)
        elif value is not None:
            raw[name] = property_value(name, value)
    return raw


def property_value(name: str, value: Any) -> str | None:
    """Normalise one property value of any JSON type."""
    kind = type(value)
    if kind is not str:
        value = _text(value)
    if value and is_datetime(name):
        value = _datetime(name, value)
    return value or None


@lru_cache(maxsize=4096)
def is_datetime(name: str) -> bool:
    """Tell whether a property holds a datetime, which webhooks give as epoch ms and REST as ISO."""
    return (
        name.endswith(_ENDS_OF_DATETIMES)
        or name in ("date", "timestamp")
        or "date_entered" in name
        or "date_exited" in name
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        if -(10**_LONGEST_NUMBER) < value < 10**_LONGEST_NUMBER:
            return str(value)
        raise refused(Reason.NUMBER, f"an integer has more than {_LONGEST_NUMBER} digits")
    if type(value) is Decimal:
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and max(value.adjusted(), -exponent) <= _LONGEST_NUMBER:
            return format(value, "f")
        raise refused(Reason.NUMBER, f"a number has more than {_LONGEST_NUMBER} digits")
    return _encoder.encode(value).decode()


def _datetime(name: str, value: str) -> str:
    """Give ISO 8601 in UTC with ms; dates without a time, and text that is no time, stay as is."""
    length = len(value)
    if length < 12:
        return value
    if length == 24 and value[10] == "T" and value[19] == "." and value[23] == "Z":
        return value[:10] if name in _DATE_ONLY else value
    try:
        at = _from_epoch(int(value)) if _is_epoch(value) else _iso(value)
    except (ValueError, OverflowError):
        return value
    text = at.isoformat(timespec="milliseconds")
    return text[:10] if name in _DATE_ONLY else f"{text[:23]}Z"


def _from_epoch(number: int) -> datetime:
    at_ms = _scaled(number)
    if at_ms >= AFTER_LAST_MS:
        raise ValueError("digits, but not an epoch time")
    return _EPOCH + timedelta(milliseconds=at_ms)


def _is_epoch(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 20


def _iso(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _scaled(number: int) -> int:
    """Give epoch ms of a number of seconds, ms, µs or ns; their sizes are far apart since 1973."""
    if number < 10**11:
        return number * 1000
    if number < 10**14:
        return number
    return number // 1000 if number < 10**17 else number // 10**6


def _ms(value: object) -> int | None:
    if type(value) is int:
        return _scaled(value)
    if type(value) is Decimal:
        return _scaled(int(value)) if value.adjusted() < 20 else None
    if type(value) is not str:
        return None
    if value.isascii() and value.isdigit():
        return _scaled(int(value)) if len(value) < 20 else None
    try:
        since = _iso(value) - _EPOCH
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
