"""The tables, as SQLModel classes: what the schema should be, for Alembic.

Nothing is read through them: the other modules of `store` run set-based SQL through asyncpg. Table
classes never leave this package. A test holds the Alembic migrations against this metadata.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel


def _instant(*, nullable: bool = True, default_now: bool = False) -> Column[datetime]:
    server_default = text("now()") if default_now else None
    return Column(DateTime(timezone=True), nullable=nullable, server_default=server_default)


def _identity() -> Column[int]:
    return Column(BigInteger, Identity(always=True), primary_key=True)


def _text(default: str | None = None, *, nullable: bool = False) -> Column[str]:
    return Column(
        Text, nullable=nullable, server_default=None if default is None else text(f"'{default}'")
    )


def _found_by() -> Column[str]:
    """What a person searches by (`store.finding`); compared byte by byte."""
    return Column(Text(collation="C"), nullable=False, server_default=text("''"))


def _by_time(name: str, column: str) -> Index:
    """Of rows that come in the order of their time: tells which pages are young, and costs nothing."""
    return Index(
        name,
        column,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": "32"},
    )


class InstallationRow(SQLModel, table=True):
    """One row: the identity of this database, so that Kafka's notes of another are not taken for
    its own, and which process is the relay of its outcomes."""

    __tablename__ = "installation"
    installation_id: str = Field(sa_column=Column(Text, primary_key=True))
    relay_owner: str | None = Field(sa_column=_text(nullable=True))
    relay_token: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    relay_until: datetime | None = Field(sa_column=_instant())


class SourceObjectRow(SQLModel, table=True):
    """A HubSpot object folded from its changes; `version` makes concurrent folds notice each other."""

    __tablename__ = "objects"
    __table_args__ = (
        Index(
            "objects_found_by",  # by id, near which new objects come: names would be all over it
            "portal_id",
            "object_type",
            "object_id",
            postgresql_include=["found_by"],
            postgresql_where=text("found_by <> ''"),
        ),
    )
    portal_id: int = Field(sa_column=Column(BigInteger, primary_key=True))
    object_type: str = Field(sa_column=Column(Text, primary_key=True))
    object_id: str = Field(sa_column=Column(Text, primary_key=True))
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))
    changed_at: datetime = Field(sa_column=_instant(nullable=False))
    updated_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    found_by: str = Field(sa_column=_found_by())


class ObjectLinkRow(SQLModel, table=True):
    """Which deals, quotes and payments name each other, and which of them need which companion."""

    __tablename__ = "object_links"
    __table_args__ = (Index("object_links_source", "portal_id", "source_type", "source_id"),)
    portal_id: int = Field(sa_column=Column(BigInteger, primary_key=True))
    target_type: str = Field(sa_column=Column(Text, primary_key=True))
    target_id: str = Field(sa_column=Column(Text, primary_key=True))
    source_type: str = Field(sa_column=Column(Text, primary_key=True))
    source_id: str = Field(sa_column=Column(Text, primary_key=True))


class DocumentRow(SQLModel, table=True):
    """The ledger: every document ever wanted, and how far it got.

    Five numbers grow: `enrolment` with every time that an object meets a workflow that re-enrols
    (another document each); `generation` when a document that is gone is made anew, `revision` when
    a request was refused and another is made (both name the next operation, so its request id);
    `version` with every change of the row, so that nobody acts on what he read before; `attempts`
    with every request that ended without a document, until a person is asked.
    """

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint(
            "portal_id",
            "object_type",
            "object_id",
            "action",
            "realm_id",
            "enrolment",
            name="documents_key",
        ),
        Index(
            "documents_due",
            "realm_id",
            "priority",
            "next_attempt_at",
            postgresql_include=["action"],
            postgresql_where=text("state = 'wanted'"),
        ),
        Index(
            "documents_number",
            "document_number",
            postgresql_where=text("document_number IS NOT NULL"),
        ),
        Index(
            "documents_giving_way",
            "realm_id",
            postgresql_where=text("state = 'wanted' AND reason IN ('estimate', 'billed_first')"),
        ),
        Index(
            "documents_changed",
            "realm_id",
            "next_attempt_at",
            postgresql_where=text("change = 'open'"),
        ),
        Index(
            "documents_drifted",
            "realm_id",
            postgresql_where=text("drift IS NOT NULL"),
        ),
        Index(
            "documents_to_check",
            "realm_id",
            "reason",
            postgresql_where=text("state = 'created' AND reason NOT IN ('', 'paid_in_quickbooks')"),
        ),
        Index(
            "documents_stuck",
            "state",
            "reason",
            "realm_id",
            "action",
            "state_since",
            postgresql_where=text("state IN ('waiting', 'blocked', 'dismissed')"),
        ),
        Index(
            "documents_created_by",  # written once: counts by workflow need nothing else
            "workflow",
            postgresql_where=text("state = 'created'"),
        ),
        Index(
            "documents_in_quickbooks",
            "realm_id",
            "quickbooks_entity",
            "quickbooks_id",
            postgresql_include=["action", "state"],
            postgresql_where=text("quickbooks_id IS NOT NULL"),
        ),
    )
    document_id: int = Field(sa_column=_identity())
    realm_id: str = Field(sa_column=_text())
    action: str = Field(sa_column=_text())
    portal_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    object_type: str = Field(sa_column=_text())
    object_id: str = Field(sa_column=_text())
    enrolment: int = Field(default=1)
    workflow: str = Field(sa_column=_text())
    generation: int = Field(default=1)
    revision: int = Field(default=1)
    version: int = Field(default=1)
    state: str = Field(sa_column=_text())
    reason: str = Field(sa_column=_text(""))
    detail: str = Field(sa_column=_text(""))
    content: dict[str, object] | None = Field(sa_column=Column(JSON, nullable=True))
    desired: dict[str, object] | None = Field(sa_column=Column(JSON, nullable=True))
    attempts: int = Field(default=0)
    next_attempt_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    enrolled_at: datetime = Field(sa_column=_instant(nullable=False))
    state_since: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    created_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    quickbooks_entity: str | None = Field(sa_column=_text(nullable=True))
    quickbooks_id: str | None = Field(sa_column=_text(nullable=True))
    sync_token: str | None = Field(sa_column=_text(nullable=True))
    document_number: str | None = Field(sa_column=_text(nullable=True))
    total: Decimal | None = Field(sa_column=Column(Numeric(15, 2), nullable=True))
    drift: str | None = Field(sa_column=_text(nullable=True))
    concessions: str = Field(sa_column=_text(""))
    change: str = Field(sa_column=_text(""))
    priority: int = Field(sa_column=Column(SmallInteger, nullable=False, server_default=text("0")))
    retried_at: datetime | None = Field(sa_column=_instant())
    guard_off: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    ready_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))


class DocumentNameRow(SQLModel, table=True):
    """What a document is found by: apart from it, so that a change of its state writes none of this."""

    __tablename__ = "document_names"
    document_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    found_by: str = Field(sa_column=_found_by())


class OperationRow(SQLModel, table=True):
    """One write to QuickBooks. `request_id`, `b_id` and `request` never change once committed."""

    __tablename__ = "operations"
    __table_args__ = (
        UniqueConstraint("realm_id", "operation_key", name="operations_key"),
        Index(
            "operations_unfinished",
            "realm_id",
            "next_attempt_at",
            postgresql_where=text("state IN ('begun', 'unknown')"),
        ),
        Index("operations_document", "document_id"),
        _by_time("operations_first_sent", "first_sent_at"),
    )
    operation_id: int = Field(sa_column=_identity())
    realm_id: str = Field(sa_column=_text())
    operation_key: str = Field(sa_column=_text())
    document_id: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    entity: str = Field(sa_column=_text())
    verb: str = Field(sa_column=_text("create"))
    request_id: str = Field(sa_column=_text())
    b_id: str | None = Field(sa_column=_text(nullable=True))
    marker: str = Field(sa_column=_text())
    request: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(sa_column=_text("begun"))
    attempts: int = Field(default=1)
    first_sent_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    next_attempt_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    finished_at: datetime | None = Field(sa_column=_instant())
    quickbooks_id: str | None = Field(sa_column=_text(nullable=True))
    sync_token: str | None = Field(sa_column=_text(nullable=True))
    error: str | None = Field(sa_column=_text(nullable=True))
    tid: str | None = Field(sa_column=_text(nullable=True))
    content: dict[str, object] | None = Field(sa_column=Column(JSON, nullable=True))


class OutcomeRow(SQLModel, table=True):
    """The outbox, and after publishing the document's timeline. `sequence` is given by the relay."""

    __tablename__ = "outcomes"
    __table_args__ = (
        UniqueConstraint("sequence", name="outcomes_sequence"),
        Index(
            "outcomes_unpublished",
            "outcome_id",
            postgresql_where=text("published_at IS NULL"),
        ),
        Index("outcomes_document", "document_id"),
        _by_time("outcomes_occurred", "occurred_at"),
    )
    outcome_id: int = Field(sa_column=_identity())
    document_id: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    kind: str = Field(sa_column=_text())
    key: str = Field(sa_column=_text())
    value: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))
    occurred_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    sequence: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    published_at: datetime | None = Field(sa_column=_instant())


