"""Requests as a whole: requestid, batch, CDC, envelopes, headers, paper, and the throttle."""

# QuickBooks's query language, not SQL

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reconciler.sandbox.exact import decode
from tests.contract.books import CANADA, REALM, Body, Books, form, opened, sale


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox without limits."""
    async with opened() as held:
        yield held


@pytest.fixture
async def limited() -> AsyncIterator[Books]:
    """A sandbox with Intuit's limits."""
    async with opened(limits=True) as held:
        yield held


def creating(bid: str, name: str) -> Body:
    """A batch item that creates a customer."""
    return {"bId": bid, "operation": "create", "Customer": {"DisplayName": name}}


async def batch(books: Books, items: list[Body], flags: str = "") -> list[Body]:
    """A batch's item answers."""
    answer = await books.post("batch" + (f"?{flags}" if flags else ""), {"BatchItemRequest": items})
    assert "BatchItemResponse" in answer, answer
    return answer["BatchItemResponse"]


async def count(books: Books, entity: str = "Customer") -> int:
    """How many rows there are."""
    return (await books.query(f"select count(*) from {entity}"))["totalCount"]


# --- requestid


async def test_requestid_replays(books: Books) -> None:
    """A repeated requestid gives the original answer, whatever comes with it, per realm."""
    first = await books.call("POST", "customer?requestid=r1", {"DisplayName": "A"})
    again = await books.call("POST", "customer?requestid=r1", {"DisplayName": "A"})
    assert first[:2] == again[:2]
    other = await books.post("customer?requestid=r1", {"DisplayName": "B"})
    assert other["Customer"]["DisplayName"] == "A"
    assert await count(books) == 1
    books.realm = CANADA
    assert (await books.post("customer?requestid=r1", {"DisplayName": "A"}))["Customer"]
    await books.switch(changed_body_requestid="600")
    assert await books.refused("Customer", {"DisplayName": "B"}, "requestid=r1") == "600"


async def test_requestid_fault_is_not_remembered(books: Books) -> None:
    """A refused first attempt isn't replayed, unless the switch says so."""
    assert await books.refused("Customer", {}, "requestid=r1") == "6080"
    await books.write("Customer", {"DisplayName": "A"}, "requestid=r1")
    await books.switch(replay_faults=True)
    assert await books.refused("Customer", {}, "requestid=r2") == "6080"
    assert await books.refused("Customer", {"DisplayName": "B"}, "requestid=r2") == "6080"


async def test_requestid_window(books: Books) -> None:
    """After the window the same requestid creates a second object."""
    item, ann = await books.item(), await books.customer()
    body = form(ann, sale(item, 1))
    first = await books.write("Invoice", body, "requestid=r1")
    await books.admin("clock", {"advance_seconds": 86_300})
    assert (await books.write("Invoice", body, "requestid=r1"))["Id"] == first["Id"]
    await books.admin("clock", {"advance_seconds": 200})
    assert (await books.write("Invoice", body, "requestid=r1"))["Id"] != first["Id"]


async def test_requestid_after_delete(books: Books) -> None:
    """A replay answers with an object since deleted, or creates anew, by switch."""
    body = form(await books.customer(), sale(await books.item(), 1))
    first = await books.write("Invoice", body, "requestid=r1")
    await books.admin(f"delete/{REALM}/Invoice/{first['Id']}", {})
    assert (await books.write("Invoice", body, "requestid=r1"))["Id"] == first["Id"]
    await books.switch(replay_after_delete=False)
    assert (await books.write("Invoice", body, "requestid=r1"))["Id"] != first["Id"]


async def test_requestid_not_for_name_lists(books: Books) -> None:
    """By switch requestid isn't honoured for name lists, and the name guards instead."""
    await books.switch(honour_requestid_for_name_lists=False)
    await books.write("Customer", {"DisplayName": "A"}, "requestid=r1")
    assert await books.refused("Customer", {"DisplayName": "A"}, "requestid=r1") == "6240"


