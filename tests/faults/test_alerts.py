"""The project's alert rules on a clock sixty times as fast, over the service and its demo load.

Prometheus evaluates the real rules (their durations divided, see tests/prometheus.py); faults are
put into QuickBooks's sandbox, Postgres and the feed, and mended.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from reconciler.demo.environment import Child, Environment
from reconciler.demo.feed import FeedRecord, generate
from reconciler.demo.runner import COMPANIES, WORKFLOWS
from reconciler.errors import UndecodableRecord
from reconciler.model import ObjectType
from streams import formats
from streams.connection import KafkaConnection
from streams.producer import RecordProducer
from streams.records import OutgoingRecord
from tests.demo_service import demo_environment
from tests.prometheus import Prometheus, faster_rules, needs_prometheus, prometheus, wait_for

pytestmark = [pytest.mark.faults, needs_prometheus, pytest.mark.timeout(900)]

FASTER = 60
REALM = COMPANIES[0].split(":", 1)[0]
LOAD_SECONDS = 30  # half an hour on the fast clock
ENDS_WITHIN = 150.0  # an alert over an hour is over two and a half minutes after its cause
FOLLOWS_ANY_DELAY = {"ReconcilerDocumentsSlow", "ReconcilerDocumentsSlowLeak"}
"""A fault that holds documents up for longer than the objective also uses its budget."""

_KINDS = {"crm.deals": "deal", "crm.quotes": "quote", "crm.payments": "payment"}


class Stage:
    """The running system and what happens to it."""

    def __init__(self, running: Environment, watching: Prometheus, service: Child) -> None:
        self.running = running
        self.watching = watching
        self.service = service
        self.story = 0

    def produce(self, records: list[FeedRecord] | list[OutgoingRecord]) -> None:
        """Produce records as they are."""
        outgoing = [OutgoingRecord(r.topic, r.key, r.value) for r in records]
        asyncio.run(self._produce(outgoing))

    async def _produce(self, records: list[OutgoingRecord]) -> None:
        async with RecordProducer(KafkaConnection(self.running.kafka)) as producer:
            await producer.send(records)

    def load(self) -> list[list[FeedRecord]]:
        """The next demo feed, in small parts, without the garbage in it."""
        self.story += 1
        records = [r for r in generate(self.story).records if _is_readable(r)]
        return [records[at : at + 25] for at in range(0, len(records), 25)]

    def sql(self, statement: str, *arguments: object) -> None:
        """One statement in the service's database."""
        asyncio.run(self._sql(statement, arguments))

    async def _sql(self, statement: str, arguments: tuple[object, ...]) -> None:
        connection = await asyncpg.connect(self.running.postgres_dsn)
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """The sandbox's admin API."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.running.sandbox.url}/admin/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return json.load(response)

    @contextmanager
    def misfortune(self, **plan: object) -> Iterator[None]:
        """Something that goes wrong with QuickBooks while the block runs."""
        self.admin("POST", "faults", plan)
        try:
            yield
        finally:
            self.admin("DELETE", "faults")

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Nobody can write to a table while the block runs; reading goes on."""
        ready, over = asyncio.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def hold() -> None:
            connection = await asyncpg.connect(self.running.postgres_dsn)
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
                ready.set()
                await over.wait()
            await connection.close()

        import threading

        thread = threading.Thread(target=loop.run_until_complete, args=(hold(),))
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(ready.wait(), loop).result(30)
            yield
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(30)
            loop.close()

    def fires(self, name: str, *beside: str, seconds: float = 60.0) -> None:
        """An alert comes to fire, and none but it, *beside* and what any delay leads to."""
        firing = self.watching.firing
        wait_for(lambda: f"{name} fires, but {firing()}", lambda: name in firing(), seconds)
        assert firing() <= {name, *beside, *FOLLOWS_ANY_DELAY}

    def ends(self, *names: str) -> None:
        """These alerts end after their cause."""
        firing = self.watching.firing
        wait_for(
            lambda: f"{names} end, but {firing()}", lambda: not firing() & {*names}, ENDS_WITHIN
        )


