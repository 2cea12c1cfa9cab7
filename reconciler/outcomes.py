"""Writes the events published on `quickbooks.documents`. Pure; called by intake and dispatcher.

An event links the HubSpot object and the QuickBooks document and says what happened and why. Its
key is the source object's, so that one object's events stay in order.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from reconciler.model import DocumentKey
from reconciler.ports.outcomes import NewOutcome


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event's body.

    `kind` is created, blocked, waiting, wanted, dismissed, updated, voided or drifted.
    """

    kind: str
    document: str
    realm_id: str
    action: str
    portal_id: int
    object_type: str
    object_id: str
    enrolment: int
    workflow: str
    reason: str = ""
    detail: str = ""
    quickbooks_entity: str = ""
    quickbooks_id: str = ""
    document_number: str = ""
    total: Decimal | None = None
    currency: str = ""
    adopted: bool = False


class OfDocument(Protocol):
    """Whatever tells which document an event is about."""

    @property
    def document_id(self) -> int: ...

    @property
    def key(self) -> DocumentKey: ...

    @property
    def workflow(self) -> str: ...


class Made(OfDocument, Protocol):
    """The same of one that may be in QuickBooks."""

    @property
    def quickbooks_entity(self) -> str | None: ...

    @property
    def quickbooks_id(self) -> str | None: ...


_LONGEST_DETAIL = 4000
"""Characters: a detail may name something in HubSpot, whose name may be of any length."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def outcome(
    document_id: int,
    key: DocumentKey,
    kind: str,
    workflow: str,
    *,
    detail: str = "",
    **facts: object,
) -> NewOutcome:
    """The event that document *document_id* is now *kind*."""
    body = Outcome(
        kind=kind,
        document=str(key),
        realm_id=key.realm_id,
        action=key.action,
        portal_id=key.portal_id,
        object_type=key.object_type,
        object_id=key.object_id,
        enrolment=key.enrolment,
        workflow=workflow,
        detail=detail[:_LONGEST_DETAIL],
        **facts,  # type: ignore[arg-type]
    )
    message_key = f"{key.portal_id}:{key.object_type}:{key.object_id}"
    return NewOutcome(document_id, kind, message_key, _encode(body).decode())


def about(
    document: OfDocument, kind: str, reason: str = "", detail: str = "", **facts: object
) -> NewOutcome:
    """The event that a document of the ledger is now *kind*."""
    return outcome(
        document.document_id,
        document.key,
        kind,
        document.workflow,
        reason=reason,
        detail=detail,
        **facts,
    )


def about_made(
    document: Made, kind: str, reason: str = "", detail: str = "", **facts: object
) -> NewOutcome:
    """The same, and where the document is in QuickBooks."""
    return about(
        document,
        kind,
        reason,
        detail,
        quickbooks_entity=document.quickbooks_entity or "",
        quickbooks_id=document.quickbooks_id or "",
        **facts,
    )
