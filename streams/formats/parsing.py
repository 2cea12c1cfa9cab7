"""Owns the step from bytes to a JSON document: limits, encodings, and exact numbers.

`decoding` calls it for a record's value, and envelopes for JSON kept as text inside JSON. It
refuses what PostgreSQL or money could not take: bad UTF-8, lone surrogates, NaN, endless digits.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from reconciler.errors import UndecodableRecord
from streams.formats.record import Reason, refused

_PREFIX_BYTES = 5  # 0x00 and the schema's id: Confluent's wire format
_DIGITS = 400

_NUL = "\x00"


def _exact(text: str) -> Decimal:
    if len(text) > _DIGITS:
        raise refused(Reason.NUMBER, f"a number of {len(text)} characters")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise refused(Reason.NUMBER, "a number's exponent is out of all bounds") from error


_decoder = msgspec.json.Decoder(float_hook=_exact)


def value_document(value: bytes, max_bytes: int) -> Any:
    """Decode a record's value; raises `UndecodableRecord` with the reason when it can't be."""
    if len(value) > max_bytes:
        raise refused(Reason.TOO_LARGE, f"{len(value)} bytes, the limit is {max_bytes}")
    first = value[:1]
    if first == b"\x00":
        return _framed(value)
    if first == b"\xef":
        value = value.removeprefix(BOM_UTF8)
    document = _parsed(value)
    # PostgreSQL's text and jsonb refuse NUL, and no name or amount means one: it is dropped.
    # One byte is sought five times faster than six, and most records have no escapes at all.
    return _without_nul(document) if b"\\" in value and rb"\u0000" in value else document


def text_document(text: str) -> Any:
    """Decode JSON that stood as text inside a document."""
    document = _parsed(text)
    return _without_nul(document) if r"\u0000" in text else document


def _parsed(value: bytes | str) -> Any:
    try:
        return _decoder.decode(value)
    except UnicodeError as error:
        raise refused(Reason.ENCODING, "the text is not valid UTF-8") from error
    except RecursionError as error:
        raise refused(Reason.TOO_DEEP, "JSON nested too deep") from error
    except msgspec.ValidationError as error:
        raise refused(Reason.NUMBER, "an integer is out of all bounds") from error
    except msgspec.DecodeError as error:
        if not _is_utf8(value):  # msgspec says so itself, or calls it malformed: as its version is
            raise refused(Reason.ENCODING, "the text is not valid UTF-8") from error
        raise refused(Reason.NOT_JSON, str(error)[:80]) from error


def _is_utf8(value: bytes | str) -> bool:
    try:
        if isinstance(value, bytes):
            value.decode()
    except UnicodeError:
        return False
    return True


def _framed(value: bytes) -> Any:
    """Read JSON behind a schema registry's prefix; Avro and Protobuf can't be read without it."""
    body = value[_PREFIX_BYTES:]
    if body[:1] == b"{":  # the JSON Schema serialiser frames plain JSON, but Avro may look so too
        try:
            document = _parsed(body)
        except UndecodableRecord:
            document = None
        if document is not None:
            return _without_nul(document)
    schema_id = int.from_bytes(value[1:_PREFIX_BYTES], "big")
    raise refused(
        Reason.SCHEMA_REGISTRY,
        f"Avro or Protobuf with schema id {schema_id}: have the producer write JSON "
        "(for Kafka Connect: value.converter=org.apache.kafka.connect.json.JsonConverter)",
    )


def _without_nul(node: Any) -> Any:
    if type(node) is str:
        return node.replace(_NUL, "")
    if type(node) is dict:
        return {key.replace(_NUL, ""): _without_nul(value) for key, value in node.items()}
    if type(node) is list:
        return [_without_nul(value) for value in node]
    return node
