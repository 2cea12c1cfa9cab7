"""The demo's feed: stories told by chance, laid out in time as HubSpot and its feeders would.

Called by the demo and by tests. It adds what every real feed has: redelivered webhooks, arrays
that mix objects, late arrivals, tombstones, garbage. It knows what it planted, and shares no code
with what decides about it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

import msgspec

from reconciler.demo import noise, shapes
from reconciler.demo.basket import Shelf
from reconciler.demo.catalogue import CompanyCatalogue, catalogue
from reconciler.demo.expectation import Company, Expectation
from reconciler.demo.ids import Ids
from reconciler.demo.people import People
from reconciler.demo.scene import HOUR, SECOND, Draft, Scene, World
from reconciler.demo.stories import RECIPES, Recipe

_OPENS_AT = 1_790_582_400_000  # 2026-09-28T08:00:00Z
_DAYS = 21
_REDELIVERED = 0.12  # share of records that arrive twice
_CHATTER = 0.4  # chance, twice for each object, that an owner, note or the like changes too


class Topics(NamedTuple):
    """Names of the topics by object type."""

    deal: str = "crm.deals"
    quote: str = "crm.quotes"
    payment: str = "crm.payments"


class FeedRecord(NamedTuple):
    """One Kafka record to produce; `timestamp_ms` is its create time."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


@dataclass(frozen=True)
class Feed:
    """Records in the order to produce them, and what must come of them.

    `stories` counts how often each story was told; each tells one object.
    """

    records: list[FeedRecord]
    expectation: Expectation
    stories: Counter[str]

    @property
    def objects(self) -> int:
        return self.stories.total()


def generate(seed: int, objects: int = 320, topics: Topics = Topics()) -> Feed:  # noqa: B008  immutable
    """A feed of at least *objects* deals, quotes and payments; the same for the same *seed*.

    Every story is told at least once, so that fewer than about a hundred objects are not possible.
    """
    companies = catalogue(seed)
    world = _world(seed, companies)
    stories: Counter[str] = Counter()
    scenes: list[Scene] = []
    for recipe in _programme(world.rng, objects):
        scenes.append(recipe.tell(world))
        stories[recipe.name] += 1
    spoiled = noise.garbage(world, max(2 * len(noise.GARBAGE), objects // 16))
    drafts = [*_told(world, scenes), *spoiled]
    drafts += noise.tombstones(world, scenes[0].drafts + scenes[-1].drafts, max(3, objects // 40))
    drafts += noise.foreign(world, max(12, objects // 20))
    records = _produced(world.rng, drafts, topics)
    return Feed(records, _expected(scenes, companies, len(spoiled)), stories)


def _world(seed: int, companies: dict[str, CompanyCatalogue]) -> World:
    rng = Random(f"feed {seed}")
    ids = Ids(rng)
    shelves = {realm: Shelf(rng, ids, company) for realm, company in companies.items()}
    return World(rng, ids, People(rng, ids), shelves, companies, _OPENS_AT, _DAYS)


def _programme(rng: Random, objects: int) -> list[Recipe]:
    """Each story its least number of times, the rest by weight, in random order."""
    told = [recipe for recipe in RECIPES for _ in range(recipe.at_least)]
    weights = [recipe.weight for recipe in RECIPES]
    told += rng.choices(RECIPES, weights, k=max(0, objects - len(told)))
    return rng.sample(told, len(told))


def _expected(
    scenes: Sequence[Scene], companies: dict[str, CompanyCatalogue], dead_letters: int
) -> Expectation:
    expectation = Expectation(
        companies={
            realm: Company(
                known_customers={customer.display_name for customer in company.customers},
                known_items={item.name for item in company.items},
            )
            for realm, company in companies.items()
        },
        dead_letters=dead_letters,
    )
    for scene in scenes:
        for document in scene.documents:
            company = companies[document.realm_id]
            parties = [customer.party for customer in company.customers]
            expectation.add(document, parties, [item.key for item in company.usable_items])
        expectation.unsettled |= scene.unsettled
        expectation.never |= scene.never
    return expectation


# --- from scenes to records ---


def _told(world: World, scenes: Sequence[Scene]) -> list[Draft]:
    """Every scene's drafts, the idle talk around them, and what is delivered twice."""
    drafts = [draft for scene in scenes for draft in scene.drafts]
    chance = world.rng.random
    drafts += [_chatter(world, scene) for scene in scenes for _ in range(2) if chance() < _CHATTER]
    again = [_redelivered(world.rng, draft) for draft in drafts if chance() < _REDELIVERED]
    return drafts + again


_IDLE = {
    "deal": (("hs_next_step", "call “Ümit” back"), ("num_notes", "3"), ("hs_priority", "high")),
    "quote": (("hs_quote_link", "https://quotes.example/x"), ("hs_language", "de")),
    "payment": (("hs_internal_comment", "seen\tby \\ me"), ("hs_payout_date", "1792000000000")),
}


def _chatter(world: World, scene: Scene) -> Draft:
    """A change that no workflow looks at."""
    name, value = world.rng.choice(_IDLE[scene.kind])
    at = scene.now + world.rng.randrange(SECOND, 20 * HOUR)
    envelope = shapes.Envelope(int(world.ids.next("event")), at)
    body = shapes.property_event(scene.kind, scene.id, name, value, envelope)
    return Draft(scene.kind, scene.id.encode(), body, at, at + SECOND, is_event=True)


def _redelivered(rng: Random, draft: Draft) -> Draft:
    """The same news again: a webhook with the next attempt number, a snapshot byte for byte."""
    body = draft.body
    if draft.is_event:
        body = {**body, "attemptNumber": body["attemptNumber"] + rng.randrange(1, 4)}
    return replace(draft, body=body, arrives=draft.arrives + rng.randrange(5 * SECOND, 3 * HOUR))


def _produced(rng: Random, drafts: list[Draft], topics: Topics) -> list[FeedRecord]:
    """In order of arrival, with some bare events gathered into arrays as HubSpot posts them."""
    records: list[FeedRecord] = []
    gathering: dict[str, list[Draft]] = {}
    for draft in sorted(drafts, key=lambda draft: draft.arrives):
        if not draft.is_event or draft.in_order:
            records.append(_record(rng, topics, draft, draft.body))
            continue
        waiting = gathering.setdefault(draft.kind, [])
        waiting.append(draft)
        if rng.random() < 0.6:
            records.append(_array(rng, topics, waiting))
            gathering[draft.kind] = []
    records += [_array(rng, topics, waiting) for waiting in gathering.values() if waiting]
    return records


def _array(rng: Random, topics: Topics, drafts: list[Draft]) -> FeedRecord:
    """One event on its own, bare or in an array of one; several only in an array."""
    last = drafts[-1]
    if len(drafts) == 1:
        body = last.body if rng.random() < 0.5 else [last.body]
        return _record(rng, topics, last, body)
    keyed = replace(last, key=rng.choice((None, str(shapes.PORTAL_ID).encode())))
    return _record(rng, topics, keyed, [draft.body for draft in drafts])


def _record(rng: Random, topics: Topics, draft: Draft, body: Any) -> FeedRecord:
    topic = getattr(topics, draft.kind)
    return FeedRecord(topic, draft.key, _encoded(rng, body), draft.arrives)


def _encoded(rng: Random, body: Any) -> bytes | None:
    """Raw garbage and tombstones as they are; JSON as UTF-8 or, as some producers do, in ASCII."""
    if body is None or isinstance(body, bytes):
        return body
    if rng.random() < 0.7:
        return msgspec.json.encode(body)
    return json.dumps(body).encode()
