"""What the workflow language offers beyond one document per object: decided as documented."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.model import Action, DocumentState, ObjectType, Related
from reconciler.reasons import Reason
from tests.deciding import (
    ADA,
    AT,
    DAY,
    LINE,
    Books,
    by_action,
    deal,
    file,
    made,
    one_workflow,
    only,
    payment,
    said,
    snapshot,
    unwanted,
    verdicts,
)

RENEWALS = one_workflow(
    "deal", "invoice",
    enrol="[{property: dealstage, operator: is_any_of, values: [renewed]}]",
    rest="    re_enrol: [{property: dealstage, operator: changed_to, value: renewed}]\n",
)  # fmt: skip


def stage(at: int, value: str):  # type: ignore[no-untyped-def]
    return said(ObjectType.DEAL, at, dealstage=value)


# --- re-enrolment and delay ------------------------------------------------------------------------


def test_each_re_enrolment_has_a_document_of_its_own() -> None:
    """Renewed twice, invoiced twice: enrolments 1 and 2, each dated by its own moment."""
    books = Books(RENEWALS)
    books.take(deal(dealstage="renewed"))
    books.send()
    books.take(stage(AT + DAY, "lapsed"))
    (found,) = [v for v in books.take(stage(AT + 2 * DAY, "renewed")) if v.key.enrolment == 2]
    assert found.content is not None
    assert found.content.txn_date == "2026-02-02"
    assert sorted(key.enrolment for key in books.ledger) == [1, 2]


def test_without_re_enrol_once_is_enough() -> None:
    """A deal that is won again after it was reopened makes no second invoice."""
    books = Books(one_workflow("deal", "invoice"))
    books.take(deal())
    books.take(stage(AT + DAY, "open"), stage(AT + 2 * DAY, "closedwon"))
    assert [key.enrolment for key in books.ledger] == [1]


def renewed(books: Books, times: range) -> None:
    """Lapsed and renewed again, so many times; each invoice is sent at once."""
    for number in times:
        at = AT + number * DAY
        books.take(stage(at, "lapsed"), stage(at + 1, "renewed"))
        books.send()


def test_re_enrolments_are_told_apart_for_decades() -> None:
    """A deal renewed every month for twenty years has an invoice for each month."""
    books = Books(RENEWALS)
    books.take(deal(dealstage="renewed"))
    books.send()
    renewed(books, range(1, 241))
    assert sorted(key.enrolment for key in books.contents()) == list(range(1, 242))


def test_re_enrolments_that_cannot_be_counted_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once not all changes are kept, each further renewal is blocked, once; nothing sent is touched."""
    monkeypatch.setattr("reconciler.objects.fold.KEPT_POINTS", 10)
    monkeypatch.setattr("reconciler.deciding.enrolling.KEPT_POINTS", 10)
    books = Books(RENEWALS)
    books.take(deal(dealstage="renewed"))
    books.send()
    renewed(books, range(1, 31))
    made = sorted(key.enrolment for key in books.contents())
    assert made == [1, 2, 3, 4, 5]
    blocked = {key: each for key, each in books.ledger.items() if key not in books.contents()}
    assert sorted(key.enrolment for key in blocked) == list(range(6, 32))
    before = dict(books.ledger)
    again = books.take(said(ObjectType.DEAL, AT + 40 * DAY, dealstage="renewed", dealname="Again"))
    assert {verdict.reason for verdict in again} == {Reason.UNCOUNTED}
    assert books.ledger == before
    late = books.take(stage(AT + DAY + 7, "lapsed"))
    assert {verdict.key for verdict in late} <= blocked.keys()


