"""HubSpot's rules R1 to R36 (docs/workflows.md), each shown through the whole service: Kafka in, books out.

One feed plants a case per rule, one service reads it, and each test looks at what came of its
case. Rules about the editor are shown on `reconciler check`.
"""

from __future__ import annotations

import asyncio
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reconciler.workflows import WorkflowErrors, load
from reconciler.workflows.check import check
from tests.snapshots import ADA, LINE, Facts, Record, deal, payment, snapshot
from tests.whole_service import NewService, WholeService
from tests.workflow_files import ACCOUNTS, among, deals_in, known, workflow, workflow_file

US, EAST, CANADA = "9341450000000011", "9341450000000012", "9341450000000013"

COMPANIES = {
    "us": {"realm_id": US, "defaults": ACCOUNTS},
    "east": {
        "realm_id": EAST,
        "contacts": "data_sync",
        "contact_filter": [among("lifecyclestage", "customer")],
    },
    "ca": {"realm_id": CANADA},
}
CHECKOUT = {"property": "dealname", "operator": "contains_any_of", "values": ["Checkout link"]}
SUCCEEDED = {"preset": "payment_succeeded"}
FIRST = among("hs_payment_type", "one_time_or_initial")
RECURRING = among("hs_payment_type", "recurring")

WORKFLOWS = workflow_file(
    COMPANIES,
    deals_in("closedwon", payment_terms="Net 30"),
    deals_in("strict", create_missing_products=False),
    deals_in("contractsent", "estimate"),
    workflow("paid deals", "deal", CHECKOUT, "sales_receipt"),
    deals_in("fixedproduct", product={"fixed": "Billable hours"}, create_missing_products=False),
    deals_in("east", company="east"),
    deals_in("canada", company="ca"),
    {**workflow("turned off", "deal", known("dealstage"), "invoice"), "enabled": False},
    workflow("signed", "quote", known("hs_esign_num_signers_completed"), "invoice"),
    workflow("approved", "quote", among("hs_status", "APPROVED"), "estimate"),
    workflow("paid quotes", "quote", among("hs_payment_status", "PAID"), "sales_receipt"),
    workflow("paid once", "payment", [SUCCEEDED, FIRST], "paid_invoice"),
    workflow("paid again", "payment", [SUCCEEDED, RECURRING], "sales_receipt"),
    workflow("fees", "payment", SUCCEEDED, "expense"),
    workflow("refunds", "payment", {"preset": "payment_refunded"}, "refund_receipt"),
)

TAXED = {**LINE, "hs_tax_amount": "8.00", "hs_tax_rate_group_id": "77"}


def _person(id_: str, first: str, last: str, **more: str) -> tuple[str, dict[str, str]]:
    email = f"{first}@{last}.org".lower()
    return id_, {"firstname": first, "lastname": last, "email": email, **more}


def _named(*products: str) -> list[tuple[str, dict[str, str]]]:
    return [(str(number), {**LINE, "name": name}) for number, name in enumerate(products)]


def _quote(id_: str, properties: dict[str, str]) -> Record:
    return "quote", snapshot(id_, properties, contacts=[ADA], lines=[(f"{id_}1", LINE)])


def _payment(id_: str, line: Facts = LINE, **properties: str) -> Record:
    return payment(id_, line, **{"hs_fees_amount": "3.20", "hs_refunds_amount": "0", **properties})


TICKET = (
    b'[{"subscriptionType":"ticket.creation","objectTypeId":"0-5","objectId":9,"portalId":4711,'
    b'"eventId":1,"occurredAt":1772445600000}]'
)

INVOICED = (
    b'{"subscriptionType":"object.associationChange","fromObjectTypeId":"0-101","fromObjectId":308,'
    b'"toObjectTypeId":"0-53","toObjectId":53,"associationTypeId":542,"associationRemoved":false,'
    b'"portalId":4711,"eventId":2,"occurredAt":1772445600000}'
)

