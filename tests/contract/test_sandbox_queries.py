"""The query language: what it finds, how it pages, and what it refuses."""

# QuickBooks's query language, not SQL

from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.sandbox.query.grammar import parse
from tests.contract.books import REALM, Books, form, opened, pays, sale


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox."""
    async with opened() as held:
        yield held


async def found(books: Books, where: str, entity: str = "Customer") -> list[str]:
    """Ids that a WHERE clause finds."""
    answer = await books.query(f"SELECT * FROM {entity} WHERE {where}")
    assert "Fault" not in answer, answer
    return [one["Id"] for one in answer.get(entity, [])]


@pytest.mark.parametrize(
    "name", ["O'Brien & Söhne", "back\\slash", "50% off", 'quote "x"', "a\\'b", "日本", "x;y"]
)
async def test_names_with_escapes(books: Books, name: str) -> None:
    """A name is found by its text with ' and backslash escaped, by GET and by POST."""
    ann = await books.customer(name)
    await books.customer("other")
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    statement = f"select * from customer where displayname = '{escaped}'"
    assert (await books.query(statement))["Customer"][0]["Id"] == ann
    posted = await books.call("POST", "query", statement.encode(), Content_Type="application/text")
    assert b'"maxResults":1' in posted[1]


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_survives_escaping(text: str) -> None:
    """Any text can be asked for once ' and backslash are escaped."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    query = parse(f"select * from Customer where DisplayName = '{escaped}'")
    assert query.conditions[0].values == (text,)


async def test_conditions(books: Books) -> None:
    """=, IN, LIKE, comparisons, booleans, e-mails, references, money and times select rows."""
    ann = await books.customer("Ann", PrimaryEmailAddr={"Address": "ann@example.com"})
    bob = await books.customer("Bob", CompanyName="Acme", Taxable=False)
    item = await books.item(Sku="A-1")
    early = await books.write("Invoice", form(ann, sale(item, 5), TxnDate="2026-01-01"))
    late = await books.write("Invoice", form(bob, sale(item, 9), TxnDate="2026-02-01"))
    assert await found(books, "DisplayName IN ('ann', 'BOB')") == [ann, bob]
    assert await found(books, "DisplayName LIKE 'a%'") == [ann]
    assert await found(books, "PrimaryEmailAddr = 'ANN@example.com'") == [ann]
    assert await found(books, "PrimaryEmailAddr.Address = 'ann@example.com'") == [ann]
    assert await found(books, "Taxable = false") == [bob]
    assert await found(books, f"Id IN ('{ann}', '{bob}', '999')") == [ann, bob]
    assert await found(books, "Balance > '6'") == [bob]
    assert await found(books, "Sku = 'a-1'", "Item") == [item]
    assert await found(books, f"CustomerRef = '{ann}'", "Invoice") == [early["Id"]]
    assert await found(books, "TxnDate >= '2026-02-01'", "Invoice") == [late["Id"]]
    assert await found(books, "TxnDate < '2026-02-01' AND TotalAmt = '5.00'", "Invoice") == [
        early["Id"]
    ]
    past = "MetaData.LastUpdatedTime >= '2020-01-01T00:00:00-08:00'"
    assert len(await found(books, past, "Invoice")) == 2
    assert await found(books, "MetaData.CreateTime > '2099-01-01T00:00:00Z'", "Invoice") == []
    await books.switch(query_case_sensitive_values=True)
    assert await found(books, "DisplayName = 'ann'") == []


async def test_pages(books: Books) -> None:
    """100 rows by default, at most 1000, from a 1-based position, in the order asked for."""
    for at in range(105):
        await books.customer(f"C{at:03}")
    everything = await books.query("select * from Customer")
    assert (everything["maxResults"], everything["startPosition"]) == (100, 1)
    page = await books.query("select * from Customer orderby DisplayName desc maxresults 2")
    assert [one["DisplayName"] for one in page["Customer"]] == ["C104", "C103"]
    rest = await books.query("SELECT * FROM Customer ORDER BY Id STARTPOSITION 101 MAXRESULTS 9")
    assert len(rest["Customer"]) == 5
    assert await books.query("select * from Customer startposition 106") == {}
    assert await books.query("select count(*) from Customer") == {"totalCount": 105}
    await books.switch(query_page_extra_row=True, query_default_order="id_desc")
    extra = await books.query("select * from Customer maxresults 2")
    assert [one["DisplayName"] for one in extra["Customer"]] == ["C104", "C103", "C102"]


async def test_inactive_rows_are_hidden(books: Books) -> None:
    """Name lists show active rows only, unless Active is asked for; deleted rows never."""
    ann, item = await books.customer(), await books.item()
    await books.admin(f"edit/{REALM}/Customer/{ann}", {"Active": False})
    assert await books.query("select * from Customer") == {}
    assert await found(books, "Active IN (true, false)") == [ann]
    assert await found(books, "Active = false") == [ann]
    bob = await books.customer("Bob")
    made = await books.write("Invoice", form(bob, sale(item, 1)))
    await books.admin(f"delete/{REALM}/Invoice/{made['Id']}", {})
    assert await books.query("select * from Invoice") == {}


@pytest.mark.parametrize(
    "statement",
    [
        "select * from Customer where DisplayName = 'O'Brien'",
        "select * from Customer where DisplayName = 'O''Brien'",
        "select * from Customer where DisplayName = 'x\\'",
        "select * from Customer where DisplayName != 'x'",
        "select * from Customer where DisplayName = 'x' or Active = true",
        "select * from Customer group by DisplayName",
        "select * from Customer, Invoice",
        "select * from Customer where",
        "select * from Customer maxresults x",
        "delete from Customer",
        "",
    ],
)
async def test_4000_unparsed(books: Books, statement: str) -> None:
    """A statement that doesn't parse is 4000 in the parser's words."""
    error = (await books.query(statement))["Fault"]["Error"][0]
    assert (error["code"], error["Message"]) == ("4000", "Error parsing query")
    assert error["Detail"].startswith("QueryParserError: ")


@pytest.mark.parametrize(
    "statement",
    [
        "select * from Widget",
        "select * from Invoice where PrivateNote = 'x'",
        "select * from Payment where DocNumber = '1'",
        "select * from Customer where Nmae = 'x'",
        "select * from Customer where Id > '1'",
        "select * from Customer where Id LIKE '1%'",
        "select * from Customer maxresults 1500",
        "select * from Customer startposition 0",
        "select Id, BillAddr from Customer",
        "select Id, Nmae from Customer",
        "select Id, CurrencyRef from Customer",
        "select PrimaryEmailAddr.Address from Customer",
        "select Id, InvoiceLink from Invoice",
        "select ShipAddr from Invoice",
        "select * from Customer where MetaData.LastUpdatedTime > 'yesterday'",
        "select * from Customer orderby Nmae",
    ],
)
async def test_4001_invalid(books: Books, statement: str) -> None:
    """A statement that can't be answered is 4001."""
    error = (await books.query(statement))["Fault"]["Error"][0]
    assert (error["code"], error["Message"]) == ("4001", "Invalid query")


