"""Puts pages and guards together into one application, to be mounted at `BASE`."""

from __future__ import annotations

from aiohttp import web

from reconciler.console import login
from reconciler.console.context import BASE, CONSOLE, Console, see_other
from reconciler.console.pages import (
    configured,
    dead_letters,
    documents,
    overview,
    replays,
    search,
    stuck,
)
from reconciler.console.protect import answer_safely, keep_session, let_in, refuse_forged
from reconciler.console.rendering import static

_MOST_FORM_BYTES = 256 * 1024


def console_application(console: Console) -> web.Application:
    """The console, every page behind its guards."""
    app = web.Application(
        middlewares=[answer_safely, keep_session, let_in, refuse_forged],
        client_max_size=_MOST_FORM_BYTES,
    )
    app[CONSOLE] = console
    app.on_cleanup.append(_stop_children)
    app.router.add_get("/static/{name}", static, name="static")
    app.router.add_get("/login", login.login, name="login")
    app.router.add_post("/login", login.login_form, name="login_form")
    app.router.add_get("/sign-in", login.sign_in, name="sign_in")
    app.router.add_get("/signed-in", login.signed_in, name="signed_in")
    app.router.add_post("/logout", login.logout, name="logout")
    for path, handler in _PAGES.items():
        app.router.add_get(path, handler)
    for path, handler in _ACTIONS.items():
        app.router.add_post(path, handler)
    return app


async def _stop_children(app: web.Application) -> None:
    await app[CONSOLE].past.close()


_PAGES = {
    "/": overview.overview,
    "/search": search.search,
    "/documents": documents.documents,
    "/documents/{document_id}": documents.document,
    "/objects/{object_type}/{object_id}": documents.source_object,
    "/blocked": stuck.blocked,
    "/waiting": stuck.waiting,
    "/dead-letters": dead_letters.dead_letters,
    "/dead-letters/{dead_letter_id}": dead_letters.dead_letter,
    "/companies": configured.companies,
    "/companies/{realm_id}": configured.company,
    "/workflows": configured.workflows,
    "/replays": replays.replays,
    "/replays/preview": replays.preview,
    "/audit": configured.audit,
}

_ACTIONS = {
    "/retry": documents.retry,
    "/dismiss": documents.dismiss,
    "/write-back": documents.write_back_again,
    "/dead-letters/redrive": dead_letters.redrive,
    "/dead-letters/dismiss": dead_letters.dismiss,
    "/replays/backfill": replays.backfill,
    "/replays/replay": replays.replay,
    "/replays/resume": replays.resume,
    "/replays/stop": replays.stop,
}


def mount(app: web.Application, console: Console) -> None:
    """Add the console to the process's HTTP server; `/` leads to it."""

    async def to_console(_request: web.Request) -> web.Response:
        return see_other(f"{BASE}/")

    app.router.add_get("/", to_console)
    app.router.add_get(BASE, to_console)
    app.add_subapp(f"{BASE}/", console_application(console))
