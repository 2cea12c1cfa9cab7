"""Owns where an event goes: split a delivery into events, and give each its topic and key.

Pure; `gateway` and `journal` call it. An event is about the object that decoding it gives, so that
what is routed here is what intake will read. Events of objects that no topic is configured for are
left out; an event that can't be understood is forwarded all the same, so that intake keeps it as a
dead letter where a person will find it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from reconciler.errors import UndecodableRecord
from reconciler.model import SOURCE_TYPES, Change, ObjectKey, ObjectType
from streams.formats import Reason, TopicSettings, decode
from streams.formats.names import TYPES_BY_ID
from streams.formats.record import refused
from streams.records import OutgoingRecord

_TYPE_IDS = {type_: type_id for type_id, type_ in TYPES_BY_ID.items()}
_ANY_TOPIC = TopicSettings()
_delivery = msgspec.json.Decoder(list[msgspec.Raw])
_file = msgspec.json.Decoder(dict[str, msgspec.Raw])

MOST_BYTES = 1_000_000
"""An event of this size is a record that Kafka takes unless told otherwise (`max.message.bytes`)."""

IGNORED = "ignored"
UNREADABLE = "unreadable"


@dataclass
class Routed:
    """The records of one delivery, and how many events it had of each object type."""

    records: list[OutgoingRecord] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Event:
    """An event as `formats.decode` takes it: like a record that is not in Kafka yet."""

    value: bytes
    timestamp_ms: int
    key: None = None
    headers: tuple[()] = ()


@dataclass(frozen=True)
class Routes:
    """Topic by object type. The first topic takes what can't be read."""

    topics: Mapping[ObjectType, str]
    headers: Mapping[str, bytes] = field(default_factory=dict)

    def routed(self, events: Iterable[bytes], now_ms: int) -> Routed:
        """Make one record per event; `now_ms` stands in for an event's own time if it has none."""
        found = Routed()
        for event in events:
            try:
                changes = decode(_Event(event, now_ms), _ANY_TOPIC)
            except UndecodableRecord:
                found.events[UNREADABLE] += 1
                topic = next(iter(self.topics.values()))
                found.records.append(OutgoingRecord(topic, None, event, self.headers))
                continue
            about = self._subject(changes)
            found.events[about.type if about else IGNORED] += 1
            if about is not None:
                topic = self.topics[about.type]
                found.records.append(OutgoingRecord(topic, record_key(about), event, self.headers))
        return found

    def _subject(self, changes: Sequence[Change]) -> ObjectKey | None:
        """The object an event is about: one that starts workflows before one that is joined."""
        keys = [change.key for change in changes if change.key.type in self.topics]
        sources = [key for key in keys if key.type in SOURCE_TYPES]
        return next(iter(sources or keys), None)


def record_key(key: ObjectKey) -> bytes:
    """Give an object's record key, `portalId:objectTypeId:objectId`: one object, one partition."""
    return f"{key.portal_id}:{_TYPE_IDS[key.type]}:{key.id}".encode()


def delivered(body: bytes) -> list[bytes]:
    """Split a webhook's array into its events' own bytes; raises `UndecodableRecord`."""
    if body.lstrip()[:1] == b"{":
        return [body]
    try:
        return [bytes(event) for event in _delivery.decode(body)]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise refused(Reason.NOT_JSON, "the body is not a JSON array of events") from error


def pieces(event: bytes) -> list[bytes]:
    """An event as it is, or in parts that Kafka takes.

    Each part begins with what it is a part of, which is no JSON: intake keeps it as a dead letter.
    """
    starts = range(0, len(event), MOST_BYTES)
    if len(starts) < 2:
        return [event]
    return [
        b"part %d of %d, of %d bytes\n" % (number, len(starts), len(event))
        + event[start : start + MOST_BYTES]
        for number, start in enumerate(starts, start=1)
    ]


def journalled(body: bytes) -> list[bytes]:
    """Split a journal file into its events' own bytes; raises `UndecodableRecord`."""
    try:
        events = _file.decode(body).get("journalEvents")
        return [] if events is None else [bytes(event) for event in _delivery.decode(events)]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise refused(
            Reason.NOT_JSON, "the file is not JSON with a list of journalEvents"
        ) from error
