"""Owns companies: takes leases, runs a `CompanyDispatcher` for each, gives them back.

Run by `app`. A company is dispatched for by one process at a time, so that Intuit's limits and
the creation of shared customers need no cross-process coordination. The lease's token fences
whoever lost it; a process also stops calling once its lease may have run out by its own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog

from reconciler.dispatch.company import CompanyDispatcher
from reconciler.dispatch.observe import Observer
from reconciler.errors import (
    ConfigurationError,
    Disconnected,
    Fenced,
    QuickBooksError,
    Reaction,
    first_of,
)
from reconciler.ports.dispatch import Lease
from reconciler.quickbooks.faults import reaction
from reconciler.running.clock import elapsed
from reconciler.running.farewell import quietly
from reconciler.running.troubles import Troubles
from reconciler.writing.lifecycle import PARKED_LOOK

_log = structlog.get_logger("reconciler.dispatcher")

COMPANY_RETRY = timedelta(seconds=10)
"""How long a company is left alone after trouble with QuickBooks."""

STORE_RETRY = timedelta(seconds=1)


class Leases(Protocol):
    """The store's side (`store.leases`), bound to a pool."""

    async def take(self, realm_ids: Sequence[str]) -> list[Lease]: ...
    async def renew(self, leases: Sequence[Lease]) -> set[str]: ...
    async def give_back(self, leases: Sequence[Lease]) -> None: ...


@dataclass
class Owned:
    """A company held by this process."""

    lease: Lease
    task: asyncio.Task[None]
    company: CompanyDispatcher
    pause_is_over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Dispatcher:
    """This process's companies."""

    realm_ids: Sequence[str]
    leases: Leases
    open_company: Callable[[Lease], CompanyDispatcher]
    lasting: timedelta
    observer: Observer
    lost_errors: tuple[type[BaseException], ...]
    company_retry: timedelta = COMPANY_RETRY
    troubles: Troubles = field(default_factory=Troubles)
    owned: dict[str, Owned] = field(default_factory=dict)
    renewed_at: float = 0.0
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _is_stopping: bool = False

    def owns(self, realm_id: str) -> bool:
        """Whether a write may still be sent: our lease can't have run out yet."""
        return realm_id in self.owned and elapsed() - self.renewed_at < self.lasting.total_seconds()

    def wake(self, realm_id: str) -> None:
        """There is work for a company, if it is ours."""
        if owned := self.owned.get(realm_id):
            owned.company.wake()

    def notice(self, realm_id: str) -> None:
        """QuickBooks says that something changed in a company, if it is ours."""
        if owned := self.owned.get(realm_id):
            owned.company.notice()

    def try_again(self, realm_id: str) -> None:
        """A person has connected the company: it need not be left alone any longer."""
        if owned := self.owned.get(realm_id):
            owned.pause_is_over.set()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Take, renew and work until cancelled."""
        every = self.lasting.total_seconds() / 3
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._ended.clear()  # before it is looked at what ended: more may end meanwhile
                    try:
                        await self._renew()
                        await self._take(tasks)
                        ready()
                    except self.lost_errors as error:
                        # What we own may still be ours; `owns` says for how long.
                        _log.warning("leases not renewed", error=repr(error))
                        await asyncio.sleep(STORE_RETRY.total_seconds())
                        continue
                    try:
                        async with asyncio.timeout(every):
                            await self._ended.wait()
                    except TimeoutError:
                        continue
        finally:
            await self._give_back()

    async def drain(self, patience: timedelta) -> None:
        """Let the calls in the air be recorded, and begin none, before a shutdown.

        `run` goes on keeping the leases meanwhile; it takes no more companies.
        """
        self._is_stopping = True
        for owned in self.owned.values():
            owned.company.stop()
            owned.pause_is_over.set()
        running = [owned.task for owned in self.owned.values()]
        if running:
            await asyncio.wait(running, timeout=patience.total_seconds())

    async def _renew(self) -> None:
        started = elapsed()
        held = {realm: owned.lease for realm, owned in self.owned.items()}
        kept = await self.leases.renew(list(held.values())) if held else set()
        self.renewed_at = started
        for realm_id in held.keys() - kept:
            self.observer.fenced("dispatch")  # a lease that can't be prolonged is a write refused
            self._lose(held[realm_id])

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        free = [realm_id for realm_id in self.realm_ids if realm_id not in self.owned]
        if not free or self._is_stopping:
            return
        for lease in await self.leases.take(free):
            company = self.open_company(lease)
            task = tasks.create_task(self._work(company), name=f"company {lease.realm_id}")
            self.owned[lease.realm_id] = Owned(lease, task, company)
            _log.info("company taken", realm_id=lease.realm_id, token=lease.token)

    async def _work(self, company: CompanyDispatcher) -> None:
        """One company until it is lost or stopped; its troubles are not the others'."""
        while not self._is_stopping:
            pause = await self._work_until_trouble(company)
            owned = self.owned.get(company.lease.realm_id)
            if pause is None or owned is None or owned.lease != company.lease:
                return
            try:
                async with asyncio.timeout(pause.total_seconds()):
                    await owned.pause_is_over.wait()
            except TimeoutError:
                continue
            finally:
                owned.pause_is_over.clear()

    async def _work_until_trouble(self, company: CompanyDispatcher) -> timedelta | None:
        """How long to leave the company alone; None when it is over here."""
        realm_id = company.lease.realm_id
        pause: timedelta | None = None
        name = f"company {realm_id}"
        try:
            with self.troubles.trying(name):
                await company.run()
        except* ConfigurationError:
            raise  # a person edits it, and the process starts anew
        except* Fenced:
            self.observer.fenced("dispatch")
            self._lose(company.lease)
        except* Disconnected as group:
            pause = await self._parked(company, group)
        except* QuickBooksError as group:
            _log.warning("company waits", realm_id=realm_id, error=str(first_of(group)))
            pause = self.company_retry
        except* self.lost_errors as group:
            _log.warning("store lost", realm_id=realm_id, error=repr(group.exceptions[0]))
            pause = STORE_RETRY
        except* Exception as group:
            self.observer.unforeseen("dispatch")
            pause = self.troubles.happened(name, first_of(group))
        return pause

    async def _parked(self, company: CompanyDispatcher, group: BaseException) -> timedelta:
        """Note that a person must act; answers how long until the company is looked at again."""
        error = first_of(group)
        _log.error("company disconnected", realm_id=company.lease.realm_id, error=str(error))
        await quietly(company.directory.disconnected(_sentence(error)))
        is_lapsed = isinstance(error, Disconnected) and reaction(error) is Reaction.PARK
        return PARKED_LOOK if is_lapsed else self.company_retry

    def _lose(self, lease: Lease) -> None:
        """Leave the company, unless it was lost already and taken anew."""
        owned = self.owned.get(lease.realm_id)
        if owned is None or owned.lease.token != lease.token:
            return
        del self.owned[lease.realm_id]
        self.troubles.forget(f"company {lease.realm_id}")
        _log.warning("company lost", realm_id=lease.realm_id)
        if owned.task is not asyncio.current_task():
            owned.task.cancel()
        self._ended.set()

    async def _give_back(self) -> None:
        leases = [owned.lease for owned in self.owned.values()]
        self.owned.clear()
        if leases:
            await quietly(self.leases.give_back(leases))


def _sentence(error: BaseException) -> str:
    """What the console shows: the message and what to do about it."""
    if isinstance(error, QuickBooksError):
        return f"{error.message} {error.remedy}".strip()
    return str(error)
