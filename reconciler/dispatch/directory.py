"""Keeps what is known of a company: facts and name lists, loaded once and refreshed by CDC.

Called by `company`, `prepare` and `record`. Intuit meters reads, so documents are resolved
against the stored copy; it is looked at again only when something seems to be missing, when a
fault says that it is stale, and every `refresh_every`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import structlog

from reconciler.dispatch.rates import Rates
from reconciler.errors import RetryLater
from reconciler.model import DocumentContent, ProductReference
from reconciler.ports.dispatch import Lease, Operation
from reconciler.ports.references import ReferenceList, StoredReference
from reconciler.quickbooks.cdc import LOOK_BACK, Changes, Observed
from reconciler.quickbooks.client import QuickBooks
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.loading import (
    Patient,
    load_changed,
    load_changes,
    load_company,
    load_references,
)
from reconciler.quickbooks.names import (
    customer_names,
    email_key,
    folded,
    item_names,
    name_key,
    names_in,
)
from reconciler.quickbooks.payload import decode
from reconciler.quickbooks.protocol import query
from reconciler.quickbooks.queries import resembles, select
from reconciler.quickbooks.references import (
    REFERENCE_ENTITIES,
    WITHOUT_CDC,
    Reference,
    read_references,
)
from reconciler.writing.resolve import Book

_log = structlog.get_logger("reconciler.directory")
_FOLLOWED = tuple(entity for entity in REFERENCE_ENTITIES if entity not in WITHOUT_CDC)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Reference).decode
_decode_facts = msgspec.json.Decoder(CompanyFacts).decode

REFRESH_EVERY = timedelta(minutes=15)
LOOK_AGAIN_AFTER = timedelta(seconds=10)
"""A person who has just created the missing product should not wait long after pressing retry."""
LOOK_BEFORE_CREATING = timedelta(minutes=1)
"""How old the copy may be when something is created for lack of a match; one CDC read at most so often."""
AFTER_NOTICE = timedelta(minutes=1)
"""How old our picture may be once a webhook has said that something changed."""
OVERLAP = timedelta(minutes=5)
"""CDC goes on from a little before its last answer: changes become visible late."""


@dataclass
class Directory:
    """One company's; the small lists are in memory, customers and items in Postgres."""

    lease: Lease
    company_name: str
    quickbooks: QuickBooks
    store: ReferenceList
    clock: Callable[[], datetime]
    refresh_every: timedelta = REFRESH_EVERY
    watched: tuple[str, ...] = ()
    on_transactions: Callable[[Sequence[Observed]], Awaitable[object]] | None = None
    _asked: bool = False
    _is_stale: bool = False
    _not_before: datetime | None = None
    _facts: CompanyFacts | None = None
    _small: list[Reference] = field(default_factory=list)
    _refreshed_at: datetime | None = None

    def __post_init__(self) -> None:
        self.rates = Rates(self.quickbooks)

    async def ensure_loaded(self) -> None:
        """Load the company the first time; afterwards read what is stored."""
        stored = await self.store.company(self.lease.realm_id)
        if (
            stored is None
            or stored.facts is None
            or stored.references_changed_since is None
            or self.clock() - stored.references_changed_since > LOOK_BACK - timedelta(days=1)
        ):
            await self._load()
        else:
            self._facts = _decode_facts(stored.facts)
            await self._read_small_lists(self.clock())
            await self._refresh_if_possible()
        await self.store.set_connection(self.lease, "connected", "")

    async def _load(self) -> None:
        asked_at = self._begin_to_look()
        await self._load_facts()
        rows: list[StoredReference] = []
        reader = Patient(self.quickbooks)
        for entity in REFERENCE_ENTITIES:
            async for page in load_references(reader, entity):
                rows += map(stored_reference, page)
        await self.store.save(self.lease, rows, changed_since=asked_at - OVERLAP, replace=True)
        await self._read_small_lists(asked_at)

    async def _load_facts(self) -> None:
        self._facts = await load_company(Patient(self.quickbooks))
        await self.store.save_facts(self.lease, _encode(self._facts).decode())

    async def _read_small_lists(self, as_of: datetime) -> None:
        """What is stored is as QuickBooks had it at *as_of*, before it was asked: of what happened
        while it answered, nothing need be in the answer."""
        rows = await self.store.small_lists(self.lease.realm_id)
        self._small = [_decode(row) for row in rows]
        self._refreshed_at = None if self._is_stale else as_of

    def _begin_to_look(self) -> datetime:
        self._is_stale = False
        return self.clock()

    # --- refreshing --------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Take in what changed in QuickBooks since the last time (a CDC read, two for facts)."""
        self.rates.forget_missing()
        stored = await self.store.company(self.lease.realm_id)
        if stored is None or stored.references_changed_since is None:
            return await self._load()
        asked_at = self._begin_to_look()
        changes = await self._sweep(stored.references_changed_since)
        if changes is None:
            return await self._load()
        await self._load_facts()
        rows = [stored_reference(row) for row in changes.references]
        rows += [
            StoredReference(
                entity, id_, "", False, "", "", "", _encode(_gone(entity, id_)).decode()
            )
            for entity, id_ in changes.removed_references
        ]
        await self.store.save(self.lease, rows, changed_since=asked_at - OVERLAP)
        return await self._read_small_lists(asked_at)

    async def _sweep(self, since: datetime) -> Changes | None:
        """What changed, transactions handed on; None if name lists changed too much to be told.

        One read. An answer that was cut off is asked for again in parts.
        """
        everything = (*_FOLLOWED, *self.watched)
        changes, _ = await load_changes(self.quickbooks, everything, since)
        transactions = changes.transactions
        if changes.truncated and self.watched:
            changes, _ = await load_changes(self.quickbooks, _FOLLOWED, since)
            transactions = [
                each for entity in self.watched for each in await self._changed_of(entity, since)
            ]
        if self.on_transactions is not None:
            await self.on_transactions(transactions)
        return None if changes.truncated else changes

    async def _changed_of(self, entity: str, since: datetime) -> list[Observed]:
        """Changes of one entity. Where even these are too many, deleted ones may be missed."""
        changes, _ = await load_changes(self.quickbooks, (entity,), since)
        if not changes.truncated:
            return changes.transactions
        found = {one.id: one for one in changes.transactions}
        async for page in load_changed(self.quickbooks, entity, since):
            found |= {one.id: one for one in page}
        return list(found.values())

    async def refresh_before_blocking(self, retried_at: datetime | None = None) -> bool:
        """Look again before saying that something is missing; False if that was done just now.

        A person who retried at *retried_at* has mended something since we looked before that.
        """
        seen, now = self._refreshed_at, self.clock()
        is_recent = seen is not None and now - seen < LOOK_AGAIN_AFTER
        if is_recent and (retried_at is None or (seen is not None and seen > retried_at)):
            return False
        return await self._refresh_if_possible()

    async def refresh_before_creating(self) -> bool:
        """Look again before creating a customer or item that someone may just have entered.

        False if the copy is fresh enough: a read for every new customer would be too dear.
        """
        seen = self._refreshed_at
        if seen is not None and self.clock() - seen < LOOK_BEFORE_CREATING:
            return False
        return await self._refresh_if_possible()

    async def refresh_when_due(self) -> None:
        """Called between documents, so that a quiet company's copy does not grow old."""
        now, seen = self.clock(), self._refreshed_at
        if self._not_before is not None and now < self._not_before:
            return
        every = min(self.refresh_every, AFTER_NOTICE) if self._asked else self.refresh_every
        if seen is None or now - seen > every:
            await self._refresh_if_possible()

    async def _refresh_if_possible(self) -> bool:
        """Refresh; False where QuickBooks can't be asked now: the copy we have must do.

        Writes go on when the month's reads are used up. Raises Disconnected.
        """
        asked, self._asked = self._asked, False  # a notice that comes meanwhile is of something new
        is_done = False
        try:
            await self.refresh()
            is_done = True
        except RetryLater as error:
            self._not_before = self.clock() + error.retry_after
            _log.warning("not refreshed", realm_id=self.lease.realm_id, error=str(error))
            return False
        finally:
            self._asked = self._asked or (asked and not is_done)
        self._not_before = None
        return True

    def notice(self) -> None:
        """QuickBooks says that something changed: look soon, but not for each notice."""
        self._asked = True

    def forget_freshness(self) -> None:
        """A fault said that our picture is stale: look again before the next document."""
        self._refreshed_at = None
        self._is_stale = True  # also a picture that is being taken

    async def disconnected(self, detail: str) -> None:
        """Note that a person must connect the company again."""
        await self.store.set_connection(self.lease, "disconnected", detail)

    # --- looking up --------------------------------------------------------------------------------

    async def book_for(self, contents: Iterable[DocumentContent]) -> Book:
        """What these documents may refer to, in one query to Postgres."""
        assert self._facts is not None  # ensure_loaded() came first
        wanted = _Wanted(self._facts)
        for content in contents:
            wanted.add(content)
        rows = await self.store.find(
            self.lease.realm_id, list(wanted.names), list(wanted.emails), list(wanted.skus),
            list(wanted.item_ids),
        )  # fmt: skip
        return Book(self.company_name, self._facts, [*self._small, *map(_decode, rows)])

    async def with_id(self, entity: str, id_: str) -> Reference | None:
        """One customer or item as last seen."""
        row = await self.store.with_id(self.lease.realm_id, entity, id_)
        return _decode(row) if row else None

    async def learn(self, entity: str, rows: Sequence[dict[str, Any]]) -> list[Reference]:
        """Keep objects that QuickBooks has just told us about."""
        references = read_references(entity, rows)
        await self.store.save(self.lease, [stored_reference(row) for row in references])
        return references

    async def look_up_name(self, op: Operation) -> list[Reference]:
        """Who bears the name that *op* asked for, inactive ones and other lists included."""
        body = decode(op.request)
        field_name = "DisplayName" if op.entity == "Customer" else "Name"
        condition = resembles(field_name, body[field_name])
        if condition is None:
            return []
        entities = ("Customer", "Vendor", "Employee") if op.entity == "Customer" else (op.entity,)
        found: list[Reference] = []
        for entity in entities:
            answer = await self.quickbooks.send(query(entity, select(entity, [condition])))
            found += await self.learn(entity, answer.rows(entity))
        return found


