"""Owns exact numbers on the wire: JSON in and out with `Decimal`, and rounding to the cent.

A float never appears: numbers with a point are decoded as `Decimal` and encoded as JSON numbers
with the same digits, so 10.10 can't come back as 10.100000000000001.
"""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import msgspec

ZERO = Decimal("0.00")
CENT = Decimal("0.01")
_WIDE = Context(
    prec=80
)  # the default 28 digits are too few for the product of two 15-digit numbers

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(data: bytes | str) -> Any:
    """Decode JSON; raises `ValueError` (msgspec's `DecodeError` is one) when it isn't JSON."""
    return _decoder.decode(data)


def encode(value: Any) -> bytes:
    """Encode to JSON bytes; `msgspec.Raw` values are spliced in unread."""
    return _encoder.encode(value)


def raw(data: bytes) -> msgspec.Raw:
    """Wrap JSON that is already encoded, so that `encode` copies it as it is."""
    return msgspec.Raw(data)


def cents(value: Decimal | int) -> Decimal:
    """Round half up to two places, as QuickBooks rounds money."""
    return rounded(Decimal(value), CENT)


def rounded(value: Decimal, to: Decimal) -> Decimal:
    """Round half up to the places of `to`, however large the value."""
    return value.quantize(to, ROUND_HALF_UP, _WIDE)


def number(value: object) -> Decimal | None:
    """Read a number, or one in a string (python-quickbooks writes Decimals as strings)."""
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if not isinstance(value, str):
        return None
    try:
        parsed = Decimal(value.strip())
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None
