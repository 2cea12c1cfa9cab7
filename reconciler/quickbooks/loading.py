"""Loads a company's facts and name lists through the client; the only reads a company costs
besides its sweeps.

Called when a company is connected, after a truncated sweep, and for lists that change data
capture does not cover. The caller stores what comes out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from reconciler.quickbooks import protocol, queries
from reconciler.quickbooks.answers import Answer
from reconciler.quickbooks.changes import Changes, read_changes
from reconciler.quickbooks.company import CompanyFacts, read_company
from reconciler.quickbooks.protocol import Request
from reconciler.quickbooks.references import Reference, page_statement, read_references


class Sender(Protocol):
    """`client.QuickBooks`, as far as loading needs it."""

    @property
    def realm_id(self) -> str:
        """The company's id."""

    async def send(self, request: Request) -> Answer:
        """Send a request; raises QuickBooksError."""


async def load_company(quickbooks: Sender) -> CompanyFacts:
    """The company's facts: two reads."""
    info = await quickbooks.send(protocol.company_info(quickbooks.realm_id))
    settings = await quickbooks.send(protocol.preferences())
    return read_company(
        quickbooks.realm_id, info.entity("CompanyInfo"), settings.entity("Preferences")
    )


async def load_references(quickbooks: Sender, entity: str) -> AsyncIterator[list[Reference]]:
    """Every entry of a name list, page by page in the order of ids; a read per 1000 entries."""
    start: int | None = 1
    while start is not None:
        request = protocol.query(entity, page_statement(entity, start))
        rows = (await quickbooks.send(request)).rows(entity)
        if rows:
            yield read_references(entity, rows)
        start = queries.next_page(start, len(rows))


async def load_changes(
    quickbooks: Sender, entities: Sequence[str], since: datetime
) -> tuple[Changes, datetime | None]:
    """What changed since an instant, and QuickBooks's own time of the answer: one read."""
    answer = await quickbooks.send(protocol.change_data_capture(entities, since))
    return read_changes(answer), answer.at
