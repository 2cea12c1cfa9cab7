"""Owns the admin API: what a test or a rehearsal needs and Intuit doesn't offer.

GET  /admin/health                            {"status": "ok"}
GET  /admin/companies                         realms with country, currency and counts
POST /admin/companies                         {"realm", "country", "currency", "preferences"?}
GET  /admin/books/{realm}?entities=A,B        full entities by type; removed ones under "Deleted"
GET  /admin/trial-balance/{realm}             balance per account, and "total", always 0
GET  /admin/stats/{realm}; POST …/reset       requests, throttles, batch items, replays, reads
POST /admin/preferences/{realm}               merged into Preferences
GET, POST /admin/switches                     {"switch": value, …, "realm"?}
GET, POST, DELETE /admin/faults[/{id}]        planned misfortunes, see `misfortunes.Plan`
POST /admin/clock                             {"advance_seconds"}
POST /admin/company/{realm}/entities/{Entity} create as a bookkeeper in QuickBooks would
POST /admin/edit/{realm}/{Entity}/{id}        sparse change; /admin/void/… and /admin/delete/… too
GET, POST, DELETE /admin/webhooks             [{"url", "verifier_token", "realms"?}]; …/flush
POST /admin/oauth/{realm}/token               an access and refresh token without consent
POST /admin/oauth/{realm}/revoke              the administrator disconnects the app

A bookkeeper's changes need no token, SyncToken or requestid, aren't throttled, and fire webhooks.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from reconciler.sandbox import reading
from reconciler.sandbox.exact import ZERO, decode, encode, raw
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.misfortunes import Plan
from reconciler.sandbox.preferences import merge_preferences
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.world import World

T = TypeVar("T")


def respond(value: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(status=status, body=encode(value), content_type="application/json")


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request; 400 when it isn't one."""
    data = await request.read()
    try:
        value = decode(data) if data else {}
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    if not isinstance(value, dict):
        raise web.HTTPBadRequest(text="a JSON object is needed")
    return value


def realm_of(world: World, request: web.Request) -> Realm:
    """The realm of the path; 404 when there is none."""
    held = world.realms.get(request.match_info["realm"])
    if held is None:
        raise web.HTTPNotFound(text="no such realm")
    return held