@pytest.mark.parametrize(("setting", "code"), [("replay", None), ("600", "600")])
async def test_requestid_concurrent(books: Books, setting: str, code: str | None) -> None:
    """The same requestid while the first is in work waits for its answer, or is 600."""
    await books.switch(concurrent_requestid=setting)
    slow = {"kind": "delay", "phase": "before", "seconds": 0.2, "count": 1}
    await books.admin("faults", slow)
    answers = await asyncio.gather(
        *(books.post("customer?requestid=r1", {"DisplayName": "A"}) for _ in range(2))
    )
    codes = [one["Fault"]["Error"][0]["code"] if "Fault" in one else None for one in answers]
    assert sorted(codes, key=str) == sorted([None, code], key=str)
    assert await count(books) == 1


async def test_requestid_length(books: Books) -> None:
    """50 characters are taken, 51 are 2050; in a batch 36, with 10 for bId."""
    await books.write("Customer", {"DisplayName": "A"}, f"requestid={'r' * 50}")
    assert await books.refused("Customer", {"DisplayName": "B"}, f"requestid={'r' * 51}") == "2050"
    answer = await books.post(
        f"batch?requestid={'r' * 37}", {"BatchItemRequest": [creating("b", "B")]}
    )
    assert answer["Fault"]["Error"][0]["code"] == "2050"
    items = await batch(books, [creating("b" * 11, "B")], f"requestid={'r' * 36}")
    assert items[0]["Fault"]["Error"][0]["code"] == "2050"


# --- batch


async def test_batch_items_fail_alone(books: Books) -> None:
    """A batch is 200; each item has its answer or its fault, keyed by bId."""
    items = [creating("1", "A"), creating("2", "A"), {"bId": "3", "Query": "select * from Term"},
             {"bId": "4", "operation": "replace", "Customer": {}}, creating("", "B")]  # fmt: skip
    answers = await batch(books, items)
    assert answers[0]["Customer"]["DisplayName"] == "A"
    assert answers[1]["Fault"]["Error"][0]["code"] == "6240"
    assert len(answers[2]["QueryResponse"]["Term"]) == 4
    assert answers[3]["Fault"]["Error"][0]["code"] == "500"
    assert answers[4]["Fault"]["Error"][0]["code"] == "2020"


async def test_batch_of_30(books: Books) -> None:
    """30 items work, 31 are 1040, none are 2020."""
    items = [creating(f"b{at}", f"C{at}") for at in range(31)]
    assert len(await batch(books, items[:30])) == 30
    answer = await books.post("batch", {"BatchItemRequest": items})
    assert answer["Fault"]["Error"][0]["code"] == "1040"
    assert (await books.post("batch", {}))["Fault"]["Error"][0]["code"] == "2020"


async def test_batch_replays_by_bid(books: Books) -> None:
    """A batch is idempotent by (requestid, bId); another bId is another request."""
    first = await batch(books, [creating("1", "A")], "requestid=r1")
    again = await batch(books, [creating("1", "A"), creating("2", "B")], "requestid=r1")
    assert again[0]["Customer"]["Id"] == first[0]["Customer"]["Id"]
    assert again[1]["Customer"]["DisplayName"] == "B"
    assert await count(books) == 2


async def test_batch_items_are_blind(books: Books) -> None:
    """An item can't refer to what an earlier item of the same batch creates."""
    item = await books.item()
    make = {"bId": "2", "operation": "create", "Invoice": form("1", sale(item, 1))}
    answers = await batch(books, [creating("1", "A"), make])
    assert answers[0]["Customer"]["Id"] == "1"
    assert answers[1]["Fault"]["Error"][0]["code"] == "2500"
    assert "Invoice" in (await batch(books, [make]))[0]


