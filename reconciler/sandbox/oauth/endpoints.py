"""Owns the OAuth endpoints: discovery, consent, token, revocation, and the user's name.

Paths follow Intuit's (developer.intuit.com, OAuth 2.0; read 2026-11) on this server's own address;
plain HTTP needs OAUTHLIB_INSECURE_TRANSPORT=1 in Intuit's Python client. Any client id is an app.
"""

import asyncio
import base64
import binascii
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from reconciler.sandbox import breakage
from reconciler.sandbox.admin import body_of, respond
from reconciler.sandbox.exact import decode
from reconciler.sandbox.oauth.grants import Grants, Tokens
from reconciler.sandbox.world import World

SCOPE = "com.intuit.quickbooks.accounting"
_HARD_EXPIRES = "x-include-refresh-token-hard-expires-in"
_INVALID_GRANT = {
    "error": "invalid_grant",
    "error_description": "Incorrect or invalid refresh token",
}


class OAuth:
    """Handlers of the OAuth endpoints."""

    def __init__(self, world: World, grants: Grants) -> None:
        self.world = world
        self.grants = grants

    def routes(self) -> list[web.RouteDef]:
        """Their routes; the discovery paths with and without the final slash."""
        paths = ("openid_configuration", "openid_sandbox_configuration")
        return [
            *(
                web.get(f"/.well-known/{one}{end}", self.discovery)
                for one in paths
                for end in ("", "/")
            ),
            web.get("/connect/oauth2", self.authorise),
            web.post("/oauth2/v1/tokens/bearer", self.token),
            web.post("/v2/oauth2/tokens/revoke", self.revoke),
            web.get("/v1/openid_connect/userinfo", self.userinfo),
            web.get("/oauth2/v1/keys", self.keys),
            web.post("/admin/oauth/{realm}/token", self.admin_token),
            web.post("/admin/oauth/{realm}/revoke", self.admin_revoke),
        ]

    async def discovery(self, request: web.Request) -> web.Response:
        """The discovery document."""
        base = f"{request.scheme}://{request.host}"
        return respond(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/connect/oauth2",
                "token_endpoint": f"{base}/oauth2/v1/tokens/bearer",
                "userinfo_endpoint": f"{base}/v1/openid_connect/userinfo",
                "revocation_endpoint": f"{base}/v2/oauth2/tokens/revoke",
                "jwks_uri": f"{base}/oauth2/v1/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": [SCOPE, "openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "client_secret_basic",
                ],
                "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
            }
        )

    async def authorise(self, request: web.Request) -> web.StreamResponse:
        """The consent page; with `realm=` (or one company only) the answer is the redirect."""
        asked = request.query
        target = asked.get("redirect_uri", "")
        if asked.get("response_type") != "code" or not asked.get("client_id") or not target:
            return web.Response(status=400, text="invalid_request")
        if SCOPE not in asked.get("scope", ""):
            return _redirect(target, {"error": "invalid_scope", "state": asked.get("state", "")})
        if asked.get("deny"):
            return _redirect(target, {"error": "access_denied", "state": asked.get("state", "")})
        realm = asked.get("realm") or self._only_realm()
        if realm not in self.world.realms:
            return self._choices(request)
        code = self.grants.issue_code(realm, asked["client_id"], target)
        return _redirect(target, {"code": code, "state": asked.get("state", ""), "realmId": realm})

    async def token(self, request: web.Request) -> web.StreamResponse:
        """The token endpoint, and what may go wrong with it before or after tokens change."""
        plan = self.world.misfortunes.striking_token()
        if plan is not None and plan.kind == "drop_before_commit":
            return breakage.drop(request)
        if plan is not None and plan.kind in {"status_before_commit", "throttle"}:
            return web.Response(status=429 if plan.kind == "throttle" else plan.status)
        if plan is not None and plan.kind == "delay":
            await asyncio.sleep(plan.seconds)
        answer = await self._grant(request)
        if plan is None or plan.kind == "delay":
            return answer
        if plan.kind == "truncate":
            return await breakage.truncate(request, answer)
        if plan.kind == "status_after_commit":
            return web.Response(status=plan.status)
        return breakage.drop(request)

    async def _grant(self, request: web.Request) -> web.Response:
        """Tokens for an authorisation code or a refresh token."""
        client_id = await _client_of(request)
        if client_id is None:
            return respond({"error": "invalid_client"}, 401)
        form = await request.post()
        kind = str(form.get("grant_type", ""))
        if kind == "authorization_code":
            code, target = str(form.get("code", "")), str(form.get("redirect_uri", ""))
            tokens = self.grants.exchange_code(code, client_id, target)
        elif kind == "refresh_token":
            tokens = self.grants.refresh(str(form.get("refresh_token", "")), client_id)
        else:
            return respond({"error": "unsupported_grant_type"}, 400)
        if tokens is None:
            return respond(_INVALID_GRANT, 400)
        return respond(_shown(tokens, _HARD_EXPIRES in request.headers))

    async def revoke(self, request: web.Request) -> web.Response:
        """Revocation, in JSON or as a form."""
        if await _client_of(request) is None:
            return respond({"error": "invalid_client"}, 401)
        data = await request.read()
        if request.content_type == "application/json":
            token = str((decode(data) or {}).get("token", ""))
        else:
            token = str((await request.post()).get("token", ""))
        return respond({}, 200 if self.grants.revoke(token) else 400)

    async def userinfo(self, request: web.Request) -> web.Response:
        """The person who gave consent."""
        token = request.headers.get("Authorization", "").partition(" ")[2]
        if self.grants.of_access_token(token) is None:
            return respond({"error": "invalid_token"}, 401)
        return respond(
            {
                "sub": "1182d6ec-2a1f-4aa3-af3f-bb3b95db45af",
                "givenName": "Sandbox",
                "familyName": "Owner",
                "email": "owner@example.com",
                "emailVerified": True,
            }
        )

    async def keys(self, _: web.Request) -> web.Response:
        """Signing keys of id tokens, which this sandbox doesn't issue."""
        return respond({"keys": []})

    async def admin_token(self, request: web.Request) -> web.Response:
        """Tokens for a realm without consent."""
        realm = self._realm(request)
        body = await body_of(request)
        client_id = str(body.get("client_id", "sandbox"))
        code = self.grants.issue_code(realm, client_id, "")
        tokens = self.grants.exchange_code(code, client_id, "")
        if tokens is None:
            raise web.HTTPInternalServerError
        return respond(_shown(tokens, hard_expiry=True))

    async def admin_revoke(self, request: web.Request) -> web.Response:
        """End all grants for a realm."""
        return respond({"revoked": self.grants.revoke_realm(self._realm(request))})

    def _realm(self, request: web.Request) -> str:
        realm = request.match_info["realm"]
        if realm not in self.world.realms:
            raise web.HTTPNotFound(text="no such realm")
        return realm

    def _only_realm(self) -> str:
        return next(iter(self.world.realms)) if len(self.world.realms) == 1 else ""

    def _choices(self, request: web.Request) -> web.Response:
        rows = "".join(
            f'<li><a href="{escape(str(request.rel_url.update_query(realm=one)))}">'
            f"{escape(one)} ({held.company.country})</a></li>"
            for one, held in self.world.realms.items()
        )
        page = f"<!doctype html><title>Connect</title><h1>Choose a company</h1><ul>{rows}</ul>"
        return web.Response(text=page, content_type="text/html")


def _redirect(target: str, fields: dict[str, str]) -> web.Response:
    joint = "&" if "?" in target else "?"
    return web.Response(status=302, headers={"Location": f"{target}{joint}{urlencode(fields)}"})


async def _client_of(request: web.Request) -> str | None:
    """The client id of HTTP Basic, or of the form where there is no such header (RFC 6749, 2.3.1)."""
    if "Authorization" in request.headers:
        return _client_id(request.headers["Authorization"])
    form = await request.post()
    client_id, secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
    return client_id if client_id and secret else None


def _client_id(authorization: str) -> str | None:
    """The client id of HTTP Basic; None when it is missing or has no secret."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return client_id if client_id and secret else None


def _shown(tokens: Tokens, hard_expiry: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "access_token": tokens.access_token,
        "token_type": "bearer",
        "expires_in": tokens.expires_in,
        "refresh_token": tokens.refresh_token,
        "x_refresh_token_expires_in": tokens.refresh_expires_in,
    }
    if hard_expiry:
        shown["x_refresh_token_hard_expires_in"] = tokens.hard_expires_in
    return shown
