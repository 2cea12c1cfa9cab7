"""The command line. Each command is a few lines that call what does the work.

Exit codes: 0 done, 1 it did not work out (the text says why), 2 a file, setting or argument
is wrong.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from reconciler.commands import (
    backfill,
    dead_letters,
    doctor,
    documents,
    explain,
    plan,
    replay,
    settings_table,
    status,
)
from reconciler.commands.session import configured
from reconciler.errors import ConfigurationError, ReconcilerError

if TYPE_CHECKING:
    from reconciler.settings import Settings
    from reconciler.workflows import Company

app = typer.Typer(
    help="Creates QuickBooks Online documents from HubSpot changes on Kafka, each exactly once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def run() -> None:
    """Run the service; settings come from the environment (RECONCILER_...)."""
    import uvloop

    from reconciler.service.app import Service
    from reconciler.workflows.files import load_file

    settings = configured()
    workflows = load_file(settings.workflows)
    uvloop.run(Service(settings, workflows).run())


@app.command()
def gateway() -> None:
    """Receive HubSpot's webhooks and put them on Kafka (see docs/hubspot.md)."""
    import uvloop

    from reconciler.service.feeds import run_gateway

    uvloop.run(run_gateway(configured()))


@app.command("poll-journal")
def poll_journal(
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Go on from the earliest entry that HubSpot still has."),
    ] = False,
) -> None:
    """Read HubSpot's webhooks journal and put it on Kafka (see docs/hubspot.md)."""
    import uvloop

    from reconciler.service.feeds import run_journal_poller

    uvloop.run(run_journal_poller(configured(), accept_loss=accept_loss))


@app.command()
def check(
    workflows: Annotated[Path, typer.Argument(help="The workflow file.")] = Path("workflows.yaml"),
    json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """Check a workflow file: every problem at once, with its line and what to write instead."""
    from reconciler.workflows.check import check as check_file

    raise typer.Exit(check_file(workflows, Console(), as_json=json))


@app.command()
def connect(
    company: Annotated[str, typer.Option(help="Its short name in the workflow file.")],
    paste: Annotated[
        bool, typer.Option("--paste", help="Paste the address instead of listening for it.")
    ] = False,
) -> None:
    """Connect a QuickBooks company: an administrator's consent in a browser, once."""
    from reconciler.service import connect as connecting
    from store.pool import told_in_words

    settings, chosen = _company(company)
    say = partial(print, flush=True)  # before it waits, also into a pipe
    with told_in_words():
        facts = asyncio.run(connecting.connect(settings, chosen, paste=paste, say=say))
    print(f"Connected {company}: {facts.name}, {facts.country}, books in {facts.home_currency}.")


@app.command()
def disconnect(
    company: Annotated[str, typer.Option(help="Its short name in the workflow file.")],
) -> None:
    """Give the connection to a QuickBooks company back; its documents wait until it is connected."""
    from reconciler.service import connect as connecting
    from store.pool import told_in_words

    settings, chosen = _company(company)
    with told_in_words():
        done = asyncio.run(connecting.disconnect(settings, chosen))
    print(f"{company} is disconnected." if done else f"{company} was not connected.")


@app.command()
def reseal() -> None:
    """Seal all tokens with the first of RECONCILER_TOKEN_KEYS; the others may then be removed."""
    from reconciler.service import connect as connecting
    from store.pool import told_in_words

    with told_in_words():
        resealed = asyncio.run(connecting.reseal(configured()))
    print(f"Companies resealed: {resealed}.")


@app.command()
def new_key() -> None:
    """Print a new random key for RECONCILER_TOKEN_KEYS or RECONCILER_CONSOLE_KEYS."""
    from reconciler.quickbooks.sealing import Seal

    print(Seal.new_key())


@app.command()
def console_password() -> None:
    """Ask for a password and print its hash for RECONCILER_CONSOLE_PASSWORD_HASH."""
    from reconciler.console.passwords import hash_password

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < 12:
        raise ConfigurationError("A password of the console has at least 12 characters.")
    print(hash_password(password))


def _company(name: str) -> tuple[Settings, Company]:
    """The settings and a company of the workflow file. Raises ConfigurationError."""
    from reconciler.workflows.files import load_file

    settings = configured()
    file = load_file(settings.workflows)
    if name not in file.companies:
        known = ", ".join(file.companies)
        raise ConfigurationError(f"company {name} is not in {settings.workflows}: it has {known}")
    return settings, file.companies[name]


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def sandbox(context: typer.Context) -> None:
    """Run a QuickBooks Online company server for trying things (--help for its options)."""
    sys.argv = ["reconciler sandbox", *context.args]
    runpy.run_module("reconciler.sandbox", run_name="__main__")  # nothing here is built on it


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Another random feed of the same kinds.")] = 1,
    objects: Annotated[int, typer.Option(help="How many HubSpot objects the feed holds.")] = 320,
    leave: Annotated[
        bool,
        typer.Option("--exit", help="Stop when all is settled; status 0 if the books are right."),
    ] = False,
) -> None:
    """Run everything here on sample data: Postgres, Kafka, a QuickBooks sandbox and the service."""
    from reconciler.demo.runner import run_demo

    raise typer.Exit(asyncio.run(run_demo(seed=seed, objects=objects, stay=not leave)))


for _group in (status, explain, documents, plan, replay, backfill, doctor, settings_table):
    app.add_typer(_group.app)
app.add_typer(dead_letters.app, name="dead-letters")


def main() -> None:
    """Entry point: errors raised on purpose become one clear text and an exit code."""
    try:
        app()
    except ConfigurationError as error:
        Console(stderr=True).print(f"[red]{type(error).__name__}[/]: ", end="")
        print(error, file=sys.stderr)
        sys.exit(2)
    except ReconcilerError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
