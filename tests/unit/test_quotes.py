"""What a quote was signed for is what its document comes to, or there is none."""

from __future__ import annotations

import pytest

from reconciler.model import Action, Change, ObjectType
from reconciler.quickbooks.company import CompanyFacts
from reconciler.reasons import Reason
from reconciler.writing.documents import entity_of
from reconciler.writing.resolve import Resolved
from tests.deciding import (
    AT,
    LINE,
    REALM,
    Books,
    Items,
    deal,
    file,
    made,
    one_workflow,
    only,
    said,
    snapshot,
)

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
@pytest.mark.parametrize(
    "amount", ["900", "900.00", "1020.00", "1000.01", "999.994", "1079.99", "0"]
)
def test_a_quote_of_another_sum_than_its_lines_makes_nothing(create: str, amount: str) -> None:
    """A discount, fee or tax of the whole quote is in its amount alone: no sum is made up."""
    found = only(one_workflow("quote", create), quote(hs_quote_amount=amount))
    assert (found.state, found.reason) == ("blocked", Reason.QUOTE_AMOUNT)
    assert "its lines add up to 1000.00 (1080.00 with tax):" in found.detail


def test_without_tax_only_one_sum_is_told() -> None:
    """Nobody is puzzled by a tax that isn't there."""
    found = only(INVOICE, quote((LINE,), hs_quote_amount="90"))
    assert "The quote is 90.00 but its lines add up to 100.00: a discount," in found.detail


@pytest.mark.parametrize(
    "amount", ["1000", "1000.004", "999.995", "1080.00", "1079.9999999", "", None]
)
def test_a_quote_of_its_lines_with_or_without_tax_is_made(amount: str | None) -> None:
    """HubSpot's amount may hold the tax or not, and is rounded to the cent as the lines are; where it
    is empty nothing is known of it."""
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


# --- until when it stands ------------------------------------------------------------------------

ESTIMATE = file(
    "  - {name: Offer, object: quote, enrol: [{preset: quote_signed}],"
    " actions: [{create: estimate, company: us, create_missing_products: yes}]}\n",
    "    timezone: America/New_York\n",
)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        pytest.param("2026-02-28", "2026-02-28", id="a date"),
        pytest.param("2026-02-28T00:00:00Z", "2026-02-28", id="the same as an instant"),
        pytest.param("1772236800000", "2026-02-28", id="the same in milliseconds"),
        pytest.param("2026-03-01T04:59:59.999Z", "2026-02-28", id="the end of a day in New York"),
        pytest.param("", "", id="none"),
        pytest.param(None, "", id="taken away"),
    ],
)
def test_an_estimate_expires_with_its_quote(written: str | None, day: str) -> None:
    """In QuickBooks the customer's offer stands as long as in HubSpot, and no longer."""
    content = made(ESTIMATE, quote(hs_expiration_date=written))
    assert content.expiration_date == day
    resolved = Resolved(customer_id="1", item_ids=("1", "1"))
    facts = CompanyFacts(realm_id=REALM, name="Books", country="US")
    written_there = entity_of(Action.ESTIMATE, content, resolved, facts, "Ref")
    assert written_there.get("ExpirationDate", "") == day


def test_only_an_estimate_expires() -> None:
    """An invoice of the quote is due, and does not change with the day until which it was offered."""
    assert made(INVOICE, quote(hs_expiration_date="2026-02-28")).expiration_date == ""


@pytest.mark.parametrize("written", ["soon", "1999-12-31", "2100-01-01", "9" * 20])
def test_an_expiration_that_is_no_date_blocks(written: str) -> None:
    """As any other date does."""
    found = only(ESTIMATE, quote(hs_expiration_date=written))
    assert found.reason == Reason.BAD_DATE
    assert "hs_expiration_date of the quote" in found.detail


# --- the order of its lines ----------------------------------------------------------------------


def placed(*places: tuple[str, str | None]) -> list[dict[str, str | None]]:
    return [{**LINE, "name": name, "hs_position_on_quote": place} for name, place in places]


@pytest.mark.parametrize(
    ("lines", "order"),
    [
        (placed(("third", "10"), ("first", "0"), ("second", "9")), "first second third"),
        (placed(("a", "1"), ("b", "1"), ("c", "0")), "c a b"),
        (placed(("a", None), ("b", ""), ("c", "2"), ("d", "1")), "d c a b"),
        (placed(("a", None), ("b", "last")), "a b"),
    ],
)
def test_lines_stand_as_on_the_quote(lines: list[dict[str, str | None]], order: str) -> None:
    """By their position where HubSpot states it, else as received, of quotes and of deals."""
    for content in (
        made(INVOICE, quote(lines)),
        made(one_workflow("deal", "invoice"), deal(lines=lines)),
    ):
        assert " ".join(line.product.name for line in content.lines) == order
