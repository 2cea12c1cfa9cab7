"""When terms of payment make a document due; pure. Facts: the Term entity page, read 2026-11."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from reconciler.quickbooks.references import Reference


def due_on(term: Reference, day: date) -> date | None:
    """The day by which what is dated *day* is to be paid; None where the terms name none.

    It is so many days later, or a day of the month: the next month's where less than
    DueNextMonthDays are left until this one's.
    """
    days, of_month = term.data.get("DueDays"), term.data.get("DayOfMonthDue")
    if isinstance(days, int):
        return day + timedelta(days=days)
    if not isinstance(of_month, int):
        return None
    due = _of_month(day.year, day.month, of_month)
    notice = term.data.get("DueNextMonthDays")
    if day + timedelta(days=notice if isinstance(notice, int) else 0) <= due:
        return due
    return _of_month(day.year + day.month // 12, day.month % 12 + 1, of_month)


def _of_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
