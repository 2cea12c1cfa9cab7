"""Connects companies to QuickBooks: consent in a browser, tokens sealed and stored, keys rotated.

`cli` calls `connect`, `disconnect` and `reseal`; `app` takes its tokens from here. A person decides;
nothing here runs by itself. Tokens and codes are never printed.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import webbrowser
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from reconciler.errors import ConfigurationError, QuickBooksError, Refused
from reconciler.quickbooks import oauth
from reconciler.quickbooks.authorization import AuthorizationServer, discover
from reconciler.quickbooks.client import Endpoint, QuickBooks, open_session
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.loading import load_company
from reconciler.quickbooks.oauth import OAuthApp, OAuthEndpoints, Tokens
from reconciler.quickbooks.sealing import Seal
from reconciler.quickbooks.stored_tokens import SealedTokens
from reconciler.quickbooks.tokens import StaticToken
from reconciler.reasons import WORDS, Reason
from reconciler.running.http import serve
from reconciler.settings import Settings
from reconciler.workflows import Company
from store.tokens import TokenRows

CONSENT_SECONDS = 600.0
"""How long a person may take; Intuit's code is then worthless anyway."""

Say = Callable[[str], None]
Ask = Callable[[str], Awaitable[str]]


def sealed_tokens(settings: Settings) -> SealedTokens:
    """Where tokens are stored. Raises ConfigurationError without a key to seal them with."""
    keys = [key.strip() for key in settings.token_keys.get_secret_value().split(",")]
    if not any(keys):
        raise ConfigurationError(
            "RECONCILER_TOKEN_KEYS is empty: make a key with `reconciler new-key` and set it"
        )
    return SealedTokens(TokenRows(settings.direct_dsn), Seal([key for key in keys if key]))


async def authorization_server(
    session: aiohttp.ClientSession, settings: Settings
) -> AuthorizationServer:
    """Intuit's, for the app in the settings. Raises ConfigurationError."""
    secret = settings.quickbooks_client_secret.get_secret_value()
    if not settings.quickbooks_client_id or not secret:
        raise ConfigurationError(
            "RECONCILER_QUICKBOOKS_CLIENT_ID and RECONCILER_QUICKBOOKS_CLIENT_SECRET are needed: "
            "they are on the app's Keys page at developer.intuit.com"
        )
    url = settings.quickbooks_discovery_url
    endpoints = await discover(session, url) if url else OAuthEndpoints()
    app = OAuthApp(
        settings.quickbooks_client_id, secret, settings.quickbooks_redirect_uri, endpoints
    )
    return AuthorizationServer(session, app)


# --- connecting ---------------------------------------------------------------------------------


async def connect(settings: Settings, company: Company, *, paste: bool, say: Say) -> CompanyFacts:
    """Ask an administrator's consent for *company* and store its tokens.

    Raises ConfigurationError when consent is refused or is for another company, and Refused when
    the company is not a US one; the grant is then given back.
    """
    from store.upgrade import upgrade  # imports Alembic, which takes half a second

    store = sealed_tokens(settings)
    await asyncio.to_thread(upgrade, settings.direct_dsn)
    async with open_session() as session:
        server = await authorization_server(session, settings)
        consent = await _consent(server.app, paste=paste, say=say)
        tokens = await server.exchange(consent.code)
        try:
            if consent.realm_id != company.realm_id:
                raise ConfigurationError(
                    f"The company chosen at Intuit has realm id {consent.realm_id}, but "
                    f"{company.name} is {company.realm_id}: choose the other one, or correct "
                    "realm_id in the workflow file."
                )
            facts = await _read_facts(session, settings, company, tokens)
        except BaseException:
            with suppress(QuickBooksError):
                await server.revoke(tokens.refresh_token)
            raise
        async with store.locked(company.realm_id) as row:
            await row.save(tokens)
            await row.connected(company.name)
    return facts


async def _read_facts(
    session: aiohttp.ClientSession, settings: Settings, company: Company, tokens: Tokens
) -> CompanyFacts:
    endpoint = Endpoint(company.realm_id, settings.quickbooks_base_url)
    facts = await load_company(QuickBooks(session, endpoint, StaticToken(tokens.access_token)))
    if not facts.is_supported:
        words = WORDS[Reason.COMPANY_NOT_US]
        sentence = words.sentence.format(
            company=company.name, country=facts.country or "no country"
        )
        raise Refused(message=sentence, remedy=words.fix)
    return facts


async def _consent(app: OAuthApp, *, paste: bool, say: Say) -> oauth.Consent:
    state = secrets.token_urlsafe(24)
    url = oauth.authorize_url(app, state)
    if paste:
        say(f"Open this address, choose the company, and allow the connection:\n\n  {url}\n")
        say("Then paste the whole address that the browser was sent to, and press return:")
        return oauth.read_redirect(await asyncio.to_thread(sys.stdin.readline), state)
    say(f"Choose the company and allow the connection in the browser; if none opens:\n\n  {url}\n")
    return oauth.read_redirect(await _redirected(app.redirect_uri, url), state)


async def _redirected(redirect_uri: str, url: str) -> str:
    """The address the browser comes back with, heard by a server on this machine."""
    where = urlsplit(redirect_uri)
    if where.scheme != "http" or where.hostname not in {"localhost", "127.0.0.1"}:
        raise ConfigurationError(
            f"Nothing here can listen at {redirect_uri}: use --paste, or set "
            "RECONCILER_QUICKBOOKS_REDIRECT_URI to an address on http://localhost"
        )
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def callback(request: web.Request) -> web.Response:
        if not heard.done():
            heard.set_result(str(request.url))
        return web.Response(text="Done: you may close this page and go back to the terminal.")

    application = web.Application()
    application.router.add_get(where.path or "/", callback)
    async with serve(
        application, "127.0.0.1", where.port or 80, setting="RECONCILER_QUICKBOOKS_REDIRECT_URI"
    ):
        await asyncio.to_thread(webbrowser.open, url)
        try:
            async with asyncio.timeout(CONSENT_SECONDS):
                return await heard
        except TimeoutError:
            raise ConfigurationError("No consent came within ten minutes: start again.") from None


# --- the rest -----------------------------------------------------------------------------------


async def disconnect(settings: Settings, company: Company) -> bool:
    """Give the grant back and drop the tokens; False if there were none."""
    store = sealed_tokens(settings)
    async with open_session() as session, store.locked(company.realm_id) as row:
        tokens = await row.read()
        if tokens is None:
            return False
        server = await authorization_server(session, settings)
        await server.revoke(tokens.refresh_token)
        await row.forget("A person disconnected the company: reconciler connect.")
    return True


async def reseal(settings: Settings) -> int:
    """Seal all tokens with the newest key; the older ones may then be removed from the settings."""
    return await sealed_tokens(settings).reseal()
