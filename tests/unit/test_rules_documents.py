"""HubSpot's rules about what a document says and when there is none, on the pure decision.

R-numbers are the rules of HubSpot's article "Use QuickBooks actions with HubSpot workflows", A-numbers
what it leaves open (docs/workflows.md). The rules about the editor are in
tests/unit/workflows/test_workflow_rules.py, all of them through the whole service in
tests/integration/test_rules.py.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.model import (
    Action,
    Change,
    ChangeKind,
    DocumentState,
    Link,
    ObjectType,
    Related,
)
from reconciler.reasons import Reason
from tests.deciding import (
    ADA,
    AT,
    DAY,
    LINE,
    PORTAL,
    REALM,
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

INVOICE = one_workflow("deal", "invoice")
SYNCED = """    contacts: data_sync
    contact_filter: [{property: lifecyclestage, operator: is_any_of, values: [customer]}]
"""
ON_SYNC = file(
    "  - {name: Bill, object: deal, enrol: [{preset: deal_won}],"
    " actions: [{create: invoice, company: us, create_missing_products: yes}]}\n",
    SYNCED,
)


def state(found: object) -> tuple[str, str]:
    return found.state, found.reason  # type: ignore[attr-defined]


# --- prerequisites and customers: R6 to R16 ------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "contacts", "reason"),
    [
        (None, (ADA,), Reason.LINE_ITEMS),
        ((None,), (ADA,), Reason.LINE_ITEM_DETAILS),
        ((LINE,), None, Reason.CONTACT),
        ((LINE,), (None,), Reason.CONTACT_DETAILS),
    ],
)
def test_r06_nothing_is_wanted_before_everything_is_known(lines, contacts, reason) -> None:  # type: ignore[no-untyped-def]
    """R6: a document whose facts have not all arrived waits, and says for which."""
    assert state(only(INVOICE, deal(lines=lines, contacts=contacts))) == ("waiting", reason)


def test_r06_a_list_of_which_a_part_is_known_says_so() -> None:
    """R6: an event tells of one contact, and nothing says that there are no others."""
    whole = deal(contacts=None)
    told = Change(
        key=whole.key, at=AT + 1, kind=ChangeKind.ASSOCIATION, links=(Link("contacts", "81"),)
    )
    sentence = "The contacts of this deal have not arrived yet"
    assert only(INVOICE, whole).detail.startswith(f"{sentence}. ")
    part = f"{sentence}: single ones are known, the whole list is not."
    assert only(INVOICE, whole, told).detail.startswith(part)


def test_r07_the_customer_is_first_name_last_name_and_email() -> None:
    """R7: what a customer is matched by is taken from the contact, without stray spaces."""
    customer = made(INVOICE, deal(contacts=({**ADA, "firstname": " Ada "},))).customer
    assert customer is not None
    assert (customer.first_name, customer.last_name, customer.email) == tuple(ADA.values())


def test_r08_a_contact_without_name_and_email_makes_no_customer() -> None:
    """R8: a customer can be created of any contact that has a name or an email, and of no other."""
    assert made(INVOICE, deal(contacts=({"lastname": "Byron"},))).customer
    assert state(only(INVOICE, deal(contacts=({"phone": "1"},)))) == (
        "blocked", Reason.CONTACT_INCOMPLETE,
    )  # fmt: skip


def test_r09_a02_the_first_contact_in_association_order() -> None:
    """R9, A2: of several contacts the first as received is the customer, and is recorded."""
    second = {"firstname": "Zoe", "lastname": "First", "email": "z@example.com"}
    customer = made(INVOICE, deal(contacts=(second, ADA))).customer
    assert customer is not None
    assert (customer.last_name, customer.hubspot_id) == ("First", "81")


@pytest.mark.parametrize(("stage", "made_of_it"), [("customer", True), ("lead", False)])
def test_r10_r11_a_contact_outside_the_sync_blocks(stage: str, made_of_it: bool) -> None:
    """R10, R11: with data sync a contact that its filter refuses makes no invoice."""
    found = only(ON_SYNC, deal(contacts=({**ADA, "lifecyclestage": stage},)))
    assert (found.content is not None) is made_of_it
    assert made_of_it or state(found) == ("blocked", Reason.CONTACT_NOT_ELIGIBLE)


def test_r12_only_the_first_contact_counts() -> None:
    """R12: the filter is asked about the contact that the document would be for."""
    lead, customer = {**ADA, "lifecyclestage": "lead"}, {**ADA, "lifecyclestage": "customer"}
    assert only(ON_SYNC, deal(contacts=(customer, lead))).content is not None
    assert only(ON_SYNC, deal(contacts=(lead, customer))).content is None


@pytest.mark.parametrize("create", ["invoice", "estimate", "sales_receipt"])
def test_r13_no_line_items_no_document(create: str) -> None:
    """R13: a deal that has no line items makes no invoice, estimate or receipt."""
    assert state(only(one_workflow("deal", create), deal(lines=()))) == (
        "blocked", Reason.NO_LINE_ITEMS,
    )  # fmt: skip


def test_r14_a_line_says_its_product() -> None:
    """R14: SKU, name and HubSpot's product id of a line are what it is matched by."""
    (line,) = made(INVOICE, deal(lines=({**LINE, "hs_product_id": "55"},))).lines
    assert (line.product.sku, line.product.name, line.product.hubspot_product_id) == (
        "R-1", "Rollout", "55",
    )  # fmt: skip


