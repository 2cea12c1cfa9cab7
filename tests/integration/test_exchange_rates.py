"""Documents in another currency are booked at the rate that QuickBooks has for their day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from reconciler.model import Action, DocumentContent
from reconciler.operator.acting import Acting, retry
from reconciler.ports.views import Selection
from reconciler.quickbooks.payload import decode
from reconciler.workflows import ClosedBooks, OnChange
from reconciler.writing.policies import DocumentPolicy, Policies
from store.operator import OperatorStore
from tests.company_at_work import WORKFLOW, Work, at_work, brisk_waits, plan, sale
from tests.sandbox_process import Sandbox

RATES = {"EUR": "1.05", "EUR 2026-11-20": "1.08", "EUR 2026-11-22": "1.09"}


@pytest.fixture
async def work(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Work]:
    """A company with multicurrency on, which follows changes and redates."""
    brisk_waits(monkeypatch)
    realm = await sandbox.company(exchange_rates=RATES)
    prefer = {"CurrencyPrefs": {"MultiCurrencyEnabled": True}}
    await sandbox.admin("POST", f"preferences/{realm}", prefer)
    policies = Policies(
        {(WORKFLOW, realm, Action.INVOICE): DocumentPolicy(OnChange.UPDATE)},
        {realm: ClosedBooks.FIRST_OPEN_DAY},
    )
    async with at_work(sandbox, database_dsn, realm, policies=policies) as opened:
        yield opened


def euros(total: str = "100.00", **more: Any) -> DocumentContent:
    """A sale in a currency that is not the company's."""
    return sale(total, currency="EUR", **more)


def reads(work: Work) -> int:
    """How often QuickBooks was asked for a rate."""
    return sum(call.entity == "ExchangeRate" for call in work.calls)


async def set_rates(work: Work, rates: dict[str, str]) -> None:
    """Somebody enters other rates in QuickBooks."""
    await work.sandbox.admin("POST", "switches", {"exchange_rates": rates, "realm": work.realm})


async def press_retry(work: Work) -> None:
    """A person retries the only document."""
    acting = Acting(OperatorStore(work.pool), (), "ada")
    await retry(acting, Selection(document_ids=((await work.document())["document_id"],)))
    work.company.wake()


def is_in(work: Work, state: str) -> Callable[[], Awaitable[bool]]:
    """Whether the only document is in that state."""

    async def look() -> bool:
        return bool((await work.document())["state"] == state)

    return look


EXPENSE = {
    "customer": None, "lines": (), "bank_account": "Checking", "expense_account": "Bank Charges",
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "entity", "more"),
    [
        (Action.INVOICE, "Invoice", {}),
        (Action.ESTIMATE, "Estimate", {}),
        (Action.SALES_RECEIPT, "SalesReceipt", {}),
        (Action.REFUND_RECEIPT, "RefundReceipt", {"deposit_account": "Checking"}),
        (Action.EXPENSE, "Purchase", EXPENSE),
    ],
    ids=str,
)
async def test_a_document_bears_the_rate_of_its_day(
    work: Work, action: Action, entity: str, more: dict[str, Any]
) -> None:
    """Of whatever kind; one in the company's own currency bears none."""
    await work.want([euros(**more), sale(**more)], action)
    await work.run_until(work.all_created)
    rates = {row["CurrencyRef"]["value"]: row for row in await work.books(entity)}
    assert (rates["EUR"]["ExchangeRate"], rates["EUR"]["HomeTotalAmt"]) == (1.08, 108)
    bodies = await work.pool.fetch("SELECT request FROM operations WHERE entity = $1", entity)
    sent = [decode(row["request"]) for row in bodies]
    assert [body.get("ExchangeRate") for body in sent] == [Decimal("1.08"), None]


async def test_a_redated_document_bears_the_rate_of_the_day_it_gets(work: Work) -> None:
    """The rate is that of TxnDate, not of the day that HubSpot called for."""
    closing = {"AccountingInfoPrefs": {"BookCloseDate": "2026-11-21"}}
    await work.sandbox.admin("POST", f"preferences/{work.realm}", closing)
    await work.want([euros()])
    await work.run_until(work.all_created)
    (invoice,) = await work.books("Invoice")
    assert (invoice["TxnDate"], invoice["ExchangeRate"]) == ("2026-11-22", 1.09)


async def test_a_rate_is_read_once_a_day_and_currency(work: Work) -> None:
    """However many documents bear it, in one batch or later."""
    await work.want([euros(), euros("30.00"), euros(), euros(txn_date="2026-11-25")])
    await work.run_until(work.all_created)
    await work.want([euros(), euros(txn_date="2026-11-25")], first=11)
    await work.run_until(work.all_created)
    assert reads(work) == 2
    rates = [row["ExchangeRate"] for row in await work.books("Invoice")]
    assert sorted(rates) == [1.05, 1.05, 1.08, 1.08, 1.08, 1.08]


