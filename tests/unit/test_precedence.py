"""Which of several documents for one sale goes, and what an invoice waits for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.dispatch.precedence import judged
from reconciler.model import Action, DocumentKey, DocumentState, ObjectType, Priority
from reconciler.ports.dispatch import DueDocument, Precedent

START = datetime(2026, 1, 31, tzinfo=UTC)
ESTIMATE = DocumentKey("1", Action.ESTIMATE, 4711, ObjectType.DEAL, "1")


def due(id_: int, day: int = 0, content: str = "{}", recorded: int = 0) -> DueDocument:
    """A document enrolled on that day; with *recorded* one of a backfill, in that order."""
    key = DocumentKey("1", Action.INVOICE, 4711, ObjectType.DEAL, "1")
    return DueDocument(
        id_, key, "Bill", 1, 1, 1, 0, content, START + timedelta(days=day), None, None,
        priority=Priority.BACKFILL if recorded else Priority.LIVE,
        ready_at=START + timedelta(days=100 + recorded),
    )  # fmt: skip


def other(
    id_: int, state: DocumentState, action: Action = Action.SALES_RECEIPT, quickbooks_id: str = ""
) -> Precedent:
    key = DocumentKey("1", action, 4711, ObjectType.QUOTE, "2")
    return Precedent(id_, key, state, "SalesReceipt", quickbooks_id, "")


def test_of_those_due_together_the_first_enrolled_goes() -> None:
    """The other one waits for it and names it, whatever order they were read in."""
    together = [due(1, day=2), due(2, day=1)]
    found = {1: [other(2, DocumentState.WANTED)], 2: [other(1, DocumentState.WANTED)]}
    cleared = judged(together, found)
    assert [each.document_id for each in cleared.ready] == [2]
    ((document, stop),) = cleared.postponed
    assert (document.document_id, stop.reason) == (1, "billed_first")
    assert "Sales receipt of quote 2" in stop.detail


def test_a_backfill_keeps_its_order() -> None:
    """What it recorded first goes first, enrolled earlier or not; live documents go before."""
    early, late = due(1, day=2, recorded=1), due(2, day=1, recorded=2)
    found = {1: [other(2, DocumentState.WANTED)], 2: [other(1, DocumentState.WANTED)]}
    assert judged([late, early], found).ready == [early]
    live = due(3, day=9)
    found = {1: [other(3, DocumentState.WANTED)], 3: [other(1, DocumentState.WANTED)]}
    assert judged([early, live], found).ready == [live]


def test_one_that_gives_way_itself_holds_up_no_other() -> None:
    """The second gives way to the first; the third only knows the second, and goes."""
    together = [due(1), due(2), due(3)]
    found = {2: [other(1, DocumentState.WANTED)], 3: [other(2, DocumentState.WANTED)]}
    assert [each.document_id for each in judged(together, found).ready] == [1, 3]


@pytest.mark.parametrize(
    ("state", "quickbooks_id", "outcome"),
    [
        (DocumentState.SENDING, "", "later"),
        (DocumentState.CREATED, "9", "blocked"),
        (DocumentState.BLOCKED, "9", "blocked"),  # half of a paid invoice stands
        (DocumentState.WANTED, "", "goes"),
    ],
)
def test_what_stands_in_quickbooks_bills(
    state: DocumentState, quickbooks_id: str, outcome: str
) -> None:
    """What was begun holds the others up until its answer is known: it may have been refused."""
    cleared = judged([due(1)], {1: [other(7, state, quickbooks_id=quickbooks_id)]})
    lists = {"goes": cleared.ready, "blocked": cleared.blocked, "later": cleared.postponed}
    assert [name for name, documents in lists.items() if documents] == [outcome]


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (DocumentState.WAITING, "later"),
        (DocumentState.WANTED, "later"),
        (DocumentState.SENDING, "later"),
        (DocumentState.CREATED, "linked"),
        (DocumentState.BLOCKED, "alone"),
        (DocumentState.DISMISSED, "alone"),
    ],
)
def test_an_invoice_and_its_estimate(state: DocumentState, outcome: str) -> None:
    """It waits for an estimate that will be made, links to one that stands, and else goes alone."""
    invoice = due(1, content=f'{{"linked_estimate":"{ESTIMATE}"}}')
    cleared = judged([invoice], {1: [other(5, state, Action.ESTIMATE, "44")]})
    if outcome == "later":
        ((_, stop),) = cleared.postponed
        assert stop.reason == "estimate"
    else:
        assert cleared.ready == [invoice]
        assert cleared.estimates == ({1: "44"} if outcome == "linked" else {})


@pytest.mark.parametrize(("estimate_is_due", "ready"), [(True, []), (False, [2])])
def test_an_invoice_keeps_its_turn_while_its_estimate_is_made(
    estimate_is_due: bool, ready: list[int]
) -> None:
    """A receipt of the same sale gives way to it; it does not if the estimate lacks facts itself."""
    invoice, receipt = due(1, content=f'{{"linked_estimate":"{ESTIMATE}"}}'), due(2, day=1)
    found = {
        1: [other(5, DocumentState.WANTED, Action.ESTIMATE), other(2, DocumentState.WANTED)],
        2: [other(1, DocumentState.WANTED)],
    }
    together = [invoice, receipt, *([due(5)] if estimate_is_due else [])]
    cleared = judged(together, found)
    assert [each.document_id for each in cleared.ready if each.document_id != 5] == ready
