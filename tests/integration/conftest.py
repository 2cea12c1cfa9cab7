"""What integration tests share: sandboxes, companies at work, whole services, ledgers filled by intake.

A test module that needs a sandbox of another kind has a fixture of its own by that name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests import servers
from tests.company_at_work import Work, at_work, brisk_waits
from tests.console import HASHES, OPERATOR_PASSWORD, Visitor, console_at, fill
from tests.sandbox_process import Sandbox, sandbox_process
from tests.whole_service import new_service as new_service


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests of a module; every test opens a company of its own."""
    with sandbox_process("--no-limits") as running:
        yield running


@pytest.fixture
async def work(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Work]:
    """A company whose documents are being made."""
    brisk_waits(monkeypatch)
    async with at_work(sandbox, database_dsn, await sandbox.company()) as opened:
        yield opened


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """A few connections to an empty ledger."""
    async with asyncpg.create_pool(database_dsn, min_size=1, max_size=4) as opened:
        yield opened


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


@pytest.fixture
async def ada(filled_dsn: str) -> AsyncIterator[Visitor]:
    """An operator who has logged in."""
    async with (
        console_at(filled_dsn, console_auth="password", **HASHES) as site,
        site.visitor() as visitor,
    ):
        await visitor.log_in(OPERATOR_PASSWORD)
        yield visitor


@pytest.fixture
async def ledger(filled_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The database, to see what became of it."""
    connection = await asyncpg.connect(filled_dsn)
    yield connection
    await connection.close()
