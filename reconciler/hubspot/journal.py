"""Reads HubSpot's webhooks journal: the entry after an offset, and the file it points to.

`streams.journal` polls it. Owns the client-credentials token. Vendor facts: HubSpot's guides on the
webhooks journal (read November 2026): an offset that is forgotten is answered 404, no newer entry
204; files are behind pre-signed addresses; everything is kept for three days.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from reconciler.errors import HubSpotBusy, HubSpotRefused
from reconciler.hubspot.client import Observe, exchange
from reconciler.ports.hubspot import JournalEntry, OffsetForgotten

SCOPE = "developer.webhooks_journal.read"
_EARLY_SECONDS = 60.0


T = TypeVar("T")


@dataclass(frozen=True)
class _Token:
    access_token: str = field(repr=False)
    expires_in: float = 1800.0


class _Entry(msgspec.Struct, rename="camel"):
    url: str
    current_offset: str


@dataclass(frozen=True)
class JournalAccess:
    """An app's credentials, and which journal to read."""

    base_url: str
    path: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass
class Journal:
    """One app's journal."""

    session: aiohttp.ClientSession
    access: JournalAccess
    observe: Observe = lambda operation, status: None
    _token: str = field(default="", repr=False)
    _token_ends_at: float = 0.0

    async def after(self, offset: str | None) -> JournalEntry | None:
        """The entry after *offset*, the earliest for None; None when there is no such entry yet.

        Raises `OffsetForgotten`, or the HubSpotError that says what to do.
        """
        place = "earliest" if offset is None else f"offset/{quote(offset, safe='')}/next"
        url = f"{self.access.base_url}{self.access.path}/{place}"
        try:
            answer = await self._get("journal_next", url, await self._bearer())
        except HubSpotRefused as error:
            if error.status == 404 and offset is not None:
                raise OffsetForgotten(offset) from error
            if error.status == 401:
                self._token_ends_at = 0.0
                raise HubSpotBusy(error.message, error.status) from error
            raise
        if not answer:
            return None
        entry = _read(answer, _Entry)
        return JournalEntry(entry.current_offset, entry.url)

    async def file(self, entry: JournalEntry) -> bytes:
        """The file of an entry. Its address needs no token, and stands for a few minutes only."""
        try:
            return await self._get("journal_file", entry.url, None)
        except HubSpotRefused as error:  # expired meanwhile: the entry gives a new one
            raise HubSpotBusy(error.message, error.status) from error

    async def _bearer(self) -> str:
        if time.monotonic() >= self._token_ends_at:
            form = {
                "grant_type": "client_credentials",
                "client_id": self.access.client_id,
                "client_secret": self.access.client_secret,
                "scope": SCOPE,
            }
            url = f"{self.access.base_url}/oauth/v1/token"
            asking = self.session.post(url, data=form)
            answer = await exchange(asking, partial(self.observe, "journal_token"))
            token = _read(answer, _Token)
            self._token = token.access_token
            self._token_ends_at = time.monotonic() + token.expires_in - _EARLY_SECONDS
        return self._token

    async def _get(self, operation: str, url: str, token: str | None) -> bytes:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        asking = self.session.get(url, headers=headers)
        return await exchange(asking, partial(self.observe, operation))


def _read(answer: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=type_)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError) as error:
        raise HubSpotBusy(f"an answer that is not what the API documents ({error})") from error
