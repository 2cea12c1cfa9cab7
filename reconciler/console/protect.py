"""Stands before every page: who is it, may they, does the form come from us, and safe headers.

Made for an application mounted under its own prefix, so that a new page is protected by being there:
without a person only the log-in is answered, and whatever is not GET needs an operator, our own
origin and the session's token.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import web
from multidict import MultiMapping

from reconciler.console.access import NoLogin, identify
from reconciler.console.context import (
    BASE,
    CHANGED,
    CONSOLE,
    PERSON,
    SESSION,
    Console,
    see_other,
)
from reconciler.console.people import Person
from reconciler.console.rendering import error_page
from reconciler.console.sessions import COOKIE, Session
from reconciler.ports.operator import SearchTooSlow

_log = structlog.get_logger("reconciler.console")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN = frozenset({"static", "login", "login_form", "sign_in", "signed_in"})
"""Names of the routes that need no person."""

FOR_ALL = frozenset({"login_form", "logout"})
"""Names of the routes with forms that a viewer may send too."""

_UNREADABLE = "The address or form holds characters that no page has."

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@web.middleware
async def answer_safely(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors become pages that tell no internals; every answer carries the headers."""
    try:
        if "\0" in request.path or "\0" in request.query_string:
            raise web.HTTPBadRequest(text=_UNREADABLE)
        response = await handler(request)
    except web.HTTPException as error:
        response = await error_page(request, error.status, error.text or error.reason)
    except SearchTooSlow as error:
        response = await error_page(request, 503, str(error))
    except Exception:
        _log.exception("console page failed", path=request.path, method=request.method)
        response = await error_page(request, 500, "The page could not be made; the log says why.")
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    if request.app[CONSOLE].is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


@web.middleware
async def keep_session(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the session from its cookie, or begin one; write it back if it changed."""
    if _route(request) == "static":
        return await handler(request)
    console = request.app[CONSOLE]
    cookie = request.cookies.get(COOKIE, "")
    session = console.sessions.unseal(cookie, console.clock()) if cookie else None
    request[CHANGED] = session is None
    request[SESSION] = session or console.sessions.new(console.clock())
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = await error_page(request, error.status, error.text or error.reason)
    if request[CHANGED]:
        _set_cookie(response, console, request[SESSION])
    return response


def _set_cookie(response: web.StreamResponse, console: Console, session: Session) -> None:
    response.set_cookie(
        COOKIE,
        console.sessions.seal(session),
        path=BASE,
        httponly=True,
        samesite="Lax",
        secure=console.is_secure,
        max_age=int(console.sessions.lasting.total_seconds()),
    )


@web.middleware
async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only people we know get past the log-in."""
    if _route(request) == "static":
        return await handler(request)
    access = request.app[CONSOLE].access
    person = identify(request, request[SESSION], access)
    if person is not None:
        request[PERSON] = person
        return await handler(request)
    if _route(request) in OPEN:
        if isinstance(access, NoLogin):
            raise web.HTTPForbidden(text="Open the console under the address it is served at.")
        return await handler(request)
    if request.method not in ("GET", "HEAD"):
        raise web.HTTPUnauthorized(text="Your session is over. Log in and do it again.")
    return see_other(f"{BASE}/login?next={quote(request.path_qs, safe='')}")


@web.middleware
async def refuse_forged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What changes something must come from our own form, sent by somebody who may."""
    if request.method in ("GET", "HEAD"):
        return await handler(request)
    person: Person | None = request.get(PERSON)
    may_act = person is not None and person.may_act
    if not may_act and _route(request) not in FOR_ALL:
        raise web.HTTPForbidden(text="You may look, but not act: that needs the role operator.")
    if not _is_own_origin(request):
        _log.warning("form from elsewhere refused", path=request.path)
        raise web.HTTPForbidden(text="This form did not come from the console's own pages.")
    form = await _read_form(request)
    sent = form.get("csrf", "")
    if not isinstance(sent, str) or not hmac.compare_digest(
        sent.encode(), request[SESSION].csrf.encode()
    ):
        _log.warning("form without the session's token refused", path=request.path)
        raise web.HTTPForbidden(text="This form is out of date. Go back, reload and try again.")
    return await handler(request)


async def _read_form(request: web.Request) -> MultiMapping[object]:
    """The form; Postgres takes no NUL, so no handler shall see one."""
    try:
        form: MultiMapping[object] = await request.post()
    except ValueError:
        raise web.HTTPBadRequest(text=_UNREADABLE) from None
    if any("\0" in value for value in form.values() if isinstance(value, str)):
        raise web.HTTPBadRequest(text=_UNREADABLE)
    return form


def _is_own_origin(request: web.Request) -> bool:
    """By Origin, or Referer where a browser leaves it out; neither is refused."""
    told = request.headers.get("Origin") or request.headers.get("Referer", "")
    own, given = urlsplit(request.app[CONSOLE].origin(request)), urlsplit(told)
    return bool(given.netloc) and (given.scheme, given.netloc) == (own.scheme, own.netloc)


def _route(request: web.Request) -> str:
    return request.match_info.route.name or ""
