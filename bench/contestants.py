"""How each contestant is started and its result checked; used by the scenarios.

Every function runs a contestant once, to its end, and answers its rate and CPU seconds per 1,000.
A result that is not what the records call for raises `ContestantFailed`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from pathlib import Path

from bench.contest import ContestantFailed, contestant, rate_of
from bench.deals import PORTAL
from bench.feed import ensure_topic
from bench.peers import kafka_streams
from bench.world import World, fetch_value

_WORKFLOWS = """version: 1
portal_id: {portal}
companies:
{companies}
workflows:
{workflows}
"""
_COMPANY = '  c{number}: {{realm_id: "{realm}"}}\n'
_WORKFLOW = """  - name: Invoice won deals {number}
    object: deal
    enabled: {enabled}
    enrol:
      - - {{property: dealstage, operator: is_any_of, values: [closedwon]}}
    actions:
      - {{create: invoice, company: c{number}, payment_terms: Net 30, create_missing_products: true}}
"""
FIRST_REALM = 9_130_000_000_000_000


def group() -> str:
    """A consumer group that has read nothing."""
    return f"bench-{uuid.uuid4().hex[:12]}"


def workflows(directory: Path, companies: int = 1, *, enabled: bool = True) -> Path:
    """A workflow file: every won deal is invoiced, in each of *companies*."""
    numbers, switch = range(companies), str(enabled).lower()
    text = _WORKFLOWS.format(
        portal=PORTAL,
        companies="".join(_COMPANY.format(number=n, realm=FIRST_REALM + n) for n in numbers),
        workflows="".join(_WORKFLOW.format(number=n, enabled=switch) for n in numbers),
    )
    path = directory / f"workflows-{companies}-{'on' if enabled else 'off'}.yaml"
    path.write_text(text)
    return path


def settings(
    world: World, dsn: str, topic: str, quickbooks: str = "http://127.0.0.1:9", companies: int = 1
) -> dict[str, str]:
    """The service's environment; every setting not named here has its default."""
    return {
        "RECONCILER_WORKFLOWS": str(workflows(world.directory, companies)),
        "RECONCILER_POSTGRES_DSN": dsn,
        "RECONCILER_KAFKA_BOOTSTRAP_SERVERS": world.bootstrap,
        "RECONCILER_TOPIC_DEALS": topic,
        "RECONCILER_TOPIC_QUOTES": "",
        "RECONCILER_TOPIC_PAYMENTS": "",
        "RECONCILER_TOPIC_OUTCOMES": f"outcomes.{uuid.uuid4().hex[:8]}",
        "RECONCILER_GROUP_ID": group(),
        "RECONCILER_QUICKBOOKS_BASE_URL": quickbooks,
        "RECONCILER_QUICKBOOKS_TOKEN": "bench",
        "RECONCILER_QUICKBOOKS_LIMITS": "false",
        "RECONCILER_HTTP_PORT": "0",
    }


def ours_command(part: str, count: int) -> list[str]:
    """Our service, or a part of it."""
    return [sys.executable, "-m", "bench.ours", part, str(count)]


