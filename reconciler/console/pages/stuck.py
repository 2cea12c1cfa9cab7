"""What is stuck: blocked documents by cause, with the fix; waiting ones, with what they wait for."""

from __future__ import annotations

from aiohttp import web

from reconciler.console.context import console_of
from reconciler.console.rendering import render
from reconciler.model import DocumentState


async def blocked(request: web.Request) -> web.Response:
    """Blocked documents by company, reason and cause."""
    groups = await console_of(request).operator.blocked_groups(DocumentState.BLOCKED)
    return await render(request, "blocked.html", groups=groups)


async def waiting(request: web.Request) -> web.Response:
    """Waiting documents likewise."""
    groups = await console_of(request).operator.blocked_groups(DocumentState.WAITING)
    return await render(request, "waiting.html", groups=groups)
