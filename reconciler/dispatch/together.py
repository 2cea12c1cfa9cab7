"""Writes what several calls came to in one transaction, where they end at about the same time.

Used by `record`. While one transaction is being committed, the calls that end meanwhile gather,
and the next one writes them all: the busier a company is, the fewer transactions a document
costs. A call still is recorded wholly or not at all, and whoever recorded it hears the outcome of
the transaction that held it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.ports.dispatch import (
    DispatchLedger,
    DocumentUpdate,
    Lease,
    Operation,
    OperationResult,
)
from reconciler.ports.outcomes import NewOutcome


@dataclass(eq=False)
class Writing:
    """What is to be written of one call; every update and event is of one of its results."""

    results: Sequence[OperationResult]
    updates: Sequence[DocumentUpdate]
    outcomes: Sequence[NewOutcome]
    following: Sequence[Operation]
    updated: set[int] | None = None

    @property
    def documents(self) -> set[int]:
        """The documents that it is about."""
        return {update.document_id for update in self.updates}

    @property
    def operations(self) -> set[str]:
        """The keys of the operations that it is about."""
        return {result.operation_key for result in self.results}


@dataclass
class Together:
    """One company's writer."""

    lease: Lease
    store: DispatchLedger
    _waiting: list[Writing] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def write(self, mine: Writing) -> set[int]:
        """Commit it, perhaps with others; answers the documents updated. Raises `Fenced`.

        If the transaction of another call that held ours fails, ours is written again by itself:
        should it have been committed after all, that changes nothing (`DispatchLedger.record`).
        """
        self._waiting.append(mine)
        try:
            async with self._turn:
                if mine.updated is None:
                    await self._write_with(mine)
        finally:
            self._waiting.remove(mine)
        assert mine.updated is not None
        return mine.updated

    async def _write_with(self, mine: Writing) -> None:
        group = self._gathered(mine)
        updated = await self.store.record(
            self.lease,
            [each for one in group for each in one.results],
            [each for one in group for each in one.updates],
            [each for one in group for each in one.outcomes],
            [each for one in group for each in one.following],
        )
        for one in group:
            one.updated = updated & one.documents

    def _gathered(self, mine: Writing) -> list[Writing]:
        """Ours and the others that wait, without any that is about the same documents or operations."""
        group, documents, operations = [mine], mine.documents, mine.operations
        for one in self._waiting:
            if one.updated is not None or one is mine:
                continue
            if documents.isdisjoint(one.documents) and operations.isdisjoint(one.operations):
                group.append(one)
                documents |= one.documents
                operations |= one.operations
        return group
