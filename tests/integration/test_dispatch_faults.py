"""Every documented fault, met by the dispatcher: what becomes of the document."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from reconciler.errors import Disconnected, Reaction
from reconciler.model import Action, DocumentContent
from reconciler.quickbooks.answers import Answer
from reconciler.quickbooks.fault_codes import FAULTS, FaultRule
from reconciler.quickbooks.protocol import Request
from reconciler.workflows import ClosedBooks
from reconciler.writing.policies import Policies
from tests.company_at_work import BRISK, Work, at_work, brisk_waits, plan, sale
from tests.sandbox_process import Sandbox

PASSING = {
    Reaction.RETRY, Reaction.RECONCILE, Reaction.REFRESH, Reaction.REREAD, Reaction.RESOLVE,
    Reaction.DROP_EMAIL, Reaction.SPLIT_BATCH, Reaction.ADOPT_NUMBER, Reaction.ADOPT_NAME,
    Reaction.RECONNECT, Reaction.PARK,
}  # fmt: skip
"""After one such fault the document is made without a person touching it."""

STANDING = {Reaction.BLOCK, Reaction.REDATE}
"""After one such fault the document is blocked, with a sentence."""


def reached(work: Work, state: str) -> Callable[[], Awaitable[bool]]:
    """Whether the only document is in that state."""

    async def look() -> bool:
        return bool((await work.document())["state"] == state)

    return look


async def prefer(work: Work, **preferences: Any) -> None:
    """Change the company's settings in QuickBooks."""
    await work.sandbox.admin("POST", f"preferences/{work.realm}", preferences)


def test_every_fault_has_a_tested_reaction() -> None:
    """No row of the table is outside the two groups above."""
    assert {rule.reaction for rule in FAULTS.values()} <= PASSING | STANDING


@pytest.mark.parametrize(
    "rule", [one for one in FAULTS.values() if one.reaction in PASSING], ids=lambda one: one.code
)
async def test_a_fault_that_passes(work: Work, rule: FaultRule) -> None:
    """The document is made once, and nobody is asked."""
    await plan(
        work.sandbox, work.realm, kind="fault", entity="Invoice", operation="create", count=1,
        code=rule.code, message=rule.title, detail=rule.title,
    )  # fmt: skip
    await work.want([sale()])
    await work.run_until(work.all_created)
    assert len(await work.books("Invoice")) == 1
    assert await work.outcomes() == ["created"]


async def test_faults_that_block(work: Work) -> None:
    """Each blocks its document with the table's sentence and remedy; a retry then makes it."""
    rules = [rule for rule in FAULTS.values() if rule.reaction in STANDING]
    for number, rule in enumerate(rules, start=1):
        await plan(
            work.sandbox, work.realm, kind="fault", entity="Invoice", operation="create", count=1,
            code=rule.code, message=rule.title, detail=rule.title,
        )  # fmt: skip
        await work.want([sale(private_note=f"deal {number}")], first=number)

        async def settled(number: int = number) -> bool:
            return bool((await work.documents())[number - 1]["state"] == "blocked")

        await work.run_until(settled)
        row = (await work.documents())[number - 1]
        assert rule.sentence in row["detail"], rule.code
        assert rule.remedy in row["detail"], rule.code
        assert rule.code in row["detail"]
    assert await work.books("Invoice") == []
    assert await work.outcomes() == ["blocked"] * len(rules)
    await work.pool.execute("UPDATE documents SET state = 'wanted', next_attempt_at = now()")
    await work.run_until(work.all_created)
    assert len(await work.books("Invoice")) == len(rules)


# --- the reactions one by one -------------------------------------------------------------------


async def test_a_bad_email_is_left_out(work: Work) -> None:
    """2210: customer and invoice are made without the address, under new request ids."""
    for entity in ("Customer", "Invoice"):
        await plan(
            work.sandbox, work.realm, kind="fault", entity=entity, operation="create", count=1,
            code="2210", message="Invalid Email",
        )  # fmt: skip
    await work.want([sale()])
    await work.run_until(work.all_created)
    (customer,) = await work.books("Customer")
    (invoice,) = await work.books("Invoice")
    assert not customer.get("PrimaryEmailAddr")
    assert not invoice.get("BillEmail")
    assert (await work.document())["concessions"] == "no_email"


