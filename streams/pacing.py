"""Keeps an idle consumer from fetching in a tight loop. Called by `consumer`.

aiokafka fetches again as soon as a fetch is answered and leaves the waiting to the broker. A
broker that does not wait (noida-db 0.2.3: 5,000 empty answers a second, a whole core) or that
answers with an error aiokafka only logs would be asked without end.
"""

import asyncio
import time
from typing import Any

from aiokafka.protocol.fetch import FetchRequest

_SHORTEST_EMPTY_FETCH_SECONDS = 0.05


def pace_fetches(client: Any) -> None:
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