def test_r15_no_line_is_ever_left_out() -> None:
    """R15: one line that is not known keeps the whole document from being made."""
    assert state(only(INVOICE, deal(lines=(LINE, None, LINE)))) == (
        "waiting", Reason.LINE_ITEM_DETAILS,
    )  # fmt: skip
    assert len(made(INVOICE, deal(lines=(LINE, LINE, LINE))).lines) == 3


@pytest.mark.parametrize(
    ("product", "source", "fixed"),
    [("sku", "sku", ""), ("name", "name", ""), ("{fixed: Services}", "fixed", "Services")],
)
def test_r16_products_are_found_as_the_action_says(product: str, source: str, fixed: str) -> None:
    """R16: how lines are matched to products is the action's choice and reaches the document."""
    content = made(one_workflow("deal", "invoice", f", product: {product}"), deal())
    assert (content.product_source, content.fixed_product) == (source, fixed)


def test_a03_no_contact_blocks() -> None:
    """A3: without any contact there is no one to make the document out to."""
    assert state(only(INVOICE, deal(contacts=()))) == ("blocked", Reason.NO_CONTACT)


def test_a04_unmatched_products_are_the_actions_choice() -> None:
    """A4: whether missing products are created is said on the document, and decided at dispatch."""
    assert made(INVOICE, deal()).create_missing_products
    never = file(
        "  - {name: Bill, object: deal, enrol: [{preset: deal_won}],"
        " actions: [{create: invoice, company: us, create_missing_products: no}]}\n"
    )
    assert not made(never, deal()).create_missing_products


def test_a05_the_customer_may_be_a_company_or_fixed() -> None:
    """A5: customer from the HubSpot company or a fixed one needs no contact."""
    acme = (Related("91", {"name": "Acme"}, AT),)
    fixed = one_workflow("deal", "invoice", ", customer: {fixed: Walk-in}")
    by_company = one_workflow("deal", "invoice", ", customer: company")
    change = snapshot(ObjectType.DEAL, {"dealstage": "closedwon"}, contacts=(), companies=acme)
    names = [made(each, change).customer.display_name for each in (fixed, by_company)]  # type: ignore[union-attr]
    assert names == ["Walk-in", "Acme"]


# --- enrolment: R22, R23, A6 ---------------------------------------------------------------------


def test_r22_a_workflow_that_is_off_wants_nothing() -> None:
    """R22: a workflow that is off makes nothing, whatever happens."""
    off = one_workflow("deal", "invoice", rest="    enabled: no\n")
    assert verdicts(off, deal()) == []


def test_r22_a06_turning_a_workflow_on_does_not_reach_back() -> None:
    """R22, A6: an object that matched before the workflow was on is left to backfill."""
    books = Books(one_workflow("deal", "invoice", rest="    enabled: no\n"))
    books.take(deal())
    on = Books(INVOICE, books.objects)
    assert on.take(said(ObjectType.DEAL, AT + DAY, dealname="Renamed")) == []