async def test_a_batch_that_is_too_big_is_split(work: Work) -> None:
    """1040: the documents go out again in smaller groups, each once."""
    await plan(
        work.sandbox, work.realm, kind="fault", entity="Invoice", operation="create", count=60,
        code="1040", message="Batch too big",
    )  # fmt: skip
    await work.want([sale(private_note=f"deal {number}") for number in range(60)])
    await work.run_until(work.all_created)
    assert len(await work.books("Invoice")) == 60
    assert work.company._batch_items < 30


async def test_what_is_too_big_by_itself_blocks(work: Work) -> None:
    """1040 again and again for a document alone: there is nothing left to split."""
    await plan(
        work.sandbox, work.realm, kind="fault", entity="Invoice", operation="create",
        code="1040", message="Batch too big",
    )  # fmt: skip
    await work.want([sale(private_note=f"deal {number}") for number in range(60)])

    async def all_blocked() -> bool:
        return all(row["state"] == "blocked" for row in await work.documents())

    await work.run_until(all_blocked)
    assert max(row["attempts"] for row in await work.documents()) <= 6


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(sale("Infinity"), id="an amount that is none"),
        pytest.param(sale(txn_date="9999-99-99"), id="a date that is none"),
    ],
)
async def test_what_nobody_foresaw_blocks_one_document(
    sandbox: Sandbox, database_dsn: str, odd: DocumentContent
) -> None:
    """However it got into the ledger: it is blocked, and the others of its batch are made."""
    realm = await sandbox.company()
    policies = Policies(closed_books={realm: ClosedBooks.FIRST_OPEN_DAY})
    async with at_work(sandbox, database_dsn, realm, policies=policies) as work:
        await prefer(work, AccountingInfoPrefs={"BookCloseDate": "2026-11-01"})
        await work.want([odd, sale("70.00", "Grace Hopper", "grace@x.org")])

        async def settled() -> bool:
            return {row["state"] for row in await work.documents()} <= {"blocked", "created"}

        await work.run_until(settled)
        blocked, made = await work.documents()
        assert (blocked["state"], blocked["reason"]) == ("blocked", "unforeseen")
        assert "Error" in blocked["detail"]
        assert made["state"] == "created"
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [70]


