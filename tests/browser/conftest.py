"""The whole service on this machine with the demo's feed in its books, and a browser before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.demo.runner import WORKFLOWS
from tests.browser import chromium
from tests.console import HASHES, OPERATOR_PASSWORD
from tests.demo_service import demo_environment, take_feed


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
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service after it has worked through the feed."""
    with demo_environment(tmp_path_factory.mktemp("browser")) as running:
        settings = running.settings(
            WORKFLOWS, quickbooks_limits="false", console_auth="password", **HASHES
        )
        child = running.start_service(settings)
        take_feed(running, objects=320)
        yield Running(child.url, running.postgres_dsn)


@pytest.fixture
async def tab(service: Running, tmp_path: Path) -> AsyncIterator[chromium.Tab]:
    """A browser in which Ada Lovelace has logged in as an operator."""
    async with chromium.browser(tmp_path / "profile") as tab:
        await tab.open(f"{service.url}/console/")
        await tab.evaluate("document.getElementById('name').value = 'Ada Lovelace'")
        await tab.evaluate(f"document.getElementById('password').value = {OPERATOR_PASSWORD!r}")
        await tab.follow("document.querySelector('main form').requestSubmit()")
        yield tab
