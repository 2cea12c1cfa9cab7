"""Classes and locations stand where the company tracks them, or block what would lose them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import Action
from reconciler.workflows import OnChange
from reconciler.writing.policies import DocumentPolicy, Policies
from tests.company_at_work import WORKFLOW, Work, at_work, sale
from tests.sandbox_process import Sandbox

EVERYTHING = {"class_name": "Consulting", "department": "New York"}
EXPENSE: dict[str, Any] = {
    "customer": None, "lines": (), "bank_account": "Checking", "expense_account": "Bank Charges",
}  # fmt: skip
FORMS = [
    (Action.INVOICE, "Invoice", {}),
    (Action.ESTIMATE, "Estimate", {}),
    (Action.SALES_RECEIPT, "SalesReceipt", {}),
    (Action.REFUND_RECEIPT, "RefundReceipt", {"deposit_account": "Checking"}),
]
PER_TRANSACTION = {"ClassTrackingPerTxn": True, "TrackDepartments": True}
PER_LINE = {"ClassTrackingPerTxnLine": True, "TrackDepartments": True}


async def track(work: Work, how: dict[str, bool]) -> None:
    """Turn tracking on in the company, which has the class and the location already."""
    await work.sandbox.admin("POST", f"preferences/{work.realm}", {"AccountingInfoPrefs": how})


async def enter_names(work: Work) -> None:
    """Somebody has entered the class and the location."""
    await work.sandbox.enter(work.realm, "Class", {"Name": "Consulting"})
    await work.sandbox.enter(work.realm, "Department", {"Name": "New York"})


def name_of(row: dict[str, Any], field: str) -> str:
    """What a reference names, "" without one."""
    return str(row.get(field, {}).get("name", ""))


def classes_of_lines(row: dict[str, Any]) -> list[str]:
    """The class of each line that sells or spends something."""
    details = (line.get(line["DetailType"], {}) for line in row["Line"])
    return [name_of(each, "ClassRef") for each in details if {"ItemRef", "AccountRef"} & set(each)]


@pytest.mark.parametrize(("action", "entity", "more"), FORMS, ids=str)
@pytest.mark.parametrize("how", [PER_TRANSACTION, PER_LINE], ids=["transaction", "line"])
async def test_a_form_bears_its_class_where_it_is_tracked(
    work: Work, how: dict[str, bool], action: Action, entity: str, more: dict[str, Any]
) -> None:
    """On the form or on each line, and not on both; the location is the form's."""
    await enter_names(work)
    await track(work, how)
    await work.want([sale(**EVERYTHING, **more)], action)
    await work.run_until(work.all_created)
    (row,) = await work.books(entity)
    per_line = how is PER_LINE
    assert classes_of_lines(row) == ["Consulting" if per_line else ""]
    assert name_of(row, "ClassRef") == ("" if per_line else "Consulting")
    assert name_of(row, "DepartmentRef") == "New York"


@pytest.mark.parametrize("how", [PER_TRANSACTION, PER_LINE], ids=["transaction", "line"])
async def test_an_expense_bears_its_class_on_the_line(work: Work, how: dict[str, bool]) -> None:
    """However classes are tracked: a Purchase has none of its own."""
    await enter_names(work)
    await track(work, how)
    await work.want([sale(**EVERYTHING, **EXPENSE)], Action.EXPENSE)
    await work.run_until(work.all_created)
    (row,) = await work.books("Purchase")
    assert classes_of_lines(row) == ["Consulting"]
    assert name_of(row, "DepartmentRef") == "New York"


@pytest.mark.parametrize(
    ("action", "more"), [(Action.INVOICE, {}), (Action.EXPENSE, EXPENSE)], ids=str
)
@pytest.mark.parametrize(
    ("choice", "kind"), [("class_name", "Class"), ("department", "Location")], ids=str
)
async def test_what_is_not_tracked_blocks_until_it_is(
    work: Work, action: Action, more: dict[str, Any], choice: str, kind: str
) -> None:
    """QuickBooks would drop it without a word. Once tracking is on the document is made."""
    await enter_names(work)
    await work.want([sale(**{choice: EVERYTHING[choice]}, **more)], action)

    async def is_blocked() -> bool:
        return bool((await work.document())["state"] == "blocked")

    await work.run_until(is_blocked)
    row = await work.document()
    assert row["reason"] == "list_entry_not_found"
    assert row["detail"].startswith(f"{kind} “{EVERYTHING[choice]}” is not in QuickBooks or not")
    assert "turn its tracking on" in row["detail"]
    assert not await work.books("Customer")
    await track(work, PER_LINE)
    await work.pool.execute("UPDATE documents SET state = 'wanted', retried_at = now()")
    work.company.wake()
    await work.run_until(work.all_created)


async def test_an_update_keeps_the_class_of_each_line(sandbox: Sandbox, database_dsn: str) -> None:
    """Lines are replaced as a whole, and each that is written bears it again."""
    realm = await sandbox.company()
    policies = Policies({(WORKFLOW, realm, Action.INVOICE): DocumentPolicy(OnChange.UPDATE)})
    async with at_work(sandbox, database_dsn, realm, policies=policies) as work:
        await enter_names(work)
        await track(work, PER_LINE)
        await work.want([sale(**EVERYTHING)])
        await work.run_until(work.all_created)
        await work.desire((await work.document())["document_id"], sale("130.00", **EVERYTHING))

        async def is_dearer() -> bool:
            return bool((await work.document())["total"] == 130)

        await work.run_until(is_dearer)
        assert [classes_of_lines(row) for row in await work.books("Invoice")] == [["Consulting"]]


async def test_facts_of_an_older_version_are_read_anew(work: Work) -> None:
    """Stored without a word on tracking, they serve until the company is looked at again."""
    await enter_names(work)
    await track(work, PER_LINE)
    await work.company.directory.ensure_loaded()
    await work.pool.execute(
        """UPDATE companies
              SET facts = (facts::jsonb - 'class_tracking' - 'department_tracking')::json"""
    )
    await work.want([sale(**EVERYTHING)])
    await work.run_until(work.all_created)
    assert [classes_of_lines(row) for row in await work.books("Invoice")] == [["Consulting"]]