def _is_readable(record: FeedRecord) -> bool:
    settings = formats.TopicSettings(ObjectType(_KINDS[record.topic]), 4711)
    readable = OutgoingRecord(record.topic, record.key, record.value)
    try:
        formats.decode(_Read(readable), settings)
    except UndecodableRecord:
        return False
    return True


class _Read:
    """An outgoing record as the decoder reads it."""

    timestamp_ms = 0
    headers: tuple[tuple[str, bytes], ...] = ()

    def __init__(self, record: OutgoingRecord) -> None:
        self.key, self.value = record.key, record.value


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The system under watch, with products in its companies."""
    directory: Path = tmp_path_factory.mktemp("alerts")
    with demo_environment(directory) as running:
        settings = running.settings(
            WORKFLOWS,
            quickbooks_limits="false",
            quickbooks_timeout_seconds="1",
            quickbooks_sweep_seconds="2",
            postgres_timeout_seconds="120",
            stall_seconds="300",
        )
        service = running.start_service(settings)
        rules = faster_rules(directory, FASTER)
        with prometheus(directory, [f"127.0.0.1:{service.port}"], rules) as watching:
            wait_for("the service was scraped", lambda: watching.query("reconciler_build_info"))
            yield Stage(running, watching, service)


async def _watch(stage: Stage, seconds: float) -> set[str]:
    """What fired at any time while the load ran."""
    seen: set[str] = set()
    parts = stage.load()
    for part in parts:
        await stage._produce([OutgoingRecord(r.topic, r.key, r.value) for r in part])
        await asyncio.sleep(seconds / len(parts))
        seen |= stage.watching.firing()
    return seen


def test_no_alert_fires_under_the_demo_load(stage: Stage) -> None:
    """Half an hour of the demo's load on the fast clock, without a fault: nobody is called."""
    assert asyncio.run(_watch(stage, LOAD_SECONDS)) == set()


def test_garbage_makes_a_ticket(stage: Stage) -> None:
    """Records that can't be understood: ReconcilerDeadLetters, and it ends by itself."""
    stage.produce([OutgoingRecord("crm.deals", b"x", b"{not json")])
    stage.fires("ReconcilerDeadLetters")
    stage.ends("ReconcilerDeadLetters")


def test_a_revoked_connection_pages(stage: Stage) -> None:
    """QuickBooks refuses the token: ReconcilerCompanyDisconnected, until it is accepted again."""
    with stage.misfortune(kind="revoked_grant", realm=REALM):
        stage.produce(stage.load()[0])
        stage.fires("ReconcilerCompanyDisconnected")
    stage.sql("SELECT pg_notify('company_connected', $1)", REALM)
    stage.ends("ReconcilerCompanyDisconnected")


def test_a_lease_of_a_process_that_does_not_exist_pages(stage: Stage) -> None:
    """Somebody who works no more holds the company for long: ReconcilerCompanyUnowned."""
    stage.sql(
        """
        UPDATE companies SET lease_owner = 'nobody', lease_token = lease_token + 1,
               lease_until = now() + interval '1 hour' WHERE realm_id = $1
        """,
        REALM,
    )
    stage.fires("ReconcilerCompanyUnowned")
    stage.sql("UPDATE companies SET lease_until = now() WHERE realm_id = $1", REALM)
    stage.ends("ReconcilerCompanyUnowned")


def test_intake_that_hangs_pages(stage: Stage) -> None:
    """Offsets can't be written, so a batch takes for ever: ReconcilerIntakeHangs."""
    with stage.locked("offsets"):
        for part in stage.load()[:10]:
            stage.produce(part)
        stage.fires("ReconcilerIntakeHangs", seconds=120)
    stage.ends("ReconcilerIntakeHangs")


def test_dispatch_that_hangs_pages(stage: Stage) -> None:
    """Nothing can be begun: ReconcilerDispatchStuck, then ReconcilerDocumentsOverdue."""
    with stage.locked("operations"):
        for part in stage.load()[:20]:
            stage.produce(part)
        stage.fires("ReconcilerDispatchStuck", "ReconcilerDocumentsOverdue")
        stage.fires("ReconcilerDocumentsOverdue", "ReconcilerDispatchStuck")
    stage.ends("ReconcilerDispatchStuck", "ReconcilerDocumentsOverdue")


