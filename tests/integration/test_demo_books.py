"""The demo seeds a QuickBooks company and audits its books over the API, against the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from reconciler.demo.audit import audit
from reconciler.demo.books import read_books, session_for
from reconciler.demo.catalogue import CANADA, US, US_EAST, catalogue
from reconciler.demo.expectation import (
    Company,
    Expectation,
    ExpectedDocument,
    ExpectedLine,
    Party,
    ProductKey,
    Wanted,
)
from reconciler.demo.seeding import seed_companies
from reconciler.sandbox.server import create_app
from reconciler.sandbox.world import World

TOKEN = "any"
ADA = Party("Ada", "Lovelace", "ada@engine.example")
TAXED = ExpectedDocument(
    realm_id=US, wanted=Wanted("deal", "18400000001", "invoice"), customer=ADA, terms="Net 30",
    lines=(
        ExpectedLine(Decimal("100.10"), True, ProductKey("SUP-GOLD", "")),
        ExpectedLine(Decimal("50.00"), False, ProductKey("", "Rush fee")),
    ),
    tax=Decimal("9.99"), total=Decimal("160.09"),
)  # fmt: skip
PAID = ExpectedDocument(
    realm_id=US, wanted=Wanted("payment", "310000001", "paid_invoice"), customer=ADA,
    lines=(ExpectedLine(Decimal("12.35"), False, ProductKey("API-CALL", "")),),
    total=Decimal("12.35"),
)  # fmt: skip


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    """A sandbox with the demo's companies, seeded."""
    world = World(limits_enforced=False, token=TOKEN)
    for realm_id in (US, US_EAST):
        world.add_realm(realm_id, "US", "USD")
    world.add_realm(CANADA, "CA", "CAD")
    async with TestServer(create_app(world)) as server:
        url = str(server.make_url("/"))
        await seed_companies(url, TOKEN, catalogue(7))
        yield url


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with session_for(TOKEN) as session:
        yield session


def expectation(*documents: ExpectedDocument) -> Expectation:
    companies = {
        realm_id: Company(
            known_customers={customer.display_name for customer in lists.customers},
            known_items={item.name for item in lists.items},
        )
        for realm_id, lists in catalogue(7).items()
    }
    expected = Expectation(companies=companies)
    for document in documents:
        expected.add(document, [], [item.key for item in catalogue(7)[US].usable_items])
    return expected


async def post(session: ClientSession, base_url: str, entity: str, body: dict[str, Any]) -> str:
    url = f"{base_url}v3/company/{US}/{entity.lower()}"
    async with session.post(url, json=body) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return str(answer[entity]["Id"])


async def write_by_hand(session: ClientSession, base_url: str) -> None:
    """What the service would write for the two documents."""
    books = await read_books(session, base_url, US)
    items = {item.get("Sku") or item["Name"]: {"value": item["Id"]} for item in books.of("Item")}
    terms = {term["Name"]: {"value": term["Id"]} for term in books.of("Term")}
    customer = {"value": await post(session, base_url, "Customer", {
        "DisplayName": "Ada L.", "GivenName": "Ada", "FamilyName": "Lovelace",
        "PrimaryEmailAddr": {"Address": "ada@engine.example"},
    })}  # fmt: skip
    await post(session, base_url, "Invoice", {
        "CustomerRef": customer, "SalesTermRef": terms["Net 30"],
        "PrivateNote": "HubSpot deal 18400000001", "TxnTaxDetail": {"TotalTax": 9.99},
        "Line": [_line(100.10, items["SUP-GOLD"], "TAX"), _line(50, items["Rush fee"], "NON")],
    })  # fmt: skip
    invoice = await post(session, base_url, "Invoice", {
        "CustomerRef": customer, "PrivateNote": "Paid; HubSpot payment 310000001.",
        "Line": [_line(12.35, items["API-CALL"], "NON")],
    })  # fmt: skip
    await post(session, base_url, "Payment", {
        "CustomerRef": customer, "TotalAmt": 12.35,
        "Line": [{"Amount": 12.35, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}],
    })  # fmt: skip


def _line(amount: float, item: dict[str, str], tax_code: str) -> dict[str, Any]:
    detail = {"ItemRef": item, "TaxCodeRef": {"value": tax_code}}
    return {
        "Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail,
    }  # fmt: skip


async def test_seeded_companies_hold_the_catalogue(base_url: str, session: ClientSession) -> None:
    """Every product, customer and vendor is there; what is retired is inactive."""
    for realm_id, lists in catalogue(7).items():
        books = await read_books(session, base_url, realm_id)
        active = {item["Name"]: item for item in books.of("Item") if item["Active"]}
        assert {item.name for item in lists.usable_items} <= active.keys()
        assert not {item.name for item in lists.retired_items} & active.keys()
        for item in lists.usable_items:
            assert Decimal(active[item.name]["UnitPrice"]) == item.price
        names = {customer["DisplayName"] for customer in books.of("Customer")}
        assert {customer.display_name for customer in lists.customers} <= names


async def test_seeded_books_are_empty(base_url: str) -> None:
    """What was there before the feed is nobody's mistake."""
    report = await audit(base_url, TOKEN, expectation())
    assert report.ok, str(report)


async def test_what_is_right_passes(base_url: str, session: ClientSession) -> None:
    """An invoice with tax and terms, and a paid one, are recognised as written by QuickBooks."""
    await write_by_hand(session, base_url)
    report = await audit(base_url, TOKEN, expectation(TAXED, PAID))
    assert report.ok, str(report)


async def test_what_is_wrong_is_told(base_url: str, session: ClientSession) -> None:
    """A document nobody wanted, one that is missing, one with another total."""
    await write_by_hand(session, base_url)
    other = Wanted("deal", "18400000002", "estimate")
    missing = ExpectedDocument(realm_id=US, wanted=other, total=Decimal(1), customer=ADA)
    report = await audit(base_url, TOKEN, expectation(TAXED, missing))
    assert {(problem.kind, problem.subject) for problem in report.problems} == {
        ("missing", str(other)), ("unexpected", "Invoice 2"), ("unexpected", "Payment 3"),
    }, str(report)  # fmt: skip
