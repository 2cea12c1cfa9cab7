"""Ten ways in which HubSpot's own actions bill a sale twice; ours makes one document and says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

import pytest

from reconciler.model import ObjectKey, ObjectType
from reconciler.ports.views import Selection
from reconciler.workflows import load
from tests.company_at_work import Work, at_work, now, plan
from tests.console import operator_of
from tests.feeds import Associated, History, Step, Written, record, rest
from tests.intake_at_work import PORTAL, IntakeAtWork
from tests.sandbox_process import Sandbox

DAY = 86_400_000
AT = 1_769_817_600_000  # 31 January 2026
LINES: Associated = (("71", {"name": "Rollout", "price": "100.00", "quantity": "1"}),)
CONTACTS: Associated = (
    ("81", {"firstname": "Ada", "lastname": "Byron", "email": "ada@example.com"}),
)
WORKFLOWS = """
version: 1
portal_id: 4711
companies:
  us: {realm_id: "%s", defaults: {deposit_account: Undeposited Funds}}
workflows:
  - name: Invoice won deals
    object: deal
    enrol: [{preset: deal_won}]
    actions: [{create: invoice, company: us, create_missing_products: yes}]
  - name: Receipt for checked out deals
    object: deal
    enrol: [{property: dealname, operator: contains_any_of, values: [checkout]}]
    actions: [{create: sales_receipt, company: us, create_missing_products: yes}]
  - name: Invoice signed quotes
    object: quote
    enrol: [{preset: quote_signed}]
    actions: [{create: invoice, company: us, create_missing_products: yes}]
  - name: Receipt for paid quotes
    object: quote
    enrol: [{preset: quote_paid}]
    actions: [{create: sales_receipt, company: us, create_missing_products: yes}]
  - name: Receipts of payments
    object: payment
    enrol: [{preset: payment_succeeded}]
    actions: [{create: sales_receipt, company: us, create_missing_products: yes}]
  - name: Paid invoices of checks
    object: payment
    enrol: [{property: hs_payment_method_type, operator: is_any_of, values: [check]}]
    actions: [{create: paid_invoice, company: us, create_missing_products: yes}]
