"""Documents that are in QuickBooks: as recorded, and the news of them.

`amend` and `drift` ask `StandingLedger` for these; `store.standing` answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from reconciler.model import Action, DocumentState
from reconciler.ports.dispatch import DueDocument, Lease, Operation, OperationResult
from reconciler.ports.outcomes import NewOutcome

NOT_DESIRED = "null"
"""What is desired (JSON text) of an object that was deleted in HubSpot after its document was sent."""


class Unmade(NamedTuple):
    """That HubSpot's facts call for no document by now: what one not sent would be, and why."""

    state: DocumentState
    reason: str
    why: str

    def __str__(self) -> str:
        """What is desired then (JSON text)."""
        return msgspec.json.encode(self).decode()


def unmade(desired: str | None) -> Unmade | None:
    """What is desired (JSON text), read as that; None of anything else that is desired."""
    if desired is None or not desired.startswith("["):
        return None
    return msgspec.json.decode(desired, type=Unmade)


class StandingDocument(msgspec.Struct, frozen=True):
    """A document that is in QuickBooks, as recorded; contents are JSON text.

    `request` is what we wrote last (the entity's bytes), `total` what QuickBooks then made it.
    """

    document: DueDocument
    desired: str | None
    sync_token: str
    total: Decimal | None
    drift: str
    change: str
    request: bytes


class Amendment(msgspec.Struct, frozen=True):
    """News of a document that is in QuickBooks: updated, changed in HubSpot, or drifted.

    It is about the object *quickbooks_id*: a document that was made anew since is left alone.
    None leaves a field as it is. `change` is the ledger's word for what became of `desired`, what
    HubSpot said then (JSON text); where it says something else by now, the change stays open.
    With `is_written` the document says so now. `recreate` gives it up: it is wanted anew, as a
    new generation that says what HubSpot says by then, or dismissed where HubSpot wants none.
    """

    document_id: int
    quickbooks_id: str
    change: str | None = None
    reason: str = ""
    detail: str = ""
    desired: str | None = None
    is_written: bool = False
    sync_token: str | None = None
    total: Decimal | None = None
    drift: str | None = None
    recreate: bool = False
    next_attempt_at: datetime | None = None


class StandingLedger(Protocol):
    """The ledger's statements about documents in QuickBooks (`store.standing.StandingStore`)."""

    async def changed(self, realm_id: str, limit: int, now: datetime) -> list[StandingDocument]: ...
    async def in_quickbooks(
        self, realm_id: str, found: Sequence[tuple[str, str]]
    ) -> list[StandingDocument]: ...
    async def drifted(
        self, realm_id: str, reasons: Sequence[str], of: Sequence[tuple[str, Action]]
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
