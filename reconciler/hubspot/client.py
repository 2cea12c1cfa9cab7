"""Sends requests to HubSpot with a private app's token, within its limits.

`hydrate` and `writeback` call `HubSpot`, `journal` only `exchange`. Nothing is repeated here: what
failed is tried again by the row in Postgres that asked for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

import aiohttp

from reconciler.errors import HubSpotBusy
from reconciler.hubspot.limits import Window
from reconciler.hubspot.protocol import Request, failure

PRODUCTION = "https://api.hubapi.com"
TIMEOUT_SECONDS = 10.0
"""Longest a call may take; a claim on a row of work lasts for several of them."""

Observe = Callable[[str, int], None]
"""Told the operation and the HTTP status of every exchange; 0 when nothing was answered."""


def open_session() -> aiohttp.ClientSession:
    """A session for HubSpot's API."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        headers={"User-Agent": "hubspot-quickbooks-reconciler"},
    )


@dataclass
class HubSpot:
    """One portal's API."""

    session: aiohttp.ClientSession
    token: Callable[[], str]
    window: Window
    base_url: str = PRODUCTION
    observe: Observe = lambda operation, status: None

    async def send(self, request: Request) -> bytes:
        """Send a request and give its answer; raises the HubSpotError that says what to do."""
        while (seconds := self.window.delay(time.monotonic())) > 0:
            await asyncio.sleep(seconds)
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        asking = self.session.request(
            request.method, self.base_url + request.path, data=request.body, headers=headers
        )
        return await exchange(asking, partial(self.observe, request.operation))


async def exchange(
    asking: AbstractAsyncContextManager[aiohttp.ClientResponse], observe: Callable[[int], None]
) -> bytes:
    """The answer's body; raises the HubSpotError that says what to do."""
    status = 0
    try:
        async with asking as response:
            answer = await response.read()
            status = response.status
            error = failure(status, answer, response.headers.get("Retry-After", ""))
    except (aiohttp.ClientError, TimeoutError) as problem:
        raise HubSpotBusy(f"no answer ({type(problem).__name__})") from None  # it names headers
    finally:
        observe(status)
    if error is not None:
        raise error
    return answer
