"""Reads what QuickBooks answers to a `Request`: data, or the error that says what to do; pure.

The client calls `read_answer` for every response; the dispatcher calls `read_batch` on a batch's
data. A write whose answer cannot be read may have been done, so it is OutcomeUnknown; a read can
simply be read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from reconciler.errors import Disconnected, OutcomeUnknown, QuickBooksError, Refused, RetryLater
from reconciler.quickbooks import fault_codes
from reconciler.quickbooks.faults import (
    READ_AGAIN_AFTER,
    Circumstances,
    classify,
    fault_in,
    read_fault,
)
from reconciler.quickbooks.payload import Payload, decode
from reconciler.quickbooks.protocol import BatchItem, Request, Verb

MAX_RETRY_AFTER = timedelta(hours=1)
NOT_A_JSON_OBJECT = "The answer is not a JSON object"


@dataclass(frozen=True)
class Answer:
    """What QuickBooks answered: the JSON object, `intuit_tid`, and the server's own time."""

    data: Payload
    tid: str = ""
    at: datetime | None = None

    def entity(self, name: str) -> Payload:
        """The object of that type; {} if the answer holds none."""
        found = self.data.get(name)
        return found if isinstance(found, dict) else {}

    def rows(self, name: str) -> list[Payload]:
        """The rows of a query answer; no rows come as an empty QueryResponse."""
        rows = self.entity("QueryResponse").get(name)
        return rows if isinstance(rows, list) else []


def read_answer(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer to a request, or raise the QuickBooksError that says what to do next.

    The content type is not looked at: Intuit's gateways send faults under wrong ones.
    """
    known = Circumstances(
        status=status,
        tid=_header(headers, "intuit_tid"),
        writes=request.writes,
        retry_after=_retry_after(_header(headers, "retry-after")),
    )
    data = _json_object(body)
    fault = fault_in(data) if data is not None else read_fault(body)
    if fault is not None:
        raise classify(fault, known)
    if not 200 <= status < 300:
        raise _unexplained(known, body)
    if data is None:
        raise _unreadable(known, NOT_A_JSON_OBJECT)
    if missing := _missing(request, data):
        raise _unreadable(known, missing)
    return Answer(data, known.tid, _time(data.get("time")))


BatchResult = Answer | QuickBooksError


def read_batch(items: Sequence[BatchItem], answer: Answer) -> dict[str, BatchResult]:
    """What became of each item, by `bId`; an item the answer leaves out has an unknown outcome."""
    responses = answer.data.get("BatchItemResponse")
    listed = responses if isinstance(responses, list) else []
    by_id = {str(entry.get("bId")): entry for entry in listed if isinstance(entry, dict)}
    return {item.b_id: _read_item(item, by_id.get(item.b_id), answer) for item in items}


def _read_item(item: BatchItem, entry: Payload | None, answer: Answer) -> BatchResult:
    known = Circumstances(status=200, tid=answer.tid, writes=item.writes)
    if entry is None:
        return _unreadable(known, f"The batch's answer says nothing about item {item.b_id}")
    if (fault := fault_in(entry)) is not None:
        return classify(fault, known)
    expected = item.entity if item.writes else "QueryResponse"
    if not isinstance(entry.get(expected), dict):
        return _unreadable(known, f"The batch's answer has no {expected}")
    return Answer(entry, answer.tid, answer.at)


# --- answers that are no answer ---------------------------------------------------------------


def _missing(request: Request, data: Payload) -> str:
    """What a 2xx answer lacks: a cut or foreign JSON object must not pass for a success."""
    match request.operation:
        case Verb.QUERY:
            expected = "QueryResponse"
        case Verb.BATCH:
            expected = "BatchItemResponse"
        case Verb.CDC:
            expected = "CDCResponse"
        case _:
            expected = request.entity
    return "" if isinstance(data.get(expected), (dict, list)) else f"The answer has no {expected}"


def not_understood(answer: Answer, error: Exception) -> OutcomeUnknown:
    """What to take an answer for that holds something else than it should."""
    return OutcomeUnknown(
        message="QuickBooks's answer could not be understood",
        detail=f"{type(error).__name__}: {error}"[:200],
        tid=answer.tid,
    )


def _unreadable(known: Circumstances, reason: str) -> QuickBooksError:
    if known.writes:
        return OutcomeUnknown(
            message="QuickBooks's answer could not be read",
            detail=reason,
            status=known.status,
            tid=known.tid,
        )
    return RetryLater(
        message="QuickBooks's answer could not be read",
        detail=reason,
        status=known.status,
        tid=known.tid,
        retry_after=READ_AGAIN_AFTER,
    )


OUR_MISTAKES = frozenset({405, 411, 413, 414, 415, 431})
"""Statuses that repeating the same bytes cannot change."""


def _unexplained(known: Circumstances, body: bytes) -> QuickBooksError:
    """An error status without a readable Fault: a proxy's page, or a body cut short."""
    status, tid = known.status, known.tid
    detail = f"HTTP {status} without a Fault"
    if status >= 500:
        return _unreadable(known, detail)
    if status == 401:
        rule = fault_codes.GATEWAY_FAULTS["3200"]
        return Disconnected(rule.sentence, "3200", detail, status, tid, remedy=rule.remedy)
    if status in OUR_MISTAKES:
        return Refused("QuickBooks does not accept the request", "", detail, status, tid)
    quota = status == 429 and b"quota" in body.lower()
    rule = fault_codes.QUOTA_EXHAUSTED if quota else fault_codes.GATEWAY_FAULTS["3001"]
    return RetryLater(
        message=rule.sentence if status == 429 else "QuickBooks did not process the request",
        detail=detail,
        status=status,
        tid=tid,
        retry_after=max(rule.retry_after, known.retry_after or timedelta(0)),
        quota_exhausted=quota,
    )


def _json_object(body: bytes) -> Payload | None:
    try:
        data = decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return data if isinstance(data, dict) else None


def _header(headers: Mapping[str, str], name: str) -> str:
    if (found := headers.get(name)) is not None:  # aiohttp's mapping ignores case itself
        return found
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _retry_after(text: str) -> timedelta | None:
    """The header in seconds; dates are not sent. A wrong value must not stop a company for days."""
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    return None


def _time(value: Any) -> datetime | None:
    """`time` is an ISO instant in Pacific time, or epoch milliseconds from the gateway."""
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int) else None
    except (ValueError, OverflowError, OSError):
        return None
