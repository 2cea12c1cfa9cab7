"""What intake writes: folded objects, verdicts, dead letters, and the offsets they came from.

`intake` makes these and `store.intake` keeps them; `decide` reads the ledger as `LedgerEntry`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from reconciler.model import (
    Action,
    DocumentKey,
    DocumentState,
    ObjectKey,
    ObjectType,
    Priority,
    SourceObject,
)


class Advance(NamedTuple):
    """One partition's offset moving on; `epoch` proves that the partition is still ours."""

    topic: str
    partition: int
    epoch: int
    from_offset: int
    next_offset: int


class Span(NamedTuple):
    """Offsets of one log."""

    topic: str
    topic_id: str
    partition: int
    from_offset: int
    next_offset: int


LONGEST_RUN = 16_384
"""Most offsets that a run covers: it tells where to seek the runs that overlap a span."""


class KnownRun(NamedTuple):
    """Digests of a span, eight bytes for each offset; `reading` says how the records were read."""

    span: Span
    reading: str
    digests: bytes


class PartitionClaim(NamedTuple):
    """A partition claimed for reading."""

    topic: str
    partition: int
    epoch: int
    next_offset: int
    topic_id: str | None


class StoredObject(NamedTuple):
    """A folded object and the version it was read at (0: not stored yet)."""

    version: int
    object: SourceObject


class ObjectLink(NamedTuple):
    """One object's associations, or line items, name another."""

    target: ObjectKey
    source: ObjectKey


class LedgerEntry(msgspec.Struct, frozen=True):
    """What the ledger records of one document; contents are JSON text as stored."""

    key: DocumentKey
    document_id: int
    workflow: str
    state: DocumentState
    reason: str
    detail: str
    enrolled_at: int
    content: str | None
    desired: str | None
    is_in_quickbooks: bool


DISMISSED_BY_A_PERSON = "dismissed"
"""The reason of a document that a person dismissed; any other one is the decision's own."""


class WantedDocument(NamedTuple):
    """A verdict to be recorded; `content` is JSON text, None while it is incomplete.

    It is not due before `not_before` (epoch ms).
    """

    key: DocumentKey
    workflow: str
    state: DocumentState
    reason: str
    detail: str
    content: str | None
    enrolled_at: int
    priority: Priority = Priority.LIVE
    not_before: int = 0


class ActionPlace(NamedTuple):
    """An action of a workflow in a company: whose document a ledger row is."""

    workflow: str
    realm_id: str
    action: Action
    object_type: ObjectType


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not be understood, with its position and its bytes."""

    topic: str
    partition: int
    offset: int
    topic_id: str
    record_key: bytes | None
    record_value: bytes | None
    reason: str
    detail: str
    record_timestamp: int = 0
    record_headers: bytes | None = None  # msgpack of [[name, value], …]
