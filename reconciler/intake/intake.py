"""Takes batches of Kafka records into Postgres: fold, decide, record, advance, in one transaction.

Called by `consuming` for every batch the consumer yields. A batch ends wholly recorded or not at all:
its changes folded into source objects, the documents they call for in the ledger, what could not
be understood among the dead letters, and the offsets past it. It never speaks to QuickBooks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog

from reconciler.deciding.decide import Verdict, decide
from reconciler.deciding.enrolling import InLedger, is_undecided
from reconciler.errors import UndecodableRecord
from reconciler.intake.companions import (
    CompanionTransaction,
    LinkChanges,
    Stale,
    changed_links,
    hold,
    join,
    reads_contacts,
    woken,
)
from reconciler.intake.known import KnownRecords, Looked, RecordAtPosition
from reconciler.intake.ledger import by_source, differences, events_of, overtaken, splits_refunds
from reconciler.model import (
    AFTER_LAST_MS,
    FIRST_MS,
    SOURCE_TYPES,
    Change,
    DocumentKey,
    DocumentState,
    ObjectKey,
    ObjectType,
    Priority,
    SourceObject,
)
from reconciler.objects.fold import fold
from reconciler.ports.intake import (
    Advance,
    DeadLetter,
    KnownRun,
    LedgerEntry,
    StoredObject,
    WantedDocument,
)
from reconciler.ports.outcomes import NewOutcome
from reconciler.workflows import Workflow

_log = structlog.get_logger("reconciler.intake")

_encode_headers = msgspec.msgpack.Encoder().encode
_NOTHING: Mapping[DocumentKey, InLedger] = {}


class Record(RecordAtPosition, Protocol):
    """What intake needs of a Kafka record (`streams.records.Record`)."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Transaction(CompanionTransaction, Protocol):
    """The store's side of one batch (`store.intake.IntakeTransaction`)."""

    async def advance(self, group_id: str, advances: Sequence[Advance]) -> None: ...
    async def ledger(self, keys: Sequence[ObjectKey]) -> dict[DocumentKey, LedgerEntry]: ...
    async def save_objects(self, objects: Sequence[StoredObject]) -> None: ...
    async def want(
        self, documents: Sequence[WantedDocument], heard_at: int = 0
    ) -> dict[DocumentKey, int]: ...
    async def desire(self, desired: Mapping[int, str]) -> None: ...
    async def request_facts(self, keys: Sequence[ObjectKey]) -> None: ...
    async def save_outcomes(self, outcomes: Sequence[NewOutcome]) -> None: ...
    async def save_dead_letters(self, letters: Sequence[DeadLetter]) -> None: ...
    async def save_known(self, runs: Sequence[KnownRun]) -> None: ...
    async def wake_dispatchers(self, realm_ids: set[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order read, and how far they take each partition."""

    records: Sequence[Record]
    advances: Sequence[Advance]
    topic_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Taken:
    """What a batch came to; for metrics and progress."""

    records: int = 0
    known: Mapping[str, int] = field(default_factory=dict)
    """Records recognised as taken in before and not even decoded, by topic."""
    changes: int = 0
    changed_objects: int = 0
    dead_letters: list[DeadLetter] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    recorded: list[WantedDocument] = field(default_factory=list)
    seconds: float = 0.0
    heard_at: int = 0
    """When Kafka got the oldest record of the batch (epoch ms): latency counts from there."""


@dataclass(frozen=True, slots=True)
class Intake:
    """One consumer group's way into the store.

    `companions` are the types that have topics of their own and are joined to what names them.
    With `known` records that were taken in before are recognised and not decoded again. With
    `hydrates` objects are requested from HubSpot whose enrolment can't be decided because the
    feed never mentioned a property that it looks at.
    """

    group_id: str
    workflows: Sequence[Workflow]
    watched: Mapping[ObjectType, frozenset[str]]
    decode: Callable[[Record], list[Change]]
    transaction: Callable[[], AbstractAsyncContextManager[Transaction]]
    concurrent: type[Exception]
    companions: frozenset[ObjectType] = frozenset()
    hydrates: bool = False
    known: KnownRecords | None = None
    crash_point: Callable[[str], None] = lambda name: None
    priority: Priority = Priority.LIVE

    async def take(self, batch: Batch) -> Taken:
        """Record the batch. Raises `Fenced` if a partition is not ours any more.

        Another process may fold the same object at the same moment (a feed without keys spreads
        an object over partitions): the batch is then read and folded again.
        """
        started = time.perf_counter()
        taken = Taken(records=len(batch.records), heard_at=_heard_at(batch.records))
        looked = await self._look(batch)
        taken.known = looked.known
        changes = self._decoded(looked.new, batch.topic_ids, taken)
        self.crash_point("intake.decoded")
        while True:
            taken.verdicts.clear()
            taken.recorded.clear()
            try:
                async with self.transaction() as transaction:
                    await transaction.advance(self.group_id, batch.advances)
                    self.crash_point("intake.advanced")
                    await self._record(transaction, changes, taken)
                    await self._note_known(transaction, looked, taken)
                    self.crash_point("intake.before_commit")
            except self.concurrent:
                continue
            break
        if self.known:
            self.known.committed(looked)
        self.crash_point("intake.committed")
        taken.seconds = time.perf_counter() - started
        return taken

    async def _look(self, batch: Batch) -> Looked[Record]:
        """Which records are new; all of them where nothing is kept to recognise them by."""
        if self.known is None:
            return Looked(list(batch.records))
        return await self.known.look(batch.records, batch.advances, batch.topic_ids)

    async def _note_known(
        self, transaction: Transaction, looked: Looked[Record], taken: Taken
    ) -> None:
        if self.known is None:
            return
        refused = [(each.topic, each.partition, each.offset) for each in taken.dead_letters]
        if runs := self.known.due(looked, refused):
            await transaction.save_known(runs)

    def _decoded(
        self, records: Sequence[Record], topic_ids: Mapping[str, str], taken: Taken
    ) -> dict[ObjectKey, list[Change]]:
        """The records' changes by object; a record that can't be understood is set aside whole, and
        what can be understood of it taken, which changes nothing if it is taken again."""
        changes: dict[ObjectKey, list[Change]] = {}
        for record in records:
            try:
                decoded: Sequence[Change] = self.decode(record)
            except UndecodableRecord as error:
                topic_id = topic_ids.get(record.topic, "")
                taken.dead_letters.append(_dead_letter(record, topic_id, error))
                decoded = error.changes
            for change in decoded:
                changes.setdefault(change.key, []).append(change)
                taken.changes += 1
        return changes

    async def _record(
        self, transaction: Transaction, changes: Mapping[ObjectKey, list[Change]], taken: Taken
    ) -> None:
        if taken.dead_letters:
            await transaction.save_dead_letters(taken.dead_letters)
        known = await transaction.objects(list(changes)) if changes else {}
        folded = self._folded(changes, known)
        taken.changed_objects = len(folded)
        if not folded:
            return
        links = changed_links(folded, known, self.companions)
        awake = await self._save(transaction, folded, links)
        self.crash_point("intake.folded")
        sources = [stored.object for stored in folded if stored.object.key.type in SOURCE_TYPES]
        before = {key: stored.object for key, stored in known.items()}
        for stored in folded if self.companions else ():
            key = stored.object.key
            if key not in before and key.type in self.companions:
                before[key] = SourceObject(key=key)  # nothing was known of it
        own = {obj.key for obj in sources}
        for obj in awake:
            if obj.key not in own:
                sources.append(obj)
                before[obj.key] = obj
        await self.record_decisions(transaction, sources, before, taken)

    async def _save(
        self, transaction: Transaction, folded: Sequence[StoredObject], links: LinkChanges
    ) -> list[SourceObject]:
        """Write objects and links; answers the objects that a companion among them wakes."""
        if not self.companions:
            await transaction.save_objects(folded)
            if links.added or links.removed:
                await transaction.change_links(*links)
            return []
        undecided = reads_contacts(self.workflows)
        try:
            holding = await hold(transaction, folded, self.companions, undecided=undecided)
            await transaction.save_objects(folded)
            await transaction.change_links(*links)
            return await woken(transaction, holding, undecided=undecided)
        except Stale:
            raise self.concurrent from None

    def _folded(
        self, changes: Mapping[ObjectKey, list[Change]], known: Mapping[ObjectKey, StoredObject]
    ) -> list[StoredObject]:
        """The objects that these changes really change."""
        folded = []
        for key, of_object in changes.items():
            stored = known.get(key)
            before = stored.object if stored else None
            after = fold(before, of_object, self.watched)
            if after is not before:
                folded.append(StoredObject(stored.version if stored else 0, after))
        return folded

    async def held(self, transaction: Transaction, keys: Sequence[ObjectKey]) -> list[SourceObject]:
        """Objects about which nothing new was read, to be decided. Until commit nobody else writes or
        decides about them, nor writes the companions that they name.

        These are linked to them now: they may have had no topic when they were named.
        """
        if not self.companions:
            await transaction.lock_objects(keys)
        found = await transaction.objects(keys)
        if self.companions:
            stored = list(found.values())
            try:
                await hold(transaction, stored, self.companions, undecided=False)
            except Stale:
                raise self.concurrent from None
            await transaction.change_links(*changed_links(stored, {}, self.companions))
        return [stored.object for stored in found.values()]

    async def record_decisions(
        self,
        transaction: Transaction,
        sources: Sequence[SourceObject],
        before: Mapping[ObjectKey, SourceObject],
        taken: Taken,
    ) -> None:
        """Decide about *sources* and record what differs from the ledger."""
        if not sources:
            return
        if self.companions:
            sources, before = await join(transaction, sources, before, self.companions)
        ledger = await transaction.ledger([obj.key for obj in sources])
        known = by_source(ledger)
        for obj in sources:
            of_object = known.get(obj.key, _NOTHING)
            verdicts = decide(obj, before.get(obj.key), self.workflows, of_object)
            if verdicts and (error := verdicts[0].unforeseen):
                _log.error("object not decided", object=str(obj.key), exc_info=error)
            taken.verdicts += verdicts
        if self.hydrates:
            undecided = [obj.key for obj in sources if is_undecided(obj, self.workflows)]
            if undecided:
                await transaction.request_facts(undecided)
        wanted, desired = differences(taken.verdicts, ledger, self.priority)
        self.crash_point("intake.decided")
        if desired:
            await transaction.desire(desired)
        if wanted:
            await self._want(transaction, wanted, ledger, taken)

    async def _want(
        self,
        transaction: Transaction,
        wanted: Sequence[WantedDocument],
        ledger: Mapping[DocumentKey, LedgerEntry],
        taken: Taken,
    ) -> None:
        """Record documents, the events about them, and that there is work for their companies."""
        ids = await transaction.want(wanted, taken.heard_at)
        taken.recorded += wanted
        if sent_meanwhile := overtaken(wanted, ids, ledger):
            if splits_refunds(wanted, ids):
                raise self.concurrent  # the other receipts of the payment depend on what was sent
            await transaction.desire(sent_meanwhile)
        outcomes = events_of(wanted, ids, ledger)
        if outcomes:
            await transaction.save_outcomes(outcomes)
        realms = {d.key.realm_id for d in wanted if d.state is DocumentState.WANTED}
        if realms:
            await transaction.wake_dispatchers(realms)


def _heard_at(records: Sequence[Record]) -> int:
    """When Kafka got the oldest of them (epoch ms); 0 where that can't be told.

    It keeps whatever time a producer gives a record, -1 where it gives none.
    """
    times = (each.timestamp_ms for each in records)
    return min((at for at in times if FIRST_MS <= at < AFTER_LAST_MS), default=0)


def _dead_letter(record: Record, topic_id: str, error: UndecodableRecord) -> DeadLetter:
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        topic_id=topic_id,
        record_key=record.key,
        record_value=record.value,
        reason=error.reason,
        detail=error.detail,
        record_timestamp=record.timestamp_ms,
        record_headers=_encode_headers(record.headers) if record.headers else None,
    )
