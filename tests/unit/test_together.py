"""Calls that end while a transaction is being committed are written by the next one, together."""

import asyncio
from typing import Any

import pytest

from reconciler.dispatch.together import Together, Writing
from reconciler.errors import Fenced
from reconciler.model import DocumentState
from reconciler.ports.dispatch import DocumentUpdate, Lease, OperationResult


class Ledger:
    """Remembers its transactions; each waits until it is let go, and may fail."""

    def __init__(self) -> None:
        self.transactions: list[list[int]] = []
        self.gate = asyncio.Event()
        self.failures: list[Exception] = []

    async def record(self, _lease: Lease, _results: Any, updates: Any, *_more: Any) -> set[int]:
        self.transactions.append([update.document_id for update in updates])
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop()
        return {update.document_id for update in updates}


def writing(*documents: int) -> Writing:
    return Writing(
        [OperationResult(str(id_), "done") for id_ in documents],
        [DocumentUpdate(id_, DocumentState.CREATED) for id_ in documents],
        (),
        (),
    )


def start(ledger: Ledger, *calls: tuple[int, ...]) -> list[asyncio.Task[set[int]]]:
    together = Together(Lease("1", "o", 1), ledger)  # type: ignore[arg-type]
    return [asyncio.create_task(together.write(writing(*call))) for call in calls]


async def until(ledger: Ledger, transactions: int) -> None:
    while len(ledger.transactions) < transactions:
        await asyncio.sleep(0)


async def test_waiting_calls_share_a_transaction_and_each_hears_of_its_own() -> None:
    """The first is written at once, the others with one another."""
    ledger = Ledger()
    tasks = start(ledger, (1,), (2, 3), (4,))
    await until(ledger, 1)
    ledger.gate.set()
    assert await asyncio.gather(*tasks) == [{1}, {2, 3}, {4}]
    assert [sorted(each) for each in ledger.transactions] in ([[1], [2, 3, 4]], [[1, 2, 3, 4]])


async def test_two_answers_about_one_document_are_never_written_together() -> None:
    """The second must see what the first has written."""
    ledger = Ledger()
    tasks = start(ledger, (9,), (1,), (1,))
    await until(ledger, 1)
    ledger.gate.set()
    await asyncio.gather(*tasks)
    assert sorted(id_ for each in ledger.transactions for id_ in each) == [1, 1, 9]
    assert all(len(each) == len(set(each)) for each in ledger.transactions)


async def test_two_answers_to_one_operation_are_never_written_together() -> None:
    """One of them changes no document: it would hide that the other one was the answer."""
    ledger = Ledger()
    together = Together(Lease("1", "o", 1), ledger)  # type: ignore[arg-type]
    lost = Writing([OperationResult("1", "unknown")], (), (), ())
    tasks = [asyncio.create_task(together.write(each)) for each in (writing(9), lost, writing(1))]
    await until(ledger, 1)
    ledger.gate.set()
    await asyncio.gather(*tasks)
    assert ledger.transactions == [[9], [], [1]]


async def test_a_failure_is_raised_to_one_and_the_others_are_written_by_themselves() -> None:
    """What a fenced or broken transaction held is not taken to be written."""
    ledger = Ledger()
    ledger.failures = [Fenced("lost")]
    tasks = start(ledger, (1,), (2,))
    await until(ledger, 1)
    ledger.gate.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done[0], Fenced)
    assert done[1] == {2}


async def test_a_call_that_is_cut_off_takes_no_other_with_it() -> None:
    """Cancelling the one that writes lets the next write what waits."""
    ledger = Ledger()
    tasks = start(ledger, (1,), (2,))
    await until(ledger, 1)
    tasks[0].cancel()
    ledger.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert await tasks[1] == {2}