FEED: list[Record] = [
    deal("100", "closedwon"),
    deal("101", "contractsent"),
    deal("102", "new", properties={"dealname": "Checkout link spring"}),
    deal("103", "canada"),
    deal("104", "strict", lines=_named("No such product"),
         contacts=[_person("61", "Never", "Created")]),
    deal("105", "closedwon",
         contacts=[_person("62", "Grace", "Hopper"), _person("63", "Second", "Contact")]),
    deal("106", "closedwon", contacts=[("52", {**ADA[1], "email": "other.ada@x.org"})]),
    deal("107", "east", contacts=[_person("64", "Not", "Eligible", lifecyclestage="lead")]),
    deal("108", "east", contacts=[_person("65", "Eli", "Gible", lifecyclestage="customer")]),
    deal("109", "closedwon", lines=[]),
    deal("110", "closedwon", lines=[("1101", {**LINE, "name": "Anything", "hs_sku": "HRS-1"})]),
    deal("111", "strict", lines=_named("Billable hours", "Missing")),
    deal("112", "fixedproduct", lines=_named("Whatever")),
    deal("113", "closedwon", lines=_named("Brand new product")),
    deal("114", "appointmentscheduled"),
    deal("115", "closedwon", contacts=[]),
    _quote("200", {"hs_title": "Signed", "hs_esign_num_signers_completed": "1"}),
    _quote("201", {"hs_title": "Approved", "hs_status": "APPROVED"}),
    _quote("202", {"hs_title": "Paid", "hs_payment_status": "PAID"}),
    _quote("203", {"hs_title": "Unsigned", "hs_status": "DRAFT"}),
    _payment("300"),
    _payment("301", TAXED, hs_initial_amount="108.00"),
    _payment("302", TAXED, hs_initial_amount="108.00", hs_payment_type="recurring"),
    _payment("303", hs_payment_source_app="INVOICE"),
    _payment("304", hs_payment_type="recurring", hs_has_associated_invoice="true"),
    _payment("305", hs_latest_status="refunded", hs_refunds_amount="100.00"),
    _payment("306", hs_latest_status="partially_refunded", hs_refunds_amount="40.00"),
    _payment("307", hs_processor_type="quickbooks"),
    ("payment", INVOICED),
    _payment("308"),
    ("deal", TICKET),
]  # fmt: skip


@pytest.fixture(scope="module")
def service(new_service: NewService) -> WholeService:
    """The service after it has read the whole feed; the US company knew Ada and hours already."""
    whole = new_service(WORKFLOWS, f"{US}:US:USD", f"{EAST}:US:USD", f"{CANADA}:CA:CAD")
    ada = {"DisplayName": "Ada Byron", "GivenName": "Ada", "FamilyName": "Byron",
           "PrimaryEmailAddr": {"Address": "ada@x.org"}}  # fmt: skip
    asyncio.run(whole.sandbox.enter(US, "Customer", ada))
    asyncio.run(whole.sandbox.enter_product(US, "Billable hours", "HRS-1"))
    whole.start()
    whole.feed(FEED)
    return whole


@pytest.fixture(scope="module")
def books(service: WholeService) -> dict[str, list[dict[str, Any]]]:
    """The US company's books."""
    return service.books(US)


@pytest.fixture(scope="module")
def ledger(service: WholeService) -> dict[tuple[str, str, str], tuple[str, str]]:
    """The ledger's states and reasons."""
    return service.ledger()


Books = dict[str, list[dict[str, Any]]]
Ledger = dict[tuple[str, str, str], tuple[str, str]]


def _of(books: Books, entity: str, kind: str, id_: str) -> list[dict[str, Any]]:
    return [row for row in books[entity] if f"HubSpot {kind} {id_}" in row.get("PrivateNote", "")]


def _total(row: dict[str, Any]) -> Decimal:
    return Decimal(str(row["TotalAmt"]))


def _sales_lines(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for line in row["Line"] if line["DetailType"] == "SalesItemLineDetail"]


def _problems(create: str, object_type: str = "deal", **choices: Any) -> str:
    """What is said of a file whose only workflow creates that from such an object."""
    text = workflow_file(COMPANIES, workflow("x", object_type, known("a"), create, **choices))
    with pytest.raises(WorkflowErrors) as caught:
        load(text)
    return "\n".join(problem.message for problem in caught.value.problems)


def test_r01_deals_and_quotes_make_invoices_estimates_and_sales_receipts(books: Books) -> None:
    """Each of the three documents comes from a deal and from a quote, once."""
    for entity, of_deal, of_quote in (
        ("Invoice", "100", "200"), ("Estimate", "101", "201"), ("SalesReceipt", "102", "202"),
    ):  # fmt: skip
        assert len(_of(books, entity, "deal", of_deal)) == 1
        assert len(_of(books, entity, "quote", of_quote)) == 1


