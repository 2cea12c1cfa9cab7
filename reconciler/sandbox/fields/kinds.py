"""Owns the kinds of field, and how a value of each is checked and brought to its stored form.

`clean` returns the stored value, or `None` for "not set": QuickBooks takes a blank string or null
as that. Findings (errors, references to check later) are collected, so that one fault lists all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from reconciler.sandbox import faults
from reconciler.sandbox.clock import moment
from reconciler.sandbox.exact import number

MAX_DIGITS = Decimal(10) ** 15  # "max 15 digits"
MAX_AMOUNT = Decimal("9999999999.99999")  # a line's: "max 15 digits in 10.5 format"
MAX_PRICE = Decimal(99999999999)
_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TRUTH = {"true": True, "false": False}


@dataclass(slots=True)
class Findings:
    """What cleaning one body found."""

    errors: list[faults.Error] = field(default_factory=list)
    references: list[tuple[str, tuple[str, ...], dict[str, str]]] = field(default_factory=list)


class Kind:
    """A field's kind."""

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """Check `value` of the field named `at`."""
        raise NotImplementedError


class Derived(Kind):
    """Read-only: accepted because clients send back what they read, and never looked at."""


class Text(Kind):
    """A string of at most `limit` characters, free of the characters in `without`."""

    def __init__(self, limit: int = 4000, without: str = "") -> None:
        self.limit = limit
        self.without = without

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """Numbers are taken as their digits."""
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            found.errors.append(faults.unsupported_property(at))
            return None
        text = value if isinstance(value, str) else str(value)
        length = len(text.encode("utf-16-le", "surrogatepass")) // 2  # as Java counts
        if length > self.limit:
            found.errors.append(faults.wrong_length(at, 0, self.limit, length))
        if _NOT_IN_XML.search(text):
            found.errors.append(faults.unsupported_characters(at))
        for character in self.without:
            if character in text:
                found.errors.append(faults.business(f"{at} can't contain {character!r}", at))
        return text if text.strip() else None


class Flag(Kind):
    """true or false, also as a word."""

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """Anything else is 2010."""
        if value is None or value == "" or isinstance(value, bool):
            return None if value == "" else value
        if isinstance(value, str) and value.lower() in _TRUTH:
            return _TRUTH[value.lower()]
        found.errors.append(faults.unsupported_property(at))
        return None


class Number(Kind):
    """A decimal between `low` and `high` with at most `places` decimals."""

    def __init__(
        self, low: int | None = None, high: int | Decimal = MAX_DIGITS, places: int = 7
    ) -> None:
        self.low = low
        self.high = high
        self.places = places

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """Out of range or unreadable is 2090."""
        if value is None or value == "":
            return None
        read = number(value)
        if read is None or abs(read) > self.high or (self.low is not None and read < self.low):
            found.errors.append(faults.wrong_number(at, value))
            return None
        exponent = read.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > self.places:
            return round(read, self.places)
        return read


class Whole(Number):
    """A whole number."""

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """A fraction is 2090."""
        read = super().clean(value, at, found)
        if read is None:
            return None
        if read != read.to_integral_value():
            found.errors.append(faults.wrong_number(at, value))
            return None
        return int(read)


class Day(Kind):
    """A date, YYYY-MM-DD; a time after it is cut off."""

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """Anything else is 2010, as QuickBooks's JSON reader answers."""
        if value is None or value == "":
            return None
        if isinstance(value, str) and _DAY.match(value) and moment(value[:10]) is not None:
            return value[:10]
        found.errors.append(faults.unsupported_property(at))
        return None


class Choice(Kind):
    """One word of an enumeration."""

    def __init__(self, *words: str) -> None:
        self.words = frozenset(words)

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """Another word is 2170."""
        if value is None or value == "":
            return None
        if isinstance(value, str) and value in self.words:
            return value
        found.errors.append(faults.wrong_choice(at, value))
        return None


class Email(Kind):
    """The `Address` of an e-mail field; a comma-separated list where `several`."""

    def __init__(self, several: bool = False) -> None:
        self.several = several

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """Over 100 characters is 2050, no address 2210."""
        text = Text(100).clean(value, at, found)
        if text is None:
            return None
        addresses = text.split(",") if self.several else [text]
        if not all(_EMAIL.fullmatch(one.strip()) for one in addresses):
            found.errors.append(faults.wrong_email(at, text))
        return text


class Ref(Kind):
    """`{"value": id, "name": …}` to one of `targets`; noted, so that it can be looked up later."""

    def __init__(self, *targets: str, text_ids: bool = False) -> None:
        self.targets = targets
        self.text_ids = text_ids

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """An empty value is "not set"; one that isn't a number is 2030."""
        if value is None or value == "":
            return None
        if isinstance(value, str | int) and not isinstance(value, bool):
            value = {"value": value}
        if not isinstance(value, Mapping):
            found.errors.append(faults.unsupported_property(at))
            return None
        target = value.get("value")
        if target is None or target == "":
            return None
        target = str(target)
        if not self.text_ids and not target.lstrip("-").isdigit():
            found.errors.append(faults.invalid_id(at, target))
            return None
        kept = {"value": target}
        found.references.append((at, self.targets, kept))
        if isinstance(value.get("name"), str) and value["name"]:
            kept["name"] = value["name"]
        if isinstance(value.get("type"), str) and value["type"]:
            kept["type"] = value["type"]
        return kept


class Nested(Kind):
    """An object with fields of its own."""

    def __init__(self, fields: Mapping[str, Kind], **more: Kind) -> None:
        self.fields = {**fields, **more}

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """An object with nothing set is "not set"."""
        if value is None or value == "":
            return None
        if not isinstance(value, Mapping):
            found.errors.append(faults.unsupported_property(at))
            return None
        cleaned = clean_fields(self.fields, value, found)
        kept = {name: one for name, one in cleaned.items() if one is not None}
        return kept or None


class Many(Kind):
    """A list of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """A single object is taken as a list of it; members with nothing set are dropped."""
        if value is None or value == "":
            return None
        if isinstance(value, Mapping):
            value = [value]
        if not isinstance(value, list):
            found.errors.append(faults.unsupported_property(at))
            return None
        cleaned = [self.kind.clean(one, at, found) for one in value]
        return [one for one in cleaned if one is not None]


def clean_fields(
    fields: Mapping[str, Kind], body: Mapping[str, Any], found: Findings
) -> dict[str, Any]:
    """Check each property of `body`; those not set are kept as None."""
    cleaned: dict[str, Any] = {}
    for name, value in body.items():
        kind = fields.get(name)
        if kind is None:
            found.errors.append(faults.unsupported_property(name))
            continue
        if type(kind) is not Derived:
            cleaned[name] = kind.clean(value, name, found)
    return cleaned
