"""One object's telling: what HubSpot says about it, when it arrives, and what must come of it.

The stories drive a scene step by step; `feed` then lays all scenes out in time. A scene keeps the
object's properties as they are now and its own clock, which moves on by a little with every step.

Whatever order the records of a scene arrive in, its expectation must come true: a story may change
an object's lines only if the record that makes it match carries the final ones. A story that can't
keep to that asks for `in_order`: one key, one partition, arrival as sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from reconciler.demo import shapes
from reconciler.demo.basket import Basket, Shelf
from reconciler.demo.catalogue import US, CompanyCatalogue
from reconciler.demo.expectation import ExpectedDocument, ExpectedLine, Unsettled, Wanted
from reconciler.demo.ids import Ids
from reconciler.demo.people import People, Person
from reconciler.demo.shapes import Associated, Envelope, Properties

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


@dataclass
class Draft:
    """One record to be: what it says, when it became true and when it reaches Kafka."""

    kind: str  # object type; the topic follows from it
    key: bytes | None
    body: Any
    at: int
    arrives: int
    is_event: bool = False  # a bare webhook event, which may share an array with others
    in_order: bool = False  # must not overtake, nor be overtaken by, others of its scene


@dataclass
class World:
    """What the stories share: one source of chance, ids, people and the companies' shelves."""

    rng: Random
    ids: Ids
    people: People
    shelves: dict[str, Shelf]
    catalogues: dict[str, CompanyCatalogue]
    opens_at: int
    days: int

    @property
    def shelf(self) -> Shelf:
        """What the main US company sells."""
        return self.shelves[US]

    def some_time(self) -> int:
        """When a story begins."""
        return self.opens_at + self.rng.randrange(self.days * DAY)


