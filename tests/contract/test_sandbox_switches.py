"""Switches that no other test turns: each changes what it says it does."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.switches import NAMES
from tests.contract.books import Books, form, opened, sale

TESTS = Path(__file__).parent
PAGE = TESTS.parents[1] / "docs" / "sandbox.md"


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox."""
    async with opened() as held:
        yield held


def expense(books: Books, number: str) -> dict[str, Any]:
    """A Purchase."""
    fee = {"AccountRef": {"value": books.account("BankCharges")}}
    line = {"DetailType": "AccountBasedExpenseLineDetail", "Amount": 1,
            "AccountBasedExpenseLineDetail": fee}  # fmt: skip
    bank = {"value": books.account("Checking")}
    return {"PaymentType": "Cash", "AccountRef": bank, "DocNumber": number, "Line": [line]}


async def test_purchase_numbers(books: Books) -> None:
    """Expense numbers may repeat, unless docnumber_unique_purchases."""
    for _ in range(2):
        await books.write("Purchase", expense(books, "F-1"))
    await books.switch(docnumber_unique_purchases=True)
    assert await books.refused("Purchase", expense(books, "F-1")) == "6140"


async def test_class_of_an_expense(books: Books) -> None:
    """Its line bears one however classes are tracked; untracked it is dropped, or 5030 by switch."""
    kind = (await books.write("Class", {"Name": "North"}))["Id"]
    body = expense(books, "F-1")
    body["Line"][0]["AccountBasedExpenseLineDetail"]["ClassRef"] = {"value": kind}

    async def kept() -> bool:
        made = await books.write("Purchase", body)
        return "ClassRef" in made["Line"][0]["AccountBasedExpenseLineDetail"]

    assert not await kept()
    await books.switch(untracked_class="fault")
    assert await books.refused("Purchase", body) == "5030"
    await books.prefer("AccountingInfoPrefs", ClassTrackingPerTxn=True)
    assert await kept()
    await books.prefer(
        "AccountingInfoPrefs", ClassTrackingPerTxn=False, ClassTrackingPerTxnLine=True
    )
    assert await kept()


async def test_sales_receipt_without_customer(books: Books) -> None:
    """A sales receipt needs no customer, unless sales_receipt_needs_customer."""
    body = form(None, sale(await books.item(), 1))
    await books.write("SalesReceipt", body)
    await books.switch(sales_receipt_needs_customer=True)
    assert await books.refused("SalesReceipt", body) == "2020"


async def test_total_tax_not_honoured(books: Books) -> None:
    """AST replaces TotalTax when honour_total_tax is off or the form asks for AST."""
    ann, item = await books.customer(), await books.item()
    line = sale(item, 100, TaxCodeRef={"value": "TAX"})
    asks = form(ann, line, TxnTaxDetail={"TotalTax": 5, "UseAutomatedSalesTax": True})
    assert (await books.write("Invoice", asks))["TotalAmt"] == 108
    await books.switch(honour_total_tax=False, sales_tax_percent=9)
    plain = form(ann, line, TxnTaxDetail={"TotalTax": 5})
    assert (await books.write("Invoice", plain))["TotalAmt"] == 109


async def test_token_lives(books: Books) -> None:
    """access_token_seconds and refresh_token_seconds say how long tokens live."""
    await books.switch(access_token_seconds=5, refresh_token_seconds=50, oauth_enforced=True)
    tokens = await books.admin(f"oauth/{books.realm}/token", {})
    assert (tokens["expires_in"], tokens["x_refresh_token_expires_in"]) == (5, 50)
    books.token = tokens["access_token"]
    assert (await books.call("GET", "preferences"))[0] == 200
    await books.admin("clock", {"advance_seconds": 6})
    assert (await books.call("GET", "preferences"))[0] == 401


async def test_limits_can_be_other_than_intuits() -> None:
    """requests_per_minute, batches_per_minute and emails_per_day may be changed."""
    async with opened(limits=True) as books:
        await books.switch(requests_per_minute=1, batches_per_minute=1, emails_per_day=1)
        found = [(await books.call("GET", "preferences"))[0] for _ in range(2)]
        assert found == [200, 429]


async def test_requestid_ttl(books: Books) -> None:
    """requestid_ttl_seconds says how long a repeat is answered again."""
    await books.switch(requestid_ttl_seconds=10)
    await books.write("Customer", {"DisplayName": "A"}, "requestid=r1")
    await books.write("Customer", {"DisplayName": "A"}, "requestid=r1")
    await books.admin("clock", {"advance_seconds": 11})
    assert await books.refused("Customer", {"DisplayName": "A"}, "requestid=r1") == "6240"


def test_every_switch_is_tested_and_documented() -> None:
    """Each switch is turned by a test and stands on the page."""
    tests = "".join(path.read_text() for path in TESTS.glob("test_sandbox_*.py"))
    page = PAGE.read_text()
    for name in NAMES:
        assert name in tests, name
        assert f"`{name}`" in page, name


def test_every_test_on_the_page_exists() -> None:
    """The page's tests are tests of this folder."""
    tests = "".join(path.read_text() for path in TESTS.glob("test_sandbox_*.py"))
    named = [
        word for word in PAGE.read_text().replace("`", " ").split() if word.startswith("test_")
    ]
    assert len(named) > 60
    for name in named:
        assert f"def {name}(" in tests, name
