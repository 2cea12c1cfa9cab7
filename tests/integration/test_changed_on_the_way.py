"""What HubSpot changes while a document is on its way, where QuickBooks then refuses the document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from reconciler.model import Action, DocumentContent, DocumentState, ObjectKey, ObjectType
from reconciler.ports.dispatch import DocumentUpdate, Operation, OperationResult
from reconciler.ports.standing import Unmade
from reconciler.workflows import load
from store.dispatch import DispatchStore
from store.intake import ConcurrentFold, transaction
from store.leases import register_companies, take_leases
from tests.company_at_work import Work, plan, sale
from tests.feeds import Associated, History, Step
from tests.intake_at_work import PORTAL, IntakeAtWork
from tests.workflow_files import deals_in, workflow_file

DEARER = sale("130.00", name="Grace Hopper", email="grace@example.com")
REFUSED = "6000"
STALE = "2500"  # refers to what is not there any more: looked at anew and sent again


async def changed_on_the_way(
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    later: DocumentContent | Unmade | None,
    *,
    action: Action = Action.INVOICE,
    entity: str = "Invoice",
) -> None:
    """Have a document of 100.00 made and refused once; HubSpot says *later* just after it was begun."""
    begin = DispatchStore.begin

    async def begun(store: DispatchStore, *arguments: Any) -> set[str]:
        keys = await begin(store, *arguments)
        if arguments[-1]:  # the document, not yet its customer
            monkeypatch.setattr(DispatchStore, "begin", begin)
            await work.desire((await work.document())["document_id"], later)
        return keys

    fault = {"kind": "fault", "entity": entity, "operation": "create", "code": code}
    await plan(work.sandbox, work.realm, count=1, **fault)
    await work.want([sale()], action)
    monkeypatch.setattr(DispatchStore, "begin", begun)


async def totals(work: Work) -> list[Decimal]:
    return [Decimal(str(row["TotalAmt"])) for row in await work.books("Invoice")]


async def test_a_correction_is_made_though_what_was_sent_is_refused(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what an operator would correct and retry: nobody has to, and both events are told."""
    await changed_on_the_way(work, monkeypatch, REFUSED, DEARER)
    await work.run_until(work.all_created)
    row = await work.document()
    assert (await totals(work), row["total"]) == ([130], 130)
    assert (row["desired"], row["change"], row["revision"]) == (None, "", 2)
    assert await work.outcomes() == ["blocked", "wanted", "created"]
    assert "grace" in await work.pool.fetchval("SELECT found_by FROM document_names")