def _expect(what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise ContestantFailed(f"{what}: {found}, not {wanted}")


def ours_intake(world: World, records: int) -> tuple[float, float]:
    """Record → folded, decided, wanted document committed."""
    topic, dsn = world.topic(records), world.database()
    with contestant(ours_command("intake", records), settings(world, dsn, topic)) as running:
        done = running.wait_for("done")
    _expect("wanted documents", fetch_value(dsn, "SELECT count(*) FROM documents"), records)
    world.drop(dsn)
    return rate_of(done)


def ours_replay(world: World, records: int, topic: str | None = None) -> tuple[float, float]:
    """A new group reads what is folded already; *topic* may hold the same at other positions."""
    dsn, seen = world.database(), world.topic(records)
    with contestant(ours_command("intake", records), settings(world, dsn, seen)) as running:
        running.wait_for("done")
    world.settle()
    again = settings(world, dsn, topic or seen)
    with contestant(ours_command("intake", records), again) as running:
        done = running.wait_for("done")
    _expect("documents", fetch_value(dsn, "SELECT count(*) FROM documents"), records)
    world.drop(dsn)
    return rate_of(done)


def ours_create(world: World, records: int) -> tuple[float, float]:
    """Record → invoice in QuickBooks, recorded, its outcome in the outbox and on its way."""
    topic, dsn = world.topic(records), world.database()
    with world.stand_in() as quickbooks:
        environment = settings(world, dsn, topic, quickbooks.url)
        with contestant(ours_command("all", records), environment) as running:
            done = running.wait_for("done")
        counts = quickbooks.counts()
    _expect("invoices", counts["documents"], records)
    created = fetch_value(dsn, "SELECT count(*) FROM documents WHERE state = 'created'")
    _expect("documents created", created, records)
    world.drop(dsn)
    return rate_of(done)


def peer_environment(world: World, dsn: str, quickbooks: str = "") -> dict[str, str]:
    """What every peer is told."""
    return {
        "BENCH_KAFKA": world.bootstrap,
        "BENCH_DSN": dsn,
        "BENCH_GROUP": group(),
        "BENCH_QUICKBOOKS": quickbooks,
    }


def peer(module: str, topic: str, count: int) -> list[str]:
    """A peer written in Python."""
    return [sys.executable, "-m", f"bench.peers.{module}", topic, str(count)]


def peer_create(world: World, module: str, records: int) -> tuple[float, float]:
    """Record → invoice in QuickBooks, with a peer."""
    topic, dsn = world.topic(records), world.database()
    with world.stand_in() as quickbooks:
        environment = peer_environment(world, dsn, quickbooks.url)
        with contestant(peer(module, topic, records), environment) as running:
            done = running.wait_for("done")
        _expect("invoices", quickbooks.counts()["documents"], records)
    world.drop(dsn)
    return rate_of(done)


def handwritten_replay(world: World, records: int) -> tuple[float, float]:
    """The hand-written peer re-reads what it has made already."""
    topic, dsn = world.topic(records), world.database()
    with world.stand_in() as quickbooks:
        for _ in range(2):
            environment = peer_environment(world, dsn, quickbooks.url)
            with contestant(peer("handwritten", topic, records), environment) as running:
                done = running.wait_for("done")
            world.settle()
        _expect("invoices", quickbooks.counts()["documents"], records)
    world.drop(dsn)
    return rate_of(done)


def faststream_intake(world: World, records: int, rounds: int = 1) -> tuple[float, float]:
    """FastStream stores which deals are wanted; with two *rounds* the last one is a replay."""
    topic, dsn = world.topic(records), world.database()
    for _ in range(rounds):
        environment = peer_environment(world, dsn)
        with contestant(peer("faststream_batches", topic, records), environment) as running:
            done = running.wait_for("done")
    _expect("wanted", fetch_value(dsn, "SELECT count(*) FROM invoices"), records)
    world.drop(dsn)
    return rate_of(done)


def streams_intake(world: World, records: int) -> tuple[float, float]:
    """Kafka Streams reads a topic, drops what it knows, stores and forwards the rest."""
    out = f"streams.out.{uuid.uuid4().hex[:8]}"
    ensure_topic(world.bootstrap, out)
    with tempfile.TemporaryDirectory(prefix="streams-") as state:
        environment = {
            **peer_environment(world, ""),
            "BENCH_OUT": out,
            "BENCH_STATE": state,
        }
        topic = world.topic(records)
        with contestant(kafka_streams.command(topic, records), environment) as running:
            done = running.wait_for("done")
    return rate_of(done)


def raw(world: World, *what: str) -> tuple[float, float]:
    """A limit of the machine (`bench.raw`)."""
    dsn = world.database() if what[0] == "upsert" else ""
    environment = {"BENCH_KAFKA": world.bootstrap, "BENCH_DSN": dsn}
    command = [sys.executable, "-m", "bench.raw", *what]
    with contestant(command, {**os.environ, **environment}) as running:
        done = running.wait_for("done")
    if dsn:
        world.drop(dsn)
    return rate_of(done)
