"""The servers of a chaos run, each behind a proxy: Kafka brokers, Postgres, QuickBooks.

Called by `tests.chaos`. Postgres has fsync on and keeps its address over restarts; the sandbox
keeps its books on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from reconciler.demo.environment import Child, start_sandbox
from store.embedded import EmbeddedPostgres, start_postgres
from streams import child
from tests.faults.proxy import Proxy, proxy
from tests.kafka_apache import ApacheKafka


@dataclass
class Servers:
    """Everything around the service."""

    kafka: ApacheKafka
    postgres: EmbeddedPostgres
    quickbooks: Child
    ways: dict[str, Proxy]

    @property
    def dsn(self) -> str:
        """Postgres through its proxy."""
        place = urlsplit(self.postgres.dsn)
        login = place.netloc.rpartition("@")[0]
        return urlunsplit(place._replace(netloc=f"{login}@{self.ways['postgres'].address}"))

    @property
    def quickbooks_url(self) -> str:
        """QuickBooks through its proxy."""
        return f"http://{self.ways['quickbooks'].address}"


@contextmanager
def servers(directory: Path, brokers: int) -> Iterator[Servers]:
    """Start all of them; they end with the block."""
    with ExitStack() as stack:
        told = {n: child.free_port() for n in range(1, brokers + 1)}
        kafka = stack.enter_context(ApacheKafka(size=brokers, advertised=told))
        postgres = stack.enter_context(start_postgres(directory / "postgres"))
        quickbooks = start_sandbox(
            directory,
            ["9341450000000001:US:USD"],
            "--no-limits",
            "--data",
            str(directory / "books"),
        )
        stack.callback(quickbooks.stop)
        ways = {
            f"broker {n}": stack.enter_context(proxy("127.0.0.1", broker.port, told[n]))
            for n, broker in kafka.brokers.items()
        }
        place = urlsplit(postgres.dsn)
        ways["postgres"] = stack.enter_context(proxy("127.0.0.1", place.port or 0))
        ways["quickbooks"] = stack.enter_context(proxy("127.0.0.1", quickbooks.port))
        yield Servers(kafka, postgres, quickbooks, ways)