@pytest.mark.parametrize(
    ("entity", "name"),
    [
        ("Invoice", "DepartmentRef"),
        ("SalesReceipt", "DepartmentRef"),
        ("Purchase", "DepartmentRef"),
        ("JournalEntry", "DepartmentRef"),
        ("Payment", "UnappliedAmt"),
        ("Deposit", "TotalAmt"),
        ("JournalEntry", "TotalAmt"),
    ],
)
async def test_what_is_not_filterable(books: Books, entity: str, name: str) -> None:
    """Properties that Intuit's pages don't mark as filterable are 4001 in WHERE and ORDERBY."""
    for clause in (f"where {name} = '1'", f"orderby {name}"):
        answer = await books.query(f"select * from {entity} {clause}")
        assert answer["Fault"]["Error"][0]["code"] == "4001"


async def test_projects_are_filterable(books: Books) -> None:
    """An invoice is found by its ProjectRef."""
    ann, item = await books.customer(), await books.item()
    made = await books.write("Invoice", form(ann, sale(item, 1), ProjectRef={"value": ann}))
    assert await found(books, f"ProjectRef = '{ann}'", "Invoice") == [made["Id"]]


async def test_typographic_quotes_by_switch(books: Books) -> None:
    """Raw typographic quotes are lexical errors where the switch says so."""
    statement = "select * from Customer where DisplayName = 'O\u2019Brien'"
    assert await books.query(statement) == {}
    await books.switch(query_raw_quotes_refused=True)
    assert (await books.query(statement))["Fault"]["Error"][0]["code"] == "4000"


async def test_extra_columns_are_taken(books: Books) -> None:
    """`SELECT *, Sku` is accepted, as client libraries send it."""
    await books.item(Sku="A-1")
    answer = await books.query("SELECT *, Sku FROM Item WHERE Sku = 'A-1'")
    assert answer["Item"][0]["Sku"] == "A-1"


async def test_columns(books: Books) -> None:
    """A list of columns is answered with those, the Id and `sparse`, in a batch too."""
    ann = await books.customer("Ann", PrimaryEmailAddr={"Address": "ann@example.com"})
    made = await books.write("Invoice", form(ann, sale(await books.item(), 5)))
    statement = "SELECT DisplayName, balance, primaryEmailAddr, Notes FROM Customer"
    expected = {
        "domain": "QBO", "sparse": True, "Id": ann, "DisplayName": "Ann", "Balance": 5,
        "PrimaryEmailAddr": {"Address": "ann@example.com"},
    }  # fmt: skip
    assert (await books.query(statement))["Customer"] == [expected]
    asked = {"BatchItemRequest": [{"bId": "1", "Query": statement}]}
    (answer,) = (await books.post("batch", asked))["BatchItemResponse"]
    assert answer["QueryResponse"]["Customer"] == [expected]
    refused = await books.query("SELECT Id, BillAddr FROM Customer")
    assert "Property BillAddr not found for Entity Customer" in str(refused)
    rows = await books.query("select Id, SyncToken, Metadata.CreateTime, Line from Invoice")
    created = {"CreateTime": made["MetaData"]["CreateTime"]}
    assert rows["Invoice"][0] == {
        "domain": "QBO", "sparse": True, "Id": made["Id"], "SyncToken": "0", "MetaData": created,
        "Line": made["Line"],
    }  # fmt: skip
    await books.prefer("CurrencyPrefs", MultiCurrencyEnabled=True)
    currencies = await books.query("select CurrencyRef from Customer")
    assert currencies["Customer"][0]["CurrencyRef"]["value"] == "USD"


async def test_payment_by_reference_number(books: Books) -> None:
    """A payment is found by its PaymentRefNum."""
    ann = await books.customer()
    made = await books.write("Payment", pays(ann, 1, PaymentRefNum="ch_1"))
    assert await found(books, "PaymentRefNum = 'ch_1'", "Payment") == [made["Id"]]
