"""What happens to documents after they were made: changes in HubSpot, and in QuickBooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from reconciler.model import (
    Action,
    DocumentContent,
    Line,
    ObjectKey,
    ObjectType,
    ProductReference,
)
from reconciler.operator.acting import Acting, retry
from reconciler.ports.standing import StandingDocument
from reconciler.ports.views import Selection
from reconciler.workflows import ClosedBooks, OnChange, OnDrift, load
from reconciler.writing.policies import DocumentPolicy, Policies
from store.operator import OperatorStore
from tests.company_at_work import WORKFLOW, Work, at_work, plan, sale
from tests.feeds import Associated, History, Step, Written, record
from tests.intake_at_work import PORTAL, IntakeAtWork
from tests.sandbox_process import Sandbox

Open = Callable[..., AbstractAsyncContextManager[Work]]


@pytest.fixture
def working(sandbox: Sandbox, database_dsn: str) -> Open:
    """Opens a company with a policy for its documents."""

    @asynccontextmanager
    async def opened(
        on_change: OnChange = OnChange.REPORT,
        on_drift: OnDrift = OnDrift.REPORT,
        action: Action = Action.INVOICE,
        closed_books: ClosedBooks = ClosedBooks.BLOCK,
        realm: str = "",
    ) -> AsyncIterator[Work]:
        realm = realm or await sandbox.company()
        policy = DocumentPolicy(on_change, on_drift)
        policies = Policies({(WORKFLOW, realm, action): policy}, {realm: closed_books})
        async with at_work(sandbox, database_dsn, realm, policies=policies) as work:
            yield work

    return opened


async def made(work: Work, content: DocumentContent, action: Action = Action.INVOICE) -> int:
    """Create a document; answers its number in the ledger."""
    await work.want([content], action)
    await work.run_until(work.all_created)
    return int((await work.document())["document_id"])


def has(work: Work, **wanted: object) -> Callable[[], Awaitable[bool]]:
    """Whether the document's row has these values."""

    async def look() -> bool:
        row = await work.document()
        return all(row[name] == value for name, value in wanted.items())

    return look


def sees(work: Work, reason: str) -> Callable[[], Awaitable[bool]]:
    """Whether the document's drift is of that kind; makes the company look each time."""

    async def look() -> bool:
        work.company.directory.forget_freshness()
        work.company.wake()
        return str((await work.document())["drift"]).startswith(reason)

    return look


DEARER = sale(
    "130.00",
    lines=(
        Line(Decimal("100.00"), product=ProductReference(name="Widget", sku="W-1")),
        Line(Decimal("30.00"), product=ProductReference(name="Rush fee")),
    ),
)


# --- changes in HubSpot -------------------------------------------------------------------------


async def test_a_change_is_reported(working: Open) -> None:
    """By default a change after creation is shown and published once, and the books stay."""
    async with working() as work:
        await work.desire(await made(work, sale()), DEARER)
        await work.run_until(has(work, change="reported", reason="source_changed"))
        assert "the total (100.00 → 130.00)" in (await work.document())["detail"]
        assert await work.outcomes() == ["created", "drifted"]
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [100]


async def test_a_change_that_cannot_be_worked_with_is_told(working: Open) -> None:
    """What nobody foresaw in one change is shown on its document, and ends nothing."""
    async with working(OnChange.UPDATE) as work:
        await work.desire(await made(work, sale()), sale("Infinity"))
        await work.run_until(has(work, change="refused", reason="change_refused"))
        assert "ValueError" in (await work.document())["detail"]
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [100]


async def test_another_enrolment_instant_is_no_change(working: Open) -> None:
    """A document dated another day, and all else the same, is left alone without a word."""
    async with working(OnChange.UPDATE) as work:
        before = sale(due_date="2026-12-20")
        later = msgspec.structs.replace(before, txn_date="2026-11-22", due_date="2026-12-22")
        await work.desire(await made(work, before), later)
        await work.run_until(has(work, change="", desired=None))
        assert await work.outcomes() == ["created"]


