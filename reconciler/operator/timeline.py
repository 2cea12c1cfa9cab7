"""Puts what is known of an object and its documents into one order of time. Pure.

A folded object keeps when each value was said; what several properties said at one instant is one
entry. Operations and outcomes are the ledger's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from reconciler.model import DocumentState, SourceObject
from reconciler.objects.reading import effective_ids, stamp
from reconciler.operator.presenting import split
from reconciler.ports.operator import StoredDocument
from reconciler.ports.standing import unmade
from reconciler.ports.views import (
    AuditEntry,
    DocumentSummary,
    DocumentView,
    OperationView,
    OutcomeView,
    TimelineEntry,
)

MOST_VALUES = 12
_LONGEST_VALUE = 80

Records = tuple[Sequence[OperationView], Sequence[OutcomeView], Sequence[AuditEntry]]


def document_timeline(
    document: DocumentSummary,
    stored: StoredDocument,
    objects: Sequence[SourceObject],
    records: Records,
) -> DocumentView:
    """The document's page."""
    operations, outcomes, audit = records
    entries = [*(_changes(objects[0]) if objects else ()), *_decisions(stored)]
    for operation in operations:
        entries += _operation(operation)
    entries += [_outcome(each) for each in outcomes]
    entries += [_audited(each) for each in audit]
    return DocumentView(
        document=document,
        content=msgspec.json.decode(stored.content) if stored.content else None,
        desired=None if unmade(stored.desired) else msgspec.json.decode(stored.desired or "null"),
        operations=tuple(operations),
        outcomes=tuple(outcomes),
        audit=tuple(audit),
        timeline=_ordered(entries),
    )


def object_timeline(
    obj: SourceObject | None, documents: Iterable[StoredDocument], audit: Iterable[AuditEntry]
) -> tuple[TimelineEntry, ...]:
    """The object's changes, and what was decided and done about each of its documents."""
    entries = _changes(obj) if obj is not None else []
    for stored in documents:
        entries += _decisions(stored)
    return _ordered([*entries, *(_audited(each) for each in audit)])


def _ordered(entries: Iterable[TimelineEntry]) -> tuple[TimelineEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.at))


# --- changes -------------------------------------------------------------------------------------


def _changes(obj: SourceObject) -> list[TimelineEntry]:
    said: dict[int, dict[str, str | None]] = {}
    for name, points in obj.history.items():
        for at, value in points:
            said.setdefault(at, {})[name] = value
    for name, value in obj.properties.items():
        said.setdefault(stamp(obj, name), {}).setdefault(name, value)
    entries = [_said(at, values) for at, values in said.items() if at >= 0]
    entries += [
        _entry(held.at, f"{name.replace('_', ' ')}: {len(effective_ids(held))} associated")
        for name, held in obj.associations.items()
        if held.at >= 0
    ]
    if obj.deleted is not None and obj.deleted[1]:  # every whole snapshot says that it is not
        entries.append(_entry(obj.deleted[0], "deleted"))
    if obj.merged is not None:
        entries.append(_entry(obj.merged[0], f"merged into {obj.merged[1]}"))
    return entries


def _said(at: int, values: dict[str, str | None]) -> TimelineEntry:
    shown = [f"{name} = {_short(value)}" for name, value in sorted(values.items())]
    more = f", and {len(shown) - MOST_VALUES} more" if len(shown) > MOST_VALUES else ""
    title = shown[0] if len(shown) == 1 else f"{len(shown)} properties told"
    return _entry(at, title, "" if len(shown) == 1 else ", ".join(shown[:MOST_VALUES]) + more)


def _short(value: str | None) -> str:
    if value is None or value == "":
        return "empty"
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"


def _entry(at: int, title: str, detail: str = "") -> TimelineEntry:
    instant = datetime.fromtimestamp(at / 1000, UTC)
    return TimelineEntry(at=instant, kind="change", title=title, detail=detail)


# --- decisions, operations, outcomes ---------------------------------------------------------------


def _decisions(stored: StoredDocument) -> list[TimelineEntry]:
    action = stored.key.action.replace("_", " ")
    is_news = stored.state is DocumentState.CREATED  # of later than the state; its event is dated
    words = "" if is_news else split(stored.reason, stored.detail).sentence
    return [
        TimelineEntry(
            at=stored.enrolled_at, kind="decision", title=f"enrolled in “{stored.workflow}”",
            detail=f"{action} in company {stored.key.realm_id}",
        ),
        TimelineEntry(
            at=stored.created_at, kind="decision", title=f"{action} entered in the ledger",
            detail=f"document {stored.document_id}",
        ),
        TimelineEntry(
            at=stored.state_since, kind="decision", title=f"{action} {stored.state} since",
            detail=words,
        ),
    ]  # fmt: skip


def _operation(operation: OperationView) -> list[TimelineEntry]:
    what = f"{operation.verb} {operation.entity}"
    request = f"request id {operation.request_id}"
    if operation.batch_item:
        request += f", item {operation.batch_item} of its batch"
    begun = TimelineEntry(
        at=operation.first_sent_at, kind="operation", title=f"{what} begun", detail=request
    )
    if operation.finished_at is None:
        tries = f"{_attempts(operation)}; looked at again at {operation.next_attempt_at:%H:%M:%S}"
        error = f": {operation.error}" if operation.error else ""
        title = f"{what} {operation.state}"
        open_ = TimelineEntry(
            at=operation.first_sent_at, kind="operation", title=title, detail=tries + error
        )
        return [begun, open_]
    tid = f", intuit_tid {operation.tid}" if operation.tid else ""
    result = f"id {operation.quickbooks_id}" if operation.quickbooks_id else operation.error
    ended = TimelineEntry(
        at=operation.finished_at, kind="operation", title=f"{what} {operation.state}",
        detail=f"{result} after {_attempts(operation)}{tid}",
    )  # fmt: skip
    return [begun, ended]


def _attempts(operation: OperationView) -> str:
    return f"{operation.attempts} attempt{'' if operation.attempts == 1 else 's'}"


def _outcome(outcome: OutcomeView) -> TimelineEntry:
    published = "published" if outcome.published_at else "not published yet"
    detail = f"{outcome.detail} ({published})" if outcome.detail else published
    return TimelineEntry(
        at=outcome.occurred_at, kind="outcome", title=f"event “{outcome.kind}”", detail=detail
    )


def _audited(entry: AuditEntry) -> TimelineEntry:
    why = str(entry.detail.get("why", ""))
    title = f"{entry.action} by {entry.actor}"
    return TimelineEntry(at=entry.at, kind="audit", title=title, detail=why)
