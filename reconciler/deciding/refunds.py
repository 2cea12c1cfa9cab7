"""Splits a payment's refunds into receipts that sum to what was given back. Pure; `decide` calls it.

HubSpot tells the refunded amount as a running total. Each value it ever had is a step, and each
step is a receipt over what it added (`partial_refunds: receipt`). What was sent stays: a step heard
of late, whose money a later receipt already gave back, makes none of its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import msgspec

from reconciler.deciding.source import ZERO, amount_in, cents, option
from reconciler.model import Line, SourceObject
from reconciler.workflows.presets import COLLECTED

_AMOUNT = "hs_refunds_amount"


class RefundShare(NamedTuple):
    """One receipt: what was refunded beyond `after`, up to `up_to`, at `at` (epoch ms)."""

    after: Decimal
    up_to: Decimal
    at: int


def refund_steps(obj: SourceObject) -> tuple[tuple[Decimal, int], ...]:
    """The refunded totals so far, ascending, each with the instant (epoch ms) it was first known.

    Totals above the present one were taken back and don't count. The amount tells alone: a payment
    that was refunded in part may be disputed since, or the next refund be on its way.
    """
    if option(obj.properties, "hs_latest_status") not in COLLECTED:
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

    Every line, its tax and the discount bear their part of the refund, and none has the other sign
    than on the payment. The receipts of a payment that was refunded whole add up to its lines.
    """
    bearers = [*(line.amount for line in lines), *(line.tax for line in lines), -discount]
    borne = [_in_cents(each) for each in bearers]
    after, up_to = (_borne(borne, _in_cents(whole), _in_cents(each)) for each in share[:2])
    parts = [Decimal(more - less).scaleb(-2) for more, less in zip(up_to, after, strict=True)]
    amounts, taxes = parts[: len(lines)], parts[len(lines) : -1]
    found = zip(lines, amounts, taxes, strict=True)
    return tuple(_line(*each) for each in found if each[1] or each[2]), -parts[-1]


def _in_cents(value: Decimal) -> int:
    return int(cents(value).scaleb(2))


def _borne(bearers: list[int], whole: int, refunded: int) -> list[int]:
    """What each bears of the refunds so far, in cents; together it is what was refunded.

    The more was refunded the more, or as much, each of them bears: the difference of two totals has no
    line of the wrong sign. So those that take off are rounded, and the others share the rest.
    """
    taken_off = [
        -((2 * -each * refunded + whole) // (2 * whole)) if each < 0 else 0 for each in bearers
    ]
    rest = _apportioned([max(each, 0) for each in bearers], refunded - sum(taken_off))
    return [less + more for less, more in zip(taken_off, rest, strict=True)]


def _apportioned(weights: list[int], total: int) -> list[int]:
    """A total shared by weight in whole numbers, after Webster: a larger one makes no share smaller.

    (Rounding down and giving what is left to the largest remainders would: the Alabama paradox.) The
    n-th cent of a weight is due at (2n - 1) / weight; the earliest are given, of two the first one's.
    """
    everything = sum(weights)
    if not everything:
        return [0] * len(weights)
    shares = [(2 * each * total + everything) // (2 * everything) for each in weights]
    missing = total - sum(shares)
    step = 1 if missing > 0 else -1  # give the earliest cents, or take the latest back

    def due(index: int) -> tuple[Fraction, int]:
        cent = shares[index] + (step > 0)
        return step * Fraction(2 * cent - 1, weights[index]), step * index

    changing = [due(index) for index, each in enumerate(weights) if each]
    heapq.heapify(changing)
    for _ in range(abs(missing)):
        index = step * changing[0][1]
        shares[index] += step
        heapq.heapreplace(changing, due(index))
    return shares


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
