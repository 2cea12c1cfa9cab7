"""The admin API: companies, books, statistics, preferences, switches, clock, bookkeeping."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from reconciler.sandbox.switches import NAMES
from tests.contract.books import CANADA, REALM, Books, form, opened, sale


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox."""
    async with opened() as held:
        yield held


async def test_health_and_companies(books: Books) -> None:
    """The companies are listed with country, currency and counts; more can be opened."""
    assert await books.admin("health") == {"status": "ok"}
    listed = await books.admin("companies")
    assert [(one["realm"], one["country"], one["currency"]) for one in listed] == [
        (REALM, "US", "USD"),
        (CANADA, "CA", "CAD"),
    ]
    wanted = {"realm": "77", "country": "GB", "currency": "GBP",
              "preferences": {"CurrencyPrefs": {"MultiCurrencyEnabled": True}}}  # fmt: skip
    await books.admin("companies", wanted)
    books.realm = "77"
    prefs = (await books.get("preferences"))["Preferences"]["CurrencyPrefs"]
    assert prefs == {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": "GBP"}}
    with pytest.raises(AssertionError, match="exists"):
        await books.admin("companies", wanted)


async def test_books(books: Books) -> None:
    """The books list every entity in full, by type, with what was deleted."""
    body = form(await books.customer(), sale(await books.item(), 1))
    kept, gone = await books.write("Invoice", body), await books.write("Invoice", body)
    await books.admin(f"delete/{REALM}/Invoice/{gone['Id']}", {})
    listed = await books.admin(f"books/{REALM}")
    assert listed["Invoice"] == [kept]
    assert [(one["entity"], one["Id"]) for one in listed["Deleted"]] == [("Invoice", gone["Id"])]
    assert listed["Estimate"] == []
    some = await books.admin(f"books/{REALM}?entities=Invoice,Payment")
    assert set(some) == {"Invoice", "Payment", "Deleted"}


async def test_stats(books: Books) -> None:
    """Requests are counted by operation and status, with replays, batch items and reads."""
    await books.write("Customer", {"DisplayName": "A"}, "requestid=r1")
    await books.write("Customer", {"DisplayName": "A"}, "requestid=r1")
    await books.refused("Customer", {})
    await books.query("select * from Term")
    item = {"bId": "1", "operation": "create", "Customer": {"DisplayName": "B"}}
    await books.post("batch", {"BatchItemRequest": [item]})
    stats = await books.admin(f"stats/{REALM}")
    assert stats["requests"] == {
        "create": {"200": 2, "400": 1},
        "query": {"200": 1},
        "batch": {"200": 1},
    }
    assert stats["faults"] == {"6080": 1}
    assert stats["created"] == {"Customer": 2}
    assert (stats["replays"], stats["batch_items"], stats["metered_reads"]) == (1, 1, 1)
    await books.admin(f"stats/{REALM}/reset", {})
    assert (await books.admin(f"stats/{REALM}"))["total_requests"] == 0


async def test_switches(books: Books) -> None:
    """Switches are for all realms or for one; unknown names and wrong types are refused."""
    assert set(await books.admin("switches")) == NAMES
    await books.switch(realm=CANADA, fault_status=200)
    assert (await books.admin(f"switches?realm={CANADA}"))["fault_status"] == 200
    assert (await books.admin("switches"))["fault_status"] == 400
    for wrong in ({"nonsense": 1}, {"fault_status": "x"}):
        with pytest.raises(AssertionError):
            await books.admin("switches", wrong)


async def test_bookkeeping_by_hand(books: Books) -> None:
    """A bookkeeper creates, edits, voids and deletes without token, limits or SyncToken."""
    made = await books.admin(f"company/{REALM}/entities/Customer", {"DisplayName": "Ann"})
    ann, item = made["Customer"]["Id"], await books.item()
    body = form(ann, sale(item, 5))
    invoice = (await books.admin(f"company/{REALM}/entities/Invoice", body))["Invoice"]["Id"]
    path = f"{REALM}/Invoice/{invoice}"
    edited = await books.admin(f"edit/{path}", {"PrivateNote": "x"})
    assert (edited["Invoice"]["PrivateNote"], edited["Invoice"]["SyncToken"]) == ("x", "1")
    assert (await books.admin(f"void/{path}", {}))["Invoice"]["TotalAmt"] == 0
    assert (await books.admin(f"delete/{path}", {}))["Invoice"]["status"] == "Deleted"
    receipt = (await books.admin(f"company/{REALM}/entities/SalesReceipt", body))["SalesReceipt"]
    await books.admin(f"void/{REALM}/SalesReceipt/{receipt['Id']}", {})
    with pytest.raises(AssertionError, match="6240"):
        await books.admin(f"company/{REALM}/entities/Customer", {"DisplayName": "ann"})


async def test_unknown_realms_and_bodies(books: Books) -> None:
    """What doesn't exist is 404, what isn't JSON 400."""
    for path in ("books/1", "stats/1", "trial-balance/1"):
        async with books.session.get(f"{books.root}/admin/{path}") as answer:
            assert answer.status == 404
    url = f"{books.root}/admin/switches"
    async with aiohttp.ClientSession() as session, session.post(url, data=b"{") as answer:
        assert answer.status == 400