def test_r23_the_document_belongs_to_the_object() -> None:
    """R23: its key names the company, the action and the object; its note says so to people."""
    found = only(INVOICE, deal())
    assert found.key == (REALM, Action.INVOICE, PORTAL, ObjectType.DEAL, "1", 1)
    assert found.content is not None
    assert found.content.private_note == "HubSpot deal 1: Rollout"


# --- payments: R27 to R32 ------------------------------------------------------------------------

PAID = one_workflow("payment", "paid_invoice")
RECEIPT = one_workflow("payment", "sales_receipt")
TAXED = {**LINE, "amount": "100.00", "hs_tax_amount": "8.00"}


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        ("processing", Reason.PAYMENT_SETTLED, "is still processing"),
        (None, Reason.PAYMENT_STATUS, "The status of this payment has not arrived"),
        ("", Reason.PAYMENT_STATUS, "The status of this payment has not arrived"),
        ("on_hold", Reason.STATUS_UNKNOWN, "HubSpot calls the payment “on_hold”"),
    ],
)
def test_r27_money_that_was_not_collected_makes_no_sale(
    status: str | None, reason: Reason, words: str
) -> None:
    """R27: documents are made of money that came in; what is waited for is said as it is."""
    anyone = one_workflow(
        "payment", "sales_receipt",
        enrol="[{property: hs_initial_amount, operator: is_known}]",
    )  # fmt: skip
    found = only(anyone, payment(hs_latest_status=status))
    assert state(found) == ("waiting", reason)
    assert words in found.detail
    assert unwanted(anyone, payment(hs_latest_status="failed")).reason == Reason.PAYMENT_FAILED


def test_r28_a_paid_invoice_is_equal_to_the_payment() -> None:
    """R28: of a payment without tax comes an invoice over exactly what was paid."""
    assert made(PAID, payment()).total == Decimal("100.00")


def test_r28_one_taxable_line_refuses_the_whole() -> None:
    """R28: a paid invoice with a taxable line among others is not made."""
    found = only(PAID, payment(lines=(LINE, TAXED), hs_initial_amount="208.00"))
    assert state(found) == ("blocked", Reason.TAXABLE_LINE)


@pytest.mark.parametrize(
    "tax", [{"hs_tax_rate_group_id": "7"}, {"hs_tax_rate": "8.25"}, {"hs_auto_tax_amount": "1"}, {"tax": "1"},
            {"hs_post_tax_amount": "108.00"}],
)  # fmt: skip
def test_r28_any_sign_of_tax_makes_a_line_taxable(tax: dict[str, str]) -> None:
    """R28: a tax rate, a tax amount or a higher amount after tax: each alone is enough."""
    assert state(only(PAID, payment(lines=({**LINE, **tax},)))) == ("blocked", Reason.TAXABLE_LINE)


def test_r28_unknown_taxability_is_settled_by_the_sum() -> None:
    """R28: of lines that say nothing of tax, those that add up to the payment carried none."""
    bare = {"name": "Rollout", "amount": "100.00"}
    assert made(PAID, payment(lines=(bare,))).tax == 0
    found = only(PAID, payment(lines=(bare,), hs_initial_amount="108.00"))
    assert state(found) == ("blocked", Reason.AMOUNT_DISAGREES)


def test_r29_a_receipt_takes_taxable_lines() -> None:
    """R29: a sales receipt of a payment carries the tax that was collected."""
    content = made(RECEIPT, payment(lines=(TAXED,), hs_initial_amount="108.00"))
    assert (content.total, content.tax, content.lines[0].tax) == (108, 8, 8)


@pytest.mark.parametrize(
    "said", [{"hs_tax_amount": "0", "hs_tax_rate": "0"}, {"tax": "0"},
             {"hs_post_tax_amount": "100.00"}],
)  # fmt: skip
def test_r29_a_taxable_line_may_be_taxed_at_nothing(said: dict[str, str]) -> None:
    """R29: where HubSpot says that the tax of a taxable line is zero, none is billed."""
    content = made(RECEIPT, payment(lines=({**LINE, "hs_tax_rate_group_id": "7", **said},)))
    assert (content.total, content.tax) == (100, 0)


