"""Looks in the books for an operation's result when no answer came. Called by `company` and `record`.

Documents are found by what can be filtered (date and customer, or the number), then recognised
by the marker in their private note, which can't be filtered (data-queries page, read 2026-11).
Name lists are found by their unique name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.errors import LookAgain, OutcomeUnknown, QuickBooksError, Reaction, Refused
from reconciler.ports.dispatch import Operation
from reconciler.quickbooks.answers import Answer, BatchResult
from reconciler.quickbooks.client import QuickBooks
from reconciler.quickbooks.faults import reaction
from reconciler.quickbooks.names import name_key
from reconciler.quickbooks.payload import decode
from reconciler.quickbooks.protocol import query, read
from reconciler.quickbooks.queries import MAX_PAGE, equals, next_page, resembles, select
from reconciler.quickbooks.references import Reference, read_reference
from reconciler.writing.lifecycle import is_refusal

_NAMED_BY = {"Customer": "DisplayName", "Item": "Name"}


async def locate(quickbooks: QuickBooks, op: Operation) -> BatchResult | None:
    """The object that *op* made, as if QuickBooks had answered; None if the books hold none.

    When the books can't be read, an error that leaves *op* open: nothing is known yet. A look that
    QuickBooks refuses says nothing about *op* either.
    """
    try:
        return await _search(quickbooks, op)
    except QuickBooksError as error:
        if is_refusal(error):
            return OutcomeUnknown(f"The books could not be searched: {error}", tid=error.tid)
        return error


async def _search(quickbooks: QuickBooks, op: Operation) -> Answer | None:
    wanted: dict[str, Any] = decode(op.request)
    conditions = list(_conditions(op.entity, wanted))
    start: int | None = 1
    while start is not None:
        statement = select(op.entity, conditions, start=start, limit=MAX_PAGE)
        answer = await quickbooks.send(query(op.entity, statement))
        rows = answer.rows(op.entity)
        for row in rows:
            if is_ours(op, row):
                return Answer({op.entity: row}, answer.tid, answer.at)
        start = next_page(start, len(rows))
    return None


def is_ours(op: Operation, entity: dict[str, Any]) -> bool:
    """Whether an object in the books is the one *op* was to make."""
    if op.entity in _NAMED_BY:
        return is_wanted(op, read_reference(op.entity, entity))
    return op.marker in str(entity.get("PrivateNote", ""))


def is_gone(error: LookAgain) -> bool:
    """Whether a read was refused because the object was deleted (610), and not for another reason."""
    return reaction(error) is Reaction.RESOLVE


def is_wanted(op: Operation, found: Reference) -> bool:
    """Whether an active entry of a name list is the one that *op* was to make: a namesake with
    another address or currency, or a product with another SKU, is a stranger."""
    wanted = read_reference(op.entity, decode(op.request))
    return (
        found.active
        and found.entity == op.entity
        and found.name_key == wanted.name_key
        and found.email_key == wanted.email_key
        and found.sku == wanted.sku
        and wanted.currency in ("", found.currency)
        and name_key(found.given_name) == name_key(wanted.given_name)
        and name_key(found.family_name) == name_key(wanted.family_name)
    )


def _conditions(entity: str, wanted: dict[str, Any]) -> Iterable[str]:
    if name := _NAMED_BY.get(entity):
        if condition := resembles(name, wanted[name]):
            yield condition
        return
    yield equals("TxnDate", wanted["TxnDate"])
    if customer := wanted.get("CustomerRef"):
        yield equals("CustomerRef", customer["value"])


async def still_exists(quickbooks: QuickBooks, op: Operation, answer: Answer) -> BatchResult:
    """A repeated request's answer, or the error to act on if its object was deleted since.

    QuickBooks replays an answer even for an object that is gone (LanternOps/breeze pull 4624).
    """
    made = answer.entity(op.entity).get("Id")
    if op.entity in _NAMED_BY or not made:
        return answer
    try:
        return await quickbooks.send(read(op.entity, str(made)))
    except LookAgain as gone:
        if not is_gone(gone):
            return answer
        return Refused(
            message="The document was created and then deleted in QuickBooks",
            code=gone.code,
            detail=gone.detail,
            status=gone.status,
            tid=gone.tid,
            remedy="If it should exist, retry it: a new one is created.",
        )
    except QuickBooksError:
        return answer  # it was created; whether it still exists is for the drift sweep to see
