"""A process that was stopped, cut off or told a wrong time can write nothing that counts.

The zombie is made, not hoped for: the service stops itself (SIGSTOP) at a named point, with work
in its hands; another process takes over and finishes; then the zombie is continued (SIGCONT), and
its counters must show that its writes were refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from reconciler.demo.environment import Child
from tests.faults.feed import Writer
from tests.faults.proxy import Proxy, proxy
from tests.faults.stage import NotSettled, Scene, counter
from tests.servers import run_apart

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

FENCED = "reconciler_fenced_writes_total"
NEEDS_APACHE = pytest.mark.usefixtures("real_kafka")
"""The embedded broker keeps a silent member in the group for the whole rebalance timeout."""

CLOCK = Path(__file__).with_name("clock.c")


def is_stopped(child: Child) -> bool:
    """Whether the kernel shows the process as stopped."""
    status = Path(f"/proc/{child.process.pid}/stat").read_text()
    return status.rsplit(")", 1)[1].split()[0] == "T"


async def until(holds: object, seconds: float = 40.0) -> None:
    """Wait for a condition, a function without arguments; fails with the time."""
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise NotSettled(f"{holds} did not come true in {seconds:g} s")
        await asyncio.sleep(0.05)


async def zombie_at(stage: Scene, point: str) -> Child:
    """A process that stopped itself at *point*, with the feed in its hands."""
    feed = Writer(3).some(2)
    zombie = stage.start("zombie", ready=False, crash_point=f"{point}:1:stop")
    await stage.produce(feed, feed.doubled(Random(3)))
    await until(lambda: is_stopped(zombie))
    return zombie


WRITTEN = {
    "dispatch": "reconciler_documents_total",
    "intake": "reconciler_intake_records_total",
    "relay": "reconciler_outcomes_published_total",
}
"""What each part counts once it is committed."""


async def refused_on_waking(stage: Scene, point: str, part: str) -> None:
    """The heir finishes, the zombie wakes, its counters show the refusal and that it wrote nothing,
    and all is as it was."""
    zombie = await zombie_at(stage, point)
    stage.start("heir")
    await stage.settle()
    zombie.process.send_signal(signal.SIGCONT)
    with contextlib.suppress(NotSettled):
        await until(lambda: counter(zombie, FENCED, stage=part) >= 1, seconds=15)
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, f"{point}: {verdict}"
    assert counter(zombie, FENCED, stage=part) >= 1
    assert counter(zombie, WRITTEN[part]) == 0


@pytest.mark.parametrize(
    "point",
    ["dispatch.before_begin", "dispatch.before_call", "dispatch.answered", "reference.answered"],
)
async def test_a_stopped_dispatcher_writes_nothing_when_it_wakes(stage: Scene, point: str) -> None:
    """Neither ledger nor outcome, and its late call to QuickBooks is not made; then it works on."""
    await refused_on_waking(stage, point, "dispatch")


async def test_a_zombie_whose_request_id_is_forgotten(stage: Scene) -> None:
    """Its late call would make a second document, as QuickBooks knows nothing of the first."""
    await stage.switch(requestid_ttl_seconds=0.0)
    stage.changes = {"replay_window_seconds": "0"}
    await refused_on_waking(stage, "dispatch.before_call", "dispatch")


@NEEDS_APACHE
@pytest.mark.parametrize(
    ("point", "part"), [("intake.decoded", "intake"), ("relay.numbered", "relay")]
)
async def test_a_stopped_reader_or_relay_writes_nothing_when_it_wakes(
    stage: Scene, point: str, part: str
) -> None:
    """Neither offset nor objects; and its outcomes are not published a second time."""
    await refused_on_waking(stage, point, part)


@NEEDS_APACHE
@pytest.mark.parametrize("point", ["intake.before_commit", "intake.advanced"])
async def test_a_process_stopped_inside_its_transaction_holds_nobody_up(
    stage: Scene, point: str
) -> None:
    """Postgres ends the transaction, the heir claims, and the zombie's commit fails."""
    zombie = await zombie_at(stage, point)
    stage.start("heir")
    await stage.settle()
    before = (await stage.verdict()).counts
    zombie.process.send_signal(signal.SIGCONT)
    zombie.wait_until("/readyz")
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, f"{point}: {verdict}"
    assert verdict.counts == before


# --- partitions ------------------------------------------------------------------------------------


@pytest.fixture
def postgres_through(stage: Scene) -> Iterator[Proxy]:
    """A way to Postgres that can be cut."""
    place = urlsplit(stage.places.dsn)
    with proxy(place.hostname or "", place.port or 0) as way:
        yield way


def dsn_through(stage: Scene, way: Proxy) -> str:
    place = urlsplit(stage.places.dsn)
    login = place.netloc.rpartition("@")[0]
    return urlunsplit(place._replace(netloc=f"{login}@{way.address}" if login else way.address))


