"""Owns the rows of one entity type: encoded bodies, and the indexes that find them.

Bodies are kept as JSON bytes: half the memory of dictionaries, nothing for the garbage collector to
walk, and a read is answered without encoding. Index keys are lower-case strings.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from reconciler.sandbox.exact import decode

Body = dict[str, Any]


def key_of(entity: Body, path: str) -> str | None:
    """The value of `path` as an index key."""
    value: Any = entity
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value = value.get("value", value.get("Address", value.get("FreeFormNumber")))
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value).casefold()


class Table:
    """All rows of one entity type in one company."""

    def __init__(self, indexed: tuple[str, ...]) -> None:
        self.indexed = indexed
        self.rows: dict[str, bytes] = {}
        self.inactive: dict[str, None] = {}
        self.removed: dict[str, bytes] = {}
        self.names: dict[str, str] = {}  # what references to a row show as its name
        self.recent: dict[str, float] = {}  # id -> last change, oldest change first
        self._keys: dict[str, tuple[str | None, ...]] = {}
        self.indexes: dict[str, dict[str, dict[str, None]]] = {path: {} for path in indexed}

    def get(self, row_id: str) -> Body | None:
        """A fresh copy of a row."""
        body = self.rows.get(row_id)
        return None if body is None else decode(body)

    def row(self, row_id: str) -> Body:
        """A fresh copy of a row known to be there."""
        row: Body = decode(self.rows[row_id])
        return row

    def put(self, row_id: str, entity: Body, body: bytes, at: float) -> None:
        """Store a row and move it to the end of the recent changes."""
        keys = tuple(key_of(entity, path) for path in self.indexed)
        known = self._keys.get(row_id)
        if known != keys:
            if known is not None:
                self._unindex(row_id, known)
            self._index(row_id, keys)
        self.rows[row_id] = body
        name = entity.get("FullyQualifiedName") or entity.get("DisplayName") or entity.get("Name")
        if name:
            self.names[row_id] = name
        if entity.get("Active") is False:
            self.inactive[row_id] = None
        else:
            self.inactive.pop(row_id, None)
        self._touch(row_id, at)

    def remove(self, row_id: str, stub: bytes, at: float) -> None:
        """Delete a row, leaving the stub that CDC reports."""
        self.rows.pop(row_id, None)
        self.inactive.pop(row_id, None)
        keys = self._keys.pop(row_id, None)
        if keys is not None:
            self._unindex(row_id, keys)
        self.removed[row_id] = stub
        self._touch(row_id, at)

    def find(self, path: str, value: str) -> list[str]:
        """Ids of the rows whose indexed `path` has this value."""
        return list(self.indexes[path].get(value.casefold(), ()))

    def changed_since(self, at: float) -> Iterator[str]:
        """Ids of rows (and removed rows) changed at or after `at`, newest first."""
        for row_id in reversed(self.recent):
            if self.recent[row_id] < at:
                return
            yield row_id

    def _touch(self, row_id: str, at: float) -> None:
        self.recent.pop(row_id, None)
        self.recent[row_id] = at

    def _index(self, row_id: str, keys: tuple[str | None, ...]) -> None:
        self._keys[row_id] = keys
        for path, key in zip(self.indexed, keys, strict=True):
            if key is not None:
                self.indexes[path].setdefault(key, {})[row_id] = None

    def _unindex(self, row_id: str, keys: tuple[str | None, ...]) -> None:
        for path, key in zip(self.indexed, keys, strict=True):
            if key is None:
                continue
            held = self.indexes[path][key]
            held.pop(row_id, None)
            if not held:
                del self.indexes[path][key]
