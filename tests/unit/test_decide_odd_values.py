"""Whatever stands in a property: deciding never fails, and no absurd amount comes of it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.deciding import decide as deciding
from reconciler.deciding.decide import decide
from reconciler.deciding.enrolling import is_undecided
from reconciler.deciding.source import cents
from reconciler.model import (
    Change,
    DocumentContent,
    DocumentState,
    Line,
    ObjectType,
    SourceObject,
)
from reconciler.objects.fold import fold
from reconciler.outcomes import outcome
from reconciler.reasons import Reason
from tests.deciding import (
    ADA,
    AT,
    DAY,
    LINE,
    Books,
    deal,
    file,
    made,
    only,
    payment,
    said,
    snapshot,
)
from tests.deciding import one_workflow as workflow_of

INVOICE = workflow_of("deal", "invoice", ", due_in_days: 30")
RECEIPT = workflow_of("payment", "sales_receipt")
REFUNDS = workflow_of("payment", "refund_receipt", ", partial_refunds: receipt")

EVERY_SWITCH = file(
    """
  - name: Deals by number and date
    object: deal
    enrol:
      - - {property: amount, operator: greater_than_or_equal, value: 0}
        - {property: amount, operator: is_not_equal_to, value: 7}
      - - {property: amount, operator: less_than, value: 0}
      - - {property: closedate, operator: after, value: 30 days ago}
      - - {property: closedate, operator: before, value: 2026-01-31}
      - - {preset: deal_won}
      - - {property: contact.score, operator: less_than_or_equal, value: 10}
    re_enrol: [{property: amount, operator: greater_than, value: 10}]
    delay: 99999 weeks
    actions:
      - {create: invoice, company: us, create_missing_products: yes, due_in_days: 3650,
         memo: "{dealname} {amount}", document_number: "{id}", custom_fields: {Amount: "{amount}"}}
      - {create: estimate, company: us, create_missing_products: yes}
  - name: Quotes
    object: quote
    enrol: [[{preset: quote_signed}], [{preset: quote_paid}],
            [{property: hs_expiration_date, operator: after, value: now}],
            [{property: hs_quote_amount, operator: greater_than, value: 0}]]
    actions: [{create: sales_receipt, company: us, create_missing_products: yes}]
  - name: Payments
    object: payment
    enrol: [[{preset: payment_succeeded}], [{preset: payment_refunded}],
            [{property: hs_initial_amount, operator: greater_than, value: 0}]]
    actions:
      - {create: paid_invoice, company: us, create_missing_products: yes}
      - {create: expense, company: us}
      - {create: refund_receipt, company: us, create_missing_products: yes, partial_refunds: receipt}
