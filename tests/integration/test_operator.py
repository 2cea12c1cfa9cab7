"""What an operator does, through the command line of a running service: explain, retry, re-drive."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from streams.connection import KafkaConnection
from tests.command import command, done
from tests.feed import producer
from tests.snapshots import LINE, deal
from tests.whole_service import NewService, WholeService
from tests.workflow_files import ACCOUNTS, deals_in, known, workflow, workflow_file

US, CANADA = "9341450000000121", "9341450000000122"

WORKFLOWS = workflow_file(
    {"us": {"realm_id": US, "defaults": ACCOUNTS}, "ca": {"realm_id": CANADA}},
    deals_in("won", name="invoice"),
    deals_in("strict", create_missing_products=False),
    deals_in("terms", payment_terms="Net 77"),
    deals_in("twice"),
    deals_in("twice", "sales_receipt", name="twice again"),
    deals_in("walkin", customer={"fixed": "Walk-in"}),
    deals_in("class", **{"class": "Nowhere"}),
    deals_in("canada", company="ca"),
    workflow(
        "fees", "payment", known("hs_fees_amount"), "expense", expense_account="Nothing like it"
    ),
    {**workflow("off", "deal", known("dealstage"), "estimate"), "enabled": False},
)
STOPPED = [
    deal("106", "won", contacts=[]),
    deal("109", "won", lines=[]),
    deal("113", "strict", lines=[("1", {**LINE, "name": "Unheard of"})]),
    deal("116", "terms"),
    deal("120", "twice"),
]
UNREADABLE = b'{"id": "900", "properties": {"dealstage": "won"'


@pytest.fixture(scope="module")
def service(new_service: NewService) -> WholeService:
    """The service after it has read what is stopped, what is good, and what can't be read."""
    whole: WholeService = new_service(WORKFLOWS, f"{US}:US:USD", f"{CANADA}:CA:CAD")
    whole.start()
    whole.feed([*STOPPED, deal("300", "won"), deal("301", "elsewhere"), ("deal", UNREADABLE)])
    return whole


def test_explain_says_what_exists_and_why_others_are_not_wanted(service: WholeService) -> None:
    """A created invoice with its link; filters that do not hold with what they see; one turned off."""
    found = done(service, "explain", "deal", "300")
    by_workflow = {each["workflow"]: each for each in found["actions"]}
    created = by_workflow["invoice"]
    assert created["state"] == "created"
    assert " USD is in " in created["sentence"]
    assert created["document"]["quickbooks_url"].startswith("https://")
    strict = by_workflow["strict"]
    assert strict["reason"] == "no_match"
    assert "“won”" in strict["sentence"]
    assert by_workflow["off"]["reason"] == "workflow_off"
    kinds = {entry["kind"] for entry in found["timeline"]}
    assert {"change", "decision"} <= kinds


def test_explain_of_an_unknown_object_says_so(service: WholeService) -> None:
    """Exit status 1 and a sentence about what to check, the dead letters of its topic among it."""
    answer = command(service, "explain", "deal", "999999")
    assert answer.status == 1
    assert "No change of deal 999999" in answer.output
    assert "could not be understood: reconciler dead-letters list" in answer.output
    quote = command(service, "explain", "quote", "999999")
    assert "No change of quote 999999" in quote.output
    assert "understood" not in quote.output, "only its own topic counts"


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
    assert "after 1 attempt," in text


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


def test_a_sale_that_is_billed_already_is_billed_anyway_if_a_person_says_so(
    service: WholeService,
) -> None:
    """A retry blocks it again with the same reason; one with --bill-anyway makes it."""
    place = ("deal", "120", "sales_receipt")
    assert service.ledger()[place] == ("blocked", "already_billed")
    (number,) = [
        str(each["document_id"])
        for each in done(service, "documents", "--object", "120")["documents"]
        if each["state"] == "blocked"
    ]
    for options, expected in (
        ((), ("blocked", "already_billed")),
        (("--bill-anyway",), ("created", "")),
    ):
        done(service, "retry", number, *options)
        service.settle()
        assert service.ledger()[place] == expected


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


def test_a_dead_letter_may_have_a_header_without_a_value(service: WholeService) -> None:
    """Kafka lets a header's value be null: the record can be looked at and re-driven like others."""
    connection = KafkaConnection(service.environment.kafka)

    async def write() -> None:
        async with producer(connection) as client:
            topic = service.topics["deal"]
            await client.send_and_wait(topic, UNREADABLE, headers=[("empty", None)])

    asyncio.run(write())
    service.settle()
    letter = done(service, "dead-letters", "list")["dead_letters"][-1]
    number = str(letter["dead_letter_id"])
    assert done(service, "dead-letters", "show", number)["headers"] == [["empty", ""]]
    refused = command(service, "dead-letters", "re-drive", number)
    assert "still can't be understood" in refused.output
    done(service, "dead-letters", "dismiss", number, "--why", "tried")


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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("replay", "--workflow", "Nope"), "there is no workflow 'Nope'; the file has invoice"),
        (("replay", "--object", "zzz"), "--object zzz: HubSpot ids are numbers"),
        (("replay", "--since", "2026-11-02", "--offsets", "{deal}:0:1"), "choose --offsets, or"),
        (("replay", "--offsets", "{deal}:0:9:1"), "FROM is after TO"),
        (("replay", "--offsets", "{deal}:0:0:1", "--offsets", "{deal}:0:2:3"), "is named twice"),
        (
            ("replay", "--since", "2026-03-02", "--until", "2026-03-01"),
            "--until 2026-03-01T00:00:00 is not after --since 2026-03-02T00:00:00",
        ),
        (("dismiss", "1", "--why", " "), "--why"),
        *(
            ((*words, "99999999999999999999"), "less than or equal to")
            for words in [
                ("document",),
                ("retry",),
                ("dismiss", "--why", "x"),
                ("documents", "--after"),
                ("explain", "deal", "1", "--portal"),
                ("dead-letters", "show"),
                ("dead-letters", "list", "--after"),
                ("dead-letters", "re-drive"),
                ("dead-letters", "dismiss", "--why", "x"),
            ]
        ),
        (("dead-letters", "dismiss", "1", "--why", ""), "--why"),
        (("documents", "--reason", "bogus"), "product_not_found"),
        (("documents", "--company", "bogus"), "us, ca"),
        (("documents", "--workflow", "bogus"), "invoice, strict"),
        (("export", "--company", "bogus"), "us, ca"),
        (("retry", "--reason", "nosuch"), "product_not_found"),
        (("retry", "--company", "bogus"), "us, ca"),
        (("dead-letters", "list", "--reason", "nope"), "not_json"),
        (("dead-letters", "re-drive", "--reason", "nope"), "not_json"),
    ],
)
def test_a_wrong_argument_is_told_with_what_there_is(
    service: WholeService, arguments: tuple[str, ...], told: str
) -> None:
    """Exit status 2, and nothing is recorded, done or shown as if there were none."""
    answer = command(service, *(each.format_map(service.topics) for each in arguments))
    assert (answer.status, answer.output) == (2, "")
    assert told in " ".join(answer.errors.replace("│", " ").split())
    assert service.sql("SELECT FROM replays") == []


def test_amounts_are_exact_in_json(service: WholeService) -> None:
    """A total is a number with its cents."""
    page = done(service, "documents", "--object", "300")
    assert Decimal(str(page["documents"][0]["total"])) == Decimal("100.00")
