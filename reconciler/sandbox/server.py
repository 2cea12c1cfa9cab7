"""Owns the wiring: one aiohttp application with the API, OAuth and the admin API on one port."""

from aiohttp import web

from reconciler.sandbox.admin import Admin
from reconciler.sandbox.api import Api
from reconciler.sandbox.oauth.grants import Grants
from reconciler.sandbox.world import World

MAX_BODY_BYTES = 16 * 1024 * 1024


def create_app(world: World) -> web.Application:
    """The application that serves `world`."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    grants = Grants(world.clock, lambda: world.switches)
    api = Api(world, grants)
    app.router.add_route("*", "/v3/company/{realm}/{tail:.*}", api.handle)
    app.add_routes(Admin(world).routes())
    return app
