"""Owns the portal's contents: objects, who is associated with whom, and what clients wrote.

Pure state; `api` and `admin` speak HTTP. Values are text or null, as in HubSpot's REST API.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TYPES = {
    "deals": "0-3", "quotes": "0-14", "commerce_payments": "0-101", "contacts": "0-1",
    "companies": "0-2", "line_items": "0-8", "products": "0-7", "invoices": "0-53", "notes": "0-46",
}  # fmt: skip
_NAMES = {type_id: name for name, type_id in TYPES.items()}

IMMUTABLE = ("commerce_payments",)
"""HubSpot: payments that its processors made can't be changed through the API."""


class Missing(Exception):
    """No such object."""


class Invalid(Exception):
    """The request can't be done; the text says why."""


@dataclass
class Object:
    """One object of the portal."""

    id: str
    properties: dict[str, str | None]
    created_at: str
    updated_at: str
    archived: bool = False


@dataclass
class Portal:
    """One portal. `writes` lists what clients changed, in order; the admin's doings are not in it."""

    portal_id: int = 4711
    objects: dict[str, dict[str, Object]] = field(default_factory=lambda: defaultdict(dict))
    associated: dict[tuple[str, str], dict[str, list[str]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    defined: dict[str, set[str]] = field(default_factory=dict)
    writes: list[dict[str, Any]] = field(default_factory=list)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(90_000_001))

    def put(self, kind: str, id_: str, properties: dict[str, str | None], at: str = "") -> Object:
        """Create an object or change its properties."""
        kind = known(kind)
        at = at or now()
        found = self.objects[kind].get(id_)
        if found is None:
            found = self.objects[kind][id_] = Object(id_, {"hs_object_id": id_}, at, at)
        found.properties |= properties
        found.updated_at = at
        return found

    def get(self, kind: str, id_: str) -> Object:
        """Find an object that is there; raises `Missing`."""
        found = self.objects[known(kind)].get(id_)
        if found is None or found.archived:
            raise Missing
        return found

    def associate(self, from_: tuple[str, str], to: tuple[str, str]) -> None:
        """Associate two objects, each given as type and id, both ways."""
        for (near, near_id), (far, far_id) in ((from_, to), (to, from_)):
            ids = self.associated[known(near), known(far)].setdefault(near_id, [])
            if far_id not in ids:
                ids.append(far_id)

    def update(self, kind: str, id_: str, properties: dict[str, str | None]) -> Object:
        """Do what a client's PATCH asks; raises `Missing` or `Invalid`."""
        kind = known(kind)
        self.get(kind, id_)
        if kind in IMMUTABLE:
            raise Invalid("This object can't be changed")
        defined = self.defined.get(kind)
        for name in properties:
            if defined is not None and name not in defined:
                raise Invalid(f'Property "{name}" does not exist')
        self.writes.append({"update": kind, "id": id_, "properties": properties})
        return self.put(kind, id_, properties)

    def create(
        self, kind: str, properties: dict[str, str | None], to: list[tuple[str, str]]
    ) -> Object:
        """Do what a client's POST asks; `to` are the objects it is associated with."""
        kind, id_ = known(kind), str(next(self._ids))
        for far in to:
            self.get(*far)
        self.writes.append({"create": kind, "id": id_, "properties": properties, "to": to})
        made = self.put(kind, id_, properties)
        for far in to:
            self.associate((kind, id_), far)
        return made


def known(kind: str) -> str:
    """Give a type's name for its name or id; raises `Missing`."""
    name = _NAMES.get(kind, kind)
    if name not in TYPES:
        raise Missing
    return name


def now() -> str:
    """The time as HubSpot writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