async def test_batch_update_and_delete(books: Books) -> None:
    """A batch updates and deletes too."""
    body = form(await books.customer(), sale(await books.item(), 1))
    made = await books.write("Invoice", body)
    keys = {"Id": made["Id"], "SyncToken": "0"}
    note = {
        "bId": "1",
        "operation": "update",
        "Invoice": {**keys, "sparse": True, "PrivateNote": "x"},
    }
    gone = {"bId": "2", "operation": "delete", "Invoice": {**keys, "SyncToken": "1"}}
    answers = await batch(books, [note, gone])
    assert answers[0]["Invoice"]["PrivateNote"] == "x"
    assert answers[1]["Invoice"]["status"] == "Deleted"


async def test_void_of_an_invoice(books: Books) -> None:
    """An invoice is voided as a payment is (`include=void`), and in a batch by `optionsData`."""
    body = form(await books.customer(), sale(await books.item(), 1))
    made = [await books.write("Invoice", body) for _ in range(2)]
    first, second = ({"Id": one["Id"], "SyncToken": "0", "sparse": True} for one in made)
    assert (await books.write("Invoice", first, "operation=update&include=void"))["TotalAmt"] == 0
    void = {"bId": "1", "operation": "update", "optionsData": "void", "Invoice": second}
    plan = {"kind": "fault", "operation": "void", "code": "9", "count": 1}
    await books.admin("faults", plan)
    assert (await batch(books, [void]))[0]["Fault"]["Error"][0]["code"] == "9"
    voided = (await batch(books, [void]))[0]["Invoice"]
    assert (voided["TotalAmt"], voided["PrivateNote"]) == (0, "Voided")
    assert await books.trial_balance() == 0


# --- CDC


async def test_cdc(books: Books) -> None:
    """CDC gives full entities since a moment, and stubs of what was deleted."""
    body = form(await books.customer(), sale(await books.item(), 1))
    kept, gone = await books.write("Invoice", body), await books.write("Invoice", body)
    await books.admin(f"delete/{REALM}/Invoice/{gone['Id']}", {})
    since = kept["MetaData"]["CreateTime"].replace("+", "%2B")
    answer = await books.get(f"cdc?entities=Invoice,Customer,Payment&changedSince={since}")
    invoices, customers, payments = answer["CDCResponse"][0]["QueryResponse"]
    assert {one["Id"]: one.get("status") for one in invoices["Invoice"]} == {
        kept["Id"]: None,
        gone["Id"]: "Deleted",
    }
    assert (len(customers["Customer"]), payments) == (1, {})
    await books.admin("clock", {"advance_seconds": 60})
    later = await books.get("cdc?entities=Invoice&changedSince=2099-01-01T00:00:00Z")
    assert later["CDCResponse"][0]["QueryResponse"] == [{}]


async def test_cdc_limits(books: Books) -> None:
    """CDC looks back 30 days and gives at most 1000 objects."""
    old = await books.get("cdc?entities=Invoice&changedSince=2020-01-01")
    assert old["Fault"]["Error"][0]["code"] == "2090"
    assert (await books.get("cdc?entities=Invoice"))["Fault"]["Error"][0]["code"] == "2020"
    await books.switch(cdc_max_objects=2)
    for name in "ABC":
        await books.customer(name)
    now = (await books.read("Customer", "1"))["MetaData"]["CreateTime"]
    answer = await books.get(f"cdc?entities=Customer&changedSince={now}")
    assert len(answer["CDCResponse"][0]["QueryResponse"][0]["Customer"]) == 2


async def test_cdc_order(books: Books) -> None:
    """Active objects come by their last update, deleted ones after them: those are cut off first."""
    ann, item = await books.customer(), await books.item()
    first, gone, last = [
        (await books.write("Invoice", form(ann, sale(item, 1))))["Id"] for _ in range(3)
    ]
    await books.admin(f"delete/{REALM}/Invoice/{gone}", {})
    await books.admin(f"edit/{REALM}/Invoice/{first}", {"PrivateNote": "x"})
    since = (await books.read("Customer", ann))["MetaData"]["CreateTime"]

    async def told() -> list[str]:
        answer = await books.get(f"cdc?entities=Invoice&changedSince={since}")
        return [one["Id"] for one in answer["CDCResponse"][0]["QueryResponse"][0]["Invoice"]]

    assert await told() == [last, first, gone]
    await books.switch(cdc_max_objects=2)
    assert await told() == [last, first]


