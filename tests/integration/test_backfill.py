"""Plan, backfill and replay beside a running service, killed midway, against the books.

A workflow is turned on after its deals were read: nothing reaches back by itself; `plan` says what
backfill will create, and the books then hold exactly that, whatever is killed.
"""

from __future__ import annotations

import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.command import command, done, start
from tests.snapshots import Record, deal
from tests.whole_service import NewService, WholeService
from tests.workflow_files import deals_in, workflow_file

US = "9341450000000131"
DEALS = 1200


def _workflows(*, invoicing: bool) -> str:
    return workflow_file(
        {"us": {"realm_id": US}},
        deals_in("sent", "estimate"),
        {**deals_in("won", name="invoice"), "enabled": invoicing},
    )


def _deal(number: int) -> Record:
    """Most are won; some lack their lines or contact, some are lost."""
    stage = "lost" if number % 10 == 9 else "sent" if number % 100 == 8 else "won"
    price = f"{number % 37 + 1}.{number % 100:02d}"
    line = {"name": f"Product {number % 5}", "quantity": "1", "price": price, "amount": price}
    person = {"firstname": "Ada", "lastname": f"Byron{number % 7}", "email": f"a{number % 7}@x.org"}
    lines = None if number % 50 == 3 else [(f"{number}1", line)]
    contacts = [] if number % 50 == 4 else [(f"9{number % 7}", person)]
    return deal(str(number), stage, contacts=contacts, lines=lines, properties={"amount": None})


FEED = [_deal(number) for number in range(1000, 1000 + DEALS)]


@pytest.fixture(scope="module")
def service(new_service: NewService) -> WholeService:
    """The service after it has read the deals with the workflow off, now with it on."""
    whole = new_service(_workflows(invoicing=False), f"{US}:US:USD")
    whole.start()
    whole.feed(FEED)
    whole.stop()
    whole.workflows.write_text(_workflows(invoicing=True), encoding="utf-8")
    whole.start()
    return whole


def test_backfill_creates_exactly_what_plan_said(service: WholeService, tmp_path: Path) -> None:
    """Killed after its first batch and taken up again it doubles nothing; live ones go first."""
    assert not service.books(US)["Invoice"]
    plan = done(service, "plan", "--workflow", "invoice", "--resolve")
    preview = done(service, "backfill", "--workflow", "invoice", "--resolve")
    assert preview == plan
    assert _by_fate(done(service, "plan", "--workflow", "invoice", "--from-topics")) == _by_fate(
        plan
    )
    lines = tmp_path / "deals.jsonl"
    lines.write_bytes(b"\n".join(value for _, value in FEED))
    from_file = done(
        service, "plan", "--workflow", "invoice", "--kind", "deal", "--file", str(lines)
    )
    assert _by_fate(from_file) == _by_fate(plan)
    assert not service.books(US)["Invoice"], "a plan writes nothing"

    _kill_after_first_batch(service)
    resumed = done(service, "backfill", "--workflow", "invoice", "--yes", "--share", "1.0")
    assert resumed["done"] == resumed["total"]
    service.settle()

    wanted = [each for each in plan["documents"] if each["fate"] == "create"]
    invoices = service.books(US)["Invoice"]
    found = sorted((_deal_of(row), Decimal(str(row["TotalAmt"]))) for row in invoices)
    assert found == sorted((e["key"]["object_id"], Decimal(str(e["total"]))) for e in wanted)
    assert sum(a["documents"] for a in plan["amounts"]) == len(invoices)
    ledger = service.ledger()
    for each in plan["documents"]:
        if each["fate"] != "create":
            state = ledger["deal", each["key"]["object_id"], "invoice"]
            assert state == (each["fate"], each["reason"])

    again = done(service, "backfill", "--workflow", "invoice", "--yes", "--share", "1.0")
    assert again["counts"] == {}
    assert {e["fate"] for e in done(service, "plan", "--workflow", "invoice")["documents"]} == {
        "recorded"
    }


def test_a_file_of_which_nothing_is_understood_is_no_plan(
    service: WholeService, tmp_path: Path
) -> None:
    """Snapshots do not say what they are: exit status 1, and what to say in their stead."""
    lines = tmp_path / "unnamed.jsonl"
    lines.write_bytes(b"\n".join(value for _, value in FEED[:2]))
    answer = command(service, "plan", "--file", str(lines))
    assert answer.status == 1
    assert "2 records can't be understood: no_object_type" in answer.output
    assert "--kind (deal, " in answer.errors


def _by_fate(plan: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (e["key"]["object_id"], e["fate"], str(e["total"])) for e in plan["documents"]
    }  # fmt: skip


def _deal_of(row: dict[str, Any]) -> str:
    return str(row["PrivateNote"].split("HubSpot deal ")[1].split(":")[0].split()[0])


def _kill_after_first_batch(service: WholeService) -> None:
    process = start(service, "backfill", "--workflow", "invoice", "--yes", "--share", "0.01")
    passed = service.first("SELECT coalesce(max(done), 0) FROM replays")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 0 < passed < DEALS


def test_replaying_the_whole_topic_creates_nothing(service: WholeService) -> None:
    """While the service runs, and stopped midway with Ctrl-C and taken up again."""
    books, ledger = service.books(US), service.ledger()
    process = start(service, "replay", "--share", "0.01")
    service.first("SELECT coalesce(max(done), 0) FROM replays WHERE kind = 'replay'")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    found = done(service, "replay", "--share", "1.0")
    assert found["done"] == found["total"] == DEALS
    assert found["counts"] == {}
    service.settle()
    after = service.books(US)
    assert {name: len(rows) for name, rows in after.items()} == {
        name: len(rows) for name, rows in books.items()
    }
    assert service.ledger() == ledger


def test_a_replay_from_before_all_time_is_of_everything(service: WholeService) -> None:
    """Kafka's times begin in 1970, and a year is soon mistyped."""
    found = done(service, "replay", "--since", "0026-03-01", "--object", "1", "--share", "1.0")
    assert found["done"] == found["total"] >= DEALS


def test_a_replay_of_chosen_objects_takes_only_those(service: WholeService) -> None:
    """By object ids and by offsets; a wrong offset is told with what there is."""
    found = done(service, "replay", "--object", "1000", "--share", "1.0")
    assert found["done"] == DEALS
    topic = service.topics["deal"]
    part = done(service, "replay", "--offsets", f"{topic}:0:0:5", "--share", "1.0")
    assert part["total"] == part["done"] <= 5
    answer = command(service, "replay", "--offsets", "nothing:0:0")
    assert answer.status == 2
    assert topic in answer.errors


def test_a_replay_repairs_what_the_store_lost(service: WholeService) -> None:
    """An object and its document that vanished are there again, and the books hold one invoice."""
    for table in ("documents", "objects"):
        service.sql(f"DELETE FROM {table} WHERE object_id = '1003'")
    found = done(service, "replay", "--workflow", "invoice", "--share", "1.0")
    assert found["counts"] == {"objects changed": 1, "documents waiting": 1}, json.dumps(found)
