"""Owns change data capture: what changed since a moment, removed rows as stubs.

Look-back 30 days, at most 1000 objects, no paging. Of each entity the active objects come first, by
their last update, then the deleted ones (ChangeDataCapture, "Business Rules", read 2026-11), so that
deletions are the first to be left out.
"""

from typing import Any

from reconciler.sandbox import faults, reading
from reconciler.sandbox.answers import Answer, timed
from reconciler.sandbox.clock import moment
from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import raw
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.fields.entities import BY_PATH

_DAY = 86_400
_WITHOUT = frozenset({"TaxAgency", "TaxCode", "TaxRate"})  # and JournalCode, TimeActivity


def changes(company: Company, entities: str, since_text: str) -> Answer:
    """Answer `cdc?entities=…&changedSince=…`."""
    names = [one.strip() for one in entities.split(",") if one.strip()]
    if not names:
        raise Fault(faults.missing("entities"))
    since = moment(since_text) if since_text else None
    if since is None:
        raise Fault(faults.missing("changedSince"))
    now = company.clock.now()
    if since < now - company.switches.cdc_lookback_days * _DAY:
        detail = f"changedSince is more than {company.switches.cdc_lookback_days} days ago"
        raise Fault(faults.Error("2090", "Invalid Number", detail, "changedSince"))
    left = company.switches.cdc_max_objects
    listed: list[dict[str, Any]] = []
    for name in names:
        found = _of_one(company, name, since, left)
        left -= len(next(iter(found.values()), ()))
        listed.append(_response(found))
    return Answer(200, timed({"CDCResponse": [{"QueryResponse": listed}]}, now))


def _response(found: dict[str, list[Any]]) -> dict[str, Any]:
    rows = next(iter(found.values()), [])
    if not rows:
        return {}
    return {**found, "startPosition": 1, "maxResults": len(rows)}


def _of_one(company: Company, name: str, since: float, left: int) -> dict[str, list[Any]]:
    entity = BY_PATH.get(name.lower())
    if entity is None or entity.name in _WITHOUT:
        raise Fault(faults.unsupported_operation(f"CDC of {name}"))
    table = company.tables[entity.name]
    changed = list(table.changed_since(since))[::-1]
    ordered = sorted(changed, key=lambda row_id: row_id not in table.rows)  # keeps the order else
    return {
        entity.name: [
            raw(
                reading.shown_body(company, entity.name, row_id)
                if row_id in table.rows
                else table.removed[row_id]
            )
            for row_id in ordered[:left]
        ]
    }
