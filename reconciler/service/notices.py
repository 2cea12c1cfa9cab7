"""Receives QuickBooks's webhooks: POST /quickbooks/webhooks on the service's HTTP server.

A genuine notification only says that a company must be looked at; what changed is then read with
one sweep. It is answered within Intuit's three seconds, and one that never comes is made up for by
the regular sweeps (developer.intuit.com, webhooks, best practices, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import structlog
from aiohttp import web

from reconciler.dispatch.drift import WATCHED
from reconciler.quickbooks.webhooks import (
    SIGNATURE_HEADER,
    Notification,
    UnreadableNotification,
    is_genuine,
    read_notifications,
)

_log = structlog.get_logger("reconciler.notices")

PATH = "/quickbooks/webhooks"

Noticed = Callable[[set[str]], Awaitable[None]]


def add_webhooks(app: web.Application, verifier_token: str, noticed: Noticed) -> None:
    """Add the route; *noticed* gets the realm ids of companies to be looked at.

    Without a verifier token every call is refused: anybody could make it.
    """

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        signature = request.headers.get(SIGNATURE_HEADER, "")
        if not verifier_token or not is_genuine(body, signature, verifier_token):
            return web.Response(status=401, text="the signature does not fit")
        try:
            realms = realms_to_look_at(read_notifications(body))
        except UnreadableNotification as error:
            _log.error("webhook not understood", error=str(error))
            return web.Response()  # it would only come again; the next sweep finds what it said
        if realms:
            await noticed(realms)
        return web.Response()

    app.router.add_post(PATH, receive)


def realms_to_look_at(notifications: Iterable[Notification]) -> set[str]:
    """Companies in which something changed that we hold a copy of.

    A new transaction is either our own or nobody's business; an e-mail changes nothing.
    """
    return {
        one.realm_id
        for one in notifications
        if one.operation != "emailed" and not (one.operation == "create" and one.entity in WATCHED)
    }
