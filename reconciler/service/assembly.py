"""Builds parts that the service, the console and the command line all need, from the settings.

Called by `app` and by the commands. It knows `streams` and `store` so that they need not know each
other; it runs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

from reconciler.errors import UndecodableRecord
from reconciler.intake.companions import COMPANIONS, completed
from reconciler.intake.intake import Intake, Record
from reconciler.model import Change, ObjectKey, ObjectType, SourceObject
from reconciler.objects.fold import DEFAULT_WATCHED
from reconciler.operator.desk import Operator
from reconciler.service.adapters import postgres_pool
from reconciler.settings import Settings
from reconciler.workflows import WorkflowFile
from store.intake import ConcurrentFold, transaction
from store.operator import OperatorStore
from store.pool import Pool
from streams import formats

_FEW_CONNECTIONS = 4


def decoder(
    settings: Settings,
    workflows: WorkflowFile,
    note: Callable[[str, str, int], None] = lambda topic, shape, changes: None,
) -> Callable[[Record], list[Change]]:
    """Decodes a record with what is known of its topic.

    *note* hears the topic, the shape that was recognised and how many changes it gave.
    """
    topics = {
        topic: formats.TopicSettings(object_type=ObjectType(kind), portal_id=workflows.portal_id)
        for kind, topic in settings.topics.items()
    }

    def decode(record: Record) -> list[Change]:
        shape, changes = formats.read(record, topics[record.topic])
        note(record.topic, shape, len(changes))
        return changes

    return decode


def lenient_decoder(
    settings: Settings, workflows: WorkflowFile
) -> Callable[[Record], list[Change]]:
    """The same for records kept for long: their topic may not be among the settings any more."""
    decode, topics = decoder(settings, workflows), frozenset(settings.topics.values())

    def decode_known(record: Record) -> list[Change]:
        if record.topic not in topics:
            raise UndecodableRecord("unexpected", f"topic {record.topic} is not in the settings")
        return decode(record)

    return decode_known


def watched(workflows: WorkflowFile) -> dict[ObjectType, frozenset[str]]:
    """The properties whose history is kept: what the filters read, and what documents date by."""
    chosen = workflows.watched()
    return {kind: names | chosen.get(kind, frozenset()) for kind, names in DEFAULT_WATCHED.items()}


def reading_of(settings: Settings, workflows: WorkflowFile) -> str:
    """Names all that decides what a record adds to an object; see `reconciler.intake.known`."""
    told = (
        version("hubspot-quickbooks-reconciler"),
        workflows.portal_id,
        sorted(settings.topics.items()),
        sorted((kind, sorted(names)) for kind, names in watched(workflows).items()),
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def companions(settings: Settings) -> frozenset[ObjectType]:
    """The types that have topics of their own and are joined to the objects that name them."""
    return COMPANIONS.intersection(map(ObjectType, settings.topics))


def intake_over(pool: Pool, settings: Settings, workflows: WorkflowFile) -> Intake:
    """Intake for records that come from elsewhere than the group: re-driven, replayed."""
    return Intake(
        group_id=settings.group_id,
        workflows=workflows.workflows,
        watched=watched(workflows),
        decode=lenient_decoder(settings, workflows),
        transaction=partial(transaction, pool),
        concurrent=ConcurrentFold,
        companions=companions(settings),
    )


@dataclass(frozen=True)
class _JoinedStore(OperatorStore):
    """The operator's store, whose objects have their companions."""

    kinds: frozenset[ObjectType] = frozenset()

    async def objects(self, keys: Sequence[ObjectKey]) -> list[SourceObject]:
        return await completed(await super().objects(keys), super().objects, self.kinds)


def operator_over(pool: Pool, settings: Settings, workflows: WorkflowFile) -> Operator:
    """The operator's layer over an open pool."""
    store = _JoinedStore(pool, companions(settings))
    return Operator(
        store=store,
        workflows=workflows,
        intake=intake_over(pool, settings, workflows),
        group_id=settings.group_id,
        clock=utc_now,
        redrive_transaction=store.letters.redriving,
        topics=settings.topics,
    )


def patience_of(settings: Settings) -> float:
    """How many seconds a command waits for a server: less than the service, for somebody looks on."""
    return min(settings.startup_wait_seconds, 10.0)


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Pool]:
    """A small pool, for a command."""
    pool = await postgres_pool(settings, _FEW_CONNECTIONS, patience_of(settings))
    try:
        yield pool
    finally:
        await pool.close()


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)
