"""What objects refer to: links between them, and the join with companions from topics of their own.

Called by `intake` within its transaction. Deals, quotes and payments that name each other are
always noted (the guard against billing twice reads it). Contacts, companies, line items and
products are noted and joined only where they have topics of their own.

An object and its companion may arrive, or change, in either order and at the same moment in two
processes. Both transactions lock the companion's row, the first comer as an empty one, before they look
for what the other wrote; so the later of them sees it, and decides with everything known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from reconciler.model import SOURCE_TYPES, ObjectKey, ObjectType, SourceObject
from reconciler.objects.joining import joined, references
from reconciler.objects.reading import effective_ids
from reconciler.ports.intake import ObjectLink, StoredObject
from reconciler.workflows import Workflow
from reconciler.workflows.filters import CONTACT_PREFIX

COMPANIONS = frozenset(
    {ObjectType.CONTACT, ObjectType.COMPANY, ObjectType.LINE_ITEM, ObjectType.PRODUCT}
)
"""What may have a topic of its own and is joined to the objects that name it."""

_SALE_TYPES = {"deals": ObjectType.DEAL, "quotes": ObjectType.QUOTE, "payments": ObjectType.PAYMENT}


class CompanionTransaction(Protocol):
    """What this asks of the store, in intake's transaction."""

    async def objects(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, StoredObject]: ...
    async def lock_objects(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, int]: ...
    async def expect_objects(self, keys: Sequence[ObjectKey]) -> None: ...
    async def change_links(
        self, added: Sequence[ObjectLink], removed: Sequence[ObjectLink]
    ) -> None: ...
    async def with_merged(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]: ...
    async def linked_sources(
        self, targets: Collection[ObjectKey], *, undecided: bool
    ) -> set[ObjectKey]: ...


class LinkChanges(NamedTuple):
    """Links that a batch makes and ends."""

    added: list[ObjectLink]
    removed: list[ObjectLink]


def changed_links(
    folded: Iterable[StoredObject],
    before: Mapping[ObjectKey, StoredObject],
    companions: frozenset[ObjectType],
) -> LinkChanges:
    """What the objects name now and did not before, and the other way round. Pure.

    A companion names what it was merged into: who names it is then waiting for that one. Of what has a
    topic of its own all is told: it may have had none when the object named it first.
    """
    changes = LinkChanges([], [])
    for stored in folded:
        obj = stored.object
        if obj.key.type not in SOURCE_TYPES and obj.merged is None:
            continue
        known = before.get(obj.key)
        was = _named(known.object, companions) if known else set()
        now = _named(obj, companions)
        added = now - was | {target for target in now if target.type in companions}
        changes.added.extend(ObjectLink(target, obj.key) for target in added)
        changes.removed.extend(ObjectLink(target, obj.key) for target in was - now)
    return changes


def _named(obj: SourceObject, companions: frozenset[ObjectType]) -> set[ObjectKey]:
    if obj.key.type not in SOURCE_TYPES:
        into = obj.merged and obj.key._replace(id=obj.merged[1])
        return {into} if into and obj.key.type in companions else set()
    named = sales_named(obj)
    if companions:
        named.update(key for key in references(obj) if key.type in companions)
    return named


def sales_named(obj: SourceObject) -> set[ObjectKey]:
    """The deals, quotes and payments of the same sale that an object names: those of other types, for
    HubSpot's associations between two deals say nothing of that, and what it was merged into."""
    (portal_id, own, _), associations = obj.key, obj.associations
    named = {
        ObjectKey(portal_id, _SALE_TYPES[name], one)
        for name in associations
        if name in _SALE_TYPES and _SALE_TYPES[name] is not own
        for one in effective_ids(associations[name])
    }
    if obj.merged is not None:
        named.add(obj.key._replace(id=obj.merged[1]))
    return named


def reads_contacts(workflows: Iterable[Workflow]) -> bool:
    """Whether a contact alone may enrol an object."""
    return any(
        name.startswith(CONTACT_PREFIX)
        for workflow in workflows
        if workflow.enabled
        for enrolment in (workflow.enrol, workflow.re_enrol)
        if enrolment is not None
        for name in enrolment.properties()
    )


class Holding(NamedTuple):
    """What this transaction keeps others from changing: companions, and all that may name them."""

    companions: set[ObjectKey]
    objects: set[ObjectKey]


