"""Whole services, and databases with a ledger that real intake has filled, one copy for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import servers
from tests.console import fill
from tests.whole_service import new_service as new_service


@pytest.fixture(scope="session")
def filled_database(
    postgres_server: servers.PostgresServer, template_database: str
) -> Iterator[str]:
    """Name of a database that took in the demo's feed and some hostile records."""
    with servers.database(postgres_server, template_database) as name:
        servers.run_apart(fill(postgres_server.dsn_of(name)))
        yield name


@pytest.fixture
def filled_dsn(postgres_server: servers.PostgresServer, filled_database: str) -> Iterator[str]:
    """A copy of it for one test."""
    with servers.database(postgres_server, filled_database) as name:
        yield postgres_server.dsn_of(name)
