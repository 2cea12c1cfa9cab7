"""Requests and query statements, as bytes and text."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.quickbooks import payload, protocol, queries
from reconciler.quickbooks.protocol import BatchItem, Verb

# --- numbers ----------------------------------------------------------------------------------


@given(st.decimals(allow_nan=False, allow_infinity=False, places=7, min_value=-(10**10)))
def test_numbers_survive_to_the_digit(amount: Decimal) -> None:
    """A Decimal is written as a plain JSON number and read back equal."""
    text = payload.encode({"Amount": amount})
    assert "E" not in text.decode()[len('{"Amount"') :].upper()
    assert payload.decode(text)["Amount"] == amount


@pytest.mark.parametrize(
    ("value", "error"),
    [(0.1, TypeError), (Decimal("NaN"), ValueError), ("\ud800", ValueError)],
    ids=["float", "not a number", "lone surrogate"],
)
def test_inexact_values_are_refused(value: object, error: type[Exception]) -> None:
    """A float, an infinite amount or unencodable text is a bug, not something to send."""
    with pytest.raises(error):
        payload.encode({"Line": [{"Amount": value}]})


def test_small_prices_have_no_exponent() -> None:
    """A 7-decimal unit price is written in digits."""
    assert payload.encode(Decimal("0.0000001")) == b"0.0000001"
    assert payload.encode(Decimal("1E+2")) == b"100"


# --- writes -----------------------------------------------------------------------------------


def test_create() -> None:
    """A create is a POST with the request id and minor version, unmetered, and a write."""
    request = protocol.create("SalesReceipt", {"TotalAmt": Decimal("1.10")}, "key-1")
    assert (request.method, request.path) == ("POST", "salesreceipt")
    assert request.url_query == "requestid=key-1&minorversion=75"
    assert request.body == b'{"TotalAmt":1.10}'
    assert request.writes
    assert not request.metered


def test_recorded_bytes_are_sent_as_they_are() -> None:
    """The bytes that the ledger recorded are repeated, whatever their formatting."""
    recorded = b'{ "TotalAmt" : 1.10 }'
    assert protocol.create("Invoice", recorded, "k").body == recorded
    item = BatchItem("1", Verb.CREATE, "Invoice", recorded)
    assert recorded in (protocol.batch([item], "k").body or b"")


@pytest.mark.parametrize(
    ("entity", "query", "sparse"),
    [
        ("Invoice", {"operation": "void"}, None),
        ("Payment", {"operation": "update", "include": "void"}, True),
        ("SalesReceipt", {"operation": "update", "include": "void"}, True),
    ],
)
def test_void_by_entity(entity: str, query: dict[str, str], sparse: bool | None) -> None:
    """Invoices are voided by an operation, payments and receipts by an update."""
    request = protocol.void(entity, "12", "3", "k")
    assert request.query == {**query, "requestid": "k"}
    body = json.loads(request.body or b"")
    assert (body["Id"], body["SyncToken"], body.get("sparse")) == ("12", "3", sparse)


@pytest.mark.parametrize("entity", ["Estimate", "RefundReceipt", "Purchase"])
def test_void_of_what_cannot_be_voided(entity: str) -> None:
    """No void is documented for these; the builder says so instead of guessing."""
    with pytest.raises(ValueError, match="delete it"):
        protocol.void(entity, "12", "3", "k")


def test_sparse_update_and_delete() -> None:
    """Sparse is said in the body, delete in the query."""
    sparse = protocol.sparse_update("Customer", {"Id": "1", "SyncToken": "0", "Active": True}, "k")
    assert json.loads(sparse.body or b"")["sparse"] is True
    assert protocol.delete("Estimate", "1", "0", "k").query["operation"] == "delete"
    full = protocol.update("Term", {"Id": "1", "SyncToken": "0", "Name": "Net 30"}, "k")
    assert "sparse" not in json.loads(full.body or b"")


@pytest.mark.parametrize("request_id", ["", "x" * 51])
def test_request_id_limits(request_id: str) -> None:
    """A request id outside Intuit's limits would be cut and collide: it is refused."""
    with pytest.raises(ValueError, match="requestid"):
        protocol.create("Invoice", {}, request_id)


# --- batch ------------------------------------------------------------------------------------


def test_batch_shape() -> None:
    """Each item carries its bId, operation and entity, or a query."""
    items = [
        BatchItem("b1", Verb.CREATE, "Invoice", {"TotalAmt": Decimal("2.50")}),
        BatchItem("b2", Verb.QUERY, "Term", "SELECT * FROM Term"),
    ]
    request = protocol.batch(items, "k" * 36)
    assert msgspec.json.decode(request.body or b"") == {
        "BatchItemRequest": [
            {"bId": "b1", "operation": "create", "Invoice": {"TotalAmt": 2.5}},
            {"bId": "b2", "Query": "SELECT * FROM Term"},
        ]
    }
    assert request.writes
    assert request.metered
    assert not protocol.batch(items[:1], "k").metered
    assert not protocol.batch(items[1:], "k").writes


def items(count: int) -> list[BatchItem]:
    """That many creates."""
    return [BatchItem(f"b{n}", Verb.CREATE, "Invoice", {}) for n in range(count)]


