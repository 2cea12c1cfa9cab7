"""Owns the draft: one row on its way into the books, as every rule sees it."""

from dataclasses import dataclass, field

from reconciler.sandbox.company import Company
from reconciler.sandbox.fields.entity import Entity
from reconciler.sandbox.table import Body
from reconciler.sandbox.unit import Unit


@dataclass(slots=True)
class Draft:
    """A create (`old` is None) or an update, already checked field by field."""

    unit: Unit
    entity: Entity
    row: Body
    old: Body | None = None
    given: frozenset[str] = frozenset()  # the properties the request set
    include: frozenset[str] = field(default_factory=frozenset)  # ?include=…

    @property
    def company(self) -> Company:
        """The company written to."""
        return self.unit.company

    @property
    def row_id(self) -> str | None:
        """The row's id, None while it is being created."""
        return self.old["Id"] if self.old else None

    def save(self) -> Body:
        """Stage the row."""
        if self.old is None:
            return self.unit.create(self.entity.name, self.row)
        self.unit.change(self.entity.name, self.row)
        return self.row


def ref(row: Body, name: str) -> str | None:
    """The id in a reference property."""
    held = row.get(name)
    return held["value"] if held else None