@pytest.mark.parametrize("answer", ["one", "fault"])
async def test_a_rate_that_quickbooks_lacks_blocks_until_it_is_entered(
    work: Work, answer: str
) -> None:
    """Also where QuickBooks says 1, as it does for what nobody entered; nothing is made before."""
    missing = {"exchange_rates": {}, "exchange_rate_missing": answer, "realm": work.realm}
    await work.sandbox.admin("POST", "switches", missing)
    await work.want([euros()])
    await work.run_until(is_in(work, "blocked"))
    row = await work.document()
    assert row["reason"] == "no_exchange_rate"
    assert row["detail"] == (
        "QuickBooks has no exchange rate of EUR for 2026-11-20. "
        "Enter it in QuickBooks (Currencies), then retry."
    )
    assert not await work.books("Customer")
    await set_rates(work, RATES)
    await press_retry(work)
    await work.run_until(is_in(work, "created"))
    assert [row["ExchangeRate"] for row in await work.books("Invoice")] == [1.08]


async def test_a_currency_at_par_is_booked_one_to_one(work: Work) -> None:
    """A Bahamian dollar is a dollar: 1 is its rate, not the lack of one."""
    await work.want([sale(currency="BSD")])
    await work.run_until(is_in(work, "created"))
    assert [row["ExchangeRate"] for row in await work.books("Invoice")] == [1]


async def test_a_rate_that_cannot_be_read_now_is_waited_for(work: Work) -> None:
    """Documents in the company's own currency go on; the others are made once it can be read."""
    trouble = {"kind": "status_before_commit", "status": 503, "entity": "ExchangeRate"}
    await plan(work.sandbox, work.realm, **trouble)
    await work.want([euros(), sale(name="Grace Hopper", email="grace@example.com")])

    async def one_is_made() -> bool:
        return [row["state"] for row in await work.documents()] == ["wanted", "created"]

    await work.run_until(one_is_made)
    assert [row["CurrencyRef"]["value"] for row in await work.books("Customer")] == ["USD"]
    await work.sandbox.admin("DELETE", "faults")
    await work.run_until(work.all_created)


async def test_what_got_no_answer_is_sent_again_at_the_rate_of_the_first_time(work: Work) -> None:
    """A rate that changed meanwhile makes no other request of it."""
    await plan(work.sandbox, work.realm, kind="drop_before_commit", entity="Invoice", count=1)
    await work.want([euros()])

    async def is_unanswered() -> bool:
        states = "SELECT count(*) FROM operations WHERE entity = 'Invoice' AND state = 'unknown'"
        return bool(await work.pool.fetchval(states))

    await work.run_until(is_unanswered)
    await set_rates(work, {"EUR": "2"})
    work.company.directory.rates._known.clear()
    await work.run_until(work.all_created)
    assert [row["ExchangeRate"] for row in await work.books("Invoice")] == [1.08]
    assert await work.pool.fetchval("SELECT count(*) FROM operations WHERE entity='Invoice'") == 1


async def test_a_payment_bears_the_rate_of_its_invoice(work: Work) -> None:
    """So that paying it in full is neither a gain nor a loss."""
    await work.want([euros()], Action.PAID_INVOICE)
    await work.run_until(work.all_created)
    (payment,) = await work.books("Payment")
    assert payment["ExchangeRate"] == 1.08
    assert reads(work) == 1
    assert await _gain_or_loss(work) == 0


async def test_a_payment_made_later_bears_the_rate_of_its_invoice(work: Work) -> None:
    """Also where it was refused at first and the day's rate has changed since."""
    refusal = {"kind": "fault", "entity": "Payment", "operation": "create", "code": "6000"}
    await plan(work.sandbox, work.realm, count=1, **refusal)
    await work.want([euros()], Action.PAID_INVOICE)
    await work.run_until(is_in(work, "blocked"))
    await set_rates(work, {"EUR": "2"})
    work.company.directory.rates._known.clear()
    await press_retry(work)
    await work.run_until(is_in(work, "created"))
    assert [row["ExchangeRate"] for row in await work.books("Payment")] == [1.08]
    assert await _gain_or_loss(work) == 0


async def test_an_update_keeps_the_rate_and_the_currency(work: Work) -> None:
    """Another total is booked at the rate of before; another currency is for a person."""
    await work.want([euros()])
    await work.run_until(work.all_created)
    await set_rates(work, {"EUR": "2"})
    work.company.directory.rates._known.clear()
    id_ = (await work.document())["document_id"]
    await work.desire(id_, euros("130.00"))

    async def is_dearer() -> bool:
        return bool((await work.document())["total"] == 130)

    await work.run_until(is_dearer)
    (invoice,) = await work.books("Invoice")
    assert (invoice["ExchangeRate"], invoice["HomeTotalAmt"]) == (1.08, 140.4)
    await work.desire(id_, sale("130.00"))

    async def is_refused() -> bool:
        return bool((await work.document())["change"] == "refused")

    await work.run_until(is_refused)
    assert "it is in EUR, and a document keeps its currency." in (await work.document())["detail"]


async def _gain_or_loss(work: Work) -> float:
    balances = await work.sandbox.admin("GET", f"trial-balance/{work.realm}")
    named = {each["Name"]: each["Balance"] for each in balances["accounts"]}
    return float(named.get("Exchange Gain or Loss", 0))
