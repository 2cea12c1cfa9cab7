"""Intuit's limits as the dispatcher meets them, and what a document costs in metered reads.

The limits' window is a minute: the figure over several real minutes is `bench/quickbooks_limits.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.dispatch.ready import KEPT_FOR_LIVE
from reconciler.model import Action, Customer, DocumentContent, Line, Priority, ProductReference
from reconciler.quickbooks.limits import Kind, Limits
from reconciler.writing.lifecycle import RetryPolicy
from tests.company_at_work import Work, at_work, brisk_waits, sale
from tests.sandbox_process import Sandbox, sandbox_process


@pytest.fixture(scope="module")
def strict() -> Iterator[Sandbox]:
    """A sandbox that counts and throttles as Intuit does."""
    with sandbox_process() as running:
        yield running


@pytest.fixture(scope="module")
def lenient() -> Iterator[Sandbox]:
    """A sandbox that only counts."""
    with sandbox_process("--no-limits") as running:
        yield running


async def test_limits_are_used_and_never_exceeded(strict: Sandbox, database_dsn: str) -> None:
    """With a full backlog at least 95 % of a minute's batches go out at once; none is throttled,
    and single requests go on within the other limits."""
    realm = await strict.company()
    async with at_work(strict, database_dsn, realm, limits=Limits(), policy=RetryPolicy()) as work:
        await work.want([sale(private_note=f"deal {number}") for number in range(1600)])
        started = time.monotonic()

        async def for_fifteen_seconds() -> bool:
            return time.monotonic() - started > 15

        await work.run_until(for_fifteen_seconds)
        stats = await strict.admin("GET", f"stats/{realm}")
    assert stats["throttled"] == 0
    assert stats["batches"] >= 38
    assert stats["peaks"]["requests_in_a_second"] <= 10
    assert stats["created"]["Invoice"] >= 38 * 30 - 60


async def test_a_backfill_leaves_room_for_live_documents(
    lenient: Sandbox, database_dsn: str
) -> None:
    """A backfill that could use up the minute's calls stops before: a live document goes at once."""
    realm = await lenient.company()
    limits = Limits(requests_per_minute=60, requests_per_second=60, batches_per_minute=1)
    async with at_work(lenient, database_dsn, realm, limits=limits) as work:
        await work.want(
            [sale(private_note=f"deal {n}") for n in range(200)], priority=Priority.BACKFILL
        )
        gate = work.company.quickbooks.gate

        async def nothing_left_for_a_backfill() -> bool:
            return gate.room(Kind(), KEPT_FOR_LIVE) == 0

        await work.run_until(nothing_left_for_a_backfill)
        await work.want([sale(private_note="live")], first=1000)

        async def live_is_created() -> bool:
            return any(
                row["object_id"] == "1000" and row["state"] == "created"
                for row in await work.documents()
            )

        await work.run_until(live_is_created, seconds=20)
        left = [row for row in await work.documents() if row["state"] != "created"]
        assert len(left) > 100, "the backfill goes on in the next minute"


async def test_a_backfill_gives_way_to_a_live_document_of_the_same_sale(
    lenient: Sandbox, database_dsn: str
) -> None:
    """Made ready first, a backfill's invoice waits for the limits; meanwhile a live receipt bills the
    same deal. The invoice is looked at again, and blocked."""
    realm = await lenient.company()
    limits = Limits(requests_per_minute=20, requests_per_second=20, batches_per_minute=1)
    async with at_work(lenient, database_dsn, realm, limits=limits) as work:
        await work.want([sale()] * 60, priority=Priority.BACKFILL)
        gate = work.company.quickbooks.gate

        async def all_are_settled() -> bool:
            states = Counter(row["state"] for row in await work.documents())
            return states["created"] == 60 and states["blocked"] > 0

        working = asyncio.create_task(work.run_until(all_are_settled))
        while gate.room(Kind(), KEPT_FOR_LIVE) > 0:
            await asyncio.sleep(0.01)
        unsent = [
            int(row["object_id"]) for row in await work.documents() if row["state"] == "wanted"
        ]
        for deal in unsent:
            await work.want([sale()], Action.SALES_RECEIPT, first=deal)
        while gate.room(Kind()) > 0:
            await asyncio.sleep(0.01)
        emptied = time.monotonic()
        gate.clock = lambda: time.monotonic() + 61 + 100 * (time.monotonic() - emptied)
        work.company.wake()
        await working
        rows = await work.documents()
    billed = Counter(row["object_id"] for row in rows if row["state"] == "created")
    assert set(billed.values()) == {1}
    assert {row["reason"] for row in rows if row["state"] == "blocked"} == {"already_billed"}


