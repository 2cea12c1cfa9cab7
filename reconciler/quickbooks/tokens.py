"""Access tokens for one company: where the client gets them, and how they are renewed.

`client.QuickBooks` asks a `TokenSource`.
"""

from __future__ import annotations

from typing import Protocol


class TokenSource(Protocol):
    """Gives the client a bearer token."""

    async def access_token(self) -> str:
        """A token believed to be valid."""

    async def refresh(self, stale: str) -> str:
        """A token other than `stale`, which QuickBooks has refused.

        Raises Disconnected when the grant is gone and RetryLater when Intuit cannot be asked.
        """