@NEEDS_APACHE
async def test_a_process_cut_off_from_postgres(stage: Scene, postgres_through: Proxy) -> None:
    """Its packets vanish while it works; another takes over; when they flow again all is well."""
    feed = Writer(4).some(3)
    lost = stage.start("lost", postgres_dsn=dsn_through(stage, postgres_through))
    await stage.produce(feed, feed.records[: len(feed.records) // 2])
    await until(lambda: counter(lost, "reconciler_intake_records_total") > 0)
    postgres_through.swallow()
    stage.start("heir")
    await stage.produce(feed)
    await stage.settle()
    postgres_through.forward()
    lost.wait_until("/readyz")
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, str(verdict)


async def test_connections_to_postgres_that_break_all_the_time(
    stage: Scene, postgres_through: Proxy
) -> None:
    """Commits whose acknowledgement is lost are found out about, not repeated."""
    feed = Writer(5).some(8)
    child = stage.start("one", postgres_dsn=dsn_through(stage, postgres_through), batch_records="7")
    rng = Random(5)
    for start in range(0, len(feed.records), 9):
        await stage.produce(feed, feed.records[start : start + 9])
        await asyncio.sleep(rng.random() * 0.4)
        postgres_through.cut()
    postgres_through.forward()
    child.wait_until("/readyz")
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, str(verdict)


async def test_a_call_that_reaches_quickbooks_too_late(stage: Scene) -> None:
    """A zombie's call takes longer to arrive than its heir's: the same request id, one document."""
    zombie = stage.start("zombie")
    await until(lambda: counter(zombie, "reconciler_company_lease") == 1)
    late = {"kind": "delay", "phase": "before", "seconds": 9, "operation": "batch", "count": 2}
    await stage.admin("POST", "faults", {**late, "realm": stage.places.realm})
    feed = Writer(6).some(1)
    await stage.produce(feed)
    await until(lambda: sending(stage))
    zombie.process.send_signal(signal.SIGSTOP)
    stage.start("heir")
    await stage.settle()
    zombie.process.send_signal(signal.SIGCONT)
    zombie.wait_until("/readyz")
    await asyncio.sleep(9)  # until the late calls have arrived, whoever waits for them
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, str(verdict)


def sending(stage: Scene) -> bool:
    """Whether an operation was begun."""
    return (
        run(stage.places.dsn, "SELECT count(*) FROM operations WHERE document_id IS NOT NULL") > 0
    )


def run(dsn: str, statement: str) -> int:
    """A number from Postgres, from a thread of its own."""

    async def ask() -> int:
        connection = await asyncpg.connect(dsn)
        try:
            found: int = await connection.fetchval(statement)
            return found
        finally:
            await connection.close()

    return run_apart(ask())


# --- clocks ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def wrong_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that shifts a process's wall clock."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler to make a wrong clock")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, CLOCK, "-ldl"], check=True)
    return library


@pytest.mark.parametrize("shift", [-86_400, 86_400], ids=["a day behind", "a day ahead"])
async def test_a_wrong_clock(
    stage: Scene, wrong_clock: Path, monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    """QuickBooks forgot the request id; a process that believes it is yesterday looks all the same."""
    await stage.switch(requestid_ttl_seconds=0.0)
    feed = Writer(7).some(1)
    await stage.produce(feed)
    crashed = stage.start(ready=False, crash_point="dispatch.answered")
    assert await stage.ended(crashed) == -signal.SIGKILL
    file = stage.directory / "shift"
    file.write_text(str(shift))
    with monkeypatch.context() as patched:
        patched.setenv("LD_PRELOAD", os.fspath(wrong_clock))
        patched.setenv("CLOCK_SHIFT_FILE", os.fspath(file))
        stage.start(replay_window_seconds="0.5")
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, str(verdict)


async def test_a_clock_that_jumps(
    stage: Scene, wrong_clock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours forward and back while it works: nothing is late for long, nothing is done twice."""
    file = stage.directory / "shift"
    file.write_text("0")
    with monkeypatch.context() as patched:
        patched.setenv("LD_PRELOAD", os.fspath(wrong_clock))
        patched.setenv("CLOCK_SHIFT_FILE", os.fspath(file))
        stage.start()
    plan = {"kind": "drop_after_commit", "realm": stage.places.realm, "rate": 0.3, "seed": 7}
    fault = await stage.admin("POST", "faults", plan)
    feed = Writer(8).some(4)
    for number, said in enumerate(feed.records):
        await stage.produce(feed, [said])
        if number % 5 == 0:
            file.write_text(str(Random(number).randrange(-40_000, 40_000)))
    await stage.admin("DELETE", f"faults/{fault['id']}")
    await stage.settle()
    verdict = await stage.verdict()
    assert verdict.is_clean, str(verdict)
