"""A scenario's result: figures, and how they stand against the targets. Printed and kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from bench.contest import Measured


@dataclass(frozen=True)
class Target:
    """A ratio that must be reached, such as ours to a peer's median."""

    what: str
    reached: float
    wanted: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted


@dataclass
class Table:
    """One scenario."""

    name: str
    title: str
    rows: list[Measured]
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def median(self, name: str) -> float:
        return next((row.median for row in self.rows if row.name == name), 0.0)

    def ratio(self, ours: str, theirs: str, wanted: float, unit: str = "×") -> None:
        """Note the target that our median is so many times theirs."""
        base = self.median(theirs)
        reached = self.median(ours) / base if base else 0.0
        self.targets.append(Target(f"{ours} / {theirs} ({unit})", reached, wanted))

    def as_json(self) -> dict[str, Any]:
        return {
            "scenario": self.name,
            "title": self.title,
            "rows": [row.as_json() for row in self.rows],
            "targets": [
                {"what": t.what, "reached": t.reached, "wanted": t.wanted, "met": t.is_met}
                for t in self.targets
            ],
            "notes": self.notes,
        }


def show(tables: Sequence[Table]) -> None:
    """Print the tables."""
    console = Console(width=130)
    for table in tables:
        shown = RichTable(title=f"{table.name}: {table.title}", title_justify="left")
        for heading in ("", "median", "range", "unit", "CPU s / 1,000", "note"):
            shown.add_column(heading, justify="left" if heading in ("", "note") else "right")
        for row in table.rows:
            found = row.as_json()
            shown.add_row(
                row.name,
                _number(row.median),
                f"{_number(found['low'])} – {_number(found['high'])}",
                row.unit,
                f"{found['cpu_seconds_per_1000']:.3f}" if row.cpu_per_thousand else "",
                row.note,
            )
        console.print(shown)
        for target in table.targets:
            sign = "≤" if target.at_most else "≥"
            verdict = "met" if target.is_met else "NOT MET"
            console.print(
                f"  {target.what}: {target.reached:.2f} (target {sign} {target.wanted:g}) {verdict}"
            )
        for note in table.notes:
            console.print(f"  {note}")
        console.print()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
