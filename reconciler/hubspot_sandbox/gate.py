"""Owns who gets an answer: tokens, the limit of calls, and troubles ordered by a test."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Gate:
    """The middleware of every API call; the admin API passes it by.

    `throttled` and `failing` are how many calls to refuse with 429 and 502; `lost` how many to
    carry out without answering; they strike after `passing` calls were let through.
    """

    token: str = ""
    most_per_10s: int = 0
    throttled: int = 0
    failing: int = 0
    lost: int = 0
    passing: int = 0
    policy: str = "TEN_SECONDLY_ROLLING"
    calls: Counter[str] = field(default_factory=Counter)
    _made: deque[float] = field(default_factory=deque)

    async def pass_through(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Refuse, drop or let through."""
        if request.path.startswith(("/admin", "/files", "/oauth")):
            answered: web.StreamResponse = await handler(request)
            return answered
        self.calls[f"{request.method} {request.path}"] += 1
        if not self._authorized(request):
            return refused(401, "INVALID_AUTHENTICATION", "Authentication credentials not found")
        if self.passing:
            self.passing -= 1
            let_through: web.StreamResponse = await handler(request)
            return let_through
        if self._is_over_limit() or self._count_down("throttled"):
            return web.json_response(
                {"status": "error", "message": "You have reached your limit",
                 "errorType": "RATE_LIMIT", "policyName": self.policy},
                status=429, headers={"Retry-After": "1"},
            )  # fmt: skip
        if self._count_down("failing"):
            return web.Response(status=502, text="<html>bad gateway</html>")
        lost = self._count_down("lost")
        response: web.StreamResponse = await handler(request)
        if lost and request.transport is not None:
            request.transport.abort()
        return response

    def _authorized(self, request: web.Request) -> bool:
        if request.path.startswith("/webhooks-journal"):
            return True  # the journal has tokens of its own
        given = request.headers.get("Authorization", "")
        return given == f"Bearer {self.token}" if self.token else given.startswith("Bearer ")

    def _is_over_limit(self) -> bool:
        if not self.most_per_10s:
            return False
        at = time.monotonic()
        while self._made and at - self._made[0] >= 10:
            self._made.popleft()
        if len(self._made) >= self.most_per_10s:
            return True
        self._made.append(at)
        return False

    def _count_down(self, name: str) -> bool:
        left: int = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return left > 0


def refused(status: int, category: str, message: str) -> web.Response:
    """An error in HubSpot's form."""
    body = {"status": "error", "message": message, "category": category, "correlationId": "0"}
    return web.json_response(body, status=status)