def test_renewals_before_the_workflow_was_on_stay_so_however_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Turned on for a deal whose changes are not all kept: the next renewal counts, none before it."""
    monkeypatch.setattr("reconciler.objects.fold.KEPT_POINTS", 10)
    monkeypatch.setattr("reconciler.deciding.enrolling.KEPT_POINTS", 10)
    books = Books(RENEWALS)
    books.take(deal(dealstage="renewed"))
    renewed(books, range(1, 31))
    books.ledger.clear()
    assert books.take(said(ObjectType.DEAL, AT + 40 * DAY, dealname="Again")) == []
    (found,) = books.take(stage(AT + 50 * DAY, "lapsed"), stage(AT + 51 * DAY, "renewed"))
    assert found.reason == Reason.UNCOUNTED


def test_an_enrolment_heard_of_late_is_not_lost() -> None:
    """The history may show an enrolment between two known ones: there are then three documents."""
    books = Books(RENEWALS)
    books.take(deal(dealstage="renewed"), stage(AT + DAY, "x"), stage(AT + 6 * DAY, "renewed"))
    books.send()
    books.take(stage(AT + 3 * DAY, "renewed"), stage(AT + 4 * DAY, "x"))
    assert sorted(key.enrolment for key in books.ledger) == [1, 2, 3]


def test_enrolments_from_before_the_workflow_was_on_stay_out() -> None:
    """The first renewal was before: only the second is invoiced, as enrolment 2."""
    books = Books(RENEWALS)
    books.take(deal(dealstage="renewed"))
    books.ledger.clear()  # as if the workflow had not been on then
    books.take(stage(AT + DAY, "lapsed"))
    books.take(stage(AT + 2 * DAY, "renewed"))
    assert [key.enrolment for key in books.ledger] == [2]


def test_a_payment_enrols_once() -> None:
    """Money moved once: re_enrol makes no second receipt of one payment."""
    again = one_workflow(
        "payment", "sales_receipt",
        rest="    re_enrol: [{property: hs_latest_status, operator: changed_to, value: succeeded}]\n",
    )  # fmt: skip
    books = Books(again)
    books.take(payment())
    for day, status in enumerate(("processing_refund", "succeeded"), start=1):
        books.take(said(ObjectType.PAYMENT, AT + day * DAY, hs_latest_status=status))
    assert [key.enrolment for key in books.ledger] == [1]


def test_a_delay_holds_the_document_back() -> None:
    """It is wanted, complete, and not due before enrolment and delay have passed."""
    found = only(one_workflow("deal", "invoice", rest="    delay: 3 days\n"), deal())
    assert (found.state, found.reason) == (DocumentState.WANTED, Reason.DELAY)
    assert found.not_before == AT + 3 * DAY
    assert "3 days after enrolment: until 2026-02-03 00:00 UTC" in found.detail
    assert found.content is not None


# --- fields ----------------------------------------------------------------------------------------


def test_custom_fields_are_filled_from_the_object() -> None:
    """Templates by the field's name in QuickBooks; one that comes out empty is left out."""
    settings = one_workflow(
        "deal", "invoice", ', custom_fields: {Rep: "{hubspot_owner_id}", PO: "{po_number}"}'
    )
    assert made(settings, deal(hubspot_owner_id="51")).custom_fields == (("Rep", "51"),)


def test_an_expense_takes_memo_and_number() -> None:
    """An expense has no message to a customer: its memo stands in the note."""
    settings = one_workflow(
        "payment", "expense", ', memo: "Fees of {id}", document_number: "FEE-{id}"'
    )
    content = made(settings, payment())
    assert content.private_note == "HubSpot payment 1\nFees of 1"
    assert content.document_number == "FEE-1"


def test_the_companys_currency_stands_where_the_source_names_none() -> None:
    """A portal with one currency does not tell it."""
    euro = file(
        "  - {name: Bill, object: deal, enrol: [{preset: deal_won}],"
        " actions: [{create: invoice, company: us, create_missing_products: yes}]}\n",
        "    currency: EUR\n",
    )
    assert made(euro, deal()).currency == "EUR"
    assert made(euro, deal(deal_currency_code="usd")).currency == "USD"


# --- several actions -------------------------------------------------------------------------------

BOTH = file("""
  - name: Invoices
    object: deal
    enrol: [{preset: deal_won}]
    actions: [{create: invoice, company: us, create_missing_products: yes}]
  - name: Estimates
    object: deal
    enrol: [{property: dealstage, operator: is_any_of, values: [contractsent]}]
    actions: [{create: estimate, company: us, create_missing_products: yes}]
""")


