"""Why a process ends, and why not: it rides out its servers' restarts, and says what ended it."""

from __future__ import annotations

import asyncio
import signal
import time
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.faults.feed import Writer
from tests.faults.proxy import proxy
from tests.faults.stage import Scene

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


async def test_a_session_timeout_that_kafka_refuses(stage: Scene) -> None:
    """A setting is wrong: status 2 and a sentence that says which, no traceback, no second try."""
    child = stage.start(ready=False, session_timeout_seconds="7200")
    assert await stage.ended(child) == 2
    log = child.log.read_text()
    assert "group.max.session.timeout.ms" in log
    assert "part restarts" not in log
    assert "Traceback" not in log


async def test_a_process_is_stopped_while_postgres_does_not_answer(stage: Scene) -> None:
    """Nor hears a farewell: no part takes that for trouble to survive, and the process ends in order."""
    place = urlsplit(stage.places.dsn)
    login = place.netloc.rpartition("@")[0]
    with proxy(place.hostname or "", place.port or 0) as way:
        through = place._replace(netloc=f"{login}@{way.address}")
        child = stage.start(postgres_dsn=urlunsplit(through))
        await stage.produce(Writer(22).some(1))
        await stage.settle()
        way.swallow()
        child.process.send_signal(signal.SIGTERM)
        assert await stage.ended(child) == 0
    log = child.log.read_text()
    assert "stopping" in log
    assert "part restarts" not in log.partition("stopping")[2]


async def test_postgres_goes_away_while_the_process_starts(stage: Scene) -> None:
    """Whichever step of the start meets it, the start begins anew."""
    place = urlsplit(stage.places.dsn)
    login = place.netloc.rpartition("@")[0]
    with proxy(place.hostname or "", place.port or 0) as way:
        through = place._replace(netloc=f"{login}@{way.address}")
        child = stage.start(ready=False, postgres_dsn=urlunsplit(through))
        until = time.monotonic() + 6
        while time.monotonic() < until:
            way.cut()
            await asyncio.sleep(0.05)
        feed = Writer(21).some(1)
        await stage.produce(feed)
        await stage.settle()
    assert child.process.poll() is None
