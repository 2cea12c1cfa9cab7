"""Which day a document bears where it can't be the one that HubSpot calls for. Pure.

`prepare` and `record` ask `Policies.dated` before anything is made; `amendments` holds what is to be
written to the day that the document has.
"""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from reconciler.model import DocumentContent


def dated(content: DocumentContent, day: str) -> DocumentContent:
    """Dated on *day*, and never due before it."""
    if content.txn_date == day:
        return content
    due = max(content.due_date, day) if content.due_date else ""
    return msgspec.structs.replace(content, txn_date=day, due_date=due)


def on_first_open_day(content: DocumentContent, closed: date | None) -> DocumentContent:
    """Dated on the day after *closed*, if there is one and its own is in closed books."""
    if closed in (None, date.max) or date.fromisoformat(content.txn_date) > closed:
        return content
    return dated(content, (closed + timedelta(days=1)).isoformat())