async def test_what_is_sent_again_says_what_hubspot_says_by_then(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the stale sale, with the difference reported as a change afterwards."""
    await changed_on_the_way(work, monkeypatch, STALE, DEARER)
    await work.run_until(work.all_created)
    row = await work.document()
    assert (await totals(work), row["reason"], row["desired"]) == ([130], "", None)
    assert await work.outcomes() == ["created"]


@pytest.mark.parametrize("code", [REFUSED, STALE])
async def test_what_was_deleted_meanwhile_is_not_made(
    work: Work, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """It is blocked as if the deletion had come before it was sent."""
    await changed_on_the_way(work, monkeypatch, code, None)

    async def stopped() -> bool:
        return (await work.document())["reason"] == "source_deleted"

    await work.run_until(stopped)
    row = await work.document()
    assert (row["state"], row["content"], row["desired"]) == ("blocked", None, None)
    assert row["detail"].startswith("The deal was deleted in HubSpot before its document was made.")
    assert (await work.outcomes())[-1] == "blocked"
    assert await totals(work) == []


@pytest.mark.parametrize("code", [REFUSED, STALE])
@pytest.mark.parametrize("state", [DocumentState.BLOCKED, DocumentState.DISMISSED])
async def test_what_is_called_for_no_more_is_not_made(
    work: Work, monkeypatch: pytest.MonkeyPatch, code: str, state: DocumentState
) -> None:
    """Its line items were taken off, or the payment failed: it stops for that, and its company goes on."""
    why = Unmade(state, "no_line_items", "This deal has no line items.")
    await changed_on_the_way(work, monkeypatch, code, why)

    async def stopped() -> bool:
        return (await work.document())["reason"] == why.reason

    await work.run_until(stopped)
    row = await work.document()
    assert (row["state"], row["detail"]) == (state, why.why)
    assert (row["content"], row["desired"]) == (None, None)
    assert (await work.outcomes())[-1] == state
    assert await totals(work) == []


async def test_one_that_is_half_in_the_books_keeps_what_it_says(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The invoice of a paid invoice exists: its payment is refused, and what changed is noted beside."""
    await changed_on_the_way(
        work, monkeypatch, REFUSED, DEARER, action=Action.PAID_INVOICE, entity="Payment"
    )

    async def blocked() -> bool:
        return (await work.document())["state"] == "blocked"

    await work.run_until(blocked)
    row = await work.document()
    assert msgspec.json.decode(row["content"], type=DocumentContent).total == 100
    assert msgspec.json.decode(row["desired"], type=DocumentContent).total == 130
    assert await totals(work) == [100]


async def test_a_change_read_before_the_refusal_is_decided_anew(work: Work) -> None:
    """The ledger said that the document was on its way; nothing is noted beside one that is not."""
    await work.want([sale()])
    row = await work.document()
    with pytest.raises(ConcurrentFold):
        async with transaction(work.pool) as intake:
            await intake.desire({row["document_id"]: "{}"})
    assert (await work.document())["version"] == row["version"]


# --- the same as intake would have made of it ---------------------------------------------------

REALM = "9341450000000001"
FILE = load(workflow_file({"us": {"realm_id": REALM}}, deals_in("won")))
AT = 1_769_817_600_000


def deal(id_: str, *, price: str = "100.00", deleted: bool = False) -> History:
    """A deal that was won, and what became of it a second later."""

    def lists(price: str) -> dict[str, Associated]:
        line = {"name": "Rollout", "price": price, "quantity": "1"}
        return {
            "line_items": (("71", line),),
            "contacts": (("81", {"email": "ada@example.com"}),),
        }

    won: dict[str, str | None] = {"dealstage": "won"}
    first = Step(AT, won, lists("100.00"))
    if price == "100.00" and not deleted:
        return History(ObjectKey(PORTAL, ObjectType.DEAL, id_), (first,))
    later = Step(AT + 1000, won, lists(price), deleted=deleted)
    return History(ObjectKey(PORTAL, ObjectType.DEAL, id_), (first, later))


async def begun(
    pool: asyncpg.Pool, document_id: int, refused_to: DocumentState = DocumentState.BLOCKED
) -> Callable[[], Awaitable[set[int]]]:
    """Begin to send a document; answers how to have it refused."""
    await register_companies(pool, {REALM: "us"})
    (lease,) = await take_leases(pool, "me", [REALM], timedelta(seconds=15))
    store = DispatchStore(pool, timedelta(seconds=30))
    sent = Operation("d", REALM, document_id, "Invoice", "create", "d", None, "d", b"{}")
    assert await store.begin(lease, [sent], {document_id: 1}) == {"d"}
    update = DocumentUpdate(document_id, refused_to, "refused", "No.", next_revision=True)
    return lambda: store.record(lease, [OperationResult("d", "refused")], [update], [])


@pytest.mark.parametrize(
    "change", [{"price": "130.00"}, {"deleted": True}], ids=["corrected", "deleted"]
)
async def test_it_ends_as_if_the_change_had_come_first(
    pool: asyncpg.Pool, change: dict[str, Any]
) -> None:
    """Of two such deals one is changed while its invoice is sent, the other before; and taking both
    in again changes nothing."""
    intake = IntakeAtWork(pool, FILE)
    await intake.take(deal("1"), deal("2"))
    one = await pool.fetchval("SELECT document_id FROM documents WHERE object_id = '1'")
    refuse = await begun(pool, one)
    await intake.take(deal("1", **change), deal("2", **change))
    assert await refuse() == {one}
    rows = await pool.fetch(
        """
        SELECT state, reason, detail, replace(content::text, 'deal 1', 'deal 2'), desired, change,
               attempts, next_attempt_at <= now()
          FROM documents
        """
    )
    assert len(set(map(tuple, rows))) == 1, rows
    version = await pool.fetchval("SELECT sum(version) FROM documents")
    await intake.take(deal("1", **change), deal("2", **change))
    assert await pool.fetchval("SELECT sum(version) FROM documents") == version


async def test_what_gave_way_to_one_that_is_not_made_goes_at_once(pool: asyncpg.Pool) -> None:
    """It was to be sent again, and its deal was deleted: the other of the sale need not wait longer."""
    intake = IntakeAtWork(pool, FILE)
    await intake.take(deal("1"), deal("2"))
    await pool.execute("INSERT INTO object_links VALUES ($1, 'deal', '1', 'deal', '2')", PORTAL)
    await pool.execute(
        """
        UPDATE documents SET reason = 'billed_first', next_attempt_at = now() + interval '15 min'
         WHERE object_id = '2'
        """
    )
    one = await pool.fetchval("SELECT document_id FROM documents WHERE object_id = '1'")
    refuse = await begun(pool, one, DocumentState.WANTED)
    await intake.take(deal("1", deleted=True))
    assert await refuse() == {one}
    rows = await pool.fetch(
        "SELECT state, next_attempt_at <= now() FROM documents ORDER BY object_id"
    )
    assert [tuple(row) for row in rows] == [("blocked", True), ("wanted", True)]
