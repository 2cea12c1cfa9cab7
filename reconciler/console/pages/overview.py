"""The first page: are we keeping up, are we correct, what is stuck and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from aiohttp import web

from reconciler.console.context import console_of
from reconciler.console.rendering import render
from reconciler.console.words import plural, span
from reconciler.model import DocumentState
from reconciler.ports.reports import PartitionLag
from reconciler.ports.views import Overview, StateCount

DUE_TOO_LONG = timedelta(minutes=1)
"""The service level: a document is created within 60 seconds."""

UNKNOWN_TOO_LONG = timedelta(minutes=15)


class Answer(NamedTuple):
    """A question's answer: `good`, `watch` or `bad`, in a word and a sentence."""

    mood: str
    word: str
    sentence: str


async def overview(request: web.Request) -> web.Response:
    """The overview."""
    console = console_of(request)
    seen, lags = await console.operator.overview(), console.lags()
    return await render(
        request,
        "overview.html",
        seen=seen,
        lags={(each.topic, each.partition): each for each in lags},
        keeping_up=keeping_up(seen, lags),
        correct=correct(seen),
        stuck_answer=stuck(seen),
        counts=dict.fromkeys(DocumentState) | {each.state: each for each in seen.states},
    )


def keeping_up(seen: Overview, lags: Sequence[PartitionLag]) -> Answer:
    """Whether records are read and documents created as they come."""
    unread = sum(lag.records for lag in lags)
    late = max((lag.seconds for lag in lags), default=0.0)
    oldest = _oldest(seen, DocumentState.WANTED)
    disconnected = [each.name for each in seen.companies if each.connection == "disconnected"]
    if disconnected:
        names = ", ".join(disconnected)
        return Answer("bad", "No", f"{names} is not connected to QuickBooks; its documents wait.")
    if oldest is not None and seen.at - oldest > DUE_TOO_LONG:
        due = f"A document has been wanted for {span(seen.at - oldest)}"
        return Answer("watch", "Behind", f"{due}; 60 seconds is the aim.")
    if late > DUE_TOO_LONG.total_seconds():
        text = f"{plural(unread, 'record')} unread, the oldest {span(timedelta(seconds=late))} old."
        return Answer("watch", "Behind", text)
    return Answer("good", "Yes", "Records are read and documents created as they come.")


def correct(seen: Overview) -> Answer:
    """Whether anything is in doubt about what was written or read."""
    unknown = seen.oldest_unknown
    if unknown is not None and seen.at - unknown > UNKNOWN_TOO_LONG:
        age = span(seen.at - unknown)
        return Answer("bad", "In doubt", f"QuickBooks has not answered for {age} about a write.")
    doubts = [
        plural(count, *names)
        for count, names in (
            (seen.open_dead_letters, ("dead letter",)),
            (
                sum(group.documents for group in seen.to_check),
                ("document differs from HubSpot", "documents differ from HubSpot"),
            ),
            (seen.unknown_operations, ("unanswered write",)),
        )
        if count
    ]
    if doubts:
        return Answer("watch", "To check", f"{', '.join(doubts)}.")
    return Answer("good", "Yes", "Every write was answered, every record understood.")


def stuck(seen: Overview) -> Answer:
    """Whether a person is needed."""
    blocked = sum(group.documents for group in seen.blocked)
    waiting = sum(group.documents for group in seen.waiting)
    also = f"{plural(waiting, 'document')} waiting for facts to arrive." if waiting else ""
    if blocked:
        text = "They need a person: fix the cause, then retry."
        return Answer("bad", f"{blocked:,} blocked", f"{text} {also}".strip())
    return Answer("good", "Nothing", also or "No document needs a person.")


def _oldest(seen: Overview, state: DocumentState) -> datetime | None:
    return next((each.oldest for each in _of(seen, state)), None)


def _of(seen: Overview, state: DocumentState) -> Iterable[StateCount]:
    return (each for each in seen.states if each.state is state)
