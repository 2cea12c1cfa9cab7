"""What the sandbox's books do: balances, links, voids, tax, currency, and the way back."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.books import CANADA, REALM, Body, Books, form, opened, pays, sale


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox."""
    async with opened() as held:
        yield held


def links_of(row: Body) -> list[tuple[str, str]]:
    """A row's links as pairs."""
    return [(one["TxnType"], one["TxnId"]) for one in row["LinkedTxn"]]


async def balances(books: Books) -> dict[str, Decimal]:
    """Ledger balances by account name."""
    answer = await books.admin(f"trial-balance/{books.realm}")
    assert answer["total"] == 0
    return {one["Name"]: Decimal(one["Balance"]) for one in answer["accounts"]}


async def test_invoice_and_payment_post(books: Books) -> None:
    """An invoice is income and a receivable; its payment moves the receivable to cash."""
    ann, item = await books.customer(), await books.item()
    owed = await books.write("Invoice", form(ann, sale(item, "100.10")))
    assert (await books.read("Customer", ann))["Balance"] == Decimal("100.10")
    paid = await books.write("Payment", pays(ann, 60, (owed["Id"], "60")))
    after = await books.read("Invoice", owed["Id"])
    assert after["Balance"] == Decimal("40.10")
    assert after["SyncToken"] == "1"
    assert links_of(after) == [("Payment", paid["Id"])]
    assert await balances(books) == {
        "Accounts Receivable (A/R)": Decimal("40.10"),
        "Services": Decimal("-100.10"),
        "Undeposited Funds": Decimal(60),
    }


async def test_void_invoice_frees_payment(books: Books) -> None:
    """Voiding an invoice zeroes it, clears its links and gives the payment its amount back."""
    ann, item = await books.customer(), await books.item()
    owed = await books.write("Invoice", form(ann, sale(item, 10, Qty=2, UnitPrice=5)))
    paid = await books.write("Payment", pays(ann, 10, (owed["Id"], 10)))
    void = await books.write("Invoice", {"Id": owed["Id"], "SyncToken": "1"}, "operation=void")
    assert (void["TotalAmt"], void["Balance"], void["LinkedTxn"]) == (0, 0, [])
    assert void["PrivateNote"] == "Voided"
    assert void["Line"][0]["SalesItemLineDetail"]["Qty"] == 0
    after = await books.read("Payment", paid["Id"])
    assert (after["UnappliedAmt"], after["Line"]) == (10, [])
    assert (await books.read("Customer", ann))["Balance"] == -10
    assert await books.trial_balance() == 0


async def test_delete_payment_reopens_invoice(books: Books) -> None:
    """Deleting a payment gives the invoice its balance back and takes the link off."""
    ann, item = await books.customer(), await books.item()
    owed = await books.write("Invoice", form(ann, sale(item, 10)))
    paid = await books.write("Payment", pays(ann, 10, (owed["Id"], 10)))
    gone = await books.write("Payment", {"Id": paid["Id"], "SyncToken": "0"}, "operation=delete")
    assert gone == {"status": "Deleted", "domain": "QBO", "Id": paid["Id"]}
    after = await books.read("Invoice", owed["Id"])
    assert (after["Balance"], after["LinkedTxn"]) == (10, [])


async def test_sparse_payment_lines_replace(books: Books) -> None:
    """A sparse payment update with a new line un-applies the earlier invoice."""
    ann, item = await books.customer(), await books.item()
    first = await books.write("Invoice", form(ann, sale(item, 10)))
    second = await books.write("Invoice", form(ann, sale(item, 10)))
    paid = await books.write("Payment", pays(ann, 10, (first["Id"], 10)))
    line = pays(ann, 10, (second["Id"], 10))["Line"]
    update = {"Id": paid["Id"], "SyncToken": "0", "sparse": True, "Line": line}
    await books.write("Payment", update)
    assert (await books.read("Invoice", first["Id"]))["Balance"] == 10
    assert (await books.read("Invoice", second["Id"]))["Balance"] == 0


