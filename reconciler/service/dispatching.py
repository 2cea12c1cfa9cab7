"""Wires the part of the service that dispatches: the ledger's documents to QuickBooks.

Called by `app`, which runs it in every process. `dispatcher` owns companies, `company` works for
one; `Dispatching.listen` wakes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import aiohttp
import structlog

from reconciler.dispatch.company import CompanyDispatcher, Surroundings, open_company
from reconciler.dispatch.dispatcher import Dispatcher
from reconciler.ports.dispatch import Lease
from reconciler.quickbooks.client import Endpoint, QuickBooks
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Limits
from reconciler.quickbooks.tokens import SharedTokens, StaticToken, TokenSource
from reconciler.running.clock import SharedClock
from reconciler.running.troubles import Troubles
from reconciler.service.adapters import LeasesInPostgres
from reconciler.service.connect import authorization_server, sealed_tokens
from reconciler.service.crm import written_back
from reconciler.service.process import Process, Ready
from reconciler.settings import Settings
from reconciler.writing.lifecycle import RetryPolicy
from reconciler.writing.policies import policies_of
from store.dispatch import DispatchStore
from store.pool import LOST, connect
from store.references import ReferenceStore
from store.standing import StandingStore

_log = structlog.get_logger("reconciler.dispatching")

RENEWAL_PATIENCE = timedelta(seconds=8)
"""How long a stop waits for tokens that are being renewed: beside the calls in the air, half a minute."""


@dataclass
class Access:
    """How companies are called: one session, and a source of tokens for each company."""

    session: aiohttp.ClientSession
    open_tokens: Callable[[str], TokenSource]
    _opened: dict[str, TokenSource] = field(default_factory=dict)

    def tokens(self, realm_id: str) -> TokenSource:
        """The company's, the same whenever this process owns it."""
        if realm_id not in self._opened:
            self._opened[realm_id] = self.open_tokens(realm_id)
        return self._opened[realm_id]

    async def at_rest(self, patience: timedelta = RENEWAL_PATIENCE) -> None:
        """Wait for renewals under way, while there is a session and a loop: a refresh token that Intuit
        has changed and we have not stored is lost, and a person must connect the company again."""
        shared = [each for each in self._opened.values() if isinstance(each, SharedTokens)]
        renewals = [renewal for each in shared for renewal in each.renewals]
        if not renewals:
            return
        _, late = await asyncio.wait(renewals, timeout=patience.total_seconds())
        if late:
            _log.error("tokens are still being renewed at the end", companies=len(late))


async def open_access(session: aiohttp.ClientSession, settings: Settings) -> Access:
    """Where tokens come from, by the settings. Raises ConfigurationError without keys or an app."""
    token = settings.quickbooks_token
    if token is not None:
        static = StaticToken(token.get_secret_value())
        return Access(session, lambda realm_id: static)
    store = sealed_tokens(settings)
    server = await authorization_server(session, settings)
    return Access(session, lambda realm_id: SharedTokens(realm_id, store, server))


@dataclass
class Dispatching:
    """One process's share of the companies (names by realm id)."""

    process: Process
    companies: Mapping[str, str]
    access: Access
    troubles: Troubles = field(default_factory=Troubles)

    def __post_init__(self) -> None:
        settings, self._clock = self.process.settings, SharedClock()
        self._timeout = timedelta(seconds=settings.quickbooks_timeout_seconds)
        self._around = self._surroundings()
        lasting = timedelta(seconds=settings.lease_seconds)
        self.dispatcher = Dispatcher(
            realm_ids=list(self.companies),
            leases=LeasesInPostgres(
                self.process.pool, self.process.owner, lasting, self._timeout, self._clock
            ),
            open_company=self._open_company,
            lasting=lasting,
            observer=self.process.metrics,
            lost_errors=LOST,
            troubles=self.troubles,
        )

    def _open_company(self, lease: Lease) -> CompanyDispatcher:
        settings, metrics = self.process.settings, self.process.metrics
        quickbooks = QuickBooks(
            self.access.session,
            Endpoint(lease.realm_id, settings.quickbooks_base_url, timeout=self._timeout),
            self.access.tokens(lease.realm_id),
            Gate(
                Limits() if settings.quickbooks_limits else Limits.none(),
                waited=partial(metrics.throttled, lease.realm_id),
            ),
            observe=partial(metrics.call, lease.realm_id),
            may_write=partial(self.dispatcher.owns, lease.realm_id),
        )
        return open_company(lease, self.companies[lease.realm_id], quickbooks, self._around)

    def _surroundings(self) -> Surroundings:
        settings, pool, workflows = self.process.settings, self.process.pool, self.process.workflows
        return Surroundings(
            store=DispatchStore(pool, self._timeout, written_back(workflows)),
            standing=StandingStore(pool, self._timeout),
            references=ReferenceStore(pool),
            clock=self._clock,
            observer=self.process.metrics,
            policy=RetryPolicy(
                replay_window=timedelta(seconds=settings.replay_window_seconds),
                landing=3
                * self._timeout,  # by default 30 s and then 90: Intuit works on a call for 120
            ),
            policies=policies_of(workflows),
            refresh_every=timedelta(seconds=settings.quickbooks_sweep_seconds),
            restored_at=settings.restored_at,
            crash_point=self.process.crash_point,
        )

    async def listen(self, ready: Ready) -> None:
        """Wake companies when any process wants a document of theirs, or a person connected them."""
        settings, dispatcher = self.process.settings, self.dispatcher
        seconds = settings.postgres_timeout_seconds
        connection = await connect(
            settings.direct_dsn, timeout_seconds=seconds, command_timeout=seconds
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            await connection.add_listener("company_changed", _told(dispatcher.notice))
            await connection.add_listener("documents_wanted", _told(dispatcher.wake))
            await connection.add_listener("company_connected", _told(dispatcher.try_again))
            ready()
            while not await _within(seconds, lost.wait()):
                await connection.fetchval("SELECT 1")  # a swallowed connection gives no error
            raise ConnectionResetError("the connection that listens for work was lost")
        finally:
            await connection.close(timeout=5)

    def show(self) -> None:
        """Set the gauges of the companies that this process owns."""
        metrics, owned = self.process.metrics, self.dispatcher.owned
        metrics.owning(self.dispatcher.realm_ids, owned)
        gates = {realm_id: each.company.quickbooks.gate for realm_id, each in owned.items()}
        metrics.quickbooks.using(
            {realm_id: gate.budget.usage(gate.clock()) for realm_id, gate in gates.items()}
        )


def _told(do: Callable[[str], None]) -> Callable[[object, int, str, object], None]:
    """What asyncpg calls with a notification, of which the realm id counts."""
    return lambda _connection, _pid, _channel, realm_id: do(str(realm_id))


async def _within(seconds: float, event: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return False
    return True
