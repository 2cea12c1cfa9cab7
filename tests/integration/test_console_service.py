"""The console of the real service: no secret on any page or in any log, and retry after a fix."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from aiohttp import ClientSession, CookieJar

from reconciler.console.context import BASE
from reconciler.demo.catalogue import US_EAST
from reconciler.demo.environment import Child, Environment
from reconciler.demo.runner import WORKFLOWS
from reconciler.quickbooks.sealing import Seal
from tests.console import HASHES, OPERATOR_PASSWORD, Visitor, crawl
from tests.demo_service import demo_environment, take_feed
from tests.html import Page

SECRETS = {
    "kafka_password": "planted-kafka-password",
    "quickbooks_token": "planted-quickbooks-token",
    "quickbooks_client_secret": "planted-intuit-secret",
    "quickbooks_webhook_verifier": "planted-verifier",
    "hubspot_client_secrets": "planted-hubspot-secret,planted-old-hubspot-secret",
    "console_oidc_client_secret": "planted-oidc-secret",
    "console_keys": Seal.new_key(),
    "token_keys": Seal.new_key(),
    **HASHES,
}


LATER = "Estimate for sent contracts"
"""A workflow that is turned on only after the feed was read."""


@dataclass
class Working:
    """The service, and what is around it."""

    running: Environment
    settings: dict[str, str]
    service: Child

    def turn_on(self) -> None:
        """Restart the service with every workflow on."""
        self.service.stop()
        Path(self.settings["workflows"]).write_text(WORKFLOWS.read_text("utf-8"), "utf-8")
        self.service = self.running.start_service(self.settings, "restarted")


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Working]:
    """The service with secrets planted in its settings, having read a feed."""
    directory = tmp_path_factory.mktemp("console")
    with demo_environment(directory) as running:
        file = directory / "workflows.yaml"
        on = WORKFLOWS.read_text("utf-8")
        file.write_text(on.replace(f"- name: {LATER}", f"- name: {LATER}\n    enabled: false"))
        settings = SECRETS | running.settings(
            file, quickbooks_limits="false", log_level="debug", console_auth="password",
            quickbooks_token=SECRETS["quickbooks_token"],
        )  # fmt: skip
        service = running.start_service(settings)
        take_feed(running, objects=200)
        yield Working(running, settings, service)


@pytest.fixture
async def ada(working: Working) -> AsyncIterator[Visitor]:
    """An operator."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        visitor = Visitor(http, working.service.url)
        await visitor.log_in(OPERATOR_PASSWORD)
        yield visitor


@pytest.mark.timeout(240)
async def test_no_secret_is_on_a_page_in_a_metric_or_in_a_log(
    working: Working, ada: Visitor
) -> None:
    """Every page, with errors and a failed log-in, the metrics and the debug log are searched."""
    await crawl(ada, most=150)
    await ada.get(f"{BASE}/nothing")
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        stranger = Visitor(http, working.service.url)
        await stranger.log_in("planted-mistyped-password")
        ada.seen += stranger.seen
        texts = {f"{page.path}": page.body for page in ada.seen}
        for path in ("/metrics", "/healthz", "/readyz"):
            async with http.get(f"{working.service.url}{path}") as response:
                texts[path] = await response.text()
    texts["the log"] = working.service.log.read_text(errors="replace")
    assert len(texts) > 50
    planted = [each for secret in SECRETS.values() for each in secret.split(",")]
    planted += [OPERATOR_PASSWORD, "planted-", _password_in(working.running.postgres_dsn)]
    found = [(where, each) for where, text in texts.items() for each in planted if each in text]
    assert found == []


def _password_in(dsn: str) -> str:
    return dsn.partition("://")[2].partition("@")[0].partition(":")[2]


@pytest.mark.timeout(240)
async def test_retry_after_the_fix_creates_the_document(working: Working, ada: Visitor) -> None:
    """A product is missing in QuickBooks; once it is there, one press makes the document."""
    connection = await asyncpg.connect(working.running.postgres_dsn)
    try:
        number = await connection.fetchval(
            "SELECT min(document_id) FROM documents WHERE reason = 'product_not_found'"
        )
        page = await ada.get(f"{BASE}/documents/{number}")
        assert "is not in QuickBooks" in page.text
        await _create_product(working, await _missing(connection, number))
        form = page.form(f"{BASE}/retry", document=str(number))
        assert "looked at again" in (await ada.send(f"{BASE}/retry", form)).text
        async with asyncio.timeout(60):
            while "Created" not in (page := await ada.get(f"{BASE}/documents/{number}")).text:
                await asyncio.sleep(0.2)
    finally:
        await connection.close()
    assert "retry by Ada Lovelace" in page.text
    assert any("app.qbo.intuit.com" in href for href in page.links)