ONLY_A_PRICE = {"price": "100.00", "quantity": "1", "name": "Rollout"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        pytest.param({"amount": "200", "price": "200", "hs_post_tax_amount": "100"},
                     "is 200.00 before and 100.00 after tax.", id="a stale amount after tax"),
        pytest.param({"amount": "100", "hs_post_tax_amount": "201"},
                     "is 100.00 before and 201.00 after tax.", id="more tax than amount"),
        pytest.param({"amount": "-100", "price": "-100", "hs_post_tax_amount": "-90"},
                     "is -100.00 before and -90.00 after tax.", id="a tax on a negative line"),
        pytest.param({**ONLY_A_PRICE, "amount": "", "hs_post_tax_amount": "90"},
                     "is 100.00 before and 90.00 after tax.", id="no amount in HubSpot"),
        pytest.param({"hs_tax_amount": "8", "hs_post_tax_amount": "120"},
                     "is 100.00 before and 120.00 after tax, and its tax is 8.00.", id="three figures"),
        pytest.param({"hs_tax_amount": "0", "hs_post_tax_amount": "108"},
                     "is 100.00 before and 108.00 after tax, and its tax is 0.00.", id="a stale zero"),
        pytest.param({"hs_tax_amount": "-8"},
                     "is 100.00 before and 92.00 after tax, and its tax is -8.00.", id="below nothing"),
    ],
)  # fmt: skip
def test_r29_a_tax_that_contradicts_the_line_is_not_billed(
    line: dict[str, str], sentence: str
) -> None:
    """R29: what differs from the line's own amount by no believable tax is stale, and blocks."""
    found = only(INVOICE, deal(lines=({**LINE, **line},)))
    assert state(found) == ("blocked", Reason.TAX_DISAGREES)
    assert sentence in found.detail


@pytest.mark.parametrize(
    ("line", "tax"),
    [
        pytest.param({"hs_tax_amount": "8.25", "hs_post_tax_amount": "108.26"}, "8.25", id="a cent off"),
        pytest.param({"hs_tax_amount": "150"}, "150", id="more than the line, and stated"),
        pytest.param({"hs_tax_amount": "0", "tax": "8", "hs_post_tax_amount": "108"}, "8", id="two taxes"),
        pytest.param({"hs_post_tax_amount": "108.25"}, "8.25", id="after tax alone"),
        pytest.param({"amount": "-100", "price": "-100", "hs_post_tax_amount": "-108.25"}, "-8.25",
                     id="a credit with its tax"),
    ],
)  # fmt: skip
def test_r29_a_tax_that_fits_the_line_is_billed(line: dict[str, str], tax: str) -> None:
    """R29: a stated tax amount is believed first, then the amount after tax beside the amount."""
    sold = made(INVOICE, deal(lines=({**LINE, "price": "900", "amount": "900"}, {**LINE, **line})))
    assert sold.lines[1].tax == Decimal(tax)


def test_r29_after_tax_alone_waits_for_the_amount() -> None:
    """R29: a price may lack its discount, so what is beyond it after tax is no tax yet."""
    found = only(INVOICE, deal(lines=({**ONLY_A_PRICE, "hs_post_tax_amount": "108"},)))
    assert state(found) == ("waiting", Reason.LINE_ITEM_DETAILS)
    assert "The amount of line item" in found.detail
    untaxed = made(INVOICE, deal(lines=({**ONLY_A_PRICE, "hs_post_tax_amount": "100"},)))
    assert (str(untaxed.total), str(untaxed.tax)) == ("100.00", "0")


@pytest.mark.parametrize("rate", [{}, {"hs_tax_rate": "8.25"}])
@pytest.mark.parametrize("stated", [(), (TAXED,)])
@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ({}, ("waiting", Reason.LINE_ITEM_DETAILS)),
        ({"hs_tax_amount": None, "tax": ""}, ("blocked", Reason.NO_TAX_AMOUNT)),
    ],
    ids=["not heard of", "empty in HubSpot"],
)
def test_r29_a_taxable_line_needs_its_tax(
    amounts: dict[str, str | None],
    expected: tuple[str, str],
    stated: tuple[dict[str, str], ...],
    rate: dict[str, str],
) -> None:
    """R29: a tax that HubSpot does not state is no zero, and no rate is worked out in its place.

    It waits while the amount may still arrive; what another line states does not stand for it.
    """
    open_ = {**LINE, "hs_tax_rate_group_id": "7", **rate, **amounts}
    for found in (
        only(RECEIPT, payment(lines=(*stated, open_), hs_initial_amount="108.00")),
        only(INVOICE, deal(lines=(*stated, open_))),
    ):
        assert state(found) == expected
        assert "tax amount" in found.detail