def test_an_invoice_follows_the_estimate_of_its_deal() -> None:
    """Whatever the order in the file and of arrival, the invoice names the estimate before it."""
    books = Books(BOTH)
    books.take(deal(at=AT + DAY))
    books.take(stage(AT, "contractsent"))
    found = {key.action: content for key, content in books.contents().items()}
    (estimate,) = [key for key in books.ledger if key.action is Action.ESTIMATE]
    assert found[Action.INVOICE].linked_estimate == str(estimate)


def test_an_estimate_that_came_later_is_not_followed() -> None:
    """Sent after the invoice, it is another offer."""
    books = Books(BOTH)
    books.take(deal())
    books.take(stage(AT + DAY, "contractsent"))
    found = {key.action: content for key, content in books.contents().items()}
    assert found[Action.INVOICE].linked_estimate == ""


def test_two_workflows_for_one_document_make_one() -> None:
    """The first in the file makes it; the other says whose it is."""
    twice = file("""
  - name: First
    object: deal
    enrol: [{preset: deal_won}]
    actions: [{create: invoice, company: us, create_missing_products: yes, memo: first}]
  - name: Second
    object: deal
    enrol: [{property: dealname, operator: is_known}]
    actions: [{create: invoice, company: us, create_missing_products: yes, memo: second}]
""")
    assert [
        (v.workflow, v.content.customer_memo) for v in verdicts(twice, deal()) if v.content
    ] == [("First", "first")]
    books = Books(twice)
    books.take(deal(dealstage="open"))
    books.send()
    books.take(stage(AT + 1, "closedwon"))
    assert [entry.workflow for entry in books.ledger.values()] == ["Second"]
    assert [content.customer_memo for content in books.contents().values()] == ["second"]


# --- what the feed never said ----------------------------------------------------------------------

NOT_TEST = one_workflow(
    "deal", "invoice",
    enrol="[{preset: deal_won}, {property: dealtype, operator: is_none_of, values: [test]}]",
)  # fmt: skip


def test_a_negative_filter_on_a_property_never_mentioned_waits() -> None:
    """ "Is none of" holds of an empty property; of one that was never heard of nobody knows."""
    found = only(NOT_TEST, deal())
    assert (found.state, found.reason) == (DocumentState.WAITING, Reason.PROPERTY_UNKNOWN)
    assert "dealtype" in found.detail


@pytest.mark.parametrize(
    ("told", "state"), [(None, "wanted"), ("new", "wanted"), ("test", "dismissed")]
)
def test_it_goes_on_once_the_property_is_told(told: str | None, state: str) -> None:
    """Told as empty or as anything it is decided; told as excluded it is dismissed."""
    books = Books(NOT_TEST)
    books.take(deal())
    (found,) = books.take(said(ObjectType.DEAL, AT + 1, dealtype=told))
    assert found.state == state


def test_another_group_that_really_holds_is_enough() -> None:
    """A match that rests on what was said needs no guess."""
    either = one_workflow(
        "deal", "invoice",
        enrol="[[{property: dealtype, operator: is_none_of, values: [test]}], [{preset: deal_won}]]",
    )  # fmt: skip
    assert only(either, deal()).state is DocumentState.WANTED


# --- withdrawn and deleted -------------------------------------------------------------------------


def test_a_deleted_object_blocks_what_is_not_sent_and_nothing_else() -> None:
    """What was sent stays in the books as it is; what was not is blocked."""
    gone = snapshot(ObjectType.DEAL, {"dealstage": "closedwon"}, at=AT + 1, lines=None)
    for sent, states in ((True, {DocumentState.CREATED}), (False, {DocumentState.BLOCKED})):
        books = Books(one_workflow("deal", "invoice"))
        books.take(deal())
        if sent:
            books.send()
        deleted = type(gone)(key=gone.key, at=AT + 2, kind=gone.kind, deleted=True)
        books.take(deleted)
        assert {entry.state for entry in books.ledger.values()} == states


def test_every_workflow_says_why_not() -> None:
    """An object that does not enrol is told which workflow it missed."""
    found = unwanted(one_workflow("deal", "invoice"), deal(dealstage="open"))
    assert found.reason == Reason.NO_MATCH
    assert "Bill" in found.detail


# --- amounts ---------------------------------------------------------------------------------------

INVOICE = one_workflow("deal", "invoice")