async def test_smaller_invoice_releases_payment(books: Books) -> None:
    """An invoice made smaller than what was paid gives the payment the difference back."""
    ann, item = await books.customer(), await books.item()
    owed = await books.write("Invoice", form(ann, sale(item, 10)))
    paid = await books.write("Payment", pays(ann, 10, (owed["Id"], 10)))
    update = {"Id": owed["Id"], "SyncToken": "1", "sparse": True, "Line": [sale(item, 7)]}
    assert (await books.write("Invoice", update))["Balance"] == 0
    assert (await books.read("Payment", paid["Id"]))["UnappliedAmt"] == 3
    assert await books.trial_balance() == 0


async def test_estimate_to_invoice(books: Books) -> None:
    """An invoice closes the estimate it links, both ways, once; deleting it opens it again."""
    ann, bob, item = await books.customer(), await books.customer("Bob"), await books.item()
    quoted = await books.write("Estimate", form(ann, sale(item, 10)))
    link = [{"TxnId": quoted["Id"], "TxnType": "Estimate"}]
    assert await books.refused("Invoice", form(bob, sale(item, 10), LinkedTxn=link)) == "620"
    made = await books.write("Invoice", form(ann, sale(item, 10), LinkedTxn=link))
    assert links_of(made) == [("Estimate", quoted["Id"])]
    closed = await books.read("Estimate", quoted["Id"])
    assert (closed["TxnStatus"], links_of(closed)) == ("Closed", [("Invoice", made["Id"])])
    assert await books.refused("Invoice", form(ann, sale(item, 10), LinkedTxn=link)) == "620"
    await books.write("Invoice", {"Id": made["Id"], "SyncToken": "0"}, "operation=delete")
    reopened = await books.read("Estimate", quoted["Id"])
    assert (reopened["TxnStatus"], reopened["LinkedTxn"]) == ("Accepted", [])
    await books.switch(linked_estimate_status="Converted")
    await books.write("Invoice", form(ann, sale(item, 10), LinkedTxn=link))
    assert (await books.read("Estimate", quoted["Id"]))["TxnStatus"] == "Converted"


async def test_receipts_and_expenses_post(books: Books) -> None:
    """Sales receipts bring cash, refund receipts and expenses take it, at once."""
    ann, item = await books.customer(), await books.item()
    bank = {"value": books.account("Checking")}
    await books.write("SalesReceipt", form(ann, sale(item, 50), DepositToAccountRef=bank))
    await books.write("RefundReceipt", form(ann, sale(item, 20), DepositToAccountRef=bank))
    fee = {"AccountRef": {"value": books.account("BankCharges")}}
    line = {"DetailType": "AccountBasedExpenseLineDetail", "Amount": 3}
    line["AccountBasedExpenseLineDetail"] = fee
    await books.write("Purchase", {"PaymentType": "Cash", "AccountRef": bank, "Line": [line]})
    assert await balances(books) == {"Checking": 27, "Services": -30, "Bank Charges": 3}
    assert await books.refused("RefundReceipt", form(ann, sale(item, 1))) == "2020"


async def test_credit_of_a_card_only(books: Books) -> None:
    """A card's Credit brings money back; on a Purchase in cash it is ignored without a word."""
    fee = {"AccountRef": {"value": books.account("BankCharges")}}
    line = {"DetailType": "AccountBasedExpenseLineDetail", "Amount": 3,
            "AccountBasedExpenseLineDetail": fee}  # fmt: skip
    for kind, subtype, credit in (("CreditCard", "CreditCard", True), ("Cash", "Checking", False)):
        account = {"value": books.account(subtype)}
        body = {"PaymentType": kind, "AccountRef": account, "Line": [line], "Credit": True}
        assert (await books.write("Purchase", body))["Credit"] is credit
    assert await balances(books) == {"Business Credit Card": 3, "Checking": -3}


