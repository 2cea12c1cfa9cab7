"""Every fault code of QuickBooks that the sandbox knows, each from the request that earns it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contract.books import REALM, Body, Books, form, opened, pays, sale


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox."""
    async with opened() as held:
        yield held


def error_of(answer: Body) -> Body:
    """The first error of a fault."""
    return answer["Fault"]["Error"][0]


async def test_2010_unknown_property(books: Books) -> None:
    """A property QuickBooks doesn't know is 2010, and names it."""
    answer = await books.post("customer", {"DisplayName": "Ann", "Nmae": 1})
    assert answer["Fault"]["type"] == "ValidationFault"
    assert (error_of(answer)["code"], error_of(answer)["element"]) == ("2010", "Nmae")


@pytest.mark.parametrize(
    "body",
    [
        {"DisplayName": {"x": 1}},
        {"DisplayName": "A", "Taxable": "perhaps"},
        {"DisplayName": "A", "BillAddr": "street"},
        b"{not json",
        b'["a"]',
    ],
)
async def test_2010_wrong_type(books: Books, body: Any) -> None:
    """A value of the wrong type, and a body that isn't JSON, are 2010."""
    assert await books.refused("Customer", body) == "2010"


async def test_2020_required(books: Books) -> None:
    """A missing required parameter is 2020, all of them in one fault, an empty Line too."""
    answer = await books.post("invoice", {"Line": []})
    assert [one["element"] for one in answer["Fault"]["Error"]] == ["CustomerRef", "Line"]
    assert {one["code"] for one in answer["Fault"]["Error"]} == {"2020"}
    ann = await books.customer()
    only_text = form(ann, {"DetailType": "DescriptionOnly", "Description": "x"})
    assert await books.refused("Invoice", only_text) == "2020"
    assert await books.refused("Payment", {"CustomerRef": {"value": ann}}) == "2020"
    need = form(ann, sale(await books.item(), 1), EmailStatus="NeedToSend")
    assert await books.refused("Invoice", need) == "2020"


async def test_2020_sparse(books: Books) -> None:
    """A sparse update must repeat a Term's Name and a Purchase's PaymentType; by hand it need not."""
    term = await books.write("Term", {"Name": "Net 7", "DueDays": 7})
    fee = {"AccountRef": {"value": books.account("BankCharges")}}
    line = {"DetailType": "AccountBasedExpenseLineDetail", "Amount": 3,
            "AccountBasedExpenseLineDetail": fee}  # fmt: skip
    bank = {"value": books.account("Checking")}
    body = {"PaymentType": "Cash", "AccountRef": bank, "Line": [line]}
    spent = await books.write("Purchase", body)
    for entity, row, name, change in (
        ("Term", term, "Name", {"DueDays": 8}),
        ("Purchase", spent, "PaymentType", {"PrivateNote": "x"}),
    ):
        changed = {"Id": row["Id"], "SyncToken": "0", "sparse": True, **change}
        error = error_of(await books.post(entity.lower(), changed))
        assert (error["code"], error["element"]) == ("2020", name)
        assert error["Detail"].startswith(f"Required parameter {name} is missing")
        await books.write(entity, {**changed, name: row[name]})
        await books.admin(f"edit/{REALM}/{entity}/{row['Id']}", change)


async def test_2030_invalid_id(books: Books) -> None:
    """An id that isn't a number is 2030."""
    item = await books.item()
    assert await books.refused("Invoice", form("ann", sale(item, 1))) == "2030"
    assert error_of(await books.get("customer/abc"))["code"] == "2030"
    assert await books.refused("Customer", {"Id": "x", "SyncToken": "0"}) == "2030"


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("DisplayName", 500),
        ("GivenName", 100),
        ("Title", 16),
        ("CompanyName", 100),
        ("PrintOnCheckName", 110),
        ("Notes", 2000),
        ("ResaleNum", 16),
    ],
)
async def test_2050_customer_lengths(books: Books, name: str, length: int) -> None:
    """A customer's strings are taken at their longest, and refused one longer."""
    assert await books.refused("Customer", {"DisplayName": "A", name: "x" * (length + 1)}) == "2050"
    await books.write("Customer", {"DisplayName": "A", name: "x" * length})