async def test_a_change_is_written(working: Open) -> None:
    """`update` writes lines, total and memo, keeps date and number, and publishes `updated`."""
    async with working(OnChange.UPDATE) as work:
        id_ = await made(work, sale())
        changed = msgspec.structs.replace(DEARER, customer_memo="Thank you")
        await work.desire(id_, changed)
        await work.run_until(has(work, change="", desired=None, total=Decimal("130.00")))
        (invoice,) = await work.books("Invoice")
        assert (invoice["TotalAmt"], invoice["TxnDate"]) == (130, "2026-11-20")
        assert invoice["CustomerMemo"]["value"] == "Thank you"
        assert await work.outcomes() == ["created", "updated"]
        await work.desire(id_, sale("90.00"))
        await work.run_until(has(work, change="", total=Decimal("90.00")))
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [90]


async def test_another_customers_document_is_not_mailed_to_the_former(working: Open) -> None:
    """With an address of its own it is changed; without one QuickBooks would keep the other's."""
    async with working(OnChange.UPDATE) as work:
        id_ = await made(work, sale())
        await work.desire(id_, sale(name="Eve First", email="eve@first.org"))
        await work.run_until(has(work, change="", desired=None))
        (invoice,) = await work.books("Invoice")
        assert invoice["BillEmail"]["Address"] == "eve@first.org"
        await work.desire(id_, sale(name="Max Last", email=""))
        await work.run_until(has(work, change="refused"))
        assert "it would keep the former's" in (await work.document())["detail"]
        assert await work.books("Invoice") == [invoice]


async def test_an_estimate_that_stands_longer_is_updated(working: Open) -> None:
    """The day until which the quote stands is followed like any other part of it."""
    async with working(OnChange.UPDATE, action=Action.ESTIMATE) as work:
        id_ = await made(work, sale(expiration_date="2026-12-20"), Action.ESTIMATE)
        assert [row["ExpirationDate"] for row in await work.books("Estimate")] == ["2026-12-20"]
        await work.desire(id_, sale(expiration_date="2027-01-20", txn_date="2026-11-22"))
        await work.run_until(has(work, change="", desired=None))
        (estimate,) = await work.books("Estimate")
        assert (estimate["TxnDate"], estimate["ExpirationDate"]) == ("2026-11-20", "2027-01-20")


async def test_other_terms_move_the_due_date(working: Open) -> None:
    """QuickBooks doesn't move it by itself, so the update says it: date of the invoice and terms."""
    async with working(OnChange.UPDATE) as work:
        id_ = await made(work, sale(payment_terms="Net 15"))
        assert [row["DueDate"] for row in await work.books("Invoice")] == ["2026-12-05"]
        await work.desire(id_, sale(payment_terms="Net 30", txn_date="2026-11-22"))
        await work.run_until(has(work, change="", desired=None))
        assert [row["DueDate"] for row in await work.books("Invoice")] == ["2026-12-20"]


async def test_a_due_date_that_only_moves_with_the_enrolment_stays(working: Open) -> None:
    """Also in the second update after HubSpot gave another enrolment instant."""
    async with working(OnChange.UPDATE) as work:
        id_ = await made(work, sale(due_date="2026-12-20"))
        for total in ("130.00", "90.00"):
            later = sale(total, txn_date="2026-11-22", due_date="2026-12-22")
            await work.desire(id_, later)
            await work.run_until(has(work, change="", total=Decimal(total)))
        (invoice,) = await work.books("Invoice")
        assert (invoice["TxnDate"], invoice["DueDate"]) == ("2026-11-20", "2026-12-20")


