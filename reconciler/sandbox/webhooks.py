"""Owns webhooks: events of what changed, signed and sent, and sent again until answered 200.

CloudEvents arrays are the current body, the legacy body is a switch (blogs.intuit.com 2025-11-12,
"Upcoming change to webhooks payload structure"). The signature is base64(HMAC-SHA256(raw body,
verifier token)) in `intuit-signature`; an answer is due in 3 s, retries follow Intuit's intervals.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import logging
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from reconciler.sandbox.clock import Clock
from reconciler.sandbox.exact import encode
from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.replay import Remembered
from reconciler.sandbox.unit import Change, Commit

RETRY_SECONDS = (10, 20, 30, 300, 1_200, 7_200, 14_400, 21_600)
ANSWER_SECONDS = 3.0
MAX_EVENTS = 100  # in one POST
SIGNATURE = "intuit-signature"
_PAST = {
    "Create": "created",
    "Update": "updated",
    "Delete": "deleted",
    "Void": "voided",
    "Merge": "merged",
    "Emailed": "emailed",
}
_SILENT = frozenset({"TaxRate", "CompanyInfo"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One change as a webhook tells it."""

    event_id: str
    realm: str
    entity: str
    row_id: str
    operation: str
    at: float


@dataclass(slots=True)
class Subscription:
    """Where events go, and the token their signature is made with."""

    url: str
    verifier_token: str
    realms: frozenset[str] = frozenset()  # empty: all
    format: str = ""  # empty: as the realm's switch says
    waiting: deque[Event] = field(default_factory=deque)
    failures: int = 0
    retry_at: float = 0.0
    delivered: int = 0


class Webhooks:
    """Subscriptions and their queues; `deliver` sends what is due."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.subscriptions: list[Subscription] = []
        self.format_of: dict[str, str] = {}
        self.due = asyncio.Event()
        self._sending = asyncio.Lock()

    def heard(self, realm: Realm, commit: Commit, _key: str, answer: Remembered | None) -> None:
        """Queue the events of a commit (a listener of every realm)."""
        if not self.subscriptions:
            return
        switches = realm.company.switches
        self.format_of[realm.company.realm] = switches.webhook_format
        if answer is not None and not switches.webhook_echo:
            return
        for change in commit.changes:
            if change.entity not in _SILENT:
                self._queue(realm.company.realm, change, switches.webhook_duplicates)
        self.due.set()

    def _queue(self, realm: str, change: Change, twice: bool) -> None:
        event = Event(
            str(uuid.uuid4()), realm, change.entity, change.row_id, change.operation, change.at
        )
        for held in self.subscriptions:
            if not held.realms or realm in held.realms:
                held.waiting.extend([event, event] if twice else [event])

    async def deliver(self, session: aiohttp.ClientSession) -> int:
        """Send everything due now; returns how many events were acknowledged."""
        delivered = 0
        async with self._sending:
            for held in tuple(self.subscriptions):
                while held.waiting and held.retry_at <= self.clock.now():
                    sent = await self._send(session, held)
                    if not sent:
                        break
                    delivered += sent
        return delivered

    async def _send(self, session: aiohttp.ClientSession, held: Subscription) -> int:
        legacy = (held.format or self.format_of.get(held.waiting[0].realm, "")) == "legacy"
        events = [held.waiting[one] for one in range(min(MAX_EVENTS, len(held.waiting)))]
        body = encode(legacy_body(events) if legacy else cloud_events(events))
        headers = {
            "Content-Type": "application/json" if legacy else "application/cloudevents-batch+json",
            SIGNATURE: sign(body, held.verifier_token),
            "User-Agent": "intuit_notification_client",
        }
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with session.post(
                held.url, data=body, headers=headers, timeout=timeout
            ) as answer:
                accepted = answer.status == 200
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.info("webhook to %s failed: %r", held.url, error)
            accepted = False
        if not accepted:
            wait = RETRY_SECONDS[min(held.failures, len(RETRY_SECONDS) - 1)]
            held.failures += 1
            held.retry_at = self.clock.now() + wait
            return 0
        for _ in events:
            held.waiting.popleft()
        held.failures = 0
        held.delivered += len(events)
        return len(events)

    async def run(self) -> None:
        """Deliver as events come and retries fall due, until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.due.wait(), timeout=1.0)
                self.due.clear()
                await self.deliver(session)


def sign(body: bytes, verifier_token: str) -> str:
    """The value of `intuit-signature`."""
    digest = hmac.new(verifier_token.encode(), body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def cloud_events(events: list[Event]) -> list[dict[str, Any]]:
    """The current body: an array that may mix realms."""
    return [
        {
            "specversion": "1.0",
            "id": one.event_id,
            "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
            "type": f"qbo.{ENTITIES[one.entity].path}.{_PAST[one.operation]}.v1",
            "datacontenttype": "application/json",
            "time": _utc(one.at),
            "intuitentityid": one.row_id,
            "intuitaccountid": one.realm,
            "data": {},
        }
        for one in events
    ]


def legacy_body(events: list[Event]) -> dict[str, Any]:
    """The body of before CloudEvents: one notification per realm."""
    by_realm: dict[str, list[dict[str, str]]] = {}
    for one in events:
        by_realm.setdefault(one.realm, []).append(
            {
                "name": one.entity,
                "id": one.row_id,
                "operation": one.operation,
                "lastUpdated": _utc(one.at),
            }
        )
    return {
        "eventNotifications": [
            {"realmId": realm, "dataChangeEvent": {"entities": entities}}
            for realm, entities in by_realm.items()
        ]
    }


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