async def test_2040_unsupported_characters(books: Books) -> None:
    """XML can't carry most control characters, so QuickBooks can't keep them; breaks and tabs it can."""
    ann, item = await books.customer(), await books.item()
    for character in "\x00\x08\x0b\x1b\ufffe":
        held = form(ann, sale(item, 1), PrivateNote=f"a{character}b")
        assert await books.refused("Invoice", held) == "2040", ascii(character)
    await books.write("Invoice", form(ann, sale(item, 1), PrivateNote="a\tb\r\nc\x85"))


async def test_2050_counts_as_java(books: Books) -> None:
    """A character beyond U+FFFF counts twice."""
    ann, item = await books.customer(), await books.item()
    await books.write("Invoice", form(ann, sale(item, 1), DocNumber="1" + "\U0001f680" * 10))
    long = form(ann, sale(item, 1), DocNumber="\U0001f680" * 11)
    assert await books.refused("Invoice", long) == "2050"


async def test_2050_form_lengths(books: Books) -> None:
    """DocNumber 21, PrivateNote 4000, CustomerMemo 1000, PaymentRefNum 21, Sku 100, e-mail 100."""
    ann, item = await books.customer(), await books.item()
    too_long: list[Body] = [
        {"DocNumber": "1" * 22},
        {"PrivateNote": "x" * 4001},
        {"CustomerMemo": {"value": "x" * 1001}},
        {"BillEmail": {"Address": "a" * 89 + "@example.com"}},
    ]
    for extra in too_long:
        assert await books.refused("Invoice", form(ann, sale(item, 1), **extra)) == "2050"
    assert await books.refused("Payment", pays(ann, 1, PaymentRefNum="1" * 22)) == "2050"
    answer = await books.post("item", {"Name": "A", "Sku": "x" * 101})
    assert error_of(answer)["Detail"].endswith("Min:0 Max:100 supported. Supplied length:101")


async def test_2090_number(books: Books) -> None:
    """A number that can't be read or is out of range is 2090; a price may be larger than an amount."""
    assert await books.refused("Term", {"Name": "Long", "DueDays": 1000}) == "2090"
    ann, item = await books.customer(), await books.item()
    assert await books.refused("Invoice", form(ann, sale(item, "much"))) == "2090"
    assert await books.refused("Invoice", form(ann, sale(item, 10**10))) == "2090"
    dear = sale(item, 1, UnitPrice=10**11)
    assert await books.refused("Invoice", form(ann, dear)) == "2090"
    assert await books.refused("Payment", pays(ann, -1)) == "2090"


async def test_2170_enumeration(books: Books) -> None:
    """A word that isn't of the enumeration is 2170."""
    assert await books.refused("Item", {"Name": "A", "Type": "Thing"}) == "2170"
    ann, item = await books.customer(), await books.item()
    assert await books.refused("Estimate", form(ann, sale(item, 1), TxnStatus="Open")) == "2170"


@pytest.mark.parametrize("address", ["no-at", "a@b", "a b@example.com", "a@@example.com"])
async def test_2210_email(books: Books, address: str) -> None:
    """An address that isn't RFC 822 is 2210."""
    body = {"DisplayName": "Ann", "PrimaryEmailAddr": {"Address": address}}
    assert await books.refused("Customer", body) == "2210"


async def test_2500_unknown_reference(books: Books) -> None:
    """A reference to nothing is 2500 and names the list."""
    answer = await books.post("invoice", form("999", sale(await books.item(), 1)))
    assert error_of(answer)["code"] == "2500"
    assert "Names element id 999 not found" in error_of(answer)["Detail"]


async def test_2500_category(books: Books) -> None:
    """Categories order what is sold and can't be sold themselves."""
    ann, bank = await books.customer(), {"value": books.account("Checking")}
    category = (await books.write("Item", {"Name": "Shirts", "Type": "Category"}))["Id"]
    assert await books.refused("Invoice", form(ann, sale(category, 1))) == "2500"
    line = {"DetailType": "ItemBasedExpenseLineDetail", "Amount": 1,
            "ItemBasedExpenseLineDetail": {"ItemRef": {"value": category}}}  # fmt: skip
    expense = {"PaymentType": "Cash", "AccountRef": bank, "Line": [line]}
    assert await books.refused("Purchase", expense) == "2500"