@pytest.mark.parametrize(
    ("lines", "facts", "outcome"),
    [
        pytest.param([{"amount": "90.00", "discount": "10"}], {}, "90.00", id="discount per unit"),
        pytest.param([{"amount": None, "quantity": "3", "price": "0.335"}], {}, "1.01", id="rounds half up"),
        pytest.param([{"amount": None, "hs_discount_percentage": "33.3"}], {}, "66.70", id="percentage"),
        pytest.param([{"amount": "100.01"}], {}, "100.01", id="a cent off is rounding"),
        pytest.param([{"amount": "90.00"}], {}, "90.00", id="a discount the feed does not carry"),
        pytest.param([{"amount": "90.00", "discount": None}], {}, Reason.LINE_DISAGREES, id="stale"),
        pytest.param([{"amount": "110.00"}], {}, Reason.LINE_DISAGREES, id="more than its price"),
        pytest.param(
            [{"amount": "75.00", "price": "9", "hs_pricing_model": "graduated"}], {}, "75.00", id="tiered",
        ),
        pytest.param([{"amount": "75.00", "price": None}], {}, "75.00", id="tiered without price"),
        pytest.param(
            [{"amount": None, "price": None, "hs_pricing_model": "volume"}], {},
            Reason.NO_PRICE, id="tiered, and both are empty",
        ),
        pytest.param(
            [{"amount": "1200.00", "recurringbillingfrequency": "monthly"}], {}, "1200.00", id="recurring",
        ),
        pytest.param([{"amount": "-100.00", "price": "-100"}, {}, {}], {}, "100.00", id="a negative line"),
        pytest.param(
            [{"amount": "-100.01", "price": "-100.01"}, {}], {}, Reason.NEGATIVE_TOTAL, id="negative",
        ),
        pytest.param([{"amount": "0", "price": "0"}], {}, "0.00", id="nothing to pay is a document too"),
        pytest.param([{"amount": "ten"}], {}, Reason.BAD_NUMBER, id="no number"),
        pytest.param([{"hs_line_item_currency_code": "EUR"}], {"deal_currency_code": "USD"},
                     Reason.LINE_CURRENCY, id="other currency than the deal"),
        pytest.param([{"hs_line_item_currency_code": "EUR"}, {"hs_line_item_currency_code": "USD"}], {},
                     Reason.LINE_CURRENCY, id="two currencies"),
        pytest.param([{"hs_line_item_currency_code": "USD"}], {"deal_currency_code": "usd"}, "100.00",
                     id="one currency"),
        pytest.param([{"hs_line_item_currency_code": "usd "}], {"deal_currency_code": " USD"}, "100.00",
                     id="one currency with spaces"),
    ],
)  # fmt: skip
def test_amounts(lines: list[dict[str, str | None]], facts: dict[str, str], outcome: str) -> None:
    """The amount rules of docs/workflows.md, one by one."""
    found = only(INVOICE, deal(lines=[{**LINE, **each} for each in lines], **facts))
    assert outcome in (str(found.content.total) if found.content else found.reason)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"recurringbillingfrequency": "monthly"}, "billed monthly"),
        ({"recurringbillingfrequency": "per_six_months"}, "billed per six months"),
        ({"recurringbillingfrequency": "annually", "hs_recurring_billing_period": "P2Y"}, "billed annually"),
        ({"hs_recurring_billing_period": "P12M"}, "for a term of 12 months"),
        ({"hs_recurring_billing_period": "P1Y6M"}, "for a term of 1 year 6 months"),
        ({"hs_recurring_billing_period": "P"}, "recurring"),
        ({"hs_recurring_billing_period": "forever"}, "recurring"),
    ],
)  # fmt: skip
def test_a_recurring_line_bills_one_period_and_says_so(facts: dict[str, str], words: str) -> None:
    """How often it recurs stands in its text, or else for how long."""
    (line,) = made(INVOICE, deal(lines=({**LINE, **facts},))).lines
    assert line.description == f"Rollout ({words})"


def test_a_currency_is_written_as_in_quickbooks() -> None:
    """Whether the object names it or its lines do."""
    assert made(INVOICE, deal(deal_currency_code=" eur ")).currency == "EUR"
    line = {**LINE, "hs_line_item_currency_code": "eur "}
    assert made(INVOICE, deal(lines=(line,))).currency == "EUR"


