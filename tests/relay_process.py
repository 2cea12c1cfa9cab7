"""A relay in a process of its own, for tests to kill: publishes 1, 2, 3, … and notes each.

Stands for the outbox relay: the notes file is the mark in Postgres. Run as
`python -m tests.relay_process BOOTSTRAP TOPIC TRANSACTIONAL_ID NOTES LAST STOP`, where STOP is
`never`, or where to stop and wait to be killed: `before-commit` or `before-note`.
"""

import asyncio
import sys
from pathlib import Path

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.connection import KafkaConnection
from streams.producer import OutcomePublisher
from streams.records import OutgoingRecord


async def relay(bootstrap: str, topic: str, name: str, notes: Path, last: int, stop: str) -> None:
    """Go on after what was published, whatever the notes say, up to *last*."""
    kafka = KafkaConnection(bootstrap)
    async with OutcomePublisher(kafka, topic, name) as publisher:
        done = max(await publisher.last_published() or 0, _noted(notes))
        for sequence in range(done + 1, last + 1):
            if stop == "before-commit" and sequence == last:
                break
            await publisher.publish([OutgoingRecord(topic, b"k", b"%d" % sequence)], sequence)
            if stop == "before-note" and sequence == last:
                await _wait_to_be_killed()
            with notes.open("a") as file:
                file.write(f"{sequence}\n")
            print(sequence, flush=True)
    if stop == "before-commit":
        await _half_a_transaction(kafka, topic, name, last)


async def _half_a_transaction(kafka: KafkaConnection, topic: str, name: str, last: int) -> None:
    """What `publish` does, up to but without the commit."""
    producer = AIOKafkaProducer(transactional_id=name, **kafka.arguments())
    await producer.start()
    await producer.begin_transaction()
    await producer.send_offsets_to_transaction({TopicPartition(topic, 0): last}, name)
    await producer.send_and_wait(topic, b"%d" % last, key=b"k")
    await _wait_to_be_killed()


async def _wait_to_be_killed() -> None:
    print("waiting", flush=True)
    await asyncio.Event().wait()


def _noted(notes: Path) -> int:
    return max(map(int, notes.read_text().split()), default=0) if notes.exists() else 0


if __name__ == "__main__":
    _, bootstrap, topic, name, notes, last, stop = sys.argv
    asyncio.run(relay(bootstrap, topic, name, Path(notes), int(last), stop))
