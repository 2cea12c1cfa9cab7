"""What a start and the console ask costs the same however large the ledger is: no table is read
through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from reconciler.switching import follow_switches
from reconciler.workflows import load
from store.intake import transaction
from tests import servers
from tests.intake_at_work import IntakeAtWork
from tests.large_ledger import Watched, fill, watched
from tests.workflow_files import deals_in, workflow_file

FILE = load(
    workflow_file(
        {"us": {"realm_id": "9341450000000001"}, "us2": {"realm_id": "9341450000000002"}},
        deals_in("won", name="Invoices 0"),
        deals_in("won", name="Invoices 1", company="us2"),
    )
)


@pytest.fixture(scope="module")
def large_dsn(postgres_server: servers.PostgresServer, template_database: str) -> Iterator[str]:
    """A large ledger, for all tests of this module."""
    with servers.database(postgres_server, template_database) as name:
        servers.run_apart(fill(postgres_server.dsn_of(name)))
        yield postgres_server.dsn_of(name)


@pytest.fixture
async def large(large_dsn: str) -> AsyncIterator[Watched]:
    """The statements asked of it."""
    async with watched(large_dsn) as opened:
        yield opened


async def test_a_start_reads_only_what_is_not_finished(large: Watched) -> None:
    """It looks for documents of workflows that are off: few are open, millions may be created."""
    intake = IntakeAtWork(large.pool, FILE).intake
    await follow_switches(intake, partial(transaction, large.pool))
    assert len(large.asked) >= 2
    assert await large.read_through() == {}
