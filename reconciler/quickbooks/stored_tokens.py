"""Tokens at rest: sealed here, kept by the store as bytes it can't read.

`SealedTokens` is the `tokens.TokenStore` of the service and of `reconciler connect`. It decides
nothing: when to refresh is `tokens.SharedTokens`'s business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.errors import ConfigurationError, Disconnected
from reconciler.quickbooks.oauth import Tokens
from reconciler.quickbooks.sealing import Seal


class Row(Protocol):
    """A company's sealed tokens while its lock is held (`store.tokens.LockedRow`)."""

    async def read(self) -> bytes | None: ...
    async def save(self, sealed: bytes, expire_at: datetime) -> None: ...
    async def connected(self, name: str) -> None: ...
    async def forget(self, detail: str) -> None: ...


class Rows(Protocol):
    """Where sealed tokens are (`store.tokens.TokenRows`)."""

    def locked(self, realm_id: str) -> AbstractAsyncContextManager[Row]: ...
    async def sealed(self) -> list[str]: ...


@dataclass(frozen=True)
class SealedRow:
    """`tokens.LockedTokens` over sealed bytes."""

    row: Row
    seal: Seal

    async def read(self) -> Tokens | None:
        """The tokens as stored now. Raises Disconnected when no key opens them: other companies'
        tokens may be sealed with a key that this process has."""
        try:
            return await self.unsealed()
        except ConfigurationError as error:
            raise Disconnected(
                message=str(error),
                remedy="Add that key to RECONCILER_TOKEN_KEYS, or connect the company again.",
            ) from None

    async def unsealed(self) -> Tokens | None:
        """The same for who can add the key. Raises ConfigurationError when no key opens them."""
        sealed = await self.row.read()
        return None if sealed is None else Tokens.from_bytes(self.seal.unseal(sealed))

    async def save(self, tokens: Tokens) -> None:
        """Seal and replace them."""
        await self.row.save(self.seal.seal(tokens.to_bytes()), tokens.refresh_expires_at)

    async def connected(self, name: str) -> None:
        """A person has connected the company called *name*: its owner goes on at once."""
        await self.row.connected(name)

    async def forget(self, detail: str) -> None:
        """Drop the tokens; *detail* says why the company is disconnected."""
        await self.row.forget(detail)


@dataclass(frozen=True)
class SealedTokens:
    """`tokens.TokenStore` over sealed rows."""

    rows: Rows
    seal: Seal

    @asynccontextmanager
    async def locked(self, realm_id: str) -> AsyncIterator[SealedRow]:
        """Hold the company's lock while the block runs."""
        async with self.rows.locked(realm_id) as row:
            yield SealedRow(row, self.seal)

    async def reseal(self) -> int:
        """Seal every company's tokens with the newest key; answers how many there are."""
        realm_ids = await self.rows.sealed()
        for realm_id in realm_ids:
            async with self.locked(realm_id) as row:
                if (tokens := await row.unsealed()) is not None:
                    await row.save(tokens)
        return len(realm_ids)
