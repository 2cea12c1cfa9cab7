"""Workflow files for tests, each workflow a line: what it enrols and what it creates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

PORTAL = 4711
ACCOUNTS = {
    "deposit_account": "Undeposited Funds",
    "bank_account": "Checking",
    "expense_account": "Merchant Fees",
}
"""Defaults of a company with the sandbox's chart of accounts."""

Filter = dict[str, Any]
Workflow = dict[str, Any]


def workflow_file(companies: Mapping[str, Any], *workflows: Workflow) -> str:
    """The text of a file; JSON is YAML."""
    whole = {"version": 1, "portal_id": PORTAL, "companies": companies, "workflows": workflows}
    return json.dumps(whole, indent=1)


def among(property_: str, *values: str) -> Filter:
    """The property is one of these."""
    return {"property": property_, "operator": "is_any_of", "values": values}


def known(property_: str) -> Filter:
    """The property has a value."""
    return {"property": property_, "operator": "is_known"}


def workflow(
    name: str, object_type: str, enrol: Filter | list[Any], create: str, **choices: Any
) -> Workflow:
    """A workflow of one action, in company `us` and creating products unless *choices* differ.

    A choice that is None is left out.
    """
    usual = {"company": "us", **({} if create == "expense" else {"create_missing_products": True})}
    chosen = {each: value for each, value in {**usual, **choices}.items() if value is not None}
    return {
        "name": name,
        "object": object_type,
        "enrol": enrol if isinstance(enrol, list) else [enrol],
        "actions": [{"create": create, **chosen}],
    }


def deals_in(stage: str, create: str = "invoice", *, name: str = "", **choices: Any) -> Workflow:
    """A workflow of deals in that stage, named after it."""
    return workflow(name or stage, "deal", among("dealstage", stage), create, **choices)
