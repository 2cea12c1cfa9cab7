"""The whole service on this machine with the demo's feed in its books, and a browser before it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from reconciler.demo.catalogue import catalogue
from reconciler.demo.environment import environment
from reconciler.demo.feed import generate
from reconciler.demo.produce import produce
from reconciler.demo.runner import COMPANIES, WORKFLOWS
from reconciler.demo.seeding import seed_companies
from tests.browser import chromium
from tests.console import HASHES, OPERATOR_PASSWORD

SETTLED_SECONDS = 100.0


@dataclass(frozen=True)
class Running:
    """Where it is."""

    url: str
    postgres_dsn: str


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if chromium.find() is None:
                item.add_marker(pytest.mark.skip("there is no Chromium; apt-get install chromium"))


@pytest.fixture(scope="session")
def service() -> Iterator[Running]:
    """The service after it has worked through the feed."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        with environment(directory, COMPANIES) as running:
            asyncio.run(seed_companies(running.sandbox.url, running.token, catalogue(1)))
            settings = running.settings(
                WORKFLOWS, quickbooks_limits="false", console_auth="password", **HASHES
            )
            child = running.start_service(settings)
            feed = generate(1, 320)
            asyncio.run(produce(Console(quiet=True), running.kafka, feed))
            asyncio.run(_settled(running.postgres_dsn, len(feed.records)))
            yield Running(child.url, running.postgres_dsn)


async def _settled(dsn: str, records: int) -> None:
    """Once all is read and nothing is wanted or in the air any more."""
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(SETTLED_SECONDS):
            while not await connection.fetchval(
                """
                SELECT (SELECT coalesce(sum(next_offset), 0) FROM offsets) >= $1
                   AND NOT EXISTS (SELECT FROM documents WHERE state IN ('wanted', 'sending'))
                """,
                records,
            ):
                await asyncio.sleep(0.3)
    finally:
        await connection.close()


@pytest.fixture
async def tab(service: Running, tmp_path: Path) -> AsyncIterator[chromium.Tab]:
    """A browser in which Ada Lovelace has logged in as an operator."""
    async with chromium.browser(tmp_path / "profile") as tab:
        await tab.open(f"{service.url}/console/")
        await tab.evaluate("document.getElementById('name').value = 'Ada Lovelace'")
        await tab.evaluate(f"document.getElementById('password').value = {OPERATOR_PASSWORD!r}")
        await tab.follow("document.querySelector('main form').requestSubmit()")
        yield tab
