"""The states of a document and of an operation, and what each answer does to them. Pure.

`record`, `missing` and `amend` perform what `ending` returns; `docs/architecture.md` draws
TRANSITIONS. An answer that never came is not a "no": the same bytes go out again under the same
request id, and once Intuit may have forgotten that id (its replay window is undocumented), the
books are searched before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.errors import (
    Disconnected,
    LookAgain,
    OutcomeUnknown,
    QuickBooksError,
    Reaction,
    RetryLater,
)
from reconciler.model import DocumentState as State
from reconciler.ports.dispatch import OperationResult, UnfinishedOperation
from reconciler.quickbooks.faults import reaction
from reconciler.reasons import WORDS, Reason


class Event(StrEnum):
    """What moves a document from one state to another."""

    FACTS_ARRIVED = "facts arrived"
    FACTS_MISSING = "facts missing"
    PREREQUISITE_FAILED = "prerequisite failed"
    RETRIED = "retried by a person, or changed in HubSpot"
    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    PICTURE_STALE = "picture stale"
    NO_ANSWER = "no answer"
    RECREATED = "gone from QuickBooks, recreate"
    GONE_IN_BOTH = "gone from QuickBooks, and deleted in HubSpot"
    DISMISSED = "dismissed by a person"
    NOT_WANTED = "no longer called for"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.WAITING, Event.FACTS_ARRIVED): State.WANTED,
    (State.WAITING, Event.FACTS_MISSING): State.WAITING,
    (State.WAITING, Event.PREREQUISITE_FAILED): State.BLOCKED,
    (State.BLOCKED, Event.RETRIED): State.WANTED,
    (State.BLOCKED, Event.FACTS_MISSING): State.WAITING,
    (State.WANTED, Event.PREREQUISITE_FAILED): State.BLOCKED,
    (State.WANTED, Event.FACTS_MISSING): State.WAITING,
    (State.WANTED, Event.BEGUN): State.SENDING,
    (State.SENDING, Event.DONE): State.CREATED,
    (State.SENDING, Event.NO_ANSWER): State.SENDING,
    (State.SENDING, Event.PICTURE_STALE): State.WANTED,
    (State.SENDING, Event.REFUSED): State.BLOCKED,
    (State.CREATED, Event.RECREATED): State.WANTED,
    (State.CREATED, Event.GONE_IN_BOTH): State.DISMISSED,
    (State.WAITING, Event.DISMISSED): State.DISMISSED,
    (State.BLOCKED, Event.DISMISSED): State.DISMISSED,
    (State.WANTED, Event.DISMISSED): State.DISMISSED,
    (State.WAITING, Event.NOT_WANTED): State.DISMISSED,
    (State.BLOCKED, Event.NOT_WANTED): State.DISMISSED,
    (State.WANTED, Event.NOT_WANTED): State.DISMISSED,
    (State.DISMISSED, Event.RETRIED): State.WANTED,
    (State.DISMISSED, Event.FACTS_MISSING): State.WAITING,
    (State.DISMISSED, Event.PREREQUISITE_FAILED): State.BLOCKED,
}
"""Every move a document may make. The only way out of CREATED is that its object in QuickBooks is gone.

The moves are made by six statements: `want` of `store.intake`, `begin` and `record` of
`store.dispatch`, `store.desired.take_up`, `amend` of `store.standing`, and `store.documents.change` for
people.
"""


@dataclass(frozen=True)
class RetryPolicy:
    """How long to believe in what.

    `replay_window`: within it a repeated request id is taken to replay its answer; Intuit gives
    no number, field reports say about 24 h, so stay well below. `landing`: how long after we gave
    up waiting a call may still be carried out; Intuit works on one for 120 s in all.
    `give_up_resolving`: how often a document is resolved anew after faults that say our picture
    was stale.
    """

    replay_window: timedelta = timedelta(hours=1)
    landing: timedelta = timedelta(seconds=90)
    first_delay: timedelta = timedelta(seconds=1)
    longest_delay: timedelta = timedelta(minutes=1)
    longest_pause: timedelta = timedelta(hours=1)
    give_up_resolving: int = 4

    def delay(self, attempts: int) -> timedelta:
        """Exponential from the first delay, bounded."""
        factor: int = 2 ** min(attempts - 1, 16)
        return min(self.first_delay * factor, self.longest_delay)


@dataclass(frozen=True)
class SendAgain:
    """Nothing was done: the same bytes, at `at`."""

    at: datetime
    error: str


@dataclass(frozen=True)
class NoAnswer:
    """It may have been done: look at it again at `at`."""

    at: datetime
    error: str


@dataclass(frozen=True)
class ResolveAgain:
    """What we believed of the company is stale: refresh it, and make a new request."""

    at: datetime
    error: str
    reaction: Reaction


@dataclass(frozen=True)
class Block:
    """A person must act."""

    reason: Reason
    detail: str
    error: str


@dataclass(frozen=True)
class Park:
    """The company can't be written to until someone connects it again; its documents keep."""

    at: datetime
    detail: str
    error: str


