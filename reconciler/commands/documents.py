"""`documents`, `document`, `blocked`, `retry`, `dismiss`, `export`."""

from __future__ import annotations

import csv
import sys
from typing import Annotated, Any

import typer

from reconciler.commands.options import MOST, AsJson, By, Limit, OfCompany, OfReason, Why
from reconciler.commands.output import (
    ago,
    console,
    existing,
    finish,
    money,
    print_json,
    print_json_line,
    table,
)
from reconciler.commands.session import Session, login, run
from reconciler.commands.status import print_groups
from reconciler.errors import ConfigurationError
from reconciler.model import Action, DocumentState, ObjectType
from reconciler.operator.presenting import day
from reconciler.ports.views import DocumentFilter, DocumentSummary, Done, Selection

app = typer.Typer()

State = Annotated[list[DocumentState] | None, typer.Option(help="Only of these states.")]
Text = Annotated[str, typer.Option(help="In names, document numbers, customers.")]
EXPORT_PAGE = 500


@app.command()
def documents(
    state: State = None,
    reason: OfReason = "",
    action: Annotated[Action | None, typer.Option(help="Only of this action.")] = None,
    company: OfCompany = "",
    workflow: Annotated[str, typer.Option(help="Name of a workflow.")] = "",
    kind: Annotated[ObjectType | None, typer.Option(help="Type of the HubSpot object.")] = None,
    object_id: Annotated[str, typer.Option("--object", help="Its id.")] = "",
    text: Text = "",
    after: Annotated[
        int | None, typer.Option(max=MOST, help="Go on after this document id.")
    ] = None,
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """List documents, newest first."""

    async def work(session: Session) -> None:
        wanted = DocumentFilter(
            states=tuple(state or ()), reason=reason, action=action,
            realm_id=realm_of(session, company), workflow=workflow, object_type=kind,
            object_id=object_id, text=text,
        )  # fmt: skip
        page = await session.operator.documents(wanted, after, limit)
        if not page.documents:
            _check_workflow(session, workflow)
        if json:
            print_json(page)
            return
        _print_documents(page.documents)
        if page.next_page is not None:
            console().print(f"More: --after {page.next_page}")

    run(work)


def realm_of(session: Session, company: str) -> str:
    """The realm id of a short name; a realm id stays itself. Raises ConfigurationError."""
    known = session.workflows.companies
    if company and company not in known and not company.isdigit():
        raise ConfigurationError(
            f"--company: there is no {company!r}; there are {', '.join(known)}"
        )
    return known[company].realm_id if company in known else company


def _check_workflow(session: Session, name: str) -> None:
    """One that was taken out of the file may still have documents; of others there can't be any."""
    known = [each.name for each in session.workflows.workflows]
    if name and name not in known:
        raise ConfigurationError(f"--workflow: there is no {name!r}; there are {', '.join(known)}")


def _print_documents(found: tuple[DocumentSummary, ...]) -> None:
    rows = table("", "id", "state", "object", "document", "company", "customer", "total", "since",
                 "why", right=("id", "total", "since"))  # fmt: skip
    for each in found:
        what = f"{each.key.action.replace('_', ' ')} {each.document_number}".strip()
        rows.add_row(
            str(each.document_id), each.state, f"{each.key.source} {each.name}".strip(), what,
            each.company, each.customer, money(each.total, each.currency), ago(each.state_since),
            "" if each.state is DocumentState.CREATED else each.sentence,
        )  # fmt: skip
    console().print(rows)


@app.command()
def document(document_id: Annotated[int, typer.Argument(max=MOST)], json: AsJson = False) -> None:
    """Show one document with its timeline: changes, decisions, operations, events."""
    found = run(lambda session: session.operator.document(document_id))
    view = existing(found, f"document {document_id}")
    if json:
        print_json(view)
        return
    out, each = console(), view.document
    out.print(f"Document {each.document_id}: {each.key.action} for {each.key.source}, {each.state}")
    out.print(f"{each.sentence} {each.fix}".strip())
    for problem in view.hubspot_problems:
        out.print(problem.sentence)
    for entry in view.timeline:
        detail = f": {entry.detail}" if entry.detail else ""
        out.print(f"  {day(entry.at)}  {entry.kind:<9} {entry.title}{detail}")


@app.command()
def blocked(
    waiting: Annotated[bool, typer.Option("--waiting", help="Those that wait instead.")] = False,
    json: AsJson = False,
) -> None:
    """What is blocked, by cause, with what to do about each."""
    state = DocumentState.WAITING if waiting else DocumentState.BLOCKED
    groups = run(lambda session: session.operator.blocked_groups(state))
    if json:
        print_json(groups)
    elif groups:
        print_groups(state.capitalize(), tuple(groups), console())
    else:
        console().print(f"Nothing is {state}.")


@app.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(max=MOST, help="Document ids.")] = None,
    reason: OfReason = "",
    company: Annotated[str, typer.Option(help="Only of this company.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that are blocked.")] = False,
    bill_anyway: Annotated[
        bool, typer.Option(help="Also where a linked object's document bills the sale already.")
    ] = False,
    by: By = "",
    json: AsJson = False,
) -> None:
    """Look at documents anew after their cause was mended: some, a group, or all blocked.

    Exit status 1 if one of them was refused.
    """
    if not (ids or reason or company or everything):
        raise typer.BadParameter("name documents, or a --reason, a --company, or --all")

    async def work(session: Session) -> Done:
        selection = Selection(
            document_ids=tuple(ids or ()), reason=reason, realm_id=realm_of(session, company),
            all_blocked=everything,
        )  # fmt: skip
        return await session.operator.retry(selection, by or login(), bill_anyway=bill_anyway)

    finish(run(work), "document", json)


