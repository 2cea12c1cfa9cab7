"""Arrays of events of which some can't be understood: through intake, plan, replay and re-drive."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from reconciler.commands import sources
from reconciler.commands.session import Session
from reconciler.intake.intake import Batch, Taken
from reconciler.intake.known import RUN, KnownRecords
from reconciler.model import ObjectKey, ObjectType
from reconciler.operator.desk import Operator
from reconciler.operator.pace import Pace
from reconciler.operator.replaying import Chosen, Positions, Replay
from reconciler.service.assembly import operator_over
from reconciler.settings import Settings
from store.intake import transaction
from store.known import KnownStore
from store.replays import stored_objects
from streams.records import Record
from tests.deciding import one_workflow
from tests.feeds import Written
from tests.intake_at_work import PORTAL, IntakeAtWork

AT = 1_769_817_600_000
FILE = one_workflow("deal", "invoice")


def event(id_: object) -> dict[str, Any]:
    return {"subscriptionType": "deal.propertyChange", "portalId": PORTAL, "objectId": id_,
            "occurredAt": AT, "propertyName": "dealstage", "propertyValue": "closedwon"}  # fmt: skip


def array(*ids: object) -> bytes:
    return json.dumps([event(id_) for id_ in ids]).encode()


async def take(pool: asyncpg.Pool, value: bytes) -> Taken:
    intake = IntakeAtWork(pool, FILE)
    return await intake.take_records([(ObjectType.DEAL, Written(value, None, AT))])


async def known(pool: asyncpg.Pool) -> set[str]:
    """Ids of the deals that something is known of."""
    rows = await pool.fetch("SELECT object_id FROM objects WHERE object_type = 'deal'")
    keys = [ObjectKey(PORTAL, ObjectType.DEAL, row[0]) for row in rows]
    return {obj.key.id for obj in await stored_objects(pool, keys)}


def settings() -> Settings:
    return Settings(
        workflows=Path(__file__),  # never read: the session has them
        topic_deals="deal",
        topic_quotes="",
        topic_payments="",
    )


def operator(pool: asyncpg.Pool) -> Operator:
    return operator_over(pool, settings(), FILE)


async def letters(pool: asyncpg.Pool) -> list[tuple[str, str, bytes, bool]]:
    rows = await pool.fetch(
        "SELECT reason, detail, record_value, resolved_at IS NULL FROM dead_letters"
    )
    return [tuple(row) for row in rows]


async def test_what_is_readable_is_taken_and_the_record_kept_whole(pool: asyncpg.Pool) -> None:
    """Three deals of four events; the dead letter has all of the record and names the fourth."""
    value = array(1, 2, 3, None)
    taken = await take(pool, value)
    assert (taken.changes, taken.changed_objects, len(taken.dead_letters)) == (3, 3, 1)
    assert await known(pool) == {"1", "2", "3"}
    told = "element 4 of 4: null is not an object id; the others are taken"
    assert await letters(pool) == [("bad_id", told, value, True)]


async def test_taking_it_in_again_changes_nothing(pool: asyncpg.Pool) -> None:
    """As a topic read again, or two processes that read the same, do."""
    await take(pool, array(1, None))
    again = await take(pool, array(1, None))
    assert again.changed_objects == 0


async def test_a_re_drive_takes_what_is_understood_by_now(pool: asyncpg.Pool) -> None:
    """It stays for what is left, told anew and kept once; when all is understood it is resolved.

    The decoder's fix is played by mending the record's bytes where they are kept.
    """
    await take(pool, array(1, None, None))
    number = await pool.fetchval("SELECT dead_letter_id FROM dead_letters")
    for ids, refused in (((1, 2, None), True), ((1, 2, 3), False)):
        mended = array(*ids)
        await pool.execute("UPDATE dead_letters SET record_value = $1", mended)
        done = await operator(pool).redrive([number], "Ada")
        told = "element 3 of 3: null is not an object id; the others are taken"
        if refused:
            assert done.refused == {number: f"It still can't be understood: bad_id: {told}."}
            assert await known(pool) == {"1", "2"}
            assert await letters(pool) == [("bad_id", told, mended, True)]
        else:
            assert done.changed == {number: "re-driven"}
            assert await known(pool) == {"1", "2", "3"}
            ((_, _, _, is_open),) = await letters(pool)
            assert not is_open


async def test_such_a_record_is_not_recognised_as_taken_in(pool: asyncpg.Pool) -> None:
    """Read again by another group it is decoded again, unlike those that were understood whole."""
    log = [array(number, None if number == 7 else 1) for number in range(1, RUN + 1)]
    written = [(ObjectType.DEAL, Written(value, None, AT)) for value in log]
    for group, recognised in (("first", {}), ("second", {"deal": RUN - 1})):
        records = KnownRecords("now", KnownStore(pool).find)
        taken = await IntakeAtWork(pool, FILE, group=group, known=records).take_records(written)
        assert (taken.known, len(taken.dead_letters)) == (recognised, 1)
    assert len(await letters(pool)) == 1


async def test_plan_counts_the_record_and_takes_the_rest(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """From a file, as from the topics."""
    session = Session(settings(), FILE, pool, operator(pool))
    lines = tmp_path / "events.jsonl"
    lines.write_bytes(array(1, None, 3))
    folded = await sources.from_file(session, lines, None)
    assert {key.id for key in folded.objects} == {"1", "3"}
    assert folded.undecodable == {"bad_id": 1}


async def test_a_replay_of_one_object_takes_only_that(pool: asyncpg.Pool) -> None:
    """Also from a record that can't be understood as a whole."""

    async def batches() -> AsyncIterator[tuple[Sequence[Record], Positions]]:
        yield [Record("deal", 0, 0, AT, None, array(1, None, 3))], {("deal", 0): 1}

    await Replay(
        intake=IntakeAtWork(pool, FILE).intake,
        chosen=Chosen(object_ids=frozenset({"3"})),
        transaction=lambda _positions: transaction(pool),
        pace=Pace(1.0),
        progress=lambda _positions, _taken: None,
    ).run(batches())
    assert await known(pool) == {"3"}


async def test_a_replay_adds_no_second_dead_letter(pool: asyncpg.Pool) -> None:
    """A record that has its letter already has it by Kafka's id of the topic, too."""
    record, ids = Record("deal", 0, 0, AT, None, array(None)), {"deal": "the topic's id"}
    intake = IntakeAtWork(pool, FILE).intake
    await intake.take(Batch([record], advances=[], topic_ids=ids))

    async def batches() -> AsyncIterator[tuple[Sequence[Record], Positions]]:
        yield [record], {("deal", 0): 1}

    await Replay(
        intake=intake,
        chosen=Chosen(),
        transaction=lambda _positions: transaction(pool),
        pace=Pace(1.0),
        progress=lambda _positions, _taken: None,
        topic_ids=ids,
    ).run(batches())
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 1
