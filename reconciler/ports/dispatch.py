"""What dispatch reads and writes: who owns a company, its due documents, its writes to QuickBooks.

`company` and what it calls ask `DispatchLedger` for these; `store.dispatch` answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from reconciler.model import DocumentKey, DocumentState, Priority
from reconciler.ports.outcomes import NewOutcome


class Lease(NamedTuple):
    """Proof of owning a company: `token` grows with every change of owner."""

    realm_id: str
    owner: str
    token: int


class DueDocument(msgspec.Struct, frozen=True):
    """A document that should be created now. `version` is given back on beginning."""

    document_id: int
    key: DocumentKey
    workflow: str
    version: int
    generation: int
    revision: int
    attempts: int
    content: str
    enrolled_at: datetime
    quickbooks_entity: str | None
    quickbooks_id: str | None
    priority: Priority = Priority.LIVE
    retried_at: datetime | None = None
    concessions: str = ""
    ready_at: datetime | None = None
    document_number: str = ""
    gives_way_since: datetime | None = None
    """Since when it waits for the same kind of thing: an estimate, another sale's answer."""


class Precedent(msgspec.Struct, frozen=True):
    """Another document that one gives way to or follows: a sale of the same thing, an estimate."""

    document_id: int
    key: DocumentKey
    state: DocumentState
    quickbooks_entity: str
    quickbooks_id: str
    document_number: str


class Operation(msgspec.Struct, frozen=True):
    """One write to QuickBooks, as committed before the call.

    `request` holds the exact bytes of the entity; with `b_id` None it is sent alone under
    `request_id`, else as that item of the batch `request_id`. `marker` is the text by which the
    result is recognised in QuickBooks when no answer came. `content` is what the document says
    once an update is done (JSON text).
    """

    operation_key: str
    realm_id: str
    document_id: int | None
    entity: str
    verb: str
    request_id: str
    b_id: str | None
    marker: str
    request: bytes
    content: str | None = None


class UnfinishedOperation(msgspec.Struct, frozen=True):
    """An operation begun whose result is not recorded: the process died, or no answer came.

    Both instants are the database's.
    """

    operation_id: int
    operation: Operation
    state: str
    attempts: int
    first_sent_at: datetime
    taken_up_at: datetime
    was_answered: bool
    """QuickBooks answered each attempt before, and did nothing: none can land any more."""
    key: DocumentKey | None
    enrolled_at: datetime | None
    """When its document was enrolled; None for a customer or product."""


class Attention(NamedTuple):
    """What of a company wants attention besides its new documents."""

    operations: bool
    """Some without a result are due for another look."""
    changes: bool
    """Some documents are due that HubSpot would now have otherwise."""
    next_at: datetime | None
    """When the next of all this, or a new document, is due; None if nothing will be."""


class OperationResult(msgspec.Struct, frozen=True):
    """How an operation ended, or that it is still unknown (`next_attempt_at` then says when to look)."""

    operation_key: str
    state: str  # done | refused | unknown | begun (to be sent again as it is)
    quickbooks_id: str | None = None
    sync_token: str | None = None
    error: str | None = None
    tid: str | None = None
    next_attempt_at: datetime | None = None


class DocumentUpdate(msgspec.Struct, frozen=True):
    """A document's new state after an operation or a failed resolution.

    With a `version` it is written only if the document still has that one: intake may have
    changed what is wanted since it was read.
    """

    document_id: int
    state: DocumentState
    reason: str = ""
    detail: str = ""
    next_attempt_at: datetime | None = None
    next_revision: bool = False
    quickbooks_entity: str | None = None
    quickbooks_id: str | None = None
    sync_token: str | None = None
    document_number: str | None = None
    total: Decimal | None = None
    version: int | None = None
    concession: str = ""


class DispatchLedger(Protocol):
    """The ledger's statements for dispatch (`store.dispatch.DispatchStore`).

    `begin` (or `take_up`, for another attempt) commits before a call to QuickBooks and `record`
    after it; they raise `Fenced` and write nothing when the lease has another owner.
    """

    async def due(
        self, realm_id: str, live: int, backfill: int, now: datetime
    ) -> list[DueDocument]: ...
    async def documents(self, document_ids: Sequence[int]) -> list[DueDocument]: ...
    async def attention(
        self, realm_id: str, now: datetime, *, of_backfill: bool = True, of_changes: bool = True
    ) -> Attention: ...
    async def precedents(self, document_ids: Sequence[int]) -> list[tuple[int, Precedent]]: ...
    async def begin(
        self, lease: Lease, operations: Sequence[Operation], versions: dict[int, int]
    ) -> set[str]: ...
    async def record(
        self,
        lease: Lease,
        results: Sequence[OperationResult],
        updates: Sequence[DocumentUpdate],
        outcomes: Sequence[NewOutcome],
        following: Sequence[Operation] = (),
    ) -> set[int]: ...
    async def take_up(self, lease: Lease, limit: int) -> list[UnfinishedOperation]: ...
    async def invoices_made(self, document_ids: Sequence[int]) -> dict[int, bytes]: ...
    async def operation_ids(
        self, realm_id: str, keys: Sequence[str]
    ) -> dict[str, tuple[str, str]]: ...
