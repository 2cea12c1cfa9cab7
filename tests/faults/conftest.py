"""Fixtures of the fault tests: a sandbox per session, and a scene of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from reconciler.demo.environment import Child, start_sandbox
from tests.faults.stage import Scene, prepare, scene


@pytest.fixture(scope="session")
def stage_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where logs and workflow files of all scenes are."""
    return tmp_path_factory.mktemp("stage")


@pytest.fixture(scope="session")
def quickbooks(stage_directory: Path) -> Iterator[Child]:
    """The session's QuickBooks sandbox, without limits."""
    child = start_sandbox(stage_directory, ["9341450000000001:US:USD"], "--no-limits")
    yield child
    child.stop()


@pytest.fixture
async def stage(
    stage_directory: Path, quickbooks: Child, kafka_bootstrap: str, database_dsn: str
) -> AsyncIterator[Scene]:
    """A scene: company, database, topics and group that no other test uses."""
    prefix = f"t{uuid.uuid4().hex[:8]}."
    directory = stage_directory / prefix.rstrip(".")
    directory.mkdir()
    places = await prepare(quickbooks.url, kafka_bootstrap, database_dsn, prefix)
    with scene(directory, places) as opened:
        yield opened
