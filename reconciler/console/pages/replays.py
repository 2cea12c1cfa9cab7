"""Replay and backfill: a preview first, then the work with its progress, to be stopped and resumed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from reconciler.console.context import PERSON, Console, console_of
from reconciler.console.pages.asking import Form, acted, number, text
from reconciler.console.past import CommandFailed
from reconciler.console.rendering import render
from reconciler.ports.views import ReplayView

SHARES = {"0.25": "gently, a quarter of the time", "0.5": "half of the time", "1": "at full speed"}
STILL_AFTER = timedelta(seconds=30)
"""One that has not moved for so long does not run any more, wherever it ran."""


async def replays(request: web.Request) -> web.Response:
    """What runs and ran, and the forms for more."""
    console = console_of(request)
    views = await console.operator.replays()
    past, now = console.past, console.clock()
    unfinished = [(view.kind, view.request) for view in views if view.finished_at is None]
    return await render(
        request, "replays.html", views=[(view, standing(console, view, now)) for view in views],
        why_stopped=past.problem, problems=past.problems_of_others(unfinished),
        shares=SHARES, workflows=_workflows(console),
        companies=list(console.operator.workflows.companies),
    )  # fmt: skip


def standing(console: Console, view: ReplayView, now: datetime) -> str:
    """`done`, `here` (this process runs it), `elsewhere`, or `stopped`."""
    if view.finished_at is not None:
        return "done"
    if console.past.runs(view.kind, view.request):
        return "here"
    return "elsewhere" if now - view.updated_at < STILL_AFTER else "stopped"


def _workflows(console: Console) -> list[str]:
    return [each.name for each in console.operator.workflows.workflows if each.enabled]


async def preview(request: web.Request) -> web.Response:
    """What a backfill would create."""
    console = console_of(request)
    if not request[PERSON].may_act:  # it costs a look at every object
        raise web.HTTPForbidden(text="A preview needs the role operator.")
    workflow, company = _what(console, request.query)
    try:
        found, problem = await console.past.preview(workflow, company), ""
    except CommandFailed as error:
        found, problem = None, str(error)
    return await render(
        request, "preview.html", status=200 if found else 422, workflow=workflow,
        company=company, preview=found, problem=problem, shares=SHARES,
    )  # fmt: skip


def _what(console: Console, form: Form) -> tuple[str, str]:
    """A workflow or company, or both, of the file. Raises 400."""
    workflow, company = text(form, "workflow"), text(form, "company")
    known = console.operator.workflows.companies
    if not (workflow or company):
        raise web.HTTPBadRequest(text="Choose a workflow or a company to backfill.")
    if (workflow and workflow not in _workflows(console)) or (company and company not in known):
        raise web.HTTPBadRequest(text="There is no such workflow or company, or it is off.")
    return workflow, company


async def backfill(request: web.Request) -> web.Response:
    """Begin one."""
    form = await request.post()
    workflow, company = _what(console_of(request), form)
    return await _start(request, form, "backfill", {"workflow": workflow, "company": company})


async def replay(request: web.Request) -> web.Response:
    """Begin one."""
    form = await request.post()
    try:
        since, until = _instant(text(form, "since")), _instant(text(form, "until"))
    except ValueError:
        raise web.HTTPBadRequest(text="Write times as 2026-03-31T14:00.") from None
    objects = text(form, "objects").replace(",", " ").split()
    if not all(number(each) for each in objects):
        raise web.HTTPBadRequest(text="HubSpot ids are numbers.")
    asked = {
        "since": since,
        "until": until,
        "offsets": list[str](),
        "objects": objects,
        "workflow": "",
    }
    return await _start(request, form, "replay", asked)


def _instant(written: str) -> str | None:
    """As the command stores it, in UTC. Raises ValueError."""
    return datetime.fromisoformat(written).isoformat(timespec="seconds") if written else None


async def _start(
    request: web.Request, form: Form, kind: str, asked: dict[str, Any]
) -> web.Response:
    share = text(form, "share")
    begun = await console_of(request).past.start(
        kind, asked, share if share in SHARES else "0.25", request[PERSON].name
    )
    told = f"The {kind} begins; it shows below within seconds." if begun else "It runs already."
    return acted(request, form, told)


async def resume(request: web.Request) -> web.Response:
    """Go on with one that was stopped."""
    form = await request.post()
    view = await _chosen(request, form)
    if standing(console_of(request), view, console_of(request).clock()) != "stopped":
        return acted(request, form, "It runs, or is done.")
    return await _start(request, form, view.kind, view.request)


async def stop(request: web.Request) -> web.Response:
    """Interrupt one that runs here; what was done is kept."""
    form = await request.post()
    view = await _chosen(request, form)
    stopped = console_of(request).past.stop(view.kind, view.request)
    told = "It stops; what was done is kept, and it can go on from there."
    return acted(request, form, told if stopped else "It does not run in this process.")


async def _chosen(request: web.Request, form: Form) -> ReplayView:
    wanted = number(form.get("replay", ""))
    views = await console_of(request).operator.replays()
    found = next((view for view in views if view.replay_id == wanted), None)
    if found is None:
        raise web.HTTPNotFound(text="There is no such replay.")
    return found
