"""The process's HTTP server: metrics and health. `console` adds its pages to the same one.

Run by `app`. /healthz says whether something is broken that a person must mend, /readyz whether the
process does its work; both answer in JSON with the reasons.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.http import HttpProcessingError

from reconciler.errors import ConfigurationError
from reconciler.running.troubles import Troubles


def _is_of_ours(logged: logging.LogRecord) -> bool:
    """What is not even HTTP is answered 400, and anybody can send as much of it as they like."""
    return not (logged.exc_info and isinstance(logged.exc_info[1], HttpProcessingError))


_log = logging.getLogger("reconciler.http")
_log.addFilter(_is_of_ours)


@dataclass
class Health:
    """What the parts say of themselves; empty dictionaries mean that all is well."""

    broken: dict[str, str] = field(default_factory=dict)
    not_ready: dict[str, str] = field(default_factory=dict)
    troubles: Troubles = field(default_factory=Troubles)
    stopping: bool = False

    @property
    def is_ready(self) -> bool:
        return not (self.broken or self.not_ready or self.stopping)


def monitoring(health: Health, exposition: Callable[[], Awaitable[bytes]]) -> web.Application:
    """The routes that need no login."""

    async def metrics(_request: web.Request) -> web.Response:
        body = await exposition()
        return web.Response(
            body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def healthz(_request: web.Request) -> web.Response:
        status = 503 if health.broken else 200
        return web.json_response({"broken": health.broken}, status=status)

    async def readyz(_request: web.Request) -> web.Response:
        body = {
            "broken": health.broken,
            "not_ready": health.not_ready,
            "troubles": health.troubles.shown,  # of a part: the process does the rest of its work
            "stopping": health.stopping,
        }
        return web.json_response(body, status=200 if health.is_ready else 503)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app


@asynccontextmanager
async def serve(
    app: web.Application, host: str, port: int, *, setting: str, lingering_seconds: float = 1.0
) -> AsyncIterator[int]:
    """Serve while the block runs; gives the port, which *setting* names.

    Raises ConfigurationError where it can't be listened on.

    The rest of a body that was refused is read for `lingering_seconds`, so that a sender that is
    still sending hears the answer, and one that has stopped holds nothing for long.
    """
    runner = web.AppRunner(app, access_log=None, logger=_log, lingering_time=lingering_seconds)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"{setting}: {host}:{port} can't be listened on ({error.strerror}); end what uses it, or "
                "set another"
            ) from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
