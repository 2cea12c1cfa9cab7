"""Owns the values that whole objects say they had before: dated, beside or instead of those of now.

`snapshot` calls it. HubSpot gives them as `propertiesWithHistory` where they are asked for, and the
first version of its API with every property. It refuses nothing: an entry without a value or a
readable time says nothing of when anything was so.
"""

from __future__ import annotations

from typing import Any

from reconciler.model import Change, ChangeKind, ObjectKey
from streams.formats.parsing import text_document
from streams.formats.record import Document
from streams.formats.values import first_instant, property_value

FIELDS = frozenset({"propertiesWithHistory", "properties_with_history"})

_OF_VERSIONS = frozenset({"timestamp", "versions"})


def unversioned(properties: Document) -> tuple[Document, Document]:
    """Give the values of now, and the dated ones of each property, of what v1 writes together.

    That is a value, its time and its versions.
    """
    now: Document = {}
    dated: Document = {}
    for name, value in properties.items():
        if type(value) is dict and "value" in value and not _OF_VERSIONS.isdisjoint(value):
            now[name] = value["value"]
            versions = value.get("versions")
            dated[name] = [value, *(versions if type(versions) is list else ())]
        else:
            now[name] = value
    return now, dated


def history(document: Document) -> Document:
    """Give the dated values of each property that stand beside the properties."""
    for field in FIELDS:
        found: Any = document.get(field)
        if type(found) is str and found[:1] == "{":
            found = text_document(found)
        if type(found) is dict:
            return found
    return {}


def changes(key: ObjectKey, said: Document) -> list[Change]:
    """Say what the properties were and when, oldest first; what was so at one instant is one change.

    Of several values of one property at one instant none is lost: each is in a change of its own.
    """
    found: dict[tuple[int, int], dict[str, str | None]] = {}
    for name, entries in said.items():
        for entry in entries if type(entries) is list else ():
            if type(entry) is not dict or "value" not in entry:
                continue
            at, place = first_instant(entry.get("timestamp")), 0
            if at is None:
                continue
            while name in found.setdefault((at, place), {}):
                place += 1
            found[at, place][name] = property_value(name, entry["value"])
    return [
        Change(key=key, at=at, kind=ChangeKind.PROPERTY, properties=values)
        for (at, _), values in sorted(found.items(), key=lambda one: one[0])
    ]