"""


def one(
    type_: ObjectType, id_: str, properties: dict[str, str | None], at: int = AT, **named: str
) -> History:
    """An object with its line and contact, and the objects that it names."""
    lists: dict[str, Associated] = {"contacts": CONTACTS, "line_items": LINES}
    lists |= {name: tuple((each, None) for each in ids.split()) for name, ids in named.items()}
    return History(ObjectKey(PORTAL, type_, id_), (Step(at, properties, lists),))


def deal(
    id_: str = "1", at: int = AT, name: str = "Rollout", won: bool = True, **named: str
) -> History:
    stage = "closedwon" if won else "contractsent"
    return one(ObjectType.DEAL, id_, {"dealname": name, "dealstage": stage}, at, **named)


def quote(id_: str = "2", at: int = AT, paid: bool = False, **named: str) -> History:
    facts = {"hs_payment_status": "PAID"} if paid else {"hs_sign_status": "ESIGN_COMPLETED"}
    return one(ObjectType.QUOTE, id_, {"hs_title": "Offer", **facts}, at, **named)


def payment(id_: str = "3", at: int = AT, method: str = "card", **named: str) -> History:
    facts = {
        "hs_latest_status": "succeeded",
        "hs_initial_amount": "100.00",
        "hs_payment_method_type": method,
        "hs_payment_source_app": "QUOTE",
    }
    return one(ObjectType.PAYMENT, id_, facts, at, **named)


class Scenario(NamedTuple):
    """Batches of objects; the billed one, and the others which name it."""

    reason: str
    batches: tuple[tuple[History, ...], ...]
    billed: tuple[str, str]
    blocked: tuple[tuple[str, str], ...]
    named: str


LATER = AT + DAY
SCENARIOS = [
    Scenario(
        "a deal was won, and its quote is signed the day after",
        ((deal(),), (quote(at=LATER, deals="1"),)),
        ("deal", "invoice"), (("quote", "invoice"),), "deal 1",
    ),
    Scenario(
        "a signed quote makes its deal won; only the deal names the quote",
        ((quote(),), (deal(at=LATER, quotes="2"),)),
        ("quote", "invoice"), (("deal", "invoice"),), "quote 2",
    ),
    Scenario(
        "deal and quote arrive in one batch; the one enrolled first wins, not the one listed first",
        ((quote(at=LATER, deals="1"), deal()),),
        ("deal", "invoice"), (("quote", "invoice"),), "deal 1",
    ),
    Scenario(
        "a quote's payment after the quote was invoiced",
        ((quote(),), (payment(at=LATER, quotes="2"),)),
        ("quote", "invoice"), (("payment", "sales_receipt"),), "quote 2",
    ),
    Scenario(
        "a payment of a payment link's deal after the deal was invoiced; only the deal names it",
        ((deal(payments="3"),), (payment(at=LATER),)),
        ("deal", "invoice"), (("payment", "sales_receipt"),), "deal 1",
    ),
    Scenario(
        "a payment names only its quote, and the quote only its deal, which was invoiced",
        ((deal(), quote_open := one(ObjectType.QUOTE, "2", {"hs_title": "Offer"}, deals="1")),
         (payment(at=LATER, quotes="2"),)),
        ("deal", "invoice"), (("payment", "sales_receipt"),), "deal 1",
    ),
    Scenario(
        "the deal of a payment that has its receipt is won afterwards",
        ((payment(deals="1"),), (deal(at=LATER),)),
        ("payment", "sales_receipt"), (("deal", "invoice"),), "payment 3",
    ),
    Scenario(
        "two workflows bill one deal: an invoice, and a receipt by its name",
        ((deal(name="checkout 7"),),),
        ("deal", "invoice"), (("deal", "sales_receipt"),), "deal 1",
    ),
    Scenario(
        "one payment by check meets a receipt workflow and a paid invoice workflow",
        ((payment(method="check"),),),
        ("payment", "sales_receipt"), (("payment", "paid_invoice"),), "payment 3",
    ),
    Scenario(
        "deal, quote and payment of one sale all enrol",
        ((deal(),), (quote(at=LATER, deals="1"),), (payment(at=LATER, quotes="2", deals="1"),)),
        ("deal", "invoice"),
        (("quote", "invoice"), ("payment", "sales_receipt")), "deal 1",
    ),
]  # fmt: skip

Open = Callable[[], AbstractAsyncContextManager[tuple[Work, IntakeAtWork]]]


@pytest.fixture
def opened(sandbox: Sandbox, database_dsn: str) -> Open:
    """Opens a company, and intake into its ledger."""

    @asynccontextmanager
    async def open_both() -> AsyncIterator[tuple[Work, IntakeAtWork]]:
        realm = await sandbox.company()
        async with at_work(sandbox, database_dsn, realm) as work:
            yield work, IntakeAtWork(work.pool, load(WORKFLOWS % realm))

    return open_both


def nothing_wanted(work: Work) -> Callable[[], Awaitable[bool]]:
    async def done() -> bool:
        return all(row["state"] not in ("wanted", "sending") for row in await work.documents())

    return done


async def bills(work: Work) -> int:
    """How many sales stand in the books."""
    return len(await work.books("Invoice")) + len(await work.books("SalesReceipt"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.reason[:60])
async def test_a_sale_is_billed_once(scenario: Scenario, opened: Open) -> None:
    """One document stands in QuickBooks; each other one is blocked and names it."""
    async with opened() as (work, intake):
        for batch in scenario.batches:
            await intake.take(*batch)
            await work.run_until(nothing_wanted(work))
        rows = {(row["object_type"], row["action"]): row for row in await work.documents()}
        assert rows[scenario.billed]["state"] == "created"
        for place in scenario.blocked:
            assert (rows[place]["state"], rows[place]["reason"]) == ("blocked", "already_billed")
            assert (
                f"of {scenario.named} already bills the sale that this belongs to"
                in rows[place]["detail"]
            )
        assert rows.keys() == {scenario.billed, *scenario.blocked}
        assert await bills(work) == 1


async def test_what_is_refused_bills_nothing(opened: Open) -> None:
    """QuickBooks refuses the invoice that went first: the receipt of the same deal is made."""
    async with opened() as (work, intake):
        await plan(work.sandbox, work.realm, kind="fault", entity="Invoice", operation="create")
        await intake.take(deal(name="checkout 7"))
        await work.run_until(nothing_wanted(work))
        rows = {row["action"]: (row["state"], row["reason"]) for row in await work.documents()}
        assert rows == {
            "invoice": ("blocked", "quickbooks_refused"), "sales_receipt": ("created", "")
        }  # fmt: skip


def merge(survivor: str, *gone: str, at: int) -> tuple[ObjectType, Written]:
    """HubSpot's event for deals that are merged into a new one."""
    event = {
        "subscriptionType": "deal.merge", "portalId": PORTAL, "occurredAt": at, "eventId": at,
        "primaryObjectId": int(gone[0]), "mergedObjectIds": [int(id_) for id_ in gone],
        "newObjectId": int(survivor),
    }  # fmt: skip
    return ObjectType.DEAL, record(event, at)


