"""What a start and the console ask costs the same however large the ledger is: no table is read
through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from reconciler.intake.switching import follow_switches
from reconciler.model import SOURCE_TYPES, DocumentState, ObjectType
from reconciler.operator.desk import Operator
from reconciler.ports.views import DocumentFilter, Selection
from reconciler.workflows import load
from store.counts import count_if_old
from store.dead_letters import DeadLetterStore
from store.intake import transaction
from store.operator import OperatorStore
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


ASKED: dict[str, Callable[[Operator], Awaitable[object]]] = {
    "overview, status": lambda operator: operator.overview(),
    "beside the menu": lambda operator: operator.stuck(),
    "documents": lambda operator: operator.documents(),
    "documents of a state": lambda operator: operator.documents(
        DocumentFilter(states=(DocumentState.BLOCKED,))
    ),
    "documents blocked for a reason": lambda operator: operator.documents(
        DocumentFilter(
            states=(DocumentState.BLOCKED,), reason="refused", realm_id="9341450000000001"
        )
    ),
    "documents of an object": lambda operator: operator.documents(DocumentFilter(object_id="4711")),
    "documents, a later page": lambda operator: operator.documents(
        DocumentFilter(realm_id="9341450000000001"), after=30_000
    ),
    "document": lambda operator: operator.document(4711),
    "object": lambda operator: operator.explain(ObjectType.DEAL, "4711"),
    "search": lambda operator: operator.documents(DocumentFilter(text="deal 4711")),
    "search for objects": lambda operator: operator.find_objects("deal 4711", SOURCE_TYPES, 25),
    "blocked": lambda operator: operator.blocked_groups(),
    "waiting": lambda operator: operator.blocked_groups(DocumentState.WAITING),
    "to check": lambda operator: operator.blocked_groups(DocumentState.CREATED),
    "companies": lambda operator: operator.companies(),
    "workflows": lambda operator: operator.workflow_file(),
    "dead letters": lambda operator: operator.dead_letters(),
    "audit": lambda operator: operator.audit(),
    "replays": lambda operator: operator.replays(),
    "retry of a group": lambda operator: operator.retry(Selection(reason="never so"), "ada"),
}


def operator_over(large: Watched) -> Operator:
    return Operator(
        store=OperatorStore(large.pool),
        workflows=FILE,
        intake=IntakeAtWork(large.pool, FILE).intake,
        group_id="test",
        clock=lambda: datetime.now(UTC),
        redrive_transaction=DeadLetterStore(large.pool).redriving,
    )


@pytest.mark.parametrize("page", ASKED)
async def test_a_page_reads_no_table_through(large: Watched, page: str) -> None:
    """Whatever a person looks at, and the first page all the more: it is asked for every 5 seconds."""
    await ASKED[page](operator_over(large))
    assert large.asked
    assert await large.read_through() == {}


async def test_counting_reads_indexes_alone(large: Watched) -> None:
    """Also that which is done now and then for all."""
    assert await count_if_old(large.pool)
    assert await large.read_through() == {}
