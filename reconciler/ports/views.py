"""What an operator sees: frozen values, made by this package and shown by the command line and the
console.

Instants are aware datetimes, amounts Decimal, texts are written for an accountant. Nothing here
reads or decides anything; a view holds no secret (no token, no connection string).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.model import Action, DocumentKey, DocumentState, ObjectKey, ObjectType
from reconciler.reasons import Reason

# --- documents -----------------------------------------------------------------------------------


class DocumentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which documents to show; what is left empty does not restrict.

    `text` looks in the object's id and name, the document number, and the customer's name and
    email. `states` are any of; the rest must all hold.
    """

    states: tuple[DocumentState, ...] = ()
    reason: str = ""
    detail: str = ""
    action: Action | None = None
    realm_id: str = ""
    workflow: str = ""
    object_type: ObjectType | None = None
    object_id: str = ""
    text: str = ""


class DocumentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One document in a list. `total` is what it should say, or says in QuickBooks once created.

    `sentence` and `fix` are the reason in words ("" where there is none).
    """

    document_id: int
    key: DocumentKey
    workflow: str
    company: str
    state: DocumentState
    reason: str
    sentence: str
    fix: str
    name: str
    customer: str
    currency: str
    total: Decimal | None
    document_number: str
    quickbooks_entity: str
    quickbooks_id: str
    quickbooks_url: str
    hubspot_url: str
    enrolled_at: datetime
    state_since: datetime
    next_attempt_at: datetime
    attempts: int
    version: int
    is_backfill: bool
    drift: str

    @property
    def is_to_check(self) -> bool:
        """It was made, and HubSpot and QuickBooks do not say the same of it."""
        news = ("", Reason.PAID_IN_QUICKBOOKS)
        return self.state is DocumentState.CREATED and self.reason not in news


class DocumentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of documents, newest first. `next_page` is the `after` of the next one, None at the end."""

    documents: tuple[DocumentSummary, ...]
    next_page: int | None


class OperationView(msgspec.Struct, frozen=True, kw_only=True):
    """One write to QuickBooks. `request_id` and `tid` are what Intuit's support asks for."""

    operation_id: int
    operation_key: str
    entity: str
    verb: str
    request_id: str
    batch_item: str
    state: str
    attempts: int
    first_sent_at: datetime
    next_attempt_at: datetime
    finished_at: datetime | None
    quickbooks_id: str
    error: str
    tid: str
    request: str


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """An event about the document; `published_at` None while it is still in the outbox."""

    kind: str
    reason: str
    detail: str
    occurred_at: datetime
    published_at: datetime | None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a person did."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, Any]


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit log, newest first. `next_page` is the `after` of the next one."""

    entries: tuple[AuditEntry, ...]
    next_page: int | None


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `kind` is change, decision, operation, outcome or audit."""

    at: datetime
    kind: str
    title: str
    detail: str = ""


class HubSpotProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What HubSpot said when facts were fetched from it, or documents written back to it.

    It may concern many objects, some of which are `examples`; `document_id` is of one document.
    Where `next_attempt_at` is None a person must act.
    """

    sentence: str
    is_write_back: bool
    problem: str
    objects: int
    next_attempt_at: datetime | None
    document_id: int | None
    examples: tuple[ObjectKey, ...]


class DocumentView(msgspec.Struct, frozen=True, kw_only=True):
    """One document with everything known of it, `timeline` oldest first.

    `content` is what it should say; `desired` what HubSpot says now, if it was sent with another.
    """

    document: DocumentSummary
    content: dict[str, Any] | None
    desired: dict[str, Any] | None
    operations: tuple[OperationView, ...]
    outcomes: tuple[OutcomeView, ...]
    audit: tuple[AuditEntry, ...]
    timeline: tuple[TimelineEntry, ...]
    hubspot_problems: tuple[HubSpotProblem, ...] = ()


# --- explaining ----------------------------------------------------------------------------------


class RelatedView(msgspec.Struct, frozen=True, kw_only=True):
    """An associated object; `name` is "" where only its id is known."""

    id: str
    name: str
    properties: dict[str, str | None]


class ObjectView(msgspec.Struct, frozen=True, kw_only=True):
    """A HubSpot object as folded from its changes. An association list None is not known yet."""

    key: ObjectKey
    name: str
    hubspot_url: str
    changed_at: datetime
    is_deleted: bool
    merged_into: str
    properties: dict[str, str | None]
    associations: dict[str, tuple[RelatedView, ...] | None]


class ActionExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one action for one object, and why.

    `state` is the document's, or `not_wanted` where the ledger holds none. `document` is None then.
    `fix` is what a person can do, "" where nothing is to be done.
    """

    workflow: str
    action: Action
    company: str
    realm_id: str
    state: str
    reason: str
    sentence: str
    fix: str
    document: DocumentSummary | None = None


class ObjectHit(msgspec.Struct, frozen=True, kw_only=True):
    """A HubSpot object that a search found."""

    key: ObjectKey
    name: str
    changed_at: datetime
    is_deleted: bool


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why an object's documents are as they are. `object` None: no change of it was ever read."""

    key: ObjectKey
    object: ObjectView | None
    sentence: str
    actions: tuple[ActionExplanation, ...]
    timeline: tuple[TimelineEntry, ...]
    hubspot_problems: tuple[HubSpotProblem, ...] = ()


