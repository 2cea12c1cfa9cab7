"""Every error the service raises on purpose, classed by what to do next.

    ReconcilerError
    ├── ConfigurationError      a person edits a file or a setting; the process does not start
    ├── UndecodableRecord       the record becomes a dead letter
    ├── RecordTooLarge          Kafka takes no record of this size: a person is told
    ├── Fenced                  another process owns this now: drop the work, write nothing
    ├── FeedBroken              the Kafka log is not the one we read: stop intake, call a person
    ├── HubSpotError            an answer from HubSpot, or the lack of one
    │   ├── HubSpotBusy         nothing is wrong: ask again, not before `retry_after`
    │   └── HubSpotRefused      repeating won't help: a person changes the app or a setting
    └── QuickBooksError         an answer from QuickBooks, or the lack of one
        ├── RetryLater          nothing happened: the same bytes again, not before `retry_after`
        ├── LookAgain           our picture is stale: read, then decide anew
        ├── Refused             nothing happened and repeating won't help: block with a sentence
        ├── Disconnected        the company must be connected again by a person
        └── OutcomeUnknown      it may have happened: same request id, same bytes, or look first

Adapters translate a library's errors into these at their edge. Anything else is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from reconciler.model import Change

UNFORESEEN = (ArithmeticError, ValueError)
"""What a value can cause that nobody thought of; it stops one object or document, and no process."""


ODD_ANSWER = (*UNFORESEEN, AttributeError, LookupError, TypeError)
"""The same of an answer in another shape than its vendor documents."""


class ReconcilerError(Exception):
    """Root of the errors raised on purpose."""


class ConfigurationError(ReconcilerError):
    """A setting or file is wrong; the text says which, where, and what to write instead."""


class UndecodableRecord(ReconcilerError):
    """A Kafka record cannot be understood; it is kept as a dead letter.

    `reason` is one of a small fixed set of words (it labels a metric); `detail` is for a person
    and never holds more than a few characters of the record itself. `changes` is what the rest of
    the record says where only some of its events can't be understood; it is taken all the same.
    """

    def __init__(self, reason: str, detail: str, changes: Sequence[Change] = ()) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.changes = changes


class RecordTooLarge(ReconcilerError):
    """The record can't be written to Kafka at its size, now or later."""


class Fenced(ReconcilerError):
    """This process no longer owns the partition or company it was working for."""


class FeedBroken(ReconcilerError):
    """A topic was re-created or lost records we had not read; a person decides what to do."""


class Reaction(StrEnum):
    """What the caller does next; a metric label, and the name used in `docs`."""

    RETRY = "retry"  # the same bytes and request id, later
    RECONCILE = "reconcile"  # it may have been done: repeat, or look it up first
    REFRESH = "refresh"  # a new access token, the same bytes, once
    REREAD = "reread"  # read the object again and decide anew
    RESOLVE = "resolve"  # a reference is gone or inactive: resolve all references again
    ADOPT_NUMBER = "adopt_number"  # the document number is taken: adopt the holder or renumber
    ADOPT_NAME = "adopt_name"  # the name is taken: adopt, reactivate, or add a suffix
    DROP_EMAIL = "drop_email"  # send it again without the e-mail address
    SPLIT_BATCH = "split_batch"  # send fewer items
    REDATE = "redate"  # the period is closed: block, or a later date by policy
    BLOCK = "block"  # a person must change something
    RECONNECT = "reconnect"  # the company waits until a person connects it again
    PARK = "park"  # the company waits; look now and then whether it is back


@dataclass(eq=False)
class QuickBooksError(ReconcilerError):
    """What QuickBooks answered instead of doing what was asked.

    `code` is Intuit's fault code as a string ("" when the answer was not a Fault), `tid` the
    `intuit_tid` header that Intuit's support asks for. `remedy` says to a person what to do,
    `reaction` to the caller, where it was a Fault (`quickbooks.faults.reaction` knows it of any).
    """

    message: str
    code: str = ""
    detail: str = ""
    status: int = 0
    tid: str = ""
    element: str = ""
    remedy: str = ""
    reaction: Reaction | None = None

    @property
    def in_words(self) -> str:
        """For a person: what it means, then what QuickBooks said itself."""
        own = f"QuickBooks says: {self.detail}" if self.detail != self.message else ""
        return f"{self.message} {own}".strip() if self.detail else self.message

    def __str__(self) -> str:
        parts = [self.message]
        if self.detail and self.detail != self.message:
            parts.append(self.detail)
        known = [
            f"code {self.code}" if self.code else "",
            f"HTTP {self.status}" if self.status else "",
        ]
        suffix = ", ".join(part for part in known if part)
        return ": ".join(parts) + (f" ({suffix})" if suffix else "")


@dataclass(eq=False)
class RetryLater(QuickBooksError):
    """Throttled, locked out or under maintenance: nothing was done."""

    retry_after: timedelta = field(default=timedelta(seconds=60))
    quota_exhausted: bool = False


@dataclass(eq=False)
class LookAgain(QuickBooksError):
    """Stale SyncToken, duplicate name or number, unknown reference: what we believed is wrong."""


@dataclass(eq=False)
class Refused(QuickBooksError):
    """A validation or business fault: nothing was done, and a person must change something."""


@dataclass(eq=False)
class Disconnected(QuickBooksError):
    """The grant is gone or the subscription lapsed; only a person can mend it."""


@dataclass(eq=False)
class OutcomeUnknown(QuickBooksError):
    """Timeout, reset, 5xx or fault 600: the write may or may not have been done."""


@dataclass(eq=False)
class HubSpotError(ReconcilerError):
    """What HubSpot answered instead of doing what was asked; `status` is 0 when nothing came."""

    message: str
    status: int = 0

    def __str__(self) -> str:
        return f"HubSpot: {self.message}" + (f" (HTTP {self.status})" if self.status else "")


@dataclass(eq=False)
class HubSpotBusy(HubSpotError):
    """Throttled, unreachable or in trouble of its own: every call we make may be repeated."""

    retry_after: timedelta = field(default=timedelta(seconds=10))


@dataclass(eq=False)
class HubSpotRefused(HubSpotError):
    """A scope, a property or an object is missing, or the object can't be changed."""


def first_of(error: BaseException) -> BaseException:
    """The first error of a group, of a group in it, and so on; an error itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