@pytest.mark.parametrize("billed_first", [True, False], ids=["billed before", "in one batch"])
async def test_merged_deals_are_not_billed_again(opened: Open, *, billed_first: bool) -> None:
    """What was billed for one of them stands for the deal that they became, also over two merges, and
    for that deal's quotes."""
    async with opened() as (work, intake):
        before, event = deal("1"), merge("3", "1", "2", at=LATER)
        if billed_first:
            await intake.take(before, deal("2", won=False))
            await work.run_until(nothing_wanted(work))
            await intake.take_records([event])
        else:
            await intake.take_records([*_records(before), event])
        await intake.take(deal("3", at=LATER), quote("7", at=LATER, deals="3"))
        await work.run_until(nothing_wanted(work))
        await intake.take_records([merge("4", "3", at=LATER + DAY)])
        await intake.take(deal("4", at=LATER + DAY))
        await work.run_until(nothing_wanted(work))
        rows = {row["object_id"]: (row["state"], row["reason"]) for row in await work.documents()}
        assert await bills(work) == 1
        assert rows["1" if billed_first else "3"] == ("created", "")
        assert rows["4"] == rows["7"] == ("blocked", "already_billed")


def _records(history: History) -> list[tuple[ObjectType, Written]]:
    return [(history.key.type, each) for each in rest(history)]


async def test_two_processes_take_in_two_linked_objects_at_once(opened: Open) -> None:
    """Deal and quote come by two partitions, in two transactions that don't see each other: one bill.

    Only the quote names the deal, and neither was known before.
    """
    async with opened() as (work, intake):
        others = IntakeAtWork(work.pool, intake.file, group="other")
        for number in range(1, 13):
            await asyncio.gather(
                intake.take(deal(str(number))),
                others.take(quote(str(100 + number), deals=str(number))),
            )
        await work.run_until(nothing_wanted(work))
        states = [row["state"] for row in await work.documents()]
        assert (states.count("created"), states.count("blocked")) == (12, 12)
        assert await bills(work) == 12


async def test_what_belongs_to_different_sales_is_billed_apart(opened: Open) -> None:
    """Two payments of one deal, two quotes of one deal: each is a sale of its own."""
    async with opened() as (work, intake):
        await intake.take(
            deal("1", won=False, payments="31 32", quotes="21 22"),
            payment("31"), payment("32"),
        )  # fmt: skip
        await work.run_until(nothing_wanted(work))
        assert await work.all_created()
        assert await bills(work) == 2


async def test_an_estimate_bills_nothing_and_is_followed_by_its_invoice(opened: Open) -> None:
    """The invoice of the same deal waits for the estimate, links to it and closes it."""
    async with opened() as (work, intake):
        await intake.switched_to(with_estimates(work)).take(deal())
        await work.run_until(nothing_wanted(work))
        await is_linked_to_its_estimate(work)


async def test_what_gives_way_for_long_is_looked_at_seldom(opened: Open) -> None:
    """An estimate is to be made years from now: its invoice is left alone for as long as it has
    waited, up to a bound, and goes at once when the estimate is made."""
    async with opened() as (work, intake):
        await intake.switched_to(with_estimates(work, delay="520 weeks")).take(deal())
        await work.run_until(gives_way(work))
        for waited, least, most in (("0 s", 0, 10), ("100 s", 90, 110), ("1 day", 600, 900)):
            await work.pool.execute(
                "UPDATE documents SET next_attempt_at = now(), "
                "state_since = now() - $1::text::interval WHERE action = 'invoice'",
                waited,
            )
            await work.run_until(gives_way(work))
            assert least < await pause(work) <= most
        await work.pool.execute(
            "UPDATE documents SET next_attempt_at = now() WHERE action = 'estimate'"
        )
        await work.run_until(nothing_wanted(work), 20)
        await is_linked_to_its_estimate(work)


