"""Splits a payment's refunds into receipts that sum to what was given back. Pure; `decide` calls it.

HubSpot tells the refunded amount as a running total. Each value it ever had is a step, and each
step is a receipt over what it added (`partial_refunds: receipt`). What was sent stays: a step heard
of late, whose money a later receipt already gave back, makes none of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from reconciler.model import Line, SourceObject
from reconciler.source import ZERO, amount_in, cents

REFUNDED = frozenset({"refunded", "partially_refunded"})
_AMOUNT = "hs_refunds_amount"


class RefundShare(NamedTuple):
    """One receipt: what was refunded beyond `after`, up to `up_to`, at `at` (epoch ms)."""

    after: Decimal
    up_to: Decimal
    at: int


def refund_steps(obj: SourceObject) -> tuple[tuple[Decimal, int], ...]:
    """The refunded totals so far, ascending, each with the instant (epoch ms) it was first known.

    Totals above the present one were taken back and don't count.
    """
    if obj.properties.get("hs_latest_status") not in REFUNDED:
        return ()
    present = _amount(obj.properties.get(_AMOUNT))
    if present is None:
        return ()
    first: dict[Decimal, int] = {}
    for at, text in obj.history.get(_AMOUNT, ()):
        amount = _amount(text)
        if amount is not None and amount <= present:
            first.setdefault(amount, at)
    first.setdefault(present, obj.changed_at)
    return tuple(sorted(first.items()))


def refund_shares(
    steps: tuple[tuple[Decimal, int], ...], sent: Mapping[int, Decimal | None]
) -> Iterator[tuple[int, RefundShare]]:
    """Number and share of each receipt that is not *sent* yet.

    *sent* gives the totals of receipts that can't change any more, by number; None is one whose
    total is not known, taken to be its step's.
    """
    covered = sum((total or ZERO for number, total in sent.items() if number > len(steps)), ZERO)
    for number, (refunded, at) in enumerate(steps, start=1):
        if number in sent:
            total = sent[number]
            covered = max(covered, refunded) if total is None else covered + total
        elif refunded > covered:
            yield number, RefundShare(covered, refunded, at)
            covered = refunded


def portion(
    lines: tuple[Line, ...], discount: Decimal, whole: Decimal, share: RefundShare
) -> tuple[tuple[Line, ...], Decimal]:
    """The lines and the discount of one partial receipt, adding up to it to the cent.

    Every line, its tax and the discount bear their part of the refund; what rounding leaves is on
    the last line. The receipts of a payment that was refunded whole add up to its lines.
    """

    def part(value: Decimal) -> Decimal:
        return cents(value * share.up_to / whole) - cents(value * share.after / whole)

    off = part(discount)
    taxes = [part(line.tax) for line in lines]
    amounts = [part(line.amount) for line in lines[:-1]]
    rest = share.up_to - share.after + off - sum(taxes, ZERO) - sum(amounts, ZERO)
    parts = zip(lines, [*amounts, rest], taxes, strict=True)
    return tuple(_line(*each) for each in parts if each[1] or each[2]), off


def _line(line: Line, amount: Decimal, tax: Decimal) -> Line:
    return msgspec.structs.replace(
        line,
        amount=amount,
        quantity=Decimal(1),
        unit_price=amount,
        description=f"Partial refund: {line.description or line.product.name}".rstrip(": "),
        tax=tax,
    )


def _amount(text: str | None) -> Decimal | None:
    """A positive amount, or None; `money` says what is wrong with one that can't be read."""
    value = amount_in(text)
    return cents(value) if value is not None and cents(value) > ZERO else None
