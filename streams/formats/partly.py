"""Owns records of several parts: what can be understood of one is taken, whatever the rest is like.

`decoding` reads arrays with it and `hydrated` events with their object. The refusal has the changes of
the parts that were understood, and names the first that was not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.errors import UndecodableRecord
from reconciler.model import Change
from streams.formats.record import Reason, refused

_TAKEN = "; the others are taken"


@dataclass(slots=True)
class Parts:
    """What the parts read so far say; the caller adds to `changes` or refuses a part."""

    changes: list[Change] = field(default_factory=list)
    refusals: list[tuple[str, UndecodableRecord]] = field(default_factory=list)

    def refuse(self, part: str, error: Exception) -> None:
        """Note that a part, called so, can't be understood or only in parts itself."""
        refusal = unforeseen(error)
        self.refusals.append((part, refusal))
        self.changes += refusal.changes

    def read(self, count: int) -> list[Change]:
        """Give what all `count` parts say; raises `UndecodableRecord` if any was refused."""
        if not self.refusals:
            return self.changes
        part, first = self.refusals[0]
        if len(self.refusals) == count and not self.changes:
            raise first
        more = f" (and {len(self.refusals) - 1} more)" if len(self.refusals) > 1 else ""
        detail = f"{part}{more}: {first.detail.removesuffix(_TAKEN)}{_TAKEN}"
        raise UndecodableRecord(first.reason, detail, self.changes) from first.__cause__


def unforeseen(error: Exception) -> UndecodableRecord:
    """Give the refusal that an error in decoding is, or comes to."""
    if isinstance(error, UndecodableRecord):
        return error
    found = refused(Reason.UNEXPECTED, f"{type(error).__name__} while decoding")
    if isinstance(error, RecursionError):
        found = refused(Reason.TOO_DEEP, "JSON nested too deep")
    found.__cause__ = error
    return found