# --- what is stuck -------------------------------------------------------------------------------


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Documents stopped by exactly the same thing; `totals` sums those of known amount by currency."""

    detail: str
    sentence: str
    fix: str
    documents: int
    totals: dict[str, Decimal]
    oldest: datetime
    example_ids: tuple[int, ...]


class BlockedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Documents of one company stopped for one reason, by cause, most frequent first.

    `causes` holds at most 50; `documents` and `totals` count them all.
    """

    realm_id: str
    company: str
    state: DocumentState
    reason: str
    documents: int
    totals: dict[str, Decimal]
    oldest: datetime
    causes: tuple[Cause, ...]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which documents an action is for: ids, or the blocked ones of a group, or all blocked ones."""

    document_ids: tuple[int, ...] = ()
    realm_id: str = ""
    reason: str = ""
    detail: str = ""
    all_blocked: bool = False


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an action came to, by document or dead letter id; `refused` says why not."""

    changed: dict[int, str]
    refused: dict[int, str]


# --- dead letters --------------------------------------------------------------------------------


class DeadLetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters; open ones unless told otherwise."""

    reason: str = ""
    topic: str = ""
    resolved: bool = False


class DeadLetterSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be understood."""

    dead_letter_id: int
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    received_at: datetime
    resolved_at: datetime | None
    resolution: str
    size: int


class DeadLetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first; `next_page` is the `after` of the next one. `reasons` counts all open ones."""

    dead_letters: tuple[DeadLetterSummary, ...]
    next_page: int | None
    reasons: dict[str, int]


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """One of them whole. `key` and `value` as text, or hex where they are none.

    `now` is what today's decoders make of it: "" if it can be re-driven, else why not.
    """

    dead_letter: DeadLetterSummary
    key: str
    value: str
    is_text: bool
    headers: tuple[tuple[str, str], ...]
    now: str
    audit: tuple[AuditEntry, ...]


# --- companies and workflows ---------------------------------------------------------------------


class CompanyView(msgspec.Struct, frozen=True, kw_only=True):
    """A QuickBooks company. `facts` as QuickBooks told them; `documents` counts by state.

    `lease_owner` is "" when no process works for it. `writes_last_minute` and `writes_today`
    are our writes; Intuit counts reads too.
    """

    realm_id: str
    name: str
    is_configured: bool
    connection: str
    connection_detail: str
    lease_owner: str
    lease_until: datetime | None
    tokens_expire_at: datetime | None
    references_loaded_at: datetime | None
    references_changed_since: datetime | None
    facts: dict[str, Any] | None
    references: dict[str, int]
    documents: dict[str, int]
    writes_last_minute: int
    writes_today: int


class ActionView(msgspec.Struct, frozen=True, kw_only=True):
    """One action of a workflow as configured: `options` are those that are set, in words."""

    action: Action
    company: str
    realm_id: str
    options: dict[str, str]


class LintView(msgspec.Struct, frozen=True, kw_only=True):
    """A warning about the workflow file."""

    line: int
    path: str
    message: str
    severity: str


class WorkflowView(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow; `enrol` has one text per AND-group. `documents` counts by state."""

    name: str
    object_type: ObjectType
    enabled: bool
    line: int
    enrol: tuple[str, ...]
    re_enrol: tuple[str, ...]
    actions: tuple[ActionView, ...]
    documents: dict[str, int]
    lint: tuple[LintView, ...]


class WorkflowsView(msgspec.Struct, frozen=True, kw_only=True):
    """The workflow file as loaded. `lint` are warnings about the file as a whole."""

    workflows: tuple[WorkflowView, ...]
    lint: tuple[LintView, ...]


# --- overview ------------------------------------------------------------------------------------


class StateCount(msgspec.Struct, frozen=True, kw_only=True):
    """Documents in one state, and the oldest of those that are not finished."""

    state: DocumentState
    documents: int
    oldest: datetime | None


class PartitionPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far a topic's partition was read, as stored; `topic_id` is Kafka's, None where it has none."""

    topic: str
    partition: int
    topic_id: str | None
    next_offset: int | None
    owner: str
    updated_at: datetime


class ReplayView(msgspec.Struct, frozen=True, kw_only=True):
    """A replay or backfill. `done` of `total` records or objects; `finished_at` None: not over."""

    replay_id: int
    kind: str
    actor: str
    request: dict[str, Any]
    positions: dict[str, Any]
    done: int
    total: int
    counts: dict[str, Any]
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The first page: are we keeping up, are we correct, what is stuck."""

    at: datetime
    states: tuple[StateCount, ...]
    created_last_hour: int
    blocked: tuple[BlockedGroup, ...]
    waiting: tuple[BlockedGroup, ...]
    unknown_operations: int
    oldest_unknown: datetime | None
    unpublished_outcomes: int
    open_dead_letters: int
    to_check: tuple[BlockedGroup, ...]
    """What was made and is not, or not any more, as HubSpot says."""
    hubspot_problems: tuple[HubSpotProblem, ...]
    companies: tuple[CompanyView, ...]
    reading: tuple[PartitionPosition, ...]
    replays: tuple[ReplayView, ...]
    recent_audit: tuple[AuditEntry, ...]
