"""Builds small workflow files and source objects for the tests of this directory."""

from __future__ import annotations

import json
from typing import Any

from reconciler.model import AssociationList, ObjectKey, ObjectType, Related, SourceObject
from reconciler.workflows import (
    Enrolment,
    Problem,
    WorkflowErrors,
    WorkflowFile,
    conditions,
    load,
)
from reconciler.workflows.lines import Source

COMPANY = {
    "realm_id": "9341450000000001",
    "defaults": {
        "deposit_account": "Undeposited Funds",
        "bank_account": "Checking",
        "expense_account": "Merchant Fees",
    },
}
INVOICE = {"create": "invoice", "company": "us", "create_missing_products": True}
ENROL: dict[str, list[dict[str, object]]] = {
    "deal": [{"preset": "deal_won"}],
    "quote": [{"preset": "quote_signed"}],
    "payment": [
        {"preset": "payment_succeeded"},
        {"property": "hs_payment_source_app", "operator": "is_none_of", "values": ["INVOICE"]},
    ],
}


def action(create: str, **more: object) -> dict[str, object]:
    """An action with what its document needs and nothing else."""
    needs = {} if create == "expense" else {"create_missing_products": True}
    return {"create": create, "company": "us", **needs, **more}


def workflow(object_type: str = "deal", /, *actions: object, **more: object) -> dict[str, object]:
    """A workflow of that object type."""
    return {
        "name": more.pop("name", f"{object_type} workflow"),
        "object": object_type,
        "enrol": more.pop("enrol", ENROL.get(object_type, ENROL["deal"])),
        "actions": list(actions) or [INVOICE],
        **more,
    }


def text(*workflows: object, **companies: object) -> str:
    """A file in JSON, which is YAML: one line per workflow, the first on line 5."""
    head = ['{"version": 1,', '"portal_id": 4711,']
    head += [f'"companies": {json.dumps(companies or {"us": COMPANY})},', '"workflows": [']
    return "\n".join([*head, ",\n".join(json.dumps(each) for each in workflows), "]}"])


def loaded(*workflows: object, **companies: object) -> WorkflowFile:
    return load(text(*workflows, **companies))


def problems(*workflows: object, **companies: object) -> tuple[Problem, ...]:
    """The errors of the file; none if it loads."""
    return problems_of(text(*workflows, **companies))


def problems_of(written: str) -> tuple[Problem, ...]:
    try:
        load(written)
    except WorkflowErrors as errors:
        return errors.problems
    return ()


def messages(*workflows: object, **companies: object) -> str:
    return "\n".join(problem.message for problem in problems(*workflows, **companies))


def enrolment(*filters: object, object_type: str = "deal") -> Enrolment:
    """The compiled enrolment of these filters, without the rest of a file around them."""
    found = Source()
    compiled = conditions.enrolment(found, list(filters), ("enrol",), ObjectType(object_type))
    assert compiled is not None
    assert found.problems == []
    return compiled


def flt(name: str, operator: str, *values: object) -> dict[str, object]:
    """A filter as written."""
    if not values:
        return {"property": name, "operator": operator}
    return {"property": name, "operator": operator, "values": list(values)}


def source(
    properties: dict[str, str | None] | None = None,
    history: dict[str, list[tuple[int, str | None]]] | None = None,
    *,
    object_type: ObjectType = ObjectType.DEAL,
    at: int = 1_000,
    contact: dict[str, str | None] | None = None,
) -> SourceObject:
    """An object whose properties are the newest of its history, the others told at `at`."""
    history = history or {}
    newest = {name: points[-1][1] for name, points in history.items()}
    more: dict[str, Any] = {}
    if contact is not None:
        more["associations"] = {"contacts": AssociationList(at=at, ids=["7"])}
        more["related"] = {"contacts": {"7": Related("7", contact, at)}}
    return SourceObject(
        key=ObjectKey(4711, object_type, "900"),
        base_at=at,
        properties={**(properties or {}), **newest},
        stamps={name: points[-1][0] for name, points in history.items()},
        history=history,
        changed_at=max([at, *(points[-1][0] for points in history.values())]),
        **more,
    )