async def test_discount_subtotal_and_note_lines(books: Books) -> None:
    """A discount subtracts, a subtotal is generated, a line without an item is a note."""
    ann, item = await books.customer(), await books.item()
    note = {"DetailType": "SalesItemLineDetail", "Amount": 99, "Description": "thanks",
            "SalesItemLineDetail": {}}  # fmt: skip
    percent = {"DetailType": "DiscountLineDetail",
               "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10}}  # fmt: skip
    made = await books.write("Invoice", form(ann, sale(item, "33.33"), note, percent))
    kinds = [one["DetailType"] for one in made["Line"]]
    assert kinds == [
        "SalesItemLineDetail", "DescriptionOnly", "SubTotalLineDetail", "DiscountLineDetail"
    ]  # fmt: skip
    assert (made["TotalAmt"], made["Line"][3]["Amount"]) == (Decimal("30.00"), Decimal("3.33"))
    assert await books.trial_balance() == 0


async def test_group_lines(books: Books) -> None:
    """A group line's amount is that of the lines in it, and they are what is posted."""
    ann, item = await books.customer(), await books.item()
    inside = [sale(item, 3), sale(item, 4)]
    group = {"DetailType": "GroupLineDetail", "GroupLineDetail": {"Line": inside}}
    made = await books.write("Invoice", form(ann, group))
    assert (made["TotalAmt"], made["Line"][0]["Amount"]) == (7, 7)
    assert (await balances(books))["Services"] == -7


async def test_us_tax(books: Books) -> None:
    """Explicit TotalTax is honoured, else AST computes; off, the detail is dropped."""
    ann, item = await books.customer(), await books.item()
    line = sale(item, 100, TaxCodeRef={"value": "TAX"})
    made = await books.write("Invoice", form(ann, line, TxnTaxDetail={"TotalTax": "7.77"}))
    assert (made["TotalAmt"], made["TxnTaxDetail"]["TotalTax"]) == (
        Decimal("107.77"),
        Decimal("7.77"),
    )
    note = {"Id": made["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "x"}
    assert (await books.write("Invoice", note))["TotalAmt"] == Decimal("107.77")
    assert (await books.write("Invoice", form(ann, line)))["TotalAmt"] == 108
    await books.switch(automated_sales_tax=False)
    assert (await books.write("Invoice", form(ann, line)))["TotalAmt"] == 100
    none = sale(item, 100, TaxCodeRef={"value": "NON"})
    untaxed = form(ann, none, TxnTaxDetail={"TotalTax": 5})
    assert (await books.write("Invoice", untaxed))["TotalAmt"] == 100
    await books.switch(total_tax_without_taxable_lines="keep")
    assert (await books.write("Invoice", untaxed))["TotalAmt"] == 105
    await books.prefer("TaxPrefs", UsingSalesTax=False)
    plain = await books.write("Invoice", form(ann, line, TxnTaxDetail={"TotalTax": 5}))
    assert (plain["TotalAmt"], "TxnTaxDetail" in plain) == (100, False)
    assert await books.trial_balance() == 0


async def test_a_line_is_taxed_as_its_item_is(books: Books) -> None:
    """With AST a line without TaxCodeRef has its item's code; without AST it is NON."""
    ann = await books.customer()
    shirt, hours = await books.item("Shirt", Taxable=True), await books.item()
    both = form(ann, sale(shirt, 100), sale(hours, 10))
    made = await books.write("Invoice", both)
    codes = [
        line["SalesItemLineDetail"]["TaxCodeRef"]["value"]
        for line in made["Line"]
        if "SalesItemLineDetail" in line
    ]
    assert (codes, made["TotalAmt"]) == (["TAX", "NON"], 118)
    await books.prefer("TaxPrefs", PartnerTaxEnabled=None)
    assert (await books.write("Invoice", both))["TotalAmt"] == 110


async def test_tax_by_the_code_of_the_form(books: Books) -> None:
    """A legacy company is taxed by TxnTaxCodeRef, one with AST by another code than AST's own."""
    ann, item = await books.customer(), await books.item()
    own = (await books.query("select * from TaxCode where Name = 'State tax'"))["TaxCode"][0]["Id"]
    agency = (await books.query("select * from TaxAgency"))["TaxAgency"][0]["Id"]
    rate = {"TaxRateName": "City", "RateValue": 5, "TaxAgencyId": agency}
    tax = await books.post("taxservice/taxcode", {"TaxCode": "City", "TaxRateDetails": [rate]})
    city = tax["TaxCodeId"]

    async def made(code: str, **more: Any) -> Body:
        detail = {"TxnTaxCodeRef": {"value": code}, **more}
        line = sale(item, 100, TaxCodeRef={"value": "TAX"})
        return await books.write("Invoice", form(ann, line, TxnTaxDetail=detail))

    await books.switch(automated_sales_tax=False)
    assert (await made(own))["TotalAmt"] == 100
    billed = await made(city)
    detail = billed["TxnTaxDetail"]
    assert (detail["TotalTax"], detail["TxnTaxCodeRef"]["value"]) == (5, city)
    assert detail["TaxLine"][0]["TaxLineDetail"]["TaxPercent"] == 5
    assert (await made(city, TotalTax=3))["TxnTaxDetail"]["TaxLine"][0]["Amount"] == 3
    keys = {"Id": billed["Id"], "SyncToken": "0", "sparse": True}
    lines = [sale(item, 200, TaxCodeRef={"value": "TAX"})]
    assert (await books.write("Invoice", {**keys, "Line": lines}))["TotalAmt"] == 210
    await books.prefer("TaxPrefs", PartnerTaxEnabled=None)
    legacy = await made(own)
    assert (legacy["TotalAmt"], legacy["TxnTaxDetail"]["TxnTaxCodeRef"]["value"]) == (108, own)
    assert await books.trial_balance() == 0


async def test_an_exempt_customer_pays_no_tax(books: Books) -> None:
    """A customer with a reason for exemption isn't Taxable, and AST adds nothing."""
    ann, item = await books.customer(TaxExemptionReasonId=3), await books.item()
    assert (await books.read("Customer", ann))["Taxable"] is False
    line = sale(item, 100, TaxCodeRef={"value": "TAX"})
    assert (await books.write("Invoice", form(ann, line)))["TotalAmt"] == 100
    bob = await books.customer("Bob")
    reason = {"Id": bob, "SyncToken": "0", "sparse": True, "TaxExemptionReasonId": 3}
    assert (await books.write("Customer", reason))["Taxable"] is False


async def test_tax_after_discount(books: Books) -> None:
    """With ApplyTaxAfterDiscount the discount lowers the taxable amount."""
    ann, item = await books.customer(), await books.item()
    line = sale(item, 100, TaxCodeRef={"value": "TAX"})
    less = {"DetailType": "DiscountLineDetail", "Amount": 50, "DiscountLineDetail": {}}
    before = await books.write("Invoice", form(ann, line, less))
    after = await books.write("Invoice", form(ann, line, less, ApplyTaxAfterDiscount=True))
    assert (before["TotalAmt"], after["TotalAmt"]) == (58, 54)


async def test_non_us_tax(books: Books) -> None:
    """Outside the US each line needs a real tax code, and tax is by its rates."""
    books.realm = CANADA
    ann, item = await books.customer(), await books.item()
    assert await books.refused("Invoice", form(ann, sale(item, 100))) == "6000"
    codes = (await books.query("select * from TaxCode where Name = 'HST ON'"))["TaxCode"]
    line = sale(item, 100, TaxCodeRef={"value": codes[0]["Id"]})
    made = await books.write("Invoice", form(ann, line))
    assert (made["TotalAmt"], made["GlobalTaxCalculation"]) == (113, "TaxExcluded")
    assert made["TxnTaxDetail"]["TaxLine"][0]["TaxLineDetail"]["TaxPercent"] == 13
    off = form(ann, line, GlobalTaxCalculation="NotApplicable")
    assert (await books.write("Invoice", off))["TotalAmt"] == 100
    agency = (await books.query("select * from TaxAgency"))["TaxAgency"][0]["Id"]
    rate = {"TaxRateName": "QST", "RateValue": "9.975", "TaxAgencyId": agency}
    tax = await books.post("taxservice/taxcode", {"TaxCode": "QST", "TaxRateDetails": [rate]})
    line = sale(item, "4495.00", TaxCodeRef={"value": tax["TaxCodeId"]})
    made = await books.write("Invoice", form(ann, line))
    assert made["TxnTaxDetail"]["TotalTax"] == Decimal("448.38")
    assert await books.trial_balance() == 0


async def test_multicurrency(books: Books) -> None:
    """CurrencyRef is required and the customer's; a rate that moved is a gain or loss."""
    ann_home, item = await books.customer(), await books.item()
    euro = {"CurrencyRef": {"value": "EUR"}}
    assert await books.refused("Customer", {"DisplayName": "Eva", **euro}) == "6000"
    await books.prefer("CurrencyPrefs", MultiCurrencyEnabled=True)
    eva = await books.customer("Eva", **euro)
    assert await books.refused("Invoice", form(eva, sale(item, 100))) == "2020"
    assert await books.refused("Invoice", form(ann_home, sale(item, 100), **euro)) == "6000"
    owed = await books.write("Invoice", form(eva, sale(item, 100), **euro, ExchangeRate="1.1"))
    assert owed["HomeTotalAmt"] == 110
    await books.write("Payment", pays(eva, 100, (owed["Id"], 100), **euro, ExchangeRate="1.2"))
    assert (await balances(books))["Exchange Gain or Loss"] == -10


async def test_one_foreign_currency_in_a_transaction(books: Books) -> None:
    """Money moves through accounts in the transaction's currency or at home, to vendors in its own."""
    await books.prefer("CurrencyPrefs", MultiCurrencyEnabled=True)
    ann, item = await books.customer(), await books.item()
    euro, dollar = {"CurrencyRef": {"value": "EUR"}}, {"CurrencyRef": {"value": "USD"}}
    eva = await books.customer("Eva", **euro)
    banks = {"USD": {"value": books.account("Checking")}}
    for code in ("EUR", "GBP"):
        body = {"Name": code, "AccountType": "Bank", "CurrencyRef": {"value": code}}
        banks[code] = {"value": (await books.write("Account", body))["Id"]}
    payees = {
        code: {"value": (await books.write("Vendor", {"DisplayName": f"V {code}", **of}))["Id"]}
        for code, of in (("EUR", euro), ("USD", dollar))
    }

    def moves(code: str, bank: str) -> list[tuple[str, Body]]:
        of = {"CurrencyRef": {"value": code}, "ExchangeRate": 1}
        who, into = eva if code == "EUR" else ann, {"DepositToAccountRef": banks[bank]}
        return [
            ("SalesReceipt", form(who, sale(item, 5), **of, **into)),
            ("RefundReceipt", form(who, sale(item, 5), **of, **into)),
            ("Payment", pays(who, 5, **of, **into)),
            ("Purchase", spent(code, bank, code)),
        ]

    def spent(code: str, bank: str, payee: str) -> Body:
        of = {"CurrencyRef": {"value": code}, "ExchangeRate": 1, "AccountRef": banks[bank]}
        detail = {"AccountRef": {"value": books.account("BankCharges")}}
        line = {"DetailType": "AccountBasedExpenseLineDetail", "Amount": 1,
                "AccountBasedExpenseLineDetail": detail}  # fmt: skip
        return {"PaymentType": "Cash", "EntityRef": payees[payee], "Line": [line], **of}

    for code, bank in (("EUR", "EUR"), ("EUR", "USD"), ("USD", "USD")):
        for entity, body in moves(code, bank):
            await books.write(entity, body)
    for code, bank in (("USD", "EUR"), ("EUR", "GBP")):
        for entity, body in moves(code, bank):
            assert await books.refused(entity, body) == "6000", (entity, code, bank)
    assert await books.refused("Purchase", spent("USD", "USD", "EUR")) == "6000"


async def test_exchange_rates(books: Books) -> None:
    """A rate is told whole by currency and day, and is 1 for a currency without one, or 610 by switch."""

    async def told(query: str) -> Any:
        return (await books.get(f"exchangerate?sourcecurrencycode={query}"))["ExchangeRate"]

    off = await books.get("exchangerate?sourcecurrencycode=EUR")
    assert off["Fault"]["Error"][0]["code"] == "6000"
    await books.prefer("CurrencyPrefs", MultiCurrencyEnabled=True)
    await books.switch(exchange_rates={"EUR": "1.08", "EUR 2026-11-20": "1.1234567"})
    whole = await told("EUR&asofdate=2026-11-20")
    assert list(whole.pop("MetaData")) == ["LastUpdatedTime"]
    assert whole == {
        "SyncToken": "0", "domain": "QBO", "sparse": False,
        "SourceCurrencyCode": "EUR", "TargetCurrencyCode": "USD",
        "Rate": Decimal("1.1234567"), "AsOfDate": "2026-11-20",
    }  # fmt: skip
    assert (await told("EUR&asofdate=2026-11-21"))["Rate"] == Decimal("1.08")
    assert (await told("EUR"))["Rate"] == Decimal("1.08")
    assert (await told("SEK"))["Rate"] == 1
    await books.switch(exchange_rate_missing="fault")
    assert (await told("USD"))["Rate"] == 1
    none = await books.get("exchangerate?sourcecurrencycode=SEK")
    assert none["Fault"]["Error"][0]["code"] == "610"


async def test_expenses_in_another_currency(books: Books) -> None:
    """A Purchase keeps its rate and tells its total at home; without a rate it is one to one."""
    await books.prefer("CurrencyPrefs", MultiCurrencyEnabled=True)
    fee = {"AccountRef": {"value": books.account("BankCharges")}}
    line = {"DetailType": "AccountBasedExpenseLineDetail", "Amount": 10,
            "AccountBasedExpenseLineDetail": fee}  # fmt: skip
    body = {"PaymentType": "Cash", "AccountRef": {"value": books.account("Checking")},
            "CurrencyRef": {"value": "EUR"}, "Line": [line]}  # fmt: skip
    made = await books.write("Purchase", {**body, "ExchangeRate": "1.085"})
    assert (made["ExchangeRate"], made["HomeTotalAmt"]) == (Decimal("1.085"), Decimal("10.85"))
    plain = await books.write("Purchase", body)
    assert plain["ExchangeRate"] == 1
    assert "HomeTotalAmt" not in plain
    keys = {"Id": made["Id"], "SyncToken": made["SyncToken"], "sparse": True}
    kept = {**keys, "PaymentType": "Cash", "PrivateNote": "x"}
    assert (await books.write("Purchase", kept))["HomeTotalAmt"] == Decimal("10.85")


async def test_stock(books: Books) -> None:
    """Stock goes down with a sale at cost, up with a refund, and can't be sold too early."""
    ann = await books.customer()
    body = {
        "Name": "Shirt", "Type": "Inventory", "TrackQtyOnHand": True, "QtyOnHand": 10,
        "InvStartDate": "2026-01-01", "PurchaseCost": 4,
        "IncomeAccountRef": {"value": books.account("SalesOfProductIncome")},
        "ExpenseAccountRef": {"value": books.account("SuppliesMaterialsCogs")},
        "AssetAccountRef": {"value": books.account("Inventory")},
    }  # fmt: skip
    made = await books.write("Item", body)
    assert made["QtyOnHand"] == 10
    await books.write("Invoice", form(ann, sale(made["Id"], 30, Qty=3, UnitPrice=10)))
    assert (await books.read("Item", made["Id"]))["QtyOnHand"] == 7
    assert (await balances(books))["Inventory Asset"] == 28
    early = form(ann, sale(made["Id"], 10, Qty=1, UnitPrice=10), TxnDate="2025-12-31")
    assert await books.refused("Invoice", early) == "6000"
    update = {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Name": "Shirt", "QtyOnHand": 5}
    assert (await books.write("Item", update))["QtyOnHand"] == 5
    assert await books.trial_balance() == 0


async def test_inactive_customer_is_written_off(books: Books) -> None:
    """Inactivating a customer who owes posts an adjusting credit memo."""
    ann, item = await books.customer(), await books.item()
    await books.write("Invoice", form(ann, sale(item, 10)))
    await books.admin(f"edit/{REALM}/Customer/{ann}", {"Active": False})
    memos = (await books.query("select * from CreditMemo"))["CreditMemo"]
    assert memos[0]["TotalAmt"] == 10
    found = await books.query("select * from Customer where Active in (true, false)")
    assert found["Customer"][0]["Balance"] == 0
    assert await books.trial_balance() == 0


async def test_sub_customers(books: Books) -> None:
    """A job needs a parent, shows its path, adds to its parent's balance, at most five deep."""
    item = await books.item()
    parent = await books.customer("Acme")
    assert await books.refused("Customer", {"DisplayName": "x", "Job": True}) == "2020"
    child = await books.write(
        "Customer", {"DisplayName": "Site", "Job": True, "ParentRef": {"value": parent}}
    )
    assert (child["FullyQualifiedName"], child["Level"]) == ("Acme:Site", 1)
    await books.write("Invoice", form(child["Id"], sale(item, 10)))
    held = await books.read("Customer", parent)
    assert (held["Balance"], held["BalanceWithJobs"]) == (0, 10)
    below = child["Id"]
    for level in range(2, 5):
        below = await books.customer(f"L{level}", ParentRef={"value": below}, Job=True)
    deep = {"DisplayName": "L5", "ParentRef": {"value": below}, "Job": True}
    assert await books.refused("Customer", deep) == "6000"


async def test_automatic_numbers(books: Books) -> None:
    """Without custom numbers QuickBooks takes the last plus one, whatever it looked like."""
    ann, item = await books.customer(), await books.item()
    plain = form(ann, sale(item, 1))
    await books.write("Invoice", {**plain, "DocNumber": "App_1000"})
    assert (await books.write("Invoice", plain))["DocNumber"] == "App_1001"
    await books.switch(docnumber_when_automatic="replace")
    assert (await books.write("Invoice", {**plain, "DocNumber": "X"}))["DocNumber"] == "App_1002"
    await books.prefer("SalesFormsPrefs", CustomTxnNumbers=True)
    assert "DocNumber" not in await books.write("Invoice", plain)
    auto = await books.write("Invoice", {**plain, "DocNumber": "AUTO_GENERATE"})
    assert auto["DocNumber"] == "App_1003"
    again = await books.write("Invoice", {**plain, "DocNumber": "AUTO_GENERATE"})
    assert again["DocNumber"] == "App_1004"
    await books.switch(docnumber_unique_scope="company")
    await books.write("Estimate", {**plain, "DocNumber": "App_1004X"})
    receipt = await books.write("SalesReceipt", {**plain, "DocNumber": "AUTO_GENERATE"})
    assert receipt["DocNumber"] == "App_1005X"
    bank = {"DepositToAccountRef": {"value": books.account("Checking")}}
    text = await books.write("RefundReceipt", {**plain, **bank, "DocNumber": "AUTO_GENERATE"})
    assert text["DocNumber"] == "AUTO_GENERATE"


async def test_due_date_follows_terms(books: Books) -> None:
    """DueDate comes from the terms of the form or the customer, unless it is given.

    It doesn't follow the terms of a sparse update.
    """
    item = await books.item()
    terms = (await books.query("select * from Term where Name = 'Net 30'"))["Term"][0]["Id"]
    ann = await books.customer("Ann", SalesTermRef={"value": terms})
    made = await books.write("Invoice", form(ann, sale(item, 1), TxnDate="2026-01-31"))
    assert made["DueDate"] == "2026-03-02"
    given = form(ann, sale(item, 1), TxnDate="2026-01-31", DueDate="2026-02-01")
    assert (await books.write("Invoice", given))["DueDate"] == "2026-02-01"
    body = {"Name": "10th", "DayOfMonthDue": 10, "DueNextMonthDays": 5}
    driven = (await books.write("Term", body))["Id"]
    dated = form(ann, sale(item, 1), TxnDate="2026-12-06", SalesTermRef={"value": driven})
    assert (await books.write("Invoice", dated))["DueDate"] == "2027-01-10"
    keys = {"Id": made["Id"], "SyncToken": "0", "sparse": True}
    moved = await books.write("Invoice", {**keys, "SalesTermRef": {"value": driven}})
    assert moved["DueDate"] == "2026-03-02"


async def test_full_update_clears_and_lines_keep_ids(books: Books) -> None:
    """A full update clears what it leaves out; lines with known ids stay, others are added."""
    ann, item = await books.customer(), await books.item()
    made = await books.write("Invoice", form(ann, sale(item, 1), PrivateNote="x"))
    first = made["Line"][0]
    body = form(ann, {**sale(item, 5), "Id": first["Id"]}, {**sale(item, 6), "Id": "-1"})
    full = await books.write("Invoice", {**body, "Id": made["Id"], "SyncToken": "0"})
    assert "PrivateNote" not in full
    assert [one.get("Id") for one in full["Line"]] == ["1", "2", None]
    sparse = {"Id": made["Id"], "SyncToken": "1", "sparse": True, "PrivateNote": "y"}
    assert (await books.write("Invoice", sparse))["TotalAmt"] == 11


async def test_journal_entry(books: Books) -> None:
    """A journal entry posts what it says, and must be even."""

    def line(kind: str, amount: int, subtype: str) -> Body:
        detail = {"PostingType": kind, "AccountRef": {"value": books.account(subtype)}}
        return {"DetailType": "JournalEntryLineDetail", "Amount": amount,
                "JournalEntryLineDetail": detail}  # fmt: skip

    lines = [line("Debit", 5, "BankCharges"), line("Credit", 5, "Checking")]
    await books.write("JournalEntry", {"Line": lines})
    assert await balances(books) == {"Bank Charges": 5, "Checking": -5}
    lines[0]["Amount"] = 6
    assert await books.refused("JournalEntry", {"Line": lines}) == "6000"
    assert (await books.read("Account", books.account("Checking")))["CurrentBalance"] == -5


async def test_deposit_on_invoice(books: Books) -> None:
    """A deposit on an invoice lowers what is owed and is cash at once."""
    ann, item = await books.customer(), await books.item()
    made = await books.write("Invoice", form(ann, sale(item, 10), Deposit=4))
    assert (made["TotalAmt"], made["Balance"]) == (10, 6)
    assert (await balances(books))["Undeposited Funds"] == 4


async def test_customer_defaults(books: Books) -> None:
    """A form takes addresses and e-mail from its customer, references get their names."""
    item = await books.item()
    ann = await books.customer(
        "Ann", BillAddr={"Line1": "1 Road"}, PrimaryEmailAddr={"Address": "ann@example.com"}
    )
    made = await books.write("Invoice", form(ann, sale(item, 1)))
    assert made["BillAddr"]["Line1"] == "1 Road"
    assert made["BillEmail"]["Address"] == "ann@example.com"
    assert made["CustomerRef"] == {"value": ann, "name": "Ann"}