class OffsetRow(SQLModel, table=True):
    """How far a partition was read, in the same transaction as what its records said."""

    __tablename__ = "offsets"
    group_id: str = Field(sa_column=Column(Text, primary_key=True))
    topic: str = Field(sa_column=Column(Text, primary_key=True))
    partition: int = Field(primary_key=True)
    topic_id: str | None = Field(sa_column=_text(nullable=True))
    next_offset: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
    owner: str = Field(sa_column=_text())
    updated_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))


class KnownRecordsRow(SQLModel, table=True):
    """Digests of a run of records that were taken in: reading them again needs no decoding.

    Whoever empties `objects` to build it anew must empty this too.
    """

    __tablename__ = "known_records"
    topic: str = Field(sa_column=Column(Text, primary_key=True))
    topic_id: str = Field(sa_column=Column(Text, primary_key=True))
    partition: int = Field(primary_key=True)
    reading: str = Field(sa_column=Column(Text, primary_key=True))
    from_offset: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    next_offset: int = Field(sa_column=Column(BigInteger, nullable=False))
    digests: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class DeadLetterRow(SQLModel, table=True):
    """A record that could not be understood, whole, until someone re-drives or dismisses it."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        UniqueConstraint(
            "topic", "partition", "record_offset", "topic_id", name="dead_letters_position"
        ),
        Index(
            "dead_letters_open",
            "dead_letter_id",
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )
    dead_letter_id: int = Field(sa_column=_identity())
    topic: str = Field(sa_column=_text())
    partition: int
    record_offset: int = Field(sa_column=Column(BigInteger, nullable=False))
    topic_id: str = Field(sa_column=_text(""))
    record_key: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    record_value: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    record_timestamp: int = Field(
        sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )
    record_headers: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    reason: str = Field(sa_column=_text())
    detail: str = Field(sa_column=_text())
    received_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    resolved_at: datetime | None = Field(sa_column=_instant())
    resolution: str | None = Field(sa_column=_text(nullable=True))


class AuditRow(SQLModel, table=True):
    """What a person did through the console or the command line, and to what."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("audit_log_target", "target"),)
    audit_id: int = Field(sa_column=_identity())
    at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    actor: str = Field(sa_column=_text())
    action: str = Field(sa_column=_text())
    target: str = Field(sa_column=_text())
    detail: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))