def test_the_deals_own_amount_is_not_asked() -> None:
    """Line items are what is billed; a deal's amount is a forecast."""
    assert made(INVOICE, deal(amount="999999")).total == Decimal("100.00")


def test_a_company_without_a_name_yet_waits() -> None:
    """Known by its id only, its name may still arrive."""
    settings = one_workflow("deal", "invoice", ", customer: company")
    change = snapshot(
        ObjectType.DEAL, {"dealstage": "closedwon"}, contacts=(ADA,), companies=(Related("9"),)
    )
    assert by_action(verdicts(settings, change))[Action.INVOICE].reason == Reason.COMPANY_DETAILS


@pytest.mark.parametrize("name", [None, "", " "])
def test_a_company_without_a_name_in_hubspot_is_blocked(name: str | None) -> None:
    """HubSpot states that it has none, so none will arrive by itself."""
    settings = one_workflow("deal", "invoice", ", customer: company")
    unnamed = (Related("9", {"name": name, "domain": "acme.example"}, AT),)
    change = snapshot(ObjectType.DEAL, {"dealstage": "closedwon"}, companies=unnamed)
    found = only(settings, change)
    assert (found.state, found.reason) == (DocumentState.BLOCKED, Reason.COMPANY_UNNAMED)


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        pytest.param({"price": None, "amount": ""}, ("blocked", "has no price"), id="both empty"),
        pytest.param({"price": None}, ("waiting", "The amount of"), id="a price that is empty"),
        pytest.param({"amount": None}, ("waiting", "The price of"), id="an amount that is empty"),
        pytest.param({}, ("waiting", "The price of"), id="neither mentioned"),
        pytest.param({"hs_pricing_model": "graduated", "price": None}, ("waiting", "The amount of"),
                     id="tiers"),
        pytest.param({"hs_pricing_model": "graduated", "amount": None}, ("blocked", "has no price"),
                     id="tiers that come to nothing"),
    ],
)  # fmt: skip
def test_a_line_without_a_price(line: dict[str, str | None], outcome: tuple[str, str]) -> None:
    """It is waited for while it may arrive; one that HubSpot states as empty needs a person."""
    found = only(INVOICE, deal(lines=[{"name": "Rollout", "quantity": "1", **line}]))
    assert found.state == outcome[0]
    assert outcome[1] in found.detail


# --- a past that was not heard of ------------------------------------------------------------------

WON_AND_LARGE = one_workflow(
    "deal",
    "invoice",
    enrol="[{preset: deal_won}, {property: amount, operator: greater_than, value: 1000}]",
)


def test_a_deal_that_was_never_won_while_large_is_not_billed() -> None:
    """Its events say so one by one: large, then small, then won."""
    changes = [
        said(ObjectType.DEAL, AT, amount="5000"),
        said(ObjectType.DEAL, AT + DAY, amount="500"),
        said(ObjectType.DEAL, AT + 2 * DAY, dealstage="closedwon"),
    ]
    for order in (changes, reversed(changes)):
        books = Books(WON_AND_LARGE)
        for change in order:
            books.take(change)
        assert not books.contents()
        assert not [each for each in books.ledger.values() if each.state != "dismissed"]


def test_an_amount_that_a_snapshot_told_late_is_taken_to_have_been_so() -> None:
    """Won by an event, opened again by another; only then somebody told how large it is."""
    won = said(ObjectType.DEAL, AT, dealstage="closedwon")
    reopened = said(ObjectType.DEAL, AT + DAY, dealstage="open")
    whole = deal(AT + 2 * DAY, dealstage="open", amount="5000")
    assert made(WON_AND_LARGE, won, reopened, whole).txn_date == "2026-01-31"


def test_a_document_is_dated_by_the_win_not_by_what_was_known_before() -> None:
    """The amount was known for long when the deal was won."""
    large = said(ObjectType.DEAL, AT, amount="5000", hs_is_closed_won="false")
    won = deal(AT + 5 * DAY, amount="5000")
    assert made(WON_AND_LARGE, large, won).txn_date == "2026-02-05"
