"""JSON bodies as QuickBooks reads and writes them, with exact numbers.

Amounts are JSON numbers and must never pass through a float: they are Decimal on our side, read
from and written to the digits themselves. Used by every module here that touches a body.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

Payload = dict[str, Any]
"""A JSON object: strings, booleans, ints, Decimals, lists and further objects; never a float."""

_decoder = msgspec.json.Decoder(Any, float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(body: bytes) -> Any:
    """Read a body; fractions become Decimal. Raises msgspec.DecodeError."""
    return _decoder.decode(body)


def encode(value: Any) -> bytes:
    """Write a body; the same value always gives the same bytes.

    Raises TypeError for a float and ValueError for an infinite Decimal or text that UTF-8 cannot
    carry: each would otherwise be stored as a wrong amount or refused with fault 500.
    """
    return _encoder.encode(_writable(value))


def reference_id(entity: Payload, name: str) -> str:
    """The id in a reference such as `CustomerRef`; "" where the entity has none."""
    ref = entity.get(name)
    return str(ref.get("value", "")) if isinstance(ref, dict) else ""


def written_id(entity: Mapping[str, Any]) -> str:
    """The id of an object that QuickBooks wrote. Raises ValueError where it tells none."""
    found = entity.get("Id")
    if not isinstance(found, str) or not found:
        raise ValueError(f"an object without an Id: {found!r}")
    return found


def _writable(value: Any) -> Any:
    kind = type(value)
    if kind is str or value is None or kind is bool:  # most of a body
        return value
    if kind is Decimal:
        return _number(value)
    if kind is dict or isinstance(value, Mapping):
        return {key: _writable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(item) for item in value]
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float; amounts are Decimal")
    return value


def _number(value: Decimal) -> Decimal | msgspec.Raw:
    """The digits without an exponent: 1E+2 and 1E-7 are legal JSON but unusual in an amount."""
    if not value.is_finite():
        raise ValueError(f"{value} is not an amount")
    return msgspec.Raw(format(value, "f").encode()) if "E" in str(value) else value
