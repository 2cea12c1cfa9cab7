"""Compares what a quote says it comes to with its lines. Pure; `content` calls it.

Discounts, fees and taxes of a whole legacy quote are objects of their own that no feed carries, so
they show only in its amount (quotes guide, developers.hubspot.com, read March 2026).
"""

from __future__ import annotations

from reconciler.deciding.source import ZERO, cents, is_recurring, money
from reconciler.model import Line, SourceObject
from reconciler.objects.reading import associated
from reconciler.reasons import Blocked, Reason


def check_amount(quote: SourceObject, lines: tuple[Line, ...]) -> None:
    """Raises `Blocked` where the quote states an amount that its lines don't come to.

    HubSpot's setting decides whether the amount holds tax, so it may or may not. With a recurring
    line it is the whole contract's or what is due now, and says nothing of one period's document.
    """
    amount = money(quote.properties, "hs_quote_amount", "the quote")
    items = associated(quote, "line_items") or ()
    if amount is None or any(is_recurring(item.properties or {}) for item in items):
        return
    net = sum((line.amount for line in lines), ZERO)
    tax = sum((line.tax for line in lines), ZERO)
    if cents(amount) not in (net, net + tax):
        with_tax = f" ({net + tax} with tax)" if tax else ""
        raise Blocked(Reason.QUOTE_AMOUNT, amount=cents(amount), sum=net, with_tax=with_tax)
