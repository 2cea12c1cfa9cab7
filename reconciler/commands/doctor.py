"""`doctor`: looks at everything the service needs, and says what to fix."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import typer

from reconciler.commands import sources
from reconciler.commands.options import AsJson
from reconciler.commands.output import Exit, console, print_json, table
from reconciler.commands.session import Session, open_session
from reconciler.dispatch.directory import stored_book
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.operator import checkup
from reconciler.operator.checkup import Finding, Grade, TopicState
from reconciler.ports.views import PartitionPosition
from reconciler.workflows.lint import lint
from store.migrate import current_revision, newest_revision
from store.references import ReferenceStore
from streams.cluster import Cluster
from streams.records import PartitionLog

app = typer.Typer()

PATIENCE_SECONDS = 10.0


@app.command()
def doctor(json: AsJson = False) -> None:
    """Check Postgres, Kafka, each company and the workflow file. Exit status 1 if one is wrong."""
    findings = asyncio.run(_examine())
    if json:
        print_json(findings)
    else:
        rows = table("", "", "what", "finding", "to do")
        for each in findings:
            rows.add_row(each.grade, each.subject, each.text, each.fix)
        console().print(rows)
    wrong = any(each.grade is Grade.PROBLEM for each in findings)
    raise typer.Exit(Exit.NOT_DONE if wrong else Exit.DONE)


async def _examine() -> list[Finding]:
    try:
        async with open_session() as session:
            found = await _postgres(session)
            if any(each.subject == "schema" and each.grade is Grade.PROBLEM for each in found):
                return [*found, *await _kafka(session, [])]
            reading = await session.operator.store.reading(session.settings.group_id)
            return [
                *found,
                *await _kafka(session, reading),
                *await _companies(session),
                *_file(session),
            ]
    except ConfigurationError as error:
        return [checkup.problem("settings", str(error), "Correct the setting it names.")]


def _file(session: Session) -> list[Finding]:
    name = str(session.settings.workflows)
    warnings = lint(session.workflows)
    if not warnings:
        return [checkup.ok(name, f"{len(session.workflows.workflows)} workflows, no warnings")]
    return [
        checkup.warning(f"{name}:{each.line}", f"{each.path}: {each.message}", "See the file.")
        for each in warnings
    ]


async def _postgres(session: Session) -> list[Finding]:
    pool = session.pool
    version = int(await pool.fetchval("SHOW server_version_num"))
    before = datetime.now(UTC)
    theirs: datetime = await pool.fetchval("SELECT clock_timestamp()")
    ours = before + (datetime.now(UTC) - before) / 2
    revision = await current_revision(pool)
    return list(checkup.postgres(version, revision, newest_revision(), theirs - ours))


async def _kafka(session: Session, reading: list[PartitionPosition]) -> list[Finding]:
    settings = session.settings
    connection = sources.kafka_of(session)
    purposes = {topic: f"changes of {kind}s" for kind, topic in settings.topics.items()}
    purposes[settings.topic_outcomes] = "outcomes are published there"
    purposes[settings.topic_dead_letters] = "dead letters are announced there"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), Cluster(connection) as cluster:
            existing = await cluster.topics()
            feeds = [topic for topic in settings.topics.values() if topic in existing]
            logs = await cluster.logs(await cluster.partitions(feeds))
            retention = await cluster.retention(feeds)
    except (ReconcilerError, TimeoutError) as error:
        text = str(error) or f"Kafka did not answer within {PATIENCE_SECONDS:g} s"
        fix = "Check RECONCILER_KAFKA_BOOTSTRAP_SERVERS and that the brokers run."
        return [checkup.problem("Kafka", text, fix)]
    found = [checkup.ok("Kafka", f"answers at {connection.bootstrap_servers}")]
    for topic, purpose in purposes.items():
        if topic not in existing:
            found.append(checkup.missing_topic(topic, purpose))
    for topic in feeds:
        of_topic = [log for log in logs if log.partition.topic == topic]
        found += checkup.topic(_state(topic, of_topic, reading, retention.get(topic)))
    return found


def _state(
    topic: str,
    logs: list[PartitionLog],
    reading: list[PartitionPosition],
    retention: timedelta | None,
) -> TopicState:
    stored = {each.partition: each for each in reading if each.topic == topic}
    unread = lost = 0
    recreated = shrunk = False
    for log in logs:
        known = stored.get(log.partition.number)
        at = log.beginning if known is None or known.next_offset is None else known.next_offset
        unread += max(0, log.end - max(at, log.beginning))
        lost += max(0, log.beginning - at)
        shrunk |= at > log.end
        ids = {log.topic_id, known.topic_id if known else log.topic_id} - {None}
        recreated |= len(ids) > 1
    return TopicState(topic, len(logs), unread, lost, retention, recreated, shrunk)


async def _companies(session: Session) -> list[Finding]:
    found: list[Finding] = []
    store, now = ReferenceStore(session.pool), datetime.now(UTC)
    stored = {each.realm_id: each for each in await session.operator.store.companies()}
    actions = checkup.actions_by_company(session.workflows)
    today = now.date().isoformat()
    for each in session.workflows.companies.values():
        of_company = actions[each.realm_id]
        contents = [c for _, settings in of_company for c in checkup.named_by(settings, today)]
        book = await stored_book(store, each.realm_id, each.name, contents)
        found += checkup.company(each.name, stored.get(each.realm_id), book, now)
        if book is not None and book.facts.is_supported:
            for workflow, settings in of_company:
                found += checkup.action(workflow, settings, book, today)
    return found
