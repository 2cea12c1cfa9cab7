"""`plan`: what would be created now, without writing anything."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from reconciler.commands import sources
from reconciler.commands.options import AsJson
from reconciler.commands.output import Exit, console, money, plain, print_json, progress_bar, table
from reconciler.commands.planner import Planner
from reconciler.commands.session import Session, run
from reconciler.errors import ConfigurationError
from reconciler.model import ObjectType
from reconciler.operator.planning import Fate, Plan
from reconciler.workflows import Workflow
from streams.formats.record import Reason as Unread

app = typer.Typer()

_SAY_KIND = (
    f"Records of one type that do not name it: say which with --kind ({', '.join(ObjectType)})."
)

Chosen = Annotated[str, typer.Option("--workflow", help="Only this workflow, on or off.")]
Company = Annotated[str, typer.Option(help="Only documents in this company.")]


@app.command()
def plan(
    topics: Annotated[
        bool, typer.Option("--from-topics", help="Read the topics from their beginning.")
    ] = False,
    file: Annotated[Path | None, typer.Option(help="Read records from JSON lines.")] = None,
    kind: Annotated[
        ObjectType | None, typer.Option(help="What the file's records are, if they do not say.")
    ] = None,
    workflow: Chosen = "",
    company: Company = "",
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Check products, terms, accounts as last read too.")
    ] = False,
    lines: Annotated[bool, typer.Option("--documents", help="Print each document.")] = False,
    json: AsJson = False,
) -> None:
    """What would be created now: counts, amounts and reasons, from stored objects, topics or a file.

    Writes nothing, to Kafka, Postgres or QuickBooks. It decides as backfill does: also about
    objects that met their workflow before it was turned on. Exit status 1 if there are records and
    not one can be understood.
    """
    if topics and file is not None:
        raise typer.BadParameter("choose --from-topics or --file")

    async def work(session: Session) -> Plan:
        planner = Planner(session, chosen_workflows(session, workflow, company), resolve)
        if not topics and file is None:
            kinds = sorted({each.object_type for each in planner.workflows})
            async for page in sources.stored(session, kinds):
                await planner.add(page)
            return await planner.whole()
        with progress_bar(json) as bar:
            if file is not None:
                folded = await sources.from_file(session, file, kind)
            else:
                folded = await sources.from_topics(session, BarTold(bar, bar.add_task("read")))
        async for page in folded.pages():
            await planner.add(page)
        planner.plan.records, planner.plan.undecodable = folded.records, dict(folded.undecodable)
        return await planner.whole()

    found = run(work)
    show(found, json, lines)
    if file is not None and kind is None and Unread.NO_OBJECT_TYPE in found.undecodable:
        print(_SAY_KIND, file=sys.stderr)
    if found.nothing_was_read:
        raise typer.Exit(Exit.NOT_DONE)


class BarTold:
    """Tells a progress bar."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self.bar, self.task = bar, task

    def total(self, records: int) -> None:
        """How many there are."""
        self.bar.update(self.task, total=records)

    def advance(self, records: int) -> None:
        """So many more are done."""
        self.bar.advance(self.task, records)


def chosen_workflows(session: Session, name: str, company: str) -> list[Workflow]:
    """The workflows looked at, with only their actions in the company. Raises ConfigurationError.

    One chosen by name is looked at even if it is off.
    """
    file = session.workflows
    realms = {file.companies[company].realm_id} if company in file.companies else {company}
    if company and not any(each.realm_id in realms for each in file.companies.values()):
        raise ConfigurationError(f"company {company} is not in the workflow file")
    found = [each for each in file.workflows if (each.name == name if name else each.enabled)]
    if name and not found:
        known = ", ".join(each.name for each in file.workflows)
        raise ConfigurationError(f"there is no workflow {name!r}; the file has {known}")
    chosen = []
    for each in found:
        actions = tuple([a for a in each.actions if not company or a.company.realm_id in realms])
        if actions:
            chosen.append(replace(each, enabled=True, actions=actions))
    return chosen


def show(found: Plan, as_json: bool, lines: bool) -> None:
    """Print a plan."""
    if as_json:
        print_json(
            {
                "objects": found.objects,
                "records": found.records,
                "undecodable": found.undecodable,
                "amounts": found.amounts(),
                "reasons": [
                    {"fate": fate, "reason": reason, "documents": count}
                    for fate, reason, count in found.reasons()
                ],
                "documents": plain(found.documents),
            }
        )
        return
    out = console()
    recorded = len(found.of(Fate.RECORDED))
    out.print(f"{found.objects} objects looked at; {recorded} documents are in the ledger already.")
    for reason, count in found.undecodable.items():
        out.print(f"{count} {'record' if count == 1 else 'records'} can't be understood: {reason}")
    amounts = table("Would be created", "company", "action", "documents", "total",
                    right=("documents", "total"))  # fmt: skip
    for each in found.amounts():
        total = money(each.total, each.currency)
        amounts.add_row(each.company, each.action, str(each.documents), total)
    out.print(amounts if found.amounts() else "Nothing would be created.")
    for fate, reason, count in found.reasons():
        example = next(d for d in found.of(fate) if d.reason == reason)
        out.print(f"{count} would be {fate}: {reason}. For example {example.key.source}: "
                  f"{example.sentence}")  # fmt: skip
    if lines:
        _print_documents(found)


def _print_documents(found: Plan) -> None:
    rows = table("", "fate", "object", "action", "company", "date", "customer", "total", "why",
                 right=("total",))  # fmt: skip
    for each in found.documents:
        why = each.sentence or ", ".join(f"creates {name}" for name in each.creates)
        rows.add_row(
            each.recorded_as if each.fate is Fate.RECORDED else each.fate,
            f"{each.key.source} {each.name}".strip(), each.key.action, each.company, each.txn_date,
            each.customer, money(each.total, each.currency), why,
        )  # fmt: skip
    console().print(rows)
