"""Hydration: what a document waits for is fetched once, whole, by whichever process comes first."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import asyncpg
import pytest

from reconciler.errors import RecordTooLarge
from reconciler.hubspot.client import HubSpot, open_session
from reconciler.hubspot.hydrate import FACTS, Hydrator, Snapshot
from reconciler.hubspot.limits import Window
from reconciler.hubspot.properties import NEEDED
from reconciler.model import SOURCE_TYPES, ObjectKey, ObjectType, SourceObject
from reconciler.objects.fold import fold
from reconciler.objects.reading import associated
from store.hydration import HydrationQueue, request_facts
from streams.connection import KafkaUnavailable
from streams.formats import TopicSettings, decode
from streams.records import Record
from tests.console import operator_of
from tests.hubspot_process import HubSpotServer, hubspot_process

PORTAL = 4711


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpotServer]:
    with hubspot_process(tmp_path_factory.mktemp("hubspot"), "--page", "3") as running:
        yield running


@pytest.fixture
def queue(pool: asyncpg.Pool) -> HydrationQueue:
    return HydrationQueue(pool, PORTAL, FACTS, SOURCE_TYPES)


class Kept(list[Snapshot]):
    """Snapshots, and the objects that they make."""

    most_bytes = 1_000_000
    is_away = False

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        if self.is_away:
            raise KafkaUnavailable("it did not acknowledge")
        if any(len(value) > self.most_bytes for _, value in snapshots):
            raise RecordTooLarge("a record is larger than Kafka takes")
        self.extend(snapshots)

    def objects(self) -> dict[str, SourceObject]:
        found = {}
        for key, value in self:
            record = Record("crm", 0, 0, 1_790_000_000_000, None, value)
            changes = decode(record, TopicSettings(object_type=key.type))
            found[key.id] = fold(None, changes)
        return found


@pytest.fixture
async def hydrator(
    server: HubSpotServer, queue: HydrationQueue
) -> AsyncIterator[tuple[Hydrator, Kept]]:
    kept = Kept()
    async with open_session() as session:
        hubspot = HubSpot(session, lambda: "token", Window(1000), server.url)
        properties = {type_: sorted(names) for type_, names in NEEDED.items()}
        yield Hydrator(hubspot, queue, kept.keep, properties), kept


async def waiting(
    pool: asyncpg.Pool, object_id: str, reason: str = "line_items", object_type: str = "deal"
) -> None:
    """A document that has been waiting for a while."""
    await pool.execute(
        """
        INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                               workflow, generation, revision, version, state, reason, attempts,
                               enrolled_at, state_since)
        VALUES ('1', 'invoice', $1, $2, $3, 1, 'w', 1, 1, 1, 'waiting', $4, 0, now(),
                now() - interval '1 minute')
        """,
        PORTAL,
        object_type,
        object_id,
        reason,
    )


async def due_now(pool: asyncpg.Pool) -> None:
    """Let the time pass until everything asked for is due."""
    await pool.execute(
        "UPDATE hydrations SET next_hydration_at = now() WHERE next_hydration_at IS NOT NULL"
    )


async def test_looking_through_very_many_is_spared(pool: asyncpg.Pool) -> None:
    """A look that took a second is not taken again within twenty; what was found is given out."""
    seconds = iter([0.0, 1.0, 10.0, 30.0, 31.0])
    queue = HydrationQueue(pool, PORTAL, FACTS, SOURCE_TYPES, clock=lambda: next(seconds))
    await waiting(pool, "1")
    assert [key.id for key in await queue.claim(10)] == ["1"]
    await waiting(pool, "2")
    assert await queue.claim(10) == []
    assert [key.id for key in await queue.claim(10)] == ["2"]


async def test_what_has_no_topic_is_not_asked_for(pool: asyncpg.Pool) -> None:
    """There is nowhere to put what HubSpot would answer."""
    queue = HydrationQueue(pool, PORTAL, FACTS, [ObjectType.DEAL])
    await waiting(pool, "1", object_type="payment")
    await waiting(pool, "2")
    assert [key.id for key in await queue.claim(10)] == ["2"]


async def test_an_object_is_fetched_whole(
    server: HubSpotServer, pool: asyncpg.Pool, hydrator: tuple[Hydrator, Kept]
) -> None:
    """Properties, every line item over all pages in HubSpot's order, the first contact, and empty
    lists for what it has none of: folded, nothing is unknown any more."""
    lines = [f"10{n}" for n in range(8)]
    for n, line in enumerate(lines):
        await server.put("line_items", line, {"name": f"Line {n}", "amount": "10.00"})
    await server.put("contacts", "71", {"firstname": "Ada", "email": "ada@example.com"})
    await server.put("contacts", "72", {"firstname": "Bob"})
    await server.put(
        "deals", "1", {"dealname": "Grain", "amount": "80.00"},
        associations={"line_items": lines, "contacts": ["71", "72"]},
    )  # fmt: skip
    await waiting(pool, "1")
    worker, kept = hydrator
    assert await worker.once() == 1
    deal = kept.objects()["1"]
    assert deal.key == ObjectKey(PORTAL, ObjectType.DEAL, "1")
    assert deal.properties["dealname"] == "Grain"
    found = associated(deal, "line_items") or ()
    assert [one.id for one in found] == lines
    assert [(one.properties or {})["name"] for one in found] == [f"Line {n}" for n in range(8)]
    contacts = associated(deal, "contacts") or ()
    assert [one.id for one in contacts] == ["71", "72"]
    assert (contacts[0].properties or {})["email"] == "ada@example.com"
    assert associated(deal, "companies") == ()
    assert associated(deal, "quotes") == ()


async def test_each_is_asked_for_by_one_process_and_ever_less_often(
    pool: asyncpg.Pool, queue: HydrationQueue
) -> None:
    """Of several processes one gets an object; unanswered it comes due again, later each time, and
    rests once nothing waits for it."""
    for n in range(30):
        await waiting(pool, str(n))
    claims = await asyncio.gather(*(queue.claim(10) for _ in range(6)))
    taken = [key.id for keys in claims for key in keys]
    taken += [key.id for key in await queue.claim(100)]
    assert sorted(taken) == sorted(map(str, range(30)))
    assert await queue.claim(100) == []
    delays = []
    for _ in range(3):
        await due_now(pool)
        claimed = await queue.claim(100)
        assert len(claimed) == 30
        await queue.fetched(claimed)
        delays.append(await pool.fetchval("SELECT max(next_hydration_at) - now() FROM hydrations"))
    assert delays[0] < delays[1] < delays[2]
    await pool.execute("UPDATE documents SET state = 'wanted'")
    await due_now(pool)
    assert await queue.claim(100) == []
    await pool.execute("UPDATE documents SET state = 'waiting', reason = 'fees'")
    assert len(await queue.claim(100)) == 30


async def test_only_what_hubspot_can_tell_is_asked_for(
    pool: asyncpg.Pool, queue: HydrationQueue
) -> None:
    """A partial refund waits for the customer, not for a fact; another portal has another token."""
    await waiting(pool, "1", reason="partial_refund", object_type="payment")
    await waiting(pool, "2", reason="fees", object_type="payment")
    await pool.execute("UPDATE documents SET portal_id = 1 WHERE object_id = '2'")
    assert await queue.claim(10) == []


async def test_an_undecided_object_is_asked_for_once(
    pool: asyncpg.Pool, queue: HydrationQueue
) -> None:
    """However many events follow: a property that the portal lacks is not asked for with each."""
    key = ObjectKey(PORTAL, ObjectType.DEAL, "9")
    for _ in range(3):
        async with pool.acquire() as connection, connection.transaction():
            await request_facts(connection, [key, key._replace(id="8")])
        await due_now(pool)
        await queue.fetched(await queue.claim(10))
    assert await pool.fetchval("SELECT max(attempts) FROM hydrations") == 1


async def test_an_undecided_object_is_asked_for_until_it_was_fetched(
    server: HubSpotServer, pool: asyncpg.Pool, hydrator: tuple[Hydrator, Kept]
) -> None:
    """No document waits for it: whoever took it dies, and the next finds Kafka away. It is not forgotten
    for that, or its deal would never be enrolled."""
    await server.put("deals", "9", {"dealname": "Undecided"})
    async with pool.acquire() as connection, connection.transaction():
        await request_facts(connection, [ObjectKey(PORTAL, ObjectType.DEAL, "9")])
    await due_now(pool)
    worker, kept = hydrator
    assert len(await worker.queue.claim(10)) == 1
    await due_now(pool)
    kept.is_away = True
    with pytest.raises(KafkaUnavailable):
        await worker.once()
    await due_now(pool)
    kept.is_away = False
    assert await worker.once() == 1
    assert [key.id for key, _ in kept] == ["9"]
    await due_now(pool)
    assert await worker.once() == 0


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [
        ({"throttled": 1}, "reached your limit"),
        ({"failing": 1}, "in trouble"),
        ({"lost": 1}, "no answer"),
        ({"token": "another"}, "credentials"),
    ],
)
async def test_trouble_postpones_and_loses_nothing(
    server: HubSpotServer,
    pool: asyncpg.Pool,
    hydrator: tuple[Hydrator, Kept],
    trouble: dict[str, Any],
    problem: str,
) -> None:
    """429, 502, no answer and a wrong token: the object comes due again, and says why it is late."""
    await server.put("deals", "5", {"dealname": "Late"})
    await waiting(pool, "5")
    worker, kept = hydrator
    await server.admin("troubles", trouble)
    assert await worker.once() == 1
    assert not kept
    operator = operator_of(pool)
    (told,) = (await operator.explain(ObjectType.DEAL, "5", PORTAL)).hubspot_problems
    assert "could not be fetched from HubSpot" in told.sentence
    assert problem in told.sentence
    assert (await operator.overview()).hubspot_problems[0].examples == (
        ObjectKey(PORTAL, ObjectType.DEAL, "5"),
    )
    assert await pool.fetchval("SELECT next_hydration_at > now() FROM hydrations")
    await server.admin("troubles", {"throttled": 0, "failing": 0, "lost": 0, "token": ""})
    await due_now(pool)
    assert await worker.once() == 1
    assert [key.id for key, _ in kept] == ["5"]


async def test_an_object_that_is_gone_holds_up_no_other(
    server: HubSpotServer, pool: asyncpg.Pool, hydrator: tuple[Hydrator, Kept]
) -> None:
    """What HubSpot does not have is left out, and the rest of the batch is kept."""
    await server.put("deals", "6", {"dealname": "There"})
    await waiting(pool, "6")
    await waiting(pool, "404")
    worker, kept = hydrator
    assert await worker.once() == 2
    assert [key.id for key, _ in kept] == ["6"]
    operator = operator_of(pool)
    (told,) = (await operator.explain(ObjectType.DEAL, "404", PORTAL)).hubspot_problems
    assert "it has no such object" in told.sentence


async def test_an_object_too_large_for_kafka_holds_up_no_other(
    server: HubSpotServer, pool: asyncpg.Pool, hydrator: tuple[Hydrator, Kept]
) -> None:
    """A deal of thousands of lines is more than one record takes: the others are kept, and it says
    so, with its size."""
    await server.put("deals", "7", {"dealname": "L" * 2_000})
    await server.put("deals", "8", {"dealname": "Small"})
    await waiting(pool, "7")
    await waiting(pool, "8")
    worker, kept = hydrator
    kept.most_bytes = 2_000
    assert await worker.once() == 2
    assert [key.id for key, _ in kept] == ["8"]
    operator = operator_of(pool)
    (told,) = (await operator.explain(ObjectType.DEAL, "7", PORTAL)).hubspot_problems
    assert re.search(r"with all that belongs to it is [2-9],\d{3} bytes", told.sentence)
    assert await pool.fetchval("SELECT min(next_hydration_at) > now() FROM hydrations")


async def test_a_batch_takes_few_calls(
    server: HubSpotServer, pool: asyncpg.Pool, hydrator: tuple[Hydrator, Kept]
) -> None:
    """A hundred deals with a contact and two lines each come in 12 calls: HubSpot allows 100 in ten
    seconds."""
    deals: list[dict[str, Any]] = []
    for n in range(1000, 1100):
        deals.append({"type": "contacts", "id": f"7{n}", "properties": {"firstname": "A"}})
        deals += [{"type": "line_items", "id": f"{n}{i}", "properties": {}} for i in "12"]
        of = {"contacts": [f"7{n}"], "line_items": [f"{n}1", f"{n}2"]}
        deals.append({"type": "deals", "id": str(n), "properties": {}, "associations": of})
        await waiting(pool, str(n))
    await server.admin("objects", deals)
    before = sum((await server.admin("calls")).values())
    worker, kept = hydrator
    assert await worker.once() == 100
    assert len(kept) == 100
    assert sum((await server.admin("calls")).values()) - before <= 12


def test_calls_keep_within_the_window() -> None:
    """At most so many calls in any ten seconds; the next waits exactly until there is room."""
    window = Window(3)
    assert [window.delay(at) for at in (0.0, 1.0, 2.0)] == [0.0, 0.0, 0.0]
    assert window.delay(4.0) == 6.0
    assert window.delay(10.0) == 0.0
    assert window.delay(10.5) == 0.5