@pytest.mark.parametrize("create", ["paid_invoice", "sales_receipt"])
@pytest.mark.parametrize(
    ("amount", "outcome"),
    [
        ("110.00", Reason.NEGATIVE_DISCOUNT),
        ("100.00", "100.00"),
        ("90.00", Reason.AMOUNT_DISAGREES),
    ],
)
def test_r28_an_order_discount_takes_off(create: str, amount: str, outcome: str) -> None:
    """R28: one below nothing would be a discount line that adds, and is not made where it counts."""
    found = only(
        one_workflow("payment", create),
        payment(hs_initial_amount=amount, hs_order_discount_amount="-10"),
    )
    assert outcome == (str(found.content.total) if found.content else found.reason)


@pytest.mark.parametrize("create", ["paid_invoice", "sales_receipt"])
@pytest.mark.parametrize(
    "facts",
    [
        {"hs_payment_source_app": "INVOICE"},
        {"hs_has_associated_invoice": "true"},
        {"hs_number_of_associated_invoices": "1"},
    ],
)
def test_r31_a_payment_of_an_invoice_is_no_second_sale(create: str, facts: dict[str, str]) -> None:
    """R31: whatever the filters say, money paid against a HubSpot invoice makes no document."""
    found = unwanted(one_workflow("payment", create), payment(**facts))
    assert found.reason == Reason.INVOICE_PAYMENT


def test_r31_an_invoice_that_is_heard_of_late_withdraws_the_sale() -> None:
    """R31: a receipt that is wanted and not sent is dismissed once the payment's invoice is known."""
    books = Books(RECEIPT)
    books.take(payment())
    (found,) = books.take(said(ObjectType.PAYMENT, AT + 1, hs_has_associated_invoice="true"))
    assert state(found) == ("dismissed", Reason.INVOICE_PAYMENT)


def test_r31_a_payment_that_came_from_quickbooks_makes_no_echo() -> None:
    """R31: a payment whose processor is QuickBooks is in the books already."""
    found = unwanted(RECEIPT, payment(hs_processor_type="quickbooks"))
    assert found.reason == Reason.QUICKBOOKS_PAYMENT


@pytest.mark.parametrize(("word", "said"), [("ach", "ach"), ("hologram", ""), (None, "")])
def test_r28_hubspot_says_how_it_was_paid_unless_the_action_does(
    word: str | None, said: str
) -> None:
    """R28: a word of HubSpot's that nobody knows yet is no name that QuickBooks must have."""
    assert made(RECEIPT, payment(hs_payment_method_type=word)).payment_method == said
    named = one_workflow("payment", "sales_receipt", ", payment_method: Voucher")
    assert made(named, payment(hs_payment_method_type=word)).payment_method == "Voucher"


def test_r32_documents_of_payments_have_no_terms() -> None:
    """R32: no payment terms and no due date, though the company has default ones."""
    content = made(PAID, payment())
    assert (content.payment_terms, content.due_date) == ("", "")


# --- expenses and refunds: R33 to R36 ------------------------------------------------------------

EXPENSE = one_workflow("payment", "expense", ", vendor: HubSpot")
REFUND = one_workflow("payment", "refund_receipt")


def test_r33_a08_an_expense_has_its_accounts() -> None:
    """R33, A8: bank account, expense account and vendor are the action's or the company's."""
    content = made(EXPENSE, payment())
    assert (content.bank_account, content.expense_account, content.vendor) == (
        "Checking", "Fees", "HubSpot",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fees", "outcome"), [("3.20", "3.20"), ("0", Reason.NO_FEES), (None, Reason.FEES)]
)
def test_r34_an_expense_is_the_fees(fees: str | None, outcome: str) -> None:
    """R34: the amount is the fees, not the gross; none make none, unknown ones are waited for."""
    if outcome == Reason.NO_FEES:
        assert unwanted(EXPENSE, payment(hs_fees_amount=fees)).reason == outcome
        return
    found = only(EXPENSE, payment(hs_fees_amount=fees))
    assert outcome in (str(found.content.total) if found.content else found.reason)