@pytest.mark.parametrize(
    "misfortune",
    [
        {"kind": "drop_after_commit"},
        {"kind": "status_after_commit", "status": 503},
        {"kind": "drop_before_commit"},
        {"kind": "fault", "code": "5010", "message": "Stale Object Error"},
    ],
    ids=lambda value: f"{value['kind']}",
)
async def test_an_update_is_made_once(working: Open, misfortune: dict[str, Any]) -> None:
    """Whatever happens to its answer, an update ends as done, and raises the version once."""
    async with working(OnChange.UPDATE) as work:
        id_ = await made(work, sale())
        await plan(
            work.sandbox, work.realm, entity="Invoice", operation="update", count=1, **misfortune
        )
        await work.desire(id_, DEARER)
        await work.run_until(has(work, change="", desired=None, total=Decimal("130.00")))
        (invoice,) = await work.books("Invoice")
        assert (invoice["TotalAmt"], invoice["SyncToken"]) == (130, "1")
        assert await work.outcomes() == ["created", "updated"]


async def test_what_is_paid_is_not_changed(working: Open) -> None:
    """An invoice that a customer has paid is left alone, and a person is told."""
    async with working(OnChange.UPDATE) as work:
        id_ = await made(work, sale())
        await pay(work)
        await work.desire(id_, DEARER)
        await work.run_until(has(work, change="refused", reason="change_refused"))
        assert "paid or closed" in (await work.document())["detail"]
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [100]


async def test_what_a_person_edited_is_not_changed(working: Open) -> None:
    """Somebody's work in QuickBooks is not overwritten."""
    async with working(OnChange.UPDATE) as work:
        id_ = await made(work, sale())
        (invoice,) = await work.books("Invoice")
        lines = [line for line in invoice["Line"] if "SalesItemLineDetail" in line]
        lines[0] = lines[0] | {"Amount": 55}
        lines[0]["SalesItemLineDetail"] = {"ItemRef": lines[0]["SalesItemLineDetail"]["ItemRef"]}
        await edit(work, "edit", {"Line": lines})
        await work.desire(id_, DEARER)
        await work.run_until(has(work, change="refused", reason="change_refused"))
        assert "edited in QuickBooks" in (await work.document())["detail"]


@pytest.mark.parametrize("action", [Action.INVOICE, Action.SALES_RECEIPT])
@pytest.mark.parametrize("kind", ["", "drop_after_commit", "drop_before_commit"])
async def test_a_document_is_voided_and_made_anew(working: Open, action: Action, kind: str) -> None:
    """`void_and_recreate` leaves the old one at zero and one new one, also if an answer is lost."""
    entity = "Invoice" if action is Action.INVOICE else "SalesReceipt"
    async with working(OnChange.VOID_AND_RECREATE, action=action) as work:
        id_ = await made(work, sale(), action)
        if kind:
            await plan(
                work.sandbox, work.realm, entity=entity, operation="void", count=1, kind=kind
            )
        await work.desire(id_, DEARER)
        await work.run_until(has(work, generation=2, state="created", total=Decimal("130.00")))
        assert sorted(row["TotalAmt"] for row in await work.books(entity)) == [0, 130]
        assert await work.outcomes() == ["created", "voided", "created"]


EVERY_DEAL = """
version: 1
portal_id: 4711
companies: {us: {realm_id: "%s"}}
workflows:
  - name: Bill
    object: deal
    enrol: [{preset: deal_won}]
    actions: [{create: invoice, company: us, create_missing_products: yes}]
"""


def event(action: str, at: int) -> tuple[ObjectType, Written]:
    """HubSpot's word that something happened to the deal."""
    said = {"subscriptionType": f"deal.{action}", "portalId": PORTAL, "objectId": 1}
    return ObjectType.DEAL, record(said | {"occurredAt": at, "eventId": at}, at)


