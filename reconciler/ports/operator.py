"""What the operator's layer asks of the store, and the rows it gets.

`store.operator.OperatorStore` is the implementation; contents are JSON text as stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from reconciler.errors import ReconcilerError
from reconciler.model import (
    DocumentKey,
    DocumentState,
    ObjectKey,
    ObjectType,
    Priority,
    SourceObject,
)
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.views import (
    AuditEntry,
    DeadLetterFilter,
    DeadLetterSummary,
    DocumentFilter,
    OperationView,
    OutcomeView,
    PartitionPosition,
    ReplayView,
    Selection,
)


class SearchTooSlow(ReconcilerError):
    """Postgres did not find a text in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Postgres did not find this within {seconds:g} s. Search for something rarer, open an "
            "object by its type and HubSpot id (`deal 123`), or try again when it is less busy."
        )


class StoredDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger; `name` is the source object's."""

    document_id: int
    key: DocumentKey
    workflow: str
    version: int
    state: DocumentState
    reason: str
    detail: str
    content: str | None
    desired: str | None
    attempts: int
    priority: Priority
    enrolled_at: datetime
    state_since: datetime
    created_at: datetime
    next_attempt_at: datetime
    quickbooks_entity: str
    quickbooks_id: str
    document_number: str
    total: Decimal | None
    drift: str
    name: str


class StoredCause(NamedTuple):
    """Documents with the same company, reason, detail and currency; without *detail* all of a reason.

    `currency` is "" and `total` None where no amount is known.
    """

    realm_id: str
    reason: str
    detail: str | None
    currency: str
    documents: int
    total: Decimal | None
    oldest: datetime
    example_ids: list[int]


class StoredCompany(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a company, its tokens left out."""

    realm_id: str
    name: str
    connection: str
    connection_detail: str
    lease_owner: str
    lease_until: datetime | None
    tokens_expire_at: datetime | None
    references_loaded_at: datetime | None
    references_changed_since: datetime | None
    facts: str | None


class CompanyActivity(NamedTuple):
    """How long a company's lists are, and how much was written to it."""

    references: dict[str, int]
    writes_last_minute: int
    writes_today: int


class DocumentCount(NamedTuple):
    """Documents of one company and state; of the finished ones nobody asks for the oldest."""

    realm_id: str
    state: DocumentState
    documents: int
    oldest: datetime | None


class WorkflowCount(NamedTuple):
    """Documents of one workflow and state."""

    workflow: str
    state: DocumentState
    documents: int


class Health(NamedTuple):
    """Counts over the whole store."""

    created_last_hour: int
    unknown_operations: int
    oldest_unknown: datetime | None
    unpublished_outcomes: int
    open_dead_letters: int


class StoredHubSpotProblem(NamedTuple):
    """Facts that could not be fetched, or documents that could not be written back."""

    is_write_back: bool
    problem: str
    objects: int
    next_attempt_at: datetime | None
    document_id: int | None
    examples: tuple[ObjectKey, ...]


class StoredDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter with its bytes; `headers` is msgpack of [[name, value], …]."""

    summary: DeadLetterSummary
    topic_id: str
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: bytes | None


class DocumentAct(msgspec.Struct, frozen=True, kw_only=True):
    """What a person makes of a document, unless it changed since `version`.

    `content` None keeps the one it has. With `guard_off` it is made although a linked object's
    document bills the sale already. `outcome` is published with it.
    """

    document_id: int
    version: int
    state: DocumentState
    reason: str = ""
    detail: str = ""
    workflow: str = ""
    content: str | None = None
    drop_content: bool = False
    guard_off: bool = False
    outcome: NewOutcome | None = None


class NewAudit(msgspec.Struct, frozen=True, kw_only=True):
    """An audit entry to be written; `target` is `document 12`, `dead letter 3`, `replay 4`, …."""

    actor: str
    action: str
    target: str
    detail: dict[str, object] = {}


class OperatorStore(Protocol):
    """Reads for people, and the few writes they may cause; each write is one transaction."""

    # documents
    async def documents(
        self, wanted: DocumentFilter, after: int | None, limit: int
    ) -> list[StoredDocument]: ...
    async def documents_by_id(self, document_ids: Sequence[int]) -> list[StoredDocument]: ...
    async def documents_of(self, keys: Sequence[ObjectKey]) -> list[StoredDocument]: ...
    async def selected(self, selection: Selection, after: int, limit: int) -> list[StoredDocument]:
        """In the order of their ids, beginning after *after*."""
        ...

    async def operations(self, document_id: int) -> list[OperationView]: ...
    async def outcomes(self, document_id: int) -> list[OutcomeView]: ...
    async def causes(self, state: DocumentState, most: int) -> list[StoredCause]:
        """Every group of a company and reason whole, and its *most* frequent details."""
        ...

    async def counts(self) -> list[DocumentCount]: ...
    async def stuck(self) -> dict[str, int]:
        """How many documents are blocked, and how many are waiting."""
        ...

    async def workflow_counts(self) -> list[WorkflowCount]: ...
    async def change(self, changes: Sequence[DocumentAct], entries: Sequence[NewAudit]) -> set[int]:
        """Apply those whose version still holds; answers their ids. *entries* runs parallel."""
        ...

    # objects
    async def objects(self, keys: Sequence[ObjectKey]) -> list[SourceObject]: ...
    async def named(self, text: str, types: Sequence[ObjectType], limit: int) -> list[SourceObject]:
        """With the text in their name, last changed first."""
        ...

    async def portals(self) -> list[int]: ...
    # dead letters
    async def dead_letters(
        self, wanted: DeadLetterFilter, after: int, limit: int
    ) -> list[DeadLetterSummary]: ...
    async def dead_letter_reasons(self) -> dict[str, int]: ...
    async def open_dead_letters(self, topic: str) -> int: ...
    async def dead_letters_by_id(self, ids: Sequence[int]) -> list[StoredDeadLetter]: ...
    async def still_undecodable(self, reasons: dict[int, tuple[str, str]]) -> None:
        """Note what today's decoders say of them (reason and detail by id)."""
        ...

    async def dismiss_dead_letters(
        self, ids: Sequence[int], resolution: str, audit: NewAudit
    ) -> set[int]: ...

    # the rest
    async def companies(self) -> list[StoredCompany]: ...
    async def activity(self) -> dict[str, CompanyActivity]:
        """By realm id, of those that are stored."""
        ...

    async def health(self) -> Health: ...
    async def reading(self, group_id: str) -> list[PartitionPosition]: ...
    async def replays(self, limit: int) -> list[ReplayView]: ...
    async def audit(self, target: str, limit: int, after: int | None = None) -> list[AuditEntry]:
        """Newest first, before an id; of everything when *target* is ""."""
        ...

    async def note(self, entry: NewAudit) -> None: ...
    async def hubspot_problems(self, key: ObjectKey) -> list[StoredHubSpotProblem]:
        """Of one object and its documents."""
        ...

    async def hubspot_problem_groups(self) -> list[StoredHubSpotProblem]:
        """By what HubSpot said, most frequent first."""
        ...

    async def write_back_again(self, entry: NewAudit) -> int:
        """Let what HubSpot refused to take be tried again; answers how many documents."""
        ...
