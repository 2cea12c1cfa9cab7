"""`status`: are we keeping up, are we correct, what is stuck."""

from __future__ import annotations

import typer
from rich.console import Console

from reconciler.commands.options import AsJson
from reconciler.commands.output import ago, console, print_json, table
from reconciler.commands.session import run
from reconciler.ports.views import BlockedGroup, Overview

app = typer.Typer()


@app.command()
def status(json: AsJson = False) -> None:
    """How things stand: documents by state, what is stuck and why, companies, reading."""
    view = run(lambda session: session.operator.overview())
    if json:
        print_json(view)
        return
    print_overview(view, console())


def print_overview(view: Overview, out: Console) -> None:
    """The first page as text."""
    states = table("Documents", "state", "how many", "oldest", right=("how many", "oldest"))
    for count in view.states:
        states.add_row(count.state, str(count.documents), ago(count.oldest))
    out.print(states)
    out.print(
        f"\nCreated in the last hour: {view.created_last_hour}. Waiting to be published: "
        f"{view.unpublished_outcomes}. Outcomes unknown: {view.unknown_operations}. Dead letters: "
        f"{view.open_dead_letters}.\n"
    )
    print_groups("Made, to check", view.to_check, out)
    print_groups("Blocked", view.blocked, out)
    print_groups("Waiting", view.waiting, out)
    for problem in view.hubspot_problems:
        examples = ", ".join(str(key) for key in problem.examples)
        out.print(f"{problem.sentence} Objects: {problem.objects}, for example {examples}.\n")
    companies = table("Companies", "company", "realm", "connection", "worked for by", "documents")
    for each in view.companies:
        documents = ", ".join(f"{n} {state}" for state, n in sorted(each.documents.items()))
        connection = " ".join(filter(None, (each.connection, each.connection_detail)))
        companies.add_row(
            each.name, each.realm_id, connection, each.lease_owner or "nobody", documents
        )
    out.print(companies)


def print_groups(title: str, groups: tuple[BlockedGroup, ...], out: Console) -> None:
    """What is stuck, with the most frequent causes and their fixes."""
    if not groups:
        return
    found = table(title, "company", "reason", "how many", "for example", "what to do",
                  right=("how many",))  # fmt: skip
    for group in groups:
        for index, cause in enumerate(group.causes[:3]):
            first = (group.company, group.reason) if index == 0 else ("", "")
            found.add_row(*first, str(cause.documents), cause.sentence, cause.fix or "–")
        if others := group.documents - sum(cause.documents for cause in group.causes[:3]):
            found.add_row("", "", str(others), "of other causes", "")
    out.print(found)
    out.print()