@pytest.mark.timeout(240)
async def test_a_backfill_does_what_its_preview_said(working: Working) -> None:
    """A workflow is turned on: the preview counts, one press creates exactly that, once."""
    working.turn_on()
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        ada = Visitor(http, working.service.url)
        await ada.log_in(OPERATOR_PASSWORD)
        wanted = quote(LATER)
        page = await ada.get(f"{BASE}/replays/preview?workflow={wanted}&company=")
        assert page.status == 200, page.text
        promised = int(re.search(r"Backfill (\d+) documents", page.text)[1])  # type: ignore[index]
        await ada.send(f"{BASE}/replays/backfill", page.form(f"{BASE}/replays/backfill"))
        page = await _done(ada, 1)
        assert f"{promised} documents wanted" in page.text
        assert "Ada Lovelace" in page.text
        again = await ada.get(f"{BASE}/replays/preview?workflow={wanted}")
        assert "There is nothing to backfill" in again.text
        token = page.form(f"{BASE}/replays/replay")
        await ada.send(f"{BASE}/replays/replay", token | {"share": "1"})
        await _done(ada, 2)
        for path in ("?workflow=nonsense", "?workflow=--yes", ""):
            assert (await ada.get(f"{BASE}/replays/preview{path}")).status == 400
    connection = await asyncpg.connect(working.running.postgres_dsn)
    try:
        async with asyncio.timeout(60):
            while (
                await connection.fetchval(
                    "SELECT count(*) FROM documents WHERE workflow = $1 AND state = 'created'",
                    LATER,
                )
                < promised
            ):
                await asyncio.sleep(0.2)
        total = await connection.fetchval(
            "SELECT count(*) FROM documents WHERE workflow = $1", LATER
        )
        actors = await connection.fetch(
            "SELECT actor, action FROM audit_log ORDER BY audit_id DESC"
        )
    finally:
        await connection.close()
    assert total == promised
    assert {("Ada Lovelace", "backfill"), ("Ada Lovelace", "replay")} <= set(map(tuple, actors))


async def test_one_that_can_not_go_on_shows_why(working: Working, ada: Visitor) -> None:
    """Beside the stopped one, and also after the page has refreshed itself."""
    connection = await asyncpg.connect(working.running.postgres_dsn)
    try:
        await connection.execute(
            """
            INSERT INTO replays (kind, actor, request, positions, total, counts, updated_at)
            VALUES ('replay', 'ada', '{"since": null, "until": null, "offsets": [], "objects": [],
                    "workflow": "Nope"}', '{}', 117, '{}', now() - interval '1 hour')
            """
        )
    finally:
        await connection.close()
    page = await ada.get(f"{BASE}/replays")
    await ada.send(f"{BASE}/replays/resume", page.form(f"{BASE}/replays/resume"))
    for _ in range(2):
        async with asyncio.timeout(60):
            while "there is no workflow 'Nope'" not in (await ada.get(f"{BASE}/replays")).text:
                await asyncio.sleep(0.2)


async def _done(visitor: Visitor, number: int) -> Page:
    """The page once so many are done."""
    async with asyncio.timeout(60):
        while True:
            page = await visitor.get(f"{BASE}/replays")
            states = [e.text for e in page.all("span") if "state " in e.attributes.get("class", "")]
            assert "ended:" not in page.text, page.text
            if states.count("Done") == number:
                return page
            await asyncio.sleep(0.3)


async def _missing(connection: asyncpg.Connection, number: int) -> dict[str, Any]:
    row = await connection.fetchrow(
        """
        SELECT line->'product'->>'name' AS name, line->'product'->>'sku' AS sku
          FROM documents, json_array_elements(content->'lines') AS line
         WHERE document_id = $1 AND line->'product'->>'sku' LIKE 'NEVER%'
        """,
        number,
    )
    return dict(row)


async def _create_product(working: Working, product: dict[str, Any]) -> None:
    url = f"{working.running.sandbox.url}/v3/company/{US_EAST}"
    headers = {"Authorization": "Bearer demo", "Accept": "application/json"}
    async with ClientSession(headers=headers) as http:
        ask = "select * from Account where AccountType = 'Income'"
        async with http.get(f"{url}/query", params={"query": ask}) as response:
            accounts = (await response.json())["QueryResponse"]["Account"]
        body = {
            "Name": product["name"], "Sku": product["sku"], "Type": "Service",
            "IncomeAccountRef": {"value": accounts[0]["Id"]},
        }  # fmt: skip
        async with http.post(f"{url}/item", json=body) as response:
            assert response.status == 200, await response.text()
