"""What every handler of the console works with, and the session of the request at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec
from aiohttp import web

from reconciler.console.access import Access
from reconciler.console.past import Past
from reconciler.console.people import Person
from reconciler.console.sessions import Session, Sessions
from reconciler.console.throttle import Throttle
from reconciler.operator.desk import Operator
from reconciler.ports.reports import PartitionLag

BASE = "/console"
"""Where the console is mounted; everything under it is protected."""

_COUNTS_KEPT_SECONDS = 3.0


class Stuck(NamedTuple):
    """The numbers beside the menu."""

    blocked: int
    waiting: int
    dead_letters: int


@dataclass
class Console:
    """The console of one process. `url` is its public address, "" to go by the Host header.

    `lags` tells of the partitions that this process reads.
    """

    operator: Operator
    access: Access
    sessions: Sessions
    clock: Callable[[], datetime]
    url: str = ""
    workflow_text: str = ""
    lags: Callable[[], Sequence[PartitionLag]] = lambda: ()
    throttle: Throttle = field(default_factory=Throttle)
    past: Past = field(default_factory=Past)
    _stuck: tuple[float, Stuck] | None = None

    async def stuck(self) -> Stuck:
        """Counts for the menu, a few seconds old at most."""
        if self._stuck is None or self._stuck[0] < time.monotonic() - _COUNTS_KEPT_SECONDS:
            found = await self.operator.stuck()
            self._stuck = (time.monotonic(), Stuck(**found))
        return self._stuck[1]

    def forget_counts(self) -> None:
        """After an action: the next page shows what it did."""
        self._stuck = None

    def origin(self, request: web.Request) -> str:
        """Scheme, host and port under which a browser sees the console."""
        return self.url or f"{request.scheme}://{request.host}"

    @property
    def is_secure(self) -> bool:
        return self.url.startswith("https://")


CONSOLE = web.AppKey("console", Console)
SESSION = web.RequestKey("session", Session)
PERSON = web.RequestKey("person", Person)
CHANGED = web.RequestKey("session_changed", bool)


def console_of(request: web.Request) -> Console:
    """The console."""
    return request.app[CONSOLE]


def remember(request: web.Request, session: Session) -> None:
    """Give the browser another session with the answer."""
    request[SESSION] = session
    request[CHANGED] = True


_MOST_NOTICE_BYTES = 1500
"""Browsers drop a cookie of more than 4 KiB without a word."""


def notice(request: web.Request, text: str) -> None:
    """Show a text on the next page."""
    kept = text.encode(errors="replace")[:_MOST_NOTICE_BYTES].decode(errors="ignore")
    remember(request, msgspec.structs.replace(request[SESSION], notice=kept))


def see_other(path: str) -> web.Response:
    """Redirect with GET, as after every action."""
    return web.Response(status=303, headers={"Location": path})


def local_path(text: str, otherwise: str = f"{BASE}/") -> str:
    """A path within the console, or *otherwise*: nobody is ever sent elsewhere."""
    fits = text.startswith(f"{BASE}/") and "\\" not in text and text.isprintable()
    return text if fits and ".." not in text else otherwise
