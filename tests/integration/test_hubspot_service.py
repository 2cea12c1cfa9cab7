"""The whole way: a thin webhook, through the gateway, to a document, and back to HubSpot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from reconciler.demo.environment import Environment, environment, free_port, start_command
from tests.hubspot_process import HubSpotServer, hubspot_process
from tests.hubspot_signing import SECRET, deal_event, delivery, headers

REALM = "9341450000000001"
WORKFLOWS = f"""
version: 1
portal_id: 4711
companies:
  us:
    realm_id: "{REALM}"
    defaults: {{deposit_account: Undeposited Funds}}
workflows:
  - name: Invoice won deals
    object: deal
    write_back: yes
    enrol:
      - {{property: dealstage, operator: is_any_of, values: [closedwon]}}
      - {{property: amount, operator: greater_than, value: 0}}
    actions:
      - {{create: invoice, company: us, create_missing_products: yes}}
  - name: Receipts for payments
    object: payment
    write_back: yes
    enrol:
      - {{preset: payment_succeeded}}
    actions:
      - {{create: sales_receipt, company: us, create_missing_products: yes}}
"""


@dataclass
class Site:
    """Everything running: HubSpot, its webhooks' gateway, the service, QuickBooks."""

    running: Environment
    hubspot: HubSpotServer
    gateway: str

    async def deliver(self, *events: dict[str, Any]) -> None:
        body = delivery(*events)
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.gateway, data=body, headers=headers(self.gateway, body)) as response,
        ):
            assert response.status == 200, await response.text()

    async def books(self, entity: str, note: str) -> list[dict[str, Any]]:
        """Transactions of that type made for a HubSpot object."""
        url = f"{self.running.sandbox.url}/admin/books/{REALM}?entities={entity}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            rows = (await response.json()).get(entity, [])
        return [row for row in rows if note in (row.get("PrivateNote") or "")]

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.running.postgres_dsn)
        try:
            found: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return found
        finally:
            await connection.close()

    async def written(self, kind: str, id_: str) -> list[dict[str, Any]]:
        """What was written to an object: updates of it, and notes on it."""
        writes = await self.hubspot.admin("writes")
        return [
            write
            for write in writes
            if (write.get("update"), write["id"]) == (kind, id_)
            or [kind, id_] in write.get("to", ())
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("hubspot")
    for folder in (directory, *directory.parents[:2]):
        folder.chmod(0o755)
    workflows = directory / "workflows.yaml"
    workflows.write_text(WORKFLOWS)
    with (
        hubspot_process(directory) as hubspot,
        environment(directory, [f"{REALM}:US:USD"]) as running,
    ):
        port = free_port()
        settings = running.settings(
            Path(workflows),
            hubspot_base_url=hubspot.url,
            hubspot_token="private-app",
            hubspot_client_secrets=SECRET,
            gateway_host="127.0.0.1",
            gateway_port=str(port),
        )
        service = running.start_service(settings)
        gateway = start_command(directory, ["gateway"], settings, "gateway")
        try:
            gateway.wait_until("/readyz")
            yield Site(running, hubspot, f"http://127.0.0.1:{port}/hubspot/webhooks")
        finally:
            gateway.stop()
            print(gateway.tail(), service.tail())


async def until(what: str, found: Callable[[], Awaitable[Any]], seconds: float = 40) -> Any:
    """Wait for something to be there, and give it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := await found():
            return value
        await asyncio.sleep(0.1)
    pytest.fail(f"{what} did not come within {seconds:g} s")


async def fill(hubspot: HubSpotServer, kind: str, id_: str, properties: dict[str, str]) -> None:
    """An object with a contact and two line items; its deal or payment has only ids of them."""
    await hubspot.put("contacts", f"7{id_}", {"firstname": "Ada", "email": f"ada{id_}@example.com"})
    line = {"name": "Advice", "quantity": "2", "price": "50.25", "amount": "100.50"}
    for number in ("1", "2"):
        await hubspot.put("line_items", f"{id_}{number}", line)
    associations = {"contacts": [f"7{id_}"], "line_items": [f"{id_}1", f"{id_}2"]}
    await hubspot.put(kind, id_, properties, associations=associations)


async def test_a_thin_event_becomes_a_document_and_is_written_back(site: Site) -> None:
    """One webhook with one property: the amount that the enrolment needs, the lines and the contact
    are fetched, the invoice is made, and number, id and link are set on the deal with one note."""
    deal = {"dealname": "Grain", "dealstage": "closedwon", "amount": "201.00"}
    await fill(site.hubspot, "deals", "101", deal)
    await site.deliver(deal_event(101))
    (invoice,) = await until("the invoice", lambda: site.books("Invoice", "deal 101"))
    assert invoice["TotalAmt"] == 201.0
    update, note = await until("the write back", lambda: _both(site, "101"))
    assert update["properties"] == {
        "quickbooks_document_id": invoice["Id"],
        "quickbooks_document_number": invoice["DocNumber"],
        "quickbooks_status": "created",
        "quickbooks_link": f"https://app.qbo.intuit.com/app/invoice?txnId={invoice['Id']}",
    }
    assert f"invoice {invoice['DocNumber']} was created" in note["properties"]["hs_note_body"]


async def _both(site: Site, deal_id: str) -> list[dict[str, Any]]:
    written = await site.written("deals", deal_id)
    return written if len(written) > 1 else []


async def test_a_payment_is_written_back_to_its_deal(site: Site) -> None:
    """HubSpot refuses changes of payments; the deal it paid for is told of the receipt."""
    await site.hubspot.put("deals", "202", {"dealname": "Mill", "dealstage": "qualified"})
    payment = {
        "hs_latest_status": "succeeded",
        "hs_initial_amount": "201.00",
        "hs_initiated_date": "2026-11-20T12:00:00Z",
        "hs_payment_source_app": "SALES_CHECKOUT",
    }
    await fill(site.hubspot, "commerce_payments", "201", payment)
    await site.hubspot.put("deals", "202", {}, associations={"commerce_payments": ["201"]})
    await site.deliver(_status_of_payment(201))
    (receipt,) = await until("the receipt", lambda: site.books("SalesReceipt", "payment 201"))
    update, _note = await until("the write back", lambda: _both(site, "202"))
    assert update["properties"]["quickbooks_document_id"] == receipt["Id"]
    assert not await site.written("commerce_payments", "201")


async def test_facts_that_show_that_nothing_is_wanted_end_the_waiting(site: Site) -> None:
    """A thin payment waits for its amount; what is fetched shows it paid a HubSpot invoice, so no
    receipt is made and nothing goes on waiting."""
    payment = {
        "hs_latest_status": "succeeded",
        "hs_initial_amount": "201.00",
        "hs_payment_source_app": "INVOICE",
    }
    await fill(site.hubspot, "commerce_payments", "301", payment)
    await site.deliver(_status_of_payment(301))

    async def is_fetched() -> bool:
        rows = await site.rows(
            "SELECT 1 FROM objects WHERE object_type = 'payment' AND object_id = '301'"
            " AND state::text LIKE '%INVOICE%'"
        )
        return bool(rows)

    await until("the payment's facts", is_fetched)
    assert not await site.books("SalesReceipt", "payment 301")
    waiting = await site.rows(
        "SELECT 1 FROM documents WHERE object_id = '301' AND state = 'waiting'"
    )
    assert not waiting


async def test_what_is_not_in_the_feed_is_asked_for_once_per_need(site: Site) -> None:
    """Ten more events of the same deal make no further reads of it, and no further document."""
    before = await site.hubspot.admin("calls")
    await site.deliver(*(deal_event(101, occurredAt=1_790_000_002_000 + n) for n in range(10)))

    async def is_folded() -> bool:
        rows = await site.rows(
            "SELECT 1 FROM objects WHERE object_id = '101' AND changed_at >= to_timestamp(1790000002.009)"
        )
        return bool(rows)

    await until("the events", is_folded)
    after = await site.hubspot.admin("calls")
    path = "POST /crm/v3/objects/deals/batch/read"
    assert after[path] == before[path]
    assert len(await site.books("Invoice", "deal 101")) == 1


def _status_of_payment(object_id: int) -> dict[str, Any]:
    return deal_event(
        object_id,
        subscriptionType="object.propertyChange",
        objectTypeId="0-101",
        propertyName="hs_latest_status",
        propertyValue="succeeded",
    )