@dataclass
class Scene:
    """A deal, quote or payment on its way through HubSpot."""

    world: World
    kind: str
    id: str
    properties: Properties
    now: int
    in_order: bool = False
    drafts: list[Draft] = field(default_factory=list)
    documents: list[ExpectedDocument] = field(default_factory=list)
    unsettled: dict[Wanted, Unsettled] = field(default_factory=dict)
    never: set[Wanted] = field(default_factory=set)
    also: tuple[Associated, ...] = ()  # further associations that every snapshot carries

    # --- what HubSpot says ---

    def snapshot(
        self,
        contacts: Sequence[Person] | None = None,
        basket: Basket | None = None,
        hydrate: frozenset[str] | set[str] = frozenset({"contacts", "line_items"}),
        late: bool = False,
    ) -> None:
        """The whole object as it is now. A list that is None is left out: not known.

        *late* lets it reach Kafka hours after everything around it.
        """
        self._pass()
        lists = [*self.also]
        if contacts is not None:
            members = [(person.id, person.properties()) for person in contacts]
            lists.append(_list("contacts", members, "contacts" in hydrate))
        if basket is not None:
            in_currency = {
                "hs_line_item_currency_code": self.properties.get("deal_currency_code") or "USD"
            }
            lines = [
                (line.id, {**line.properties(n), **in_currency})
                for n, line in enumerate(basket.lines)
            ]
            lists.append(_list("line_items", lines, "line_items" in hydrate))
        self._emit(self._whole(tuple(lists)), late=late)

    def change(self, **properties: str | None) -> None:
        """Properties change; HubSpot sends one thin event for each."""
        self._pass()
        for name, value in properties.items():
            self.properties[name] = value
            event = shapes.property_event(self.kind, self.id, name, value, self._envelope())
            self._emit(event, is_event=True)

    def set(self, **properties: str | None) -> None:
        """Properties change without an event; the next snapshot shows it."""
        self.properties.update(properties)

    def created(self) -> None:
        """The thin event that the object exists."""
        self._pass()
        event = shapes.creation_event(self.kind, self.id, self._envelope())
        self._emit(event, is_event=True)

    def associated(self, other: str, ids: Sequence[str], removed: bool = False) -> None:
        """Association events: ids only."""
        self._pass()
        for other_id in ids:
            event = shapes.association_event(
                self.kind, self.id, other, other_id, removed, self._envelope()
            )
            self._emit(event, is_event=True)

    def passes(self, low: int, high: int) -> None:
        """Time goes by, in milliseconds."""
        self.now += self.world.rng.randrange(low, high)

    # --- what must come of it ---

    def makes(
        self,
        action: str,
        buyer: Person,
        basket: Basket,
        realm_id: str = US,
        terms: str | None = None,
    ) -> None:
        """A document with these lines must be in the books, once."""
        self.documents.append(
            ExpectedDocument(
                realm_id=realm_id,
                wanted=self._wanted(action),
                total=basket.total,
                tax=basket.tax,
                customer=buyer.party,
                lines=basket.expected,
                terms=terms,
            )
        )

    def makes_expense(self, fee: Decimal) -> None:
        """The fee must be in the books as an expense, once."""
        self.documents.append(
            ExpectedDocument(
                realm_id=US, wanted=self._wanted("expense"), total=fee, lines=(ExpectedLine(fee),)
            )
        )

    def waits(self, action: str, *reasons: str) -> None:
        """The document must not exist yet: a fact is missing."""
        self.unsettled[self._wanted(action)] = Unsettled("waiting", frozenset(reasons))

    def blocks(self, action: str, *reasons: str) -> None:
        """The document must not exist: a person must act."""
        self.unsettled[self._wanted(action)] = Unsettled("blocked", frozenset(reasons))

    def never_makes(self, *actions: str) -> None:
        """Tempting, and wrong."""
        self.never |= {self._wanted(action) for action in actions}

    # --- inside ---

    def _wanted(self, action: str) -> Wanted:
        return Wanted(self.kind, self.id, action)

    def _pass(self) -> None:
        self.passes(2 * SECOND, 40 * MINUTE)

    def _envelope(self) -> Envelope:
        """Sub-second steps: properties that change together still have times of their own."""
        self.now += self.world.rng.randrange(1, 400)
        style = self.world.rng.choice(("legacy", "legacy", "legacy", "generic", "old"))
        return Envelope(int(self.world.ids.next("event")), self.now, style)

    def _whole(self, lists: tuple[Associated, ...]) -> shapes.Body:
        """The object as a REST snapshot, or inside a hydrated event that fired at the same time."""
        chance = self.world.rng.random
        if chance() < 0.6:
            return shapes.snapshot(
                self.kind, self.id, self.now, dict(self.properties), lists, chance() < 0.5
            )
        envelope = self._envelope()
        whole = shapes.snapshot(
            self.kind, self.id, self.now, dict(self.properties), lists, chance() < 0.5
        )
        modified = whole["properties"]["hs_lastmodifieddate"]
        event = shapes.property_event(self.kind, self.id, "hs_lastmodifieddate", modified, envelope)
        return shapes.hydrated(event, whole)

    def _emit(self, body: shapes.Body, is_event: bool = False, late: bool = False) -> None:
        arrives = self.now + self._delay(late)
        if self.in_order and self.drafts:
            arrives = max(arrives, self.drafts[-1].arrives + 1)
        draft = Draft(self.kind, self._key(), body, self.now, arrives, is_event, self.in_order)
        self.drafts.append(draft)

    def _delay(self, late: bool) -> int:
        """Mostly seconds; now and then a retried webhook or a slow connector."""
        rng = self.world.rng
        if late:
            return rng.randrange(6 * HOUR, 30 * HOUR)
        if self.in_order or rng.random() < 0.8:
            return rng.randrange(200, 4 * SECOND)
        return rng.randrange(MINUTE, 4 * HOUR)

    def _key(self) -> bytes | None:
        if self.in_order:
            return self.id.encode()
        named = f"{shapes.PORTAL_ID}:{self.id}".encode()
        return self.world.rng.choice((self.id.encode(), self.id.encode(), named, None))


def _list(name: str, members: Sequence[tuple[str, Properties]], hydrate: bool) -> Associated:
    return Associated(
        name, tuple((member, facts if hydrate else None) for member, facts in members)
    )


def money(value: Decimal | None) -> str | None:
    """An amount as HubSpot prints it."""
    return None if value is None else f"{value:f}"


NOTHING = Basket(())
