"""Owns the admin routes by which a test acts as a bookkeeper in QuickBooks's own pages.

No token, SyncToken or requestid is needed, nothing is throttled, and webhooks are sent: the books
change as they do when a person changes them.
"""

from collections.abc import Mapping

from aiohttp import web

from reconciler.sandbox import reading
from reconciler.sandbox.admin import body_of, realm_of, refusing, respond
from reconciler.sandbox.exact import raw
from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.world import World
from reconciler.sandbox.writing import Request, write


class Bookkeeping:
    """Handlers of a bookkeeper's changes."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        """Its routes."""
        return [
            web.post("/admin/company/{realm}/entities/{entity}", self.create),
            web.post("/admin/edit/{realm}/{entity}/{id}", self.edit),
            web.post("/admin/void/{realm}/{entity}/{id}", self.void),
            web.post("/admin/delete/{realm}/{entity}/{id}", self.delete),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Create an entity."""
        return await self._write(request, "create")

    async def edit(self, request: web.Request) -> web.Response:
        """Change an entity."""
        return await self._write(request, "update")

    async def void(self, request: web.Request) -> web.Response:
        """Void a transaction."""
        return await self._write(request, "void")

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a transaction."""
        return await self._write(request, "delete")

    async def _write(self, request: web.Request, kind: str) -> web.Response:
        realm = realm_of(self.world, request)
        entity = ENTITIES.get(request.match_info["entity"])
        if entity is None:
            raise web.HTTPNotFound(text="no such entity")
        body = await body_of(request)
        if kind != "create":
            row = realm.company.get(entity.name, request.match_info["id"])
            if row is None:
                raise web.HTTPNotFound(text="no such row")
            again = {name: row[name] for name in entity.repeated}
            keys = {"Id": row["Id"], "SyncToken": row["SyncToken"], "sparse": True}
            body = {**again, **body, **keys}
        flags: Mapping[str, str] = {"operation": kind}
        if kind == "void" and "include" in entity.voids:
            flags = {"operation": "update", "include": "void"}
        asked = Request(
            entity, body, flags["operation"], frozenset(filter(None, [flags.get("include", "")]))
        )
        done = refusing(lambda: write(realm.company, asked))
        realm.committed(done.commit)
        shown = (
            done.body
            if done.deleted
            else reading.shown_body(realm.company, entity.name, done.row_id)
        )
        return respond({entity.name: raw(shown)})
