"""Which of several documents for one sale goes, and what an invoice waits for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.model import Action, DocumentKey, DocumentState, ObjectType
from reconciler.ports import DueDocument, Precedent
from reconciler.precedence import judged

START = datetime(2026, 1, 31, tzinfo=UTC)
ESTIMATE = DocumentKey("1", Action.ESTIMATE, 4711, ObjectType.DEAL, "1")


def due(
    id_: int, day: int = 0, action: Action = Action.INVOICE, content: str = "{}"
) -> DueDocument:
    key = DocumentKey("1", action, 4711, ObjectType.DEAL, "1")
    enrolled_at = START + timedelta(days=day)
    return DueDocument(id_, key, "Bill", 1, 1, 1, 0, content, enrolled_at, None, None)


def other(
    id_: int, state: DocumentState, action: Action = Action.SALES_RECEIPT, quickbooks_id: str = ""
) -> Precedent:
    key = DocumentKey("1", action, 4711, ObjectType.QUOTE, "2")
    return Precedent(id_, key, state, "SalesReceipt", quickbooks_id, "")


def test_of_those_due_together_the_first_enrolled_goes() -> None:
    """The other one is blocked and names it, whatever order they were read in."""
    together = [due(1, day=2), due(2, day=1)]
    found = {1: [other(2, DocumentState.WANTED)], 2: [other(1, DocumentState.WANTED)]}
    cleared = judged(together, found)
    assert [each.document_id for each in cleared.ready] == [2]
    ((document, stop),) = cleared.blocked
    assert (document.document_id, stop.reason) == (1, "already_billed")
    assert "Sales receipt of quote 2" in stop.detail


def test_one_that_is_blocked_itself_blocks_no_other() -> None:
    """The second gives way to the first; the third only knows the second, and goes."""
    together = [due(1), due(2), due(3)]
    found = {2: [other(1, DocumentState.WANTED)], 3: [other(2, DocumentState.WANTED)]}
    assert [each.document_id for each in judged(together, found).ready] == [1, 3]


@pytest.mark.parametrize(
    ("state", "quickbooks_id", "goes"),
    [
        (DocumentState.SENDING, "", False),
        (DocumentState.CREATED, "9", False),
        (DocumentState.BLOCKED, "9", False),  # half of a paid invoice stands
        (DocumentState.WANTED, "", True),
    ],
)
def test_what_was_begun_counts(state: DocumentState, quickbooks_id: str, goes: bool) -> None:
    """A sale is billed once its document was begun, answered or not."""
    cleared = judged([due(1)], {1: [other(7, state, quickbooks_id=quickbooks_id)]})
    assert bool(cleared.ready) is goes


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