@pytest.mark.parametrize(
    "entity", ["TaxAgency", "TaxCode", "TaxRate", "JournalCode", "TimeActivity"]
)
async def test_cdc_knows_no_taxes(books: Books, entity: str) -> None:
    """The entities that CDC doesn't follow are refused."""
    since = (await books.read("Customer", await books.customer()))["MetaData"]["CreateTime"]
    answer = await books.get(f"cdc?entities=Invoice,{entity}&changedSince={since}")
    assert answer["Fault"]["Error"][0]["code"] == "500"


# --- envelope


async def test_envelope(books: Books) -> None:
    """An entity comes under its name with time, strings for ids and exact numbers for money."""
    body = form(await books.customer(), sale(await books.item(), "10.10"))
    _, text, headers = await books.call("POST", "invoice?minorversion=12", body)
    assert b'"TotalAmt":10.10,' in text
    assert set(decode(text)) == {"Invoice", "time"}
    made = decode(text)["Invoice"]
    assert (made["domain"], made["sparse"], made["SyncToken"]) == ("QBO", False, "0")
    assert re.fullmatch(r"\d{4}-..-..T..:..:..-0[78]:00", made["MetaData"]["CreateTime"])
    assert headers["intuit_tid"]
    assert headers["Content-Type"] == "application/json;charset=UTF-8"


async def test_xml_without_json_accept(books: Books) -> None:
    """Without a JSON Accept header entities, queries, faults and refusals are XML."""
    ann = await books.customer("Ann & Bob")
    _, text, headers = await books.call("GET", f"customer/{ann}", Accept="*/*")
    assert headers["Content-Type"].startswith("application/xml")
    assert b'<Customer domain="QBO" sparse="false"><DisplayName>Ann &amp; Bob<' in text
    status, text, _ = await books.call("GET", "customer/99", Accept="*/*")
    assert (status, b'<Error code="610"' in text) == (400, True)
    status, text, _ = await books.call("GET", "preferences", Accept="*/*", Authorization="none")
    assert (status, b'<Fault type="AUTHENTICATION"><Error code="3200">' in text) == (401, True)
    books.realm = "1"
    status, text, _ = await books.call("GET", "preferences", Accept="*/*")
    assert (status, b'<Fault type="AUTHORIZATION"><Error code="3100">' in text) == (403, True)
    assert re.search(rb'<IntuitResponse time="\d{4}-', text)


async def test_xml_of_values(books: Books) -> None:
    """What JSON tells as a value with name or type is text with attributes, whatever its name."""
    ann, item = await books.customer("Ann"), await books.item()
    body = form(ann, sale(item, 1), CustomerMemo={"value": "Thanks"})
    made = await books.write("Invoice", body)
    _, text, _ = await books.call("GET", f"invoice/{made['Id']}", Accept="*/*")
    assert f'<CustomerRef name="Ann">{ann}</CustomerRef>'.encode() in text
    assert b"<CustomerMemo>Thanks</CustomerMemo>" in text
    _, text, _ = await books.call("GET", "preferences", Accept="*/*")
    assert b"<HomeCurrency>USD</HomeCurrency>" in text


@pytest.mark.parametrize(
    "entity",
    ["Customer", "Vendor", "Employee", "Item", "Account", "Term", "PaymentMethod", "TaxCode",
     "TaxRate", "TaxAgency", "Class", "Department", "Invoice", "Estimate", "SalesReceipt",
     "RefundReceipt", "CreditMemo", "Payment", "Purchase", "Deposit", "JournalEntry",
     "CompanyInfo", "Preferences"],
)  # fmt: skip
async def test_every_entity_is_queryable(books: Books, entity: str) -> None:
    """Every entity answers a query and a read."""
    answer = await books.query(f"select * from {entity} maxresults 1")
    for row in answer.get(entity, []):
        path = {"CompanyInfo": f"companyinfo/{REALM}", "Preferences": "preferences"}
        got = await books.get(path.get(entity, f"{entity.lower()}/{row['Id']}"))
        assert got[entity]["Id"] == row["Id"]