""",
    "    timezone: America/Los_Angeles\n    contacts: data_sync\n"
    "    contact_filter: [{property: score, operator: is_unknown}]\n",
)

NUMBERS = st.sampled_from(
    ["0", "-0", "1", "2", "3", "100", "100.00", "33.333333333333336", "-5", "0.001", "1e27", "1e-20",
     "1E+2", "-1e10", "99999999999", "100000000000", "1e999999", "1e-999999", "0E-999999", "9" * 60,
     "NaN", "sNaN1", "Infinity", "-inf", "1_000", "１２", "١٢٣", "1,000", "$5", " 7 ", "0x10", "+4"]
)  # fmt: skip
DATES = st.sampled_from(
    ["2026-01-31", "9999-12-31", "0001-01-01", "9999-12-31T23:59:59.999-12:00",
     "0001-01-01T00:00:00+14:00", "20260131", "2026-W05-6", "31/01/2026", "1769817600000",
     "-62135596800000", "253402300800000", "9999999999999999", "99999999999999999999"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["closedwon", "true", "succeeded", "refunded", "partially_refunded", "PAID", "USD", "graduated"]
)
values = st.none() | NUMBERS | DATES | WORDS | st.text(max_size=20) | st.floats().map(str)

OF_LINE = [*LINE, "discount", "hs_discount_percentage", "tax", "hs_tax_amount", "hs_auto_tax_amount",
           "hs_post_tax_amount", "hs_pricing_model", "recurringbillingfrequency"]  # fmt: skip
OF_CONTACT = [*ADA, "score", "phone"]
OF_OBJECT = {
    ObjectType.DEAL: ["dealname", "dealstage", "hs_is_closed_won", "amount", "closedate"],
    ObjectType.QUOTE: ["hs_title", "hs_esign_date", "hs_esign_num_signers_completed",
                       "hs_esign_num_signers_required", "hs_payment_status", "hs_quote_amount",
                       "hs_expiration_date"],
    ObjectType.PAYMENT: ["hs_latest_status", "hs_initial_amount", "hs_fees_amount",
                         "hs_refunds_amount", "hs_order_discount_amount", "hs_initiated_date",
                         "hs_number_of_associated_invoices", "hs_payment_method_type"],
}  # fmt: skip
USUAL = {
    ObjectType.DEAL: deal().properties,
    ObjectType.QUOTE: {"hs_title": "Rollout", "hs_payment_status": "PAID"},
    ObjectType.PAYMENT: payment().properties,
}


def odd(names: list[str], usual: dict[str, str | None]) -> st.SearchStrategy[dict[str, str | None]]:
    """Usual properties, of which some are odd."""
    some = st.dictionaries(st.sampled_from(names), values, max_size=3)
    return some.map(lambda found: {**usual, **found})


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """An object told whole, and then of some properties again."""
    type_ = draw(st.sampled_from(list(OF_OBJECT)))
    names, usual = OF_OBJECT[type_], dict(USUAL[type_])
    whole = snapshot(
        type_,
        draw(odd(names, usual)),
        lines=draw(st.lists(odd(OF_LINE, dict(LINE)), max_size=3)),
        contacts=[draw(odd(OF_CONTACT, dict(ADA)))],
    )
    later = draw(st.lists(st.dictionaries(st.sampled_from(names), values, min_size=1), max_size=3))
    return [whole, *(said(type_, AT + n * DAY, **each) for n, each in enumerate(later, start=1))]


@settings(max_examples=400, deadline=None)
@given(histories(), st.booleans())
def test_no_value_stops_deciding(history: list[Change], one_by_one: bool) -> None:
    """Every object is decided by the rules, not by the net below them; amounts are ones QuickBooks
    can hold, and days ones of this century."""
    books = Books(EVERY_SWITCH)
    batches = [[change] for change in history] if one_by_one else [history]
    for batch in batches:
        for verdict in books.take(*batch):
            assert verdict.unforeseen is None, verdict
        books.send(1)
    for obj in books.objects.values():
        is_undecided(obj, EVERY_SWITCH.workflows)
    for content in books.contents().values():
        _check(content)


def _check(content: DocumentContent) -> None:
    limit, of_factors = Decimal(10) ** 10, Decimal(10) ** 11
    for line in content.lines:
        assert abs(line.amount) < limit
        for amount in (line.amount, line.quantity, line.tax, line.unit_price or Decimal(0)):
            assert amount.is_finite()
            assert abs(amount) < of_factors
            assert len(f"{amount:f}") < 100
        assert line.amount == round(line.amount, 2)
        _check_product(line)
    assert content.total.is_finite()
    assert 0 <= content.total < limit
    lines = sum((line.amount for line in content.lines), Decimal(0))
    assert not content.lines or content.total == lines - content.discount + content.tax
    assert "2000-01-01" <= content.txn_date <= "2099-12-31"
    assert content.due_date <= "2110"


def _check_product(line: Line) -> None:
    """QuickBooks keeps both to seven decimals, and refuses the line if they then come to other cents."""
    if line.unit_price is not None:
        kept = [round(each, 7) for each in (line.quantity, line.unit_price)]
        assert kept == [line.quantity, line.unit_price]
        assert cents(kept[0] * kept[1]) == line.amount


@pytest.mark.parametrize(
    ("quantity", "price", "unit_price"),
    [
        pytest.param("8000000", "0.000000125", None, id="no price to seven decimals"),
        pytest.param("2000000", "0.00000125", None, id="nor here"),
        pytest.param("1000", "0.00000125", "0", id="nothing to the cent"),
        pytest.param("1000000", "0.1234567891", None, id="many at a price of ten decimals"),
        pytest.param("3", "0.3333333333333", "0.3333333", id="a third"),
        pytest.param("0.12345678", "100", None, id="a quantity of eight decimals"),
        pytest.param("0.1234567", "0.1234567", "0.1234567", id="seven are kept"),
        pytest.param("2.000000000", "0.1000000000", "0.1", id="zeros are no decimals"),
        pytest.param("0", "5.00", "5", id="none of it"),
    ],
)
def test_quantity_and_price_are_ones_that_quickbooks_keeps(
    quantity: str, price: str, unit_price: str | None
) -> None:
    """The list price, else a net price to seven decimals, else the line is its amount alone."""
    facts = {"quantity": quantity, "price": price, "amount": None}
    (line,) = made(INVOICE, deal(lines=[{**LINE, **facts}])).lines
    assert line.unit_price == (None if unit_price is None else Decimal(unit_price))
    _check_product(line)


counts = st.decimals(Decimal("1e-9"), 9_999_999, places=9) | st.integers(1, 9_999_999).map(Decimal)
prices = st.decimals(0, 1000, places=10) | st.decimals(0, Decimal("1e-5"), places=12)


@settings(max_examples=400, deadline=None)
@given(counts, prices)
def test_any_quantity_and_price_make_a_line_that_quickbooks_takes(
    quantity: Decimal, price: Decimal
) -> None:
    """With however many decimals HubSpot states them."""
    facts = {"quantity": f"{quantity:f}", "price": f"{price:f}", "amount": None}
    (line,) = made(INVOICE, deal(lines=[{**LINE, **facts}])).lines
    assert line.amount == cents(quantity * price)
    _check_product(line)


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        pytest.param({"quantity": "1e-20", "price": None}, "100.00", id="a tiny quantity"),
        pytest.param({"quantity": "1e-21"}, Reason.BAD_NUMBER, id="too tiny"),
        pytest.param({"quantity": "100000000000"}, Reason.BAD_NUMBER, id="too many"),
        pytest.param(
            {"quantity": "0.01", "price": "99999999999", "amount": "999999999.99"}, "999999999.99",
            id="the largest price",
        ),
        pytest.param({"price": "100000000000"}, Reason.BAD_NUMBER, id="a larger price"),
        pytest.param(
            {"quantity": "1", "price": "9999999999.99", "amount": None}, "9999999999.99",
            id="the largest amount",
        ),
        pytest.param({"amount": "10000000000"}, Reason.BAD_NUMBER, id="a larger amount"),
        pytest.param(
            {"quantity": "1", "price": "10000000000", "amount": None}, Reason.TOO_LARGE,
            id="a larger amount by its price",
        ),
        pytest.param({"amount": "1_000"}, Reason.BAD_NUMBER, id="underscore"),
        pytest.param({"amount": "１００"}, Reason.BAD_NUMBER, id="other digits"),
        pytest.param({"amount": "1.0E2"}, "100.00", id="as Java writes it"),
        pytest.param({"hs_tax_amount": "1.1e-16"}, "100.00", id="a float that should be zero"),
        pytest.param(
            {"quantity": "9e10", "price": "9e10", "amount": None}, Reason.TOO_LARGE, id="their product"
        ),
        pytest.param(
            {"price": "9e10", "quantity": "9e10", "hs_discount_percentage": "9e10"}, Reason.TOO_LARGE,
            id="an absurd discount",
        ),
    ],
)  # fmt: skip
def test_odd_numbers_of_a_line(line: dict[str, str | None], outcome: str) -> None:
    """What QuickBooks can't hold blocks the document and is named; what rounds to a cent does not."""
    found = only(INVOICE, deal(lines=[{**LINE, **line}]))
    assert outcome == (str(found.content.total) if found.content else found.reason)