@dataclass
class _Wanted:
    """The keys under which customers and items of some documents may be found."""

    facts: CompanyFacts
    names: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    skus: set[str] = field(default_factory=set)
    item_ids: set[str] = field(default_factory=set)

    def add(self, content: DocumentContent) -> None:
        currency = self.facts.stated_currency(content.currency)
        if customer := content.customer:
            full_name = customer.full_name
            foreign = self.facts.foreign_currency(currency)
            names = customer_names(full_name, customer.email, customer.hubspot_id, foreign)
            self.names.update(map(name_key, names))
            for name in names_in(full_name, currency):
                self.names.update(_keys_of(name))
            if customer.email:
                self.emails.add(email_key(customer.email))
        if content.vendor:
            self.names.update(map(name_key, names_in(content.vendor, currency)))
        if content.fixed_product:
            self.names.update(_keys_of(content.fixed_product))
        self.item_ids.update(content.product_map.values())
        for line in content.lines:
            product = line.product
            self.names.update(_item_keys(product))
            if product.sku:
                self.skus.add(folded(product.sku))


async def stored_book(
    store: ReferenceList, realm_id: str, name: str, contents: Iterable[DocumentContent]
) -> Book | None:
    """What these documents may refer to, as last read from QuickBooks; None if that never was.

    For previews: it asks QuickBooks nothing, whoever owns the company.
    """
    known = await store.company(realm_id)
    if known is None or known.facts is None:
        return None
    facts = _decode_facts(known.facts)
    wanted = _Wanted(facts)
    for content in contents:
        wanted.add(content)
    rows = await store.find(
        realm_id, list(wanted.names), list(wanted.emails), list(wanted.skus), list(wanted.item_ids)
    )
    small = await store.small_lists(realm_id)
    return Book(name, facts, [*map(_decode, small), *map(_decode, rows)])


@lru_cache(maxsize=4096)
def _item_keys(product: ProductReference) -> tuple[str, ...]:
    """The keys of every name a product may have as an item; a catalogue is sold again and again."""
    names = item_names(product.name or product.sku, product.sku, product.hubspot_product_id)
    return tuple({key for name in (product.name, *names) if name for key in _keys_of(name)})


def _keys_of(name: str) -> tuple[str, str]:
    """A name, and what the store has it under if it is a full one ("Parent:Child")."""
    return name_key(name), name_key(name.rpartition(":")[2])


def stored_reference(row: Reference) -> StoredReference:
    """A reference as the store keeps it."""
    return StoredReference(
        row.entity, row.id, row.sync_token, row.active, row.name_key, row.email_key,
        folded(row.sku), _encode(row).decode(),
    )  # fmt: skip


def _gone(entity: str, id_: str) -> Reference:
    return Reference(entity=entity, id=id_, sync_token="", active=False)
