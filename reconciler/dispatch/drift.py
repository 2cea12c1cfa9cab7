"""Notices what became of our documents in QuickBooks. Called by `directory` with what a sweep brought.

Every difference is recorded, shown and published once; what to do about a document that is gone or
voided is the action's policy. It corrects nothing by itself: books belong to people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.model import Action
from reconciler.outcomes import about, about_made
from reconciler.ports.dispatch import DueDocument, Lease
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.standing import Amendment, StandingLedger
from reconciler.quickbooks.cdc import Observed
from reconciler.writing.observed import LOST, Drift, compare, is_news
from reconciler.writing.policies import Policies

WATCHED = ("Invoice", "Estimate", "SalesReceipt", "Purchase", "RefundReceipt")
"""Entities that stand for documents. A payment that is removed or changed shows on its invoice."""

BACK = "QuickBooks has it again as it was written."


@dataclass
class DriftWatch:
    """One company's."""

    lease: Lease
    standing: StandingLedger
    policies: Policies
    _may_hold_lost: bool = True  # what was reported before, under another policy

    async def look(self, observed: Sequence[Observed]) -> None:
        """Record how objects differ from the ledger; then do what the policies say about it."""
        by_id = {(one.entity, one.id): one for one in observed if one.entity in WATCHED}
        if by_id:
            await self._compare(by_id)
        if self._may_hold_lost and (recreated := self.policies.recreated(self.lease.realm_id)):
            await self._make_anew(recreated)
            self._may_hold_lost = False

    async def _compare(self, by_id: Mapping[tuple[str, str], Observed]) -> None:
        amendments: list[Amendment] = []
        outcomes: list[NewOutcome] = []
        for document in await self.standing.in_quickbooks(self.lease.realm_id, list(by_id)):
            due = document.document
            seen = by_id[str(due.quickbooks_entity), str(due.quickbooks_id)]
            if not is_news(document, seen):
                continue
            drift = compare(document, seen)
            if (drift.text if drift else "") != document.drift:
                amendments.append(_amendment(due, drift))
                outcomes.append(_drifted(due, drift))
                self._may_hold_lost |= drift is not None and drift.reason in LOST
        if amendments:
            await self.standing.amend(self.lease, amendments, outcomes)

    async def _make_anew(self, recreated: Sequence[tuple[str, Action]]) -> None:
        """What went just now, and what went when the policy was only to report it."""
        found = await self.standing.drifted(self.lease.realm_id, LOST, recreated)
        if lost := [each.document for each in found]:
            await self.standing.amend(
                self.lease,
                [Amendment(due.document_id, str(due.quickbooks_id), recreate=True) for due in lost],
                [about(due, "wanted") for due in lost],
            )


def _amendment(due: DueDocument, drift: Drift | None) -> Amendment:
    if drift is None:
        return Amendment(due.document_id, str(due.quickbooks_id), drift="")
    return Amendment(
        due.document_id,
        str(due.quickbooks_id),
        reason=drift.reason,
        detail=drift.detail,
        drift=drift.text,
    )


def _drifted(due: DueDocument, drift: Drift | None) -> NewOutcome:
    reason, detail = (drift.reason, drift.detail) if drift else ("", BACK)
    return about_made(due, "drifted", reason, detail, document_number=due.document_number)
