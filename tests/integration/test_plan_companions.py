"""Plan and backfill where contacts and line items come from topics of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import asyncpg

from reconciler.commands import sources
from reconciler.commands.backfill import Backfilling, preview
from reconciler.commands.planner import Planner
from reconciler.commands.session import Session
from reconciler.intake.companions import COMPANIONS
from reconciler.model import ObjectKey, ObjectType
from reconciler.objects.fold import fold
from reconciler.operator.planning import Plan
from reconciler.service.assembly import operator_over
from reconciler.settings import Settings
from reconciler.workflows import load
from streams.connection import KafkaConnection
from streams.formats import TopicSettings, decode
from streams.producer import RecordProducer
from streams.records import OutgoingRecord
from tests.feed import NewTopic
from tests.feeds import History, Step, rest
from tests.intake_at_work import PORTAL, WON_DEALS, IntakeAtWork

AT = 1_769_817_600_000
OFF = WON_DEALS.replace("object: deal", "object: deal\n    enabled: false")
NAME = "Invoice won deals"
TYPES = (ObjectType.DEAL, ObjectType.CONTACT, ObjectType.LINE_ITEM)


def history(
    kind: ObjectType, id_: str, facts: Mapping[str, str], at: int = AT, **lists: str
) -> History:
    """A snapshot that names its companions by id."""
    named = {name: ((one, None),) for name, one in lists.items()}
    return History(ObjectKey(PORTAL, kind, id_), (Step(at, facts, named),))


def deal(id_: str) -> History:
    facts = {"dealstage": "closedwon", "pipeline": "default"}
    return history(ObjectType.DEAL, id_, facts, contacts=f"8{id_}", line_items=f"7{id_}")


def contact(id_: str, name: str = "Ada", at: int = AT) -> History:
    facts = {"firstname": name, "lastname": "Byron", "email": f"{name}@example.com"}
    return history(ObjectType.CONTACT, f"8{id_}", facts, at)


def line(id_: str) -> History:
    facts = {"name": "Rollout", "price": "100.00", "quantity": "1"}
    return history(ObjectType.LINE_ITEM, f"7{id_}", facts)


FEED = [
    *(deal(id_) for id_ in ("1", "2", "3", "4")),
    *(contact(id_) for id_ in ("1", "2", "3")),
    *(line(id_) for id_ in ("1", "2", "4")),
]
"""The third deal lacks its line item, the fourth its contact."""
FATES = {"1": "create", "2": "create", "3": "waiting", "4": "waiting"}


def session_over(pool: asyncpg.Pool, topics: Mapping[ObjectType, str], kafka: str = "") -> Session:
    """A command's session; these types have topics."""
    settings = Settings(
        workflows=Path(__file__),  # never read: the session has them
        kafka_bootstrap_servers=kafka or "localhost:9",
        topic_deals=topics[ObjectType.DEAL],
        topic_quotes="",
        topic_payments="",
        topic_contacts=topics[ObjectType.CONTACT],
        topic_line_items=topics[ObjectType.LINE_ITEM],
    )
    return Session(settings, load(WON_DEALS), pool, operator_over(pool, settings, load(WON_DEALS)))


def told(plan: Plan) -> dict[str, tuple[str, str]]:
    return {each.key.source.id: (each.fate, each.reason) for each in plan.documents}


class Unheard:
    """Nobody watches how far reading has come."""

    def total(self, records: int) -> None: ...

    def advance(self, records: int) -> None: ...


async def planned(session: Session, folded: sources.Folded) -> Plan:
    planner = Planner(session, list(session.workflows.workflows), resolve=False)
    async for page in folded.pages():
        await planner.add(page)
    return await planner.whole()


async def test_a_preview_tells_what_backfill_records(pool: asyncpg.Pool) -> None:
    """Of deals that name their contact and line by id, both of which are stored already."""
    intake = IntakeAtWork(pool, load(OFF), COMPANIONS)
    await intake.take(*FEED)
    assert await intake.ledger() == {}
    session = session_over(pool, {kind: kind.value for kind in TYPES})
    foretold = told(await preview(session, NAME, "", resolve=False))
    assert {id_: fate for id_, (fate, _) in foretold.items()} == FATES

    request = {"workflow": NAME, "company": ""}
    await Backfilling(session, load(WON_DEALS).workflows, request, 1.0, "test", True).run()
    recorded = {place[1]: found for place, found in (await intake.ledger()).items()}
    wanted = {id_: ("wanted" if fate == "create" else fate, reason)
              for id_, (fate, reason) in foretold.items()}  # fmt: skip
    assert recorded == wanted


async def test_a_plan_from_topics_joins_them(
    pool: asyncpg.Pool, kafka: KafkaConnection, new_topic: NewTopic
) -> None:
    """On a store that is new: the contacts come from their topic, whatever is read first."""
    topics = {kind: await new_topic(kind.value) for kind in TYPES}
    async with RecordProducer(kafka) as producer:
        await producer.send(
            [OutgoingRecord(topics[each.key.type], None, one.value)
             for each in FEED for one in rest(each)]
        )  # fmt: skip
    session = session_over(pool, topics, kafka.bootstrap_servers)
    folded = await sources.from_topics(session, Unheard())
    plan = await planned(session, folded)
    assert {id_: fate for id_, (fate, _) in told(plan).items()} == FATES
    assert not await pool.fetchval("SELECT count(*) FROM objects")


async def test_a_plan_from_a_file_joins_what_is_stored(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """A file of deals alone; a companion that the records tell of goes before the stored one."""
    intake = IntakeAtWork(pool, load(OFF), COMPANIONS)
    await intake.take(*(each for each in FEED if each.key.type is not ObjectType.DEAL))
    session = session_over(pool, {kind: kind.value for kind in TYPES})
    deals = tmp_path / "deals.jsonl"
    lines = [one.value for id_ in FATES for one in rest(deal(id_)) if one.value]
    deals.write_bytes(b"\n".join(lines))
    folded = await sources.from_file(session, deals, ObjectType.DEAL)
    plan = await planned(session, folded)
    assert {id_: fate for id_, (fate, _) in told(plan).items()} == FATES

    later = contact("1", name="Grace", at=AT + 1)
    folded.objects[later.key] = fold(None, [
        change for one in rest(later)
        for change in decode(one, TopicSettings(ObjectType.CONTACT, PORTAL))
    ])  # fmt: skip
    plan = await planned(session, folded)
    customers = {each.key.source.id: each.customer for each in plan.documents}
    assert "Grace" in customers["1"]
    assert "Ada" in customers["2"]
