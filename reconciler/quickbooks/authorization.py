"""Talks to Intuit's authorization server: codes, refreshes, revocations; aiohttp.

`reconciler connect` and `tokens.SharedTokens` call it. It never decides when to refresh and
stores nothing; nothing it raises or logs holds a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

import aiohttp
import msgspec
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from reconciler.errors import ConfigurationError, RetryLater
from reconciler.quickbooks import oauth
from reconciler.quickbooks.oauth import OAuthApp, OAuthEndpoints, Tokens
from reconciler.quickbooks.tokens import utc_now

TIMEOUT = aiohttp.ClientTimeout(total=30)
ATTEMPTS = 3
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class AuthorizationServer:
    """Intuit's token and revoke endpoints, for our app."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        app: OAuthApp,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.app = app
        self._session = session
        self._clock = clock

    async def exchange(self, code: str) -> Tokens:
        """The first tokens of a company, for the code its administrator's consent gave."""
        status, body = await self._post(
            self.app.endpoints.token, oauth.exchange_form(self.app, code)
        )
        return oauth.read_tokens(status, body, self._clock())

    async def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token; store them before using them.

        Raises Disconnected (code `invalid_grant`) when the grant is gone, RetryLater when Intuit
        cannot be asked after some attempts. Call it for one company only once at a time.
        """
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(RetryLater),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(0.2, max=2),
            reraise=True,
        )
        return await attempts(self._refresh_once, refresh_token)

    async def _refresh_once(self, refresh_token: str) -> Tokens:
        form = oauth.refresh_form(refresh_token)
        status, body = await self._post(self.app.endpoints.token, form)
        return oauth.read_tokens(status, body, self._clock())

    async def revoke(self, refresh_token: str) -> None:
        """End the grant; an already dead one is no error. Raises RetryLater if unanswered."""
        body = msgspec.json.encode({"token": refresh_token})  # JSON, unlike the token endpoint
        status, _ = await self._post(
            self.app.endpoints.revoke, body, {"Content-Type": "application/json"}
        )
        if status == 429 or status >= 500:
            raise oauth.token_error(status, "")

    async def _post(
        self, url: str, body: dict[str, str] | bytes, headers: Mapping[str, str] = NO_HEADERS
    ) -> tuple[int, bytes]:
        try:
            async with self._session.post(
                url,
                data=body,
                headers={**self.app.headers, **headers},
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Without its cause: aiohttp's errors carry the headers, and so the client secret.
            raise RetryLater(
                message="Intuit's authorization server could not be reached.",
                detail=type(error).__name__,
                retry_after=oauth.RETRY_AFTER,
            ) from None


async def discover(session: aiohttp.ClientSession, url: str = oauth.DISCOVERY) -> OAuthEndpoints:
    """The endpoints that a discovery document names. Raises ConfigurationError."""
    try:
        async with session.get(url, timeout=TIMEOUT) as response:
            return oauth.read_endpoints(await response.read())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        reason = type(error).__name__
        raise ConfigurationError(f"OAuth discovery at {url} failed: {reason}") from error
