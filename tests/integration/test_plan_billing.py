"""`plan` foretells which sales are billed already and which invoices wait for their estimate.

Workflows are turned on after their objects were read. What `plan` then says of each document is
compared with what backfill, and the dispatch of what it recorded, make of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.command import done
from tests.snapshots import ADA, LINE, Record, deal, payment, snapshot
from tests.whole_service import NewService, WholeService
from tests.workflow_files import Workflow, among, deals_in, known, workflow, workflow_file

US = "9341450000000141"
LATER = "2026-03-04T10:00:00.000Z"
OF_EACH = 8
"""Sales of each kind: together more than are dispatched at once."""

SENT_OR_WAITING_FOR_AN_ESTIMATE = """
    SELECT (count(*) = 0)::int FROM documents AS d
     WHERE d.state = 'sending'
        OR d.state = 'wanted'
           AND NOT EXISTS (SELECT FROM documents AS e
                            WHERE e.object_id = d.object_id AND e.action = 'estimate'
                              AND e.state = 'waiting' AND d.reason = 'estimate')"""


def _workflows(*, on: bool) -> str:
    workflows: list[Workflow] = [
        deals_in("offered", "estimate"),
        deals_in("unclear", "estimate", customer="company", name="unclear offers"),
        workflow(
            "invoices", "deal",
            among("dealstage", "won", "twice", "offered", "unclear", "settled"), "invoice",
        ),
        deals_in("strict", create_missing_products=False),
        workflow(
            "receipts", "deal",
            among("dealstage", "receipted", "twice", "strict", "settled"), "sales_receipt",
        ),
        {**deals_in("settled", "estimate", customer="company"), "name": "unclear and settled"},
        workflow("quotes", "quote", known("hs_title"), "invoice"),
        workflow("payments", "payment", known("hs_latest_status"), "sales_receipt"),
    ]  # fmt: skip
    return workflow_file({"us": {"realm_id": US}}, *({**one, "enabled": on} for one in workflows))


def _naming(record: Record, name: str, *ids: str) -> Record:
    """The same object, which names others by their ids."""
    kind, value = record
    body = json.loads(value)
    body["associations"][name] = {"results": [{"id": each, "type": name} for each in ids]}
    return kind, json.dumps(body).encode()


def _quote(id_: str) -> Record:
    return "quote", snapshot(id_, {"hs_title": "Offer"}, contacts=[ADA], lines=[("1", LINE)])


def _sales(number: int) -> Iterator[Record]:
    """One sale of each kind."""
    one, two, three, four, five, six, seven, eight, nine = (
        str(number * 100 + kind) for kind in range(9)
    )
    yield deal(one, "twice")
    yield deal(two, "receipted")  # its receipt enrols before its invoice
    yield deal(two, "twice", at=LATER)
    yield from (deal(three, "won"), _naming(_quote(three), "deals", three))
    yield _naming(deal(four, "open"), "payments", f"{four}7", f"{four}8")
    yield from (payment(f"{four}7"), payment(f"{four}8"))
    yield from (_naming(deal(five, "won"), "quotes", five), payment(f"{five}7"))
    yield _naming(_quote(five), "payments", f"{five}7")
    yield deal(six, "offered")
    yield deal(seven, "unclear")
    yield deal(eight, "strict", lines=[("1", {**LINE, "name": f"Unheard of {eight}"})])
    yield deal(nine, "settled")


@pytest.fixture(scope="module")
def service(new_service: NewService) -> WholeService:
    """The service after it has read the sales with all workflows off, now with them on."""
    whole = new_service(_workflows(on=False), f"{US}:US:USD")
    whole.start()
    whole.feed([record for number in range(1, 1 + OF_EACH) for record in _sales(number)])
    whole.stop()
    whole.workflows.write_text(_workflows(on=True), encoding="utf-8")
    whole.start()
    return whole


def test_plan_is_what_backfill_then_makes(service: WholeService) -> None:
    """Each document ends as foretold, billed once a sale; the topics foretell the same."""
    plan = done(service, "plan", "--resolve")
    assert done(service, "plan", "--resolve", "--from-topics")["reasons"] == plan["reasons"]
    foretold = {
        (each["key"]["object_type"], each["key"]["object_id"], each["key"]["action"]): (
            each["fate"],
            each["reason"],
        )
        for each in plan["documents"]
    }
    done(service, "backfill", "--company", "us", "--yes", "--share", "1.0")
    service.first(SENT_OR_WAITING_FOR_AN_ESTIMATE)
    made = {place: _fate(*found) for place, found in service.ledger().items()}
    assert made == foretold
    assert Counter(reason for _, reason in made.values()) == {
        "": 10 * OF_EACH,
        "already_billed": 6 * OF_EACH,
        "estimate": OF_EACH,
        "company": 2 * OF_EACH,
        "product_not_found": OF_EACH,
    }
    books = service.books(US)
    bills = len(books["Invoice"]) + len(books["SalesReceipt"])
    assert bills == sum(
        fate == "create" and action != "estimate" for (_, _, action), (fate, _) in foretold.items()
    )


def _fate(state: str, reason: str) -> tuple[str, str]:
    """The ledger's words as `plan` says them."""
    if state == "wanted":
        return "waiting", reason
    return "create" if state == "created" else state, reason