def test_lines_that_come_to_too_much_together() -> None:
    """Each fits, their sum does not."""
    line = {**LINE, "price": "6000000000", "amount": "6000000000"}
    found = only(INVOICE, deal(lines=[line, line]))
    assert found.reason == Reason.TOO_LARGE
    assert "The document comes to 12000000000.00" in found.detail


@pytest.mark.parametrize("total", ["1e27", "100000000000", "NaN", "1_0", "lots"])
def test_an_odd_refund_is_named(total: str) -> None:
    """Also where each step of the refunds has a receipt of its own."""
    state = {"hs_latest_status": "partially_refunded", "hs_refunds_amount": total}
    found = only(REFUNDS, payment(**state))
    assert found.reason == Reason.BAD_NUMBER
    assert f"hs_refunds_amount of the payment reads “{total}”" in found.detail


@pytest.mark.parametrize(
    "day", ["9999-12-31", "1999-12-31", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "soon"]
)
def test_an_odd_date_is_named(day: str) -> None:
    """A payment was not made in another century."""
    found = only(RECEIPT, payment(hs_initiated_date=day))
    assert found.reason == Reason.BAD_DATE
    assert day in found.detail


def test_a_date_is_that_of_the_company() -> None:
    """An instant is told in the company's time zone, also at the edge of the century."""
    assert made(RECEIPT, payment(hs_initiated_date="2099-12-31T23:59:59Z")).txn_date == "2099-12-31"


