"""What an operator does, through the command line of a running service: explain, retry, re-drive.

One feed plants an object for each reason why a document waits or is blocked; the service settles
them; `explain` must name each cause in words, with the fix.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from reconciler.assembly import open_store, operator_over
from reconciler.model import ObjectType
from reconciler.operator.views import Explanation
from reconciler.reasons import WORDS, Reason
from reconciler.settings import Settings
from reconciler.workflows import load
from tests.command import command, done
from tests.sandbox_process import Sandbox
from tests.snapshots import LINE, Facts, Record, deal, payment
from tests.whole_service import NewService, WholeService
from tests.workflow_files import ACCOUNTS, among, deals_in, known, workflow, workflow_file

US, CANADA, CLOSED, PLAIN = (f"93414500000001{n}" for n in range(21, 25))


def _payments(kind: str, create: str, **choices: str) -> dict[str, object]:
    return workflow(kind, "payment", among("hs_payment_type", kind), create, **choices)


WORKFLOWS = workflow_file(
    {
        "us": {"realm_id": US, "defaults": ACCOUNTS},
        "ca": {"realm_id": CANADA},
        "closed": {"realm_id": CLOSED},
        "plain": {
            "realm_id": PLAIN,
            "contacts": "data_sync",
            "contact_filter": [among("lifecyclestage", "customer")],
        },
    },
    deals_in("won", name="invoice"),
    deals_in("strict", create_missing_products=False),
    deals_in("company", customer="company"),
    deals_in("walkin", customer={"fixed": "Walk-in"}),
    deals_in("terms", payment_terms="Net 77"),
    deals_in("class", **{"class": "Nowhere"}),
    deals_in("canada", company="ca"),
    deals_in("closed", company="closed"),
    deals_in("plain", company="plain"),
    {**workflow("off", "deal", known("dealstage"), "estimate"), "enabled": False},
    _payments("one_time_or_initial", "paid_invoice"),
    _payments("discounted", "paid_invoice", company="plain"),
    _payments("fees", "expense"),
    _payments("account", "expense", expense_account="Nothing like it"),
    _payments("refund", "refund_receipt"),
)


def _ids_only(id_: str, stage: str, name: str) -> Record:
    """A deal whose associated objects of that name are known by their ids alone."""
    kind, value = deal(id_, stage)
    body = json.loads(value)
    body["associations"][name] = {"results": [{"id": "77", "type": "x"}]}
    return kind, json.dumps(body).encode()


def _payment(id_: str, kind: str, line: Facts = LINE, **properties: str | None) -> Record:
    return payment(id_, line, hs_payment_type=kind, **properties)


PLANTED: dict[Reason, tuple[str, Record]] = {
    Reason.LINE_ITEMS: ("100", deal("100", "won", lines=None)),
    Reason.LINE_ITEM_DETAILS: ("101", _ids_only("101", "won", "line items")),
    Reason.CONTACT: ("102", deal("102", "won", contacts=None)),
    Reason.CONTACT_DETAILS: ("103", _ids_only("103", "won", "contacts")),
    Reason.COMPANY: ("104", deal("104", "company")),
    Reason.COMPANY_DETAILS: ("105", _ids_only("105", "company", "companies")),
    Reason.NO_CONTACT: ("106", deal("106", "won", contacts=[])),
    Reason.CONTACT_INCOMPLETE: ("107", deal("107", "won", contacts=[("52", {"phone": "1"})])),
    Reason.CONTACT_NOT_ELIGIBLE: (
        "108",
        deal("108", "plain", contacts=[("53", {"email": "l@x.org", "lifecyclestage": "lead"})]),
    ),
    Reason.NO_LINE_ITEMS: ("109", deal("109", "won", lines=[])),
    Reason.BAD_NUMBER: ("110", deal("110", "won", lines=[("1", {**LINE, "amount": "a lot"})])),
    Reason.NEGATIVE_TOTAL: ("111", deal("111", "won", lines=[("1", {**LINE, "amount": "-5"})])),
    Reason.COMPANY_NOT_US: ("112", deal("112", "canada")),
    Reason.PRODUCT_NOT_FOUND: (
        "113", deal("113", "strict", lines=[("1", {**LINE, "name": "Unheard of"})])
    ),
    Reason.PRODUCT_INACTIVE: (
        "114", deal("114", "strict", lines=[("1", {**LINE, "name": "Old thing", "hs_sku": "OLD"})])
    ),
    Reason.CUSTOMER_NOT_FOUND: ("115", deal("115", "walkin")),
    Reason.TERMS_NOT_FOUND: ("116", deal("116", "terms")),
    Reason.LIST_ENTRY_NOT_FOUND: ("117", deal("117", "class")),
    Reason.BOOKS_CLOSED: ("118", deal("118", "closed")),
    Reason.CURRENCY_MISMATCH: (
        "119", deal("119", "won", properties={"deal_currency_code": "EUR"})
    ),
    Reason.SALES_TAX_OFF: (
        "120", deal("120", "plain", lines=[("1", {**LINE, "hs_tax_amount": "8.00"})])
    ),
    Reason.PAYMENT_SETTLED: ("200", _payment("200", "one_time_or_initial", hs_latest_status="processing")),
    Reason.PAYMENT_AMOUNT: ("201", _payment("201", "one_time_or_initial", hs_initial_amount=None)),
    Reason.FEES: ("202", _payment("202", "fees")),
    Reason.PARTIAL_REFUND: (
        "203",
        _payment("203", "refund", hs_latest_status="partially_refunded", hs_refunds_amount="40.00"),
    ),
    Reason.REFUND_AMOUNT: ("204", _payment("204", "refund", hs_latest_status="refunded")),
    Reason.TAXABLE_LINE: (
        "205",
        _payment("205", "one_time_or_initial", {**LINE, "hs_tax_amount": "8.00"},
                 hs_initial_amount="108.00"),
    ),
    Reason.AMOUNT_DISAGREES: (
        "206", _payment("206", "one_time_or_initial", hs_initial_amount="90.00")
    ),
    Reason.DISCOUNTS_OFF: (
        "207",
        _payment("207", "discounted", hs_initial_amount="90.00", hs_order_discount_amount="10.00"),
    ),
    Reason.ACCOUNT_NOT_FOUND: ("208", _payment("208", "account", hs_fees_amount="3.20")),
}  # fmt: skip

UNREADABLE = b'{"id": "900", "properties": {"dealstage": "won"'


@pytest.fixture(scope="module")
def service(new_service: NewService) -> WholeService:
    """The service after it has read everything planted."""
    realms = {US: "US:USD", CANADA: "CA:CAD", CLOSED: "US:USD", PLAIN: "US:USD"}
    whole = new_service(WORKFLOWS, *map(":".join, realms.items()))
    asyncio.run(_prepare(whole.sandbox))
    whole.start()
    good = [deal("300", "won"), deal("301", "elsewhere"), ("deal", UNREADABLE)]
    whole.feed([*(record for _, record in PLANTED.values()), *good])
    return whole


@pytest.fixture(scope="module")
def explained(service: WholeService) -> dict[Reason, Explanation]:
    """What is said of each planted object, before anything is mended."""

    async def explain() -> dict[Reason, Explanation]:
        settings = Settings(**service.settings())  # type: ignore[arg-type]
        async with open_store(settings) as pool:
            operator = operator_over(pool, settings, load(WORKFLOWS))
            return {
                reason: await operator.explain(ObjectType(kind), object_id)
                for reason, (object_id, (kind, _)) in PLANTED.items()
            }

    return asyncio.run(explain())


async def _prepare(sandbox: Sandbox) -> None:
    old = await sandbox.enter_product(US, "Old thing", "OLD")
    await sandbox.admin("POST", f"edit/{US}/Item/{old['Id']}", {"Active": False})
    closing = {"AccountingInfoPrefs": {"BookCloseDate": "2099-12-31"}}
    await sandbox.admin("POST", f"preferences/{CLOSED}", closing)
    off = {"TaxPrefs": {"UsingSalesTax": False}, "SalesFormsPrefs": {"AllowDiscount": False}}
    await sandbox.admin("POST", f"preferences/{PLAIN}", off)


@pytest.mark.parametrize("reason", PLANTED, ids=str)
def test_explain_names_the_cause(explained: dict[Reason, Explanation], reason: Reason) -> None:
    """For one object of each reason: the reason, a sentence without placeholders, and the fix."""
    found = explained[reason]
    told = [each for each in found.actions if each.state in ("blocked", "waiting")]
    assert [each.reason for each in told] == [reason], found.actions
    assert told[0].sentence
    assert "{" not in told[0].sentence + told[0].fix
    assert bool(told[0].fix) == bool(WORDS[reason].fix)
    assert told[0].fix not in told[0].sentence or not told[0].fix


def test_every_reason_is_planted() -> None:
    """A reason left out is one that this feed can't cause; new ones must be added to either."""
    elsewhere = {
        Reason.PROPERTY_UNKNOWN, Reason.DELAY, Reason.ESTIMATE, Reason.NO_COMPANY,
        Reason.LINE_DISAGREES, Reason.LINE_CURRENCY, Reason.REFUND_EXCEEDS, Reason.SOURCE_DELETED,
        Reason.ALREADY_BILLED, Reason.WORKFLOW_OFF, Reason.COMPANY_UNKNOWN, Reason.TOTAL_DIFFERS,
        Reason.REFUSED, Reason.AMBIGUOUS,
    }  # fmt: skip
    reasons = list(Reason)
    stopping = set(reasons[: reasons.index(Reason.AMBIGUOUS) + 1])
    assert stopping == set(PLANTED) | elsewhere