@pytest.mark.parametrize(
    ("batch", "request_id", "words"),
    [
        (items(31), "k", "30 items"),
        ([], "k", "30 items"),
        (items(1), "k" * 37, "requestid"),
        ([BatchItem("b" * 11, Verb.CREATE, "Invoice", {})], "k", "bId"),
        (items(1) * 2, "k", "share a bId"),
    ],
    ids=["31 items", "none", "long requestid", "long bId", "bId twice"],
)
def test_batch_limits(batch: list[BatchItem], request_id: str, words: str) -> None:
    """What Intuit would refuse with 1040, or confuse, is refused here."""
    with pytest.raises(ValueError, match=words):
        protocol.batch(batch, request_id)


# --- reads ------------------------------------------------------------------------------------


def test_reads_are_metered_and_write_nothing() -> None:
    """Intuit counts reads, queries, CDC, CompanyInfo and Preferences as CorePlus calls."""
    since = datetime(2026, 3, 2, 18, tzinfo=UTC)
    requests = [
        protocol.read("Invoice", "12"),
        protocol.query("Term", "SELECT * FROM Term"),
        protocol.change_data_capture(["Invoice", "Customer"], since),
        protocol.company_info("934"),
        protocol.preferences(),
        protocol.exchange_rate("EUR", "2026-11-20"),
    ]
    assert [request.path for request in requests] == [
        "invoice/12",
        "query",
        "cdc",
        "companyinfo/934",
        "preferences",
        "exchangerate",
    ]
    assert "sourcecurrencycode=EUR&asofdate=2026-11-20" in requests[5].url_query
    assert all(request.metered and not request.writes for request in requests)
    assert "changedSince=2026-03-02T18%3A00%3A00%2B00%3A00" in requests[2].url_query


def test_cdc_needs_an_aware_instant() -> None:
    """A naive time would silently mean Pacific."""
    with pytest.raises(ValueError, match="time zone"):
        protocol.change_data_capture(["Invoice"], datetime(2026, 3, 2))  # noqa: DTZ001


def test_long_queries_go_in_the_body() -> None:
    """A statement too long for a request line is POSTed as text."""
    statement = queries.select("Customer", [queries.one_of("Id", (str(n) for n in range(900)))])
    request = protocol.query("Customer", statement)
    assert (request.method, request.content_type) == ("POST", "application/text")
    assert request.body == statement.encode()
    assert request.metered


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_statement_survives_the_url(text: str) -> None:
    """Percent-encoding is undone to exactly the statement, whatever characters it holds."""
    statement = queries.select("Item", [queries.equals("Name", text)])
    request = protocol.query("Item", statement)
    parsed = parse_qs(urlsplit("?" + request.url_query).query, keep_blank_values=True)
    assert parsed["query"] == [statement]


# --- the query language -----------------------------------------------------------------------


def unquote(literal: str) -> str:
    """Read a literal as the vendor's lexer does: a backslash takes the next character as it is."""
    match = re.fullmatch(r"'((?:[^'\\]|\\.)*)'", literal, re.DOTALL)
    assert match is not None, literal
    return re.sub(r"\\(.)", r"\1", match.group(1), flags=re.DOTALL)


@given(st.text())
def test_quote_is_undone_by_the_lexer(text: str) -> None:
    """No value ends its literal early or changes on the way."""
    assert unquote(queries.quote(text)) == text


def holds(condition: str, value: str) -> bool:
    """Whether a condition from `resembles` holds for a value."""
    match = re.fullmatch(r"Name (=|LIKE) ('.*')", condition, re.DOTALL)
    assert match is not None, condition
    literal = unquote(match.group(2))
    if match.group(1) == "=":
        return value == literal
    pattern = ".*".join(re.escape(part) for part in literal.split("%"))
    return re.fullmatch(pattern, value, re.DOTALL) is not None


@given(st.text())
def test_resembling_conditions_find_the_value(text: str) -> None:
    """A condition holds for its own value and holds no character the parser is known to refuse."""
    condition = queries.resembles("Name", text)
    if condition is not None:
        assert holds(condition, text)
        assert condition.isascii()
        assert condition.isprintable()
        assert "\\\\" not in condition


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        ("O'Brien", r"Name = 'O\'Brien'"),
        ("Kimberly O’Neil", "Name LIKE 'Kimberly O%Neil'"),
        ("Włodarski", "Name LIKE 'W%odarski'"),
        ('Boot – Wolverine – 6"', "Name LIKE 'Boot % Wolverine % 6\"'"),
        ("trailing\\", "Name LIKE 'trailing%'"),
        ("50% off", "Name LIKE '50% off'"),
        ("王小明", None),
    ],
)
def test_resembling_conditions(value: str, condition: str | None) -> None:
    """Names from the field reports become searches that the parser accepts, or none."""
    assert queries.resembles("Name", value) == condition


def test_select_shows_inactive_names() -> None:
    """Name lists are read with their inactive rows; transactions have no such flag."""
    assert queries.select("Customer", start=1001) == (
        "SELECT * FROM Customer WHERE Active IN (true, false)"
        " ORDERBY Id STARTPOSITION 1001 MAXRESULTS 1000"
    )
    assert "Active" not in queries.select("Invoice", [queries.equals("DocNumber", "7")])
    assert queries.count("Item") == "SELECT COUNT(*) FROM Item"


@pytest.mark.parametrize(
    ("received", "following"), [(1000, 1001), (1001, 1002), (999, None), (0, None)]
)
def test_paging_counts_rows_received(received: int, following: int | None) -> None:
    """A page of one row too many moves the start by what was received."""
    assert queries.next_page(1, received) == following