async def test_a_new_company_has_its_lists(books: Books) -> None:
    """A new company has accounts, terms, payment methods, tax codes and preferences.

    CompanyInfo is read by the realm id or by its Id, 1.
    """
    for entity, least in (("Account", 20), ("Term", 4), ("PaymentMethod", 6), ("TaxCode", 3)):
        assert await count(books, entity) >= least
    info = (await books.get(f"companyinfo/{REALM}"))["CompanyInfo"]
    assert info["Country"] == "US"
    assert (await books.get("companyinfo/1"))["CompanyInfo"] == info
    assert (await books.get("companyinfo/2"))["Fault"]["Error"][0]["code"] == "610"
    prefs = (await books.get("preferences"))["Preferences"]
    assert prefs["TaxPrefs"] == {"UsingSalesTax": True, "PartnerTaxEnabled": True}
    assert prefs["CurrencyPrefs"]["HomeCurrency"] == {"value": "USD"}
    assert (await books.read("TaxCode", "NON"))["Taxable"] is False


async def test_preferences_can_be_changed(books: Books) -> None:
    """Preferences are merged by POST, and an unknown group is 2010."""
    body = {"SalesFormsPrefs": {"CustomTxnNumbers": True}}
    changed = (await books.post("preferences", body))["Preferences"]
    assert changed["SalesFormsPrefs"]["CustomTxnNumbers"] is True
    assert changed["SalesFormsPrefs"]["AllowDeposit"] is True
    assert (await books.post("preferences", {"X": {}}))["Fault"]["Error"][0]["code"] == "2010"


async def test_paper(books: Books) -> None:
    """A form has a PDF and can be sent, to its BillEmail or another address."""
    body = form(await books.customer(), sale(await books.item(), 1))
    made = await books.write("Invoice", body)
    _, pdf, headers = await books.call("GET", f"invoice/{made['Id']}/pdf", Accept="application/pdf")
    assert (pdf[:5], headers["Content-Type"]) == (b"%PDF-", "application/pdf")
    path = f"invoice/{made['Id']}/send"
    kind = {"Content_Type": "application/octet-stream"}
    assert b'"2020"' in (await books.call("POST", path, **kind))[1]
    sent = await books.call("POST", f"{path}?sendTo=ann%40example.com", **kind)
    assert decode(sent[1])["Invoice"]["EmailStatus"] == "EmailSent"
    linked = await books.get(f"invoice/{made['Id']}?include=invoiceLink")
    assert linked["Invoice"]["InvoiceLink"].startswith("https://")
    found = await books.get("query?query=select%20*%20from%20Invoice&include=invoiceLink")
    assert found["QueryResponse"]["Invoice"] == [linked["Invoice"]]


# --- limits


async def statuses(books: Books, requests: int, path: str = "query?query=x") -> list[int]:
    """The statuses of so many requests, one a tenth of a second on the sandbox's clock."""
    found = []
    for _ in range(requests):
        books.world.clock.advance(0.11)
        found.append((await books.call("GET", path))[0])
    return found


async def test_ten_a_second(limited: Books) -> None:
    """The eleventh request in a second is 429, and a second later there is room."""
    found = [(await limited.call("GET", "preferences"))[0] for _ in range(11)]
    assert found == [200] * 10 + [429]
    await limited.admin("clock", {"advance_seconds": 1})
    assert (await limited.call("GET", "preferences"))[0] == 200


async def test_ten_at_once_by_switch(limited: Books) -> None:
    """By switch the second's limit is on concurrent requests, as in 2016."""
    await limited.switch(per_second_rule="concurrent")
    assert await statuses(limited, 0) == []
    found = [(await limited.call("GET", "preferences"))[0] for _ in range(20)]
    assert found == [200] * 20
    await limited.admin("faults", {"kind": "delay", "seconds": 0.2, "count": 12})
    answers = await asyncio.gather(*(limited.call("GET", "preferences") for _ in range(12)))
    assert sorted(one[0] for one in answers) == [200] * 10 + [429] * 2


