"""What every command shares: settings and the operator's layer, output, exit codes.

Commands import it; it knows what `cli` and `app` know.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any, TypeVar

import asyncpg
import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from reconciler.operator.desk import Operator
from reconciler.settings import Settings, read_settings
from reconciler.workflows import WorkflowFile, load

T = TypeVar("T")

_encode = msgspec.json.Encoder(decimal_format="number").encode

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
By = Annotated[
    str, typer.Option("--by", help="Who does this, for the audit log; your login by default.")
]


class Exit(IntEnum):
    """What a command's exit status says."""

    DONE = 0
    NOT_DONE = 1
    WRONG_INPUT = 2
    INTERRUPTED = 130


@dataclass(frozen=True)
class Session:
    """An open store, the workflow file, and the operator's layer over both."""

    settings: Settings
    workflows: WorkflowFile
    pool: asyncpg.Pool
    operator: Operator


@asynccontextmanager
async def open_session() -> AsyncIterator[Session]:
    """Connect to Postgres as the settings say. Raises ConfigurationError."""
    from reconciler.assembly import open_store, operator_over

    settings = read_settings()
    workflows = load(settings.workflows.read_text(encoding="utf-8"), str(settings.workflows))
    async with open_store(settings) as pool:
        yield Session(settings, workflows, pool, operator_over(pool, settings, workflows))


def run(work: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work in a session; Ctrl-C ends it in order, with status 130."""

    async def in_session() -> T:
        async with open_session() as session:
            return await work(session)

    try:
        return asyncio.run(in_session())
    except KeyboardInterrupt:
        print(
            "Stopped. What was done is kept; the same command goes on from there.", file=sys.stderr
        )
        raise typer.Exit(Exit.INTERRUPTED) from None


def login() -> str:
    """Who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


# --- output --------------------------------------------------------------------------------------


def console() -> Console:
    """For people; text as it is, without markup of its own."""
    return Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())


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
