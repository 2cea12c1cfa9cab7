"""What passes between the service and its store: plain frozen values.

`store` takes and returns these; `intake` and `dispatcher` make and read them. No SQL and no
Kafka type crosses this line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from reconciler.model import (
    Action,
    DocumentKey,
    DocumentState,
    ObjectKey,
    ObjectType,
    Priority,
    SourceObject,
)

# --- intake ------------------------------------------------------------------------------------


class Advance(NamedTuple):
    """One partition's offset moving on; `epoch` proves that the partition is still ours."""

    topic: str
    partition: int
    epoch: int
    from_offset: int
    next_offset: int


class Span(NamedTuple):
    """Offsets of one log."""

    topic: str
    topic_id: str
    partition: int
    from_offset: int
    next_offset: int


class KnownRun(NamedTuple):
    """Digests of a span, eight bytes for each offset; `reading` says how the records were read."""

    span: Span
    reading: str
    digests: bytes


class StoredObject(NamedTuple):
    """A folded object and the version it was read at (0: not stored yet)."""

    version: int
    object: SourceObject


class LedgerEntry(msgspec.Struct, frozen=True):
    """What the ledger records of one document; contents are JSON text as stored."""

    key: DocumentKey
    document_id: int
    workflow: str
    state: DocumentState
    reason: str
    detail: str
    enrolled_at: int
    content: str | None
    desired: str | None
    is_in_quickbooks: bool


DISMISSED_BY_A_PERSON = "dismissed"
"""The reason of a document that a person dismissed; any other one is the decision's own."""


class WantedDocument(NamedTuple):
    """A verdict to be recorded; `content` is JSON text, None while it is incomplete.

    It is not due before `not_before` (epoch ms).
    """

    key: DocumentKey
    workflow: str
    state: DocumentState
    reason: str
    detail: str
    content: str | None
    enrolled_at: int
    priority: Priority = Priority.LIVE
    not_before: int = 0


class ActionPlace(NamedTuple):
    """An action of a workflow in a company: whose document a ledger row is."""

    workflow: str
    realm_id: str
    action: Action
    object_type: ObjectType


class ObjectLink(NamedTuple):
    """One object's associations, or line items, name another."""

    target: ObjectKey
    source: ObjectKey