def test_slow_documents_page(stage: Stage) -> None:
    """QuickBooks asks for a minute's silence: ReconcilerThrottled, and the objective is missed."""
    with stage.misfortune(kind="throttle", realm=REALM, count=1):
        for part in stage.load()[:20]:
            stage.produce(part)
        stage.fires("ReconcilerThrottled", "ReconcilerDocumentsOverdue", "ReconcilerDispatchStuck")
    stage.fires(
        "ReconcilerDocumentsSlow",
        "ReconcilerThrottled", "ReconcilerDocumentsOverdue", "ReconcilerDispatchStuck",
        seconds=120,
    )  # fmt: skip
    stage.ends("ReconcilerDocumentsOverdue", "ReconcilerDispatchStuck", "ReconcilerThrottled")


def test_a_write_without_an_answer_pages(stage: Stage) -> None:
    """QuickBooks swallows writes for 20 minutes of the fast clock: ReconcilerOutcomeUnknown."""
    with stage.misfortune(kind="drop_after_commit", realm=REALM):
        for part in stage.load()[:10]:
            stage.produce(part)
        stage.fires("ReconcilerOutcomeUnknown", "ReconcilerOutcomeUnknownLeak")
    stage.ends("ReconcilerOutcomeUnknown")


def test_an_edit_in_quickbooks_makes_a_ticket(stage: Stage) -> None:
    """A bookkeeper deletes an invoice of ours: ReconcilerDrift."""
    books = stage.admin("GET", f"books/{REALM}?entities=Invoice")
    invoice = books["Invoice"][0]
    stage.admin("POST", f"delete/{REALM}/Invoice/{invoice['Id']}", {})
    stage.fires("ReconcilerDrift", "ReconcilerOutcomeUnknownLeak")


def test_a_token_that_ends_makes_a_ticket(stage: Stage) -> None:
    """The refresh token ends within the hour: ReconcilerTokenExpiring (two weeks are 5.6 h here)."""
    stage.sql("UPDATE companies SET tokens_expire_at = now() + interval '1 hour'")
    stage.fires("ReconcilerTokenExpiring", "ReconcilerDrift", "ReconcilerOutcomeUnknownLeak")
    stage.sql("UPDATE companies SET tokens_expire_at = NULL")
    stage.ends("ReconcilerTokenExpiring")


def test_reads_nearly_used_make_a_ticket(stage: Stage) -> None:
    """Nine tenths of the month's allowance: ReconcilerQuotaNearlyUsed."""
    stage.sql("UPDATE metered_reads SET reads = 450000 WHERE realm_id = $1", REALM)
    stage.fires("ReconcilerQuotaNearlyUsed", "ReconcilerDrift", "ReconcilerOutcomeUnknownLeak")
    stage.sql("UPDATE metered_reads SET reads = 1 WHERE realm_id = $1", REALM)
    stage.ends("ReconcilerQuotaNearlyUsed")


def test_a_duplicate_pages(stage: Stage) -> None:
    """Two documents that say they are the same invoice: ReconcilerDuplicate.

    Old documents were looked at before; without a former count all of them are looked at anew.
    """
    stage.sql("DELETE FROM ledger_counts")
    stage.sql(
        """
        UPDATE documents AS d SET quickbooks_id = o.quickbooks_id
          FROM (SELECT min(quickbooks_id) AS quickbooks_id FROM documents
                 WHERE realm_id = $1 AND quickbooks_entity = 'Invoice') AS o
         WHERE d.document_id = (SELECT max(document_id) FROM documents
                                 WHERE realm_id = $1 AND quickbooks_entity = 'Invoice')
        """,
        REALM,
    )
    stage.fires(
        "ReconcilerDuplicate", "ReconcilerDrift", "ReconcilerOutcomeUnknownLeak", seconds=120
    )


def test_a_process_that_is_gone_pages(stage: Stage) -> None:
    """The service is killed: ReconcilerDown."""
    stage.service.kill()
    wait_for("ReconcilerDown fires", lambda: "ReconcilerDown" in stage.watching.firing())
