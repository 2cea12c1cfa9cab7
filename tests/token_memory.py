"""A company's tokens in memory, for several `SharedTokens` that share them as processes would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from reconciler.quickbooks.oauth import Tokens
from reconciler.quickbooks.tokens import LockedTokens


class MemoryStore:
    """A TokenStore of one company."""

    def __init__(self, stored: Tokens | None) -> None:
        self.stored = stored
        self._lock = asyncio.Lock()

    def locked(self, realm_id: str) -> AbstractAsyncContextManager[LockedTokens]:  # noqa: ARG002
        return self._hold()

    @asynccontextmanager
    async def _hold(self) -> AsyncIterator[LockedTokens]:
        async with self._lock:
            yield self

    async def read(self) -> Tokens | None:
        return self.stored

    async def save(self, tokens: Tokens) -> None:
        self.stored = tokens
