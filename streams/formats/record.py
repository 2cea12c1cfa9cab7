"""Owns what a decoder is given and how it refuses: the record, its topic's settings, the reasons.

Every module of `streams.formats` uses it. It knows no shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from reconciler.errors import ConfigurationError, UndecodableRecord
from reconciler.model import ObjectType

Document = dict[str, Any]
"""A JSON object as decoded: text, int, Decimal, bool, None, lists and further documents."""

FORMATS = (
    "auto",
    "airbyte",
    "connect",
    "debezium",
    "estuary",
    "hydrated",
    "journal",
    "opencdc",
    "outbox",
    "snapshot",
    "webhook",
)


class Record(Protocol):
    """The parts of a Kafka record that decoding reads; aiokafka's is wrapped or renamed to it."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(frozen=True)
class TopicSettings:
    """What a topic holds where its records don't say so themselves.

    `object_type` and `portal_id` are used for snapshots that name none, `format` forces a shape
    (one of `FORMATS`) where the content alone would mislead, `max_bytes` bounds a record's value.
    """

    object_type: ObjectType | None = None
    portal_id: int | None = None
    format: str = "auto"
    max_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ConfigurationError(
                f"format {self.format!r} of a topic is unknown; write one of {', '.join(FORMATS)}"
            )


class Reason(StrEnum):
    """Why a record was refused; labels a metric, so there are only these."""

    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    NOT_JSON = "not_json"
    SCHEMA_REGISTRY = "schema_registry"
    TOO_DEEP = "too_deep"
    NUMBER = "number"
    UNKNOWN_SHAPE = "unknown_shape"
    BAD_ID = "bad_id"
    BAD_TIME = "bad_time"
    NO_OBJECT_TYPE = "no_object_type"
    NO_PORTAL = "no_portal"
    UNEXPECTED = "unexpected"


class Context(msgspec.Struct, frozen=True):
    """What the topic and the envelopes opened so far say about the document inside.

    `at` is the time (epoch ms) to fall back on when the document has none of its own, `columns`
    says that properties may stand beside the id (a table row), `deleted_at` that the document is
    the last look at a deleted object, `id` is the object's id as the envelope's key gives it, `is_other`
    that the envelope names an object that isn't read (`type` is then None).
    """

    type: ObjectType | None
    portal_id: int | None
    at: int
    columns: bool = False
    deleted_at: int | None = None
    id: str | None = None
    is_other: bool = False


def refused(reason: Reason, detail: str) -> UndecodableRecord:
    """Build the refusal; `detail` is for a person and never holds much of the record."""
    return UndecodableRecord(reason.value, detail)


_MOST_SHOWN = 24
_HUGE = 10**_MOST_SHOWN


def shown(value: object) -> str:
    """Show a value from a record as its JSON does, for a refusal's detail: 24 characters at most."""
    if isinstance(value, str):
        return ascii(value[:_MOST_SHOWN])
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and not -_HUGE < value < _HUGE:
        return "a huge number"  # whose digits Python may not even write
    if isinstance(value, (int, float, Decimal)):
        text = str(value)
        return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
    return "a list" if isinstance(value, list) else "a map"