class ReplayRow(SQLModel, table=True):
    """A replay or backfill, and how far it got, so that it goes on after it was stopped."""

    __tablename__ = "replays"
    replay_id: int = Field(sa_column=_identity())
    kind: str = Field(sa_column=_text())
    actor: str = Field(sa_column=_text())
    request: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))
    positions: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))
    done: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    total: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    counts: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))
    started_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    updated_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    finished_at: datetime | None = Field(sa_column=_instant())


class MeteredReadsRow(SQLModel, table=True):
    """Reads of a calendar month (its first day, UTC) that Intuit counts against its allowance."""

    __tablename__ = "metered_reads"
    realm_id: str = Field(sa_column=Column(Text, primary_key=True))
    month: date = Field(sa_column=Column(Date, primary_key=True))
    reads: int = Field(sa_column=Column(BigInteger, nullable=False))


class LedgerCountsRow(SQLModel, table=True):
    """One row: how many documents are finished, when that was counted and how long it took."""

    __tablename__ = "ledger_counts"
    counts_id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    counted_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    seconds: float = Field(sa_column=Column(Double, nullable=False))
    counts: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))


class CompanyRow(SQLModel, table=True):
    """A QuickBooks company: who dispatches for it (lease), its facts, its connection."""

    __tablename__ = "companies"
    realm_id: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_column=_text(""))
    lease_owner: str | None = Field(sa_column=_text(nullable=True))
    lease_token: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    lease_until: datetime | None = Field(sa_column=_instant())
    facts: dict[str, object] | None = Field(sa_column=Column(JSON, nullable=True))
    connection: str = Field(sa_column=_text("connected"))
    connection_detail: str = Field(sa_column=_text(""))
    sealed_tokens: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    tokens_expire_at: datetime | None = Field(sa_column=_instant())
    references_loaded_at: datetime | None = Field(sa_column=_instant())
    references_changed_since: datetime | None = Field(sa_column=_instant())


