"""A console over a real Postgres whose ledger real intake has filled; used by tests of its pages.

`filled` takes the demo's feed and a few records written by hand through `Intake.take`; `console_at`
serves the console as the service does. `Visitor` is a browser without JavaScript: it keeps cookies,
reads forms from pages and sends them back.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from aiohttp import ClientSession, CookieJar
from aiohttp.test_utils import TestServer

from reconciler.console.context import BASE, Console
from reconciler.console.passwords import hash_password
from reconciler.console.routes import mount
from reconciler.console.wiring import open_console
from reconciler.demo.feed import generate
from reconciler.intake.intake import Batch
from reconciler.operator.desk import Operator
from reconciler.quickbooks.client import open_session
from reconciler.running.http import Health, monitoring
from reconciler.service.assembly import operator_over
from reconciler.settings import Settings
from reconciler.workflows import load
from store.pool import open_pool
from streams.records import Record
from tests.html import Page, read_page

WORKFLOWS = Path("reconciler/demo/workflows.yaml").resolve()
OPERATOR_PASSWORD = "a long password for operators"
VIEWER_PASSWORD = "a long password for viewers"
HASHES = {
    "console_password_hash": hash_password(OPERATOR_PASSWORD),
    "console_viewer_password_hash": hash_password(VIEWER_PASSWORD),
}
XSS = "<script>alert('deal')</script><img src=x onerror=alert(1)>\"'&"
XSS_DEAL = "18490000001"
HIDDEN = b'{"objectId": "\xe2\x80\xae<script>alert(1)</script>\x07"'
BINARY = b"\xff\xfe\x00\x01<script>alert(2)</script>"


def settings(dsn: str, **more: Any) -> Settings:
    """Settings of a console on that database."""
    return Settings(workflows=WORKFLOWS, postgres_dsn=dsn, **more)


def operator_of(pool: asyncpg.Pool) -> Operator:
    """The operator's layer with the demo's workflows."""
    return operator_over(pool, settings("postgresql://unused"), load(WORKFLOWS.read_text("utf-8")))


async def fill(dsn: str) -> None:
    """Take in the demo's feed, a deal with a hostile name, and records that are none."""
    configured = settings(dsn)
    workflows = load(WORKFLOWS.read_text(encoding="utf-8"))
    pool = await open_pool(dsn, size=2, wait_seconds=10)
    try:
        operator = operator_over(pool, configured, workflows)
        records = [
            Record(each.topic, 0, offset, each.timestamp_ms, each.key, each.value)
            for offset, each in enumerate(generate(1, 160).records)
        ]
        by_hand = [hostile_deal(), HIDDEN, BINARY]
        records += [
            Record("crm.deals", 1, offset, 0, None, value) for offset, value in enumerate(by_hand)
        ]
        await operator.intake.take(Batch(records=records, advances=[]))
    finally:
        await pool.close()


def hostile_deal() -> bytes:
    """A won deal whose every text is markup."""
    contact = {
        "id": "51900001", "type": "deal_to_contact",
        "properties": {"firstname": XSS, "lastname": XSS, "email": "x@evil.example"},
    }  # fmt: skip
    line = {
        "id": "64900001", "type": "deal_to_line_item",
        "properties": {"name": XSS, "quantity": "1", "price": "10.00", "amount": "10.00"},
    }  # fmt: skip
    return msgspec.json.encode({
        "id": XSS_DEAL,
        "properties": {
            "dealname": XSS, "dealstage": "closedwon", "pipeline": "default", "amount": "10.00",
            "hs_is_closed_won": "true", "hs_is_closed": "true", "closedate": "2026-03-01T00:00:00Z",
            "hs_lastmodifieddate": "2026-03-01T00:00:00Z", "description": XSS,
        },
        "createdAt": "2026-03-01T00:00:00Z", "updatedAt": "2026-03-01T00:00:00Z", "archived": False,
        "associations": {"contacts": {"results": [contact]}, "line items": {"results": [line]}},
    })  # fmt: skip


@dataclass
class Visitor:
    """Somebody with a browser."""

    http: ClientSession
    site: str
    seen: list[Page] = field(default_factory=list)

    async def get(self, path: str, **headers: str) -> Page:
        """Follow a path to its page, with redirects."""
        async with self.http.get(f"{self.site}{path}", headers=headers) as response:
            page = read_page(response.url.path_qs, response.status, await response.text())
        self.seen.append(page)
        return page

    async def send(
        self, path: str, form: dict[str, Any] | list[tuple[str, str]], **headers: str
    ) -> Page:
        """Send a form as a browser does from our own page, unless headers say otherwise."""
        sent = {"Origin": self.site} | {name: value for name, value in headers.items() if value}
        if headers.get("Origin") == "":
            del sent["Origin"]
        async with self.http.post(f"{self.site}{path}", data=form, headers=sent) as response:
            page = read_page(response.url.path_qs, response.status, await response.text())
        self.seen.append(page)
        return page

    async def log_in(self, password: str, name: str = "Ada Lovelace") -> Page:
        """Through the form."""
        form = (await self.get(f"{BASE}/login")).form(f"{BASE}/login")
        return await self.send(f"{BASE}/login", form | {"name": name, "password": password})


@dataclass
class Site:
    """A running console."""

    console: Console
    url: str

    @asynccontextmanager
    async def visitor(self, **cookies: str) -> AsyncIterator[Visitor]:
        """Another person, with cookies of their own."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True), cookies=cookies) as http:
            yield Visitor(http, self.url)


@asynccontextmanager
async def console_at(dsn: str, **more: Any) -> AsyncIterator[Site]:
    """The console of a service with these settings."""
    configured = settings(dsn, **more)
    workflows = load(WORKFLOWS.read_text(encoding="utf-8"))
    pool = await open_pool(dsn, size=4, wait_seconds=10)
    try:
        async with open_session() as http:
            console = open_console(configured, operator_over(pool, configured, workflows), http)
            assert console is not None

            async def exposition() -> bytes:
                return b"up 1\n"

            site = monitoring(Health(), exposition)
            mount(site, console)
            async with TestServer(site) as server:
                yield Site(console, str(server.make_url("/")).rstrip("/"))
    finally:
        await pool.close()


async def crawl(visitor: Visitor, start: str = f"{BASE}/", most: int = 250) -> list[Page]:
    """Every page that links lead to, a few of each kind."""
    waiting, known, pages = [start], {start}, list[Page]()
    kinds: dict[str, int] = {}
    while waiting and len(pages) < most:
        page = await visitor.get(waiting.pop(0))
        pages.append(page)
        for path in page.links:
            kind = re.sub(r"\d+", "N", path.split("?")[0]) + str(
                sorted(re.findall(r"[?&](\w+)=", path))
            )
            if path in known or not path.startswith(BASE) or kinds.get(kind, 0) >= 4:
                continue
            kinds[kind] = kinds.get(kind, 0) + 1
            known.add(path)
            waiting.append(path)
    return pages


def rows(pages: Iterable[Page]) -> list[str]:
    """The paths of pages, for messages."""
    return [f"{page.status} {page.path}" for page in pages]
