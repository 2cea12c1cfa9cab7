"""How people get in and out: the password form, the identity provider, log-out.

The routes are open; `protect` has already checked origin and token of the forms. Each log-in begins
a new session and leaves an audit entry; failures are logged and slowed down.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict

import msgspec
import structlog
from aiohttp import web

from reconciler.console.access import Access, ByPassword, ByProvider, ByProxy
from reconciler.console.context import (
    BASE,
    PERSON,
    SESSION,
    console_of,
    local_path,
    notice,
    remember,
    see_other,
)
from reconciler.console.oidc import Attempt, SignInFailed
from reconciler.console.people import Person, Role
from reconciler.console.rendering import render

_log = structlog.get_logger("reconciler.console")
_A_FEW = asyncio.Semaphore(2)
"""Hashing takes 16 MiB and a core: no flood of log-ins may take them all."""

_MODES: dict[type[Access], str] = {
    ByPassword: "password",
    ByProxy: "proxy",
    ByProvider: "provider",
}


async def login(request: web.Request) -> web.Response:
    """The log-in page."""
    if request.get(PERSON) is not None:
        return see_other(local_path(request.query.get("next", "")))
    return await _page(request, "")


async def _page(request: web.Request, problem: str, status: int = 200) -> web.Response:
    mode = _MODES.get(type(console_of(request).access), "none")
    following = local_path(request.query.get("next", ""))
    return await render(
        request, "login.html", status=status, mode=mode, problem=problem, following=following
    )


async def login_form(request: web.Request) -> web.Response:
    """Check name and password."""
    console = console_of(request)
    if not isinstance(console.access, ByPassword):
        raise web.HTTPNotFound(text="There is no password to log in with.")
    form = await request.post()
    name, password = str(form.get("name", "")).strip(), str(form.get("password", ""))
    address = request.remote or ""
    now = time.monotonic()
    wait = console.throttle.attempt(address, now)
    if wait > 0:
        problem = f"Too many failed attempts. Try again in {int(wait / 60) + 1} min."
        return await _page(request, problem, status=429)
    role = await _role(console.access, password)
    if role is None or not name:
        _log.warning("console log-in failed", address=address)
        missing = "Please tell your name: it goes into the audit log."
        return await _page(request, "That is not the password." if role is None else missing, 401)
    console.throttle.succeeded(address, now)
    await _begin(request, Person(name[:80], role), console.access.granted_on, "password")
    return see_other(local_path(str(form.get("next", ""))))


async def _role(access: ByPassword, password: str) -> Role | None:
    hashes = [(access.operator, Role.OPERATOR)]
    if access.viewer is not None:
        hashes.append((access.viewer, Role.VIEWER))
    async with _A_FEW:
        for known, role in hashes:
            if await asyncio.to_thread(known.matches, password):
                return role
        return None


async def sign_in(request: web.Request) -> web.Response:
    """Send the browser to the identity provider."""
    console = console_of(request)
    if not isinstance(console.access, ByProvider):
        raise web.HTTPNotFound(text="There is no identity provider to sign in at.")
    attempt = Attempt.new(f"{console.origin(request)}{BASE}/signed-in")
    kept = {**asdict(attempt), "next": local_path(request.query.get("next", ""))}
    try:
        address = await console.access.provider.address(attempt)
    except SignInFailed as error:
        return await _page(request, str(error), status=502)
    remember(request, msgspec.structs.replace(request[SESSION], sign_in=kept))
    return see_other(address)


async def signed_in(request: web.Request) -> web.Response:
    """The browser comes back from the identity provider."""
    console = console_of(request)
    kept = dict(request[SESSION].sign_in)
    if not isinstance(console.access, ByProvider) or not kept:
        return see_other(f"{BASE}/login")
    remember(request, msgspec.structs.replace(request[SESSION], sign_in={}))  # good for one answer
    following = kept.pop("next")
    try:
        identity = await console.access.provider.identity(Attempt(**kept), request.query)
    except SignInFailed as error:
        _log.warning("console sign-in failed", error=str(error))
        return await _page(request, str(error), status=401)
    role = console.access.grants.role(identity.groups)
    if role is None:
        _log.warning("console sign-in without a role", name=identity.name)
        problem = f"{identity.name} is in no group that may use this console."
        return await _page(request, problem, status=403)
    await _begin(request, Person(identity.name, role), console.access.granted_on, "provider")
    return see_other(local_path(following))


async def _begin(request: web.Request, person: Person, granted_on: str, how: str) -> None:
    console = console_of(request)
    remember(request, console.sessions.new(console.clock(), person, granted_on))
    await console.operator.note("log in", "console", {"how": how, "role": person.role}, person.name)


async def logout(request: web.Request) -> web.Response:
    """End the session."""
    console = console_of(request)
    remember(request, console.sessions.new(console.clock()))
    notice(request, "You are logged out.")
    return see_other(f"{BASE}/login")
