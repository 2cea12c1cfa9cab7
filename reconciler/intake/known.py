"""Recognises records that were folded before, so that reading a topic again costs a digest each.

Called by `intake` around decoding. Of every record taken in, eight bytes are kept by its position
in its log. A record that stands where one stood before, with the same bytes, and is read in the
same way, says what was folded already: it need not even be decoded, because folding a statement
twice adds nothing. Whoever reads otherwise (another version, other settings, other workflows)
has another `reading` and so recognises nothing; dead letters are never recognised, so that a
replay tries them again.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

from reconciler.ports.intake import LONGEST_RUN, Advance, KnownRun, Span

UNKNOWN = 0
"""Stands for a position without a record, and for a record that must be looked at again."""

RUN = 1000
"""Records whose digests are written at once: a row per record would cost more than it saves."""

_EIGHT_BYTES = 2**64 - 1

_SPARSE = 4  # a compacted topic has more gaps than records: its digests would be mostly zeros


class RecordAtPosition(Protocol):
    """What is looked at of a Kafka record: where it stands and what it holds."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


R = TypeVar("R", bound=RecordAtPosition)


class Part(NamedTuple):
    """One partition's records of a batch, with a digest for each offset."""

    span: Span
    digests: array[int]


@dataclass(slots=True)
class Looked(Generic[R]):
    """A batch by what is known of it: the records to decode, and what to note once they are in."""

    new: list[R]
    known: dict[str, int] = field(default_factory=dict)
    """How many were recognised, by topic."""
    parts: list[Part] = field(default_factory=list)
    runs: dict[tuple[str, int], Part] = field(default_factory=dict)


@dataclass
class KnownRecords:
    """What one process knows; `find` asks the store for the runs that overlap spans."""

    reading: str
    find: Callable[[str, Sequence[Span]], Awaitable[Sequence[KnownRun]]]
    _runs: dict[tuple[str, int], Part] = field(default_factory=dict)

    async def look(
        self, records: Sequence[R], advances: Sequence[Advance], topic_ids: Mapping[str, str]
    ) -> Looked[R]:
        """Find out which records are new. Those of one advance stand together, in its order."""
        looked: Looked[R] = Looked([])
        digests = list(map(digest, records))
        spans = [_span(advance, topic_ids) for advance in advances]
        runs = await self.find(self.reading, spans)
        start = 0
        for span in spans:
            end = _end(records, start, span)
            stored = _stored(span, [run for run in runs if _is_of(run.span, span)])
            own = _by_offset(records[start:end], digests[start:end], span)
            new: Sequence[R] = []
            if own is None:
                new = records[start:end]
            elif own != stored:
                looked.parts.append(Part(span, own))
                first = span.from_offset
                new = [
                    record
                    for record, mark in zip(records[start:end], digests[start:end], strict=True)
                    if stored[record.offset - first] != mark
                ]
            looked.new += new
            if known := end - start - len(new):
                looked.known[span.topic] = looked.known.get(span.topic, 0) + known
            start = end
        return looked

    def due(self, looked: Looked[R], refused: Iterable[tuple[str, int, int]]) -> list[KnownRun]:
        """The runs to be written in the batch's transaction; *refused* are the dead letters' places.

        Records that make no whole run yet are remembered here: should this process die, they
        are merely looked at again.
        """
        again = set(refused)
        rows = []
        for span, digests in looked.parts:
            place = (span.topic, span.partition)
            for topic, partition, offset in again:
                if (topic, partition) == place:
                    digests[offset - span.from_offset] = UNKNOWN
            before = self._runs.get(place)
            run = _joined(before, Part(span, digests))
            if before is not None and run.span.from_offset != before.span.from_offset:
                rows.append(self._row(before))
            if len(run.digests) >= RUN:
                rows.append(self._row(run))
                run = Part(span._replace(from_offset=span.next_offset), array("Q"))
            looked.runs[place] = run
        return rows

    def committed(self, looked: Looked[R]) -> None:
        """The transaction that `due` was asked for is committed."""
        self._runs.update(looked.runs)

    def _row(self, run: Part) -> KnownRun:
        return KnownRun(run.span, self.reading, run.digests.tobytes())


def digest(record: RecordAtPosition) -> int:
    """What a record's bytes and time come to; never `UNKNOWN`. Kafka's own time is part of it
    because it stands in for a statement's where that has none."""
    found = hashlib.sha1(record.value or b"", usedforsecurity=False).digest()
    return (int.from_bytes(found[:8], "little") ^ record.timestamp_ms) & _EIGHT_BYTES or 1


def _span(advance: Advance, topic_ids: Mapping[str, str]) -> Span:
    return Span(
        advance.topic,
        topic_ids.get(advance.topic, ""),
        advance.partition,
        advance.from_offset,
        advance.next_offset,
    )


def _end(records: Sequence[RecordAtPosition], start: int, span: Span) -> int:
    """Where the records of the span end that begin at *start*."""

    def is_other(index: int) -> bool:
        return (records[index].topic, records[index].partition) != (span.topic, span.partition)

    return start + bisect_left(range(start, len(records)), True, key=is_other)


def _by_offset(
    records: Sequence[RecordAtPosition], digests: Sequence[int], span: Span
) -> array[int] | None:
    """A digest for each offset; None where there are far more gaps than records."""
    length = span.next_offset - span.from_offset
    if length > min(LONGEST_RUN - RUN, _SPARSE * len(records)):
        return None
    if length == len(records):
        return array("Q", digests)
    found = array("Q", bytes(8 * length))
    for record, mark in zip(records, digests, strict=True):
        found[record.offset - span.from_offset] = mark
    return found


def _is_of(run: Span, span: Span) -> bool:
    return (run.topic, run.topic_id, run.partition) == (span.topic, span.topic_id, span.partition)


def _stored(span: Span, runs: Iterable[KnownRun]) -> array[int]:
    """What is stored for a span, `UNKNOWN` where nothing is."""
    found = array("Q", bytes(8 * (span.next_offset - span.from_offset)))
    for run in runs:
        first = max(span.from_offset, run.span.from_offset)
        last = min(span.next_offset, run.span.next_offset)
        if first < last:
            known = array("Q", run.digests)[
                first - run.span.from_offset : last - run.span.from_offset
            ]
            found[first - span.from_offset : last - span.from_offset] = known
    return found


def _joined(before: Part | None, after: Part) -> Part:
    """Both as one where they adjoin, else the later one."""
    if before is None or before.span._replace(from_offset=0, next_offset=0) != after.span._replace(
        from_offset=0, next_offset=0
    ):
        return after
    if before.span.next_offset != after.span.from_offset:
        return after
    span = after.span._replace(from_offset=before.span.from_offset)
    return Part(span, before.digests + after.digests)
