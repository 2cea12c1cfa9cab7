"""`replay`: take records of the topics in again, while the service runs; `read-anew` for a broken one."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import Progress

from reconciler.commands import sources
from reconciler.commands.options import AsJson, By
from reconciler.commands.output import console, print_json, progress_bar
from reconciler.commands.plan import chosen_workflows
from reconciler.commands.session import Session, login, run, yield_processor
from reconciler.errors import ConfigurationError
from reconciler.intake.intake import Intake, Record, Taken, Transaction
from reconciler.model import ObjectType, Priority
from reconciler.operator.pace import Pace
from reconciler.operator.replaying import Chosen, Positions, Replay
from reconciler.ports.operator import NewAudit
from reconciler.ports.views import ReplayView
from reconciler.service.assembly import intake_over
from store import replays
from store.offsets import forget_offsets
from streams.cluster import Cluster
from streams.ranges import Range, read_ranges
from streams.records import Partition

app = typer.Typer()

BATCH = 100
Share = Annotated[
    float, typer.Option(min=0.01, max=1.0, help="Part of the time to work; the rest is live's.")
]


@app.command()
def replay(
    since: Annotated[datetime | None, typer.Option(help="From this instant on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Up to this instant (UTC).")] = None,
    offsets: Annotated[
        list[str] | None, typer.Option(help="TOPIC:PARTITION:FROM[:TO], TO not included.")
    ] = None,
    objects: Annotated[
        list[str] | None, typer.Option("--object", help="Only changes of these HubSpot ids.")
    ] = None,
    workflow: Annotated[str, typer.Option(help="Only objects of this workflow's type.")] = "",
    share: Share = 0.15,
    by: By = "",
    json: AsJson = False,
) -> None:
    """Take records in again beside the live group, moving none of its offsets.

    What was known stays known: it repairs what was missed and creates nothing that live reading did
    not. After Ctrl-C the same command goes on where it was.
    """
    if offsets and (since or until):
        raise typer.BadParameter("choose --offsets, or --since and --until")
    request = msgspec.json.decode(
        msgspec.json.encode(
            {"since": since, "until": until, "offsets": offsets or [], "objects": objects or [],
             "workflow": workflow}
        )
    )  # fmt: skip

    async def work(session: Session) -> ReplayView:
        return await Replaying(session, request, share, by or login(), json).run()

    yield_processor()
    report(run(work), json)


@app.command("read-anew")
def read_anew(
    topics: Annotated[list[str], typer.Argument(help="Feed topics, such as crm.deals.")],
    by: By = "",
    json: AsJson = False,
) -> None:
    """Forget how far feed topics were read: for one that was re-created, or lost part of its log.

    They are read from their beginning, whatever start_from says; what the ledger holds already is not
    made again. Where reading once began at the end, `replay --since` reads only what was missed.
    Processes whose intake stopped go on when they are started anew.
    """

    async def work(session: Session) -> int:
        known = session.settings.topics.values()
        if strangers := [topic for topic in topics if topic not in known]:
            raise ConfigurationError(
                f"{', '.join(strangers)}: not among the feed topics {', '.join(known)}"
            )
        partitions = await forget_offsets(session.pool, session.settings.group_id, topics)
        await session.operator.store.note(
            NewAudit(actor=by or login(), action="read-anew", target=", ".join(topics))
        )
        return partitions

    partitions = run(work)
    if json:
        print_json({"partitions": partitions})
    else:
        console().print(
            f"{partitions} partitions will be read anew. Restart processes whose intake stopped."
        )


def report(done: ReplayView, as_json: bool) -> None:
    """Print what a replay or backfill came to."""
    if as_json:
        print_json(done)
        return
    counts = ", ".join(f"{count} {what}" for what, count in sorted(done.counts.items()))
    console().print(
        f"{done.kind} {done.replay_id}: {done.done} of {done.total}. {counts or 'Nothing changed.'}"
    )


@dataclass
class Replaying:
    """One run of the command. `priority` is that of documents it finds wanting."""

    session: Session
    request: dict[str, Any]
    share: float
    by: str
    quiet: bool
    priority: Priority = Priority.LIVE
    counts: Counter[str] = field(default_factory=Counter)

    async def run(self) -> ReplayView:
        """Begin, or go on with one of the same request that was stopped; answers how it ended."""
        chosen = self._chosen()
        self.view, ranges = await self._begin()
        self.counts.update(self.view.counts)
        with progress_bar(self.quiet) as bar:
            await self._replay(ranges, chosen, bar)
        self.view = msgspec.structs.replace(self.view, finished_at=datetime.now(UTC))
        async with self.session.pool.acquire() as connection:
            await replays.save(connection, self.view)
        return self.view

    async def _begin(self) -> tuple[ReplayView, dict[Partition, Range]]:
        pool = self.session.pool
        stopped = await replays.unfinished(pool, "replay", self.request)
        if stopped is not None:
            ranges = _ranges_in(stopped.positions)
            return stopped, ranges
        ranges = await self._ranges()
        total = sum(map(len, ranges.values()))
        async with pool.acquire() as connection, connection.transaction():
            view = await replays.begin(connection, self.by, "replay", self.request, total)
            view = msgspec.structs.replace(view, positions=_positions_of(ranges))
            await replays.save(connection, view)
        await self.session.operator.store.note(
            NewAudit(actor=self.by, action="replay", target=f"replay {view.replay_id}",
                     detail=self.request)
        )  # fmt: skip
        return view, ranges

    async def _replay(self, ranges: dict[Partition, Range], chosen: Chosen, bar: Progress) -> None:
        task = bar.add_task("replay", total=self.view.total, completed=self.view.done)

        def progress(_positions: Positions, taken: Taken) -> None:
            bar.update(task, completed=self.view.done)
            self._count(taken)

        intake: Intake = intake_over(
            self.session.pool, self.session.settings, self.session.workflows
        )
        work = Replay(
            intake=replace(intake, priority=self.priority),
            chosen=chosen,
            transaction=self._transaction,
            pace=Pace(self.share),
            progress=progress,
            topic_ids=await sources.topic_ids(self.session, {each.topic for each in ranges}),
        )
        await work.run(self._batches(ranges))

    async def _batches(
        self, ranges: dict[Partition, Range]
    ) -> AsyncIterator[tuple[Sequence[Record], Positions]]:
        async for records, positions in read_ranges(sources.kafka_of(self.session), ranges, BATCH):
            yield records, {(p.topic, p.number): offset for p, offset in positions.items()}

    def _transaction(self, positions: Positions) -> AbstractAsyncContextManager[Transaction]:
        kept = _ranges_in(self.view.positions)
        for (topic, number), position in positions.items():
            partition = Partition(topic, number)
            kept[partition] = Range(position, kept[partition].end)
        done = self.view.total - sum(map(len, kept.values()))
        self.view = msgspec.structs.replace(
            self.view, positions=_positions_of(kept), done=done, counts=dict(self.counts)
        )
        return replays.taking(self.session.pool, self.view)

    def _count(self, taken: Taken) -> None:
        self.counts["objects changed"] += taken.changed_objects
        self.counts["records not understood"] += len(taken.dead_letters)
        for each in taken.recorded:
            self.counts[f"documents {each.state}"] += 1
        self.counts += Counter()
        self.view = msgspec.structs.replace(self.view, counts=dict(self.counts))

    def _chosen(self) -> Chosen:
        """Raises ConfigurationError; before anything is recorded."""
        if strange := [each for each in self.request["objects"] if not _is_id(each)]:
            raise ConfigurationError(f"--object {strange[0]}: HubSpot ids are numbers")
        since, until = self.request["since"], self.request["until"]
        if since and until and _instant(since) >= _instant(until):
            raise ConfigurationError(f"--until {until} is not after --since {since}")
        name, types = self.request["workflow"], frozenset[ObjectType]()
        if name:
            chosen = chosen_workflows(self.session, name, "")
            types = frozenset(each.object_type for each in chosen)
        return Chosen(types, frozenset(self.request["objects"]))

    async def _ranges(self) -> dict[Partition, Range]:
        whole = await sources.whole_topics(self.session)
        if self.request["offsets"]:
            return _each_once([_asked(text, whole) for text in self.request["offsets"]])
        if not (self.request["since"] or self.request["until"]):
            return whole
        async with sources.cluster_of(self.session) as cluster:
            starts = await _offsets_at(cluster, whole, self.request["since"])
            ends = await _offsets_at(cluster, whole, self.request["until"])
        return {
            partition: Range(starts.get(partition, each.start), ends.get(partition, each.end))
            for partition, each in whole.items()
        }


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()


async def _offsets_at(
    cluster: Cluster, whole: dict[Partition, Range], at: str | None
) -> dict[Partition, int]:
    if not at:
        return {}
    since_1970 = max(0, round(_instant(at).timestamp() * 1000))
    return await cluster.offsets_for_times(list(whole), since_1970)


def _instant(written: str) -> datetime:
    """In UTC unless it says otherwise."""
    instant = datetime.fromisoformat(written)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _asked(text: str, whole: dict[Partition, Range]) -> tuple[Partition, Range]:
    parts = text.rsplit(":", 3) if text.count(":") >= 3 else text.rsplit(":", 2)
    try:
        partition = Partition(parts[0], int(parts[1]))
        start = int(parts[2])
        end = int(parts[3]) if len(parts) > 3 else max(start, whole[partition].end)
        known = whole[partition]
    except (ValueError, IndexError, KeyError):
        raise ConfigurationError(
            f"--offsets {text}: write TOPIC:PARTITION:FROM or TOPIC:PARTITION:FROM:TO, of "
            f"{', '.join(str(each) for each in whole)}"
        ) from None
    if end < start:
        raise ConfigurationError(f"--offsets {text}: FROM is after TO")
    return partition, Range(max(start, known.start), min(end, known.end))


def _each_once(asked: Sequence[tuple[Partition, Range]]) -> dict[Partition, Range]:
    """Raises ConfigurationError where a range would take another's place."""
    times = Counter(partition for partition, _ in asked)
    if twice := [str(partition) for partition, count in times.items() if count > 1]:
        raise ConfigurationError(
            f"--offsets: {twice[0]} is named twice; replay one range at a time"
        )
    return dict(asked)


def _positions_of(ranges: dict[Partition, Range]) -> dict[str, Any]:
    return {
        f"{partition.topic}:{partition.number}": [each.start, each.end]
        for partition, each in ranges.items()
    }


def _ranges_in(positions: dict[str, Any]) -> dict[Partition, Range]:
    found = {}
    for name, (start, end) in positions.items():
        topic, _, number = name.rpartition(":")
        found[Partition(topic, int(number))] = Range(start, end)
    return found
