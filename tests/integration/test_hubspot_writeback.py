"""Write back: the HubSpot object shows its document, once, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from reconciler.hubspot.client import HubSpot, open_session
from reconciler.hubspot.limits import Window
from reconciler.hubspot.writeback import WriteBacks
from reconciler.model import (
    Change,
    ChangeKind,
    DocumentState,
    ObjectKey,
    ObjectType,
    Related,
)
from reconciler.objects.fold import fold
from reconciler.ports.dispatch import DocumentUpdate
from store.writeback import WriteBackStore, enter
from tests.console import operator_of
from tests.hubspot_process import HubSpotServer, hubspot_process

PORTAL = 4711
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_ids = itertools.count(1001)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpotServer]:
    with hubspot_process(tmp_path_factory.mktemp("hubspot"), "--page", "3") as running:
        yield running


@pytest.fixture
async def write_backs(server: HubSpotServer, pool: asyncpg.Pool) -> AsyncIterator[WriteBacks]:
    async with open_session() as session:
        yield WriteBacks(
            HubSpot(session, lambda: "token", Window(1000), server.url),
            WriteBackStore(pool, PORTAL),
            "quickbooks_",
            lambda entity, id_: f"https://books.example/{entity}/{id_}?a=1&b=2",
            lambda: NOW,
        )


@pytest.fixture
def new_id() -> Callable[[], str]:
    """An object id that no other test uses."""
    return lambda: str(next(_ids))


async def created(
    pool: asyncpg.Pool, object_id: str, object_type: str = "deal", workflow: str = "w"
) -> int:
    """A document just recorded as created, by a workflow that writes back."""
    document_id: int = await pool.fetchval(
        """
        INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                               workflow, generation, revision, version, state, attempts,
                               enrolled_at, quickbooks_entity, quickbooks_id, document_number)
        VALUES ('1', 'sales_receipt', $1, $2, $3, 1, $4, 1, 1, 1, 'created', 0, now(),
                'SalesReceipt', '77', 'HS-1')
        RETURNING document_id
        """,
        PORTAL,
        object_type,
        object_id,
        workflow,
    )
    await recorded(pool, document_id)
    return document_id


async def recorded(pool: asyncpg.Pool, document_id: int) -> None:
    update = DocumentUpdate(document_id, DocumentState.CREATED)
    async with pool.acquire() as connection, connection.transaction():
        await enter(connection, [update], {document_id}, frozenset({"w"}))


async def due_now(pool: asyncpg.Pool) -> None:
    await pool.execute("UPDATE write_backs SET next_attempt_at = now()")


async def writes(server: HubSpotServer, object_id: str) -> list[dict[str, Any]]:
    """What was written to an object: updates of it, and notes on it."""
    return [
        each
        for each in await server.admin("writes")
        if each["id"] == object_id or ["deals", object_id] in each.get("to", ())
    ]


async def state(pool: asyncpg.Pool, document_id: int) -> tuple[str, str, str]:
    row = await pool.fetchrow(
        "SELECT state, written_to, problem FROM write_backs WHERE document_id = $1", document_id
    )
    return tuple(row)


async def test_number_id_status_and_link_are_set_with_a_note(
    server: HubSpotServer, pool: asyncpg.Pool, write_backs: WriteBacks, new_id: Callable[[], str]
) -> None:
    """Four properties and one note on the deal; then there is nothing left to do."""
    deal = new_id()
    await server.put("deals", deal, {})
    document_id = await created(pool, deal)
    assert await write_backs.once() == 1
    update, note = await writes(server, deal)
    assert update["properties"] == {
        "quickbooks_document_number": "HS-1",
        "quickbooks_document_id": "77",
        "quickbooks_status": "created",
        "quickbooks_link": "https://books.example/SalesReceipt/77?a=1&b=2",
    }
    text = note["properties"]["hs_note_body"]
    assert "sales receipt HS-1 was created" in text
    assert 'href="https://books.example/SalesReceipt/77?a=1&amp;b=2"' in text
    assert note["properties"]["hs_timestamp"] == "2026-11-24T12:00:00.000Z"
    assert await state(pool, document_id) == ("done", f"deal {deal}", "")
    assert await write_backs.once() == 0


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("trouble", ["lost", "failing", "throttled"])
async def test_any_call_may_fail_and_the_effect_is_there_once(
    server: HubSpotServer, pool: asyncpg.Pool, write_backs: WriteBacks,
    new_id: Callable[[], str], trouble: str, call: int,
) -> None:  # fmt: skip
    """Whichever call gets no answer, an error or 429: after the repeats there is one note, found
    among many others by its marker, and the properties say the same."""
    deal = new_id()
    await server.put("deals", deal, {})
    for _ in range(4):
        note = new_id()
        await server.put("notes", note, {"hs_note_body": "a call"}, associations={"deals": [deal]})
    document_id = await created(pool, deal)
    await server.admin("troubles", {trouble: 1, "passing": call})
    for _ in range(3):
        await write_backs.once()
        await due_now(pool)
    await server.admin("troubles", {trouble: 0, "passing": 0})
    await recorded(pool, document_id)  # and once more, as after a crash before it was noted
    await write_backs.once()
    assert (await state(pool, document_id))[0] == "done"
    done = await writes(server, deal)
    counted = Counter("create" if "create" in each else "update" for each in done)
    assert counted["create"] == 1
    properties = {msgspec.json.encode(each["properties"]) for each in done if "update" in each}
    assert len(properties) == 1


def known(pool: asyncpg.Pool, payment: str, **lists: list[str]) -> Any:
    """Store a payment with these associations, as the feed gave them."""
    key = ObjectKey(PORTAL, ObjectType.PAYMENT, payment)
    change = Change(
        key=key, at=1_790_000_000_000, kind=ChangeKind.SNAPSHOT,
        lists={name: tuple(Related(one) for one in ids) for name, ids in lists.items()},
    )  # fmt: skip
    return pool.execute(
        "INSERT INTO objects VALUES ($1, $2, $3, 1, $4, now())",
        *key,
        msgspec.json.encode(fold(None, [change])).decode(),
    )


async def test_a_payment_is_written_to_its_deal_or_quote(
    server: HubSpotServer, pool: asyncpg.Pool, write_backs: WriteBacks, new_id: Callable[[], str]
) -> None:
    """Its first deal as the feed tells it, else as HubSpot does, else its quote; never itself."""
    told, asked, quoted, alone = (new_id() for _ in range(4))
    deal, other, quote = (new_id() for _ in range(3))
    for id_ in (deal, other):
        await server.put("deals", id_, {})
    await server.put("quotes", quote, {})
    await server.put("commerce_payments", asked, {}, associations={"deals": [other]})
    await server.put("commerce_payments", quoted, {}, associations={"quotes": [quote]})
    for payment in (told, alone):
        await server.put("commerce_payments", payment, {})
    await known(pool, told, deals=[deal])
    await known(pool, alone, deals=[], quotes=[])
    documents = {one: await created(pool, one, "payment") for one in (told, asked, quoted, alone)}
    assert await write_backs.once() == 4
    assert (await state(pool, documents[told]))[1] == f"deal {deal}"
    assert (await state(pool, documents[asked]))[1] == f"deal {other}"
    assert (await state(pool, documents[quoted]))[1] == f"quote {quote}"
    blocked = await state(pool, documents[alone])
    assert blocked[0] == "blocked"
    assert "neither a deal nor a quote" in blocked[2]


async def test_a_missing_property_blocks_until_a_person_has_made_it(
    server: HubSpotServer, pool: asyncpg.Pool, write_backs: WriteBacks, new_id: Callable[[], str]
) -> None:
    """It is not tried over and over; the document itself is not touched by it."""
    company = new_id()
    await server.put("quotes", company, {})
    await server.admin("properties", {"type": "quotes", "names": ["hs_title"]})
    document_id = await created(pool, company, "quote")
    await write_backs.once()
    assert await state(pool, document_id) == (
        "blocked", "",
        'HubSpot: Property "quickbooks_document_number" does not exist (HTTP 400)',
    )  # fmt: skip
    operator = operator_of(pool)
    view = await operator.document(document_id)
    assert view is not None
    (told,) = view.hubspot_problems
    assert told.sentence == (
        f"Document {document_id} could not be written back to HubSpot. HubSpot: Property"
        ' "quickbooks_document_number" does not exist (HTTP 400). Once that is mended, write back'
        " again."
    )
    assert (await operator.overview()).hubspot_problems[0].is_write_back
    await due_now(pool)
    assert await write_backs.once() == 0
    names = [f"quickbooks_{each}" for each in ("document_number", "document_id", "status", "link")]
    await server.admin("properties", {"type": "quotes", "names": names})
    assert await operator.write_back_again("ada") == 1
    assert await write_backs.once() == 1
    assert (await state(pool, document_id))[0] == "done"
    assert (await operator.overview()).hubspot_problems == ()
    assert (await operator.audit()).entries[0].actor == "ada"


async def test_only_documents_of_workflows_that_write_back_are_entered(
    pool: asyncpg.Pool, write_backs: WriteBacks, new_id: Callable[[], str]
) -> None:
    """Other workflows leave no row."""
    await created(pool, new_id(), workflow="another")
    assert await pool.fetchval("SELECT count(*) FROM write_backs") == 0
    assert await write_backs.once() == 0


async def test_each_document_is_taken_by_one_process(
    pool: asyncpg.Pool, new_id: Callable[[], str]
) -> None:
    """Claims made at the same time share the rows; one that died frees them after a while."""
    for _ in range(20):
        await created(pool, new_id())
    store = WriteBackStore(pool, PORTAL)
    claims = await asyncio.gather(*(store.claim(5, timedelta(minutes=1)) for _ in range(4)))
    taken = [row.document_id for rows in claims for row in rows]
    taken += [row.document_id for row in await store.claim(20, timedelta(minutes=1))]
    assert len(taken) == len(set(taken)) == 20
    await due_now(pool)
    assert len(await store.claim(20, timedelta(minutes=1))) == 20


async def test_news_while_writing_is_written_next(
    pool: asyncpg.Pool, write_backs: WriteBacks, new_id: Callable[[], str]
) -> None:
    """A document recorded anew between claim and note is not taken for written."""
    document_id = await created(pool, new_id())
    store = WriteBackStore(pool, PORTAL)
    (row,) = await store.claim(1, timedelta(minutes=1))
    await recorded(pool, document_id)
    await store.written(row, "deal 1")
    assert (await state(pool, document_id))[0] == "wanted"
    (again,) = await store.claim(1, timedelta(minutes=1))
    assert again.version == row.version + 1
