"""Reads change-data-capture answers: what changed in a company since an instant; pure.

The sweeps call it: references are refreshed with it, and documents compared with what was
recorded. Facts: developer.intuit.com/.../change-data-capture, read 2026-11: whole objects,
removed ones as stubs with status Deleted, at most 1000 objects an answer and 30 days back, and
no paging. Stubs come after the active objects of their kind: a full answer may lack all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reconciler.quickbooks.answers import Answer
from reconciler.quickbooks.payload import Payload
from reconciler.quickbooks.references import REFERENCE_ENTITIES, Reference, read_reference

LOOK_BACK = timedelta(days=30)
MAX_OBJECTS = 1000


@dataclass(frozen=True)
class Observed:
    """One object as CDC tells it; a deleted one has only its id."""

    entity: str
    id: str
    deleted: bool
    row: Payload

    @property
    def sync_token(self) -> str:
        """Its version; "" when deleted."""
        token = self.row.get("SyncToken")
        return token if isinstance(token, str) else ""


@dataclass(frozen=True)
class Changes:
    """One CDC answer, taken apart.

    `truncated` says that the answer was full and objects may lack: read the lists whole instead.
    """

    objects: list[Observed]
    truncated: bool

    @property
    def references(self) -> list[Reference]:
        """Entries of name lists to insert or replace."""
        return [
            read_reference(one.entity, one.row)
            for one in self.objects
            if not one.deleted and one.entity in REFERENCE_ENTITIES
        ]

    @property
    def removed_references(self) -> list[tuple[str, str]]:
        """Entity and id of entries of name lists that are gone (merged, for instance)."""
        return [
            (one.entity, one.id)
            for one in self.objects
            if one.deleted and one.entity in REFERENCE_ENTITIES
        ]

    @property
    def transactions(self) -> list[Observed]:
        """Everything that is not an entry of a name list: documents, to be compared."""
        return [one for one in self.objects if one.entity not in REFERENCE_ENTITIES]


def read_changes(answer: Answer) -> Changes:
    """Take a CDC answer apart. Use `answer.at` less some minutes as the next `since`."""
    responses = _objects(answer.data.get("CDCResponse"))
    lists = [part for response in responses for part in _objects(response.get("QueryResponse"))]
    objects = [one for part in lists for one in _observed(part)]
    return Changes(objects, len(objects) >= MAX_OBJECTS)


def _observed(part: Payload) -> list[Observed]:
    return [
        Observed(entity, str(row["Id"]), str(row.get("status")).lower() == "deleted", row)
        for entity, rows in part.items()
        if isinstance(rows, list)
        for row in _objects(rows)
        if "Id" in row
    ]


def _objects(value: Any) -> list[Payload]:
    """The objects in a list; a lone object counts as a list of one."""
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]
