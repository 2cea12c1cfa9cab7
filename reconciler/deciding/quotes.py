"""Reads what a quote says of itself: what it comes to, and until when it stands. Pure; `content` calls it.

Discounts, fees and taxes of a whole legacy quote are objects of their own that no feed carries, so
they show only in its amount (quotes guide, developers.hubspot.com, read March 2026).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from reconciler.deciding.source import (
    ZERO,
    Properties,
    cents,
    is_recurring,
    money,
)
from reconciler.model import AFTER_LAST_MS, FIRST_MS, Line, SourceObject
from reconciler.objects.reading import associated
from reconciler.reasons import Blocked, Reason
from reconciler.workflows.values import DAY_MS, instant


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


def expires_on(found: Properties, date_of: Callable[[int], str]) -> str:
    """The ISO date until which the quote stands, "" where it says none.

    A date alone is midnight in UTC, also in epoch milliseconds, and is meant as it is written; of any
    other instant it is the day in the company's time zone, which *date_of* knows.
    """
    text = found.get("hs_expiration_date")
    if not text:
        return ""
    at = instant(text)
    if at is None or not FIRST_MS <= at < AFTER_LAST_MS:
        where = "hs_expiration_date of the quote"
        raise Blocked(Reason.BAD_DATE, where=where, value=text[:40])
    if at % DAY_MS == 0:
        return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
    return date_of(at)