async def test_610_gone_and_inactive(books: Books) -> None:
    """An absent object, a deleted transaction, and an inactive reference are 610."""
    ann, item = await books.customer(), await books.item()
    assert error_of(await books.get("invoice/999"))["code"] == "610"
    made = await books.write("Invoice", form(ann, sale(item, 1)))
    await books.write("Invoice", {"Id": made["Id"], "SyncToken": "0"}, "operation=delete")
    gone = await books.post("invoice", {"Id": made["Id"], "SyncToken": "0", "sparse": True})
    assert "Another user has deleted" in error_of(gone)["Detail"]
    await books.admin(f"edit/{REALM}/Customer/{ann}", {"Active": False})
    assert await books.refused("Invoice", form(ann, sale(item, 1))) == "610"
    await books.switch(inactive_reference_code="2500")
    assert await books.refused("Invoice", form(ann, sale(item, 1))) == "2500"


async def test_500_unsupported(books: Books) -> None:
    """An unknown entity or operation, deleting a name list, and bad UTF-8 are 500."""
    assert error_of(await books.post("widget", {}))["code"] == "500"
    assert error_of(await books.get("reports/BalanceSheet"))["code"] == "500"
    ann = await books.customer()
    body = {"Id": ann, "SyncToken": "0"}
    assert await books.refused("Customer", body, "operation=delete") == "500"
    assert await books.refused("Estimate", body, "operation=void") == "500"
    assert await books.refused("TaxCode", {"Name": "X"}) == "500"
    assert await books.refused("Customer", b'{"DisplayName":"\xff"}') == "500"


