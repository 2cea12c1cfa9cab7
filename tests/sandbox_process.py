"""The QuickBooks sandbox as a process of its own, and its admin API, for tests."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parent.parent
START_SECONDS = 30.0
_realms = itertools.count(9341450000001000)


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox; `url` is the base of the API and of `/admin`."""

    url: str

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call the admin API and return its JSON."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.url}/admin/{path}", json=body) as response,
        ):
            text = await response.text()
            assert response.status < 300, f"{method} {path}: {text}"
            return await response.json() if text else None

    async def company(self, **switches: Any) -> str:
        """Open a new US company and return its realm id."""
        realm = str(next(_realms))
        await self.admin("POST", "companies", {"realm": realm, "country": "US", "currency": "USD"})
        if switches:
            await self.admin("POST", "switches", {**switches, "realm": realm})
        return realm

    async def books(self, realm: str, entity: str) -> list[dict[str, Any]]:
        """Every live object of that type."""
        books: dict[str, Any] = await self.admin("GET", f"books/{realm}?entities={entity}")
        rows: list[dict[str, Any]] = books.get(entity, [])
        return rows

    async def enter(self, realm: str, entity: str, body: dict[str, Any]) -> dict[str, Any]:
        """Enter an object as a person at QuickBooks does, and return it."""
        made = await self.admin("POST", f"company/{realm}/entities/{entity}", body)
        found: dict[str, Any] = made[entity]
        return found

    async def enter_product(self, realm: str, name: str, sku: str) -> dict[str, Any]:
        """Enter a service that may be sold."""
        accounts = await self.books(realm, "Account")
        income = next(one["Id"] for one in accounts if one["AccountType"] == "Income")
        body = {"Name": name, "Sku": sku, "Type": "Service", "IncomeAccountRef": {"value": income}}
        return await self.enter(realm, "Item", body)


@contextmanager
def sandbox_process(*options: str) -> Iterator[Sandbox]:
    """Start a sandbox on a free port, wait until it answers, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "reconciler.sandbox", "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _wait_for_port(port, process)
        yield Sandbox(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the sandbox ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)  # a refused connection returns at once
        else:
            return
    pytest.fail("the sandbox does not listen")
