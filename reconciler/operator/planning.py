"""What would be created now: decides in memory against the ledger and writes nothing. Pure.

Called by the `plan` command and as the preview of `backfill`, which then records exactly these
documents. It decides as backfill does, without regard to when a workflow was turned on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from reconciler.deciding.decide import Verdict, decide
from reconciler.intake.ledger import by_source, differences
from reconciler.model import (
    SOURCE_TYPES,
    Action,
    DocumentContent,
    DocumentKey,
    DocumentState,
    SourceObject,
)
from reconciler.operator.presenting import Names, customer_name
from reconciler.ports.intake import LedgerEntry
from reconciler.reasons import Blocked, Stop, Waiting
from reconciler.workflows import Workflow
from reconciler.writing.resolve import Book, Resolved, resolve


class Fate(StrEnum):
    """What would become of a planned document."""

    CREATE = "create"
    BLOCKED = "blocked"
    WAITING = "waiting"
    RECORDED = "recorded"  # the ledger has it already, in whatever state


class PlannedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One document. `creates` names the customer and products that would be created for it."""

    key: DocumentKey
    workflow: str
    company: str
    fate: Fate
    recorded_as: str = ""
    reason: str = ""
    sentence: str = ""
    total: Decimal | None = None
    currency: str = ""
    txn_date: str = ""
    customer: str = ""
    name: str = ""
    creates: tuple[str, ...] = ()


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """Documents to be created of one action in one company and currency."""

    company: str
    realm_id: str
    action: Action
    currency: str
    documents: int
    total: Decimal


class Plan(msgspec.Struct, kw_only=True):
    """The whole. `objects` were looked at; `undecodable` counts records by reason."""

    objects: int = 0
    records: int = 0
    documents: list[PlannedDocument] = []
    undecodable: dict[str, int] = {}

    @property
    def nothing_was_read(self) -> bool:
        """There were records, and not one could be understood."""
        return 0 < self.records == sum(self.undecodable.values())

    def of(self, fate: Fate) -> list[PlannedDocument]:
        """Documents of one fate."""
        return [each for each in self.documents if each.fate is fate]

    def amounts(self) -> list[Amount]:
        """What would be created, by company, action and currency."""
        counts: Counter[tuple[str, str, Action, str]] = Counter()
        totals: dict[tuple[str, str, Action, str], Decimal] = {}
        for each in self.of(Fate.CREATE):
            place = (each.company, each.key.realm_id, each.key.action, each.currency)
            counts[place] += 1
            totals[place] = totals.get(place, Decimal(0)) + (each.total or Decimal(0))
        return [
            Amount(
                company=place[0], realm_id=place[1], action=place[2], currency=place[3],
                documents=counts[place], total=totals[place],
            )
            for place in sorted(counts)
        ]  # fmt: skip

    def reasons(self) -> list[tuple[Fate, str, int]]:
        """Why others would not be created, most frequent first."""
        stopped = [each for each in self.documents if each.fate in (Fate.BLOCKED, Fate.WAITING)]
        counts = Counter((each.fate, each.reason) for each in stopped)
        by_count = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        return [(fate, reason, count) for (fate, reason), count in by_count]


def planned(
    objects: Iterable[SourceObject],
    ledger: Mapping[DocumentKey, LedgerEntry],
    workflows: Sequence[Workflow],
    names: Names,
) -> list[tuple[PlannedDocument, Verdict]]:
    """What backfill would record of these objects, and the verdicts that it comes from."""
    known = by_source(ledger)
    found = []
    for obj in objects:
        if obj.key.type not in SOURCE_TYPES:
            continue
        verdicts = decide(obj, None, workflows, known.get(obj.key, {}))
        recorded = {each.key for each in differences(verdicts, ledger)[0]}
        for verdict in verdicts:
            is_new = verdict.key in recorded
            found.append((_document(obj, verdict, ledger, is_new, names), verdict))
    return found


def _document(
    obj: SourceObject,
    verdict: Verdict,
    ledger: Mapping[DocumentKey, LedgerEntry],
    is_new: bool,
    names: Names,
) -> PlannedDocument:
    content, entry = verdict.content, ledger.get(verdict.key)
    fates = {DocumentState.BLOCKED: Fate.BLOCKED, DocumentState.WAITING: Fate.WAITING}
    customer = content.customer if content else None
    return PlannedDocument(
        key=verdict.key,
        workflow=verdict.workflow,
        company=names.get(verdict.key.realm_id, verdict.key.realm_id),
        fate=fates.get(verdict.state, Fate.CREATE) if is_new else Fate.RECORDED,
        recorded_as=entry.state if entry else "",
        reason=verdict.reason,
        sentence=verdict.detail,
        total=content.total if content else None,
        currency=content.currency if content else "",
        txn_date=content.txn_date if content else "",
        customer=customer_name(customer) if customer else "",
        name=obj.properties.get("dealname") or obj.properties.get("hs_title") or "",
    )


def resolved(document: PlannedDocument, content: DocumentContent, book: Book) -> PlannedDocument:
    """The same with what the company's lists, as last read, would make of it."""
    try:
        found = resolve(document.key.action, content, book)
    except Blocked as stop:
        return stopped(document, stop)
    return msgspec.structs.replace(document, creates=_creates(found))


def stopped(document: PlannedDocument, stop: Stop) -> PlannedDocument:
    """The same that would not be created, and why."""
    fate = Fate.WAITING if isinstance(stop, Waiting) else Fate.BLOCKED
    return msgspec.structs.replace(
        document, fate=fate, reason=str(stop.reason), sentence=stop.detail, creates=()
    )


def _creates(found: Resolved) -> tuple[str, ...]:
    new = found.missing_customer
    people = [f"customer {customer_name(new.customer)} {new.currency}".rstrip()] if new else []
    return (*people, *(f"product {item.name or item.sku}" for item in found.missing_items))
