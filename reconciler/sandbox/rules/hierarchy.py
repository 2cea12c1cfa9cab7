"""Owns parents and children in name lists: FullyQualifiedName, Level, and the flag of a child."""

from reconciler.sandbox import faults
from reconciler.sandbox.rules.draft import Draft, ref


def place(draft: Draft, named_by: str) -> None:
    """Set FullyQualifiedName and Level from the parent; a row can't be its own ancestor."""
    row = draft.row
    parent_id = ref(row, "ParentRef")
    if parent_id is None:
        row["FullyQualifiedName"] = row[named_by]
        row["Level"] = 0
        return
    ancestor: str | None = parent_id
    level = 0
    while ancestor is not None and level < 100:
        if ancestor == draft.row_id:
            raise faults.Fault(
                faults.business("A list element can't be its own parent", "ParentRef")
            )
        held = draft.unit.get(draft.entity.name, ancestor)
        ancestor = ref(held, "ParentRef") if held else None
        level += 1
    parent = draft.unit.get(draft.entity.name, parent_id)
    if parent is None:
        raise faults.Fault(
            faults.Error("700", "Invalid parent", "The parent doesn't exist", "ParentRef")
        )
    row["FullyQualifiedName"] = f"{parent['FullyQualifiedName']}:{row[named_by]}"
    row["Level"] = level
