"""What commands print, for people and as JSON, and the status they end with."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from reconciler.ports.views import Done

T = TypeVar("T")

_encode = msgspec.json.Encoder(decimal_format="number").encode
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control and direction characters and line separators, save line breaks and tabs."""


class Exit(IntEnum):
    """What a command's exit status says."""

    DONE = 0
    NOT_DONE = 1
    WRONG_INPUT = 2
    INTERRUPTED = 130


def existing(view: T | None, what: str) -> T:
    """The view; where there is none, say so and end with status 1."""
    if view is None:
        print(f"There is no {what}.", file=sys.stderr)
        raise typer.Exit(Exit.NOT_DONE)
    return view


def finish(done: Done, what: str, as_json: bool) -> None:
    """Print what an action came to, and end with its exit status."""
    if as_json:
        print_json(done)
    else:
        out = console()
        for number, state in done.changed.items():
            out.print(f"{what} {number}: {state}")
        for number, why in done.refused.items():
            out.print(f"{what} {number}: not done. {why}")
        out.print(f"{len(done.changed)} done, {len(done.refused)} not.")
    raise typer.Exit(Exit.NOT_DONE if done.refused else Exit.DONE)


def _spelled_out(found: re.Match[str]) -> str:
    return f"U+{ord(found.group()):04X}"


class _Printer(Console):
    """Text as it is, without markup of its own, except what a terminal would obey."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Foreign text may hold what clears the screen, hides what was printed or turns it around."""
        return super().render_str(_OBEYED.sub(_spelled_out, text), **options)


def console() -> Console:
    """For people."""
    return _Printer(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: object) -> None:
    """One JSON document on standard output; amounts as numbers with all their digits."""
    print(msgspec.json.format(_encode(plain(value)), indent=2).decode())


def print_json_line(value: object) -> None:
    """One JSON document on one line."""
    print(_encode(plain(value)).decode())


def plain(value: object) -> object:
    """Structs and named tuples as objects with their field names."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    return value


def table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """A table with columns of these names; those in *right* hold numbers."""
    made = Table(title=title or None, title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def money(amount: Decimal | None, currency: str = "") -> str:
    """An amount as people read it."""
    return "–" if amount is None else f"{amount:,.2f} {currency}".rstrip()


def ago(at: datetime | None) -> str:
    """How long ago an instant was."""
    if at is None:
        return "–"
    seconds = (datetime.now(UTC) - at).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def progress_bar(quiet: bool) -> Progress:
    """On standard error, so that output can be piped; hidden with --json."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), disable=quiet,
    )  # fmt: skip