async def test_five_hundred_a_minute(limited: Books) -> None:
    """The 501st request in a minute is 429."""
    found = await statuses(limited, 501, "preferences")
    assert found == [200] * 500 + [429]
    stats = await limited.admin(f"stats/{REALM}")
    assert (stats["throttled"], stats["requests"]["read"]["200"]) == (1, 500)
    await limited.admin("clock", {"advance_seconds": 60})
    assert (await limited.call("GET", "preferences"))[0] == 200


async def test_all_apis_together(limited: Books) -> None:
    """The limit over all APIs holds where it is the lower one."""
    await limited.switch(all_requests_per_minute=5)
    assert (await statuses(limited, 6, "preferences"))[-1] == 429


async def test_forty_batches_a_minute(limited: Books) -> None:
    """The 41st batch in a minute is 429 while other requests go on."""
    body = {"BatchItemRequest": [{"bId": "1", "Query": "select * from Term"}]}
    found = []
    for _ in range(41):
        limited.world.clock.advance(0.2)
        found.append((await limited.call("POST", "batch", body))[0])
    assert found == [200] * 40 + [429]
    assert (await limited.call("GET", "preferences"))[0] == 200
    peaks = (await limited.admin(f"stats/{REALM}"))["peaks"]
    assert (peaks["batches_in_a_minute"], peaks["requests_in_a_minute"]) == (40, 41)


@pytest.mark.parametrize(
    ("changes", "status", "inside"),
    [
        ({}, 429, b'"type":"SERVICE"'),
        ({"throttle_body": "xml"}, 429, b'<Fault type="SERVICE"><Error code="3001">'),
        ({"throttle_body": "gateway", "throttle_status": 403}, 403, b'"fault":{"error":[{'),
    ],
)
async def test_throttle_answers(
    books: Books, changes: dict[str, Any], status: int, inside: bytes
) -> None:
    """A 429 is JSON, XML despite Accept, or the gateway's JSON; Retry-After is a switch."""
    await books.switch(**changes)
    await books.admin("faults", {"kind": "throttle", "count": 2})
    got, body, headers = await books.call("GET", "preferences")
    assert (got, inside in body, b"ThrottleExceeded" in body) == (status, True, True)
    assert "Retry-After" not in headers
    await books.switch(retry_after_header=True)
    assert (await books.call("GET", "preferences"))[2]["Retry-After"] == "60"


async def test_monthly_reads(books: Books) -> None:
    """Past the month's quota reads are 429 and writes are not."""
    await books.switch(monthly_reads=2)
    assert await statuses(books, 3, "preferences") == [200, 200, 429]
    await books.customer()
    stats = await books.admin(f"stats/{REALM}")
    assert stats["metered_reads"] == 2


async def test_forty_mails_a_day(limited: Books) -> None:
    """The 41st mail of a day is 429."""
    await limited.switch(requests_per_second=1000)
    body = form(await limited.customer(), sale(await limited.item(), 1))
    made = await limited.write("Invoice", body)
    path = f"invoice/{made['Id']}/send?sendTo=ann%40example.com"
    kind = {"Content_Type": "application/octet-stream"}
    found = [(await limited.call("POST", path, **kind))[0] for _ in range(41)]
    assert found == [200] * 40 + [429]


async def test_line_limits(books: Books) -> None:
    """750 taxable lines are the most for a form, and 10,000 lines in all."""
    ann, item = await books.customer(), await books.item()
    taxed = sale(item, 1, TaxCodeRef={"value": "TAX"})
    assert await books.refused("Invoice", form(ann, *[taxed] * 751)) == "6000"
    await books.write("Invoice", form(ann, *[taxed] * 750))
    assert await books.refused("Invoice", form(ann, *[sale(item, 1)] * 10_001)) == "6000"
