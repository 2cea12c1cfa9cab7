"""Where planned objects come from: the store, the topics, or a file. Called by `plan`, `backfill`.

Everything is folded in memory over what is stored, as a replay would, and nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from reconciler.commands.session import Session
from reconciler.errors import ConfigurationError, UndecodableRecord
from reconciler.intake.companions import completed
from reconciler.intake.intake import Record
from reconciler.model import SOURCE_TYPES, Change, ObjectKey, ObjectType, SourceObject
from reconciler.objects.fold import fold
from reconciler.service.assembly import companions, lenient_decoder, patience_of, watched
from store import replays
from streams import formats, records
from streams.cluster import Cluster
from streams.connection import KafkaConnection
from streams.ranges import Range, read_ranges

PAGE = 500
RECORDS = 2000


class Told(Protocol):
    """Who is told how far reading has come."""

    def total(self, records: int) -> None: ...
    def advance(self, records: int) -> None: ...


async def stored(
    session: Session, kinds: Iterable[ObjectType] = SOURCE_TYPES
) -> AsyncIterator[list[SourceObject]]:
    """Every stored object of these types with its companions, in pages."""
    load, joined = partial(replays.stored_objects, session.pool), companions(session.settings)
    for kind in kinds:
        after: ObjectKey | None = None
        while keys := await replays.object_keys(session.pool, kind, after, PAGE):
            yield await completed(await load(keys), load, joined)
            after = keys[-1]


@dataclass
class Folded:
    """Objects that records add up to, over what is stored of them."""

    session: Session
    objects: dict[ObjectKey, SourceObject] = field(default_factory=dict)
    undecodable: Counter[str] = field(default_factory=Counter)
    records: int = 0

    async def add(self, decoded: Iterator[tuple[Sequence[Change], str]]) -> None:
        """Fold in some records: what each says, and why it can't be understood as a whole."""
        changes: dict[ObjectKey, list[Change]] = {}
        for said, refused in decoded:
            self.records += 1
            if refused:
                self.undecodable[refused] += 1
            for change in said:
                changes.setdefault(change.key, []).append(change)
        await self._load([key for key in changes if key not in self.objects])
        kept = watched(self.session.workflows)
        for key, of_object in changes.items():
            self.objects[key] = fold(self.objects.get(key), of_object, kept)

    async def _load(self, keys: Sequence[ObjectKey]) -> None:
        for obj in await replays.stored_objects(self.session.pool, keys) if keys else ():
            self.objects[obj.key] = obj

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """The objects that start workflows with their companions, in pages."""
        found = [obj for obj in self.objects.values() if obj.key.type in SOURCE_TYPES]
        joined = companions(self.session.settings)
        for start in range(0, len(found), PAGE):
            yield await completed(found[start : start + PAGE], self._known, joined)

    async def _known(self, keys: Sequence[ObjectKey]) -> list[SourceObject]:
        """What the records add up to, and what is stored where they say nothing."""
        folded = [self.objects[key] for key in keys if key in self.objects]
        others = [key for key in keys if key not in self.objects]
        stored = await replays.stored_objects(self.session.pool, others) if others else []
        return folded + stored


async def whole_topics(session: Session) -> dict[records.Partition, Range]:
    """What Kafka holds of the topics that are read."""
    async with cluster_of(session) as cluster:
        logs = await cluster.logs(await cluster.partitions(session.settings.topics.values()))
    return {log.partition: Range(log.beginning, log.end) for log in logs}


async def topic_ids(session: Session, topics: Iterable[str]) -> dict[str, str]:
    """Kafka's ids of topics, "" where it gives none."""
    async with cluster_of(session) as cluster:
        return {topic: id_ or "" for topic, id_ in (await cluster.topic_ids(topics)).items()}


def cluster_of(session: Session) -> Cluster:
    """Kafka, waited for as long as a command waits for Postgres."""
    return Cluster(kafka_of(session), timedelta(seconds=patience_of(session.settings)))


def kafka_of(session: Session) -> KafkaConnection:
    """How to reach Kafka."""
    from reconciler.service.adapters import kafka_connection

    return kafka_connection(session.settings)


async def from_topics(session: Session, told: Told) -> Folded:
    """Read the topics from their beginnings, in no group."""
    folded, decode = Folded(session), lenient_decoder(session.settings, session.workflows)
    ranges = await whole_topics(session)
    told.total(sum(map(len, ranges.values())))
    async for found, _ in read_ranges(kafka_of(session), ranges, RECORDS):
        await folded.add(_decoded(found, decode))
        told.advance(len(found))
    return folded


async def from_file(session: Session, path: Path, kind: ObjectType | None) -> Folded:
    """Records as JSON lines, each line the value of one; *kind* for those that do not say it."""
    folded = Folded(session)
    settings = formats.TopicSettings(object_type=kind, portal_id=session.workflows.portal_id)
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror or error}") from None
    found = [
        records.Record(str(path), 0, number, 0, None, line)
        for number, line in enumerate(lines)
        if line.strip()
    ]
    await folded.add(_decoded(found, lambda record: formats.decode(record, settings)))
    return folded


def _decoded(
    found: Iterable[Record], decode: Callable[[Record], list[Change]]
) -> Iterator[tuple[Sequence[Change], str]]:
    for record in found:
        try:
            yield decode(record), ""
        except UndecodableRecord as error:
            yield error.changes, error.reason
