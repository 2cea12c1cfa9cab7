"""`dead-letters list|show|re-drive|dismiss`."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.commands.options import MOST, AsJson, By, Limit, OfUnreadableReason, Why
from reconciler.commands.output import ago, console, existing, finish, print_json, table
from reconciler.commands.session import Session, login, run
from reconciler.ports.views import DeadLetterFilter, Done

app = typer.Typer(help="Records that could not be understood.", no_args_is_help=True)


@app.command("list")
def list_letters(
    reason: OfUnreadableReason = "",
    topic: Annotated[str, typer.Option(help="Only of this topic.")] = "",
    resolved: Annotated[bool, typer.Option("--resolved", help="Those resolved instead.")] = False,
    after: Annotated[int, typer.Option(max=MOST, help="Go on after this id.")] = 0,
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """List them, oldest first."""
    wanted = DeadLetterFilter(reason=reason, topic=topic, resolved=resolved)
    page = run(lambda session: session.operator.dead_letters(wanted, after, limit))
    if json:
        print_json(page)
        return
    rows = table("", "id", "where", "reason", "detail", "received", "bytes",
                 right=("id", "received", "bytes"))  # fmt: skip
    for each in page.dead_letters:
        where = f"{each.topic}[{each.partition}]@{each.offset}"
        detail = each.resolution or each.detail
        rows.add_row(str(each.dead_letter_id), where, each.reason, detail, ago(each.received_at),
                     str(each.size))  # fmt: skip
    console().print(rows)
    if page.next_page is not None:
        console().print(f"More: --after {page.next_page}")


@app.command()
def show(dead_letter_id: Annotated[int, typer.Argument(max=MOST)], json: AsJson = False) -> None:
    """Show one with its content, and what today's decoders make of it."""
    found = run(lambda session: session.operator.dead_letter(dead_letter_id))
    view = existing(found, f"dead letter {dead_letter_id}")
    if json:
        print_json(view)
        return
    out, each = console(), view.dead_letter
    out.print(f"{each.topic}[{each.partition}] offset {each.offset}, {each.size} bytes")
    out.print(f"{each.reason}: {each.detail}")
    out.print(f"Now: {view.now or 'it can be understood; re-drive it.'}")
    if each.resolution:
        out.print(f"Resolved: {each.resolution}")
    for name, value in view.headers:
        out.print(f"header {name}: {value}")
    out.print(f"key: {view.key}\n{view.value}")


@app.command("re-drive")
def redrive(
    ids: Annotated[list[int] | None, typer.Argument(max=MOST, help="Dead letter ids.")] = None,
    reason: OfUnreadableReason = "",
    everything: Annotated[bool, typer.Option("--all", help="All open ones.")] = False,
    by: By = "",
    json: AsJson = False,
) -> None:
    """Decode them with today's decoders and take them in. Exit status 1 if one still fails."""
    if not (ids or reason or everything):
        raise typer.BadParameter("name dead letters, or a --reason, or --all")

    async def work(session: Session) -> Done:
        chosen = list(ids or ())
        if reason or everything:
            chosen += await _all_open(session, reason)
        return await session.operator.redrive(chosen, by or login())

    finish(run(work), "dead letter", json)


async def _all_open(session: Session, reason: str) -> list[int]:
    found, after = list[int](), 0
    while True:
        page = await session.operator.dead_letters(DeadLetterFilter(reason=reason), after, 1000)
        found += [each.dead_letter_id for each in page.dead_letters]
        if page.next_page is None:
            return found
        after = page.next_page


@app.command()
def dismiss(
    ids: Annotated[list[int], typer.Argument(max=MOST, help="Dead letter ids.")],
    why: Why,
    by: By = "",
    json: AsJson = False,
) -> None:
    """Decide that records need not be understood."""
    done = run(lambda session: session.operator.dismiss_dead_letters(ids, why, by or login()))
    finish(done, "dead letter", json)
