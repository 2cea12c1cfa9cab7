"""Turns views into HTML: the Jinja2 environment with its filters, and the static files.

Everything is escaped unless it is markup made here. Handlers call `render`; `protect` calls
`error_page`.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from reconciler.console import words
from reconciler.console.access import ByPassword, ByProvider
from reconciler.console.context import BASE, PERSON, SESSION, console_of, remember
from reconciler.model import Action, DocumentState, ObjectType

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
STATIC = {
    entry.name: entry.read_bytes() for entry in (files("reconciler.console") / "static").iterdir()
}


def static_path(name: str) -> str:
    """Address of a static file; it changes with the content, so browsers may keep it."""
    return f"{BASE}/static/{name}?v={hashlib.sha256(STATIC[name]).hexdigest()[:12]}"


async def static(request: web.Request) -> web.Response:
    """Serve a static file; there is nothing else in that folder."""
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound(text="There is no such file.")
    return web.Response(
        body=STATIC[name],
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
        content_type=_TYPES[name.rpartition(".")[2]],
        charset="utf-8",
    )


def link(path: str, /, **query: object) -> str:
    """A path of the console with those parameters that are set."""
    wanted = {name: value for name, value in query.items() if value not in ("", None)}
    told = urlencode(wanted, doseq=True)
    return f"{BASE}{path}" + (f"?{told}" if told else "")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reconciler.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=words.ago,
        amount=words.amount,
        clock=words.clock,
        day=words.day,
        instant=words.instant,
        plain=words.plain,
        size=words.size,
        time=words.time,
        visible=words.visible,
    )
    environment.globals.update(
        Action=Action, DocumentState=DocumentState, ObjectType=ObjectType, link=link,
        plural=words.plural, state_words=words.STATES, static_path=static_path,
    )  # fmt: skip
    return environment


_environment_ = _environment()


async def render(
    request: web.Request, template: str, *, status: int = 200, **context: Any
) -> web.Response:
    """A page; a notice of the session is shown with it, once."""
    console = console_of(request)
    session, person = request[SESSION], request.get(PERSON)
    if session.notice:
        remember(request, msgspec.structs.replace(session, notice=""))
    stuck = await console.stuck() if person is not None else None
    body = _environment_.get_template(template).render(
        here=request.path.removeprefix(BASE),
        path_qs=request.path_qs,
        query=request.query,
        csrf=session.csrf,
        notice=session.notice,
        person=person,
        stuck=stuck,
        now=console.clock(),
        can_log_out=isinstance(console.access, ByPassword | ByProvider),
        **context,
    )
    return web.Response(text=body, content_type="text/html", status=status)


async def error_page(request: web.Request, status: int, text: str) -> web.Response:
    """A page for what went wrong, without anything from the ledger."""
    title = {401: "Log in again", 403: "Not allowed", 404: "Not found"}.get(status, "Trouble")
    person = request.get(PERSON)
    body = _environment_.get_template("error.html").render(
        here="", path_qs="", query={}, csrf="", notice="", stuck=None, person=person,
        can_log_out=False,
        status=status, title=title, text=text,
    )  # fmt: skip
    return web.Response(text=body, content_type="text/html", status=status)