async def test_5010_stale(books: Books) -> None:
    """An old SyncToken is 5010; applying a payment makes an invoice's token old."""
    ann, item = await books.customer(), await books.item()
    made = await books.write("Invoice", form(ann, sale(item, 10)))
    await books.write("Payment", pays(ann, 4, (made["Id"], 4)))
    body = {"Id": made["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "x"}
    assert await books.refused("Invoice", body) == "5010"
    await books.write("Invoice", {**body, "SyncToken": "1"})


async def test_6140_duplicate_number(books: Books) -> None:
    """A used DocNumber is 6140 and names its holder; the include flag lets it pass."""
    await books.prefer("SalesFormsPrefs", CustomTxnNumbers=True)
    ann, item = await books.customer(), await books.item()
    made = await books.write("Invoice", form(ann, sale(item, 1), DocNumber="A-1"))
    answer = await books.post("invoice", form(ann, sale(item, 1), DocNumber="a-1"))
    holder = f"DocNumber=a-1 is assigned to TxnType=Invoice with TxnId={made['Id']}"
    assert error_of(answer)["code"] == "6140"
    assert error_of(answer)["Detail"].endswith(holder)
    twice = form(ann, sale(item, 1), DocNumber="A-1")
    await books.write("Invoice", twice, "include=allowduplicatedocnum")
    await books.write("SalesReceipt", twice)
    await books.switch(docnumber_unique_scope="company")
    assert await books.refused("Estimate", twice) == "6140"
    await books.switch(docnumber_unique_scope="off")
    await books.write("Invoice", twice)


@pytest.mark.parametrize("holder", ["Customer", "Vendor", "Employee"])
async def test_6240_one_name_space(books: Books, holder: str) -> None:
    """Customers, vendors and employees share their names, without regard to case."""
    await books.write(holder, {"DisplayName": "Ann Lee"})
    answer = await books.post("customer", {"GivenName": "ann", "FamilyName": "lee"})
    assert error_of(answer)["code"] == "6240"


async def test_6240_inactive_holder(books: Books) -> None:
    """Inactivation frees a name by " (deleted)", or keeps it, by switch."""
    first = await books.customer("Ann")
    gone = await books.write(
        "Customer", {"Id": first, "SyncToken": "0", "sparse": True, "Active": False}
    )
    assert gone["DisplayName"] == "Ann (deleted)"
    second = await books.customer("Ann")
    await books.switch(deleted_name_suffix=False)
    await books.admin(f"edit/{REALM}/Customer/{second}", {"Active": False})
    assert await books.refused("Customer", {"DisplayName": "Ann"}) == "6240"


async def test_6240_lists(books: Books) -> None:
    """Items, accounts, terms and methods have unique names; items within their parent."""
    parent = await books.write("Item", {"Name": "Shirts", "Type": "Category"})
    await books.item("Blue")
    inside = {"ParentRef": {"value": parent["Id"]}, "SubItem": True}
    await books.item("Blue", **inside)
    assert (await books.query("select * from Item where FullyQualifiedName = 'Shirts:Blue'"))[
        "maxResults"
    ] == 1
    account = {"value": books.account("ServiceFeeIncome")}
    body = {"Name": "blue", "Type": "Service", "IncomeAccountRef": account}
    assert await books.refused("Item", body) == "6240"
    assert await books.refused("Account", {"Name": "Checking", "AccountType": "Bank"}) == "6240"
    assert await books.refused("Term", {"Name": "Net 30", "DueDays": 30}) == "6240"
    assert await books.refused("PaymentMethod", {"Name": "cash"}) == "6240"


async def test_6000_rules(books: Books) -> None:
    """Business rules without a code of their own are 6000."""
    ann, item = await books.customer(), await books.item()
    discount = {"DetailType": "DiscountLineDetail", "Amount": 5, "DiscountLineDetail": {}}
    cases: list[tuple[str, Body]] = [
        ("Customer", {"DisplayName": "a:b"}),
        ("Customer", {"DisplayName": "a\tb"}),
        ("Invoice", form(ann, sale(item, -1))),
        ("Invoice", form(ann, sale(item, 1), discount, discount)),
        ("Invoice", form(ann, sale(item, 1), CurrencyRef={"value": "EUR"})),
        ("Payment", pays(ann, 5, DepositToAccountRef={"value": books.account("BankCharges")})),
        ("Item", {"Name": "X", "Type": "Service",
                  "IncomeAccountRef": {"value": books.account("Checking")}}),
        ("Item", {"Name": "a:b", "Type": "Service",
                  "IncomeAccountRef": {"value": books.account("ServiceFeeIncome")}}),
    ]  # fmt: skip
    for entity, body in cases:
        assert await books.refused(entity, body) == "6000", body


async def test_6000_system_accounts(books: Books) -> None:
    """The accounts QuickBooks itself posts to can't be made inactive or another type."""
    keys = {"Id": books.account("UndepositedFunds"), "SyncToken": "0", "sparse": True}
    assert await books.refused("Account", {**keys, "Active": False}) == "6000"
    assert await books.refused("Account", {**keys, "AccountSubType": "Checking"}) == "6000"
    await books.write("Account", {**keys, "Description": "money not yet at the bank"})


async def test_large_and_odd_numbers(books: Books) -> None:
    """Numbers at their limits are computed exactly or refused, never a failure."""
    ann, item = await books.customer(), await books.item()
    most = 999_999_999_999_999
    huge = sale(item, 1, Qty=most, UnitPrice=99_999_999_999)
    assert await books.refused("Invoice", form(ann, huge)) == "6070"
    await books.write("Invoice", form(ann, sale(item, 9_999_999_999, Qty="0.0000001")))
    made = await books.write("Invoice", form(ann, *[sale(item, "9999999999.99")] * 2))
    assert str(made["TotalAmt"]) == "19999999999.98"
    assert await books.refused("Customer", b'{"DisplayName":"\\ud800"}') == "2010"
    assert await books.refused("Customer", b'{"a":' * 2000 + b"1" + b"}" * 2000) == "2010"
    assert await books.trial_balance() == 0


async def test_6000_purchase_account(books: Books) -> None:
    """An expense is paid from a bank account, or a card account for a card."""
    line = {
        "DetailType": "AccountBasedExpenseLineDetail",
        "Amount": 3,
        "AccountBasedExpenseLineDetail": {"AccountRef": {"value": books.account("BankCharges")}},
    }
    bank, card = books.account("Checking"), books.account("CreditCard")
    for kind, account, code in (
        ("Cash", card, "6000"),
        ("CreditCard", bank, "6000"),
        ("Cash", bank, None),
    ):
        body = {"PaymentType": kind, "AccountRef": {"value": account}, "Line": [line]}
        if code:
            assert await books.refused("Purchase", body) == code
        else:
            assert (await books.write("Purchase", body))["TotalAmt"] == 3


async def test_6010_account_type(books: Books) -> None:
    """An account needs a type or a subtype."""
    assert await books.refused("Account", {"Name": "Till"}) == "6010"
    made = await books.write("Account", {"Name": "Till", "AccountSubType": "CashOnHand"})
    assert (made["AccountType"], made["Classification"]) == ("Bank", "Asset")


async def test_6070_amount(books: Books) -> None:
    """Amount is Qty * UnitPrice to the cent, else 6070."""
    ann, item = await books.customer(), await books.item()
    assert await books.refused("Invoice", form(ann, sale(item, 10, Qty=3, UnitPrice=3))) == "6070"
    third = sale(item, 10, Qty=3, UnitPrice="3.3333333")
    await books.write("Invoice", form(ann, third))


async def test_6080_no_name(books: Books) -> None:
    """A customer without any name is 6080."""
    assert await books.refused("Customer", {"CompanyName": "Acme"}) == "6080"


async def test_6090_discount(books: Books) -> None:
    """A discount line without amount or percent is 6090."""
    ann, item = await books.customer(), await books.item()
    empty = {"DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": True}}
    assert await books.refused("Invoice", form(ann, sale(item, 1), empty)) == "6090"


async def test_6100_us_tax_code(books: Books) -> None:
    """A US line's tax code is TAX or NON."""
    ann, item = await books.customer(), await books.item()
    taxed = form(ann, sale(item, 1, TaxCodeRef={"value": "1"}))
    assert await books.refused("Invoice", taxed) == "6100"


async def test_6210_closed_books(books: Books) -> None:
    """A date in closed books is 6210, or the same text under 5010, for writes and deletes."""
    ann, item = await books.customer(), await books.item()
    made = await books.write("Invoice", form(ann, sale(item, 1), TxnDate="2026-01-15"))
    await books.prefer("AccountingInfoPrefs", BookCloseDate="2026-01-31")
    late = form(ann, sale(item, 1), TxnDate="2026-01-31")
    assert await books.refused("Invoice", late) == "6210"
    gone = {"Id": made["Id"], "SyncToken": "0"}
    assert await books.refused("Invoice", gone, "operation=delete") == "6210"
    await books.write("Estimate", late)
    await books.switch(closed_period_code="5010")
    answer = await books.post("invoice", late)
    assert error_of(answer)["code"] == "5010"
    assert error_of(answer)["Message"].startswith("Account Period Closed")


async def test_6540_deposited(books: Books) -> None:
    """A payment in a bank deposit can't be changed, voided or deleted."""
    ann = await books.customer()
    paid = await books.write("Payment", pays(ann, 5))
    linked = {"LinkedTxn": [{"TxnId": paid["Id"], "TxnType": "Payment"}]}
    bank = {"value": books.account("Checking")}
    made = await books.write("Deposit", {"DepositToAccountRef": bank, "Line": [linked]})
    assert made["TotalAmt"] == 5
    body = {"Id": paid["Id"], "SyncToken": "1"}
    assert await books.refused("Payment", body, "operation=delete") == "6540"
    void = {**body, "sparse": True}
    assert await books.refused("Payment", void, "operation=update&include=void") == "6540"
    await books.write("Deposit", {"Id": made["Id"], "SyncToken": "0"}, "operation=delete")
    await books.write("Payment", {"Id": paid["Id"], "SyncToken": "2"}, "operation=delete")
    assert await books.trial_balance() == 0


async def test_6560_missing_customer(books: Books) -> None:
    """By switch a form without a customer is 6560 instead of 2020."""
    await books.switch(missing_customer_code="6560")
    assert await books.refused("Invoice", form(None, sale(await books.item(), 1))) == "6560"


async def test_620_cannot_link(books: Books) -> None:
    """A payment to another's, a voided, a paid or an absent invoice is 620."""
    ann, bob, item = await books.customer(), await books.customer("Bob"), await books.item()
    made = await books.write("Invoice", form(ann, sale(item, 10)))
    assert await books.refused("Payment", pays(bob, 5, (made["Id"], 5))) == "620"
    assert await books.refused("Payment", pays(ann, 5, ("999", 5))) == "620"
    await books.write("Invoice", {"Id": made["Id"], "SyncToken": "0"}, "operation=void")
    assert await books.refused("Payment", pays(ann, 5, (made["Id"], 5))) == "620"


async def test_over_balance(books: Books) -> None:
    """A payment line above the open balance is refused or capped, by switch; a total may exceed."""
    ann, item = await books.customer(), await books.item()
    made = await books.write("Invoice", form(ann, sale(item, 10)))
    assert await books.refused("Payment", pays(ann, 12, (made["Id"], 12))) == "6000"
    assert await books.refused("Payment", pays(ann, 5, (made["Id"], 10))) == "6000"
    await books.switch(payment_over_balance="cap")
    paid = await books.write("Payment", pays(ann, 12, (made["Id"], 12)))
    assert (paid["UnappliedAmt"], paid["Line"][0]["Amount"]) == (2, 10)


async def test_5030_untracked_and_sku(books: Books) -> None:
    """A class while tracking is off, and a SKU where unsupported, are 5030 by switch."""
    ann, item = await books.customer(), await books.item()
    kind = (await books.write("Class", {"Name": "North"}))["Id"]
    classed = form(ann, sale(item, 1, ClassRef={"value": kind}))
    made = await books.write("Invoice", classed)
    assert "ClassRef" not in made["Line"][0]["SalesItemLineDetail"]
    await books.switch(untracked_class="fault", sku_supported=False)
    assert await books.refused("Invoice", classed) == "5030"
    await books.prefer("AccountingInfoPrefs", ClassTrackingPerLine=True)
    made = await books.write("Invoice", classed)
    assert made["Line"][0]["SalesItemLineDetail"]["ClassRef"]["name"] == "North"
    account = {"value": books.account("ServiceFeeIncome")}
    body = {"Name": "X", "Type": "Service", "Sku": "x", "IncomeAccountRef": account}
    assert await books.refused("Item", body) == "5030"


async def test_800_applied_credit(books: Books) -> None:
    """A credit memo that is applied can't be deleted."""
    ann, item = await books.customer(), await books.item()
    owed = await books.write("Invoice", form(ann, sale(item, 10)))
    credit = await books.write("CreditMemo", form(ann, sale(item, 4)))
    both = pays(ann, 0, (owed["Id"], 4))
    memo = [{"TxnId": credit["Id"], "TxnType": "CreditMemo"}]
    both["Line"].append({"Amount": 4, "LinkedTxn": memo})
    await books.write("Payment", both)
    assert (await books.read("Invoice", owed["Id"]))["Balance"] == 6
    body = {"Id": credit["Id"], "SyncToken": "1"}
    assert await books.refused("CreditMemo", body, "operation=delete") == "800"


@pytest.mark.parametrize(
    ("company_status", "code", "status"),
    [("expired", "6190", 400), ("locked", "140", 403), ("maintenance", "150", 503)],
)
async def test_company_status(books: Books, company_status: str, code: str, status: int) -> None:
    """A lapsed, locked or maintained company refuses everything: 6190, 140, 150."""
    await books.switch(company_status=company_status)
    got, body, _ = await books.call("GET", f"companyinfo/{REALM}")
    assert got == status
    assert f'"code":"{code}"'.encode() in body


async def test_fault_with_status_200(books: Books) -> None:
    """By switch a fault comes with HTTP 200, so the body must be looked at."""
    await books.switch(fault_status=200)
    status, body, _ = await books.call("POST", "customer", {})
    assert (status, b"6080" in body) == (200, True)


async def test_10000_system_failure(books: Books) -> None:
    """A planned failure is a SystemFault 10000 at 500, and the proxy's HTML at 502 to 504."""
    await books.admin("faults", {"kind": "status_before_commit", "count": 1})
    status, body, _ = await books.call("POST", "customer", {"DisplayName": "A"})
    assert (status, b'"code":"10000"' in body, b"SystemFault" in body) == (500, True, True)
    await books.admin("faults", {"kind": "status_before_commit", "status": 503, "count": 1})
    status, body, headers = await books.call("POST", "customer", {"DisplayName": "A"})
    assert (status, headers["Content-Type"]) == (503, "text/html")
    assert (await books.query("select count(*) from Customer"))["totalCount"] == 0


@pytest.mark.parametrize("code", ["100", "120", "130", "630", "700", "5020", "6250", "6190"])
async def test_any_code_on_demand(books: Books, code: str) -> None:
    """A code that no request earns here can be planned."""
    await books.admin("faults", {"kind": "fault", "code": code, "count": 1, "entity": "Customer"})
    assert await books.refused("Customer", {"DisplayName": "A"}) == code
    await books.customer("A")
