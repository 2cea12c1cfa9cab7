"""The service on the demo's companies and feed, with servers of its own, for tests of what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from rich.console import Console

from reconciler.demo.catalogue import catalogue
from reconciler.demo.environment import Environment, environment
from reconciler.demo.feed import generate
from reconciler.demo.produce import produce
from reconciler.demo.runner import COMPANIES
from reconciler.demo.seeding import seed_companies

SETTLED_SECONDS = 100.0


@contextmanager
def demo_environment(directory: Path) -> Iterator[Environment]:
    """The parts around a service, the companies with what the demo has in their books."""
    for path in (directory, *directory.parents[:2]):
        path.chmod(0o755)  # as root, Postgres runs as another account and must get in
    with environment(directory, COMPANIES) as running:
        asyncio.run(seed_companies(running.sandbox.url, running.token, catalogue(1)))
        yield running


def take_feed(running: Environment, objects: int) -> None:
    """Produce the demo's feed, and wait until all is read and nothing wanted or in the air."""
    feed = generate(1, objects)
    asyncio.run(produce(Console(quiet=True), running.kafka, feed))
    asyncio.run(_settled(running.postgres_dsn, len(feed.records)))


async def _settled(dsn: str, records: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(SETTLED_SECONDS):
            while not await connection.fetchval(
                """
                SELECT (SELECT coalesce(sum(next_offset), 0) FROM offsets) >= $1
                   AND NOT EXISTS (SELECT FROM documents WHERE state IN ('wanted', 'sending'))
                """,
                records,
            ):
                await asyncio.sleep(0.3)
    finally:
        await connection.close()
