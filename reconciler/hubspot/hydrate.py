"""Fetches from HubSpot the objects whose facts a decision lacks, and gives them to the feed.

Run by `crm` in every process that has a HubSpot token. What is fetched goes on the object's own
topic, like any other snapshot: there is one way in, it can be replayed, and intake folds it with
whatever arrived meanwhile. Which objects are due is the store's to say (`Queue`), so that the
processes share the work and a crash only repeats a read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Protocol

import structlog

from reconciler.errors import HubSpotBusy, HubSpotRefused, RecordTooLarge
from reconciler.hubspot.client import HubSpot
from reconciler.hubspot.protocol import (
    ASSOCIATIONS_PER_READ,
    NAMES,
    OBJECTS_PER_READ,
    Associated,
    HubSpotObject,
    associations,
    batch_associations,
    batch_read,
    objects,
    snapshot,
)
from reconciler.model import ASSOCIATION_NAMES, SOURCE_TYPES, ObjectKey, ObjectType
from reconciler.reasons import Reason

_log = structlog.get_logger("reconciler.hydrate")

IDLE = timedelta(seconds=2)
AFTER_REFUSAL = timedelta(hours=1)

FACTS = (
    Reason.LINE_ITEMS, Reason.LINE_ITEM_DETAILS, Reason.CONTACT, Reason.CONTACT_DETAILS,
    Reason.COMPANY, Reason.COMPANY_DETAILS, Reason.PAYMENT_AMOUNT, Reason.PAYMENT_SETTLED,
    Reason.PAYMENT_STATUS, Reason.STATUS_UNKNOWN, Reason.FEES, Reason.REFUND_AMOUNT, Reason.PROPERTY_UNKNOWN,
)  # fmt: skip
"""What a document may wait for that HubSpot can be asked for."""

_READ_WITH_PROPERTIES = {
    ObjectType.CONTACT: 1,  # the first is the customer
    ObjectType.COMPANY: 1,
    ObjectType.LINE_ITEM: None,
}
_ASSOCIATED = (
    ObjectType.CONTACT, ObjectType.COMPANY, ObjectType.LINE_ITEM, ObjectType.DEAL,
    ObjectType.QUOTE, ObjectType.PAYMENT, ObjectType.INVOICE,
)  # fmt: skip

_NOTHING = Associated((), None)

Snapshot = tuple[ObjectKey, bytes]


class Queue(Protocol):
    """The store's side (`store.hydration.HydrationQueue`)."""

    async def claim(self, limit: int) -> list[ObjectKey]: ...
    async def postpone(self, keys: Sequence[ObjectKey], delay: timedelta, problem: str) -> None: ...
    async def fetched(self, keys: Sequence[ObjectKey]) -> None: ...
    async def note(self, keys: Sequence[ObjectKey], problem: str) -> None: ...


