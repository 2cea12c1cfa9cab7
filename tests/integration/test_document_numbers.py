"""Where numbers are the company's own and none is configured, QuickBooks is asked for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from reconciler.model import Action
from reconciler.quickbooks.payload import decode
from tests.company_at_work import BRISK, Work, at_work, brisk_waits, plan, sale
from tests.sandbox_process import Sandbox

CUSTOM_NUMBERS = {"SalesFormsPrefs": {"CustomTxnNumbers": True}}
AUTO = "AUTO_GENERATE"


@pytest.fixture
async def work(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Work]:
    """A company with custom transaction numbers, which soon forgets what it was sent."""
    brisk_waits(monkeypatch)
    realm = await sandbox.company(requestid_ttl_seconds=0)
    await sandbox.admin("POST", f"preferences/{realm}", CUSTOM_NUMBERS)
    policy = replace(BRISK, replay_window=timedelta(0), landing=BRISK.longest_delay)
    async with at_work(sandbox, database_dsn, realm, policy=policy) as opened:
        yield opened


async def numbers(work: Work, entity: str) -> list[str | None]:
    """Those in the books, in the order made."""
    return [row.get("DocNumber") for row in await work.books(entity)]


async def sent(work: Work, entity: str) -> list[str | None]:
    """Those asked for."""
    rows = await work.pool.fetch(
        "SELECT request FROM operations WHERE entity = $1 ORDER BY first_sent_at", entity
    )
    return [decode(row["request"]).get("DocNumber") for row in rows]


async def told(work: Work) -> list[str]:
    """Those of the outcomes."""
    rows = await work.pool.fetch("SELECT value FROM outcomes WHERE kind = 'created'")
    return [msgspec.json.decode(row["value"]).get("document_number", "") for row in rows]


@pytest.mark.parametrize(
    ("action", "entity", "is_numbered"),
    [
        (Action.INVOICE, "Invoice", True),
        (Action.ESTIMATE, "Estimate", True),
        (Action.SALES_RECEIPT, "SalesReceipt", True),
        (Action.PAID_INVOICE, "Invoice", True),
        (Action.REFUND_RECEIPT, "RefundReceipt", False),
    ],
    ids=str,
)
async def test_quickbooks_numbers_what_has_no_number(
    work: Work, action: Action, entity: str, is_numbered: bool
) -> None:
    """On the forms where it can be asked to; ledger and outcome hold the number it gave."""
    account: dict[str, Any] = {"deposit_account": "Checking"}
    more = account if action is Action.REFUND_RECEIPT else {}
    await work.want([sale(**more), sale("30.00", **more)], action)
    await work.run_until(work.all_created)
    assert await sent(work, entity) == [AUTO if is_numbered else None] * 2
    given = await numbers(work, entity)
    assert len(set(given)) == (2 if is_numbered else 1)
    assert AUTO not in given
    assert [row["document_number"] for row in await work.documents()] == given
    assert sorted(await told(work)) == sorted(number or "" for number in given)


async def test_a_number_of_ones_own_is_kept(work: Work) -> None:
    """What workflows.yaml calls for is asked for, and QuickBooks goes on counting from there."""
    await work.want([sale(document_number="HS-7")])
    await work.run_until(work.all_created)
    await work.want([sale()], first=2)
    await work.run_until(work.all_created)
    assert await numbers(work, "Invoice") == ["HS-7", "HS-8"]


async def test_what_is_adopted_has_the_number_that_quickbooks_gave(work: Work) -> None:
    """An answer was lost and its request id forgotten: found in the books, it is made once."""
    await plan(work.sandbox, work.realm, kind="drop_after_commit", entity="Invoice", count=1)
    await work.want([sale()])
    await work.run_until(work.all_created)
    (given,) = await numbers(work, "Invoice")
    assert given not in (None, AUTO)
    assert (await work.document())["document_number"] == given
    assert await told(work) == [given]


async def test_a_quickbooks_that_does_not_understand_gets_no_number(work: Work) -> None:
    """Where the request for a number counts as a taken one (6140) the document goes without."""
    fault = {
        "kind": "fault", "entity": "Invoice", "operation": "create", "code": "6140",
        "detail": f"DocNumber={AUTO} is assigned to TxnType=Invoice with TxnId=1",
    }  # fmt: skip
    await plan(work.sandbox, work.realm, count=1, **fault)
    await work.want([sale()])
    await work.run_until(work.all_created)
    assert await numbers(work, "Invoice") == [None]
    assert await sent(work, "Invoice") == [AUTO, None]
