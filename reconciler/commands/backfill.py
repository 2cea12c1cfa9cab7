"""`backfill`: create what a workflow or company calls for of the past."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import Progress

from reconciler.commands import sources
from reconciler.commands.options import AsJson, By
from reconciler.commands.output import Exit, progress_bar
from reconciler.commands.plan import Chosen, Company, chosen_workflows, show
from reconciler.commands.planner import Planner
from reconciler.commands.replay import Replaying, Share, report
from reconciler.commands.session import Session, login, run, yield_processor
from reconciler.errors import ConfigurationError
from reconciler.intake.intake import Taken, Transaction
from reconciler.model import ObjectKey, ObjectType, Priority
from reconciler.operator.backfilling import Backfill
from reconciler.operator.pace import Pace
from reconciler.operator.planning import Plan
from reconciler.ports.operator import NewAudit
from reconciler.ports.views import ReplayView
from reconciler.service.assembly import intake_over
from reconciler.workflows import Workflow
from store import replays

app = typer.Typer()


@app.command()
def backfill(
    workflow: Chosen = "",
    company: Company = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only a preview.")] = False,
    topics: Annotated[
        bool,
        typer.Option("--from-topics", help="First replay the topics, for a store that is new."),
    ] = False,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="In the preview, check QuickBooks's lists too.")
    ] = False,
    lines: Annotated[
        bool, typer.Option("--documents", help="In the preview, print each document.")
    ] = False,
    share: Share = 0.15,
    by: By = "",
    json: AsJson = False,
) -> None:
    """Create what a workflow (or all in a company) calls for of the past. A preview unless --yes.

    The documents go after live ones. After Ctrl-C the same command goes on where it was; documents
    in the ledger are never made twice.
    """
    if not (workflow or company):
        raise typer.BadParameter("name a --workflow or a --company")
    if topics and not yes:
        raise typer.BadParameter("for a preview from the topics use: reconciler plan --from-topics")

    if not yes:
        show(run(lambda session: preview(session, workflow, company, resolve)), json, lines)
        if not json:
            print("\nNothing was written. To do it, add --yes.", file=sys.stderr)
        raise typer.Exit(Exit.DONE)

    async def work(session: Session) -> ReplayView:
        chosen = chosen_workflows(session, workflow, company)
        off = [each.name for each in session.workflows.workflows
               if each.name == workflow and not each.enabled]  # fmt: skip
        if off:
            raise ConfigurationError(f"workflow {workflow!r} is off: set enabled: true first")
        if topics:
            await _replay_first(session, share, by or login(), json)
        request = {"workflow": workflow, "company": company}
        return await Backfilling(session, chosen, request, share, by or login(), json).run()

    yield_processor()
    report(run(work), json)


async def preview(session: Session, workflow: str, company: str, resolve: bool) -> Plan:
    """What it would record."""
    planner = Planner(session, chosen_workflows(session, workflow, company), resolve)
    kinds = sorted({each.object_type for each in planner.workflows})
    async for page in sources.stored(session, kinds):
        await planner.add(page)
    return await planner.whole()


async def _replay_first(session: Session, share: float, by: str, quiet: bool) -> None:
    request: dict[str, Any] = {
        "since": None,
        "until": None,
        "offsets": [],
        "objects": [],
        "workflow": "",
    }
    await Replaying(session, request, share, by, quiet, Priority.BACKFILL).run()


@dataclass
class Backfilling:
    """One run of the command."""

    session: Session
    workflows: list[Workflow]
    request: dict[str, Any]
    share: float
    by: str
    quiet: bool
    counts: Counter[str] = field(default_factory=Counter)

    async def run(self) -> ReplayView:
        """Begin, or go on with one of the same request that was stopped; answers how it ended."""
        self.view = await self._begin()
        self.counts.update(self.view.counts)
        with progress_bar(self.quiet) as bar:
            await self._work(bar)
        self.view = msgspec.structs.replace(self.view, finished_at=datetime.now(UTC))
        async with self.session.pool.acquire() as connection:
            await replays.save(connection, self.view)
        return self.view

    async def _begin(self) -> ReplayView:
        pool = self.session.pool
        stopped = await replays.unfinished(pool, "backfill", self.request)
        if stopped is not None:
            return stopped
        kinds = sorted({each.object_type for each in self.workflows})
        total = await replays.count_objects(pool, kinds)
        async with pool.acquire() as connection:
            view = await replays.begin(connection, self.by, "backfill", self.request, total)
        await self.session.operator.store.note(
            NewAudit(actor=self.by, action="backfill", target=f"backfill {view.replay_id}",
                     detail=self.request)
        )  # fmt: skip
        return view

    async def _work(self, bar: Progress) -> None:
        task = bar.add_task("backfill", total=self.view.total, completed=self.view.done)

        def progress(_last: ObjectKey, _taken: Taken) -> None:
            bar.update(task, completed=self.view.done)

        session = self.session
        work = Backfill(
            intake=intake_over(session.pool, session.settings, session.workflows),
            workflows=self.workflows,
            page=partial(replays.object_keys, session.pool),
            transaction=self._transaction,
            pace=Pace(self.share),
            progress=progress,
        )
        passed = {
            kind: ObjectKey(portal, ObjectType(kind), id_)
            for kind, (portal, id_) in self.view.positions.items()
        }
        await work.run(passed)

    def _transaction(
        self, last: ObjectKey, taken: Taken
    ) -> AbstractAsyncContextManager[Transaction]:
        return replays.backfilling(self.session.pool, partial(self._passed, last, taken))

    def _passed(self, last: ObjectKey, taken: Taken) -> ReplayView:
        for each in taken.recorded:
            self.counts[f"documents {each.state}"] += 1
        self.view = msgspec.structs.replace(
            self.view,
            positions={**self.view.positions, last.type: [last.portal_id, last.id]},
            done=self.view.done + taken.records,
            counts=dict(self.counts),
        )
        return self.view
