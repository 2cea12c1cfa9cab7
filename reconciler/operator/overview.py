"""The first page and the lists that it is made of: groups of what is stuck, companies.

Called by `desk`. It reads through the store and adds up; it decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

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
MOST_EXAMPLES = 5
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
        blocked=tuple(await stopped(store, DocumentState.BLOCKED, names)),
        waiting=tuple(await stopped(store, DocumentState.WAITING, names)),
        unknown_operations=health.unknown_operations,
        oldest_unknown=health.oldest_unknown,
        unpublished_outcomes=health.unpublished_outcomes,
        open_dead_letters=health.open_dead_letters,
        to_check=tuple(await stopped(store, DocumentState.CREATED, names)),
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


async def stopped(store: OperatorStore, state: DocumentState, names: Names) -> list[BlockedGroup]:
    """Documents of a state by company and reason, with the most frequent causes of each."""
    return _groups(state, await store.causes(state, MOST_CAUSES), names)


def _groups(
    state: DocumentState, causes: Iterable[StoredCause], names: Names
) -> list[BlockedGroup]:
    """Causes gathered by company and reason, the largest group first."""
    whole: dict[tuple[str, str], list[StoredCause]] = defaultdict(list)
    details: dict[tuple[str, str, str], list[StoredCause]] = defaultdict(list)
    for cause in causes:
        if cause.detail is None:
            whole[cause.realm_id, cause.reason].append(cause)
        else:
            details[cause.realm_id, cause.reason, cause.detail].append(cause)
    told: dict[tuple[str, str], list[Cause]] = defaultdict(list)
    for (realm_id, reason, detail), stored in details.items():
        told[realm_id, reason].append(_cause(reason, detail, stored))
    gathered = [
        BlockedGroup(
            realm_id=realm_id,
            company=names.get(realm_id, "") or realm_id,
            state=state,
            reason=reason,
            documents=sum(each.documents for each in stored),
            totals=_totals(stored),
            oldest=min(each.oldest for each in stored),
            causes=tuple(
                sorted(told[realm_id, reason], key=lambda each: (-each.documents, each.detail))
            ),
        )
        for (realm_id, reason), stored in whole.items()
    ]
    return sorted(gathered, key=lambda group: (-group.documents, group.realm_id, group.reason))


def _cause(reason: str, detail: str, stored: Sequence[StoredCause]) -> Cause:
    words = split(reason, detail)
    examples = sorted(id_ for each in stored for id_ in each.example_ids)
    return Cause(
        detail=detail,
        sentence=words.sentence,
        fix=words.fix,
        documents=sum(each.documents for each in stored),
        totals=_totals(stored),
        oldest=min(each.oldest for each in stored),
        example_ids=tuple(examples[:MOST_EXAMPLES]),
    )


def _totals(stored: Iterable[StoredCause]) -> dict[str, Decimal]:
    """Amounts by currency: pounds and dollars add up to nothing."""
    known = {each.currency: each.total for each in stored if each.total is not None}
    return dict(sorted(known.items()))


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
