"""How old the copy of a company's lists is taken to be, while QuickBooks is being asked and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from reconciler.dispatch.directory import AFTER_NOTICE, REFRESH_EVERY, Directory
from reconciler.errors import Disconnected, QuickBooksError, RetryLater
from reconciler.quickbooks.answers import Answer
from reconciler.quickbooks.protocol import Request, Verb
from tests.company_at_work import Work, now

A_SECOND = timedelta(seconds=1)


@dataclass
class Looking:
    """A directory that was loaded, its clock, and what happens while QuickBooks answers a sweep."""

    directory: Directory
    at: timedelta = timedelta(0)
    sweeps: int = 0
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    errors: list[QuickBooksError] = field(default_factory=list)

    async def when_due(self) -> int:
        """How many sweeps there were after another look at what is due."""
        await self.directory.refresh_when_due()
        return self.sweeps


@pytest.fixture
async def looking(work: Work, monkeypatch: pytest.MonkeyPatch) -> Looking:
    directory, quickbooks = work.company.directory, work.company.quickbooks
    await directory.ensure_loaded()
    started, send = now(), quickbooks.send
    looking = Looking(directory)

    async def answering(request: Request) -> Answer:
        if request.operation is not Verb.CDC:
            return await send(request)
        looking.sweeps += 1
        if looking.errors:
            raise looking.errors.pop()
        answer = await send(request)
        looking.at += A_SECOND
        for happens in looking.meanwhile:
            happens()
        looking.meanwhile.clear()
        looking.at += A_SECOND
        return answer

    monkeypatch.setattr(quickbooks, "send", answering)
    directory.clock = lambda: started + looking.at
    looking.at += REFRESH_EVERY + A_SECOND  # the next look is due
    return looking


async def test_a_notice_that_comes_during_a_sweep_is_heeded(looking: Looking) -> None:
    """After a minute, and not with the next sweep that would be made anyway."""
    looking.meanwhile.append(looking.directory.notice)
    assert await looking.when_due() == 1
    looking.at += AFTER_NOTICE - timedelta(seconds=3)
    assert await looking.when_due() == 1
    looking.at += timedelta(seconds=3)
    assert await looking.when_due() == 2
    looking.at += AFTER_NOTICE + A_SECOND
    assert await looking.when_due() == 2


@pytest.mark.parametrize("error", [RetryLater("Busy", retry_after=A_SECOND), Disconnected("Gone")])
async def test_a_notice_outlives_a_sweep_that_fails(
    looking: Looking, error: QuickBooksError
) -> None:
    """What it told of is still to be seen."""
    assert await looking.when_due() == 1
    looking.directory.notice()
    looking.at += AFTER_NOTICE
    looking.errors.append(error)
    try:
        assert await looking.when_due() == 2
    except Disconnected:
        assert looking.sweeps == 2
    looking.at += 2 * A_SECOND
    assert await looking.when_due() == 3


async def test_what_was_mended_during_a_sweep_is_not_taken_for_seen(looking: Looking) -> None:
    """A person made the product and pressed retry after QuickBooks had been asked."""
    retries = []
    looking.meanwhile.append(lambda: retries.append(looking.directory.clock()))
    assert await looking.when_due() == 1
    assert await looking.directory.refresh_before_blocking(retries[0])
    assert looking.sweeps == 2
    assert not await looking.directory.refresh_before_blocking(retries[0])


async def test_a_fault_during_a_sweep_asks_for_another(looking: Looking) -> None:
    """It told that the picture is stale, and this one may have been taken before."""
    looking.meanwhile.append(looking.directory.forget_freshness)
    assert await looking.when_due() == 1
    assert await looking.when_due() == 2
    assert await looking.when_due() == 2
