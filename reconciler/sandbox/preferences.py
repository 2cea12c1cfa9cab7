"""Owns changes to a company's Preferences: a merge, group by group."""

from collections.abc import Mapping
from typing import Any

from reconciler.sandbox import faults
from reconciler.sandbox.company import PREFERENCES_ID, Company
from reconciler.sandbox.table import Body
from reconciler.sandbox.unit import Commit, Unit

_SERVER = frozenset({"Id", "SyncToken", "MetaData", "domain", "sparse"})


def merge_preferences(company: Company, changes: Mapping[str, Any]) -> Commit:
    """Merge `changes` into the preferences; null takes a preference away."""
    unit = Unit(company)
    held = unit.row("Preferences", PREFERENCES_ID)
    for group, values in changes.items():
        if group in _SERVER:
            continue
        if group not in held or not isinstance(values, Mapping):
            raise faults.Fault(faults.unsupported_property(group))
        merged: Body = {**held[group], **values}
        held[group] = {name: value for name, value in merged.items() if value is not None}
    unit.change("Preferences", held)
    return unit.commit()
