"""Runs the service as processes for the fault tests: one stage per session, one scene per test.

A scene has a company, a database, topics and a consumer group of its own, so that scenes can't
disturb each other. Services are started as a user would start them; whatever runs at the end of a
scene is killed.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from reconciler.demo.environment import Child, start_service, variables
from streams.cluster import Cluster
from streams.connection import KafkaConnection
from streams.producer import RecordProducer
from streams.records import OutgoingRecord
from tests.faults.checker import Verdict, judge
from tests.faults.evidence import Places, gather, is_settled
from tests.faults.feed import WORKFLOWS, Feed, Said

SETTLES_SECONDS = float(os.environ.get("FAULTS_SETTLE_SECONDS", "60"))
_realms = itertools.count(9341450000002000)

QUICK = {
    "quickbooks_limits": "false",
    "quickbooks_timeout_seconds": "2",
    "lease_seconds": "1.5",
    "session_timeout_seconds": "6",
    "startup_wait_seconds": "30",
    "postgres_timeout_seconds": "3",
    "log_format": "console",
}
"""Waits short enough for a test; the protocol is the same with production's."""


class NotSettled(AssertionError):
    """The service did not come to rest in time."""


@dataclass
class Scene:
    """One test's company, database, topics and services."""

    directory: Path
    places: Places
    workflows: Path
    changes: dict[str, str] = field(default_factory=dict)
    services: list[Child] = field(default_factory=list)
    produced: Feed | None = None

    # --- the service ---

    def settings(self, **changes: str) -> dict[str, str]:
        """Settings of a service on this scene."""
        deals, payments = self.places.feed_topics
        return {
            **QUICK,
            "workflows": str(self.workflows),
            "postgres_dsn": self.places.dsn,
            "kafka_bootstrap_servers": self.places.kafka,
            "quickbooks_base_url": self.places.sandbox_url,
            "quickbooks_token": "any",
            "group_id": self.places.group,
            "topic_deals": deals,
            "topic_payments": payments,
            "topic_quotes": "",
            "topic_outcomes": self.places.outcomes,
            "topic_dead_letters": self.places.dead_letters,
            **self.changes,
            **changes,
        }

    def start(self, name: str = "one", *, ready: bool = True, **changes: str) -> Child:
        """Start a process of the service; its name is its identity in the group, too."""
        settings = self.settings(group_instance_id=name, **changes)
        child = start_service(self.directory, settings, name)
        self.services.append(child)
        if ready:
            child.wait_until("/healthz")
        return child

    async def command(self, *arguments: str) -> int:
        """Run a command of ours to its end; answers its exit status."""
        environment = os.environ | variables(self.settings())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "reconciler.cli", *arguments, env=environment
        )
        return await process.wait()

    async def ended(self, child: Child, seconds: float = SETTLES_SECONDS) -> int:
        """The exit status of a process that is to end by itself."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (status := child.process.poll()) is not None:
                return status
            await asyncio.sleep(0.02)
        raise NotSettled(f"{child.name} still runs:\n{child.tail()}")

    def kill_all(self) -> None:
        """Whatever still runs."""
        for child in self.services:
            if child.process.poll() is None:
                child.kill()

    # --- the feed ---

    async def produce(self, feed: Feed, records: Sequence[Said] | None = None) -> None:
        """Write the feed, as it is or in the order and number given by *records*."""
        deals, payments = self.places.feed_topics
        topics = {"deals": deals, "payments": payments}
        self.produced = feed
        async with RecordProducer(KafkaConnection(self.places.kafka)) as producer:
            await producer.send(
                [
                    OutgoingRecord(topics[said.topic], said.key or None, said.value)
                    for said in (feed.records if records is None else records)
                ]
            )

    # --- the end ---

    async def settle(self, seconds: float = SETTLES_SECONDS) -> None:
        """Return once everything is read, done and told."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for child in self.services[-1:]:
                if child.process.poll() is not None:
                    raise NotSettled(
                        f"{child.name} ended {child.process.returncode}: {child.tail()}"
                    )
            if await is_settled(self.places):
                return
            await asyncio.sleep(0.1)
        tails = "\n".join(child.tail() for child in self.services[-1:])
        raise NotSettled(f"not at rest after {seconds:g} s: {await self.verdict()}\n{tails}")

    async def verdict(self) -> Verdict:
        """What the checker says now."""
        assert self.produced is not None
        return judge(await gather(self.places), self.produced)

    # --- QuickBooks ---

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's admin API."""
        url = f"{self.places.sandbox_url}/admin/{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, json=body) as response,
        ):
            text = await response.text()
            assert response.status < 300, f"{method} {path}: {text}"
            return await response.json() if text else None

    async def switch(self, **switches: Any) -> None:
        """Set what this company's QuickBooks does where Intuit's documents say nothing."""
        await self.admin("POST", "switches", {**switches, "realm": self.places.realm})


def counter(child: Child, name: str, **labels: str) -> float:
    """A counter of a running service, as Prometheus would read it; 0 when it has not counted yet."""
    with urllib.request.urlopen(f"{child.url}/metrics", timeout=5) as response:  # noqa: S310
        text = response.read().decode()
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    lines = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
    return sum(float(value) for said, value in lines if all(label in said for label in wanted))


@contextmanager
def scene(directory: Path, places: Places) -> Iterator[Scene]:
    """Open a scene whose places exist; kills its services at the end."""
    workflows = directory / f"{places.group}.yaml"
    workflows.write_text(WORKFLOWS.format(realm=places.realm))
    opened = Scene(directory, places, workflows)
    try:
        yield opened
    finally:
        opened.kill_all()


async def prepare(sandbox_url: str, kafka: str, dsn: str, prefix: str) -> Places:
    """A new company, and topics of three partitions."""
    realm = str(next(_realms))
    places = Places(
        sandbox_url, realm, dsn, kafka, (f"{prefix}deals", f"{prefix}payments"),
        f"{prefix}outcomes", f"{prefix}deadletters", f"{prefix}group",
    )  # fmt: skip
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{sandbox_url}/admin/companies",
            json={"realm": realm, "country": "US", "currency": "USD"},
        ) as response,
    ):
        assert response.status == 201, await response.text()
    async with Cluster(KafkaConnection(kafka)) as cluster:
        topics = (*places.feed_topics, places.outcomes, places.dead_letters)
        await cluster.ensure_topics(topics, partitions=3)
    return places
