"""What becomes of an invoice whose estimate is not, in QuickBooks, what it was."""

from __future__ import annotations

import pytest

from reconciler.model import Action
from tests.company_at_work import Work, sale


async def _estimated(work: Work) -> str:
    """Make the estimate of the deal; answers its id in QuickBooks."""
    await work.want([sale()], Action.ESTIMATE)
    await work.run_until(work.all_created)
    (estimate,) = await work.books("Estimate")
    return str(estimate["Id"])


async def _follow(work: Work, name: str = "Ada Byron") -> None:
    """Want the invoice that follows it."""
    estimate = str(work.key(1, Action.ESTIMATE))
    await work.want([sale(name=name, linked_estimate=estimate)])


@pytest.mark.parametrize("change", ["deleted", "Rejected", "Closed", "another customer"])
async def test_an_invoice_goes_alone_where_its_estimate_cannot_be_linked(
    work: Work, change: str
) -> None:
    """The sale is billed all the same, once; nobody made an invoice from that estimate."""
    id_ = await _estimated(work)
    if change == "deleted":
        await work.sandbox.admin("POST", f"delete/{work.realm}/Estimate/{id_}", {})
    elif change != "another customer":
        await work.sandbox.admin("POST", f"edit/{work.realm}/Estimate/{id_}", {"TxnStatus": change})
    await _follow(work, "Ada Lovelace" if change == "another customer" else "Ada Byron")
    await work.run_until(work.all_created)
    (invoice,) = await work.books("Invoice")
    assert (invoice["TotalAmt"], invoice["LinkedTxn"]) == (100, [])


async def test_an_estimate_invoiced_by_hand_blocks_until_a_person_says_so(work: Work) -> None:
    """That invoice may bill the sale: ours is not made beside it before it is retried."""
    id_ = await _estimated(work)
    (estimate,) = await work.books("Estimate")
    by_hand = {
        "CustomerRef": {"value": estimate["CustomerRef"]["value"]},
        "Line": [line for line in estimate["Line"] if "SalesItemLineDetail" in line],
        "LinkedTxn": [{"TxnId": id_, "TxnType": "Estimate"}],
    }
    await work.sandbox.enter(work.realm, "Invoice", by_hand)
    await _follow(work)

    async def blocked() -> bool:
        return (await work.documents())[1]["state"] == "blocked"

    await work.run_until(blocked)
    detail = (await work.documents())[1]["detail"]
    assert f"Estimate {estimate['DocNumber']}, which it follows, has an invoice there." in detail
    assert len(await work.books("Invoice")) == 1
    await work.pool.execute(
        "UPDATE documents SET state = 'wanted', next_attempt_at = now(), retried_at = now() "
        "WHERE state = 'blocked'"
    )
    work.company.wake()
    await work.run_until(work.all_created)
    assert len(await work.books("Invoice")) == 2
