"""A command's session: settings, the workflow file, and the operator's layer over an open store.

Commands import it; it knows what `cli` and `app` know.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import typer

from reconciler.commands.output import Exit
from reconciler.operator.desk import Operator
from reconciler.running import logs
from reconciler.settings import Settings, read_settings
from reconciler.workflows import WorkflowFile
from reconciler.workflows.files import load_file
from store.pool import Pool, told_in_words

T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """An open store, the workflow file, and the operator's layer over both."""

    settings: Settings
    workflows: WorkflowFile
    pool: Pool
    operator: Operator


def configured() -> Settings:
    """The settings, with the log set up: on standard error, and without what looks like a secret.

    Raises ConfigurationError.
    """
    settings = read_settings()
    logs.configure(settings.log_format, settings.log_level)
    return settings


@asynccontextmanager
async def open_session() -> AsyncIterator[Session]:
    """Connect to Postgres as the settings say. Raises ConfigurationError and PostgresUnavailable."""
    from reconciler.service.assembly import open_store, operator_over

    settings = configured()
    workflows = load_file(settings.workflows)
    with told_in_words():
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


def yield_processor() -> None:
    """Long work of a command goes after the service's, where both share a machine."""
    if hasattr(os, "nice"):
        os.nice(10)


def login() -> str:
    """Who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"
