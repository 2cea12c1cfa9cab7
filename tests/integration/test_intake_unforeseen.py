"""An object that nobody foresaw does not stop the batch it comes in, nor those after it."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest
from structlog.testing import capture_logs

from reconciler.deciding import decide as deciding
from reconciler.deciding.content import Enrolled
from reconciler.model import DocumentContent, ObjectKey, ObjectType
from tests.deciding import AT, DAY, LINE, one_workflow
from tests.feeds import Associated, History, Step, Written, rest
from tests.intake_at_work import PORTAL, IntakeAtWork

LISTS: dict[str, Associated] = {
    "line_items": (("71", LINE),),
    "contacts": (("81", {"email": "ada@example.com"}),),
}


def deal(id_: str, name: str, at: int = AT) -> History:
    facts = {"dealname": name, "dealstage": "closedwon"}
    return History(ObjectKey(PORTAL, ObjectType.DEAL, id_), (Step(at, facts, LISTS),))


@pytest.mark.parametrize("at", [-1, 0, AT * 1000, 2**63 - 1], ids=str)
async def test_whatever_time_kafka_has_of_a_record(pool: asyncpg.Pool, at: int) -> None:
    """No time, one in microseconds, or nonsense: what the record says of itself counts."""
    work = IntakeAtWork(pool, one_workflow("deal", "invoice"))
    (written,) = rest(deal("1", "Usual"))
    await work.take_records([(ObjectType.DEAL, replace(written, timestamp_ms=at))])
    assert (await work.ledger())["deal", "1", "invoice", 1] == ("wanted", "")


async def test_a_record_without_any_time_is_refused(pool: asyncpg.Pool) -> None:
    """What says no time is true when Kafka got it; where Kafka does not know, it can't be placed."""
    work = IntakeAtWork(pool, one_workflow("deal", "invoice"))
    undated = Written(b'{"id": "1", "properties": {"dealname": "Usual"}}', b"1", 2**62)
    taken = await work.take_records([(ObjectType.DEAL, undated)])
    assert [letter.reason for letter in taken.dead_letters] == ["bad_time"]


async def test_one_object_is_blocked_and_the_rest_goes_on(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document is blocked, the log has the traceback, and once the rule is mended it is made."""
    content_of = deciding.content_of

    def mistaken(enrolled: Enrolled) -> DocumentContent:
        if enrolled.properties.get("dealname") == "Odd":
            raise OverflowError("date value out of range")
        return content_of(enrolled)

    monkeypatch.setattr(deciding, "content_of", mistaken)
    work = IntakeAtWork(pool, one_workflow("deal", "invoice"))
    with capture_logs() as logs:
        await work.take(deal("1", "Odd"), deal("2", "Usual"))
        await work.take(deal("3", "Usual"))
    states = {key[1]: entry for key, entry in (await work.ledger()).items()}
    assert states == {"1": ("blocked", "unforeseen"), "2": ("wanted", ""), "3": ("wanted", "")}
    (told,) = [each for each in logs if each["event"] == "object not decided"]
    assert told["object"] == "deal 1"
    assert isinstance(told["exc_info"], OverflowError)
    monkeypatch.undo()
    await work.take(deal("1", "Odd", AT + DAY))
    assert (await work.ledger())["deal", "1", "invoice", 1] == ("wanted", "")
