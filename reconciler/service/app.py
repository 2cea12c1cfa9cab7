"""Wires the service: settings in, running parts out.

With `consuming`, `dispatching`, `crm` (one for each part), `adapters`, `assembly`, `cli` and its
commands the only place that knows `streams` and `store`.

The way of a record: `streams.consumer` → `intake` (fold, decide, ledger) → `dispatcher` →
`company` (prepare, begin, send, record) → QuickBooks; `relay` publishes what became of it.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib.metadata import version

import structlog

from reconciler.console.routes import mount
from reconciler.console.wiring import open_console
from reconciler.errors import ConfigurationError, FeedBroken, Fenced, ReconcilerError, first_of
from reconciler.intake.switching import follow_companions, follow_switches
from reconciler.metrics import Metrics
from reconciler.quickbooks.client import open_session
from reconciler.running.crash import crash_point
from reconciler.running.http import Health, monitoring, serve
from reconciler.running.watchdog import Watchdog
from reconciler.service.adapters import kafka_connection, open_publisher, postgres_pool
from reconciler.service.assembly import intake_over, operator_over
from reconciler.service.consuming import Consuming
from reconciler.service.crm import Crm
from reconciler.service.dispatching import Dispatching, open_access
from reconciler.service.notices import add_webhooks
from reconciler.service.process import Part, Process, Ready, at_once, new_owner
from reconciler.service.relay import Relay
from reconciler.service.scraping import CachedReport, keep_accounts
from reconciler.settings import Settings
from reconciler.workflows import WorkflowFile
from store import leases as lease_store
from store.counts import add_metered_reads, count_if_old
from store.intake import transaction
from store.migrate import ensure_schema
from store.outbox import Outbox, installation_id
from store.pool import LOST, Pool, close_pool
from store.reports import report
from streams import formats
from streams.cluster import Cluster
from streams.connection import KafkaUnavailable

_log = structlog.get_logger("reconciler")

SHUTDOWN_PATIENCE = timedelta(seconds=20)
RESTART_PART_AFTER = timedelta(seconds=1)
KEPT_FOR_EVER = {"retention.ms": "-1"}
"""For feed topics that we create ourselves: a replay can only read what is still there."""

TROUBLE = (*LOST, KafkaUnavailable, Fenced)
"""What a part survives by starting anew: a lost server, or work that has another owner now."""


@dataclass
class Service:
    """One process of the service."""

    settings: Settings
    workflows: WorkflowFile
    owner: str = field(default_factory=new_owner)
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.metrics = Metrics(version("hubspot-quickbooks-reconciler"))
        self.crash_point = crash_point(self.settings.crash_point)
        self.watchdog = Watchdog(self.settings.stall_seconds)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; raises when the process must not go on."""
        _spare_the_collector()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        async with AsyncExitStack() as stack:
            await self._open_patiently(stack)
            try:
                await self._work_until(stopping)
            except BaseExceptionGroup as group:
                raise first_of(group) from None
        _log.info("stopped", owner=self.owner)

    async def _work_until(self, stopping: asyncio.Event) -> None:
        """Run the parts; then let the calls in the air be recorded."""
        async with asyncio.TaskGroup() as tasks:
            first = [tasks.create_task(self._keep(name, part)) for name, part in self._sources()]
            dispatch = tasks.create_task(self._keep("dispatcher", self.dispatching.dispatcher.run))
            await stopping.wait()
            _log.info("stopping", owner=self.owner)
            self.health.stopping = True
            for task in first:
                task.cancel()
            await self.dispatching.dispatcher.drain(SHUTDOWN_PATIENCE)
            dispatch.cancel()

    def _sources(self) -> list[tuple[str, Part]]:
        return [
            ("intake", self.consuming.run),
            ("relay", self._relay),
            ("listener", self.dispatching.listen),
            ("watchdog", at_once(self._watch)),
            ("accounts", self._account),
            ("known records", at_once(self.consuming.forget_known)),
            ("heartbeat", at_once(self.metrics.process.keep_time)),
            *((name, partial(self._apart, name, part)) for name, part in self.crm.parts()),
        ]

    async def _open_patiently(self, stack: AsyncExitStack) -> None:
        """Start from the beginning when a server goes away between two steps of the start."""
        wait = self.settings.startup_wait_seconds
        deadline = time.monotonic() + wait
        while True:
            try:
                async with AsyncExitStack() as opened:
                    await self._open(opened)
                    stack.push_async_callback(opened.pop_all().aclose)
                    return
            except TROUBLE as error:
                if time.monotonic() > deadline:
                    raise NotStarted(f"no start within {wait:g} s: {error!r}") from error
                _log.warning("start begins anew", error=repr(error))
                await asyncio.sleep(RESTART_PART_AFTER.total_seconds())

    async def _open(self, stack: AsyncExitStack) -> None:
        """Connect to everything, in the order in which it is needed."""
        settings, workflows = self.settings, self.workflows
        names = {company.realm_id: company.name for company in workflows.companies.values()}
        self.metrics.expect(
            list(names),
            list(settings.topics.values()),
            formats.Reason,
            settings.quickbooks_monthly_reads,
        )
        pool, kafka = await self._open_pool(stack), kafka_connection(settings)
        await lease_store.register_companies(pool, names)
        self.process = Process(
            settings, workflows, self.owner, pool, kafka, self.metrics, self.crash_point
        )
        self.crm = Crm(settings, workflows, pool, kafka, self.metrics.hubspot)
        self.consuming = Consuming(self.process, self.crm.is_on)
        await self._ensure_topics()
        await self._follow_switches()
        session = await stack.enter_async_context(open_session())
        self.access = await open_access(session, settings)
        stack.push_async_callback(self.access.at_rest)
        self.dispatching = self._open_dispatching(names)
        await self._open_site(stack)

    async def _open_pool(self, stack: AsyncExitStack) -> Pool:
        settings = self.settings
        pool = await postgres_pool(
            settings, settings.postgres_pool_size, settings.startup_wait_seconds
        )
        stack.push_async_callback(close_pool, pool)
        await ensure_schema(pool, settings.direct_dsn)
        return pool

    def _open_dispatching(self, companies: Mapping[str, str]) -> Dispatching:
        return Dispatching(self.process, companies, self.access, self.health.troubles)

    async def _open_site(self, stack: AsyncExitStack) -> None:
        """Health, metrics, QuickBooks's webhooks and the console on one port."""
        settings, pool = self.settings, self.process.pool
        self.report = CachedReport(partial(report, pool), LOST)
        site = monitoring(self.health, self._exposition)
        verifier = settings.quickbooks_webhook_verifier.get_secret_value()
        add_webhooks(site, verifier, partial(lease_store.notice_companies, pool))
        operator = operator_over(pool, settings, self.workflows)
        console = open_console(settings, operator, self.access.session)
        if console is not None:
            console.lags = self.consuming.lags
            mount(site, console)
        port = await stack.enter_async_context(
            serve(site, settings.http_host, settings.http_port, setting="RECONCILER_HTTP_PORT")
        )
        _log.info(
            "started", owner=self.owner, http_port=port, topics=list(settings.topics.values())
        )

    async def _follow_switches(self) -> None:
        """Block what workflows wanted that are off now; take up what is on again, and what waits for
        companions that have topics by now."""
        intake = intake_over(self.process.pool, self.settings, self.workflows)
        switched = await follow_switches(intake, partial(transaction, self.process.pool))
        if any(switched):
            _log.info("workflows switched", blocked=switched.off, decided_anew=switched.on)
        await follow_companions(intake, partial(transaction, self.process.pool))

    async def _ensure_topics(self) -> None:
        """Kafka must answer, whether or not topics are to be created."""
        settings, kafka = self.settings, self.process.kafka
        written = [settings.topic_outcomes, settings.topic_dead_letters]
        async with Cluster(kafka, timedelta(seconds=settings.startup_wait_seconds)) as cluster:
            if settings.create_topics:
                await cluster.ensure_topics(settings.topics.values(), 3, configs=KEPT_FOR_EVER)
                await cluster.ensure_topics(written, partitions=3)

    async def _keep(self, name: str, part: Part) -> None:
        """Run a part; start it anew after trouble that passes. Other errors end the process.

        What stopped it is shown until it says that it works: opening it anew may take a minute.
        """

        def ready() -> None:
            self.health.not_ready.pop(name, None)

        while True:
            try:
                return await part(ready)
            except FeedBroken as error:
                _log.critical("feed broken", part=name, error=str(error))
                self.health.broken[name] = str(error)
                self.metrics.feed_broken.set(1)
                return None  # the rest goes on: what is in the ledger can still be dispatched
            except TROUBLE as error:
                if _told_to_end():
                    _log.warning("part ends", part=name, error=repr(error))
                    return None
                if isinstance(error, Fenced):
                    self.metrics.fenced(name)
                self.health.not_ready[name] = f"{type(error).__name__}: {error}"
                _log.warning("part restarts", part=name, error=repr(error))
                await asyncio.sleep(RESTART_PART_AFTER.total_seconds())
            except Exception as error:
                _log.critical("the process ends", part=name, error=repr(first_of(error)))
                raise

    async def _apart(self, name: str, part: Part, ready: Ready) -> None:
        """Run a part that the rest can do without: what nobody foresaw stops only that, for a while."""
        troubles = self.health.troubles
        while True:
            try:
                with troubles.trying(name):
                    return await part(ready)
            except (*TROUBLE, ConfigurationError):
                raise
            except Exception as error:
                self.metrics.unforeseen(name)
                pause = troubles.happened(name, error)
            await asyncio.sleep(pause.total_seconds())

    async def _watch(self) -> None:
        """End the process when intake hangs: aiokafka can stop reading without an error.

        Ending in order takes a loop that turns; the watchdog's thread sees to the other case.
        """
        self.watchdog.start()
        while True:
            self.watchdog.beat()
            await asyncio.sleep(min(5, self.settings.stall_seconds / 4))
            if (stalled := self.consuming.stalled()) is not None:
                raise Stalled(stalled)

    # --- outcomes ------------------------------------------------------------------------------------

    async def _relay(self, ready: Ready) -> None:
        settings, pool = self.settings, self.process.pool
        transactional_id = f"{settings.group_id}-outcomes-{await installation_id(pool)}"
        lasting = timedelta(seconds=settings.lease_seconds)
        relay = Relay(
            Outbox(pool, self.owner, lasting),
            partial(
                open_publisher,
                self.process.kafka,
                settings,
                transactional_id,
                partial(self.crash_point, "relay.sending"),
            ),
            self.metrics.published,
            self.crash_point,
        )
        await relay.run(lasting, ready=ready)

    # --- metrics -------------------------------------------------------------------------------------

    async def _exposition(self) -> bytes:
        self.consuming.show()
        self.dispatching.show()
        self.metrics.process.pool(self.process.pool)
        if (now := await self.report.get()) is not None:
            self.metrics.ledger_is(now)
        return self.metrics.exposition()

    async def _account(self, ready: Ready) -> None:
        pool = self.process.pool
        await keep_accounts(
            self.metrics, partial(add_metered_reads, pool), partial(count_if_old, pool), ready
        )


def _told_to_end() -> bool:
    """Whether this task was cancelled: a server that does not take a farewell raises in its place."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _spare_the_collector() -> None:
    """Look for cycles seldom: a batch's records, objects and documents are freed by their counts.

    With Python's thresholds every batch is searched some sixty times while it is alive, which
    costs more than decoding it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


class NotStarted(ReconcilerError):
    """Postgres or Kafka went away again and again while the process started."""


class Stalled(ReconcilerError):
    """Intake makes no progress though there are records; the process ends so that it is restarted."""