@pytest.mark.parametrize("fees", [None, ""])
@pytest.mark.parametrize(
    ("processor", "method", "are_awaited"),
    [
        ("none", "card", False),
        ("none", None, False),
        (None, "cash", False),
        ("", "check", False),
        (None, "wire_transfer", False),
        (None, "other", False),
        ("byo_stripe", "other", True),
        ("hs_payments", "card", True),
        (None, "card", True),
        (None, None, True),
    ],
)
def test_r34_of_a_payment_that_no_processor_took_no_fees_are_awaited(
    processor: str | None, method: str | None, are_awaited: bool, fees: str | None
) -> None:
    """R34: fees that HubSpot states as empty still come from a processor, and from nobody else."""
    said_of = {"hs_processor_type": processor, "hs_payment_method_type": method}
    paid = payment(hs_fees_amount=fees, **said_of)
    if are_awaited:
        assert state(only(EXPENSE, paid)) == ("waiting", Reason.FEES)
    else:
        assert unwanted(EXPENSE, paid).reason == Reason.NO_FEES


def test_r34_fees_that_were_never_mentioned_are_awaited() -> None:
    """R34: a feed that says nothing of fees may still do so, of cash too; so may one that said none."""
    facts = {"hs_latest_status": "succeeded", "hs_processor_type": "none"}
    books = Books(EXPENSE)
    (silent,) = books.take(snapshot(ObjectType.PAYMENT, facts))
    assert state(silent) == ("waiting", Reason.FEES)
    (empty,) = books.take(said(ObjectType.PAYMENT, AT + 1, hs_fees_amount=None))
    assert state(empty) == ("dismissed", Reason.NO_FEES)
    (found,) = books.take(said(ObjectType.PAYMENT, AT + 2, hs_fees_amount="1.50"))
    assert found.content is not None
    assert str(found.content.total) == "1.50"


def test_r34_negative_fees_are_for_a_person() -> None:
    """R34: they are neither an expense nor none at all."""
    found = only(EXPENSE, payment(hs_fees_amount="-3.20"))
    assert state(found) == ("blocked", Reason.NEGATIVE_FEES)
    assert "The fees of this payment are -3.20" in found.detail
    assert unwanted(EXPENSE, payment(hs_fees_amount="-0.004")).reason == Reason.NO_FEES


def test_r35_a_full_refund_gives_everything_back() -> None:
    """R35: the refund receipt has the lines, the tax and the total of the payment."""
    back = {"hs_latest_status": "refunded", "hs_refunds_amount": "108.00"}
    content = made(REFUND, payment(lines=(TAXED,), hs_initial_amount="108.00", **back))
    assert (content.total, content.tax) == (108, 8)


@pytest.mark.parametrize(
    ("status", "refunded", "when"),
    [
        ("partially_refunded", "40.00", "when all of it is."),
        ("refunded", "99.99", "when all of it is."),
        ("processing_refund", "100.00", "when HubSpot's status says so."),
    ],
)
def test_r35_a09_a_partial_refund_waits(status: str, refunded: str, when: str) -> None:
    """R35, A9: full means the status and the whole amount; until then nothing is made."""
    found = only(REFUND, payment(hs_latest_status=status, hs_refunds_amount=refunded))
    assert state(found) == ("waiting", Reason.PARTIAL_REFUND)
    assert when in found.detail


@pytest.mark.parametrize("refunded", ["99.99999999999999", "100.00000000000001"])
def test_r35_a_full_refund_is_full_to_the_cent(refunded: str) -> None:
    """R35: what a connector's floats leave beyond the cent makes no refund partial, nor too large."""
    found = only(REFUND, payment(hs_latest_status="refunded", hs_refunds_amount=refunded))
    assert found.content is not None, found.detail
    assert found.content.total == 100