async def test_a_deal_deleted_after_its_invoice_is_told(working: Open) -> None:
    """It is shown and published once, the books stay; restored in HubSpot, all is well again."""
    async with working(OnChange.UPDATE) as work:
        intake = IntakeAtWork(work.pool, load(EVERY_DEAL % work.realm))
        properties = {"dealname": "Rollout", "dealstage": "closedwon"}
        lists: dict[str, Associated] = {
            "contacts": (("81", {"firstname": "Ada", "lastname": "Byron"}),),
            "line_items": (("71", {"name": "Rollout", "price": "100.00", "quantity": "1"}),),
        }
        key = ObjectKey(PORTAL, ObjectType.DEAL, "1")
        await intake.take(History(key, (Step(1_769_817_600_000, properties, lists),)))
        await work.run_until(work.all_created)
        await intake.take_records([event("deletion", 1_769_900_000_000)])
        await work.run_until(has(work, change="reported", reason="deleted_in_hubspot"))
        assert "The deal was deleted in HubSpot" in (await work.document())["detail"]
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [100]
        await intake.take_records([event("restore", 1_769_990_000_000)])
        await work.run_until(has(work, change="", reason="", desired=None))
        assert await work.outcomes() == ["created", "drifted"]


async def test_a_deal_that_lost_its_line_items_is_told(working: Open) -> None:
    """With the sentence that would block it, once, whatever the policy; all is well once they are back."""
    async with working(OnChange.VOID_AND_RECREATE, OnDrift.RECREATE) as work:
        intake = IntakeAtWork(work.pool, load(EVERY_DEAL % work.realm))
        key, start = ObjectKey(PORTAL, ObjectType.DEAL, "1"), 1_769_817_600_000
        properties = {"dealname": "Rollout", "dealstage": "closedwon"}
        contacts: dict[str, Associated] = {
            "contacts": (("81", {"firstname": "Ada", "lastname": "Byron"}),),
        }
        line: Associated = (("71", {"name": "Rollout", "price": "100.00", "quantity": "1"}),)
        whole = contacts | {"line_items": line}
        await intake.take(History(key, (Step(start, properties, whole),)))
        await work.run_until(work.all_created)
        without = contacts | {"line_items": ()}
        await intake.take(History(key, (Step(start + 1000, properties, without),)))
        await work.run_until(has(work, change="reported", reason="not_called_for"))
        assert "This deal has no line items" in (await work.document())["detail"]
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [100]
        await intake.take(History(key, (Step(start + 2000, properties, without),)))
        assert await has(work, change="reported")()
        await intake.take(History(key, (Step(start + 3000, properties, whole),)))
        await work.run_until(has(work, change="", reason="", desired=None))
        assert await work.outcomes() == ["created", "drifted"]


async def test_what_was_deleted_in_both_is_not_made_anew(working: Open) -> None:
    """Nobody wants an invoice back whose deal is gone as well."""
    async with working(on_drift=OnDrift.RECREATE) as work:
        id_ = await made(work, sale())
        await work.desire(id_, None)
        await work.run_until(has(work, change="reported"))
        await edit(work, "void", {})
        await work.run_until(sees(work, "voided_in_quickbooks"))
        assert (await work.document())["generation"] == 1


async def test_a_deal_deleted_while_its_invoice_is_voided_gets_no_other(working: Open) -> None:
    """The void was on its way already; its answer ends the document."""
    async with working(OnChange.VOID_AND_RECREATE) as work:
        id_ = await made(work, sale())
        late = {"kind": "delay", "phase": "after", "seconds": 1.0, "count": 1}
        await plan(work.sandbox, work.realm, entity="Invoice", operation="void", **late)
        await work.desire(id_, DEARER)

        async def deleted() -> None:
            while not await has(work, change="sending")():
                await asyncio.sleep(0.02)
            await work.desire(id_, None)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(deleted())
            dismissed = has(work, state="dismissed", reason="no_longer_wanted", desired=None)
            tasks.create_task(work.run_until(dismissed, 10))
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [0]


# --- changes in HubSpot while one is on its way ---------------------------------------------------

CHEAPER = sale("90.00")


