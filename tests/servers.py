"""The Kafka and the Postgres that a test run talks to, chosen on pytest's command line.

Owns starting and stopping them once per session. Called by `conftest.py`.
"""

import asyncio
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from store.embedded import start_postgres
from store.pool import open_pool
from streams import child
from streams.embedded import start_broker
from tests.kafka_apache import ApacheKafka

T = TypeVar("T")

POSTGRES_IMAGE = "postgres:17"
KAFKA_IMAGE = "apache/kafka:latest"


class PostgresServer(Protocol):
    """A server on which tests create databases."""

    @property
    def dsn(self) -> str:
        """Connection string to a database that always exists."""
        ...

    def dsn_of(self, database: str) -> str:
        """Connection string to *database*."""
        ...


@dataclass(frozen=True)
class ExternalPostgres:
    """A server that somebody else started."""

    dsn: str

    def dsn_of(self, database: str) -> str:
        """The same server and user, another database."""
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{database}"))


@contextmanager
def kafka(choice: str) -> Iterator[str]:
    """Yield the bootstrap address of *choice*: embedded, apache, docker or HOST:PORT."""
    if choice == "embedded":
        with start_broker() as broker:
            yield broker.bootstrap
    elif choice == "apache":
        with ApacheKafka() as cluster:
            yield cluster.bootstrap
    elif choice == "docker":
        with _docker_kafka() as bootstrap:
            yield bootstrap
    else:
        yield choice


@contextmanager
def postgres(choice: str) -> Iterator[PostgresServer]:
    """Yield the server of *choice*: embedded, docker or a DSN."""
    if choice == "embedded":
        with start_postgres(fsync=False, settings={"max_connections": "200"}) as server:
            yield server
    elif choice == "docker":
        with _docker_postgres() as dsn:
            yield ExternalPostgres(dsn)
    else:
        yield ExternalPostgres(choice)


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* on a loop of its own thread, so that pytest's loop does not notice."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@contextmanager
def database(server: PostgresServer, template: str | None = None) -> Iterator[str]:
    """Yield the name of a new database, a copy of *template* if one is given."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    copy = f" TEMPLATE {template}" if template else ""
    run_apart(_execute(server.dsn, f"CREATE DATABASE {name}{copy}"))
    try:
        yield name
    finally:
        run_apart(_execute(server.dsn, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def _docker_postgres() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(POSTGRES_IMAGE).with_exposed_ports(5432)
    container.with_env("POSTGRES_PASSWORD", "test")
    container.with_command("postgres -c fsync=off -c max_connections=200")
    with container:
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(5432)}"
        dsn = f"postgresql://postgres:test@{address}/postgres"
        run_apart(_until_answering(dsn))
        yield dsn


async def _until_answering(dsn: str) -> None:
    pool = await open_pool(dsn, size=2, wait_seconds=60)
    await pool.close()


@contextmanager
def _docker_kafka() -> Iterator[str]:
    """Apache's image, one KRaft broker; the port is ours to choose because it is advertised."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    port = child.free_port()
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
    host = container.get_container_host_ip()
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        # The broker also calls itself, to verify transactions: not where we reach it from outside.
        "LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093,INTERNAL://:9094",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://{host}:{port},INTERNAL://localhost:9094",
        "INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,"
        "CONTROLLER:PLAINTEXT",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "OFFSETS_TOPIC_NUM_PARTITIONS": "3",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "TRANSACTION_STATE_LOG_NUM_PARTITIONS": "3",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    for name, value in settings.items():
        container.with_env(f"KAFKA_{name}", value)
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    with container:
        yield f"{host}:{port}"
