"""Owns the description of an entity type: its path, fields, id sequence, indexes and filters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.sandbox.fields.kinds import Kind


@dataclass(frozen=True, slots=True)
class Entity:
    """What the sandbox knows of one entity type."""

    name: str
    fields: Mapping[str, Kind]
    sequence: str  # ids are shared by the types of one sequence
    required: tuple[str, ...] = ()
    named_by: str = ""  # the property that names a list element
    indexed: tuple[str, ...] = ()
    filters: frozenset[str] = field(default_factory=frozenset)
    is_transaction: bool = False
    can_create: bool = True
    voids: tuple[str, ...] = ()  # by ?operation=void, by ?operation=update&include=void, or both
    repeated: tuple[str, ...] = ()  # what a sparse update must say again (field reports)

    @property
    def path(self) -> str:
        """The lower-case path segment."""
        return self.name.lower()
