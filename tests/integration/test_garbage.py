"""A topic full of garbage: every record of it becomes a dead letter, and the good ones arrive."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.demo.environment import Child
from tests.snapshots import deal
from tests.whole_service import NewService, WholeService
from tests.workflow_files import deals_in, workflow_file

US = "9341450000000021"
GOOD_EVERY = 50
MIB = 1024 * 1024
ROOM = 64 * MIB
"""How much a process may grow between the first fifth of the garbage and the end."""

WORKFLOWS = workflow_file({"us": {"realm_id": US}}, deals_in("contractsent", "estimate"))

Kind = Callable[[random.Random], bytes]

KINDS: dict[str, Kind] = {
    "random bytes": lambda r: b"\xff" + r.randbytes(r.randint(1, 200)),
    "nothing at all": lambda _: b"",
    "white space": lambda r: b" \n" * r.randint(1, 50),
    "cut off": lambda r: b'{"id":"1","properties":{"dealname":"x'[: r.randint(3, 36)],
    "bare number": lambda r: str(r.randint(0, 10**9)).encode(),
    "bare text": lambda _: b'"closedwon"',
    "bare truth": lambda _: b"true",
    "deep lists": lambda r: b"[" * r.randint(5_000, 20_000),
    "deep objects": lambda r: b'{"a":' * r.randint(5_000, 20_000) + b"1",
    "huge integer": lambda r: (
        b'{"id":1,"properties":{"amount":' + b"9" * r.randint(500, 5_000) + b"}}"
    ),
    "huge exponent": lambda _: b'{"id":"1","properties":{"amount":1e99999}}',
    "not a number": lambda _: b'{"id":"1","properties":{"amount":NaN}}',
    "infinity": lambda _: b'{"id":"1","properties":{"amount":-Infinity}}',
    "id of a wrong type": lambda _: b'{"id":["1"],"properties":{"dealname":"x"}}',
    "no id": lambda _: b'{"properties":{"dealname":"x"},"updatedAt":"2026-03-02T10:00:00Z"}',
    "properties of a wrong type": lambda _: b'{"id":"1","properties":"none"}',
    "bad UTF-8": lambda r: (
        b'{"id":"1","properties":{"dealname":"\xc3\x28' + r.randbytes(4) + b'"}}'
    ),
    "time of a wrong type": lambda _: (
        b'{"subscriptionType":"deal.propertyChange","objectId":1,"portalId":4711,'
        b'"occurredAt":{"ms":1},"propertyName":"dealstage","propertyValue":"x"}'
    ),
    "schema registry": lambda r: b"\x00" + r.randbytes(40),
    "stranger": lambda r: f'{{"hello":"{r.random()}"}}'.encode(),
}
HUGE = b'{"stranger":"' + b"x" * (MIB - 1_000) + b'"}'


def _garbage(count: int) -> list[bytes]:
    rng = random.Random(20)
    kinds = list(KINDS.values())
    rows = [kinds[number % len(kinds)](rng) for number in range(count)]
    for number in range(0, count, max(1, count // 20)):
        rows[number] = HUGE
    return rows


@pytest.fixture
def service(new_service: NewService) -> WholeService:
    """A service of its own, running."""
    whole = new_service(WORKFLOWS, f"{US}:US:USD")
    whole.start()
    return whole


@pytest.mark.parametrize(
    "count", [2_000, pytest.param(100_000, marks=[pytest.mark.faults, pytest.mark.timeout(900)])]
)
def test_garbage_becomes_dead_letters_and_the_good_records_arrive(
    service: WholeService, count: int
) -> None:
    """Every bad record is kept with a reason, every good one between them makes its document, and
    memory stays flat."""
    garbage = _garbage(count)
    first = count // 5
    good = _feed(service, garbage[:first], 0)
    assert service.service is not None
    before = _resident(service.service)
    good += _feed(service, garbage[first:], good)
    letters = service.sql("SELECT reason FROM dead_letters")
    assert len(letters) == count
    assert not {"", "unexpected"} & {row[0] for row in letters}
    assert len(service.books(US)["Estimate"]) == good
    assert _resident(service.service) - before < ROOM


def _feed(service: WholeService, garbage: list[bytes], numbered_from: int) -> int:
    """Produce the garbage with a good deal now and then; answers how many deals."""
    good = 0
    for start in range(0, len(garbage), 5_000):
        records: list[tuple[str, bytes | None]] = []
        for number, value in enumerate(garbage[start : start + 5_000]):
            records.append(("deal", value))
            if number % GOOD_EVERY == 0:
                records.append(deal(str(7_000 + numbered_from + good), "contractsent"))
                good += 1
        service.feed(records)
    return good


def _resident(child: Child) -> int:
    """Bytes of memory that the process holds."""
    status = Path(f"/proc/{child.process.pid}/status").read_text(encoding="ascii")
    return (
        next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        * 1024
    )
