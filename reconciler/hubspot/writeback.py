"""Sets the document's number, id, status and link on the HubSpot object it was made for.

Run by `crm` in every process with a HubSpot token. A row per document, written in the transaction
that recorded the document, says that it is due; what is written is read from the ledger at that
moment, so that writing twice is writing once. The note on the deal carries the document's name and
is looked for before it is made. It never changes a payment: HubSpot's own can't be changed, so the
payment's deal or quote is written to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Protocol

import structlog

from reconciler.errors import HubSpotBusy, HubSpotRefused
from reconciler.hubspot.client import HubSpot
from reconciler.hubspot.protocol import (
    NAMES,
    OBJECTS_PER_READ,
    associations,
    batch_associations,
    create_note,
    objects,
    read_notes,
    update,
)
from reconciler.model import ASSOCIATION_NAMES, ObjectKey, ObjectType, SourceObject
from reconciler.objects.reading import associated
from reconciler.ports.hubspot import WriteBack

_log = structlog.get_logger("reconciler.writeback")

IDLE = timedelta(seconds=2)
AT_ONCE = 10
CLAIMED_FOR = timedelta(minutes=15)
"""Longer than the calls of one claim can take together, so that two processes never write at once."""

LONGEST_DELAY = timedelta(hours=1)


class Ledger(Protocol):
    """The store's side (`store.writeback.WriteBackStore`)."""

    async def claim(self, limit: int, lasting: timedelta) -> list[WriteBack]: ...
    async def source(self, key: ObjectKey) -> SourceObject | None: ...
    async def written(self, row: WriteBack, to: str) -> None: ...
    async def postpone(self, row: WriteBack, delay: timedelta, problem: str) -> None: ...
    async def block(self, row: WriteBack, problem: str) -> None: ...


class NowhereToWrite(Exception):
    """The object can't be written to, and there is no other to write to instead."""


@dataclass
class WriteBacks:
    """One process's share.

    `prefix` begins the names of the properties that are set; `link` gives a document's page for
    its entity and id in QuickBooks.
    """

    hubspot: HubSpot
    ledger: Ledger
    prefix: str
    link: Callable[[str, str], str]
    clock: Callable[[], datetime]
    observe: Callable[[str], None] = lambda result: None

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Write what is due until cancelled. Raises what Postgres raises."""
        while True:
            found = await self.once()
            ready()
            if not found:
                await asyncio.sleep(IDLE.total_seconds())

    async def once(self) -> int:
        """Write what is due now; answers how many documents were."""
        rows = await self.ledger.claim(AT_ONCE, CLAIMED_FOR)
        for row in rows:
            self.observe(await self._settled(row))
        return len(rows)

    async def _settled(self, row: WriteBack) -> str:
        try:
            target = await self._target(row)
            await self.hubspot.send(update(target.type, target.id, self._properties(row)))
            if target.type is ObjectType.DEAL:
                await self._note(row, target.id)
        except HubSpotBusy as error:
            delay = min(LONGEST_DELAY, error.retry_after * 2 ** min(row.attempts - 1, 12))
            await self.ledger.postpone(row, delay, str(error))
            return "busy"
        except (HubSpotRefused, NowhereToWrite) as error:
            _log.error("write back blocked", document=str(row.key), problem=str(error))
            await self.ledger.block(row, str(error))
            return "blocked"
        await self.ledger.written(row, str(target))
        return "written"

    # --- where -----------------------------------------------------------------------------------

    async def _target(self, row: WriteBack) -> ObjectKey:
        source = row.key.source
        if source.type is not ObjectType.PAYMENT:
            return source
        stored = await self.ledger.source(source)
        for type_ in (ObjectType.DEAL, ObjectType.QUOTE):
            related = associated(stored, ASSOCIATION_NAMES[type_]) if stored else None
            ids = (
                [one.id for one in related]
                if related is not None
                else await self._associated(source, NAMES[type_])
            )
            if ids:
                return source._replace(type=type_, id=ids[0])
        raise NowhereToWrite(
            "HubSpot's payments can't be changed, and this one has neither a deal nor a quote."
            " Associate one, or take write_back off the workflow."
        )

    async def _associated(self, key: ObjectKey, to: str) -> Sequence[str]:
        """The first associated objects, asked of HubSpot: the feed need not have told them."""
        answer = await self.hubspot.send(batch_associations(key.type, to, {key.id: None}))
        page = associations(answer).get(key.id)
        return page.ids if page else ()

    # --- what ------------------------------------------------------------------------------------

    def _properties(self, row: WriteBack) -> dict[str, str]:
        values = {
            "document_number": row.document_number,
            "document_id": row.quickbooks_id,
            "status": row.status,
            "link": self.link(row.quickbooks_entity, row.quickbooks_id),
        }
        return {self.prefix + name: value for name, value in values.items()}

    async def _note(self, row: WriteBack, deal_id: str) -> None:
        """Put a note on the deal unless it has ours. The marker is the document's own name."""
        marker = f"[{row.key}]"
        deal = row.key.source._replace(type=ObjectType.DEAL, id=deal_id)
        notes = await self._all_notes(deal)
        for start in range(0, len(notes), OBJECTS_PER_READ):
            answer = await self.hubspot.send(read_notes(notes[start : start + OBJECTS_PER_READ]))
            texts = [one.properties.get("hs_note_body") or "" for one in objects(answer)]
            if any(marker in text for text in texts):
                return
        link = self.link(row.quickbooks_entity, row.quickbooks_id)
        what = row.key.action.replace("_", " ")
        number = f" {row.document_number}" if row.document_number else ""
        text = (
            f"QuickBooks: {escape(what + number)} was created."
            f' <a href="{escape(link)}">Open it</a> {marker}'
        )
        await self.hubspot.send(create_note(deal_id, text, _iso(self.clock())))

    async def _all_notes(self, deal: ObjectKey) -> list[str]:
        found: list[str] = []
        after: str | None = None
        while True:
            request = batch_associations(deal.type, "notes", {deal.id: after})
            page = associations(await self.hubspot.send(request)).get(deal.id)
            if page is None:
                return found
            found += page.ids
            if page.after is None:
                return found
            after = page.after


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
