"""Workflows switched off, on again and removed between two runs of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from reconciler.intake.switching import Switched, follow_switches
from reconciler.model import ObjectKey, ObjectType
from reconciler.workflows import load
from store.intake import transaction
from store.pool import open_pool
from tests.feeds import History, Step
from tests.intake_at_work import PORTAL, IntakeAtWork, meanwhile

AT = 1_769_817_600_000
HEAD = """
version: 1
portal_id: 4711
companies:
  us: {realm_id: "9341450000000001"}
workflows:
"""
INVOICES = """
  - name: Invoices
    object: deal
    enabled: %s
    enrol: [{preset: deal_won}]
    actions: [{create: invoice, company: us, create_missing_products: yes, memo: "%s"}]
"""
ESTIMATES = """
  - name: Estimates
    object: deal
    enrol: [{property: dealstage, operator: is_known}]
    actions: [{create: estimate, company: us, create_missing_products: yes}]
"""
ON, OFF = HEAD + INVOICES % ("yes", "Hello"), HEAD + INVOICES % ("no", "Hello")


@pytest.fixture
async def intake(database_dsn: str) -> AsyncIterator[IntakeAtWork]:
    """Intake with the workflow on."""
    pool = await open_pool(database_dsn, size=4, wait_seconds=10)
    try:
        yield IntakeAtWork(pool, load(ON))
    finally:
        await pool.close()


async def start(intake: IntakeAtWork, text: str) -> Switched:
    """Start the service with this file."""
    again = intake.switched_to(text)
    return await follow_switches(again.intake, partial(transaction, again.pool))


def deal(id_: str, *, with_contact: bool = True, at: int = AT, price: str = "100.00") -> History:
    lists = {
        "line_items": (("71", {"name": "Rollout", "price": price, "quantity": "1"}),),
        "contacts": (("81", {"email": "ada@example.com"}),) if with_contact else (("82", None),),
    }
    step = Step(at, {"dealstage": "closedwon"}, lists)
    return History(ObjectKey(PORTAL, ObjectType.DEAL, id_), (step,))


async def test_what_is_unsent_is_blocked(intake: IntakeAtWork) -> None:
    """Wanted and waiting documents of a workflow that is off are blocked, with an event each."""
    await intake.take(deal("1"), deal("2", with_contact=False))
    assert await start(intake, OFF) == (2, 0)
    assert set((await intake.ledger()).values()) == {("blocked", "workflow_off")}
    kinds = await intake.pool.fetch("SELECT kind, value FROM outcomes ORDER BY outcome_id")
    assert [row["kind"] for row in kinds] == ["waiting", "blocked", "blocked"]


async def test_removing_it_is_switching_it_off(intake: IntakeAtWork) -> None:
    """A workflow that is gone from the file, or an action of it, wants nothing any more."""
    await intake.take(deal("1"))
    assert await start(intake, HEAD + ESTIMATES) == (1, 0)


async def test_a_sent_document_stays(intake: IntakeAtWork) -> None:
    """What is in QuickBooks or on its way is not touched."""
    await intake.take(deal("1"))
    await intake.pool.execute("UPDATE documents SET state = 'sending'")
    assert await start(intake, OFF) == (0, 0)


async def test_on_again_it_is_decided_anew(intake: IntakeAtWork) -> None:
    """The documents are what the object calls for now, with the workflow as it is now."""
    await intake.take(deal("1"), deal("2", with_contact=False))
    await start(intake, OFF)
    assert await start(intake, HEAD + INVOICES % ("yes", "Thanks!")) == (0, 2)
    assert set((await intake.ledger()).values()) == {("wanted", ""), ("waiting", "contact_details")}
    memo = "SELECT content->>'customer_memo' FROM documents WHERE state = 'wanted'"
    assert await intake.pool.fetchval(memo) == "Thanks!"


async def test_nothing_else_reaches_back(intake: IntakeAtWork) -> None:
    """A workflow that is new in the file gets no documents of objects known before."""
    await intake.take(deal("1"))
    await start(intake, OFF)
    assert await start(intake, ON + ESTIMATES) == (0, 1)
    assert (await intake.ledger()).keys() == {("deal", "1", "invoice", 1)}


async def test_starting_again_changes_nothing(intake: IntakeAtWork) -> None:
    """With the same file there is nothing to follow."""
    await intake.take(deal("1"))
    await start(intake, OFF)
    assert await start(intake, OFF) == (0, 0)


async def test_what_other_processes_read_while_one_starts_counts(
    intake: IntakeAtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deal changes just while its document is decided anew: it is not billed as it was before."""
    await intake.take(deal("1"))
    await start(intake, OFF)
    change = meanwhile(monkeypatch, intake.pool, intake.take(deal("1", at=AT + 1, price="120.00")))
    assert await start(intake, ON) == (0, 1)
    await change
    assert await intake.ledger() == {("deal", "1", "invoice", 1): ("wanted", "")}
    total = "SELECT content->>'total' FROM documents"
    assert await intake.pool.fetchval(total) == "120.00"


@pytest.mark.parametrize(("text", "kinds"), [(OFF, ["waiting", "blocked"]), (ON, ["waiting"] * 2)])
async def test_processes_that_start_together_tell_it_once(
    intake: IntakeAtWork, monkeypatch: pytest.MonkeyPatch, text: str, kinds: list[str]
) -> None:
    """Each finds the same documents to be blocked, or taken up again; one of them records it."""
    await intake.take(deal("1", with_contact=False))
    if text == ON:
        await start(intake, OFF)
        await intake.pool.execute("DELETE FROM outcomes WHERE kind = 'blocked'")
    other = meanwhile(monkeypatch, intake.pool, start(intake, text), before="want")
    await start(intake, text)
    await other
    told = await intake.pool.fetch("SELECT kind FROM outcomes ORDER BY outcome_id")
    assert [row["kind"] for row in told] == kinds
