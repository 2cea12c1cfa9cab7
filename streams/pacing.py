"""Starts consumers that do not fetch in a tight loop while they are idle. Called by `consumer` and `ranges`.

aiokafka fetches again as soon as a fetch is answered and leaves the waiting to the broker. A
broker that does not wait (noida-db 0.2.3: 5,000 empty answers a second, a whole core) or that
answers with an error aiokafka only logs would be asked without end.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.fetch import FetchRequest

_SHORTEST_EMPTY_FETCH_SECONDS = 0.05


async def start_consumer(options: Mapping[str, Any]) -> Any:
    """One of aiokafka's; stopped again where it can't be started."""
    consumer = AIOKafkaConsumer(**options)
    _pace_fetches(consumer._client)
    try:
        await consumer.start()
    except BaseException:
        await consumer.stop()
        raise
    return consumer


def _pace_fetches(client: Any) -> None:
    """Let *client*, an aiokafka client, take its time when a fetch brings no records."""
    send = client.send

    async def send_paced(node_id: Any, request: Any, **options: Any) -> Any:
        asked_at = time.monotonic()
        response = await send(node_id, request, **options)
        if isinstance(request, FetchRequest) and not _has_records(response):
            took = time.monotonic() - asked_at
            await asyncio.sleep(max(0.0, _SHORTEST_EMPTY_FETCH_SECONDS - took))
        return response

    client.send = send_paced


def _has_records(response: Any) -> bool:
    # The records are the last field of a partition's answer in every version.
    return any(answer[-1] for _topic, answers in response.topics for answer in answers)
