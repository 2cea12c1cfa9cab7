"""Live traffic: deals at a fixed rate, whether or not the last one is done, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import Producer

from bench.deals import FIRST_ID, record

RATE = 100
FIRST = 5_000_000
"""Numbers of live deals begin here, far from those of any backlog."""

Sent = list[tuple[str, float]]
"""Ids of deals, and when (epoch seconds) each was handed to Kafka's client."""


def send(bootstrap: str, topic: str, numbers: Iterable[int]) -> Sent:
    """Produce these deals, one every 10 ms, for as long as there are numbers."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    sent: Sent = []
    started = time.monotonic()
    for place, number in enumerate(numbers):
        time.sleep(max(0.0, started + place / RATE - time.monotonic()))
        id_ = str(FIRST_ID + number)
        sent.append((id_, time.time()))
        producer.produce(topic, record(number), id_.encode())
        producer.poll(0)
    producer.flush()
    return sent


def latencies(sent: Sent, asked: Mapping[str, float]) -> list[float]:
    """Seconds from production until QuickBooks was asked; infinite where it never was."""
    return [asked.get(id_, float("inf")) - at for id_, at in sent]


def percentile(values: Sequence[float], point: float) -> float:
    """The value that so many per cent of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * point / 100))]
