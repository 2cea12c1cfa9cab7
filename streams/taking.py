"""Takes what was fetched from a client of aiokafka, so that a batch is bounded in bytes, too.

Called by `consumer` and `ranges`. Fetches are bounded as they come over the wire: of records that
compress well a few megabytes may hold gigabytes.
"""

from __future__ import annotations

from typing import Any

MOST_BYTES = 16 * 1024 * 1024
"""A batch ends with the records that reach this size together."""

_AT_ONCE = 20


async def take_records(consumer: Any, timeout_ms: int, most: int) -> dict[Any, list[Any]]:
    """Up to *most* records by partition, fewer where they are large.

    It waits for the first of them only: all are taken in one step of the event loop.
    """
    taken: dict[Any, list[Any]] = {}
    left, room = most, MOST_BYTES
    while left > 0 and room > 0:
        found = await consumer.getmany(timeout_ms=timeout_ms, max_records=min(left, _AT_ONCE))
        if not found:
            break
        timeout_ms = 0
        for partition, records in found.items():
            taken.setdefault(partition, []).extend(records)
            left -= len(records)
            room -= sum(record.serialized_value_size for record in records)
    return taken
