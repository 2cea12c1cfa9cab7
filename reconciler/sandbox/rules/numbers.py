"""Owns DocNumber: what is stored, what is given out, and what is refused as a duplicate (6140)."""

import re

from reconciler.sandbox import faults
from reconciler.sandbox.company import Company
from reconciler.sandbox.fields.entities import SALES_FORMS
from reconciler.sandbox.rules.draft import Draft

AUTO = "AUTO_GENERATE"  # XSD: forces automatic numbering
_ON_DEMAND = frozenset({"Invoice", "Estimate", "SalesReceipt"})  # on these; elsewhere it is a text
_TAIL = re.compile(r"(\d+)(\D*)$")


def number(draft: Draft) -> None:
    """Settle the row's DocNumber."""
    row, company = draft.row, draft.company
    given = row.get("DocNumber")
    if draft.old is not None and (given is None and "DocNumber" not in draft.given):
        given = draft.old.get("DocNumber")
    automatic = not _custom(draft)
    replaced = automatic and company.switches.docnumber_when_automatic == "replace"
    on_demand = given == AUTO and draft.entity.name in _ON_DEMAND
    if on_demand or (draft.old is None and automatic and (given is None or replaced)):
        given = _next(draft)
    elif given is not None and (draft.old is None or given != draft.old.get("DocNumber")):
        _check(draft, given)
    if given is None:
        row.pop("DocNumber", None)
        return
    row["DocNumber"] = given
    if draft.old is None:
        company.last_numbers[_sequence(draft)] = given


def _custom(draft: Draft) -> bool:
    """Whether numbers are the user's own business."""
    if draft.entity.name in SALES_FORMS:
        return bool(draft.company.preference("SalesFormsPrefs", "CustomTxnNumbers", False))
    return draft.entity.name == "Purchase"  # an expense is never numbered by QuickBooks


def _sequence(draft: Draft) -> str:
    if draft.company.switches.docnumber_unique_scope == "company":
        return "forms"
    return draft.entity.name


def _scope(draft: Draft) -> tuple[str, ...]:
    company, name = draft.company, draft.entity.name
    scope = company.switches.docnumber_unique_scope
    if scope == "off":
        return ()
    if name not in SALES_FORMS:
        return (name,) if company.switches.docnumber_unique_purchases else ()
    return SALES_FORMS if scope == "company" else (name,)


def _holder(
    company: Company, types: tuple[str, ...], number: str, own: str | None
) -> tuple[str, str] | None:
    for entity in types:
        for row_id in company.tables[entity].find("DocNumber", number):
            if row_id != own:
                return entity, row_id
    return None


def _check(draft: Draft, number: str) -> None:
    if "allowduplicatedocnum" in draft.include:
        return
    held = _holder(draft.company, _scope(draft), number, draft.row_id)
    if held is not None:
        raise faults.Fault(faults.duplicate_number(number, *held))


def _next(draft: Draft) -> str:
    """One more than the latest number: App_1000 is followed by App_1001."""
    latest = draft.company.last_numbers.get(_sequence(draft), "1000")
    types = (draft.entity.name, *_scope(draft))
    while True:
        latest = _increment(latest)
        if _holder(draft.company, types, latest, draft.row_id) is None:
            return latest


def _increment(number: str) -> str:
    found = _TAIL.search(number)
    if found is None:
        return f"{number[:20]}1"
    digits = found.group(1)
    return number[: found.start()] + str(int(digits) + 1).zfill(len(digits)) + found.group(2)