@dataclass
class Hydrator:
    """One process's share of the fetching.

    `keep` puts snapshots on their topics and returns when Kafka holds them.
    """

    hubspot: HubSpot
    queue: Queue
    keep: Callable[[Sequence[Snapshot]], Awaitable[None]]
    properties: Mapping[ObjectType, Sequence[str]]
    observe: Callable[[str, int], None] = lambda result, count: None

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Fetch what is due until cancelled. Raises what Postgres and Kafka raise."""
        while True:
            found = await self.once()
            ready()
            if not found:
                await asyncio.sleep(IDLE.total_seconds())

    async def once(self) -> int:
        """Fetch what is due now; answers how many objects were."""
        claimed = await self.queue.claim(OBJECTS_PER_READ)
        for type_ in SOURCE_TYPES:
            keys = [key for key in claimed if key.type is type_]
            if keys:
                await self._fetch(keys)
        return len(claimed)

    async def _fetch(self, keys: Sequence[ObjectKey]) -> None:
        """Objects of one type, all or none of them."""
        try:
            snapshots = await self._snapshots(keys)
        except HubSpotBusy as error:
            _log.warning("hydration postponed", error=str(error), objects=len(keys))
            await self.queue.postpone(keys, error.retry_after, str(error))
            self.observe("busy", len(keys))
        except HubSpotRefused as error:
            _log.error("hydration refused", error=str(error), objects=len(keys))
            await self.queue.postpone(keys, AFTER_REFUSAL, str(error))
            self.observe("refused", len(keys))
        else:
            await self._keep(snapshots)
            found = {key for key, _ in snapshots}
            if missing := [key for key in keys if key not in found]:
                _log.warning("objects not in HubSpot", objects=len(missing), type=keys[0].type)
                await self.queue.note(missing, "HubSpot: it has no such object")
                self.observe("missing", len(missing))
            await self.queue.fetched(keys)

    async def _keep(self, snapshots: Sequence[Snapshot]) -> None:
        """Put snapshots on their topics; one too large for a record holds up no other."""
        try:
            await self.keep(snapshots)
        except RecordTooLarge as error:
            if len(snapshots) > 1:
                for each in snapshots:  # some may be there already: twice is as good as once
                    await self._keep([each])
                return
            ((key, value),) = snapshots
            _log.error("object too large", object=str(key), bytes=len(value), error=str(error))
            size = f"with all that belongs to it is {len(value):,} bytes, more than Kafka takes"
            remedy = "have it fed in parts (companion topics), or enter its document by hand"
            await self.queue.note([key], f"The {key.type} {size}: {remedy}")
            self.observe("too_large", 1)
        else:
            self.observe("fetched", len(snapshots))

    async def _snapshots(self, keys: Sequence[ObjectKey]) -> list[Snapshot]:
        type_ = keys[0].type
        # The object before its lists: what changes in between is then younger than the time the
        # lists are taken to be of, and so is its event, which says the same again. The other way
        # round the lists would seem to be of a time at which they were different already.
        found = await self._read(type_, list(dict.fromkeys(key.id for key in keys)))
        ids = list(found)
        lists = {
            other: await self._associated(type_, other, ids)
            for other in _ASSOCIATED
            if other is not type_
        }
        related = {
            other: await self._read(other, _named((of.ids for of in lists[other].values()), most))
            for other, most in _READ_WITH_PROPERTIES.items()
        }
        return [
            (key, _whole(key, found[key.id], lists, related)) for key in keys if key.id in found
        ]

    async def _read(self, type_: ObjectType, ids: Iterable[str]) -> dict[str, HubSpotObject]:
        found: dict[str, HubSpotObject] = {}
        left = iter(ids)
        while some := list(islice(left, OBJECTS_PER_READ)):
            request = batch_read(type_, some, self.properties[type_])
            found |= {one.id: one for one in objects(await self.hubspot.send(request))}
        return found

    async def _associated(
        self, from_: ObjectType, to: ObjectType, ids: Sequence[str]
    ) -> dict[str, Associated]:
        """What each object is associated with, page after page; nothing is an empty list."""
        found = dict.fromkeys(ids, _NOTHING)
        left: dict[str, str | None] = dict.fromkeys(ids)
        while left:
            some = dict(islice(left.items(), ASSOCIATIONS_PER_READ))
            answer = associations(
                await self.hubspot.send(batch_associations(from_, NAMES[to], some))
            )
            for one in some:
                del left[one]
            for one, page in answer.items():
                found[one] = found.get(one, _NOTHING).then(page)
                if page.after is not None:
                    left[one] = page.after
        return found


def _named(lists: Iterable[Sequence[str]], most: int | None) -> list[str]:
    return list(dict.fromkeys(one for ids in lists for one in ids[:most]))


def _whole(
    key: ObjectKey,
    found: HubSpotObject,
    lists: Mapping[ObjectType, Mapping[str, Associated]],
    related: Mapping[ObjectType, Mapping[str, HubSpotObject]],
) -> bytes:
    entries: dict[str, list[HubSpotObject | str]] = {
        ASSOCIATION_NAMES[other]: [related.get(other, {}).get(one, one) for one in of[key.id].ids]
        for other, of in lists.items()
    }
    return snapshot(key.portal_id, found, entries, lists[ObjectType.COMPANY][key.id].primary)