def test_explain_says_what_exists_and_why_others_are_not_wanted(service: WholeService) -> None:
    """A created invoice with its link; filters that do not hold with what they see; one turned off."""
    found = done(service, "explain", "deal", "300")
    by_workflow = {each["workflow"]: each for each in found["actions"]}
    created = by_workflow["invoice"]
    assert created["state"] == "created"
    assert created["document"]["quickbooks_url"].startswith("https://")
    strict = by_workflow["strict"]
    assert strict["reason"] == "no_match"
    assert "“won”" in strict["sentence"]
    assert by_workflow["off"]["reason"] == "workflow_off"
    kinds = {entry["kind"] for entry in found["timeline"]}
    assert {"change", "decision"} <= kinds


def test_explain_of_an_unknown_object_says_so(service: WholeService) -> None:
    """Exit status 1 and a sentence about what to check."""
    answer = command(service, "explain", "deal", "999999")
    assert answer.status == 1
    assert "No change of deal 999999" in answer.output


def test_a_document_shows_its_operations_and_events(service: WholeService) -> None:
    """Request id and intuit_tid of every write, and the event that was published."""
    page = done(service, "documents", "--object", "300")
    number = page["documents"][0]["document_id"]
    view = done(service, "document", str(number))
    assert view["operations"][0]["request_id"]
    assert view["operations"][0]["tid"]
    assert "created" in [each["kind"] for each in view["outcomes"]]
    text = command(service, "document", str(number)).output
    assert view["operations"][0]["request_id"] in text


