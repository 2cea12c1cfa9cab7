"""How the parts of a process are kept running, and what is said of them meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.app import Service
from reconciler.settings import Settings
from reconciler.troubles import Troubles
from reconciler.workflows import load
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

    async def part() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise KeyError("toObjectId")

    async with asyncio.timeout(5):
        await service._keep("hydrator", lambda: service._apart("hydrator", part))
    assert runs == 3
    assert service.health.troubles.shown == {"hydrator": "KeyError: 'toObjectId'"}
    assert service.health.is_ready
    counted = {"stage": "hydrator"}
    name = "reconciler_unforeseen_errors_total"
    assert service.metrics.registry.get_sample_value(name, counted) == 2