@pytest.mark.parametrize("written", ["2026-02-01", "2026-02-01T00:00:00.000Z"])
@pytest.mark.parametrize("timezone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_date_alone_is_that_day_in_every_time_zone(written: str, timezone: str) -> None:
    """HubSpot keeps a payment date entered without a time as midnight in UTC: of the first of a month
    the receipt is not dated in the month before."""
    receipt = file(
        "  - {name: Bill, object: payment, enrol: [{preset: payment_succeeded}],"
        " actions: [{create: sales_receipt, company: us, create_missing_products: yes}]}\n",
        f"    timezone: {timezone}\n",
    )
    assert made(receipt, payment(hs_initiated_date=written)).txn_date == "2026-02-01"


def test_an_endless_name_makes_no_endless_event() -> None:
    """What HubSpot calls a thing may be of any length; what Kafka takes is not."""
    name = "\x01" * 900_000
    found = only(INVOICE, deal(lines=[{**LINE, "name": name, "amount": "7"}]))
    news = outcome(1, found.key, found.state, found.workflow, detail=found.detail)
    assert len(news.value) < 50_000


# --- the net --------------------------------------------------------------------------------------


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule with a mistake in it: objects called Odd can't be decided."""
    content_of = deciding.content_of

    def mistaken(sale: deciding.Sale) -> DocumentContent:
        if sale.properties.get("dealname") == "Odd":
            raise OverflowError("date value out of range")
        return content_of(sale)

    monkeypatch.setattr(deciding, "content_of", mistaken)


@pytest.mark.usefixtures("unread")
def test_what_nobody_foresaw_blocks_one_object() -> None:
    """Its document is blocked and says where to look; the error is there for the log."""
    found = only(INVOICE, deal(dealname="Odd", seats="1e40"))
    assert found.state is DocumentState.BLOCKED
    assert found.reason == Reason.UNFORESEEN
    assert "date value out of range" in found.detail
    assert "Look at seats of deal 1, “1e40”." in found.detail
    assert isinstance(found.unforeseen, OverflowError)
    assert only(INVOICE, deal()).content is not None


@pytest.mark.usefixtures("unread")
def test_what_nobody_foresaw_leaves_what_was_sent() -> None:
    """A document in QuickBooks stays as it is; where more may follow, the next one is blocked."""
    again = workflow_of(
        "deal",
        "invoice",
        rest="    re_enrol: [{property: dealstage, operator: changed_to, value: x}]\n",
    )
    for workflows, states in ((INVOICE, ["created"]), (again, ["created", "blocked"])):
        books = Books(workflows)
        books.take(deal())
        books.send()
        (found,) = books.take(said(ObjectType.DEAL, AT + DAY, dealname="Odd"))
        assert isinstance(found.unforeseen, OverflowError)
        assert [entry.state for entry in books.ledger.values()] == states


@pytest.mark.usefixtures("unread")
def test_what_nobody_foresaw_of_what_does_not_enrol_is_no_matter() -> None:
    """Workflows that the object does not enrol in want nothing of it."""
    obj: SourceObject = fold(None, [deal(dealname="Odd", dealstage="open")])
    assert decide(obj, None, INVOICE.workflows, {}) == []