def test_documents_are_found_by_name_customer_and_number(service: WholeService) -> None:
    """The text search finds created ones by customer, and stopped ones by the deal's name."""
    created = done(service, "documents", "--text", "Ada Byr", "--state", "created")
    assert "300" in [each["key"]["object_id"] for each in created["documents"]]
    stopped = done(service, "documents", "--text", "deal 106")
    assert [each["key"]["object_id"] for each in stopped["documents"]] == ["106"]
    first = done(service, "documents", "--limit", "2")
    second = done(service, "documents", "--limit", "2", "--after", str(first["next_page"]))
    ids = [each["document_id"] for each in first["documents"] + second["documents"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 4


def test_retry_after_the_product_was_created_makes_the_document(service: WholeService) -> None:
    """Without a restart, and at once, however recently the lists were read."""
    asyncio.run(service.sandbox.enter_product(US, "Unheard of", "NEW"))
    found = done(service, "retry", "--reason", "product_not_found", "--by", "ada")
    assert list(found["changed"].values()) == ["wanted"]
    service.settle()
    told = done(service, "explain", "deal", "113")
    by_workflow = {each["workflow"]: each for each in told["actions"]}
    assert by_workflow["strict"]["state"] == "created", by_workflow["strict"]
    assert "retry by ada" in [entry["title"] for entry in told["timeline"]]
    assert (
        len([row for row in service.books(US)["Invoice"] if "deal 113" in row["PrivateNote"]]) == 1
    )


def test_a_retry_of_what_is_not_mended_blocks_again_with_the_same_reason(
    service: WholeService,
) -> None:
    """Nothing is left behind, and the cause is told anew."""
    before = service.books(US)
    done(service, "retry", *_ids(service, "116"))
    service.settle()
    told = done(service, "explain", "deal", "116")
    assert "terms_not_found" in [each["reason"] for each in told["actions"]]
    assert service.books(US)["Customer"] == before["Customer"]


def test_a_dismissed_document_stays_away_until_it_is_retried(service: WholeService) -> None:
    """A new change of its object does not bring it back; a retry does."""
    number = _ids(service, "109")[0]
    done(service, "dismiss", number, "--why", "entered by hand", "--by", "grace")
    service.feed([deal("109", "won", at="2026-03-03T10:00:00.000Z")])
    assert service.ledger()["deal", "109", "invoice"] == ("dismissed", "dismissed")
    told = done(service, "explain", "deal", "109")["actions"][0]
    assert "entered by hand" in told["sentence"]
    done(service, "retry", number)
    service.settle()
    assert service.ledger()["deal", "109", "invoice"][0] == "created"


def test_what_exists_can_be_neither_retried_nor_dismissed(service: WholeService) -> None:
    """Exit status 1, with the reason; the document stays as it is."""
    number = _ids(service, "300")[0]
    for arguments in (("retry", number), ("dismiss", number, "--why", "x")):
        answer = command(service, *arguments)
        assert answer.status == 1
        assert "in QuickBooks already" in answer.output
    assert service.ledger()["deal", "300", "invoice"][0] == "created"


def _ids(service: WholeService, object_id: str) -> list[str]:
    page = done(service, "documents", "--object", object_id)
    return [str(each["document_id"]) for each in page["documents"]]


def test_a_dead_letter_is_redriven_after_a_fix(service: WholeService) -> None:
    """It stays while it can't be understood; once it can, its object's document is created.

    The decoder's fix is played by mending the record's bytes where they are kept.
    """
    page = done(service, "dead-letters", "list")
    number = str(page["dead_letters"][0]["dead_letter_id"])
    refused = command(service, "dead-letters", "re-drive", number)
    assert refused.status == 1
    assert "still can't be understood" in refused.output
    mended = deal("900", "won")[1]
    service.sql(
        "UPDATE dead_letters SET record_value = $1 WHERE dead_letter_id = $2", mended, int(number)
    )
    assert done(service, "dead-letters", "show", number)["now"] == ""
    found = done(service, "dead-letters", "re-drive", number)
    assert found["changed"] == {number: "re-driven"}
    service.settle()
    assert service.ledger()["deal", "900", "invoice"][0] == "created"
    assert done(service, "dead-letters", "list")["dead_letters"] == []
    again = command(service, "dead-letters", "re-drive", number)
    assert again.status == 1
    assert "resolved already" in again.output


def test_status_blocked_and_export_agree_with_the_ledger(service: WholeService) -> None:
    """Counts by state are the ledger's, every blocked cause has a sentence, CSV has every row."""
    ledger = service.ledger()
    view = done(service, "status")
    states = {each["state"]: each["documents"] for each in view["states"]}
    for state in ("created", "blocked", "waiting"):
        assert states.get(state, 0) == sum(found[0] == state for found in ledger.values())
    groups = done(service, "blocked")
    assert sum(group["documents"] for group in groups) == states["blocked"]
    assert all(cause["sentence"] for group in groups for cause in group["causes"])
    rows = command(service, "export").output.splitlines()
    assert len(rows) == len(ledger) + 1
    assert "Blocked" in command(service, "status").output


def test_doctor_names_what_the_workflows_get_wrong(service: WholeService) -> None:
    """Terms, accounts and customers that are not there, the Canadian company; exit status 1."""
    answer = command(service, "doctor", "--json")
    assert answer.status == 1, answer.errors
    problems = [each for each in answer.json if each["grade"] == "problem"]
    texts = " ".join(each["text"] for each in problems)
    for cause in ("Net 77", "Nothing like it", "Walk-in", "Nowhere", "only US companies"):
        assert cause in texts, texts
    assert all(each["fix"] for each in problems)
    fine = {each["subject"] for each in answer.json if each["grade"] == "ok"}
    assert {"Postgres", "schema", "Kafka", "company us"} <= fine


def test_amounts_are_exact_in_json(service: WholeService) -> None:
    """A total is a number with its cents."""
    page = done(service, "documents", "--object", "300")
    assert Decimal(str(page["documents"][0]["total"])) == Decimal("100.00")
