"""Owns the admin routes of webhooks: subscribe, list, clear, and deliver now."""

import aiohttp
import msgspec
from aiohttp import web

from reconciler.sandbox.admin import respond
from reconciler.sandbox.webhooks import Subscription, Webhooks


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A subscription as asked for."""

    url: str
    verifier_token: str
    realms: list[str] = []
    format: str = ""  # "cloudevents", "legacy", or as the switch says


class WebhookAdmin:
    """Handlers of `/admin/webhooks`."""

    def __init__(self, webhooks: Webhooks) -> None:
        self.webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        """Its routes."""
        return [
            web.get("/admin/webhooks", self.shown),
            web.post("/admin/webhooks", self.subscribe),
            web.delete("/admin/webhooks", self.clear),
            web.post("/admin/webhooks/flush", self.flush),
        ]

    async def shown(self, _: web.Request) -> web.Response:
        """All subscriptions with what waits."""
        return respond(
            [
                {
                    "url": one.url,
                    "realms": sorted(one.realms),
                    "waiting": len(one.waiting),
                    "failures": one.failures,
                    "delivered": one.delivered,
                }
                for one in self.webhooks.subscriptions
            ]
        )

    async def subscribe(self, request: web.Request) -> web.Response:
        """Add a subscription."""
        try:
            wanted = msgspec.json.decode(await request.read(), type=Wanted)
        except msgspec.DecodeError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        self.webhooks.subscriptions.append(subscription(wanted))
        return respond({}, 201)

    async def clear(self, _: web.Request) -> web.Response:
        """Remove all subscriptions."""
        self.webhooks.subscriptions.clear()
        return respond({})

    async def flush(self, _: web.Request) -> web.Response:
        """Deliver what is due before answering."""
        async with aiohttp.ClientSession() as session:
            return respond({"delivered": await self.webhooks.deliver(session)})


def subscription(wanted: Wanted) -> Subscription:
    """A subscription of what was asked for."""
    return Subscription(wanted.url, wanted.verifier_token, frozenset(wanted.realms), wanted.format)