class Admin:
    """Handlers of the admin API."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        """Its routes."""
        return [
            web.get("/admin/health", self.health),
            web.get("/admin/companies", self.companies),
            web.post("/admin/companies", self.add_company),
            web.get("/admin/books/{realm}", self.books),
            web.get("/admin/trial-balance/{realm}", self.trial_balance),
            web.get("/admin/stats/{realm}", self.stats),
            web.post("/admin/stats/{realm}/reset", self.reset_stats),
            web.post("/admin/preferences/{realm}", self.preferences),
            web.get("/admin/switches", self.switches),
            web.post("/admin/switches", self.switch),
            web.get("/admin/faults", self.faults),
            web.post("/admin/faults", self.plan_fault),
            web.delete("/admin/faults", self.clear_faults),
            web.delete("/admin/faults/{id}", self.clear_faults),
            web.post("/admin/clock", self.advance),
        ]

    async def health(self, _: web.Request) -> web.Response:
        """Whether the sandbox is up."""
        return respond({"status": "ok"})

    async def companies(self, _: web.Request) -> web.Response:
        """All companies."""
        return respond([_company(one) for one in self.world.realms.values()])

    async def add_company(self, request: web.Request) -> web.Response:
        """Open a company; 409 when the realm is there already."""
        body = await body_of(request)
        realm_id = str(body.get("realm", ""))
        if not realm_id.isdigit():
            raise web.HTTPBadRequest(text="realm must be digits")
        if realm_id in self.world.realms:
            raise web.HTTPConflict(text="the realm exists")
        realm = self.world.add_realm(
            realm_id, str(body.get("country", "US")), str(body.get("currency", "USD"))
        )
        if isinstance(body.get("preferences"), dict):
            realm.committed(refusing(lambda: merge_preferences(realm.company, body["preferences"])))
        return respond(_company(realm), 201)

    async def books(self, request: web.Request) -> web.Response:
        """Every entity of the books, or of the types asked for."""
        company = realm_of(self.world, request).company
        asked = request.query.get("entities", "")
        names = [one for one in asked.split(",") if one] or list(ENTITIES)
        books: dict[str, Any] = {"Deleted": []}
        for name in names:
            if name == "Deleted":
                continue
            if name not in ENTITIES:
                raise web.HTTPBadRequest(text=f"no entity {name}")
            table = company.tables[name]
            books[name] = [raw(reading.shown_body(company, name, one)) for one in table.rows]
            books["Deleted"].extend(
                {**decode(stub), "entity": name} for stub in table.removed.values()
            )
        return respond(books)

    async def trial_balance(self, request: web.Request) -> web.Response:
        """Balances per account in home currency, debits positive."""
        company = realm_of(self.world, request).company
        balances = company.ledger.trial_balance()
        names = company.tables["Account"].names
        accounts = [
            {"Id": one, "Name": names.get(one, ""), "Balance": balance}
            for one, balance in balances.items()
        ]
        return respond({"accounts": accounts, "total": sum(balances.values(), ZERO)})

    async def stats(self, request: web.Request) -> web.Response:
        """What the realm was asked."""
        realm = realm_of(self.world, request)
        return respond({**realm.counts.shown(), "peaks": realm.limits.peaks})

    async def reset_stats(self, request: web.Request) -> web.Response:
        """Count from zero again."""
        realm = realm_of(self.world, request)
        realm.counts.reset()
        realm.limits.peaks.clear()
        return respond({})

    async def preferences(self, request: web.Request) -> web.Response:
        """Merge preferences; answers with all of them."""
        realm = realm_of(self.world, request)
        body = await body_of(request)
        realm.committed(refusing(lambda: merge_preferences(realm.company, body)))
        return respond(realm.company.preferences)

    async def switches(self, request: web.Request) -> web.Response:
        """The switches of all companies, or of `?realm=`."""
        held = self.world.realms.get(request.query.get("realm", ""))
        shown = held.company.switches if held else self.world.switches
        return respond(msgspec.structs.asdict(shown))

    async def switch(self, request: web.Request) -> web.Response:
        """Change switches."""
        changes = await body_of(request)
        realm_id = str(changes.pop("realm", ""))
        if realm_id and realm_id not in self.world.realms:
            raise web.HTTPNotFound(text="no such realm")
        try:
            return respond(msgspec.structs.asdict(self.world.switch(_floats(changes), realm_id)))
        except msgspec.ValidationError as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    async def faults(self, _: web.Request) -> web.Response:
        """The planned misfortunes with their hits."""
        return respond(self.world.misfortunes.shown())

    async def plan_fault(self, request: web.Request) -> web.Response:
        """Plan a misfortune."""
        try:
            plan = msgspec.convert(_floats(await body_of(request)), Plan)
        except msgspec.ValidationError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return respond({"id": self.world.misfortunes.plan(plan)}, 201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Remove one or all."""
        if not self.world.misfortunes.clear(request.match_info.get("id")):
            raise web.HTTPNotFound(text="no such fault")
        return respond({})

    async def advance(self, request: web.Request) -> web.Response:
        """Move the clock forward."""
        body = await body_of(request)
        self.world.clock.advance(float(body.get("advance_seconds", 0)))
        return respond({"now": self.world.clock.now()})


def _company(realm: Realm) -> dict[str, Any]:
    company = realm.company
    return {
        "realm": company.realm,
        "country": company.country,
        "currency": company.currency,
        "counts": {name: len(table.rows) for name, table in company.tables.items() if table.rows},
    }


def _floats(body: dict[str, Any]) -> dict[str, Any]:
    """Settings are plain numbers, not money."""
    return {
        name: float(value) if hasattr(value, "quantize") else value for name, value in body.items()
    }


def refusing(action: Callable[[], T]) -> T:
    """Run an action of the bookkeeper; a fault becomes HTTP 400."""
    try:
        return action()
    except Fault as fault:
        text = encode({"Fault": fault.body()}).decode()
        raise web.HTTPBadRequest(text=text, content_type="application/json") from fault
