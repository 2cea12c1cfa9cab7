"""How a process's companies are taken and given up, when their dispatch is in trouble or it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from reconciler.dispatch.dispatcher import Dispatcher
from reconciler.dispatch.observe import Observer
from reconciler.errors import Disconnected
from reconciler.ports.dispatch import Lease
from reconciler.running.troubles import Troubles

PATIENCE = timedelta(seconds=20)


@dataclass
class Company:
    """Works until it is stopped, or can't work because nobody connected it."""

    lease: Lease
    is_connected: bool
    is_odd: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    runs: int = 0

    @property
    def directory(self) -> Any:
        return SimpleNamespace(disconnected=self._disconnected)

    async def _disconnected(self, _detail: str) -> None:
        self.begun.set()

    async def run(self) -> None:
        self.runs += 1
        if not self.is_connected:
            raise Disconnected("The connection was revoked.")
        if self.is_odd:
            raise BaseExceptionGroup("of its tasks", [KeyError(f"TotalAmt {self.runs // 3}")])
        self.begun.set()
        await self.stopped.wait()

    def stop(self) -> None:
        self.stopped.set()


@dataclass
class Leases:
    """Gives out the companies that are free."""

    free: set[str]
    given_back: list[str] = field(default_factory=list)

    async def take(self, realm_ids: Sequence[str]) -> list[Lease]:
        taken = sorted(self.free.intersection(realm_ids))
        self.free.difference_update(taken)
        return [Lease(realm_id, "me", 1) for realm_id in taken]

    async def renew(self, leases: Sequence[Lease]) -> set[str]:
        return {lease.realm_id for lease in leases}

    async def give_back(self, leases: Sequence[Lease]) -> None:
        self.given_back += [lease.realm_id for lease in leases]


@dataclass
class AtWork:
    """A dispatcher that runs; its companies are known once they were taken."""

    dispatcher: Dispatcher
    leases: Leases
    companies: dict[str, Company]

    async def begun(self, realm_id: str) -> Company:
        async with asyncio.timeout(5):
            while realm_id not in self.companies:
                await asyncio.sleep(0.01)
            await self.companies[realm_id].begun.wait()
        return self.companies[realm_id]

    async def drain(self) -> float:
        """Seconds that it takes."""
        clock = asyncio.get_running_loop().time
        started = clock()
        await self.dispatcher.drain(PATIENCE)
        return clock() - started


@pytest.fixture
async def at_work() -> AsyncIterator[AtWork]:
    """A company that works, one that is parked, and one that another process owns so far."""
    companies: dict[str, Company] = {}

    def open_company(lease: Lease) -> Any:
        company = Company(lease, lease.realm_id != "parked", is_odd=lease.realm_id == "odd")
        return companies.setdefault(lease.realm_id, company)

    leases = Leases({"working", "parked"})
    dispatcher = Dispatcher(
        realm_ids=["working", "parked", "odd", "another's"],
        leases=leases,
        open_company=open_company,
        lasting=timedelta(milliseconds=60),
        observer=Observer(),
        lost_errors=(OSError,),
        troubles=Troubles(timedelta(milliseconds=1), timedelta(seconds=30)),
    )
    running = asyncio.create_task(dispatcher.run())
    yield AtWork(dispatcher, leases, companies)
    running.cancel()
    await asyncio.wait([running])


async def test_a_stop_does_not_wait_for_parked_companies(at_work: AtWork) -> None:
    """Nothing of theirs is in the air; they are not looked at again either."""
    await at_work.begun("working")
    parked = await at_work.begun("parked")
    assert await at_work.drain() < 5
    assert parked.runs == 1


async def test_a_company_that_was_taken_anew_is_not_lost_again(at_work: AtWork) -> None:
    """What comes late of the ownership before concerns nobody."""
    company = await at_work.begun("working")
    at_work.dispatcher._lose(company.lease._replace(token=company.lease.token - 1))
    assert at_work.dispatcher.owns("working")
    at_work.dispatcher._lose(company.lease)
    assert not at_work.dispatcher.owns("working")


