"""Outcomes: each once and in order for `read_committed` readers, whenever the relay dies."""

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.errors import Fenced, RecordTooLarge
from streams.connection import KafkaConnection, KafkaUnavailable
from streams.producer import OutcomePublisher
from streams.records import OutgoingRecord
from tests.feed import NewTopic, committed_values

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Relay:
    """A place to publish to, and the notes of the processes that do."""

    kafka: KafkaConnection
    topic: str
    name: str
    notes: Path

    def publisher(self) -> OutcomePublisher:
        """The next publisher, which fences those before."""
        return OutcomePublisher(self.kafka, self.topic, self.name)

    def record(self, sequence: int) -> OutgoingRecord:
        """The outcome with this sequence number."""
        return OutgoingRecord(self.topic, b"k", b"%d" % sequence)

    @asynccontextmanager
    async def process(self, last: int, stop: str = "never") -> AsyncIterator[Process]:
        """The relay as a process; killed at the end if it still runs."""
        address = [self.kafka.bootstrap_servers, self.topic, self.name]
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "tests.relay_process", *address, str(self.notes)],
            *[str(last), stop],
            cwd=ROOT,
            stdout=PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.communicate()

    async def published(self) -> list[int]:
        """What a read_committed reader sees."""
        return [int(value) for value in await committed_values(self.kafka, self.topic)]


@pytest.fixture
async def relay(
    kafka: KafkaConnection, new_topic: NewTopic, topic_prefix: str, tmp_path: Path
) -> Relay:
    """A relay of this test's own."""
    return Relay(kafka, await new_topic("outcomes"), topic_prefix + "relay", tmp_path / "notes")


async def test_the_sequence_is_published_with_the_records(relay: Relay) -> None:
    """`last_published` starts at nothing and then is the number given last."""
    async with relay.publisher() as publisher:
        assert await publisher.last_published() is None
        await publisher.publish([relay.record(1), relay.record(2)], 2)
        await publisher.publish([relay.record(3)], 3)
        assert await publisher.last_published() == 3
    assert await relay.published() == [1, 2, 3]


async def test_a_publisher_that_was_replaced_is_fenced(relay: Relay) -> None:
    """A zombie's outcome is refused; the one who took over publishes on."""
    async with relay.publisher() as zombie:
        await zombie.publish([relay.record(1)], 1)
        async with relay.publisher() as successor:
            with pytest.raises(Fenced):
                await zombie.publish([relay.record(99)], 99)
            await successor.publish([relay.record(2)], 2)
            assert await successor.last_published() == 2
        with pytest.raises(KafkaUnavailable, match="enter a new one"):
            await zombie.publish([relay.record(99)], 99)
    assert await relay.published() == [1, 2]


async def test_an_outcome_that_is_too_large_publishes_nothing(relay: Relay) -> None:
    """The whole transaction is undone, its sequence too."""
    async with relay.publisher() as publisher:
        huge = OutgoingRecord(relay.topic, b"k", b"x" * 2_000_000)
        with pytest.raises(RecordTooLarge):
            await publisher.publish([relay.record(1), huge], 2)
    async with relay.publisher() as publisher:
        assert await publisher.last_published() is None
        await publisher.publish([relay.record(1)], 1)
    assert await relay.published() == [1]


async def test_a_crash_between_commit_and_note_publishes_nothing_twice(relay: Relay) -> None:
    """SIGKILL after Kafka's commit, before the caller's mark: the successor knows."""
    async with relay.process(last=3, stop="before-note") as process:
        await _line(process, "waiting")
    assert relay.notes.read_text().split() == ["1", "2"]
    async with relay.process(last=5) as process:
        await process.wait()
    assert await relay.published() == [1, 2, 3, 4, 5]


async def test_a_crash_before_commit_is_undone(relay: Relay) -> None:
    """SIGKILL inside the transaction: nothing of it is seen, and the successor repeats it."""
    async with relay.process(last=3, stop="before-commit") as process:
        await _line(process, "waiting")
    async with relay.publisher() as publisher:
        assert await publisher.last_published() == 2
        assert await relay.published() == [1, 2]
        await publisher.publish([relay.record(3)], 3)
    assert await relay.published() == [1, 2, 3]


async def test_killed_at_any_moment(relay: Relay) -> None:
    """However often and whenever the relay is killed, readers see 1, 2, 3, … once each."""
    moments = random.Random(4)
    last = 0
    for _ in range(8):
        last += 40
        async with relay.process(last) as process:
            await _lines(process, moments.randrange(1, 39))
    async with relay.process(last) as process:
        await process.wait()
    assert await relay.published() == list(range(1, last + 1))


async def test_a_transaction_that_takes_too_long(relay: Relay) -> None:
    """Not knowing whether it was published is an error of its own, and soon cleared up."""
    impatient = OutcomePublisher(
        relay.kafka, relay.topic, relay.name, timeout=timedelta(milliseconds=1)
    )
    async with impatient:
        with pytest.raises(KafkaUnavailable, match="not known"):
            await impatient.publish([relay.record(1)], 1)
    async with relay.publisher() as publisher:
        done = await publisher.last_published()
        assert await relay.published() == ([] if done is None else [1])


async def _line(process: Process, text: str) -> None:
    assert process.stdout is not None
    while (line := await process.stdout.readline()).strip() != text.encode():
        assert line, "the relay ended by itself"


async def _lines(process: Process, count: int) -> None:
    assert process.stdout is not None
    for _ in range(count):
        assert await process.stdout.readline(), "the relay ended by itself"
