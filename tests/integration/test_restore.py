"""Postgres comes back from an older backup: the books know more than the ledger, and nothing doubles."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

from tests import servers
from tests.snapshots import Record, deal, payment
from tests.whole_service import NewService, WholeService
from tests.workflow_files import among, deals_in, workflow, workflow_file

US = "9341450000000171"
WORKFLOWS = workflow_file(
    {"us": {"realm_id": US, "defaults": {"deposit_account": "Undeposited Funds"}}},
    deals_in("won"),
    workflow("paid", "payment", among("hs_latest_status", "succeeded"), "paid_invoice"),
)


def _feed(first: int) -> list[Record]:
    """Forty won deals and ten payments."""
    deals = [deal(str(number), "won") for number in range(first, first + 40)]
    return deals + [payment(str(number)) for number in range(first + 40, first + 50)]


def test_what_a_restored_ledger_forgot_is_found_in_the_books(
    new_service: NewService, postgres_server: servers.PostgresServer
) -> None:
    """Even where QuickBooks forgot the request ids; what comes after is created as ever, and readers of
    the outcomes see numbers that only grow."""
    service = new_service(WORKFLOWS, f"{US}:US:USD")
    asyncio.run(
        service.sandbox.admin("POST", "switches", {"requestid_ttl_seconds": 0, "realm": US})
    )
    service.start()
    service.feed(_feed(1000))
    service.stop()
    name = service.environment.postgres_dsn.rsplit("/", 1)[1]
    with servers.database(postgres_server, name) as backup:
        service.start()
        service.feed(_feed(2000))
        service.stop()
        _is_each_once(service, 100)
        published = service.sql("SELECT max(sequence) FROM outcomes")[0][0]

        service.environment.postgres_dsn = postgres_server.dsn_of(backup)
        service.start(restored_at=datetime.now(UTC).isoformat())
        service.settle()
        _is_each_once(service, 100)
        assert service.sql("SELECT count(*) FROM documents WHERE state = 'created'")[0][0] == 100
        numbers = [row[0] for row in service.sql("SELECT sequence FROM outcomes ORDER BY sequence")]
        assert [number > published for number in numbers].count(True) >= 50
        service.feed(_feed(3000))
        _is_each_once(service, 150)
        service.stop()


def _is_each_once(service: WholeService, documents: int) -> None:
    """The books hold so many invoices, a payment for each paid one, and no private note twice."""
    books = service.books(US)
    notes = Counter(row["PrivateNote"] for row in books["Invoice"])
    assert set(notes.values()) == {1}
    assert len(notes) == documents
    assert len(books["Payment"]) == documents // 5
