"""Owns the admin API, by which tests fill the portal, order troubles and look at what was written.

POST /admin/objects     {"type", "id", "properties", "updated_at", "associations": {type: [id]}}
POST /admin/properties  {"type", "names"}: from then on only these can be written
POST /admin/troubles    {"throttled", "failing", "lost", "passing", "most_per_10s", "token"}, see gate
POST /admin/journal     {"events": [...]} appends a file; {"forget": n} drops the first n
POST /admin/tokens      {} makes every journal token invalid
GET  /admin/writes      what clients changed, in order
GET  /admin/calls       how often each address was called
GET  /admin/health
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from reconciler.hubspot_sandbox.gate import Gate
from reconciler.hubspot_sandbox.journal import Journal
from reconciler.hubspot_sandbox.portal import Portal

_TROUBLES = ("throttled", "failing", "lost", "passing", "most_per_10s", "token", "policy")


@dataclass
class Admin:
    """Serves what tests need."""

    portal: Portal
    gate: Gate
    journal: Journal

    def routes(self) -> list[web.RouteDef]:
        """Every route of the admin API."""
        return [
            web.get("/admin/health", self.health),
            web.post("/admin/objects", self.put),
            web.post("/admin/properties", self.define),
            web.post("/admin/troubles", self.trouble),
            web.post("/admin/journal", self.publish),
            web.post("/admin/tokens", self.expire),
            web.get("/admin/writes", self.writes),
            web.get("/admin/calls", self.calls),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def put(self, request: web.Request) -> web.Response:
        """Put objects, one or a list of them."""
        body = await request.json()
        for each in body if isinstance(body, list) else [body]:
            kind, id_ = each["type"], str(each["id"])
            self.portal.put(kind, id_, each.get("properties", {}), each.get("updated_at", ""))
            for to, ids in each.get("associations", {}).items():
                for one in ids:
                    self.portal.associate((kind, id_), (to, str(one)))
        return web.json_response({})

    async def define(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.portal.defined[body["type"]] = set(body["names"])
        return web.json_response({})

    async def trouble(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            if name not in _TROUBLES:
                return web.json_response({"unknown": name}, status=400)
            setattr(self.gate, name, value)
        return web.json_response({})

    async def publish(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.journal.forgotten += body.get("forget", 0)
        offset = self.journal.append(body["events"]) if "events" in body else ""
        return web.json_response({"offset": offset})

    async def expire(self, _request: web.Request) -> web.Response:
        self.journal.tokens.clear()
        return web.json_response({})

    async def writes(self, _request: web.Request) -> web.Response:
        return web.json_response(self.portal.writes)

    async def calls(self, _request: web.Request) -> web.Response:
        return web.json_response(dict(self.gate.calls))
