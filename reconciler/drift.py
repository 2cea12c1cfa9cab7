"""Notices what became of our documents in QuickBooks. Called by `company` with what a sweep brought.

Every difference is recorded, shown and published once; what to do about a document that is gone or
voided is the action's policy. It corrects nothing by itself: books belong to people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.model import Action
from reconciler.observed import Drift, compare, is_news
from reconciler.outcomes import outcome
from reconciler.policies import Policies
from reconciler.ports.dispatch import Lease
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.standing import Amendment, StandingDocument, StandingLedger
from reconciler.quickbooks.changes import Observed
from reconciler.reasons import Reason
from reconciler.workflows import OnDrift

WATCHED = ("Invoice", "Estimate", "SalesReceipt", "Purchase", "RefundReceipt")
"""Entities that stand for documents. A payment that is removed or changed shows on its invoice."""

BACK = "QuickBooks has it again as it was written."


@dataclass(frozen=True)
class DriftWatch:
    """One company's."""

    lease: Lease
    standing: StandingLedger
    policies: Policies

    async def look(self, observed: Sequence[Observed]) -> int:
        """Compare objects with the ledger and record differences; answers how many were news."""
        by_id = {(one.entity, one.id): one for one in observed if one.entity in WATCHED}
        if not by_id:
            return 0
        ours = await self.standing.in_quickbooks(self.lease.realm_id, list(by_id))
        amendments: list[Amendment] = []
        outcomes: list[NewOutcome] = []
        for document in ours:
            due = document.document
            seen = by_id[str(due.quickbooks_entity), str(due.quickbooks_id)]
            if not is_news(document, seen):
                continue
            drift = compare(document, seen)
            if (drift.text if drift else "") != document.drift:
                amendments.append(self._amendment(document, drift))
                outcomes.append(_event(document, drift))
        if amendments:
            await self.standing.amend(self.lease, amendments, outcomes)
        return len(amendments)

    def _amendment(self, document: StandingDocument, drift: Drift | None) -> Amendment:
        due = document.document
        if drift is None:
            return Amendment(due.document_id, drift="")
        gone = drift.reason in (Reason.GONE_IN_QUICKBOOKS, Reason.VOIDED_IN_QUICKBOOKS)
        policy = self.policies.of(due.workflow, due.key).on_drift
        if gone and policy is OnDrift.RECREATE and due.key.action is not Action.PAID_INVOICE:
            return Amendment(due.document_id, recreate=True, content=document.desired)
        return Amendment(due.document_id, None, drift.reason, drift.detail, drift=drift.text)


def _event(document: StandingDocument, drift: Drift | None) -> NewOutcome:
    due = document.document
    return outcome(
        due.document_id,
        due.key,
        "drifted",
        due.workflow,
        reason=drift.reason if drift else "",
        detail=drift.detail if drift else BACK,
        quickbooks_entity=due.quickbooks_entity or "",
        quickbooks_id=due.quickbooks_id or "",
        document_number=due.document_number,
    )