def test_r02_payments_make_paid_invoices_receipts_expenses_and_refunds(books: Books) -> None:
    """Each of the four documents comes from a payment, once."""
    for entity, id_ in (
        ("Invoice", "300"), ("SalesReceipt", "302"), ("Purchase", "300"), ("RefundReceipt", "305"),
    ):  # fmt: skip
        assert len(_of(books, entity, "payment", id_)) == 1


def test_r03_other_objects_make_nothing(ledger: Ledger) -> None:
    """A ticket is not read; a workflow on one is a configuration error."""
    assert {kind for kind, _, _ in ledger} == {"deal", "quote", "payment"}
    assert "ticket" in _problems("invoice", "ticket")


def test_r04_no_hubspot_tier_is_needed(books: Books) -> None:
    """The service asks nothing about the portal's subscription: workflows are its own."""
    assert books["Invoice"]


def test_r05_a_company_outside_the_us_is_refused_with_that_reason(
    service: WholeService, ledger: Ledger
) -> None:
    """The Canadian company gets nothing, and the ledger says why."""
    assert ledger["deal", "103", "invoice"] == ("blocked", "company_not_us")
    assert not service.books(CANADA)["Invoice"]
    assert not service.books(CANADA)["Customer"]


def test_r06_a_document_that_fails_its_checks_leaves_nothing_behind(
    books: Books, ledger: Ledger
) -> None:
    """An unmatched product blocks the document, and its new customer was not created either."""
    assert ledger["deal", "104", "invoice"] == ("blocked", "product_not_found")
    assert not [row for row in books["Customer"] if row["DisplayName"].startswith("Never")]


def test_r07_a_contact_is_matched_by_first_name_last_name_and_email(books: Books) -> None:
    """The customer who was there before gets the invoice; the same name with another email is another."""
    known = next(row for row in books["Customer"] if row["DisplayName"] == "Ada Byron")
    assert _of(books, "Invoice", "deal", "100")[0]["CustomerRef"]["value"] == known["Id"]
    other = _of(books, "Invoice", "deal", "106")[0]["CustomerRef"]["value"]
    assert other != known["Id"]


def test_r08_a_contact_without_a_match_becomes_a_customer(books: Books) -> None:
    """Grace is created, once, with her address."""
    made = [row for row in books["Customer"] if row.get("FamilyName") == "Hopper"]
    assert [row["PrimaryEmailAddr"]["Address"] for row in made] == ["grace@hopper.org"]


def test_r09_the_first_associated_contact_counts(books: Books) -> None:
    """Of two contacts the first becomes the customer, the second is not created."""
    invoice = _of(books, "Invoice", "deal", "105")[0]
    grace = next(row for row in books["Customer"] if row.get("FamilyName") == "Hopper")
    assert invoice["CustomerRef"]["value"] == grace["Id"]
    assert not [row for row in books["Customer"] if row.get("FamilyName") == "Contact"]


def test_r10_in_data_sync_mode_only_eligible_contacts_are_used(service: WholeService) -> None:
    """The contact that passes the filter gets an invoice."""
    assert len(_of(service.books(EAST), "Invoice", "deal", "108")) == 1


def test_r11_an_ineligible_contact_means_no_invoice_and_no_customer(
    service: WholeService, ledger: Ledger
) -> None:
    """Nothing is created, and the ledger says why."""
    assert ledger["deal", "107", "invoice"] == ("blocked", "contact_not_eligible")
    assert not [
        row for row in service.books(EAST)["Customer"] if row.get("FamilyName") == "Eligible"
    ]


def test_r12_an_enrolment_wider_than_the_contact_filter_is_warned_of(tmp_path: Path) -> None:
    """`reconciler check` names the workflow whose enrolment lets ineligible contacts in."""
    path = tmp_path / "workflows.yaml"
    path.write_text(WORKFLOWS, encoding="utf-8")
    output = io.StringIO()
    assert check(path, Console(file=output, width=200)) == 0
    assert "contact filter" in output.getvalue() or "contact_filter" in output.getvalue()


def test_r13_without_line_items_there_is_no_document(books: Books, ledger: Ledger) -> None:
    """A deal whose list of line items is empty is blocked."""
    assert ledger["deal", "109", "invoice"] == ("blocked", "no_line_items")
    assert not _of(books, "Invoice", "deal", "109")


def test_r14_line_items_are_matched_to_items(books: Books) -> None:
    """The line with a known SKU uses that item, whatever the line is called."""
    item = next(row for row in books["Item"] if row.get("Sku") == "HRS-1")
    (line,) = _sales_lines(_of(books, "Invoice", "deal", "110")[0])
    assert line["SalesItemLineDetail"]["ItemRef"]["value"] == item["Id"]


