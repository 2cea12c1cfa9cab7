"""`explain`: why an object has its documents, or has none."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from reconciler.commands.options import MOST, AsJson
from reconciler.commands.output import Exit, console, print_json
from reconciler.commands.session import run
from reconciler.model import ObjectType
from reconciler.operator.presenting import day
from reconciler.ports.views import Explanation

app = typer.Typer()


@app.command()
def explain(
    kind: Annotated[ObjectType, typer.Argument(help="deal, quote or payment")],
    object_id: Annotated[str, typer.Argument(help="HubSpot's id of it.")],
    portal: Annotated[
        int | None, typer.Option(max=MOST, help="HubSpot portal, if there are several.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say for every workflow why an object has its documents, or has none, and what to do.

    Exit status 1 if no change of the object was ever read.
    """
    found = run(lambda session: session.operator.explain(kind, object_id, portal))
    if json:
        print_json(found)
    else:
        print_explanation(found, console())
    raise typer.Exit(Exit.DONE if found.object is not None else Exit.NOT_DONE)


def print_explanation(found: Explanation, out: Console) -> None:
    """The answer as text."""
    name = f" “{found.object.name}”" if found.object and found.object.name else ""
    out.print(f"{found.sentence.rstrip('.')}{name and ' · '}{name.strip()}")
    if found.object is not None:
        out.print(found.object.hubspot_url)
    for each in found.actions:
        out.print(f"\n{each.action.replace('_', ' ')} in {each.company} ({each.workflow})")
        out.print(f"  {each.state.replace('_', ' ')}: {each.sentence}")
        if each.fix:
            out.print(f"  To do: {each.fix}")
        if each.document is not None:
            out.print(f"  Document {each.document.document_id}, {day(each.document.state_since)}")
            if each.document.quickbooks_url:
                out.print(f"  {each.document.quickbooks_url}")
    for problem in found.hubspot_problems:
        out.print(f"\n{problem.sentence}")
    if found.timeline:
        out.print("\nTimeline")
    for entry in found.timeline:
        detail = f": {entry.detail}" if entry.detail else ""
        out.print(f"  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.kind:<9} {entry.title}{detail}")
