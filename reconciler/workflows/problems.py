"""What is wrong with a workflow file: where, what, and what to write instead.

Raised by `load` all at once, printed by `check`. A problem with severity `warning` never stops
the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from reconciler.errors import ConfigurationError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem at a 1-based line and column.

    `path` is the place within the structure of the file, of a warning the workflow or company.
    """

    line: int
    column: int
    path: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}"
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class WorkflowErrors(ConfigurationError):
    """A workflow file can't be used; `problems` holds every reason, in the order of the file."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(f"{file}:{problem}" for problem in self.problems))


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """` (did you mean …?)`, or nothing when no known word is close."""
    close = get_close_matches(written[:80].lower(), list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def shown(value: object) -> str:
    """A value from the file in quotes, cut so that a message stays one line."""
    text = " ".join(str(value).split())
    return f"'{text[:40]}…'" if len(text) > 41 else f"'{text}'"
