"""Owns the unit of work: what one request changes, applied all at once or not at all.

Rules read and change rows through it. `commit` bumps the SyncToken and times of every changed row,
stores rows and postings, and returns what changed, for the webhooks and for the log on disk.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from reconciler.sandbox.clock import pacific
from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import encode
from reconciler.sandbox.ledger import Posting, check_balanced
from reconciler.sandbox.table import Body

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One row written or removed by a committed unit."""

    entity: str
    row_id: str
    operation: str  # Create, Update, Delete, Void
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Commit:
    """What a committed unit changed."""

    changes: tuple[Change, ...] = ()
    postings: dict[str, tuple[Posting, ...]] = field(default_factory=dict)


class Unit:
    """Staged changes to one company."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self._rows: dict[Key, Body] = {}
        self._changed: dict[Key, str] = {}
        self._postings: dict[str, tuple[Posting, ...]] = {}

    def get(self, entity: str, row_id: str) -> Body | None:
        """A row as this unit sees it; the same object each time, so changes to it are seen."""
        key = (entity, row_id)
        if self._changed.get(key) == "Delete":
            return None
        if key not in self._rows:
            row = self.company.get(entity, row_id)
            if row is None:
                return None
            self._rows[key] = row
        return self._rows[key]

    def row(self, entity: str, row_id: str) -> Body:
        """A row known to be there; `KeyError` otherwise."""
        row = self.get(entity, row_id)
        if row is None:
            raise KeyError(entity, row_id)
        return row

    def create(self, entity: str, row: Body) -> Body:
        """Stage a new row, giving it an id."""
        row["Id"] = row.get("Id") or self.company.next_id(entity)
        self._stage(entity, row, "Create")
        return row

    def change(self, entity: str, row: Body, operation: str = "Update") -> None:
        """Stage a changed row."""
        self._stage(entity, row, operation)

    def remove(self, entity: str, row_id: str) -> None:
        """Stage a deletion."""
        self._changed[(entity, row_id)] = "Delete"
        self._rows.pop((entity, row_id), None)

    def post(self, entity: str, row_id: str, postings: Iterable[Posting]) -> None:
        """Stage the ledger entry of a transaction, in place of its earlier one."""
        key = f"{entity}/{row_id}"
        kept = tuple(postings)
        check_balanced(key, kept)
        self._postings[key] = kept

    def commit(self) -> Commit:
        """Apply everything staged."""
        at = self.company.clock.now()
        changes = []
        for (entity, row_id), operation in self._changed.items():
            if operation == "Delete":
                changes.append(self._delete(entity, row_id, at))
            else:
                changes.append(self._store(entity, row_id, operation, at))
        for key, postings in self._postings.items():
            self.company.ledger.post(key, postings)
        return Commit(tuple(changes), self._postings)

    def _stage(self, entity: str, row: Body, operation: str) -> None:
        key = (entity, row["Id"])
        self._rows[key] = row
        if self._changed.get(key) not in {"Create", "Void"}:
            self._changed[key] = operation

    def _store(self, entity: str, row_id: str, operation: str, at: float) -> Change:
        row = self._rows[(entity, row_id)]
        stamp = pacific(at)
        if operation == "Create":
            row["SyncToken"] = "0"
            row["MetaData"] = {"CreateTime": stamp, "LastUpdatedTime": stamp}
        else:
            row["SyncToken"] = str(int(row["SyncToken"]) + 1)
            row["MetaData"] = {**row["MetaData"], "LastUpdatedTime": stamp}
        row["domain"] = "QBO"
        row["sparse"] = False
        body = encode(row)
        self.company.tables[entity].put(row_id, row, body, at)
        return Change(entity, row_id, operation, body, at)

    def _delete(self, entity: str, row_id: str, at: float) -> Change:
        stub: dict[str, Any] = {
            "domain": "QBO",
            "status": "Deleted",
            "Id": row_id,
            "MetaData": {"LastUpdatedTime": pacific(at)},
        }
        body = encode(stub)
        self.company.tables[entity].remove(row_id, body, at)
        return Change(entity, row_id, "Delete", body, at)
