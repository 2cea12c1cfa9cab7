"""What is recorded of a write that QuickBooks did not do, or did not answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from reconciler.dispatch.missing import ReferenceMaker
from reconciler.errors import (
    Disconnected,
    LookAgain,
    OutcomeUnknown,
    QuickBooksError,
    Refused,
    RetryLater,
)
from reconciler.ports.dispatch import Lease, Operation, UnfinishedOperation
from reconciler.writing.lifecycle import RetryPolicy, ending

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
POLICY = RetryPolicy()
OPERATION = Operation(
    "Customer:ada", "9341450000000121", None, "Customer", "create", "r-1", None, "m", b"{}"
)
SOON = RetryLater("Too many requests", retry_after=timedelta(0))


def taken_up(attempts: int, *, was_answered: bool = False) -> UnfinishedOperation:
    """The operation as it is read back for another attempt."""
    return UnfinishedOperation(
        1, OPERATION, "begun" if was_answered else "unknown", attempts, NOW, NOW, was_answered,
        None, None,
    )  # fmt: skip


async def of_customers(error: QuickBooksError, before: UnfinishedOperation | None) -> Any:
    """What is recorded of a customer or product."""
    nothing: Any = None  # neither the ledger nor QuickBooks is asked
    maker = ReferenceMaker(
        Lease(OPERATION.realm_id, "me", 1), nothing, nothing, nothing, lambda: NOW, POLICY
    )
    return await maker.result_of(OPERATION, error, before)


@pytest.mark.parametrize("error", [SOON, OutcomeUnknown("No answer")], ids=["429", "unanswered"])
async def test_each_attempt_waits_longer_than_the_one_before(error: QuickBooksError) -> None:
    """Of documents, and of the customers and products that they lack."""
    attempts = [taken_up(number) for number in range(1, 12)]
    of_documents = [ending("k", error, each, NOW, POLICY)[0].next_attempt_at for each in attempts]
    results = [await of_customers(error, each) for each in attempts]
    assert [each.next_attempt_at for each in results] == of_documents
    waits = [at - NOW for at in of_documents if at is not None]
    assert waits[:4] == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)]
    assert waits[-1] == POLICY.longest_delay


@pytest.mark.parametrize("error", [SOON, Disconnected("Revoked")], ids=["429", "disconnected"])
@pytest.mark.parametrize(
    ("before", "state"),
    [
        (None, "begun"),
        (taken_up(2, was_answered=True), "begun"),
        (taken_up(2), "unknown"),
    ],
)
async def test_what_got_no_answer_stays_unknown(
    error: QuickBooksError, before: UnfinishedOperation | None, state: str
) -> None:
    """That a later attempt did nothing says nothing of it: it may still land, and is waited for."""
    result, _ = ending("k", error, before, NOW, POLICY)
    assert (result.state, (await of_customers(error, before)).state) == (state, state)


@pytest.mark.parametrize("error", [Refused("No"), LookAgain("Stale")])
def test_a_refusal_ends_the_operation(error: QuickBooksError) -> None:
    """With Intuit's id of the answer, which its support asks for; it is not looked at again."""
    result, _ = ending("k", replace(error, tid="1-5f"), taken_up(2), NOW, POLICY)
    assert (result.state, result.tid, result.next_attempt_at) == ("refused", "1-5f", None)


def test_what_may_be_forgotten_is_looked_for_only_once_it_has_landed() -> None:
    """Counted from the first attempt, of whatever process."""
    old = msgspec.structs.replace(taken_up(5), first_sent_at=NOW - POLICY.replay_window)
    result, _ = ending("k", OutcomeUnknown("No answer"), old, NOW, POLICY)
    assert result.next_attempt_at == NOW + POLICY.landing
