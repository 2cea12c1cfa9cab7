"""Wires the service: settings in, running parts out.

With `adapters`, `assembly`, `cli` and its commands the only place that knows all the parts.

The way of a record: `streams.consumer` → `intake` (fold, decide, ledger) → `dispatcher` →
`company` (prepare, begin, send, record) → QuickBooks; `relay` publishes what became of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import socket
import time
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import Any

import asyncpg
import structlog

from reconciler.adapters import (
    LeasesInPostgres,
    OffsetsInPostgres,
    as_intake_batch,
    as_span,
    kafka_connection,
    lane_of,
    open_publisher,
)
from reconciler.assembly import (
    companions,
    decoder,
    intake_over,
    operator_over,
    reading_of,
    watched,
)
from reconciler.clock import SharedClock
from reconciler.company import CompanyDispatcher, Surroundings, open_company
from reconciler.connect import authorization_server, sealed_tokens
from reconciler.console.routes import mount
from reconciler.console.wiring import open_console
from reconciler.crash import crash_point
from reconciler.crm import Crm, written_back
from reconciler.dispatcher import Dispatcher
from reconciler.errors import FeedBroken, Fenced, ReconcilerError, first_of
from reconciler.http import Health, monitoring, serve
from reconciler.intake import Intake
from reconciler.known import KnownRecords
from reconciler.lanes import Lanes
from reconciler.lifecycle import RetryPolicy
from reconciler.metrics import Metrics
from reconciler.notices import add_webhooks
from reconciler.policies import policies_of
from reconciler.ports.dispatch import Lease
from reconciler.ports.reports import PartitionLag
from reconciler.quickbooks.client import Endpoint, QuickBooks, open_session
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Limits
from reconciler.quickbooks.tokens import SharedTokens, StaticToken, TokenSource
from reconciler.relay import Relay
from reconciler.scraping import CachedReport, keep_accounts
from reconciler.settings import Settings
from reconciler.switching import follow_switches
from reconciler.watchdog import Watchdog
from reconciler.workflows import WorkflowFile
from store import leases as lease_store
from store.counts import add_metered_reads, count_if_old
from store.dispatch import DispatchStore
from store.intake import ConcurrentFold, transaction
from store.known import KnownStore
from store.migrate import ensure_schema
from store.outbox import Outbox, installation_id
from store.pool import LOST, close_pool, open_pool
from store.references import ReferenceStore
from store.reports import report
from store.standing import StandingStore
from streams import formats, records
from streams.cluster import Cluster
from streams.connection import KafkaUnavailable
from streams.consumer import IntakeConsumer
from streams.group import GroupSettings
from streams.positions import StartPolicy

_log = structlog.get_logger("reconciler")

POLL = timedelta(milliseconds=500)
SHUTDOWN_PATIENCE = timedelta(seconds=20)
FORGET_EVERY = timedelta(minutes=10)
RESTART_PART_AFTER = timedelta(seconds=1)
KEPT_FOR_EVER = {"retention.ms": "-1"}
"""For feed topics that we create ourselves: a replay can only read what is still there."""

TROUBLE = (*LOST, KafkaUnavailable, Fenced)
"""What a part survives by starting anew: a lost server, or work that has another owner now."""


def new_owner() -> str:
    """A name for this process in leases and offsets."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


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
        self.clock = SharedClock()
        self.watchdog = Watchdog(self.settings.stall_seconds)
        self.policies = policies_of(self.workflows)

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
            dispatch = tasks.create_task(self._keep("dispatcher", self.dispatcher.run))
            await stopping.wait()
            _log.info("stopping", owner=self.owner)
            self.health.stopping = True
            for task in first:
                task.cancel()
            await self.dispatcher.drain(SHUTDOWN_PATIENCE)
            dispatch.cancel()

    def _sources(self) -> list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        return [
            ("intake", self._intake),
            ("relay", self._relay),
            ("listener", self._listen),
            ("watchdog", self._watch),
            ("accounts", self._account),
            ("known records", self._forget_known),
            ("heartbeat", self.metrics.process.keep_time),
            *self.crm.parts(),
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
        settings = self.settings
        wait = settings.startup_wait_seconds
        dsn = settings.postgres_dsn.get_secret_value()
        self.metrics.expect(
            [company.realm_id for company in self.workflows.companies.values()],
            list(settings.topics.values()),
            formats.Reason,
            settings.quickbooks_monthly_reads,
        )
        self.pool = await open_pool(
            dsn,
            size=settings.postgres_pool_size,
            wait_seconds=wait,
            pooler=settings.postgres_pooler,
            timeout_seconds=settings.postgres_timeout_seconds,
        )
        stack.push_async_callback(close_pool, self.pool)
        await ensure_schema(self.pool, dsn)
        companies = {
            company.realm_id: company.name for company in self.workflows.companies.values()
        }
        await lease_store.register_companies(self.pool, companies)
        self.kafka = kafka_connection(settings)
        self.crm = Crm(settings, self.workflows, self.pool, self.kafka, self.metrics.hubspot)
        await self._ensure_topics()
        await self._follow_switches()
        self.session = await stack.enter_async_context(open_session())
        self.tokens = await self._open_tokens()
        self.dispatcher = self._open_dispatcher(companies)
        self.report = CachedReport(partial(report, self.pool), LOST)
        site = monitoring(self.health, self._exposition)
        verifier = settings.quickbooks_webhook_verifier.get_secret_value()
        add_webhooks(site, verifier, partial(lease_store.notice_companies, self.pool))
        operator = operator_over(self.pool, settings, self.workflows)
        console = open_console(settings, operator, self.session)
        if console is not None:
            console.lags = self._lags
            mount(site, console)
        port = await stack.enter_async_context(serve(site, settings.http_host, settings.http_port))
        _log.info(
            "started", owner=self.owner, http_port=port, topics=list(settings.topics.values())
        )

    async def _follow_switches(self) -> None:
        """Block what workflows wanted that are off now; take up what is on again."""
        intake = intake_over(self.pool, self.settings, self.workflows)
        switched = await follow_switches(intake, partial(transaction, self.pool))
        if any(switched):
            _log.info("workflows switched", blocked=switched.off, decided_anew=switched.on)

    async def _ensure_topics(self) -> None:
        """Kafka must answer, whether or not topics are to be created."""
        settings = self.settings
        written = [settings.topic_outcomes, settings.topic_dead_letters]
        async with Cluster(self.kafka, timedelta(seconds=settings.startup_wait_seconds)) as cluster:
            if settings.create_topics:
                await cluster.ensure_topics(settings.topics.values(), 3, configs=KEPT_FOR_EVER)
                await cluster.ensure_topics(written, partitions=3)

    async def _keep(self, name: str, part: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a part; start it anew after trouble that passes. Other errors end the process."""
        while True:
            try:
                self.health.not_ready.pop(name, None)
                return await part()
            except FeedBroken as error:
                _log.critical("feed broken", part=name, error=str(error))
                self.health.broken[name] = str(error)
                self.metrics.feed_broken.set(1)
                return None  # the rest goes on: what is in the ledger can still be dispatched
            except TROUBLE as error:
                if isinstance(error, Fenced):
                    self.metrics.fenced(name)
                self.health.not_ready[name] = f"{type(error).__name__}: {error}"
                _log.warning("part restarts", part=name, error=repr(error))
                await asyncio.sleep(RESTART_PART_AFTER.total_seconds())
            except Exception as error:
                _log.critical("the process ends", part=name, error=repr(first_of(error)))
                raise

    # --- intake --------------------------------------------------------------------------------------

    async def _intake(self) -> None:
        # Cut off from Postgres, we would hold partitions that another process could read.
        await self.pool.fetchval("SELECT 1")
        settings = self.settings
        intake = Intake(
            group_id=settings.group_id,
            workflows=self.workflows.workflows,
            watched=watched(self.workflows),
            decode=decoder(settings, self.workflows, self.metrics.intake.decoded),
            transaction=partial(transaction, self.pool),
            concurrent=ConcurrentFold,
            companions=companions(settings),
            hydrates=self.crm.is_on,
            known=KnownRecords(reading_of(settings, self.workflows), KnownStore(self.pool).find),
            crash_point=self.crash_point,
        )
        session = timedelta(seconds=settings.session_timeout_seconds)
        group = GroupSettings(
            group_id=settings.group_id,
            topics=tuple(settings.topics.values()),
            start=StartPolicy(settings.start_from),
            group_instance_id=settings.group_instance_id or None,
            session_timeout=session,
            heartbeat_interval=min(session / 4, timedelta(seconds=3)),
            # Sooner than `_watch` would end the process for it.
            give_up_after=timedelta(seconds=min(60.0, settings.stall_seconds / 2)),
        )

        async def take(slices: Sequence[records.Slice]) -> None:
            self.metrics.batch(await intake.take(as_intake_batch(slices)))
            consumer.stored({part.partition: part.next_offset for part in slices})

        lanes = Lanes(settings.intake_lanes, take, lane_of)
        owner = OffsetsInPostgres(
            self.pool, settings.group_id, self.owner, lanes.idle, self.crash_point
        )
        async with (
            # Opened anew each time: a client never asks for the addresses of brokers that all moved.
            Cluster(self.kafka, timedelta(seconds=settings.startup_wait_seconds)) as cluster,
            IntakeConsumer(self.kafka, cluster, group, owner) as consumer,
        ):
            self.consumer: IntakeConsumer | None = consumer
            try:
                async with lanes:
                    async for batch in consumer.batches(settings.batch_records, POLL):
                        await lanes.put(batch.slices)
            finally:
                self.consumer = None

    async def _forget_known(self) -> None:
        """Keep no digests of records that can't be read again, or not in the same way."""
        known, reading = KnownStore(self.pool), reading_of(self.settings, self.workflows)
        while True:
            await asyncio.sleep(FORGET_EVERY.total_seconds())
            consumer = getattr(self, "consumer", None)
            logs = consumer.logs if consumer is not None else ()
            if forgotten := await known.forget(reading, list(map(as_span, logs))):
                _log.info("known records forgotten", runs=forgotten)

    async def _watch(self) -> None:
        """End the process when intake hangs: aiokafka can stop reading without an error.

        Ending in order takes a loop that turns; the watchdog's thread sees to the other case.
        """
        self.watchdog.start()
        while True:
            self.watchdog.beat()
            await asyncio.sleep(min(5, self.settings.stall_seconds / 4))
            consumer = getattr(self, "consumer", None)
            if consumer is None:
                continue
            stalled = consumer.progress.stalled(time.monotonic(), self.settings.stall_seconds)
            if stalled is not None:
                raise Stalled(stalled)

    # --- dispatch ------------------------------------------------------------------------------------

    def _open_dispatcher(self, companies: Mapping[str, str]) -> Dispatcher:
        lasting = timedelta(seconds=self.settings.lease_seconds)
        timeout = timedelta(seconds=self.settings.quickbooks_timeout_seconds)
        leases = LeasesInPostgres(self.pool, self.owner, lasting, timeout, self.clock)
        return Dispatcher(
            realm_ids=list(companies),
            leases=leases,
            open_company=partial(self._open_company, companies),
            lasting=leases.lasting,
            observer=self.metrics,
            lost_errors=LOST,
        )

    def _open_company(self, companies: Mapping[str, str], lease: Lease) -> CompanyDispatcher:
        settings = self.settings
        timeout = timedelta(seconds=settings.quickbooks_timeout_seconds)
        quickbooks = QuickBooks(
            self.session,
            Endpoint(lease.realm_id, settings.quickbooks_base_url, timeout=timeout),
            self.tokens(lease.realm_id),
            Gate(
                Limits() if settings.quickbooks_limits else Limits.none(),
                waited=partial(self.metrics.throttled, lease.realm_id),
            ),
            observe=partial(self.metrics.call, lease.realm_id),
            may_write=partial(self.dispatcher_owns, lease.realm_id),
        )
        policy = RetryPolicy(
            replay_window=timedelta(seconds=settings.replay_window_seconds),
            landing=3 * timeout,  # by default 30 s and then 90: Intuit works on a call for 120
        )
        around = Surroundings(
            store=DispatchStore(self.pool, timeout, written_back(self.workflows)),
            standing=StandingStore(self.pool, timeout),
            references=ReferenceStore(self.pool),
            clock=self.clock,
            observer=self.metrics,
            policy=policy,
            policies=self.policies,
            refresh_every=timedelta(seconds=settings.quickbooks_sweep_seconds),
            crash_point=self.crash_point,
        )
        return open_company(lease, companies[lease.realm_id], quickbooks, around)

    def dispatcher_owns(self, realm_id: str) -> bool:
        """Asked before every write to QuickBooks."""
        return self.dispatcher.owns(realm_id)

    async def _open_tokens(self) -> Callable[[str], TokenSource]:
        """Where a company's tokens come from. Raises ConfigurationError without keys or an app."""
        token = self.settings.quickbooks_token
        if token is not None:
            static = StaticToken(token.get_secret_value())
            return lambda realm_id: static
        store = sealed_tokens(self.settings)
        server = await authorization_server(self.session, self.settings)
        return lambda realm_id: SharedTokens(realm_id, store, server)

    async def _listen(self) -> None:
        """Wake companies when any process wants a document of theirs."""
        dsn = (self.settings.postgres_direct_dsn or self.settings.postgres_dsn).get_secret_value()
        seconds = self.settings.postgres_timeout_seconds
        connection = await asyncpg.connect(dsn, timeout=seconds, command_timeout=seconds)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())

        def wanted(_connection: object, _pid: int, _channel: str, realm_id: object) -> None:
            self.dispatcher.wake(str(realm_id))

        def connected(_connection: object, _pid: int, _channel: str, realm_id: object) -> None:
            self.dispatcher.try_again(str(realm_id))

        def changed(_connection: object, _pid: int, _channel: str, realm_id: object) -> None:
            self.dispatcher.notice(str(realm_id))

        try:
            await connection.add_listener("company_changed", changed)
            await connection.add_listener("documents_wanted", wanted)
            await connection.add_listener("company_connected", connected)
            while not await _within(seconds, lost.wait()):
                await connection.fetchval("SELECT 1")  # a swallowed connection gives no error
            raise ConnectionResetError("the connection that listens for work was lost")
        finally:
            await connection.close(timeout=5)

    # --- outcomes ------------------------------------------------------------------------------------

    async def _relay(self) -> None:
        settings = self.settings
        transactional_id = f"{settings.group_id}-outcomes-{await installation_id(self.pool)}"
        lasting = timedelta(seconds=settings.lease_seconds)
        relay = Relay(
            Outbox(self.pool, self.owner, lasting),
            partial(
                open_publisher,
                self.kafka,
                settings,
                transactional_id,
                partial(self.crash_point, "relay.sending"),
            ),
            self.metrics.published,
            self.crash_point,
        )
        await relay.run(lasting)

    # --- metrics -------------------------------------------------------------------------------------

    def _lags(self) -> list[PartitionLag]:
        consumer = getattr(self, "consumer", None)
        lag = consumer.lag().items() if consumer is not None else ()
        return [PartitionLag(p.topic, p.number, each.records, each.seconds) for p, each in lag]

    async def _exposition(self) -> bytes:
        metrics, consumer = self.metrics, getattr(self, "consumer", None)
        if consumer is None:
            metrics.reading((), 0, 0.0)
        else:
            unpolled = time.monotonic() - consumer.progress.polled_at
            metrics.reading(self._lags(), consumer.rebalances, unpolled)
        owned = self.dispatcher.owned
        metrics.owning(self.dispatcher.realm_ids, owned)
        gates = {realm_id: each.company.quickbooks.gate for realm_id, each in owned.items()}
        metrics.quickbooks.using(
            {realm_id: gate.budget.usage(gate.clock()) for realm_id, gate in gates.items()}
        )
        metrics.process.pool(self.pool)
        if (now := await self.report.get()) is not None:
            metrics.ledger_is(now)
        return metrics.exposition()

    async def _account(self) -> None:
        await keep_accounts(
            self.metrics,
            partial(add_metered_reads, self.pool),
            partial(count_if_old, self.pool),
        )


def _spare_the_collector() -> None:
    """Look for cycles seldom: a batch's records, objects and documents are freed by their counts.

    With Python's thresholds every batch is searched some sixty times while it is alive, which
    costs more than decoding it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


async def _within(seconds: float, event: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return False
    return True


class NotStarted(ReconcilerError):
    """Postgres or Kafka went away again and again while the process started."""


class Stalled(ReconcilerError):
    """Intake makes no progress though there are records; the process ends so that it is restarted."""