@app.command()
def dismiss(
    ids: Annotated[list[int], typer.Argument(max=MOST, help="Document ids.")],
    why: Why,
    by: By = "",
    json: AsJson = False,
) -> None:
    """Decide that documents are not to be made; a retry takes them up again."""
    selection = Selection(document_ids=tuple(ids))
    done = run(lambda session: session.operator.dismiss(selection, why, by or login()))
    finish(done, "document", json)


@app.command("write-back")
def write_back(by: By = "", json: AsJson = False) -> None:
    """Try again what HubSpot refused to be told of documents, after its cause was mended."""
    count = run(lambda session: session.operator.write_back_again(by or login()))
    if json:
        print_json({"documents": count})
    else:
        console().print(f"{count} documents will be written back again.")


COLUMNS = (
    "document_id", "portal_id", "object_type", "object_id", "name", "hubspot_url", "workflow",
    "company", "realm_id", "action", "enrolment", "state", "reason", "sentence", "fix", "customer",
    "currency", "total", "document_number", "quickbooks_entity", "quickbooks_id", "quickbooks_url",
    "enrolled_at", "state_since", "drift",
)  # fmt: skip


@app.command()
def export(
    state: State = None,
    company: OfCompany = "",
    text: Text = "",
    json: AsJson = False,
) -> None:
    """Write documents and their links as CSV (or JSON lines) to standard output."""

    async def work(session: Session) -> None:
        wanted = DocumentFilter(
            states=tuple(state or ()), realm_id=realm_of(session, company), text=text
        )
        after, writer = None, csv.writer(sys.stdout)
        if not json:
            writer.writerow(COLUMNS)
        while True:
            page = await session.operator.documents(wanted, after, EXPORT_PAGE)
            for each in page.documents:
                _write(each, writer, json)
            after = page.next_page
            if after is None:
                return

    run(work)


def _write(each: DocumentSummary, writer: Any, as_json: bool) -> None:
    values = {name: getattr(each, name, None) for name in COLUMNS} | each.key._asdict()
    values["name"] = each.name
    if as_json:
        print_json_line(values)
        return
    writer.writerow([spreadsheet_safe(values[name]) for name in COLUMNS])


def spreadsheet_safe(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value