async def test_what_belongs_together_is_seen_until_it_goes(
    lenient: Sandbox, database_dsn: str
) -> None:
    """Two deals are ready and wait for the limits; meanwhile HubSpot tells that one was merged into the
    other. One invoice is made, and the other gives way to it."""
    realm = await lenient.company()
    limits = Limits(requests_per_minute=20, requests_per_second=20, batches_per_minute=1)
    async with at_work(lenient, database_dsn, realm, limits=limits) as work:
        await work.want([sale()] * 60)
        gate = work.company.quickbooks.gate

        async def all_are_settled() -> bool:
            states = Counter(row["state"] for row in await work.documents())
            return states == {"created": 59, "blocked": 1}

        working = asyncio.create_task(work.run_until(all_are_settled))
        while gate.room(Kind()) > 0:
            await asyncio.sleep(0.01)
        ready = [row["object_id"] for row in await work.documents() if row["state"] == "wanted"]
        await work.pool.execute(
            "INSERT INTO object_links VALUES (4711, 'deal', $1, 'deal', $2)", *ready[:2]
        )
        emptied = time.monotonic()
        gate.clock = lambda: time.monotonic() + 61 + 100 * (time.monotonic() - emptied)
        work.company.wake()
        await working
        blocked = [row for row in await work.documents() if row["state"] == "blocked"]
    assert [(row["object_id"], row["reason"]) for row in blocked] == [(ready[1], "already_billed")]


async def test_reads_per_document(lenient: Sandbox, database_dsn: str) -> None:
    """Once a company is known a document costs at most 0.05 metered reads, new customers included."""
    realm = await lenient.company()
    async with at_work(lenient, database_dsn, realm) as work:
        await work.want(people(0, 30))
        await work.run_until(work.all_created)
        await lenient.admin("POST", f"stats/{realm}/reset")
        for lot in range(1, 11):
            await work.want(people(lot * 40, lot * 40 + 40), first=lot * 40 + 1)
            await work.run_until(work.all_created)
        stats = await lenient.admin("GET", f"stats/{realm}")
        reads = sum(call.metered for call in work.calls)
    restarts = 11  # `run_until` takes the company up anew each time: a sweep of three reads
    assert stats["created"]["Invoice"] == 400
    assert stats["metered_reads"] <= 400 * 0.05 + 3 * restarts, stats
    assert reads >= stats["metered_reads"]


def people(first: int, last: int) -> list[DocumentContent]:
    """Sales to customers of whom a third are new each time."""
    return [
        sale(
            name=f"Ada Number{number // 3}", email=f"ada{number // 3}@example.com",
            private_note=f"deal {number}",
        )
        for number in range(first, last)
    ]  # fmt: skip


# --- any text -----------------------------------------------------------------------------------

CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
"""What decoding lets through: NUL is dropped there, and lone surrogates are refused."""


def text(most: int) -> st.SearchStrategy[str]:
    """Any text of at most so many characters."""
    return st.text(CHARACTERS, max_size=most)


texts = text(700)


@st.composite
def hard_sales(draw: st.DrawFn) -> DocumentContent:
    """A complete sale whose every text is whatever HubSpot may hold."""
    name, email = draw(texts), draw(st.emails() | text(150))
    customer = Customer(
        "contact", "301", name, draw(texts), email, draw(texts), phone=draw(text(60))
    )
    product = ProductReference(sku=draw(text(150)), name=draw(texts))
    line = Line(Decimal("12.50"), description=draw(text(5000)), product=product)
    return sale(
        "12.50", customer=customer, lines=(line,), customer_memo=draw(text(1500)),
        private_note=draw(text(4500)), payment_reference=draw(text(60)),
        document_number=draw(text(40)),
    )  # fmt: skip


@pytest.fixture
async def work(
    lenient: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Work]:
    """A company that keeps our numbers and whose queries refuse typographic quotes."""
    brisk_waits(monkeypatch)
    realm = await lenient.company(query_raw_quotes_refused=True)
    preferences = {"SalesFormsPrefs": {"CustomTxnNumbers": True, "AllowDiscount": True}}
    await lenient.admin("POST", f"preferences/{realm}", preferences)
    async with at_work(lenient, database_dsn, realm) as opened:
        yield opened


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(contents=st.lists(hard_sales(), min_size=8, max_size=14))
async def test_any_text_makes_a_document(work: Work, contents: list[DocumentContent]) -> None:
    """No name, memo, e-mail address, SKU or number is refused for its characters or length: a
    document that says who and what is made, and what lacks even that says so."""
    first = len(await work.documents()) + 1
    await work.want(contents, Action.SALES_RECEIPT, first=first)

    async def settled() -> bool:
        rows = await work.documents()
        return all(row["state"] in ("created", "blocked") for row in rows)

    await work.run_until(settled, seconds=25)
    blocked = [row for row in await work.documents() if row["state"] == "blocked"]
    assert {row["reason"] for row in blocked} <= {"product_unnamed"}, [
        (row["reason"], row["detail"]) for row in blocked
    ]
    for code in ("4000", "4001", "2050", "2040", "2210", "6240", "500"):
        assert not await _refused_with(work, code), code


async def _refused_with(work: Work, code: str) -> list[Any]:
    """Faults of that code that became a person's business."""
    rows = await work.documents()
    return [row["detail"] for row in rows if f"Intuit code {code})" in row["detail"]]
