"""How the parts of a process are kept running, and what is said of them meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from reconciler.ports.outcomes import UnpublishedOutcome
from reconciler.running.troubles import Troubles
from reconciler.service.app import Service
from reconciler.service.process import Ready
from reconciler.service.relay import Relay
from reconciler.settings import Settings
from reconciler.workflows import load
from streams.connection import KafkaUnavailable
from tests.workflow_files import deals_in, workflow_file


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """One that is not started."""
    path = tmp_path / "workflows.yaml"
    path.write_text(workflow_file({"us": {"realm_id": "9341450000000121"}}, deals_in("won")))
    made = Service(Settings(workflows=path), load(path.read_text()))
    made.health.troubles = Troubles(timedelta(milliseconds=1))
    return made


async def test_what_nobody_foresaw_in_a_part_ends_no_other(service: Service) -> None:
    """The rest can do without hydration and write back: they are tried again, and it is shown."""
    runs = 0

    async def part(_ready: Ready) -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise KeyError("toObjectId")

    async with asyncio.timeout(5):
        await service._keep("hydrator", partial(service._apart, "hydrator", part))
    assert runs == 3
    assert service.health.troubles.shown == {"hydrator": "KeyError: 'toObjectId'"}
    assert service.health.is_ready
    counted = {"stage": "hydrator"}
    name = "reconciler_unforeseen_errors_total"
    assert service.metrics.registry.get_sample_value(name, counted) == 2


async def test_a_part_is_not_ready_before_it_says_so(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka is away, and opening the part anew waits for it: that is no sign of life."""
    monkeypatch.setattr("reconciler.service.app.RESTART_PART_AFTER", timedelta(0))
    opening, kafka_is_back, works = asyncio.Event(), asyncio.Event(), asyncio.Event()
    runs = 0

    async def part(ready: Ready) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise KafkaUnavailable("no broker answers")
        opening.set()
        await kafka_is_back.wait()
        ready()
        works.set()

    kept = asyncio.create_task(service._keep("relay", part))
    async with asyncio.timeout(5):
        await opening.wait()
        assert service.health.not_ready == {"relay": "KafkaUnavailable: no broker answers"}
        kafka_is_back.set()
        await works.wait()
        assert service.health.is_ready
        await kept


class Outbox:
    """Without outcomes; whose turn it is, is said by the test."""

    def __init__(self, *, is_relay: bool) -> None:
        self.is_relay = is_relay

    async def become_relay(self) -> bool:
        return self.is_relay

    async def stay_relay(self) -> None: ...
    async def give_up_relay(self) -> None: ...
    async def mark_published(self, up_to: int) -> None: ...

    async def numbered(self) -> list[UnpublishedOutcome]:
        return []

    async def number_next(self, _limit: int, _above: int) -> list[UnpublishedOutcome]:
        return []


class Publisher:
    """On Kafka."""

    async def last_published(self) -> int | None:
        return None

    async def publish(self, outcomes: Sequence[UnpublishedOutcome], sequence: int) -> None: ...


@pytest.mark.parametrize("is_relay", [True, False], ids=["relay", "standing by"])
async def test_the_relay_is_ready_once_kafka_has_answered(is_relay: bool) -> None:
    """Or where another process has its turn: this one then needs nothing of Kafka."""
    asked, answered, is_ready = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def open_publisher() -> AsyncIterator[Publisher]:
        asked.set()
        await answered.wait()
        yield Publisher()

    relay = Relay(Outbox(is_relay=is_relay), open_publisher)
    running = asyncio.create_task(relay.run(timedelta(seconds=15), ready=is_ready.set))
    async with asyncio.timeout(5):
        if is_relay:
            await asked.wait()
            assert not is_ready.is_set()
            answered.set()
        await is_ready.wait()
    running.cancel()
    await asyncio.wait([running])
