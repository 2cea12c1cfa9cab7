"""Owns the webhooks journal: files of events behind offsets, tokens, and what is forgotten."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from reconciler.hubspot_sandbox.gate import refused

ROOT = "/webhooks-journal/journal/{version}"


@dataclass
class Journal:
    """The files in order, each with its offset; the ones before `forgotten` are gone."""

    client_secret: str = ""
    files: list[tuple[str, list[Any]]] = field(default_factory=list)
    forgotten: int = 0
    tokens: set[str] = field(default_factory=set)

    def routes(self) -> list[web.RouteDef]:
        """The journal, the files it points to, and the token endpoint."""
        return [
            web.get(ROOT + "/earliest", self.earliest),
            web.get(ROOT + "/offset/{offset}/next", self.next),
            web.get("/files/{offset}", self.file),
            web.post("/oauth/v1/token", self.token),
        ]

    def append(self, events: list[Any]) -> str:
        """Publish a file; answers its offset."""
        offset = str(uuid.uuid4())
        self.files.append((offset, events))
        return offset

    async def token(self, request: web.Request) -> web.Response:
        """A client-credentials token."""
        form = await request.post()
        if form.get("grant_type") != "client_credentials" or (
            self.client_secret and form.get("client_secret") != self.client_secret
        ):
            return refused(400, "BAD_CLIENT_SECRET", "missing or invalid client secret")
        token = uuid.uuid4().hex
        self.tokens.add(token)
        body = {"access_token": token, "token_type": "bearer", "expires_in": 1800}
        return web.json_response(body)

    async def earliest(self, request: web.Request) -> web.Response:
        return self._entry(request, self.forgotten)

    async def next(self, request: web.Request) -> web.Response:
        """The file after an offset: 204 when there is none yet, 404 when the offset is forgotten."""
        offsets = [offset for offset, _ in self.files]
        offset = request.match_info["offset"]
        if offset not in offsets or offsets.index(offset) + 1 < self.forgotten:
            return refused(404, "OBJECT_NOT_FOUND", "offset expired or unknown")
        return self._entry(request, offsets.index(offset) + 1)

    async def file(self, request: web.Request) -> web.Response:
        """A file, through its pre-signed address: no token is needed, and one is not wanted."""
        if "Authorization" in request.headers:
            return web.Response(status=400, text="only one auth mechanism allowed")
        for offset, events in self.files:
            if offset == request.match_info["offset"]:
                return web.json_response({"offset": offset, "journalEvents": events})
        return web.Response(status=403)

    def _entry(self, request: web.Request, index: int) -> web.Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return refused(401, "EXPIRED_AUTHENTICATION", "The token is expired")
        if index >= len(self.files):
            return web.Response(status=204)
        offset = self.files[index][0]
        url = f"{request.scheme}://{request.host}/files/{offset}"
        return web.json_response({"url": url, "expiresAt": None, "currentOffset": offset})
