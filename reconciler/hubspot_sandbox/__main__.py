"""The server as a process: `python -m reconciler.hubspot_sandbox --port 9500 --portal 4711`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from reconciler.hubspot_sandbox.admin import Admin
from reconciler.hubspot_sandbox.api import Api
from reconciler.hubspot_sandbox.gate import Gate
from reconciler.hubspot_sandbox.journal import Journal
from reconciler.hubspot_sandbox.portal import Portal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY_BYTES = 16 * 1024 * 1024


def create_app(portal: Portal, gate: Gate, journal: Journal, page: int = 500) -> web.Application:
    """The application that serves `portal`."""

    @web.middleware
    async def gated(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate.pass_through(request, handler)

    app = web.Application(middlewares=[gated], client_max_size=MAX_BODY_BYTES)
    app.add_routes(Api(portal, page).routes())
    app.add_routes(journal.routes())
    app.add_routes(Admin(portal, gate, journal).routes())
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser("reconciler.hubspot_sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9500)
    parser.add_argument("--portal", type=int, default=4711)
    parser.add_argument("--token", default="", help="the one bearer token to accept (default: any)")
    parser.add_argument("--page", type=int, default=500, help="associations given at once")
    options = parser.parse_args(argv)
    web.run_app(
        create_app(Portal(options.portal), Gate(options.token), Journal(), options.page),
        host=options.host,
        port=options.port,
        access_log=None,
        print=None,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
