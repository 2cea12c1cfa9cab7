"""What is written back to HubSpot, and how far its journal was read.

`hubspot` and `streams.journal` ask for these; `store.writeback` and `store.journal` answer.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from reconciler.model import DocumentKey


class WriteBack(NamedTuple):
    """A document to be made known to HubSpot; `version` changes when there is something newer.

    `status` is the document's state, or the word for how QuickBooks's differs from ours.
    """

    document_id: int
    version: int
    attempts: int
    key: DocumentKey
    quickbooks_entity: str
    quickbooks_id: str
    document_number: str
    status: str


class OffsetForgotten(Exception):
    """The journal no longer has what follows this offset, or never had it."""


class JournalEntry(NamedTuple):
    """A file of HubSpot's journal: its offset, and where it can be read for a few minutes."""

    offset: str
    url: str


class JournalPosition(NamedTuple):
    """How far the journal was read; `age_seconds` since we last knew to have read all of it."""

    offset: str
    age_seconds: float


class JournalSource(Protocol):
    """HubSpot's journal (`reconciler.hubspot.journal.Journal`)."""

    async def after(self, offset: str | None) -> JournalEntry | None: ...
    async def file(self, entry: JournalEntry) -> bytes: ...


class JournalOffsets(Protocol):
    """How far it was read (`store.journal.JournalOffsetStore`).

    `advance` answers False, and changes nothing, when another poller advanced meanwhile.
    """

    async def position(self) -> JournalPosition | None: ...
    async def advance(self, from_: str | None, to: str) -> bool: ...
    async def at_end(self) -> None: ...