class ReferenceRow(SQLModel, table=True):
    """What a company's name lists hold (customers, items, terms, …): a copy kept fresh by CDC."""

    __tablename__ = "quickbooks_references"
    __table_args__ = (
        Index("quickbooks_references_name", "realm_id", "entity", "name_key"),
        Index(
            "quickbooks_references_email",
            "realm_id",
            "email_key",
            postgresql_where=text("email_key <> ''"),
        ),
        Index(
            "quickbooks_references_several_emails",
            "realm_id",
            postgresql_where=text("email_key LIKE '%,%'"),
        ),
        Index(
            "quickbooks_references_sku",
            "realm_id",
            "sku",
            postgresql_where=text("sku <> ''"),
        ),
    )
    realm_id: str = Field(sa_column=Column(Text, primary_key=True))
    entity: str = Field(sa_column=Column(Text, primary_key=True))
    quickbooks_id: str = Field(sa_column=Column(Text, primary_key=True))
    sync_token: str = Field(sa_column=_text(""))
    active: bool = True
    name_key: str = Field(sa_column=_text(""))
    email_key: str = Field(sa_column=_text(""))
    sku: str = Field(sa_column=_text(""))
    data: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))


class HydrationRow(SQLModel, table=True):
    """A HubSpot object that is asked for because facts are missing; not now while there is no time."""

    __tablename__ = "hydrations"
    __table_args__ = (
        Index(
            "hydrations_due",
            "portal_id",
            "next_hydration_at",
            postgresql_where=text("next_hydration_at IS NOT NULL"),
        ),
        Index(
            "hydrations_problems",
            "portal_id",
            "object_type",
            "object_id",
            postgresql_where=text("problem <> ''"),
        ),
    )
    portal_id: int = Field(sa_column=Column(BigInteger, primary_key=True))
    object_type: str = Field(sa_column=Column(Text, primary_key=True))
    object_id: str = Field(sa_column=Column(Text, primary_key=True))
    attempts: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")))
    next_hydration_at: datetime | None = Field(sa_column=_instant())
    problem: str = Field(sa_column=_text(""))


class WriteBackRow(SQLModel, table=True):
    """A document whose number, id, status and link are to be set on its HubSpot object."""

    __tablename__ = "write_backs"
    __table_args__ = (
        Index("write_backs_due", "next_attempt_at", postgresql_where=text("state = 'wanted'")),
        Index("write_backs_problems", "document_id", postgresql_where=text("problem <> ''")),
    )
    document_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    state: str = Field(sa_column=_text("wanted"))
    version: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("1")))
    attempts: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")))
    next_attempt_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
    written_to: str = Field(sa_column=_text(""))
    problem: str = Field(sa_column=_text(""))


class JournalOffsetRow(SQLModel, table=True):
    """How far HubSpot's webhooks journal was put on Kafka."""

    __tablename__ = "journal_offsets"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    journal_offset: str = Field(sa_column=_text())
    read_at: datetime = Field(sa_column=_instant(nullable=False, default_now=True))