class Stale(Exception):
    """Another process was faster; the transaction must be done again."""


async def hold(
    transaction: CompanionTransaction,
    folded: Sequence[StoredObject],
    kinds: frozenset[ObjectType],
    *,
    undecided: bool,
) -> Holding:
    """Lock, in key order, all that the batch changes, names or wakes. Raises `Stale`.

    What was named long ago is locked, too: it may change just while an object gets its first
    document, which whoever changes it does not see yet. Products are not locked when named: they are
    shared by many, and a line has a name of its own. For the same reason one that arrives late wakes
    only objects whose line items came with them.
    """
    changed = [each.object.key for each in folded if each.object.key.type in COMPANIONS]
    companions = await transaction.with_merged(changed) if changed else set()
    sources: set[ObjectKey] = set()
    if companions:
        sources = await transaction.linked_sources(companions, undecided=undecided)
    named = {
        key
        for each in folded
        for key in _named(each.object, kinds)
        if key.type in COMPANIONS and key.type is not ObjectType.PRODUCT
    }
    own = {each.object.key: each.version for each in folded}
    held = await transaction.lock_objects(sorted(own.keys() | named | companions | sources))
    if any(version and held.get(key) != version for key, version in own.items()):
        raise Stale
    expected = named - held.keys() - own.keys()
    if expected:
        await transaction.expect_objects(sorted(expected))
    return Holding(companions, sources | own.keys())


async def woken(
    transaction: CompanionTransaction, holding: Holding, *, undecided: bool
) -> list[SourceObject]:
    """The objects that name a companion of this batch, as they are now. Raises `Stale`.

    Asked again after the companions' rows are ours: what was named meanwhile must be held too.
    """
    if not holding.companions:
        return []
    if not await transaction.with_merged(sorted(holding.companions)) <= holding.companions:
        raise Stale
    named = await transaction.linked_sources(holding.companions, undecided=undecided)
    if not named <= holding.objects:
        raise Stale
    found = await transaction.objects(sorted(named))
    return [stored.object for stored in found.values()]


class Joined(NamedTuple):
    """Objects with their companions, and the same as known before the batch."""

    sources: list[SourceObject]
    before: dict[ObjectKey, SourceObject]


async def join(
    transaction: CompanionTransaction,
    sources: Sequence[SourceObject],
    before: Mapping[ObjectKey, SourceObject],
    kinds: frozenset[ObjectType],
) -> Joined:
    """Put the stored companions to their objects; *before* also says how they were before."""

    async def load(keys: Sequence[ObjectKey]) -> list[SourceObject]:
        return [stored.object for stored in (await transaction.objects(keys)).values()]

    was = [before[obj.key] for obj in sources if obj.key in before]
    found = await _loaded([*sources, *was], load, kinds)
    then = {key: before.get(key, obj) for key, obj in found.items()}
    return Joined(
        [_complete(obj, found) for obj in sources], {obj.key: _complete(obj, then) for obj in was}
    )


Load = Callable[[Sequence[ObjectKey]], Awaitable[list[SourceObject]]]


async def completed(
    objects: Sequence[SourceObject], load: Load, kinds: frozenset[ObjectType]
) -> list[SourceObject]:
    """The objects with their companions, for those who explain, plan and retry."""
    if not kinds:
        return list(objects)
    found = await _loaded(objects, load, kinds)
    return [_complete(obj, found) for obj in objects]


async def _loaded(
    objects: Sequence[SourceObject], load: Load, kinds: frozenset[ObjectType]
) -> dict[ObjectKey, SourceObject]:
    """All that the objects refer to; what is found may name more: a line item its product, a contact
    the one it was merged into."""
    found: dict[ObjectKey, SourceObject] = {}
    asked: set[ObjectKey] = set()
    while True:
        known = [joined(obj, found) for obj in objects] if found else objects
        more = {key for obj in known for key in references(obj) if key.type in kinds} - asked
        if not more:
            return found
        asked |= more
        found |= {obj.key: obj for obj in await load(sorted(more))}


def _complete(obj: SourceObject, found: Mapping[ObjectKey, SourceObject]) -> SourceObject:
    return joined(joined(obj, found), found)  # line items first, then their products
