"""What the workflow file says is to be done after a document was made, by action and company. Pure.

Made once by `dispatching` from the file; `amend`, `drift`, `prepare` and `record` ask it. A document whose
action is no longer in the file gets the defaults, which only report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from reconciler.model import Action, DocumentContent, DocumentKey
from reconciler.workflows import ActionSettings, ClosedBooks, OnChange, OnDrift, WorkflowFile
from reconciler.writing.dating import on_first_open_day

Place = tuple[str, str, Action]


@dataclass(frozen=True)
class DocumentPolicy:
    """For one action: after a change in HubSpot, and after one in QuickBooks."""

    on_change: OnChange = OnChange.REPORT
    on_drift: OnDrift = OnDrift.REPORT


@dataclass(frozen=True)
class Policies:
    """By workflow, realm id and action; closed books by realm id."""

    by_action: Mapping[Place, DocumentPolicy] = field(default_factory=dict)
    closed_books: Mapping[str, ClosedBooks] = field(default_factory=dict)

    def of(self, workflow: str, key: DocumentKey) -> DocumentPolicy:
        """The policy for a document."""
        return self.by_action.get((workflow, key.realm_id, key.action), DocumentPolicy())

    def redates(self, realm_id: str) -> bool:
        """Whether a document dated in closed books is given the first open day."""
        return self.closed_books.get(realm_id) is ClosedBooks.FIRST_OPEN_DAY

    def recreated(self, realm_id: str) -> list[tuple[str, Action]]:
        """Workflows and their actions whose documents are made anew when they go in QuickBooks."""
        return [
            (workflow, action)
            for (workflow, realm, action), policy in self.by_action.items()
            if realm == realm_id and policy.on_drift is OnDrift.RECREATE
        ]

    def dated(
        self, realm_id: str, content: DocumentContent, closed: date | None
    ) -> DocumentContent:
        """What is to be made, with the first open day where the company wants that."""
        return on_first_open_day(content, closed) if self.redates(realm_id) else content


def policies_of(file: WorkflowFile) -> Policies:
    """The file's policies, as dispatch looks them up."""
    return Policies(
        {
            _place(workflow.name, action): DocumentPolicy(action.on_change, action.on_drift)
            for workflow in file.workflows
            for action in workflow.actions
        },
        {company.realm_id: company.closed_books for company in file.companies.values()},
    )


def _place(workflow: str, action: ActionSettings) -> Place:
    return workflow, action.company.realm_id, action.action