Next = SendAgain | NoAnswer | ResolveAgain | Block | Park

PARKED_LOOK = timedelta(minutes=5)
"""How often a disconnected or lapsed company is tried again."""


def after(
    error: QuickBooksError,
    attempts: int,
    now: datetime,
    policy: RetryPolicy,
    first_sent_at: datetime | None = None,
) -> Next:
    """What an operation that ended in *error* does next; *attempts* counts this one.

    Where the next look may be past the replay window it waits until this call has landed or never
    will: what is looked for too soon is not there yet, and would be made a second time.
    """
    text = str(error)
    if isinstance(error, RetryLater):
        pause = min(max(error.retry_after, policy.delay(attempts)), policy.longest_pause)
        return SendAgain(now + pause, text)
    if isinstance(error, OutcomeUnknown):
        at = now + policy.delay(attempts)
        if may_be_forgotten(first_sent_at or now, at, policy):
            at = max(at, now + policy.landing)
        return NoAnswer(at, text)
    if isinstance(error, Disconnected):
        return Park(now, f"{error.message} {error.remedy}".strip(), text)
    if isinstance(error, LookAgain):
        return ResolveAgain(
            now + policy.delay(attempts) - policy.first_delay, text, reaction(error)
        )
    return refusal(error)


def ending(
    operation_key: str,
    error: QuickBooksError,
    before: UnfinishedOperation | None,
    now: datetime,
    policy: RetryPolicy,
) -> tuple[OperationResult, Next]:
    """What to record of an operation that ended in *error*, and what follows from it.

    *before* is what is known of its attempts before, if it was taken up again.
    """
    attempts, first_sent_at = (before.attempts, before.first_sent_at) if before else (1, now)
    following = after(error, attempts, now, policy, first_sent_at)
    match following:
        case SendAgain() | Park():
            state = unsent(before)
        case NoAnswer():
            state = "unknown"
        case ResolveAgain() | Block():
            state = "refused"
    result = OperationResult(
        operation_key,
        state,
        error=following.error,
        tid=error.tid or None,
        next_attempt_at=None if isinstance(following, ResolveAgain | Block) else following.at,
    )
    return result, following


def unsent(before: UnfinishedOperation | None) -> str:
    """The state of an operation that this attempt did nothing for: what an attempt before it came to
    stays unknown."""
    return "begun" if before is None or before.was_answered else "unknown"


def is_refusal(error: QuickBooksError) -> bool:
    """Whether QuickBooks said that it did nothing, and why; sending the same again is no use."""
    return not isinstance(error, RetryLater | OutcomeUnknown | Disconnected)


def refusal(error: QuickBooksError) -> Block:
    """The sentence for a document that QuickBooks will not take."""
    sentence = WORDS[Reason.REFUSED].sentence.format(message=error.in_words)
    detail = f"{sentence} {error.remedy}"
    code = f" (Intuit code {error.code})" if error.code else ""
    reason = Reason.BOOKS_CLOSED if reaction(error) is Reaction.REDATE else Reason.REFUSED
    return Block(reason, detail.strip() + code, str(error))


def may_be_forgotten(first_sent_at: datetime, now: datetime, policy: RetryPolicy) -> bool:
    """Whether Intuit may no longer know the request id, so that sending it could make a second."""
    return now - first_sent_at >= policy.replay_window
