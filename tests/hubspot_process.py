"""The HubSpot server as a process of its own, and its admin API, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from reconciler.demo.environment import start_hubspot


@dataclass(frozen=True)
class HubSpotServer:
    """A running server; `url` is the base of the API and of `/admin`."""

    url: str

    async def admin(self, path: str, body: Any = None) -> Any:
        """Call the admin API: POST with a body, else GET."""
        method = "GET" if body is None else "POST"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.url}/admin/{path}", json=body) as response,
        ):
            assert response.status == 200, await response.text()
            return await response.json()

    async def put(self, kind: str, id_: str, properties: dict[str, Any], **more: Any) -> None:
        """Create or change an object."""
        await self.admin("objects", {"type": kind, "id": id_, "properties": properties, **more})


@contextmanager
def hubspot_process(directory: Path, *options: str) -> Iterator[HubSpotServer]:
    """Start the server on a free port, wait until it answers, and end it."""
    child = start_hubspot(directory, *options)
    try:
        yield HubSpotServer(child.url)
    finally:
        child.stop()