class NewOutcome(NamedTuple):
    """An event about a document, to be published once; `value` is JSON text."""

    document_id: int
    kind: str
    key: str
    value: str


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not be understood, with its position and its bytes."""

    topic: str
    partition: int
    offset: int
    topic_id: str
    record_key: bytes | None
    record_value: bytes | None
    reason: str
    detail: str
    record_timestamp: int = 0
    record_headers: bytes | None = None  # msgpack of [[name, value], …]


# --- dispatch ----------------------------------------------------------------------------------


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


class Precedent(msgspec.Struct, frozen=True):
    """Another document that one gives way to or follows: a sale of the same thing, an estimate."""

    document_id: int
    key: DocumentKey
    state: DocumentState
    quickbooks_entity: str
    quickbooks_id: str
    document_number: str


class StandingDocument(msgspec.Struct, frozen=True):
    """A document that is in QuickBooks, as recorded; contents are JSON text.

    `request` is what we wrote last (the entity's bytes), `total` what QuickBooks then made it.
    """

    document: DueDocument
    desired: str | None
    sync_token: str
    document_number: str
    total: Decimal | None
    drift: str
    change: str
    request: bytes


class Amendment(msgspec.Struct, frozen=True):
    """News of a document that is in QuickBooks: updated, changed in HubSpot, or drifted.

    None leaves a field as it is. `change` is `Change`'s word for what became of what is desired;
    with `content` (what the document says now) nothing else is desired any more, unless intake
    has heard of something newer. `recreate` gives the document up: it is wanted anew, as a new
    generation.
    """

    document_id: int
    change: str | None = None
    reason: str = ""
    detail: str = ""
    content: str | None = None
    sync_token: str | None = None
    total: Decimal | None = None
    drift: str | None = None
    recreate: bool = False
    next_attempt_at: datetime | None = None


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
    key: DocumentKey | None


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
    is_another_attempt: bool = False
    concession: str = ""


class StoredReference(NamedTuple):
    """One row of a company's name lists; `data` is the whole reference as JSON text."""

    entity: str
    id: str
    sync_token: str
    active: bool
    name_key: str
    email_key: str
    sku: str
    data: str


class CompanyRecord(NamedTuple):
    """What is stored about a company; `facts` is JSON text, None until they were read."""

    realm_id: str
    name: str
    facts: str | None
    connection: str
    connection_detail: str
    paused_until: datetime | None
    references_loaded_at: datetime | None
    references_changed_since: datetime | None


class PartitionClaim(NamedTuple):
    """A partition claimed for reading; `next_offset` None means that it was never read."""

    topic: str
    partition: int
    epoch: int
    next_offset: int | None
    topic_id: str | None


class UnpublishedOutcome(NamedTuple):
    """An outcome in the order in which it must be published."""

    sequence: int
    kind: str
    key: str
    value: str


# --- what dispatch asks of the store -------------------------------------------------------------


class DispatchLedger(Protocol):
    """The ledger's statements for dispatch (`store.dispatch.DispatchStore`).

    `begin` (or `take_up`, for another attempt) commits before a call to QuickBooks and `record`
    after it; they raise `Fenced` and write nothing when the lease has another owner.
    """

    async def due(self, realm_id: str, limit: int, now: datetime) -> list[DueDocument]: ...
    async def documents(self, document_ids: Sequence[int]) -> list[DueDocument]: ...
    async def next_due_at(self, realm_id: str) -> datetime | None: ...
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
    async def operation_ids(
        self, realm_id: str, keys: Sequence[str]
    ) -> dict[str, tuple[str, str]]: ...


class StandingLedger(Protocol):
    """The ledger's statements about documents in QuickBooks (`store.standing.StandingStore`)."""

    async def changed(self, realm_id: str, limit: int, now: datetime) -> list[StandingDocument]: ...
    async def in_quickbooks(
        self, realm_id: str, found: Sequence[tuple[str, str]]
    ) -> list[StandingDocument]: ...
    async def begin_change(
        self, lease: Lease, operation: Operation, retry_at: datetime
    ) -> bool: ...
    async def amend(
        self,
        lease: Lease,
        amendments: Sequence[Amendment],
        outcomes: Sequence[NewOutcome],
        results: Sequence[OperationResult] = (),
    ) -> None: ...


class ReferenceList(Protocol):
    """A company's facts and name lists as stored (`store.references.ReferenceStore`)."""

    async def company(self, realm_id: str) -> CompanyRecord | None: ...
    async def save_facts(self, lease: Lease, facts: str) -> None: ...
    async def set_connection(self, lease: Lease, connection_state: str, detail: str) -> None: ...
    async def save(
        self,
        lease: Lease,
        rows: Sequence[StoredReference],
        *,
        changed_since: datetime | None = None,
        replace: bool = False,
    ) -> None: ...
    async def small_lists(self, realm_id: str) -> list[str]: ...
    async def find(
        self,
        realm_id: str,
        names: Sequence[str],
        emails: Sequence[str],
        skus: Sequence[str],
        item_ids: Sequence[str],
    ) -> list[str]: ...
    async def with_id(self, realm_id: str, entity: str, id_: str) -> str | None: ...


# --- HubSpot -------------------------------------------------------------------------------------


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


# --- what people and metrics read ----------------------------------------------------------------


class LedgerCount(NamedTuple):
    """Documents in one state; `oldest_seconds` since the first of them entered it."""

    realm_id: str
    action: str
    state: str
    reason: str
    documents: int
    oldest_seconds: float


class CompanyReport(NamedTuple):
    """A company as metrics show it; `token_expires_at` in epoch seconds, None without tokens."""

    realm_id: str
    name: str
    connected: bool
    token_expires_at: float | None


class ReplayReport(NamedTuple):
    """How far a replay or backfill is."""

    replay_id: int
    kind: str
    done: int
    total: int


class Report(msgspec.Struct, frozen=True):
    """The ledger at one instant; `counted_at` (epoch seconds) is when finished documents were counted.

    `oldest` is by realm and state (waiting, blocked, due, sending), `due` by realm and priority.
    """

    ledger: list[LedgerCount]
    oldest: dict[tuple[str, str], float]
    due: dict[tuple[str, str], int]
    unfinished: dict[tuple[str, str], int]
    oldest_unknown: dict[str, float]
    outbox_oldest_seconds: float
    outbox_pending: int
    open_dead_letters: int
    companies: list[CompanyReport]
    metered_reads: dict[str, int]
    replays: list[ReplayReport]
    read_at: float
    drifted: dict[tuple[str, str], int] = {}
    duplicated: int = 0
    counted_at: float = 0.0


class PartitionLag(NamedTuple):
    """How far reading of a partition is behind."""

    topic: str
    partition: int
    records: int
    seconds: float
