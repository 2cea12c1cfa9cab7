"""Access tokens for one company: where the client gets them, and who may renew them.

`client.QuickBooks` asks a `TokenSource`. `SharedTokens` renews for any number of processes that
share a `TokenStore`: Intuit changes the refresh token about once a day and kills the old value, so
two processes that refresh at once, or one that does not store what it got, lose the company
(python-quickbooks issues 282, 397; oauth-jsclient 138). It knows neither HTTP nor Postgres.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from reconciler.errors import Disconnected, RetryLater
from reconciler.quickbooks.oauth import Tokens


def utc_now() -> datetime:
    """The wall clock; tests pass another."""
    return datetime.now(UTC)


REFRESH_MARGIN = timedelta(minutes=5)
"""An access token is renewed this long before it expires."""


class TokenSource(Protocol):
    """Gives the client a bearer token."""

    async def access_token(self) -> str:
        """A token believed to be valid."""

    async def refresh(self, stale: str) -> str:
        """A token other than `stale`, which QuickBooks has refused.

        Raises Disconnected when the grant is gone and RetryLater when Intuit cannot be asked.
        """


class StaticToken:
    """One token that is never renewed: for a sandbox that accepts any."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def access_token(self) -> str:
        """The token."""
        return self._token

    async def refresh(self, stale: str) -> str:  # noqa: ARG002 - as TokenSource has it
        """Raises Disconnected: there is no other token."""
        raise Disconnected(
            message="QuickBooks does not accept the configured access token.",
            remedy="Configure another token, or connect the company with OAuth.",
        )


class LockedTokens(Protocol):
    """A company's stored tokens while nobody else may change them."""

    async def read(self) -> Tokens | None:
        """The tokens as stored now, None if the company was never connected."""

    async def save(self, tokens: Tokens) -> None:
        """Replace them; durable at the latest when the lock is released."""


class TokenStore(Protocol):
    """Where processes share tokens. The lock excludes every other process, also one that hangs
    for a while; one whose process died is released."""

    def locked(self, realm_id: str) -> AbstractAsyncContextManager[LockedTokens]:
        """Wait for the company's lock and hold it."""


class Refresher(Protocol):
    """Exchanges a refresh token for new tokens: `authorization.AuthorizationServer`."""

    async def refresh(self, refresh_token: str) -> Tokens:
        """Raises Disconnected with code `invalid_grant` when the grant is gone."""


class SharedTokens:
    """One company's tokens in this process, renewed by one process at a time."""

    def __init__(
        self,
        realm_id: str,
        store: TokenStore,
        refresher: Refresher,
        clock: Callable[[], datetime] = utc_now,
        margin: timedelta = REFRESH_MARGIN,
    ) -> None:
        self.realm_id = realm_id
        self._margin = margin
        self._store = store
        self._refresher = refresher
        self._clock = clock
        self._held: Tokens | None = None
        self._ended: tuple[str, Disconnected] | None = None
        self._turn = asyncio.Lock()
        self._renewals: set[asyncio.Task[Tokens]] = set()

    async def access_token(self) -> str:
        """The access token, renewed some minutes before it expires.

        If Intuit cannot be asked meanwhile, the old one serves until it does expire.
        """
        held = self._held
        if held is not None and self._is_fresh(held):
            return held.access_token
        try:
            return await self.refresh(held.access_token if held else "")
        except RetryLater:
            if held is not None and held.is_fresh(self._clock(), timedelta(0)):
                return held.access_token
            raise

    async def refresh(self, stale: str) -> str:
        """A token other than `stale`; asks Intuit only if no caller or process has done so yet."""
        async with self._turn:
            if self._held is None or not self._replaces(self._held, stale):
                # Shielded: a refresh token received but not stored would be lost for good.
                self._held = await asyncio.shield(self._renewal(stale))
            return self._held.access_token

    def _renewal(self, stale: str) -> asyncio.Task[Tokens]:
        """A renewal that is held on to, whoever waits for it: the loop itself would not."""
        renewal = asyncio.create_task(self._renew(stale))
        self._renewals.add(renewal)
        renewal.add_done_callback(self._renewals.discard)
        return renewal

    @property
    def renewals(self) -> frozenset[asyncio.Task[Tokens]]:
        """Those under way. Before the process ends they are waited for."""
        return frozenset(self._renewals)

    async def _renew(self, stale: str) -> Tokens:
        async with self._store.locked(self.realm_id) as row:
            stored = await row.read()
            if stored is None:
                raise Disconnected(
                    message="The company is not connected.",
                    remedy="Connect it: reconciler connect.",
                )
            if self._replaces(stored, stale):
                return stored
            if self._ended is not None and self._ended[0] == stored.refresh_token:
                raise self._ended[1]  # Intuit need not be asked about a dead grant again
            return await self._renew_stored(row, stored, stale)

    async def _renew_stored(self, row: LockedTokens, stored: Tokens, stale: str) -> Tokens:
        try:
            renewed = await self._refresher.refresh(stored.refresh_token)
        except Disconnected as error:
            if error.code != "invalid_grant":
                raise
            newer = await row.read()  # a person may have connected it again meanwhile
            if newer is None or newer.refresh_token == stored.refresh_token:
                self._ended = (stored.refresh_token, error)
                raise
            if self._replaces(newer, stale):
                return newer
            renewed = await self._refresher.refresh(newer.refresh_token)
        await row.save(renewed)
        return renewed

    def _replaces(self, tokens: Tokens, stale: str) -> bool:
        return tokens.access_token != stale and self._is_fresh(tokens)

    def _is_fresh(self, tokens: Tokens) -> bool:
        return tokens.is_fresh(self._clock(), self._margin)