@pytest.mark.parametrize(
    ("entity", "odd"),
    [
        ("Invoice", {"TotalAmt": None}),
        ("Invoice", {"Id": None}),
        ("Customer", {"Id": 7}),
        ("Item", {"Id": ""}),
    ],
)
@pytest.mark.parametrize("documents", [1, 3], ids=["alone", "in a batch"])
async def test_an_answer_of_another_shape_is_none(
    work: Work, entity: str, odd: dict[str, Any], documents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The company goes on; the write is looked at again like one that got no answer."""
    quickbooks, spoilt = work.company.quickbooks, set[str]()
    send = quickbooks.send

    async def spoiling(request: Request) -> Answer:
        """The answer, in which each object that was made is told wrongly the first time."""
        answer = await send(request)
        if not request.writes:
            return answer
        for item in answer.data.get("BatchItemResponse") or [answer.data]:
            if (made := item.get(entity)) and made["Id"] not in spoilt:
                spoilt.add(made["Id"])
                made.update(odd)
        return answer

    monkeypatch.setattr(quickbooks, "send", spoiling)
    sales = [
        sale(f"{number}0.00", f"Ada {number}", f"{number}@x.org", private_note=f"deal {number}")
        for number in range(1, documents + 1)
    ]
    with capture_logs() as logs:
        await work.want(sales)
        await work.run_until(work.all_created)
    assert spoilt
    assert {each["event"] for each in logs if each["log_level"] == "error"} == {
        "answer not understood"
    }
    assert work.troubles == []
    assert len(await work.books("Invoice")) == documents
    assert len(await work.books("Customer")) == documents
    assert {row["quickbooks_id"] for row in await work.documents()} == {
        row["Id"] for row in await work.books("Invoice")
    }


async def test_closed_books_block(work: Work) -> None:
    """By default a document dated in closed books waits for a person, and nothing is made."""
    await prefer(work, AccountingInfoPrefs={"BookCloseDate": "2026-11-21"})
    await work.want([sale()])
    await work.run_until(reached(work, "blocked"))
    row = await work.document()
    assert row["reason"] == "books_closed"
    assert await work.books("Customer") == []


@pytest.mark.parametrize("closed_meanwhile", [False, True])
@pytest.mark.parametrize("code", ["6210", "5010"])
async def test_closed_books_redate(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch,
    closed_meanwhile: bool, code: str,
) -> None:  # fmt: skip
    """`first_open_day` dates it the day after, also when the books were closed since we looked."""
    brisk_waits(monkeypatch)
    realm = await sandbox.company(closed_period_code=code)
    policies = Policies(closed_books={realm: ClosedBooks.FIRST_OPEN_DAY})
    closing = {"AccountingInfoPrefs": {"BookCloseDate": "2026-11-21"}}
    async with at_work(sandbox, database_dsn, realm, policies=policies) as work:
        if closed_meanwhile:
            await work.company.directory.ensure_loaded()
        await sandbox.admin("POST", f"preferences/{realm}", closing)
        if closed_meanwhile:  # the copy is fresh, so it is not asked again
            monkeypatch.setattr(work.company.directory, "ensure_loaded", _nothing)
        await work.want([sale()])
        await work.run_until(work.all_created)
        (invoice,) = await work.books("Invoice")
    assert invoice["TxnDate"] == "2026-11-22"


async def test_books_closed_for_ever_block(sandbox: Sandbox, database_dsn: str) -> None:
    """Where no day is open there is none to date it on, and one document waits for a person."""
    realm = await sandbox.company()
    policies = Policies(closed_books={realm: ClosedBooks.FIRST_OPEN_DAY})
    async with at_work(sandbox, database_dsn, realm, policies=policies) as work:
        await prefer(work, AccountingInfoPrefs={"BookCloseDate": "9999-12-31"})
        await work.want([sale()])
        await work.run_until(reached(work, "blocked"))
        assert (await work.document())["reason"] == "books_closed"


async def _nothing() -> None:
    """Stands for a copy of the company that was loaded just now."""


async def test_a_taken_number_is_left_to_its_holder(work: Work) -> None:
    """6140 for a stranger's document: ours takes the next number."""
    await prefer(work, SalesFormsPrefs={"CustomTxnNumbers": True})
    await work.want([sale(document_number="HS-1")])
    await work.run_until(work.all_created)
    await work.want([sale(document_number="HS-1", private_note="another")], first=2)
    await work.run_until(work.all_created)
    numbers = sorted(row["DocNumber"] for row in await work.books("Invoice"))
    assert numbers == ["HS-1", "HS-1-2"]


async def test_a_taken_name_gets_a_suffix(work: Work) -> None:
    """6240: a vendor of that name, made since we looked, stays; the customer's name differs."""
    await work.company.directory.ensure_loaded()
    body = {"DisplayName": "Ada Byron"}
    await work.sandbox.enter(work.realm, "Vendor", body)
    await work.want([sale()])
    await work.run_until(work.all_created)
    (customer,) = await work.books("Customer")
    assert customer["DisplayName"] != "Ada Byron"
    assert customer["DisplayName"].startswith("Ada Byron")


async def test_a_payment_that_cannot_be_linked(work: Work) -> None:
    """620: tried again and made once; where it goes on, blocked, with the invoice standing."""
    fault = {
        "kind": "fault", "entity": "Payment", "operation": "create", "code": "620",
        "message": "Transaction cannot be linked",
    }  # fmt: skip
    await plan(work.sandbox, work.realm, count=1, **fault)
    await work.want([sale()], Action.PAID_INVOICE)
    await work.run_until(work.all_created)
    assert len(await work.books("Payment")) == 1
    await plan(work.sandbox, work.realm, count=30, **fault)
    await work.want([sale(private_note="second")], Action.PAID_INVOICE, first=2)

    async def blocked() -> bool:
        return bool((await work.documents())[1]["state"] == "blocked")

    await work.run_until(blocked)
    assert "cannot be applied" in (await work.documents())[1]["detail"]
    assert len(await work.books("Invoice")) == 2
    assert len(await work.books("Payment")) == 1


async def test_a_refusal_of_a_repetition_is_looked_into(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment landed, its answer was lost and its request id forgotten: repeated, it is refused,
    because the invoice is paid. What is recorded then is the payment that stands in the books."""
    brisk_waits(monkeypatch)
    realm = await sandbox.company(requestid_ttl_seconds=0)
    async with at_work(sandbox, database_dsn, realm) as work:
        await plan(sandbox, realm, kind="drop_after_commit", entity="Payment", count=1)
        await work.want([sale()], Action.PAID_INVOICE)
        await work.run_until(work.all_created)
        assert len(await work.books("Payment")) == 1
        assert [row["Balance"] for row in await work.books("Invoice")] == [0]
        assert await work.outcomes() == ["created"]


@pytest.mark.parametrize(
    ("entity", "trusted"),
    [
        ("Invoice", timedelta(0)),
        ("Payment", timedelta(0)),
        ("Payment", timedelta(hours=1)),  # it is looked for when its repetition is refused
    ],
)
async def test_a_look_that_is_refused_says_nothing(
    sandbox: Sandbox,
    database_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    entity: str,
    trusted: timedelta,
) -> None:
    """An answer was lost, and the search for what it told is refused: it is searched for again."""
    brisk_waits(monkeypatch)
    realm = await sandbox.company(requestid_ttl_seconds=0)
    policy = replace(BRISK, replay_window=trusted, landing=BRISK.longest_delay)
    async with at_work(sandbox, database_dsn, realm, policy=policy) as work:
        await plan(sandbox, realm, kind="drop_after_commit", entity=entity, count=1)
        await work.want([sale()], Action.PAID_INVOICE)

        async def unanswered() -> bool:
            query = "SELECT count(*) FROM operations WHERE state = 'unknown'"
            return bool(await work.pool.fetchval(query))

        await work.run_until(unanswered)
        await plan(
            sandbox, realm, kind="fault", entity="Query", operation="query", count=2,
            code="5010", message="Stale Object Error",
        )  # fmt: skip
        await work.run_until(work.all_created)
        assert len(await work.books("Invoice")) == 1
        assert len(await work.books("Payment")) == 1
        assert await work.outcomes() == ["created"]


async def test_a_repetition_refused_before_the_first_attempt_lands(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is not believed until then: what landed is adopted, and nothing is made anew."""
    brisk_waits(monkeypatch)
    realm = await sandbox.company()
    second = timedelta(seconds=1)
    policy = replace(BRISK, first_delay=second, longest_delay=second, landing=3 * second)
    async with at_work(
        sandbox, database_dsn, realm, policy=policy, patience=timedelta(seconds=0.5)
    ) as work:
        late = {"kind": "delay", "phase": "before", "seconds": 2.5, "count": 1}
        await work.company.directory.ensure_loaded()
        await plan(sandbox, realm, entity="Invoice", **late)
        await work.want([sale()])

        async def unanswered() -> bool:
            query = "SELECT count(*) FROM operations WHERE state = 'unknown' AND entity = 'Invoice'"
            return bool(await work.pool.fetchval(query))

        async def is_made() -> bool:
            return await work.all_created() and bool(await work.documents())

        async def refuse() -> None:
            while not await unanswered():
                await asyncio.sleep(0.02)
            await plan(sandbox, realm, kind="fault", entity="Invoice", count=1)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(refuse())
            tasks.create_task(work.run_until(is_made, 20))
        planned = await sandbox.admin("GET", "faults")
        (hits,) = [
            each["hits"] for each in planned if (each["realm"], each["kind"]) == (realm, "fault")
        ]
        assert hits == 1
        assert len(await work.books("Invoice")) == 1
        assert await work.outcomes() == ["created"]


async def test_a_lapsed_subscription_parks_the_company(work: Work) -> None:
    """6190: nothing is lost or blocked while it lasts, and all is made once it is renewed."""
    status = {"company_status": "expired", "realm": work.realm}
    await work.company.directory.ensure_loaded()
    await work.sandbox.admin("POST", "switches", status)
    await work.want([sale(private_note=f"deal {number}") for number in range(40)])

    async def parked() -> bool:
        return any(isinstance(trouble, Disconnected) for trouble in work.troubles)

    await work.run_until(parked)
    assert {row["state"] for row in await work.documents()} <= {"wanted", "sending"}
    await work.sandbox.admin("POST", "switches", status | {"company_status": "active"})
    await work.run_until(work.all_created)
    assert len(await work.books("Invoice")) == 40


async def test_writes_go_on_without_reads(work: Work) -> None:
    """When the month's reads are used up, documents whose references are known are still made."""
    await work.want([sale()])
    await work.run_until(work.all_created)
    await work.sandbox.admin("POST", "switches", {"monthly_reads": 1, "realm": work.realm})
    await work.want([sale(private_note=f"deal {number}") for number in range(40)], first=2)
    await work.run_until(work.all_created)
    assert len(await work.books("Invoice")) == 41


async def test_a_customer_that_is_refused_blocks_its_document(work: Work) -> None:
    """A fault of the customer, not of the document, is told too; nothing waits for ever."""
    await plan(
        work.sandbox, work.realm, kind="fault", entity="Customer", operation="create", count=1,
        code="6000", message="Business Validation Error", detail="No customers on Sundays",
    )  # fmt: skip
    await work.want([sale()])
    await work.run_until(reached(work, "blocked"))
    assert "No customers on Sundays" in (await work.document())["detail"]
    assert await work.books("Invoice") == []
