"""Owns the wiring: one aiohttp application with the API, OAuth and the admin API on one port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from reconciler.sandbox.admin import Admin
from reconciler.sandbox.api import Api
from reconciler.sandbox.bookkeeping import Bookkeeping
from reconciler.sandbox.oauth.endpoints import OAuth
from reconciler.sandbox.oauth.grants import Grants
from reconciler.sandbox.webhook_admin import WebhookAdmin
from reconciler.sandbox.webhooks import Subscription, Webhooks
from reconciler.sandbox.world import World

MAX_BODY_BYTES = 16 * 1024 * 1024
WEBHOOKS = web.AppKey("webhooks", Webhooks)


def create_app(
    world: World,
    subscriptions: tuple[Subscription, ...] = (),
    grants_file: Path | None = None,
) -> web.Application:
    """The application that serves `world`."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    grants = Grants(world.clock, lambda: world.switches, file=grants_file)
    grants.restore()
    webhooks = Webhooks(world.clock)
    webhooks.subscriptions.extend(subscriptions)
    world.listeners.append(webhooks.heard)
    app[WEBHOOKS] = webhooks
    app.router.add_route("*", "/v3/company/{realm}/{tail:.*}", Api(world, grants).handle)
    app.add_routes(Admin(world).routes())
    app.add_routes(Bookkeeping(world).routes())
    app.add_routes(OAuth(world, grants).routes())
    app.add_routes(WebhookAdmin(webhooks).routes())
    app.cleanup_ctx.append(_delivering)
    return app


async def _delivering(app: web.Application) -> AsyncIterator[None]:
    """Webhooks go out as long as the application runs."""
    # not a TaskGroup: aiohttp may clean up in another task than the one it started in
    sender = asyncio.create_task(app[WEBHOOKS].run())
    yield
    sender.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sender
