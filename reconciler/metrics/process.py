"""The process itself: build, event loop, Postgres pool; memory, files and CPU as is the custom."""

from __future__ import annotations

import asyncio
import platform
from typing import Protocol

from prometheus_client import GCCollector, ProcessCollector

from reconciler.metrics.families import SHORT, Families

LOOP_LOOK_SECONDS = 0.5

MAY_FAIL = ("dispatch", "hydrator", "write back")
"""Parts whose errors stop no other."""


class Pool(Protocol):
    """What is asked of the connection pool (asyncpg's)."""

    def get_size(self) -> int: ...
    def get_idle_size(self) -> int: ...
    def get_max_size(self) -> int: ...


class ProcessMetrics:
    """Fed by `keep_time`, a task of its own, and at scrape time."""

    def __init__(self, families: Families, version: str) -> None:
        families.gauge(
            "build_info", "1; version of the code and of Python.", "version", "python"
        ).labels(version, platform.python_version()).set(1)
        self.loop_lag = families.histogram(
            "event_loop_lag_seconds", "How much later than asked the event loop woke up.", SHORT
        )
        self.unforeseen = families.counter(
            "unforeseen_errors",
            "Errors that nobody foresaw, which stop a company's dispatch or a part that deals with "
            "HubSpot and no other; it is tried again later. The log has a traceback.",
            "stage",
        )
        for stage in MAY_FAIL:
            self.unforeseen.labels(stage)
        self.pool_connections = families.gauge(
            "postgres_pool_connections", "Connections of the pool: in_use or idle.", "state"
        )
        self.pool_limit = families.gauge(
            "postgres_pool_limit", "Most connections that the pool may open."
        )
        ProcessCollector(registry=families.registry)
        GCCollector(registry=families.registry)

    def pool(self, pool: Pool) -> None:
        """How the pool stands now."""
        idle = pool.get_idle_size()
        self.pool_connections.labels("idle").set(idle)
        self.pool_connections.labels("in_use").set(pool.get_size() - idle)
        self.pool_limit.set(pool.get_max_size())

    async def keep_time(self) -> None:
        """Measure the event loop until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time() + LOOP_LOOK_SECONDS
            await asyncio.sleep(LOOP_LOOK_SECONDS)
            self.loop_lag.observe(max(0.0, loop.time() - asked))