async def test_what_gives_way_goes_once_its_estimate_is_not_to_be_made(opened: Open) -> None:
    """A person dismisses one estimate, and of the other deal HubSpot says that it has no company."""
    async with opened() as (work, intake):
        intake = intake.switched_to(with_estimates(work, customer="company"))
        await intake.take(deal("1"), deal("2"))
        await work.run_until(gives_way(work))
        await work.pool.execute(
            "UPDATE documents SET next_attempt_at = now() + interval '1 hour' "
            "WHERE action = 'invoice'"
        )
        rows = await work.documents()
        dismissed = next(each["document_id"] for each in rows if each["action"] == "estimate")
        operator = operator_of(work.pool)
        await operator.dismiss(Selection(document_ids=(dismissed,)), "not needed", "Ada")
        await intake.take(deal("2", at=LATER, companies=""))
        await work.run_until(nothing_wanted(work), 20)
        assert len(await work.books("Invoice")) == 2


async def test_what_gives_way_to_a_sale_goes_once_that_is_refused(opened: Open) -> None:
    """However long the other one was on its way, and the receipt left alone."""
    async with opened() as (work, intake):
        await plan(work.sandbox, work.realm, kind="fault", entity="Invoice", operation="create")
        await intake.take(deal(name="checkout 7"), quote(deals="1"))
        await work.pool.execute(
            "UPDATE documents SET reason = 'billed_first', next_attempt_at = now() + "
            "interval '1 hour' WHERE action = 'sales_receipt' OR object_type = 'quote'"
        )
        await work.run_until(nothing_wanted(work), 20)
        assert await bills(work) == 1


def with_estimates(work: Work, delay: str = "0 days", customer: str = "contact") -> str:
    """The workflows, and one that makes an estimate of every deal."""
    return f"""{WORKFLOWS % work.realm}
  - name: Estimates
    object: deal
    enrol: [{{property: dealname, operator: is_known}}]
    delay: {delay}
    actions: [{{create: estimate, company: us, create_missing_products: yes, customer: {customer}}}]
"""


async def is_linked_to_its_estimate(work: Work) -> None:
    (estimate,) = await work.books("Estimate")
    (invoice,) = await work.books("Invoice")
    assert {"TxnId": estimate["Id"], "TxnType": "Estimate"} in invoice["LinkedTxn"]
    assert estimate["TxnStatus"] in ("Closed", "Converted")


def gives_way(work: Work) -> Callable[[], Awaitable[bool]]:
    """Whether every invoice is left alone for a while because of its estimate."""

    async def done() -> bool:
        invoices = [each for each in await work.documents() if each["action"] == "invoice"]
        return all(
            each["reason"] == "estimate" and each["next_attempt_at"] > now() for each in invoices
        )

    return done


async def pause(work: Work) -> float:
    """Seconds until the only invoice is looked at again."""
    at = await work.pool.fetchval("SELECT next_attempt_at FROM documents WHERE action = 'invoice'")
    return float((at - now()).total_seconds())


async def test_a_person_lets_the_second_one_through(opened: Open) -> None:
    """With its guard off the blocked document is made as well."""
    async with opened() as (work, intake):
        await intake.take(deal(), quote(at=LATER, deals="1"))
        await work.run_until(nothing_wanted(work))
        await work.pool.execute(
            "UPDATE documents SET guard_off = true, state = 'wanted', version = version + 1"
            " WHERE state = 'blocked'"
        )
        await work.run_until(work.all_created)
        assert await bills(work) == 2


async def test_a_mistaken_association_that_was_removed_blocks_nothing(opened: Open) -> None:
    """The quote named the deal, and no longer does when it comes to billing."""
    async with opened() as (work, intake):
        await intake.take(deal())
        await work.run_until(nothing_wanted(work))
        await intake.take(one(ObjectType.QUOTE, "2", {"hs_title": "Offer"}, deals="1"))
        await intake.take(quote(at=LATER, deals=""))
        await work.run_until(nothing_wanted(work))
        assert await work.all_created()
        assert await bills(work) == 2