async def test_a_stop_takes_no_more_companies(at_work: AtWork) -> None:
    """While the calls in the air are recorded the leases are kept, and no other is taken."""
    await at_work.begun("working")
    await at_work.drain()
    at_work.leases.free.add("another's")
    await asyncio.sleep(0.2)
    assert at_work.companies.keys() == {"working", "parked"}
    assert at_work.leases.free == {"another's"}
    assert at_work.dispatcher.owns("working")


async def test_a_company_taken_while_stopping_does_no_work(at_work: AtWork) -> None:
    """It is given back with the others."""
    await at_work.begun("working")
    company = at_work.dispatcher.open_company(Lease("another's", "me", 1))
    await at_work.drain()
    await at_work.dispatcher._work(company)
    assert at_work.companies["another's"].runs == 0


async def test_a_company_lost_while_others_are_taken_is_looked_at_at_once() -> None:
    """And not only when the leases are renewed the next time."""
    looked_again = asyncio.Event()

    class Losing(Leases):
        looks = 0

        async def take(self, realm_ids: Sequence[str]) -> list[Lease]:
            self.looks += 1
            if self.looks == 2:
                dispatcher._lose(Lease("working", "me", 1))
            elif self.looks == 3:
                looked_again.set()
            return await super().take(realm_ids)

    companies: dict[str, Company] = {}

    def open_company(lease: Lease) -> Any:
        return companies.setdefault(lease.realm_id, Company(lease, is_connected=True))

    dispatcher = Dispatcher(
        realm_ids=["working", "another's"],
        leases=Losing({"working"}),
        open_company=open_company,
        lasting=timedelta(hours=1),
        observer=Observer(),
        lost_errors=(OSError,),
    )
    running = asyncio.create_task(dispatcher.run())
    async with asyncio.timeout(5):
        while "working" not in dispatcher.owned:
            await asyncio.sleep(0.001)
        dispatcher._ended.set()  # something else ended: the others are looked at
        await looked_again.wait()
    running.cancel()
    await asyncio.wait([running])


async def test_what_nobody_foresaw_of_one_company_stops_no_other(at_work: AtWork) -> None:
    """It is shown, tried again later each time, and its traceback is logged once."""
    working = await at_work.begun("working")
    with capture_logs() as logs:
        at_work.leases.free.add("odd")
        async with asyncio.timeout(5):
            while "odd" not in at_work.companies or at_work.companies["odd"].runs < 5:
                await asyncio.sleep(0.001)
    assert at_work.dispatcher.troubles.shown == {"company odd": "KeyError: 'TotalAmt 1'"}
    assert at_work.dispatcher.owns("working")
    assert working.runs == 1
    told = [each for each in logs if each["event"] == "not foreseen"]
    waits = [each["next_try_seconds"] for each in told]
    assert waits[:4] == [0.001, 0.002, 0.004, 0.008]
    assert [each["exc_info"] is not None for each in told[:4]] == [True, False, True, False]
    at_work.dispatcher._lose(at_work.companies["odd"].lease)
    assert at_work.dispatcher.troubles.shown == {}


async def test_what_is_mended_is_not_shown_any_longer() -> None:
    """Once it has run for as long as it would be left alone."""
    troubles = Troubles(timedelta(milliseconds=1), timedelta(milliseconds=20))
    assert troubles.happened("hydrator", KeyError("id")) == timedelta(milliseconds=1)
    assert troubles.happened("hydrator", KeyError("id")) == timedelta(milliseconds=2)
    with troubles.trying("hydrator"):
        async with asyncio.timeout(5):
            while troubles.shown:
                await asyncio.sleep(0.001)
    assert troubles.happened("hydrator", KeyError("id")) == timedelta(milliseconds=1)