def test_r35_a_refund_of_money_that_was_never_collected_is_not_partial() -> None:
    """R35: it waits for the payment itself, or is none if that failed."""
    anyone = one_workflow(
        "payment", "refund_receipt", ", partial_refunds: receipt",
        enrol="[{property: hs_initial_amount, operator: is_known}]",
    )  # fmt: skip
    back = {"hs_refunds_amount": "40.00"}
    found = only(anyone, payment(hs_latest_status="processing", **back))
    assert state(found) == ("waiting", Reason.PAYMENT_SETTLED)
    failed = unwanted(anyone, payment(hs_latest_status="failed", **back))
    assert failed.reason == Reason.PAYMENT_FAILED


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize(
    "status", ["processing_refund", "disputed_lost", "disputed_won", "refunded", "succeeded"]
)
def test_r35_a_refund_in_part_keeps_its_receipt_whatever_follows(status: str, sent: bool) -> None:
    """R35, opted in: what was given back stays so when the rest is disputed or being refunded."""
    books = Books(one_workflow("payment", "refund_receipt", ", partial_refunds: receipt"))
    books.take(payment(hs_latest_status="partially_refunded", hs_refunds_amount="40.00"))
    before = books.contents()
    assert [content.total for content in before.values()] == [Decimal("40.00")]
    if sent:
        books.send()
    books.take(said(ObjectType.PAYMENT, AT + DAY, hs_latest_status=status))
    assert books.contents() == before


def test_r35_a09_two_partial_refunds_that_reach_the_whole_are_a_full_one() -> None:
    """A9: one receipt over the gross, once the refunds have reached it."""
    books = Books(REFUND)
    books.take(payment(hs_latest_status="partially_refunded", hs_refunds_amount="40.00"))
    full = {"hs_latest_status": "refunded", "hs_refunds_amount": "100.00"}
    (found,) = books.take(said(ObjectType.PAYMENT, AT + DAY, **full))
    assert found.content is not None
    assert (found.content.total, found.content.txn_date) == (100, "2026-02-01")


def test_r36_a10_a_refund_names_the_account_that_the_money_leaves() -> None:
    """R36, A10: the deposit account is on the receipt; what is not refunded makes none."""
    content = made(REFUND, payment(hs_latest_status="refunded", hs_refunds_amount="100.00"))
    assert content.deposit_account == "Undeposited Funds"
    assert unwanted(REFUND, payment()).reason == Reason.NOT_REFUNDED


def test_a01_a_sales_receipt_of_a_deal() -> None:
    """A1: what the article once calls a sales order is the sales receipt."""
    assert made(one_workflow("deal", "sales_receipt"), deal()).total == 100


def test_a07_signed_by_all_not_by_one() -> None:
    """A7: with the preset a quote enrols when everyone has signed."""
    signed = one_workflow("quote", "invoice")
    facts = {"hs_esign_num_signers_required": "2", "hs_esign_num_signers_completed": "1"}
    half = snapshot(ObjectType.QUOTE, facts)
    assert unwanted(signed, half).reason == Reason.NO_MATCH
    assert made(signed, half, said(ObjectType.QUOTE, AT + 1, hs_esign_num_signers_completed="2"))


def test_a11_a_repeat_wants_nothing_new() -> None:
    """A11: the same facts again, or older ones, change nothing; a failure has its reason."""
    books = Books(INVOICE)
    books.take(deal())
    before = dict(books.ledger)
    books.take(deal())
    books.take(said(ObjectType.DEAL, AT - DAY, dealname="Older"))
    assert books.ledger == before


def test_a12_fees_of_invoice_payments_are_real() -> None:
    """A12: the payment of an invoice makes no sale, and still its expense."""
    both = file(
        "  - name: Books\n    object: payment\n    enrol: [{preset: payment_succeeded}]\n"
        "    actions:\n      - {create: sales_receipt, company: us, create_missing_products: yes}\n"
        "      - {create: expense, company: us}\n"
    )
    found = by_action(verdicts(both, payment(hs_payment_source_app="INVOICE")))
    assert found.keys() == {Action.EXPENSE}
    assert found[Action.EXPENSE].state is DocumentState.WANTED
