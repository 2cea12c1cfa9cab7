"""`explain` names the cause for one object of each reason why a document waits or is blocked.

The objects go through a running service like any others; nothing is written into the ledger by
hand. The sentences stand here as an accountant reads them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest

from reconciler.errors import LookAgain, Refused
from reconciler.model import ObjectType
from reconciler.operator.presenting import split
from reconciler.ports.views import ActionExplanation
from reconciler.quickbooks.fault_codes import FAULTS, FaultRule
from reconciler.reasons import BLOCKED, WAITING, Reason
from reconciler.service.assembly import open_store, operator_over
from reconciler.settings import Settings
from reconciler.workflows import load
from reconciler.writing.lifecycle import refusal
from tests.command import done
from tests.company_at_work import plan
from tests.sandbox_process import Sandbox
from tests.snapshots import ADA, LINE, Facts, Record, deal, payment, snapshot
from tests.whole_service import NewService, WholeService
from tests.workflow_files import ACCOUNTS, Workflow, among, deals_in, workflow, workflow_file

REALMS = [f"93414500000003{n}" for n in range(21, 29)]
US, CANADA, CLOSED, PLAIN, TAXING, SILENT, FORMER, TRADING = REALMS
FOR_YEARS = {"delay": "520 weeks"}


def _payments(kind: str, create: str, **choices: str) -> Workflow:
    return workflow(kind, "payment", among("hs_payment_type", kind), create, **choices)


COMPANIES = {
    "us": {"realm_id": US, "defaults": ACCOUNTS, "product_map": {"1001": "17"}},
    "ca": {"realm_id": CANADA},
    "closed": {"realm_id": CLOSED},
    "plain": {
        "realm_id": PLAIN,
        "contacts": "data_sync",
        "contact_filter": [among("lifecyclestage", "customer")],
    },
    "taxing": {"realm_id": TAXING},
    "silent": {"realm_id": SILENT},
    "trading": {"realm_id": TRADING},
}
ON = [
    deals_in("won"),
    deals_in("strict", create_missing_products=False),
    deals_in("mapped", create_missing_products=False, product="id_map"),
    deals_in("company", customer="company"),
    deals_in("walkin", customer={"fixed": "Walk-in"}),
    deals_in("terms", payment_terms="Net 77"),
    deals_in("class", **{"class": "Nowhere"}),
    deals_in("canada", company="ca"),
    deals_in("closed", company="closed"),
    deals_in("plain", company="plain"),
    deals_in("taxed", company="taxing"),
    deals_in("abroad", company="trading", customer={"fixed": "Old Friend"}),
    deals_in("unrated", company="trading"),
    deals_in("offered", "estimate"),
    workflow(
        "not lost",
        "deal",
        [among("dealstage", "unsaid"), {"property": "lost_reason", "operator": "is_unknown"}],
        "invoice",
    ),
    {**deals_in("later"), **FOR_YEARS},
    {**deals_in("both", "estimate", name="estimate first"), **FOR_YEARS},
    deals_in("both", name="then the invoice"),
    deals_in("twice", name="bill"),
    deals_in("twice", "sales_receipt", name="bill again"),
    deals_in("unanswered", company="silent"),
    deals_in("unanswered", "sales_receipt", name="unanswered receipt", company="silent"),
    workflow("offers", "quote", among("hs_title", "Offer"), "invoice"),
    _payments("one_time_or_initial", "paid_invoice"),
    _payments("discounted", "paid_invoice", company="plain"),
    _payments("fees", "expense"),
    _payments("account", "expense", expense_account="Nothing like it"),
    _payments("refund", "refund_receipt"),
]
OFF_LATER, GONE_LATER = deals_in("stopped"), deals_in("former", company="former")
BEFORE = workflow_file({**COMPANIES, "former": {"realm_id": FORMER}}, *ON, OFF_LATER, GONE_LATER)
WORKFLOWS = workflow_file(COMPANIES, *ON, {**OFF_LATER, "enabled": False})


def _of_line(id_: str, stage: str, **facts: str | None) -> Record:
    """A deal whose line item says otherwise."""
    return deal(id_, stage, lines=[(f"{id_}1", {**LINE, **facts})])


def _naming(id_: str, stage: str, name: str, *items: str | Facts) -> Record:
    """A deal whose associated objects of that name are these, or known by their ids alone."""
    kind, value = deal(id_, stage)
    body = json.loads(value)
    body["associations"][name] = {
        "results": [{"id": each, "type": "x"} if isinstance(each, str) else each for each in items]
    }
    return kind, json.dumps(body).encode()


def _deleted(id_: str) -> Record:
    kind, value = deal(id_, "won", contacts=None, at="2026-03-03T10:00:00.000Z")
    return kind, json.dumps({**json.loads(value), "archived": True}).encode()


def _merged(id_: str, into: str) -> Record:
    event = {
        "subscriptionType": "deal.merge", "portalId": 4711, "eventId": 1,
        "occurredAt": 1_772_532_000_000, "primaryObjectId": int(into), "mergedObjectIds": [int(id_)],
    }  # fmt: skip
    return "deal", json.dumps(event).encode()


def _payment(id_: str, kind: str, line: Facts = LINE, **properties: Any) -> Record:
    return payment(id_, line, hs_payment_type=kind, **properties)


def _quote(id_: str, **properties: str) -> Record:
    facts = {"hs_title": "Offer", **properties}
    return "quote", snapshot(id_, facts, contacts=[ADA], lines=[(f"{id_}1", LINE)])


GRACE = ("54", {"firstname": "Grace", "lastname": "Hopper", "email": "grace@x.org"})
NAMES_OF_GRACE = [f"Grace Hopper{more}" for more in ("", " (grace@x.org)", " (HubSpot 54)")]


class Planted(NamedTuple):
    """The records of an object, and what is said of its document (`*` for any text)."""

    object_id: str
    records: Sequence[Record]
    sentence: str


PLANTED = {
    Reason.LINE_ITEMS: Planted(
        "100", [deal("100", "won", lines=None)],
        "The line items of this deal have not arrived yet.",
    ),
    Reason.LINE_ITEM_DETAILS: Planted(
        "101", [_naming("101", "won", "line items", "77")],
        "The price of line item 77 has not arrived yet.",
    ),
    Reason.CONTACT: Planted(
        "102", [deal("102", "won", contacts=None)],
        "The contacts of this deal have not arrived yet.",
    ),
    Reason.CONTACT_DETAILS: Planted(
        "103", [_naming("103", "won", "contacts", "77")],
        "The first contact (77) is known only by its id; name and email have not arrived yet.",
    ),
    Reason.COMPANY: Planted(
        "104", [deal("104", "company")],
        "The companies of this deal have not arrived yet.",
    ),
    Reason.COMPANY_DETAILS: Planted(
        "105", [_naming("105", "company", "companies", "77")],
        "The first company (77) is known only by its id; its name has not arrived yet.",
    ),
    Reason.PAYMENT_SETTLED: Planted(
        "200", [_payment("200", "one_time_or_initial", hs_latest_status="processing")],
        "The payment is still processing; it has not succeeded yet.",
    ),
    Reason.PAYMENT_STATUS: Planted(
        "217", [_payment("217", "one_time_or_initial", hs_latest_status=None)],
        "The status of this payment has not arrived yet.",
    ),
    Reason.STATUS_UNKNOWN: Planted(
        "218", [_payment("218", "one_time_or_initial", hs_latest_status="on_hold")],
        "HubSpot calls the payment “on_hold”, which does not say whether the money was collected.",
    ),
    Reason.PAYMENT_AMOUNT: Planted(
        "201", [_payment("201", "one_time_or_initial", hs_initial_amount=None)],
        "The amount of this payment has not arrived yet.",
    ),
    Reason.FEES: Planted(
        "202", [_payment("202", "fees")],
        "The fees of this payment have not arrived yet.",
    ),
    Reason.PARTIAL_REFUND: Planted(
        "203",
        [_payment("203", "refund", hs_latest_status="partially_refunded", hs_refunds_amount="40")],
        "40.00 of 100.00 was refunded. A refund receipt is made when all of it is.",
    ),
    Reason.REFUND_AMOUNT: Planted(
        "204", [_payment("204", "refund", hs_latest_status="refunded")],
        "The refunded amount has not arrived yet.",
    ),
    Reason.PROPERTY_UNKNOWN: Planted(
        "121", [deal("121", "unsaid")],
        "Whether a document is made depends on lost_reason, which the feed has not mentioned yet.",
    ),
    Reason.DELAY: Planted(
        "122", [deal("122", "later")],
        "It is to be created in us for 100.00 USD. "
        "The workflow waits 520 weeks after enrolment: until 2036-02-18 10:00 UTC.",
    ),
    Reason.ESTIMATE: Planted(
        "123", [deal("123", "both")],
        "It is to be created in us for 100.00 USD. "
        "The estimate of this deal is made first, so that the invoice can be linked to it.",
    ),
    Reason.BILLED_FIRST: Planted(
        "134", [deal("134", "unanswered")],
        "It is to be created in silent for 100.00 USD. "
        "Invoice of deal 134 is being made for the same sale.",
    ),
    Reason.NO_CONTACT: Planted(
        "106", [deal("106", "won", contacts=[])],
        "This deal has no contact, so there is no one to make the document out to.",
    ),
    Reason.NO_COMPANY: Planted(
        "124", [_naming("124", "company", "companies")],
        "This deal has no company, and the workflow takes the customer from the company.",
    ),
    Reason.CONTACT_INCOMPLETE: Planted(
        "107", [deal("107", "won", contacts=[("52", {"phone": "1"})])],
        "Contact 52 has neither a name nor an email address.",
    ),
    Reason.COMPANY_UNNAMED: Planted(
        "153", [_naming("153", "company", "companies", {"id": "78", "properties": {"name": None}})],
        "Company 78 has no name in HubSpot, and the customer would be called by it.",
    ),
    Reason.CONTACT_NOT_ELIGIBLE: Planted(
        "108",
        [deal("108", "plain", contacts=[("53", {"email": "l@x.org", "lifecyclestage": "lead"})])],
        "Contact “l@x.org” (53) does not match the contact sync filter of company plain.",
    ),
    Reason.NO_LINE_ITEMS: Planted(
        "109", [deal("109", "won", lines=[])],
        "This deal has no line items, so there is nothing to put on the document.",
    ),
    Reason.NO_PRICE: Planted(
        "152", [_of_line("152", "won", price=None, amount=None)],
        "Line item “Consulting” (1521) has no price in HubSpot.",
    ),
    Reason.TAXABLE_LINE: Planted(
        "205",
        [_payment("205", "one_time_or_initial", {**LINE, "hs_tax_amount": "8"},
                  hs_initial_amount="108")],
        "Line “Consulting” is taxable, and a paid invoice may hold only non-taxable lines.",
    ),
    Reason.BAD_NUMBER: Planted(
        "110", [_of_line("110", "won", amount="a lot")],
        "In HubSpot, amount of line item 1101 reads “a lot”, which is not an amount that QuickBooks "
        "can hold.",
    ),
    Reason.BAD_DATE: Planted(
        "215", [_payment("215", "one_time_or_initial", hs_initiated_date="9999-12-31")],
        "In HubSpot, hs_initiated_date of the payment reads “9999-12-31”, which is not a date "
        "between 2000 and 2099.",
    ),
    Reason.TOO_LARGE: Planted(
        "145", [_of_line("145", "won", quantity="90000000000", price="50", amount="")],
        "Line item 1451 comes to 4500000000000, which is more than QuickBooks can hold.",
    ),
    Reason.NEGATIVE_TOTAL: Planted(
        "111", [_of_line("111", "won", amount="-5", price="-5")],
        "The document would come to -5.00; QuickBooks takes no negative totals.",
    ),
    Reason.NEGATIVE_FEES: Planted(
        "216", [_payment("216", "fees", hs_fees_amount="-3.20")],
        "The fees of this payment are -3.20, and an expense can't give money back.",
    ),
    Reason.NEGATIVE_DISCOUNT: Planted(
        "219",
        [_payment("219", "one_time_or_initial", hs_initial_amount="110",
                  hs_order_discount_amount="-10")],
        "The order discount of this payment is -10.00, and a discount can't add to the bill.",
    ),
    Reason.AMOUNT_DISAGREES: Planted(
        "206", [_payment("206", "one_time_or_initial", hs_initial_amount="90")],
        "The payment is 90.00 but its lines, discounts and tax add up to 100.00.",
    ),
    Reason.QUOTE_AMOUNT: Planted(
        "300", [_quote("300", hs_quote_amount="90.00")],
        "The quote is 90.00 but its lines add up to 100.00: a discount, fee or tax of the whole quote "
        "is not read.",
    ),
    Reason.LINE_DISAGREES: Planted(
        "125", [_of_line("125", "won", quantity="3", amount="450.00")],
        "Line item “Consulting” (1251) is 450.00, but 3 × 100.00 less its discount is 300.00.",
    ),
    Reason.LINE_CURRENCY: Planted(
        "126", [deal("126", "won", properties={"deal_currency_code": "USD"},
                     lines=[("1", {**LINE, "hs_line_item_currency_code": "EUR"})])],
        "Line item “Consulting” (1) is in EUR, but the deal is in USD.",
    ),
    Reason.REFUND_EXCEEDS: Planted(
        "209", [_payment("209", "refund", hs_latest_status="refunded", hs_refunds_amount="140")],
        "140.00 was refunded of a payment of 100.00.",
    ),
    Reason.SOURCE_DELETED: Planted(
        "127", [deal("127", "won", contacts=None), _deleted("127")],
        "The deal was deleted in HubSpot before its document was made.",
    ),
    Reason.SOURCE_MERGED: Planted(
        "140", [deal("140", "won", contacts=None), _merged("140", into="141")],
        "The deal was merged into 141 in HubSpot before its document was made.",
    ),
    Reason.ALREADY_BILLED: Planted(
        "128", [deal("128", "twice")],
        "Invoice* of deal 128 already bills the sale that this belongs to.",
    ),
    Reason.WORKFLOW_OFF: Planted(
        "129", [deal("129", "stopped", contacts=None)],
        "Workflow “stopped” is turned off or gone.",
    ),
    Reason.COMPANY_NOT_US: Planted(
        "112", [deal("112", "canada")],
        "QuickBooks company ca is in CA; these actions are for US companies only.",
    ),
    Reason.COMPANY_UNKNOWN: Planted(
        "130", [deal("130", "former", contacts=None)],
        f"No workflow creates documents in QuickBooks company {FORMER} any more.",
    ),
    Reason.PRODUCT_NOT_FOUND: Planted(
        "113", [_of_line("113", "strict", name="Unheard of")],
        "Product “Unheard of” is not in QuickBooks, and this action does not create products.",
    ),
    Reason.PRODUCT_UNNAMED: Planted(
        "150", [_of_line("150", "won", name="")],
        "Line item no. 1, of 100.00, has neither a name nor a SKU.",
    ),
    Reason.PRODUCT_UNMAPPED: Planted(
        "151", [_of_line("151", "mapped", hs_product_id="1002")],
        "product_map gives HubSpot product “Consulting” (1002) no QuickBooks item that can be sold.",
    ),
    Reason.PRODUCT_INACTIVE: Planted(
        "114", [_of_line("114", "strict", name="Old thing", hs_sku="OLD")],
        "Product “Old thing”, SKU OLD is inactive in QuickBooks.",
    ),
    Reason.CUSTOMER_NOT_FOUND: Planted(
        "115", [deal("115", "walkin")],
        "Customer “Walk-in” is not in QuickBooks.",
    ),
    Reason.TERMS_NOT_FOUND: Planted(
        "116", [deal("116", "terms")],
        "Payment terms “Net 77” are not in QuickBooks.",
    ),
    Reason.ACCOUNT_NOT_FOUND: Planted(
        "208", [_payment("208", "account", hs_fees_amount="3.20")],
        "QuickBooks has no active account “Nothing like it” of type Expense or *.",
    ),
    Reason.LIST_ENTRY_NOT_FOUND: Planted(
        "117", [deal("117", "class")],
        "Class “Nowhere” is not in QuickBooks or not in use there.",
    ),
    Reason.CURRENCY_MISMATCH: Planted(
        "119", [deal("119", "won", properties={"deal_currency_code": "EUR"})],
        "The document is in EUR, but the company books in USD.",
    ),
    Reason.NO_TAX_AMOUNT: Planted(
        "136", [_of_line("136", "won", hs_tax_rate_group_id="7", hs_tax_amount="")],
        "Line item * is taxable, but HubSpot states no tax amount for it.",
    ),
    Reason.TAX_DISAGREES: Planted(
        "149", [_of_line("149", "won", hs_post_tax_amount="90.00")],
        "Line item “Consulting” (1491) is 100.00 before and 90.00 after tax.",
    ),
    Reason.SALES_TAX_OFF: Planted(
        "120", [_of_line("120", "plain", hs_tax_amount="8.00")],
        "The document carries 8.00 of sales tax, but sales tax is off in this QuickBooks company.",
    ),
    Reason.DISCOUNTS_OFF: Planted(
        "207",
        [_payment("207", "discounted", hs_initial_amount="90", hs_order_discount_amount="10")],
        "The document carries a discount, but discounts are off in this QuickBooks company.",
    ),
    Reason.BOOKS_CLOSED: Planted(
        "118", [deal("118", "closed")],
        "The document is dated 2026-03-02, and the books are closed through 2099-12-31.",
    ),
    Reason.REFUSED: Planted(
        "131", [deal("131", "offered")],
        "QuickBooks refused the document. It breaks a rule of QuickBooks. QuickBooks says: *",
    ),
    Reason.OTHER_CURRENCY: Planted(
        "139", [deal("139", "abroad", properties={"deal_currency_code": "EUR"})],
        "Customer “Old Friend” is kept in USD in QuickBooks, and the document is in EUR.",
    ),
    Reason.NO_EXCHANGE_RATE: Planted(
        "146", [deal("146", "unrated", properties={"deal_currency_code": "ISK"})],
        "QuickBooks has no exchange rate of ISK for 2026-03-02.",
    ),
    Reason.NAME_TAKEN: Planted(
        "132", [deal("132", "won", contacts=[GRACE])],
        "The customer “Grace Hopper” can't be created in QuickBooks: others bear the names "
        + ", ".join(f"“{name}”" for name in NAMES_OF_GRACE) + " already.",
    ),
}  # fmt: skip
REFUSALS = [each for each in FAULTS.values() if each.raises in (Refused, LookAgain)]
"""What a document ends blocked by, at once or after our picture was refreshed in vain."""

NEVER_SETTLED = (Reason.ESTIMATE, Reason.BILLED_FIRST)
"""Documents that wait for others, and are looked at again and again."""

TAX_OF_ITS_OWN = deal("133", "taxed", lines=[("1", {**LINE, "hs_tax_amount": "5.00"})])


@pytest.fixture(scope="module")
def service(new_service: NewService) -> WholeService:
    """The service after it has read everything planted, and was started anew with less to do."""
    companies = [f"{each}:CA:CAD" if each == CANADA else f"{each}:US:USD" for each in REALMS]
    whole = new_service(BEFORE, *companies)
    asyncio.run(_prepare(whole.sandbox))
    whole.start()
    at_once = [each for reason, each in PLANTED.items() if reason not in NEVER_SETTLED]
    whole.feed([TAX_OF_ITS_OWN, *(record for each in at_once for record in each.records)])
    whole.stop()
    whole.workflows.write_text(WORKFLOWS, encoding="utf-8")
    whole.start()
    for reason in NEVER_SETTLED:
        whole.produce(PLANTED[reason].records)
        whole.first(f"SELECT count(*) FROM documents WHERE reason = '{reason}'")
    return whole


async def _prepare(sandbox: Sandbox) -> None:
    old = await sandbox.enter_product(US, "Old thing", "OLD")
    await sandbox.admin("POST", f"edit/{US}/Item/{old['Id']}", {"Active": False})
    for name in NAMES_OF_GRACE:
        await sandbox.enter(US, "Vendor", {"DisplayName": name})
    trading = {"CurrencyPrefs": {"MultiCurrencyEnabled": True}}
    await sandbox.admin("POST", f"preferences/{TRADING}", trading)
    await sandbox.enter(TRADING, "Customer", {"DisplayName": "Old Friend"})
    await plan(sandbox, US, kind="fault", entity="Estimate", operation="create")
    await plan(sandbox, SILENT, kind="drop_before_commit", entity="Invoice")
    closing = {"AccountingInfoPrefs": {"BookCloseDate": "2099-12-31"}}
    await sandbox.admin("POST", f"preferences/{CLOSED}", closing)
    off = {"TaxPrefs": {"UsingSalesTax": False}, "SalesFormsPrefs": {"AllowDiscount": False}}
    await sandbox.admin("POST", f"preferences/{PLAIN}", off)
    await sandbox.admin("POST", "switches", {"honour_total_tax": False, "realm": TAXING})


@pytest.fixture(scope="module")
def explained(service: WholeService) -> dict[str, Sequence[ActionExplanation]]:
    """What is said of each planted object."""
    asked = [(each.records[0][0], each.object_id) for each in PLANTED.values()]

    async def explain() -> dict[str, Sequence[ActionExplanation]]:
        settings = Settings(**service.settings())  # type: ignore[arg-type]
        async with open_store(settings) as pool:
            operator = operator_over(pool, settings, load(WORKFLOWS))
            return {
                object_id: (await operator.explain(ObjectType(kind), object_id)).actions
                for kind, object_id in [*asked, ("deal", "133")]
            }

    return asyncio.run(explain())


@pytest.mark.parametrize("reason", PLANTED, ids=str)
def test_explain_names_the_cause(
    explained: dict[str, Sequence[ActionExplanation]], reason: Reason
) -> None:
    """Of its one document with that reason: what is the matter, and what to do about it."""
    planted = PLANTED[reason]
    actions = explained[planted.object_id]
    (told,) = [each for each in actions if each.reason == reason and each.document is not None]
    assert fnmatchcase(told.sentence, planted.sentence), told.sentence
    expected = ("blocked",) if reason in BLOCKED else ("waiting", "wanted")
    assert told.state in expected
    assert told.fix
    assert "{" not in told.sentence + told.fix


def test_every_reason_is_planted() -> None:
    """Whoever adds a reason that stops documents says here what causes it and what is read.

    Nothing is known to cause what is unforeseen (tests/unit/test_decide_odd_values.py makes it up), and
    a thousand changes are too many to be told here (tests/unit/test_decide_language.py).
    """
    assert PLANTED.keys() | {Reason.UNFORESEEN, Reason.UNCOUNTED} == WAITING.keys() | BLOCKED.keys()


@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: fault.code)
def test_each_fault_that_blocks_is_told_with_its_remedy(fault: FaultRule) -> None:
    """Whatever code QuickBooks refuses with: what it means, its own words, and what to do."""
    block = refusal(fault.raises(fault.sentence, fault.code, "Their words", remedy=fault.remedy))
    told = split(block.reason, block.detail)
    assert f"{fault.sentence} QuickBooks says: Their words" in told.sentence
    assert fault.code in told.sentence
    assert told.fix == fault.remedy


def test_documents_that_wait_for_their_time_are_not_late(service: WholeService) -> None:
    """A delay of years, and an estimate that is not made yet, do not make the service seem behind."""
    (wanted,) = [each for each in done(service, "status")["states"] if each["state"] == "wanted"]
    assert wanted["documents"] >= 3
    assert datetime.fromisoformat(wanted["oldest"]) > datetime.now(UTC) - timedelta(seconds=30)


def test_a_created_document_whose_total_differs_says_so(
    explained: dict[str, Sequence[ActionExplanation]],
) -> None:
    """QuickBooks computed another tax than HubSpot: both totals are told, and what to compare."""
    (told,) = [each for each in explained["133"] if each.reason == Reason.TOTAL_DIFFERS]
    assert told.state == "created"
    assert "QuickBooks made it 108.00 where HubSpot says 105.00." in told.sentence
    assert told.fix


def test_what_was_made_otherwise_is_on_the_first_page(service: WholeService) -> None:
    """It is neither blocked nor waiting, and still somebody must look at it."""
    (group,) = done(service, "status")["to_check"]
    assert (group["reason"], group["documents"]) == ("total_differs", 1)
    (cause,) = group["causes"]
    assert cause["fix"]
