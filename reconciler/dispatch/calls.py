"""Sends operations in one call to QuickBooks. Called by `company` and `missing`.

It begins nothing and records nothing: both come before and after, in transactions of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.errors import QuickBooksError
from reconciler.ports.dispatch import Operation
from reconciler.quickbooks.answers import BatchResult, read_batch
from reconciler.quickbooks.client import QuickBooks
from reconciler.writing.operations import batch_request, single_request


async def send(quickbooks: QuickBooks, operations: Sequence[Operation]) -> dict[str, BatchResult]:
    """Every operation's answer or error, by operation key; several are items of one batch."""
    first = operations[0]
    try:
        if first.b_id is None:
            return {first.operation_key: await quickbooks.send(single_request(first))}
        request, items = batch_request(operations)
        by_id = read_batch(items, await quickbooks.send(request))
    except QuickBooksError as error:
        return {op.operation_key: error for op in operations}
    return {op.operation_key: by_id[op.b_id or ""] for op in operations}
