"""Contacts, line items, companies and products from topics of their own, joined in the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from itertools import permutations

import asyncpg
import pytest

from reconciler.intake.companions import COMPANIONS
from reconciler.intake.switching import follow_companions
from reconciler.model import ObjectKey, ObjectType
from reconciler.workflows import WorkflowFile, load
from store.intake import transaction
from store.pool import open_pool
from tests.feeds import History, Step, Written, record
from tests.intake_at_work import PORTAL, WON_DEALS, IntakeAtWork, meanwhile

AT = 1_769_817_600_000
FILE = load(
    WON_DEALS
    + """  - name: Estimates for customers
    object: deal
    enrol:
      - {property: pipeline, operator: is_any_of, values: [offers]}
      - {property: contact.lifecyclestage, operator: is_any_of, values: [customer]}
    actions: [{create: estimate, company: us, create_missing_products: yes}]
"""
)
PLACE = ("deal", "1", "invoice", 1)


@pytest.fixture
async def intake(database_dsn: str) -> AsyncIterator[IntakeAtWork]:
    """Intake with every companion topic."""
    pool = await open_pool(database_dsn, size=6, wait_seconds=10)
    try:
        yield IntakeAtWork(pool, FILE, COMPANIONS)
    finally:
        await pool.close()


def deal(id_: str = "1", at: int = AT, **properties: str) -> History:
    """A won deal that names its companions by id, as Airbyte gives it."""
    facts = {"dealstage": "closedwon", "pipeline": "default", **properties}
    lists = {"contacts": ((f"8{id_}", None),), "line_items": ((f"7{id_}", None),)}
    return History(ObjectKey(PORTAL, ObjectType.DEAL, id_), (Step(at, facts, lists),))


def contact(id_: str = "1", at: int = AT, **properties: str) -> History:
    facts = {"firstname": "Ada", "lastname": "Byron", "email": "ada@example.com", **properties}
    return History(ObjectKey(PORTAL, ObjectType.CONTACT, f"8{id_}"), (Step(at, facts),))


def line(id_: str = "1", at: int = AT, price: str = "100.00", **properties: str) -> History:
    facts = {"name": "Rollout", "price": price, "quantity": "1", **properties}
    return History(ObjectKey(PORTAL, ObjectType.LINE_ITEM, f"7{id_}"), (Step(at, facts),))


async def content(pool: asyncpg.Pool) -> dict[str, object]:
    text: str = await pool.fetchval("SELECT content FROM documents WHERE action = 'invoice'")
    found: dict[str, object] = json.loads(text)
    return found


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_in_any_order(order: tuple[int, ...], intake: IntakeAtWork) -> None:
    """Deal, contact and line item come in a batch each: the last of them completes the invoice."""
    arriving = [deal(), contact(), line()]
    for index in order[:-1]:
        await intake.take(arriving[index])
        assert all(state == "waiting" for state, _ in (await intake.ledger()).values())
    await intake.take(arriving[order[-1]])
    assert await intake.ledger() == {PLACE: ("wanted", "")}
    assert (await content(intake.pool))["total"] == "100.00"


async def test_a_change_before_sending_is_taken_over(intake: IntakeAtWork) -> None:
    """A companion that changes re-decides documents that are not sent."""
    await intake.take(deal(), contact(), line())
    await intake.take(line(at=AT + 1, price="120.00"))
    assert (await content(intake.pool))["total"] == "120.00"


async def test_a_change_after_sending_is_not(intake: IntakeAtWork) -> None:
    """A contact that moves house years later touches no document that is in the books."""
    await intake.take(deal(), contact(), line())
    for state in ("sending", "created"):
        await intake.pool.execute("UPDATE documents SET state = $1, quickbooks_id = '9'", state)
    await intake.take(line(at=AT + 1, price="120.00"), contact(at=AT + 1, email="b@example.com"))
    row = await intake.pool.fetchrow("SELECT content, desired FROM documents")
    assert json.loads(row["content"])["total"] == "100.00"
    assert row["desired"] is None


async def test_a_change_on_the_way_is_noted(intake: IntakeAtWork) -> None:
    """A company that is not connected may keep a document on its way for days: what is corrected
    meanwhile counts if it is refused, and is told once it is made."""
    await intake.take(deal(), contact(), line())
    await intake.pool.execute("UPDATE documents SET state = 'sending'")
    await intake.take(line(at=AT + 1, price="120.00"))
    row = await intake.pool.fetchrow("SELECT content, desired, change FROM documents")
    assert json.loads(row["content"])["total"] == "100.00"
    assert json.loads(row["desired"])["total"] == "120.00"
    assert row["change"] == "open"


def merge(old: str, into: str) -> tuple[ObjectType, Written]:
    event = {
        "subscriptionType": "contact.merge", "portalId": PORTAL, "eventId": 1, "occurredAt": AT + 1,
        "primaryObjectId": int(f"8{into}"), "mergedObjectIds": [int(f"8{old}")],
    }  # fmt: skip
    return ObjectType.CONTACT, record(event, AT + 1)


async def test_a_contact_merged_into_another_gives_way_to_it(intake: IntakeAtWork) -> None:
    """The deal names the old one; the event of the merge has the invoice made out to the new one."""
    await intake.take(deal(), contact(), contact("2", lastname="King"), line())
    assert (await content(intake.pool))["customer"]["hubspot_id"] == "81"  # type: ignore[index]
    await intake.take_records([merge("1", "2")])
    customer = (await content(intake.pool))["customer"]
    assert (customer["hubspot_id"], customer["last_name"]) == ("82", "King")  # type: ignore[index]


async def test_the_contact_that_others_were_merged_into_may_arrive_last(
    intake: IntakeAtWork,
) -> None:
    """Merged twice, and read before the one that remains: it wakes the deal all the same."""
    await intake.take_records([merge("1", "2"), merge("2", "3")])
    await intake.take(deal(), contact(), line())
    assert await intake.ledger() == {("deal", "1", "invoice", 1): ("waiting", "contact_details")}
    await intake.take(contact("3", lastname="King"))
    customer = (await content(intake.pool))["customer"]
    assert (customer["hubspot_id"], customer["last_name"]) == ("83", "King")  # type: ignore[index]


async def test_a_contact_alone_enrols(intake: IntakeAtWork) -> None:
    """Where a workflow looks at the contact, its arrival enrols an object that had no document."""
    await intake.take(deal(dealstage="open", pipeline="offers"), line())
    await intake.take(contact(lifecyclestage="lead"))
    assert await intake.ledger() == {}
    await intake.take(contact(at=AT + 1, lifecyclestage="customer"))
    assert await intake.ledger() == {("deal", "1", "estimate", 1): ("wanted", "")}


async def test_a_contact_enrols_by_its_first_arrival(intake: IntakeAtWork) -> None:
    """The object was known before, but not as one that enrols."""
    await intake.take(deal(dealstage="open", pipeline="offers"), line())
    await intake.take(contact(lifecyclestage="customer"))
    assert await intake.ledger() == {("deal", "1", "estimate", 1): ("wanted", "")}


async def test_a_product_gives_what_its_line_does_not_say(intake: IntakeAtWork) -> None:
    """SKU and name of a line come from its product where the line has none."""
    product = History(
        ObjectKey(PORTAL, ObjectType.PRODUCT, "55"),
        (Step(AT, {"name": "Gold support", "hs_sku": "SUP-GOLD"}),),
    )
    await intake.take(deal(), contact(), product)
    await intake.take(line(name="", hs_product_id="55"))
    (only,) = (await content(intake.pool))["lines"]  # type: ignore[misc]
    assert only["product"] == {
        "hubspot_product_id": "55",
        "sku": "SUP-GOLD",
        "name": "Gold support",
    }


async def test_topics_that_are_read_later_wake_what_waits(intake: IntakeAtWork) -> None:
    """One deal was won before they were, another is won since: both were read first without them."""
    without = IntakeAtWork(intake.pool, FILE, group="before")
    await without.take(deal("1"), deal("2", dealstage="open"), deal("3"))
    await intake.take(contact("3"), line("3"))
    await follow_companions(intake.intake, partial(transaction, intake.pool))
    await intake.take(deal("2", at=AT + 1))
    states = {place[1]: state for place, (state, _) in (await intake.ledger()).items()}
    assert states == {"1": "waiting", "2": "waiting", "3": "wanted"}
    await intake.take(contact("1"), line("1"), contact("2"), line("2"))
    assert set((await intake.ledger()).values()) == {("wanted", "")}
    assert await follow_companions(intake.intake, partial(transaction, intake.pool)) == 0


async def test_at_the_same_moment_in_two_processes(intake: IntakeAtWork) -> None:
    """Deals in one process, their companions in another, at once: none is left waiting."""
    other = IntakeAtWork(intake.pool, FILE, COMPANIONS, group="other")
    third = IntakeAtWork(intake.pool, FILE, COMPANIONS, group="third")
    for start in range(10, 90, 10):
        ids = [str(number) for number in range(start, start + 10)]
        await asyncio.gather(
            intake.take(*map(deal, ids)),
            other.take(*map(contact, ids)),
            third.take(*map(line, reversed(ids))),
        )
    states = set((await intake.ledger()).values())
    assert states == {("wanted", "")}
    assert await intake.pool.fetchval("SELECT count(*) FROM documents") == 80


@pytest.mark.parametrize("file", [load(WON_DEALS), FILE], ids=["by the deal", "by the contact too"])
async def test_a_companion_that_changes_while_its_deal_is_won_counts(
    intake: IntakeAtWork, monkeypatch: pytest.MonkeyPatch, file: WorkflowFile
) -> None:
    """Both are known for long, and change in two processes at once: the one that changes the line
    sees no document yet, the one that makes it read the line before. It is not billed as it was."""
    winning = IntakeAtWork(intake.pool, file, COMPANIONS)
    changing = IntakeAtWork(intake.pool, file, COMPANIONS, group="other")
    await winning.take(deal(dealstage="open"), contact(), line())
    change = meanwhile(monkeypatch, intake.pool, changing.take(line(at=AT + 1, price="120.00")))
    await winning.take(deal(at=AT + 1))
    await change
    assert await intake.ledger() == {PLACE: ("wanted", "")}
    assert (await content(intake.pool))["total"] == "120.00"


async def test_what_is_held_keeps_its_companions(
    intake: IntakeAtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a backfill, which decides about objects that have no document yet."""
    other = IntakeAtWork(intake.pool, FILE, COMPANIONS, group="other")
    await intake.take(deal(dealstage="open"), contact(), line())
    change = meanwhile(monkeypatch, intake.pool, other.take(line(at=AT + 1, price="120.00")))
    async with transaction(intake.pool) as held:
        found = await intake.intake.held(held, [deal().key])
        await held.ledger([deal().key])
        assert [obj.key for obj in found] == [deal().key]
        assert not change.done()
    await change


async def test_merges_that_arrive_at_the_same_moment_are_decided(intake: IntakeAtWork) -> None:
    """A deal, the merge of its contact and the one that remains, in three processes at once."""
    others = [IntakeAtWork(intake.pool, FILE, COMPANIONS, group=f"other {n}") for n in range(2)]
    for start in range(100, 300, 20):
        ids = [str(number) for number in range(start, start + 10)]
        await intake.take(*map(line, ids))
        await asyncio.gather(
            intake.take(*map(deal, ids)),
            others[0].take_records([merge(each, str(int(each) + 10)) for each in reversed(ids)]),
            others[1].take(*(contact(str(int(each) + 10)) for each in ids)),
        )
    states = set((await intake.ledger()).values())
    assert states == {("wanted", "")}
    assert await intake.pool.fetchval("SELECT count(*) FROM documents") == 100


async def test_nothing_is_linked_without_companion_topics(database_dsn: str) -> None:
    """A hydrated feed pays nothing for companions: no link is written for its contacts."""
    pool = await open_pool(database_dsn, size=2, wait_seconds=10)
    try:
        await IntakeAtWork(pool, FILE).take(deal())
        assert await pool.fetchval("SELECT count(*) FROM object_links") == 0
    finally:
        await pool.close()
