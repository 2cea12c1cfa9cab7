"""Faults on demand: each kind, before and after the books change, by filter, count and rate."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from reconciler.sandbox.exact import decode
from tests.contract.books import CANADA, REALM, Books, form, opened, sale


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox."""
    async with opened() as held:
        yield held


def customers(books: Books) -> int:
    """How many customers the books hold."""
    return len(books.world.realms[REALM].company.tables["Customer"].rows)


async def plan(books: Books, kind: str, **more: Any) -> str:
    """Plan a misfortune that strikes once."""
    return (await books.admin("faults", {"kind": kind, "count": 1, **more}))["id"]


async def create(books: Books) -> tuple[int, bytes, Any]:
    """Create the customer that each test creates."""
    return await books.call("POST", "customer?requestid=r1", {"DisplayName": "Ann"})


@pytest.mark.parametrize(
    ("kind", "more", "committed"),
    [
        ("drop_before_commit", {}, 0),
        ("drop_after_commit", {}, 1),
        ("reset", {"phase": "before"}, 0),
        ("reset", {}, 1),
        ("truncate", {}, 1),
    ],
)
async def test_broken_connections(
    books: Books, kind: str, more: dict[str, str], committed: int
) -> None:
    """The connection breaks before or after the books change; a retry gives one object."""
    await plan(books, kind, **more)
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await create(books)
    assert customers(books) == committed
    assert (await create(books))[0] == 200
    assert customers(books) == 1
    assert (await books.admin("faults"))[0]["hits"] == 1


@pytest.mark.parametrize(
    ("kind", "status", "committed"),
    [("status_before_commit", 500, 0), ("status_after_commit", 502, 1)],
)
async def test_failing_statuses(books: Books, kind: str, status: int, committed: int) -> None:
    """A 5xx comes before or after the books change."""
    await plan(books, kind, status=status)
    assert (await create(books))[0] == status
    assert customers(books) == committed


async def test_wrong_content_type(books: Books) -> None:
    """A 200 with HTML instead of JSON, after the books changed."""
    await plan(books, "wrong_content_type")
    status, body, headers = await create(books)
    assert (status, headers["Content-Type"], body[:6]) == (200, "text/html", b"<html>")
    assert customers(books) == 1


async def test_delay(books: Books) -> None:
    """A delayed answer: who gives up finds the object made."""
    await plan(books, "delay", seconds=30)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(create(books), 0.2)
    assert customers(books) == 1


async def test_expired_token(books: Books) -> None:
    """A planned expiry is 401 with code 3200."""
    await plan(books, "expired_token")
    status, body, _ = await create(books)
    assert (status, b'"code":"3200"' in body, customers(books)) == (401, True, 0)
    assert (await create(books))[0] == 200


async def test_filters(books: Books) -> None:
    """Realm, entity and operation say which requests are struck, also inside a batch."""
    await plan(books, "fault", code="6000", entity="Invoice", operation="create", realm=REALM)
    ann, item = await books.customer(), await books.item()
    make = {"operation": "create", "Invoice": form(ann, sale(item, 1))}
    items = {"BatchItemRequest": [{"bId": "1", **make}, {"bId": "2", **make}]}
    answers = (await books.post("batch", items))["BatchItemResponse"]
    assert answers[0]["Fault"]["Error"][0]["code"] == "6000"
    assert "Invoice" in answers[1]
    await plan(books, "status_before_commit", realm=CANADA)
    assert (await books.call("GET", f"customer/{ann}"))[0] == 200
    await plan(books, "drop_after_commit", entity="Invoice")
    with pytest.raises(aiohttp.ClientError):
        await books.post("batch", items)
    assert len(books.world.realms[REALM].company.tables["Invoice"].rows) == 3


async def test_rate_is_seeded(books: Books) -> None:
    """A rate strikes that share of requests, the same ones for the same seed."""
    patterns = []
    for _ in range(2):
        await books.admin("faults", {"kind": "status_before_commit", "rate": 0.2, "seed": 7})
        patterns.append([(await books.call("GET", "preferences"))[0] for _ in range(100)])
        await books.admin("faults", method="DELETE")
    assert patterns[0] == patterns[1]
    assert 10 <= patterns[0].count(500) <= 30


async def test_faults_are_listed_and_cleared(books: Books) -> None:
    """Misfortunes are listed with their hits and cleared one by one or all."""
    first = await plan(books, "throttle")
    await plan(books, "reset")
    await books.admin(f"faults/{first}", method="DELETE")
    assert [one["kind"] for one in await books.admin("faults")] == ["reset"]
    await books.admin("faults", method="DELETE")
    assert await books.admin("faults") == []


async def keep_trying(books: Books, request_id: str, body: Any) -> str:
    """Repeat the same request until it is answered; returns the object's id."""
    for _ in range(100):
        with contextlib.suppress(aiohttp.ClientError, ConnectionError, ValueError):
            status, text, _ = await books.call("POST", f"invoice?requestid={request_id}", body)
            if status == 200:
                return str(decode(text)["Invoice"]["Id"])
    raise AssertionError(request_id)


async def test_same_requestid_under_any_fault_creates_once(books: Books) -> None:
    """With every kind of fault at 20 %, repeating the same request makes each object once."""
    ann, item = await books.customer(), await books.item()
    for kind in (
        "drop_before_commit",
        "drop_after_commit",
        "status_before_commit",
        "status_after_commit",
        "throttle",
        "expired_token",
        "reset",
        "truncate",
        "wrong_content_type",
    ):
        await books.admin("faults", {"kind": kind, "rate": 0.2, "seed": len(kind)})
    await books.admin("faults", {"kind": "delay", "rate": 0.2, "seconds": 0.001})
    made = [await keep_trying(books, f"r{at}", form(ann, sale(item, at))) for at in range(1, 61)]
    assert len(set(made)) == 60
    assert len(books.world.realms[REALM].company.tables["Invoice"].rows) == 60
    assert await books.trial_balance() == 0
