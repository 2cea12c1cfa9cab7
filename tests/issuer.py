"""A tiny OpenID Connect provider for tests: discovery, authorization, token endpoint, keys.

It checks PKCE and the client as a real one does; `spoil` lets a test make its id tokens wrong.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "console", "the client's secret"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """The provider; `claims` are what it says of whoever signs in."""

    claims: dict[str, Any] = field(default_factory=dict)
    spoil: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    algorithm: str = "RS256"
    key: Any = field(default_factory=new_key)
    key_id: str = "first"
    signing: Any = ...  # what id tokens are signed with; the key, unless a test says otherwise
    url: str = ""
    waiting: dict[str, dict[str, str]] = field(default_factory=dict)
    key_requests: int = 0

    def approve(self, address: str) -> str:
        """The person consents: where the browser is sent back to."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(8)
        self.waiting[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._describe)
        app.router.add_get("/keys", self._keys)
        app.router.add_post("/token", self._token)
        return app

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.json_response({
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
        })  # fmt: skip

    async def _keys(self, _request: web.Request) -> web.Response:
        self.key_requests += 1
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return web.json_response({"keys": [public | {"kid": self.key_id, "use": "sig"}]})

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.waiting.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = asked is not None and (
            challenge == asked["code_challenge"]
            and form["redirect_uri"] == asked["redirect_uri"]
            and (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        )
        if asked is None or not fits:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT_ID, "sub": "u1", "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **self.claims,
        }  # fmt: skip
        token = jwt.encode(
            self.spoil(claims),
            self.key if self.signing is ... else self.signing,
            self.algorithm,
            headers={"kid": self.key_id},
        )
        return web.json_response({"id_token": token, "access_token": "x", "token_type": "Bearer"})


@asynccontextmanager
async def issuer_at(**told: Any) -> AsyncIterator[Issuer]:
    """A provider that runs."""
    issuer = Issuer(**told)
    async with TestServer(issuer.application()) as server:
        issuer.url = str(server.make_url("/")).rstrip("/")
        yield issuer