async def changed_again(
    work: Work, operation: str, *, seconds: float = 10.0, **misfortune: Any
) -> asyncpg.Record:
    """Let HubSpot change a document, and again while the answer to the first change is late."""
    id_ = await made(work, sale())
    first = {"entity": "Invoice", "operation": operation, "count": 1}
    phase = "before" if misfortune else "after"
    await plan(work.sandbox, work.realm, **first, kind="delay", phase=phase, seconds=1.0)
    if misfortune:
        await plan(work.sandbox, work.realm, **first, **misfortune)
    await work.desire(id_, DEARER)

    async def again() -> None:
        while not await has(work, change="sending")():
            await asyncio.sleep(0.02)
        await work.desire(id_, CHEAPER)

    async def settled() -> bool:
        is_unanswered = await work.pool.fetchval(
            "SELECT EXISTS (SELECT FROM operations WHERE state IN ('begun', 'unknown'))"
        )
        return not is_unanswered and await has(work, state="created", change="", desired=None)()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(again())
        tasks.create_task(work.run_until(settled, seconds))
    return await work.document()


@pytest.mark.parametrize("misfortune", [{}, {"kind": "drop_after_commit"}], ids=["late", "lost"])
async def test_a_change_while_the_void_is_unanswered_makes_one_document(
    working: Open, misfortune: dict[str, Any]
) -> None:
    """The void's answer decides; the one document made anew says what HubSpot said last."""
    async with working(OnChange.VOID_AND_RECREATE) as work:
        assert (await changed_again(work, "void", **misfortune))["generation"] == 2
        assert sorted(row["TotalAmt"] for row in await work.books("Invoice")) == [0, 90]
        assert await work.outcomes() == ["created", "voided", "created"]


async def test_a_change_while_an_update_is_unanswered_is_written_after_it(working: Open) -> None:
    """Our own update is not taken for a person's edit."""
    async with working(OnChange.UPDATE) as work:
        await changed_again(work, "update")
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [90]
        assert await work.outcomes() == ["created", "updated", "updated"]


async def test_a_change_while_an_update_is_being_refused_is_looked_at(working: Open) -> None:
    """What QuickBooks refused was the change before; the newer one is written."""
    async with working(OnChange.UPDATE) as work:
        await changed_again(work, "update", kind="fault", code="6000")
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [90]
        assert await work.outcomes() == ["created", "drifted", "updated"]