def test_r15_one_unmatched_line_refuses_the_whole_document(books: Books, ledger: Ledger) -> None:
    """The line that would match is not written alone."""
    assert ledger["deal", "111", "invoice"] == ("blocked", "product_not_found")
    assert not _of(books, "Invoice", "deal", "111")


def test_r16_a_line_with_the_item_s_name_needs_no_sku(books: Books) -> None:
    """Products synchronised from QuickBooks match by name alone; none is made twice."""
    assert len([row for row in books["Item"] if row["Name"] == "Consulting"]) == 1


def test_r17_an_action_is_one_of_the_known_ones() -> None:
    """Any other word is an error that lists what may be written."""
    assert "invoice" in _problems("bill")


def test_r18_each_action_names_its_company(service: WholeService) -> None:
    """A document is written in the company its action names and in no other."""
    assert not _of(service.books(EAST), "Invoice", "deal", "100")
    assert "company" in _problems("invoice", company=None)


def test_r19_payment_terms_belong_to_invoices_only(books: Books) -> None:
    """The invoice carries Net 30 and its due date; terms on an estimate are an error."""
    invoice = _of(books, "Invoice", "deal", "100")[0]
    term = next(row for row in books["Term"] if row["Id"] == invoice["SalesTermRef"]["value"])
    assert term["Name"] == "Net 30"
    assert "payment_terms" in _problems("estimate", payment_terms="Net 30")


def test_r20_the_product_may_be_a_fixed_one(books: Books) -> None:
    """With a fixed product every line uses it."""
    hours = next(row for row in books["Item"] if row["Name"] == "Billable hours")
    (line,) = _sales_lines(_of(books, "Invoice", "deal", "112")[0])
    assert line["SalesItemLineDetail"]["ItemRef"]["value"] == hours["Id"]


def test_r21_missing_products_are_created_where_the_action_says_so(books: Books) -> None:
    """Yes creates the product and then the document; no blocks (R15)."""
    assert [row["Name"] for row in books["Item"] if row["Name"] == "Brand new product"]
    assert len(_of(books, "Invoice", "deal", "113")) == 1


def test_r22_a_workflow_that_is_off_does_nothing(ledger: Ledger) -> None:
    """The deal that only the disabled workflow would enrol is not in the ledger."""
    assert not [key for key in ledger if key[1] == "114"]


@pytest.mark.parametrize(
    ("kind", "object_id", "action"),
    [("deal", "100", "invoice"), ("payment", "300", "paid_invoice")],
)
def test_r23_the_document_is_linked_to_its_object(
    service: WholeService, books: Books, kind: str, object_id: str, action: str
) -> None:
    """The outcome names both, and the document's private note names the object."""
    invoice = _of(books, "Invoice", kind, object_id)[0]
    (outcome,) = [
        each for each in service.outcomes()
        if (each["kind"], each["object_type"], each["object_id"], each["action"])
        == ("created", kind, object_id, action)
    ]  # fmt: skip
    assert outcome["quickbooks_id"] == invoice["Id"]
    assert outcome["document_number"] == invoice["DocNumber"]
    assert outcome["realm_id"] == US


def test_r24_quotes_with_a_completed_signature_are_enrolled(ledger: Ledger) -> None:
    """`is known` on the e-sign field enrols the signed quote and not the unsigned one."""
    assert ledger["quote", "200", "invoice"][0] == "created"
    assert ("quote", "203", "invoice") not in ledger


def test_r25_deals_named_after_a_payment_link_are_enrolled(ledger: Ledger) -> None:
    """`contains any of` on the deal name enrols, whatever the stage."""
    assert ledger["deal", "102", "sales_receipt"][0] == "created"


def test_r26_every_operator_of_the_editor_is_known() -> None:
    """Filters with the operators that the article uses load."""
    enrol = [
        known("a"),
        {"property": "b", "operator": "contains_any_of", "values": ["x"]},
        {"property": "c", "operator": "is_none_of", "values": ["y"]},
        {"property": "d", "operator": "is_not_equal_to", "value": "z"},
    ]
    file = load(workflow_file(COMPANIES, workflow("x", "deal", [enrol], "invoice")))
    assert file.workflows[0].name == "x"


