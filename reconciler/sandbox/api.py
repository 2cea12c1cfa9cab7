"""Owns the HTTP side of `/v3/company/{realm}/…`: gate, misfortunes, answer, counters.

What must be able to go wrong on a network goes wrong here: answers are lost, late, cut or replaced
before or after the books have changed.
"""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from reconciler.sandbox import breakage, gate
from reconciler.sandbox.answers import JSON, XML, Answer, as_xml, fault_answer
from reconciler.sandbox.call import METERED, Call, perform
from reconciler.sandbox.faults import Error, Fault, duplicate_request, system
from reconciler.sandbox.misfortunes import Plan
from reconciler.sandbox.oauth.grants import Grants
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.world import World

_BEFORE = frozenset(
    {
        "throttle",
        "expired_token",
        "revoked_grant",
        "status_before_commit",
        "fault",
        "drop_before_commit",
    }
)
_log = logging.getLogger(__name__)
_HTML = b"<html><head><title>Service Unavailable</title></head><body>Try later</body></html>"


@dataclass(slots=True)
class Api:
    """The Accounting API of all realms."""

    world: World
    grants: Grants
    _tid: str = field(default_factory=lambda: f"1-{secrets.token_hex(4)}-")
    _serial: "itertools.count[int]" = field(default_factory=itertools.count)
    _in_work: dict[tuple[str, str], asyncio.Event] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path = tuple(part for part in request.match_info["tail"].split("/") if part)
        call = Call(request.method, path, request.query, request.content_type, await request.read())
        realm_id = request.match_info["realm"]
        refused = gate.admit(
            self.world, self.grants, realm_id, request.headers.get("Authorization", "")
        )
        if refused is not None or not path:
            return self._respond(request, refused or gate.unauthorised(self.world.clock.now()))
        realm = self.world.realms[realm_id]
        limited = self._limit(realm, call)
        if limited is not None:
            return self._respond(request, limited)
        with realm.limits.working():
            return await self._work(request, realm, call)

    def _limit(self, realm: Realm, call: Call) -> Answer | None:
        switches, now = realm.company.switches, self.world.clock.now()
        if realm.limits.admits(switches, call.is_batch):
            return None
        realm.counts.throttled += 1
        realm.counts.count("batch" if call.is_batch else "throttled", switches.throttle_status)
        return gate.throttled(switches, now)

    async def _work(self, request: web.Request, realm: Realm, call: Call) -> web.StreamResponse:
        broken: Fault | None = None
        try:
            call.parse()
        except Fault as fault:
            broken = fault
        subjects = call.subjects() if broken is None else [(call.path[0], "update")]
        operation = subjects[0][1]
        plans = self.world.misfortunes.striking(realm.company.realm, subjects)
        realm.counts.struck += len(plans)
        for plan in plans:
            if plan.kind == "delay" and plan.phase == "before":
                async with self._held_in_work(realm, call):
                    await asyncio.sleep(plan.seconds)
            elif plan.kind == "reset" and plan.phase == "before":
                return breakage.reset(request)
            elif plan.kind in _BEFORE:
                return self._before(request, realm, plan)
        answer = await self._answer(realm, call, operation, broken)
        realm.counts.count(operation, answer.status)
        if answer.code:
            realm.counts.faults[answer.code] += 1
        return await self._after(request, plans, answer)

    def _before(self, request: web.Request, realm: Realm, plan: Plan) -> web.StreamResponse:
        """A misfortune before anything is done."""
        now, switches = self.world.clock.now(), realm.company.switches
        if plan.kind == "drop_before_commit":
            return breakage.drop(request)
        if plan.kind == "throttle":
            return self._respond(request, gate.throttled(switches, now))
        if plan.kind == "revoked_grant":
            self.grants.revoke_realm(realm.company.realm)
        if plan.kind in {"expired_token", "revoked_grant"}:
            self.grants.expire_access(realm.company.realm)
            return self._respond(request, gate.unauthenticated(switches, now))
        if plan.kind == "fault":
            fault = Fault(Error(plan.code, plan.message, plan.detail))
            status = plan.status if plan.status != 500 else 400
            return self._respond(request, fault_answer(fault, now, status))
        return self._respond(request, _failure(plan.status, now))

    async def _after(
        self, request: web.Request, plans: list[Plan], answer: Answer
    ) -> web.StreamResponse:
        """A misfortune on the way back, when the books have changed already."""
        for plan in plans:
            if plan.kind == "delay" and plan.phase == "after":
                await asyncio.sleep(plan.seconds)
            elif plan.kind == "drop_after_commit":
                return breakage.drop(request)
            elif plan.kind == "reset":
                return breakage.reset(request)
            elif plan.kind == "truncate":
                return await breakage.truncate(request, self._respond(request, answer))
            elif plan.kind == "status_after_commit":
                return self._respond(request, _failure(plan.status, self.world.clock.now()))
            elif plan.kind == "wrong_content_type":
                return self._respond(request, Answer(200, _HTML, "text/html"))
        return self._respond(request, answer)

    async def _answer(
        self, realm: Realm, call: Call, operation: str, broken: Fault | None
    ) -> Answer:
        switches = realm.company.switches
        try:
            gate.check_company(realm)
            if broken is not None:
                raise broken
            if operation in METERED and not realm.limits.admits_read(switches):
                realm.counts.throttled += 1
                return gate.throttled(switches, self.world.clock.now())
            await self._wait_for_twin(realm, call)
            answer = perform(realm, call, self._spoiler(realm))
        except Fault as fault:
            status = switches.fault_status if fault.status == 400 else fault.status
            return fault_answer(fault, self.world.clock.now(), status)
        except Exception:  # an error of the sandbox looks like one of QuickBooks's own
            _log.exception("%s %s failed", call.method, "/".join(call.path))
            return fault_answer(system(), self.world.clock.now(), 500)
        if operation in METERED:
            realm.counts.metered_reads += 1
            realm.limits.count_read()
        return answer

    def _spoiler(self, realm: Realm) -> Callable[[str, str], None]:
        def spoil(entity: str, operation: str) -> None:
            plan = self.world.misfortunes.striking_item(realm.company.realm, (entity, operation))
            if plan is not None:
                raise Fault(Error(plan.code, plan.message, plan.detail))

        return spoil

    def _held_in_work(self, realm: Realm, call: Call) -> "_InWork":
        key = (realm.company.realm, call.request_id)
        return _InWork(self._in_work, key if call.request_id else None)

    async def _wait_for_twin(self, realm: Realm, call: Call) -> None:
        """While the same requestid is in work: 600, or wait for its answer and repeat it."""
        twin = self._in_work.get((realm.company.realm, call.request_id))
        if twin is None or not call.request_id:
            return
        if realm.company.switches.concurrent_requestid == "600":
            raise Fault(duplicate_request(call.request_id))
        await twin.wait()

    def _respond(self, request: web.Request, answer: Answer) -> web.Response:
        accepts = request.headers.get("Accept", "")
        if JSON not in accepts and answer.content_type == JSON:
            answer = as_xml(answer)
        headers = {"intuit_tid": f"{self._tid}{next(self._serial):x}", "QBO-Version": "1965.214"}
        if answer.retry_after is not None:
            headers["Retry-After"] = str(answer.retry_after)
        kind = answer.content_type
        headers["Content-Type"] = f"{kind};charset=UTF-8" if kind in {JSON, XML} else kind
        return web.Response(status=answer.status, body=answer.body, headers=headers)


class _InWork:
    """Marks a requestid as being worked on, so that a twin can see it."""

    def __init__(
        self, held: dict[tuple[str, str], asyncio.Event], key: tuple[str, str] | None
    ) -> None:
        self._held = held
        self._key = key
        self._event = asyncio.Event()

    async def __aenter__(self) -> None:
        if self._key is not None:
            self._held.setdefault(self._key, self._event)

    async def __aexit__(self, *_: object) -> None:
        if self._key is not None and self._held.get(self._key) is self._event:
            del self._held[self._key]
            self._event.set()


def _failure(status: int, at: float) -> Answer:
    """A system failure: 500 as a fault, gateway statuses as the proxy's HTML."""
    if status in {502, 503, 504}:
        return Answer(status, _HTML, "text/html", code=str(status))
    error = Error(
        "10000",
        "An application error has occurred while processing your request",
        "System Failure Error: planned by the admin API",
    )
    return fault_answer(Fault(error, kind="SystemFault"), at, status)
