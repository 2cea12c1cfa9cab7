"""How values are written on the pages: times, amounts, states, bytes. Pure."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from markupsafe import Markup, escape

from reconciler.model import DocumentState

_OURS = {"quickbooks": "QuickBooks", "us": "US", "json": "JSON", "hubspot": "HubSpot"}
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


class StateWords(NamedTuple):
    """A state's label, and what it means in a few words."""

    label: str
    meaning: str


STATES: dict[str, StateWords] = {
    DocumentState.CREATED: StateWords("Created", "in QuickBooks"),
    DocumentState.BLOCKED: StateWords("Blocked", "needs a person"),
    DocumentState.WAITING: StateWords("Waiting", "needs a fact that has not arrived"),
    DocumentState.WANTED: StateWords("Wanted", "to be created"),
    DocumentState.SENDING: StateWords("Sending", "sent, the answer is awaited"),
    DocumentState.DISMISSED: StateWords("Dismissed", "a person decided against it"),
    "not_wanted": StateWords("Not wanted", "nothing calls for it"),
}


def plain(word: str) -> str:
    """`paid_invoice` as people write it: `Paid invoice`."""
    parts = [_OURS.get(part, part) for part in str(word).split("_")]
    text = " ".join(parts)
    return text[:1].upper() + text[1:]


def plural(count: int, one: str, many: str = "") -> str:
    """`1 document`, `2,310 documents`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def amount(value: Decimal | str | float | None, currency: str = "") -> str:
    """To the cent, with separators; "" where it is not known."""
    if value is None or value == "":
        return ""
    return f"{Decimal(str(value)):,.2f} {currency}".strip()


def instant(at: datetime | None) -> Markup:
    """An instant in UTC, to the second."""
    if at is None:
        return Markup("")
    return _time(at, f"{at:%Y-%m-%d %H:%M:%S}")


def clock(at: datetime) -> str:
    """Time of day in UTC."""
    return f"{at:%H:%M:%S} UTC"


def day(at: datetime) -> str:
    """The day in UTC."""
    return f"{at:%Y-%m-%d}"


def time(at: datetime) -> str:
    """Time of day, on a page that says that it is UTC."""
    return f"{at:%H:%M:%S}"


def ago(at: datetime | None, now: datetime) -> Markup:
    """How long since, or until; hovering shows when."""
    if at is None:
        return Markup("")
    gone = now - at
    text = f"in {span(-gone)}" if gone < -timedelta(seconds=1) else f"{span(gone)} ago"
    return _time(at, "just now" if abs(gone) < timedelta(seconds=1) else text)


def span(length: timedelta) -> str:
    """`3 min`, `5 h`, `12 d`: one unit is enough to act on."""
    seconds = max(int(length.total_seconds()), 0)
    for size_, unit in _UNITS:
        if seconds >= size_:
            return f"{seconds // size_} {unit}"
    return f"{seconds} s"


def _time(at: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M:%S} UTC", text
    )


def size(count: int) -> str:
    """Bytes as people read them."""
    return f"{count:,} B" if count < 10_240 else f"{count / 1024:,.0f} KiB"


def visible(text: str) -> Markup:
    """Foreign text with what can't be seen made visible: control and direction characters.

    A record could otherwise hide what it says (`U+202E` turns the rest of a line around).
    """
    pieces = []
    for character in text:
        kind = unicodedata.category(character)
        if character in "\n\t" or kind not in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp"):
            pieces.append(str(escape(character)))
        else:
            pieces.append(f'<span class="unseen">U+{ord(character):04X}</span>')
    return Markup("".join(pieces))  # noqa: S704  every piece is escaped or made above


def hexdump(raw: bytes, width: int = 16) -> str:
    """Offset, bytes and what is printable of them, a row for each 16."""
    rows = []
    for start in range(0, len(raw), width):
        row = raw[start : start + width]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{start:08x}  {row.hex(' '):<{width * 3 - 1}}  {shown}")
    return "\n".join(rows)
