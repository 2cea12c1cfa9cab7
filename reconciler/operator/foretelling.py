"""Foretells which planned documents dispatch will hold back: sales billed already, estimates unmade.

Called by `plan`, and so by the preview of `backfill`, once every object was looked at. Pure. It follows
`precedence.judged` in the order in which a backfill sends its documents: `precedence.turn`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from reconciler.dispatch.precedence import NAMES, SALES
from reconciler.model import Action, DocumentKey, DocumentState, ObjectKey, ObjectType
from reconciler.operator.planning import Fate, PlannedDocument
from reconciler.ports.intake import LedgerEntry
from reconciler.reasons import Blocked, Reason, Stop, Waiting

Links = Mapping[ObjectKey, Collection[ObjectKey]]
"""Deals, quotes and payments that name an object, are named by it or were merged with it."""


class Prospect(NamedTuple):
    """A planned document that would be sent, not before an instant (epoch ms; 0: at once)."""

    document: PlannedDocument
    enrolled_at: int
    not_before: int
    follows_estimate: bool
    position: int
    """Its place among all that were decided."""


class Expected(Enum):
    """Whether a document will stand in QuickBooks."""

    MADE = auto()
    LATER = auto()
    WAITING = auto()
    NEVER = auto()


def expected_of(entry: LedgerEntry) -> Expected:
    """What becomes of a document that is recorded."""
    if entry.is_in_quickbooks or entry.state in (DocumentState.SENDING, DocumentState.CREATED):
        return Expected.MADE
    if entry.state is DocumentState.WANTED:
        later = entry.reason in (Reason.DELAY, Reason.ESTIMATE, Reason.BILLED_FIRST)
        return Expected.LATER if later else Expected.MADE
    return Expected.WAITING if entry.state is DocumentState.WAITING else Expected.NEVER


def expected_if_planned(document: PlannedDocument, not_before: int, now: int) -> Expected:
    """What becomes of a document that is planned."""
    if document.fate is Fate.CREATE:
        return Expected.LATER if not_before > now else Expected.MADE
    return Expected.WAITING if document.fate is Fate.WAITING else Expected.NEVER


def kin(key: ObjectKey, links: Links) -> set[ObjectKey]:
    """Objects of the same sale as another one: as `store.links.precedents` finds them."""
    near = set(links.get(key, ()))
    beyond = {
        one
        for middle in near
        for one in links.get(middle, ())
        if (middle.type is ObjectType.QUOTE and one.type is not key.type)
        or middle.type in (one.type, key.type)
    }
    return (near | beyond) - {key}


@dataclass
class _Bills:
    """The documents that bill a sale, by company and object."""

    links: Links
    made: dict[tuple[str, ObjectKey], list[DocumentKey]] = field(default_factory=dict)

    def add(self, key: DocumentKey) -> None:
        self.made.setdefault((key.realm_id, key.source), []).append(key)

    def before(self, key: DocumentKey) -> Blocked | None:
        """Why this one would bill a sale again, if it would."""
        rival = next(self._rivals(key), None)
        if rival is None:
            return None
        return Blocked(Reason.ALREADY_BILLED, other=NAMES[rival.action], document=rival.source)

    def _rivals(self, key: DocumentKey) -> Iterator[DocumentKey]:
        realm_id, source = key.realm_id, key.source
        for each in self.made.get((realm_id, source), ()):
            if each.action is not key.action:
                yield each
        if source in self.links:  # most objects are linked to none
            for other in sorted(kin(source, self.links)):
                yield from self.made.get((realm_id, other), ())


def held_back(
    prospects: Sequence[Prospect],
    expected: Mapping[DocumentKey, Expected],
    links: Links,
    now: int,
) -> dict[DocumentKey, Stop]:
    """Why some of *prospects* would not be created; *expected* holds estimates and recorded sales."""
    bills = _Bills(links)
    own = {each.document.key for each in prospects}
    for key, what in expected.items():
        if what is Expected.MADE and key.action in SALES and key not in own:
            bills.add(key)
    stops: dict[DocumentKey, Stop] = {}
    following: list[Prospect] = []
    sales = [each for each in prospects if each.document.key.action in SALES]
    for each in sorted(sales, key=lambda prospect: _turn(prospect, now)):
        if stop := bills.before(each.document.key):
            stops[each.document.key] = stop
        elif each.document.fate is not Fate.CREATE:
            continue  # blocked by what it refers to: it bills nothing
        elif _estimate(each, expected) in (Expected.LATER, Expected.WAITING):
            following.append(each)
        else:
            bills.add(each.document.key)
    for each in following:
        key = each.document.key
        if stop := bills.before(key):
            stops[key] = stop
        elif _estimate(each, expected) is Expected.WAITING:
            stops[key] = Waiting(Reason.ESTIMATE, object=key.object_type)
        else:
            bills.add(key)
    return stops


def _turn(each: Prospect, now: int) -> tuple[int, ObjectType, int, int]:
    """A backfill records deals, then payments, then quotes, and each page's first enrolled first."""
    due = each.not_before if each.not_before > now else 0
    return due, each.document.key.object_type, each.enrolled_at, each.position


def _estimate(each: Prospect, expected: Mapping[DocumentKey, Expected]) -> Expected | None:
    if not each.follows_estimate:
        return None
    return expected.get(each.document.key._replace(action=Action.ESTIMATE))