def test_r27_payments_of_hubspot_are_enough(ledger: Ledger) -> None:
    """A payment processed by HubSpot needs no set-up here."""
    assert ledger["payment", "300", "paid_invoice"][0] == "created"


def test_r28_a_paid_invoice_is_paid_and_refuses_taxable_lines(books: Books, ledger: Ledger) -> None:
    """The invoice has balance zero and one payment; one taxable line refuses the whole."""
    invoice = _of(books, "Invoice", "payment", "300")[0]
    assert Decimal(str(invoice["Balance"])) == 0
    assert [link["TxnType"] for link in invoice["LinkedTxn"]] == ["Payment"]
    assert ledger["payment", "301", "paid_invoice"] == ("blocked", "taxable_line")
    assert not _of(books, "Invoice", "payment", "301")


def test_r29_a_sales_receipt_may_have_taxable_lines(books: Books) -> None:
    """The receipt's total is the payment, tax included, to the cent."""
    receipt = _of(books, "SalesReceipt", "payment", "302")[0]
    assert _total(receipt) == Decimal("108.00")
    assert Decimal(str(receipt["TxnTaxDetail"]["TotalTax"])) == Decimal("8.00")


def test_r30_paid_invoices_exist_only_for_payments() -> None:
    """A paid invoice from a deal is an error that says what to write instead."""
    assert "invoice" in _problems("paid_invoice")


def test_r31_payments_against_invoices_make_no_second_sale(books: Books) -> None:
    """Neither an invoice nor a receipt, also with no such filter written; their fees still count."""
    for id_ in ("303", "304", "308"):
        assert not _of(books, "Invoice", "payment", id_)
        assert not _of(books, "SalesReceipt", "payment", id_)
        assert len(_of(books, "Purchase", "payment", id_)) == 1


def test_r31_payments_that_quickbooks_processed_make_nothing(ledger: Ledger) -> None:
    """The sale and the fee are in the books already: no document of either is recorded."""
    assert not [key for key in ledger if key[1] == "307"]


def test_r32_payment_actions_take_no_terms(books: Books) -> None:
    """Terms on a paid invoice are an error, and the one made has none."""
    assert "SalesTermRef" not in _of(books, "Invoice", "payment", "300")[0]
    assert "payment_terms" in _problems("paid_invoice", "payment", payment_terms="Net 30")


def test_r33_an_expense_names_its_accounts(books: Books) -> None:
    """Paid from the bank account, booked on the expense account that the file names."""
    purchase = _of(books, "Purchase", "payment", "300")[0]
    accounts = {row["Id"]: row["Name"] for row in books["Account"]}
    (line,) = purchase["Line"]
    detail = line["AccountBasedExpenseLineDetail"]
    assert accounts[purchase["AccountRef"]["value"]] == "Checking"
    assert accounts[detail["AccountRef"]["value"]] == "Merchant Fees"


def test_r34_an_expense_is_the_fee_and_not_the_payment(books: Books) -> None:
    """Its amount is hs_fees_amount."""
    assert _total(_of(books, "Purchase", "payment", "300")[0]) == Decimal("3.20")


def test_r35_only_a_full_refund_makes_a_refund_receipt(books: Books, ledger: Ledger) -> None:
    """The full refund is booked over the whole payment; the partial one waits and is shown."""
    assert _total(_of(books, "RefundReceipt", "payment", "305")[0]) == Decimal("100.00")
    assert ledger["payment", "306", "refund_receipt"] == ("waiting", "partial_refund")
    assert not _of(books, "RefundReceipt", "payment", "306")


def test_r36_a_refund_receipt_names_the_account_it_is_paid_from(books: Books) -> None:
    """DepositToAccountRef is the account of the file's defaults."""
    accounts = {row["Id"]: row["Name"] for row in books["Account"]}
    receipt = _of(books, "RefundReceipt", "payment", "305")[0]
    assert accounts[receipt["DepositToAccountRef"]["value"]] == "Undeposited Funds"


def test_reading_the_topics_again_from_the_beginning_creates_nothing(service: WholeService) -> None:
    """A new consumer group reads everything anew: books and ledger stay as they are."""
    before = [service.books(realm) for realm in (US, EAST)], service.ledger()
    outcomes = len(service.outcomes())
    service.stop()
    service.group = f"{service.prefix}-again"
    service.start()
    service.settle()
    assert ([service.books(realm) for realm in (US, EAST)], service.ledger()) == before
    assert len(service.outcomes()) == outcomes
