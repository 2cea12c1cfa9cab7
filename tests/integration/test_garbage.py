"""A topic full of garbage: every record of it becomes a dead letter, and the good ones arrive."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from reconciler.demo.environment import Child
from tests import servers
from tests.whole_service import WholeService, snapshot, whole_service

US = "9341450000000021"
GOOD_EVERY = 50
MIB = 1024 * 1024
ROOM = 64 * MIB
"""How much a process may grow between the first fifth of the garbage and the end."""

WORKFLOWS = f"""
version: 1
portal_id: 4711
companies:
  us: {{realm_id: "{US}"}}
workflows:
  - name: estimate
    object: deal
    enrol: [{{property: dealstage, operator: is_any_of, values: [contractsent]}}]
    actions: [{{create: estimate, company: us, create_missing_products: yes}}]
"""

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
def service(
    kafka_bootstrap: str,
    postgres_server: servers.PostgresServer,
    template_database: str,
    tmp_path: Path,
) -> Iterator[WholeService]:
    """A service of its own, running."""
    with (
        servers.database(postgres_server, template_database) as name,
        whole_service(
            tmp_path, kafka_bootstrap, postgres_server.dsn_of(name), WORKFLOWS, [f"{US}:US:USD"]
        ) as whole,
    ):
        whole.start()
        yield whole


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
    letters, unreasoned = asyncio.run(_dead_letters(service.environment.postgres_dsn))
    assert (letters, unreasoned) == (count, 0)
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
                records.append(("deal", _deal(numbered_from + good)))
                good += 1
        service.feed(records)
    return good


def _deal(number: int) -> bytes:
    contact = ("51", {"firstname": "Ada", "lastname": "Byron", "email": "ada@x.org"})
    line = {"name": "Consulting", "quantity": "1", "price": "10.00", "amount": "10.00"}
    properties = {"dealname": f"Deal {number}", "dealstage": "contractsent"}
    return snapshot(
        str(7_000 + number), properties, contacts=[contact], lines=[(f"{number}1", line)]
    )


async def _dead_letters(dsn: str) -> tuple[int, int]:
    connection = await asyncpg.connect(dsn)
    try:
        row = await connection.fetchrow(
            "SELECT count(*), count(*) FILTER (WHERE reason = '' OR reason = 'unexpected') FROM dead_letters"
        )
        return row[0], row[1]
    finally:
        await connection.close()


def _resident(child: Child) -> int:
    """Bytes of memory that the process holds."""
    status = Path(f"/proc/{child.process.pid}/status").read_text(encoding="ascii")
    return (
        next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        * 1024
    )
