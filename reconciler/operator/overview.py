"""The first page and the lists that it is made of: groups of what is stuck, companies.

Called by `desk`. It reads through the store and adds up; it decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from reconciler.model import DocumentState
from reconciler.operator.presenting import Names, hubspot_problem, names_of, split
from reconciler.ports.operator import (
    CompanyActivity,
    DocumentCount,
    OperatorStore,
    StoredCause,
    StoredCompany,
)
from reconciler.ports.views import (
    BlockedGroup,
    Cause,
    CompanyView,
    Overview,
    StateCount,
)
from reconciler.workflows import WorkflowFile

MOST_CAUSES = 50
_NONE = CompanyActivity({}, 0, 0)


async def overview(
    store: OperatorStore, workflows: WorkflowFile, group_id: str, now: datetime
) -> Overview:
    """Everything of the first page, in a handful of queries."""
    stored, counts = await store.companies(), await store.counts()
    names = names_of(workflows, stored)
    health = await store.health()
    return Overview(
        at=now,
        states=_states(counts),
        created_last_hour=health.created_last_hour,
        blocked=tuple(
            groups(DocumentState.BLOCKED, await store.causes(DocumentState.BLOCKED), names)
        ),
        waiting=tuple(
            groups(DocumentState.WAITING, await store.causes(DocumentState.WAITING), names)
        ),
        unknown_operations=health.unknown_operations,
        oldest_unknown=health.oldest_unknown,
        unpublished_outcomes=health.unpublished_outcomes,
        open_dead_letters=health.open_dead_letters,
        to_check=tuple(
            groups(DocumentState.CREATED, await store.causes(DocumentState.CREATED), names)
        ),
        hubspot_problems=tuple(
            [hubspot_problem(each) for each in await store.hubspot_problem_groups()]
        ),
        companies=_companies(workflows, stored, counts, await store.activity()),
        reading=tuple(await store.reading(group_id)),
        replays=tuple(await store.replays(5)),
        recent_audit=tuple(await store.audit("", 10)),
    )


def _states(counts: Iterable[DocumentCount]) -> tuple[StateCount, ...]:
    found: dict[DocumentState, list[DocumentCount]] = defaultdict(list)
    for count in counts:
        found[count.state].append(count)
    return tuple(
        StateCount(
            state=state,
            documents=sum(each.documents for each in found[state]),
            oldest=min((each.oldest for each in found[state] if each.oldest), default=None),
        )
        for state in DocumentState
        if state in found
    )


def groups(state: DocumentState, causes: Sequence[StoredCause], names: Names) -> list[BlockedGroup]:
    """Causes gathered by company and reason, the largest group first."""
    found: dict[tuple[str, str], list[StoredCause]] = defaultdict(list)
    for cause in causes:
        found[cause.realm_id, cause.reason].append(cause)
    gathered = [
        BlockedGroup(
            realm_id=realm_id,
            company=names.get(realm_id, "") or realm_id,
            state=state,
            reason=reason,
            documents=sum(each.documents for each in of_group),
            oldest=min(each.oldest for each in of_group),
            causes=tuple([_cause(each) for each in _most_frequent(of_group)]),
        )
        for (realm_id, reason), of_group in found.items()
    ]
    return sorted(gathered, key=lambda group: (-group.documents, group.realm_id, group.reason))


def _most_frequent(causes: Iterable[StoredCause]) -> list[StoredCause]:
    return sorted(causes, key=lambda each: (-each.documents, each.detail))[:MOST_CAUSES]


def _cause(stored: StoredCause) -> Cause:
    words = split(stored.reason, stored.detail)
    return Cause(
        detail=stored.detail,
        sentence=words.sentence,
        fix=words.fix,
        documents=stored.documents,
        total=stored.total,
        oldest=stored.oldest,
        example_ids=tuple(stored.example_ids),
    )


async def companies(store: OperatorStore, workflows: WorkflowFile) -> list[CompanyView]:
    """Every company of the file or the store."""
    stored, counts = await store.companies(), await store.counts()
    return list(_companies(workflows, stored, counts, await store.activity()))


def _companies(
    workflows: WorkflowFile,
    stored: Iterable[StoredCompany],
    counts: Iterable[DocumentCount],
    activity: Mapping[str, CompanyActivity],
) -> tuple[CompanyView, ...]:
    documents: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for count in counts:
        documents[count.realm_id][count.state] += count.documents
    configured = {each.realm_id: each.name for each in workflows.companies.values()}
    known = {each.realm_id: each for each in stored}
    rows = [
        known.get(realm) or _never_seen(realm) for realm in dict.fromkeys([*configured, *known])
    ]
    return tuple(
        [
            _company(
                row, configured, dict(documents[row.realm_id]), activity.get(row.realm_id, _NONE)
            )
            for row in rows
        ]
    )


def _never_seen(realm_id: str) -> StoredCompany:
    return StoredCompany(
        realm_id=realm_id, name="", connection="unknown",
        connection_detail="No process has worked for it yet.", lease_owner="", lease_until=None,
        tokens_expire_at=None, references_loaded_at=None,
        references_changed_since=None, facts=None,
    )  # fmt: skip


def _company(
    row: StoredCompany,
    configured: dict[str, str],
    documents: dict[str, int],
    activity: CompanyActivity,
) -> CompanyView:
    return CompanyView(
        realm_id=row.realm_id,
        name=configured.get(row.realm_id) or row.name or row.realm_id,
        is_configured=row.realm_id in configured,
        connection=row.connection,
        connection_detail=row.connection_detail,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        tokens_expire_at=row.tokens_expire_at,
        references_loaded_at=row.references_loaded_at,
        references_changed_since=row.references_changed_since,
        facts=msgspec.json.decode(row.facts) if row.facts else None,
        references=activity.references,
        documents=documents,
        writes_last_minute=activity.writes_last_minute,
        writes_today=activity.writes_today,
    )
