"""What a quote was signed for is what its document comes to, or there is none."""

from __future__ import annotations

import pytest

from reconciler.model import Change, ObjectType
from reconciler.reasons import Reason
from tests.deciding import AT, LINE, Books, Items, made, one_workflow, only, said, snapshot

SIGNED = {"hs_sign_status": "ESIGN_COMPLETED", "hs_title": "Rollout"}
TAXED = {**LINE, "price": "900", "amount": "900", "hs_tax_amount": "80.00"}
MONTHLY = {**LINE, "recurringbillingfrequency": "monthly"}
BY_PERIOD = {**LINE, "hs_recurring_billing_period": "P12M"}
INVOICE = one_workflow("quote", "invoice")


def quote(lines: Items | None = (LINE, TAXED), at: int = AT, **properties: str | None) -> Change:
    """A signed quote over 100.00 and 900.00, the latter with 80.00 of tax."""
    return snapshot(ObjectType.QUOTE, {**SIGNED, **properties}, lines=lines, at=at)


# --- the amount ----------------------------------------------------------------------------------


@pytest.mark.parametrize("create", ["invoice", "estimate", "sales_receipt"])
@pytest.mark.parametrize("amount", ["900", "900.00", "1020.00", "1000.02", "0"])
def test_a_quote_of_another_sum_than_its_lines_makes_nothing(create: str, amount: str) -> None:
    """A discount, fee or tax of the whole quote is in its amount alone: no sum is made up."""
    found = only(one_workflow("quote", create), quote(hs_quote_amount=amount))
    assert (found.state, found.reason) == ("blocked", Reason.QUOTE_AMOUNT)
    assert "its lines add up to 1000.00 (1080.00 with tax):" in found.detail


def test_without_tax_only_one_sum_is_told() -> None:
    """Nobody is puzzled by a tax that isn't there."""
    found = only(INVOICE, quote((LINE,), hs_quote_amount="90"))
    assert "The quote is 90.00 but its lines add up to 100.00: a discount," in found.detail


@pytest.mark.parametrize("amount", ["1000", "1000.01", "1080.00", "1079.99", "", None])
def test_a_quote_of_its_lines_with_or_without_tax_is_made(amount: str | None) -> None:
    """HubSpot's amount may hold the tax or not; where it is empty nothing is known of it."""
    assert str(made(INVOICE, quote(hs_quote_amount=amount)).total) == "1080.00"


@pytest.mark.parametrize("line", [MONTHLY, BY_PERIOD])
def test_the_amount_of_a_recurring_quote_is_not_compared(line: dict[str, str]) -> None:
    """It is the whole contract's, and a document bills one period."""
    assert made(INVOICE, quote((LINE, line), hs_quote_amount="1300")).total == 200


def test_lines_that_have_not_arrived_are_waited_for() -> None:
    """An amount that comes before them contradicts nothing."""
    for lines, reason in ((None, Reason.LINE_ITEMS), ((LINE, None), Reason.LINE_ITEM_DETAILS)):
        found = only(INVOICE, quote(lines, hs_quote_amount="1000"))
        assert (found.state, found.reason) == ("waiting", reason)


def test_an_amount_that_catches_up_lets_the_document_go() -> None:
    """Whichever of amount and lines is told last settles it, without anybody's doing."""
    books = Books(INVOICE)
    states = [
        books.take(change)[0].state
        for change in (
            quote((LINE,), hs_quote_amount="100"),
            quote((LINE, LINE), at=AT + 1, hs_quote_amount="100"),
            said(ObjectType.QUOTE, AT + 2, hs_quote_amount="200"),
        )
    ]
    assert states == ["wanted", "blocked", "wanted"]


def test_a_quote_amount_that_is_no_amount_blocks() -> None:
    """As any other amount does."""
    found = only(INVOICE, quote(hs_quote_amount="about 1000"))
    assert found.reason == Reason.BAD_NUMBER
    assert "hs_quote_amount of the quote" in found.detail
