"""Loads a company's facts and name lists through the client; the only reads a company costs
besides its sweeps.

Called when a company is connected, after a truncated sweep, and for lists that change data
capture does not cover. The caller stores what comes out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from reconciler.errors import RetryLater
from reconciler.quickbooks import protocol, queries
from reconciler.quickbooks.answers import Answer
from reconciler.quickbooks.cdc import Changes, Observed, read_changes
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


@dataclass(frozen=True)
class Patient:
    """Repeats reads that were not answered: loading a company takes many, and one that failed
    must not begin it anew. It does not wait out a used-up monthly allowance."""

    sender: Sender
    attempts: int = 5

    @property
    def realm_id(self) -> str:
        """The company's id."""
        return self.sender.realm_id

    async def send(self, request: Request) -> Answer:
        """Send a read; raises what the last attempt raised."""
        attempts = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(self.attempts),
            wait=_as_asked,
            reraise=True,
        )
        return await attempts(self.sender.send, request)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, RetryLater) and not error.quota_exhausted


def _as_asked(state: RetryCallState) -> float:
    """Seconds to wait: what the error says."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after.total_seconds() if isinstance(error, RetryLater) else 1.0


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


async def load_changed(
    quickbooks: Sender, entity: str, since: datetime
) -> AsyncIterator[list[Observed]]:
    """Transactions of one entity changed since an instant, page by page; not the deleted ones."""
    condition = f"MetaData.LastUpdatedTime >= '{since.isoformat(timespec='seconds')}'"
    start: int | None = 1
    while start is not None:
        request = protocol.query(entity, queries.select(entity, [condition], start=start))
        rows = (await quickbooks.send(request)).rows(entity)
        if rows:
            yield [Observed(entity, str(row["Id"]), False, row) for row in rows]
        start = queries.next_page(start, len(rows))


async def load_changes(
    quickbooks: Sender, entities: Sequence[str], since: datetime
) -> tuple[Changes, datetime | None]:
    """What changed since an instant, and QuickBooks's own time of the answer: one read."""
    answer = await quickbooks.send(protocol.change_data_capture(entities, since))
    return read_changes(answer), answer.at
