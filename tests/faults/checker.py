"""Judges whether everything happened exactly once. Shares no code with the service.

Called by every fault test and by the chaos run with `evidence` and the feed that was produced.
Each problem names the part of the promise (docs/exactly-once.md) that it breaks. Documents are
recognised in the books by their source in the private note ("HubSpot deal 7000001"), not by anything
the service recorded about them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from tests.faults.evidence import NAME_LISTS, TRANSACTIONS, Evidence
from tests.faults.feed import Expected, Feed

_MARKER = re.compile(r"HubSpot (\w+) (\d+)")


class Problem(NamedTuple):
    """Something that must not be."""

    kind: str  # duplicate | lost | wrong | silent | outcome | offset | dead letter | books
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


@dataclass(frozen=True)
class Verdict:
    """What was found, and how much was looked at."""

    problems: tuple[Problem, ...]
    counts: dict[str, int]

    @property
    def is_clean(self) -> bool:
        """Nothing is wrong."""
        return not self.problems

    def count(self, kind: str) -> int:
        """How many problems of one kind."""
        return sum(problem.kind == kind for problem in self.problems)

    def __str__(self) -> str:
        figures = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        kinds = (
            "duplicate",
            "lost",
            "silent",
            "wrong",
            "outcome",
            "offset",
            "dead letter",
            "books",
        )
        sums = ", ".join(f"{kind} {self.count(kind)}" for kind in kinds)
        shown = [f"  {problem}" for problem in self.problems[:30]]
        return "\n".join([f"{figures}; {sums}", *shown])


def judge(evidence: Evidence, feed: Feed) -> Verdict:
    """Hold the evidence against what the feed calls for."""
    problems = [
        *_books(evidence, feed),
        *_references(evidence),
        *_ledger(evidence, feed),
        *_outcomes(evidence),
        *_offsets(evidence),
        *_dead_letters(evidence, feed),
    ]
    transactions = sum(len(evidence.books.get(entity, ())) for entity in TRANSACTIONS)
    counts = {
        "expected documents": len(feed.expected),
        "transactions in the books": transactions,
        "outcomes published": len(evidence.published),
        "dead letters": len(evidence.letters),
    }
    return Verdict(tuple(problems), counts)


# --- one document; money is exact ------------------------------------------------------------------


def _books(evidence: Evidence, feed: Feed) -> Iterator[Problem]:
    wanted = _wanted(feed)
    found: dict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    for entity in TRANSACTIONS:
        for row in evidence.books.get(entity, ()):
            if marker := _MARKER.match(row.get("PrivateNote", "")):
                found[marker[1], marker[2], entity].append(row["TotalAmt"])
            else:
                yield Problem("books", f"{entity} {row['Id']} names no source")
    for key, totals in found.items():
        if len(totals) > 1:
            yield Problem("duplicate", f"{len(totals)} {key[2]} for {key[0]} {key[1]}")
        if key not in wanted:
            yield Problem("wrong", f"{key[2]} for {key[0]} {key[1]} was never called for")
        elif totals[0] != wanted[key].total:
            yield Problem("wrong", f"{key[2]} of {totals[0]} for {wanted[key]}")
    for key, expected in wanted.items():
        if key not in found:
            yield Problem("lost", f"no {key[2]} for {expected}")
    yield from _bookkeeping(evidence)


def _bookkeeping(evidence: Evidence) -> Iterator[Problem]:
    if evidence.trial_balance != 0:
        yield Problem("books", f"the trial balance is {evidence.trial_balance}")
    if evidence.books.get("Deleted"):
        yield Problem("books", f"{len(evidence.books['Deleted'])} objects were deleted")
    for payment in evidence.books.get("Payment", ()):
        if payment.get("UnappliedAmt", 0):
            yield Problem("wrong", f"payment {payment['Id']} pays no invoice")


def _wanted(feed: Feed) -> dict[tuple[str, str, str], Expected]:
    return {
        (expected.object_type, expected.object_id, entity): expected
        for expected in feed.expected
        for entity in expected.entities
    }


def _references(evidence: Evidence) -> Iterator[Problem]:
    """A customer or item created twice for the same person or product."""
    emails = Counter(
        row["PrimaryEmailAddr"]["Address"].lower()
        for row in evidence.books.get("Customer", ())
        if "PrimaryEmailAddr" in row
    )
    skus = Counter(row["Sku"] for row in evidence.books.get("Item", ()) if row.get("Sku"))
    for name, counts in zip(NAME_LISTS, (emails, skus), strict=True):
        for key, count in counts.items():
            if count > 1:
                yield Problem("duplicate", f"{count} {name} for {key}")


# --- nothing silent --------------------------------------------------------------------------------


def _ledger(evidence: Evidence, feed: Feed) -> Iterator[Problem]:
    expected = feed.by_kind
    rows = {(row.object_type, row.object_id, row.action): row for row in evidence.documents}
    ids = {
        (entity, str(row["Id"]))
        for entity in TRANSACTIONS
        for row in evidence.books.get(entity, ())
    }
    for key, document in expected.items():
        row = rows.get(key)
        if row is None:
            yield Problem("silent", f"{document} is not in the ledger")
        elif row.state != document.state:
            yield Problem("silent", f"{document} is {row.state} ({row.detail})")
        elif row.state != "created" and not row.reason:
            yield Problem("silent", f"{document} is {row.state} without a reason")
        elif row.state == "created" and (document.entities[0], row.quickbooks_id) not in ids:
            yield Problem("wrong", f"{document} has id {row.quickbooks_id}, which is not its")
    for key in rows.keys() - expected.keys():
        yield Problem("wrong", f"the ledger wants {key}")
    if evidence.unfinished:
        yield Problem("silent", f"{evidence.unfinished} operations have no result")


# --- every state change is published once ----------------------------------------------------------


def _outcomes(evidence: Evidence) -> Iterator[Problem]:
    sequences = Counter(event.sequence for event in evidence.published)
    for sequence, count in sequences.items():
        if count > 1:
            yield Problem("outcome", f"number {sequence} was published {count} times")
    numbered = {row.sequence for row in evidence.outbox}
    if missing := sorted(number for number in numbered - sequences.keys() if number is not None):
        yield Problem("outcome", f"numbers {missing} were never published")
    if None in numbered or not all(row.is_marked for row in evidence.outbox):
        yield Problem("outcome", "the outbox is not empty")
    if unknown := sorted(sequences.keys() - numbered):
        yield Problem("outcome", f"numbers {unknown} come from nowhere")
    yield from _events_of_documents(evidence)


def _events_of_documents(evidence: Evidence) -> Iterator[Problem]:
    told: dict[tuple[str, str, str], list[tuple[int, str, str, str]]] = defaultdict(list)
    for event in evidence.published:
        if event.kind != "dead_letter":
            body = event.body
            key = (body["object_type"], body["object_id"], body["action"])
            id_ = body.get("quickbooks_id", "")
            told[key].append((event.sequence, event.kind, id_, body.get("reason", "")))
    for row in evidence.documents:
        events = sorted(told[row.object_type, row.object_id, row.action])
        name = f"{row.action} of {row.object_type} {row.object_id}"
        kinds = [event[1] for event in events]
        states = [kind for kind in kinds if kind != "drifted"]
        if not states or states[-1] != row.state:
            yield Problem("outcome", f"{name} is {row.state} but was told to be {kinds}")
        if kinds and kinds[-1] == "drifted" and events[-1][3] != row.reason:
            yield Problem("outcome", f"{name} is {row.reason} but was told {events[-1][3]}")
        if kinds.count("created") > 1:
            yield Problem(
                "outcome", f"{name} was told to be created {kinds.count('created')} times"
            )
        if any(one[1:] == two[1:] for one, two in pairwise(events)):
            yield Problem("outcome", f"{name} was told the same twice: {kinds}")
        if row.state == "created" and events and events[-1][2] != row.quickbooks_id:
            yield Problem("outcome", f"{name} was told to be {events[-1][2]}")


# --- nothing lost ----------------------------------------------------------------------------------


def _offsets(evidence: Evidence) -> Iterator[Problem]:
    for key, end in evidence.ends.items():
        if (evidence.offsets.get(key) or 0) != end:
            yield Problem("offset", f"{key} stands at {evidence.offsets.get(key)} of {end}")


def _dead_letters(evidence: Evidence, feed: Feed) -> Iterator[Problem]:
    kept = Counter(letter.value for letter in evidence.letters)
    places = Counter((letter.topic, letter.partition, letter.offset) for letter in evidence.letters)
    for value in feed.garbage:
        if value not in kept:
            yield Problem("dead letter", f"{value!r} is lost")
    for value in kept.keys() - set(feed.garbage):
        yield Problem("dead letter", f"{value!r} should have been understood")
    for place, count in places.items():
        if count > 1:
            yield Problem("dead letter", f"{place} is kept {count} times")
    told = sum(event.kind == "dead_letter" for event in evidence.published)
    if told != len(evidence.letters):
        yield Problem("dead letter", f"{told} were told of {len(evidence.letters)}")