@pytest.mark.parametrize("on_change", [OnChange.REPORT, OnChange.UPDATE])
async def test_a_change_while_the_one_before_is_looked_at_is_looked_at_too(
    working: Open, on_change: OnChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict counts for what it was about: the newer total is told in the end."""
    async with working(on_change) as work:
        id_ = await made(work, sale())
        await pay(work)
        standing = work.company.amender.standing
        changed = standing.changed

        async def and_changes_again(*arguments: Any) -> list[StandingDocument]:
            monkeypatch.undo()
            found = await changed(*arguments)
            await work.desire(id_, CHEAPER)
            return found

        await work.desire(id_, DEARER)
        monkeypatch.setattr(standing, "changed", and_changes_again)

        async def told() -> bool:
            return "(100.00 → 90.00)" in (await work.document())["detail"]

        await work.run_until(told, 10)


async def test_a_change_of_what_was_dismissed_wakes_nobody(working: Open) -> None:
    """What HubSpot says of a document that is not in QuickBooks is noted, and nothing is due."""
    async with working() as work:
        await work.want([sale()])
        row = await work.document()
        await work.pool.execute("UPDATE documents SET state = 'dismissed', reason = 'dismissed'")
        await work.desire(row["document_id"], DEARER)
        around = work.company.around
        assert await around.store.attention(work.realm, around.clock()) == (False, False, None)


# --- closed books ---------------------------------------------------------------------------------


async def close_books(work: Work, through: str) -> None:
    """Somebody closes the books in QuickBooks."""
    closing = {"AccountingInfoPrefs": {"BookCloseDate": through}}
    await work.sandbox.admin("POST", f"preferences/{work.realm}", closing)


async def test_a_redated_document_is_updated(working: Open) -> None:
    """What counts is the date that it has in QuickBooks, and it is never due before that."""
    async with working(OnChange.UPDATE, closed_books=ClosedBooks.FIRST_OPEN_DAY) as work:
        await close_books(work, "2026-11-21")
        id_ = await made(work, sale(due_date="2026-11-20"))
        await work.desire(id_, msgspec.structs.replace(DEARER, due_date="2026-11-21"))
        await work.run_until(has(work, change="", desired=None))
        (invoice,) = await work.books("Invoice")
        assert (invoice["TotalAmt"], invoice["TxnDate"]) == (130, "2026-11-22")
        assert invoice["DueDate"] == "2026-11-22"
        assert await work.outcomes() == ["created", "updated"]


async def test_a_document_dated_in_closed_books_is_not_changed(working: Open) -> None:
    """Books that were closed over it since are left alone, whatever the policy for new ones."""
    async with working(OnChange.UPDATE, closed_books=ClosedBooks.FIRST_OPEN_DAY) as work:
        id_ = await made(work, sale())
        await close_books(work, "2026-11-21")
        await work.company.directory.refresh()
        await work.desire(id_, DEARER)
        await work.run_until(has(work, change="refused"))
        assert "dated 2026-11-20" in (await work.document())["detail"]
        assert [row["TotalAmt"] for row in await work.books("Invoice")] == [100]


async def test_the_payment_of_a_redated_invoice_is_dated_like_it(working: Open) -> None:
    """A paid invoice dated in closed books: both its parts are dated on the first open day."""
    redating = working(action=Action.PAID_INVOICE, closed_books=ClosedBooks.FIRST_OPEN_DAY)
    async with redating as work:
        await close_books(work, "2026-11-21")
        await made(work, sale(payment_method="card"), Action.PAID_INVOICE)
        dates = [(await work.books(entity))[0]["TxnDate"] for entity in ("Invoice", "Payment")]
        assert dates == ["2026-11-22", "2026-11-22"]
        assert len(await work.pool.fetch("SELECT FROM operations WHERE entity = 'Payment'")) == 1


# --- changes in QuickBooks ----------------------------------------------------------------------


async def edit(work: Work, how: str, body: dict[str, Any] | None = None) -> None:
    """A bookkeeper edits, voids or deletes the invoice."""
    (invoice,) = await work.books("Invoice")
    path = f"{how}/{work.realm}/Invoice/{invoice['Id']}"
    await work.sandbox.admin("POST", path, body or {})


async def pay(work: Work) -> None:
    """The customer pays the invoice."""
    (invoice,) = await work.books("Invoice")
    linked = [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]
    body = {
        "CustomerRef": invoice["CustomerRef"],
        "TotalAmt": invoice["TotalAmt"],
        "Line": [{"Amount": invoice["TotalAmt"], "LinkedTxn": linked}],
    }
    await work.sandbox.enter(work.realm, "Payment", body)


@pytest.mark.parametrize(
    ("how", "reason"),
    [("delete", "gone_in_quickbooks"), ("void", "voided_in_quickbooks")],
)
async def test_a_lost_document_is_reported(working: Open, how: str, reason: str) -> None:
    """A deleted or voided document is shown and published once, and nothing is made anew."""
    async with working() as work:
        await made(work, sale())
        await edit(work, how)
        await work.run_until(sees(work, reason))
        await work.run_until(sees(work, reason))
        assert await work.outcomes() == ["created", "drifted"]
        assert (await work.document())["state"] == "created"


@pytest.mark.parametrize("how", ["delete", "void"])
async def test_a_lost_document_is_made_anew(working: Open, how: str) -> None:
    """`on_drift: recreate` makes a new generation with a request id of its own."""
    async with working(on_drift=OnDrift.RECREATE) as work:
        await made(work, sale())
        await edit(work, how)
        look = sees(work, "no drift")

        async def made_anew() -> bool:
            await look()
            row = await work.document()
            return row["generation"] == 2 and row["state"] == "created"

        await work.run_until(made_anew)
        assert [row["TotalAmt"] for row in await work.books("Invoice") if row["TotalAmt"]] == [100]
        assert await work.outcomes() == ["created", "drifted", "wanted", "created"]


@pytest.mark.parametrize(
    ("how", "reason"),
    [("delete", "gone_in_quickbooks"), ("void", "voided_in_quickbooks")],
)
async def test_a_lost_document_is_made_anew_once_the_policy_says_so(
    working: Open, how: str, reason: str
) -> None:
    """It was reported, and nothing about it changes any more: the next look follows the policy."""
    async with working() as work:
        await made(work, sale())
        await edit(work, how)
        await work.run_until(sees(work, reason))
        id_ = (await work.document())["document_id"]
        acting = Acting(OperatorStore(work.pool), (), "ada")
        refused = (await retry(acting, Selection(document_ids=(id_,)))).refused
        assert "set on_drift: recreate on its action" in refused[id_]
        realm = work.realm
    async with working(on_drift=OnDrift.RECREATE, realm=realm) as work:
        await work.run_until(has(work, generation=2, state="created", drift=None), 10)
        assert [row["TotalAmt"] for row in await work.books("Invoice") if row["TotalAmt"]] == [100]
        assert await work.outcomes() == ["created", "drifted", "wanted", "created"]


async def test_payment_and_its_undoing_are_seen(working: Open) -> None:
    """Paid in QuickBooks is news; when the payment is gone the document is as written again."""
    async with working() as work:
        await made(work, sale())
        await pay(work)
        await work.run_until(sees(work, "paid_in_quickbooks"))
        (payment,) = await work.books("Payment")
        await work.sandbox.admin("POST", f"delete/{work.realm}/Payment/{payment['Id']}")
        await work.run_until(sees(work, "None"))
        assert await work.outcomes() == ["created", "drifted", "drifted"]


async def test_what_is_to_be_checked_stays_so_when_the_invoice_is_paid(working: Open) -> None:
    """The customer paid what was billed, and HubSpot still says otherwise: that is not forgotten."""
    async with working() as work:
        await work.desire(await made(work, sale()), DEARER)
        await work.run_until(has(work, change="reported", reason="source_changed"))
        told = (await work.document())["detail"]
        await pay(work)
        await work.run_until(sees(work, "paid_in_quickbooks"))
        row = await work.document()
        assert (row["reason"], row["detail"]) == ("source_changed", told)
        (payment,) = await work.books("Payment")
        await work.sandbox.admin("POST", f"delete/{work.realm}/Payment/{payment['Id']}")
        await work.run_until(sees(work, "None"))
        assert (await work.document())["reason"] == "source_changed"
        assert await work.outcomes() == ["created", "drifted", "drifted", "drifted"]


async def test_an_edit_is_seen(working: Open) -> None:
    """Another customer or total is told in words."""
    async with working() as work:
        await made(work, sale())
        body = {"DisplayName": "Somebody else"}
        other = await work.sandbox.enter(work.realm, "Customer", body)
        await edit(work, "edit", {"CustomerRef": {"value": other["Id"]}})
        await work.run_until(sees(work, "edited_in_quickbooks"))
        assert "another customer" in (await work.document())["drift"]


async def test_our_own_writes_are_no_drift(working: Open) -> None:
    """A paid invoice's own payment, and an update, leave no drift behind."""
    async with working(OnChange.UPDATE, action=Action.PAID_INVOICE) as work:
        await made(work, sale(payment_method="card"), Action.PAID_INVOICE)
        (invoice,) = await work.books("Invoice")
        assert (invoice["Balance"], invoice["SyncToken"]) == (0, "1")
        await work.company.directory.refresh()
        assert (await work.document())["drift"] is None
        assert await work.outcomes() == ["created"]
