"""A company that loses its connection and gets it back, and webhooks: in the running service's parts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from reconciler.dispatch.dispatcher import Dispatcher
from reconciler.dispatch.observe import Observer
from reconciler.ports.dispatch import Lease
from reconciler.quickbooks.client import open_session
from reconciler.quickbooks.tokens import SharedTokens
from reconciler.running.http import serve
from reconciler.service import connect as connecting
from reconciler.service.notices import PATH, add_webhooks
from reconciler.workflows import Company
from store.leases import notice_companies
from store.pool import LOST, open_pool
from store.reports import report
from tests.company_at_work import Work, at_work, post_webhook, sale
from tests.integration.test_quickbooks_connect import US, settings
from tests.sandbox_process import Sandbox, sandbox_process


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One company; its tokens are checked once a test says so."""
    with sandbox_process("--company", f"{US}:US:USD", "--no-limits") as running:
        yield running


class OneLease:
    """The lease that the test holds already."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease

    async def take(self, _realm_ids: object) -> list[Lease]:
        return [self.lease]

    async def renew(self, leases: list[Lease]) -> set[str]:
        return {lease.realm_id for lease in leases}

    async def give_back(self, _leases: object) -> None:
        """The test's database is dropped."""


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(40):
        while not await holds():
            await asyncio.sleep(0.05)


async def connect(sandbox: Sandbox, dsn: str, path: Path) -> None:
    """A person connects the company, by the sandbox's own consent page."""
    import urllib.request
    import webbrowser

    def browse(url: str) -> bool:
        with urllib.request.urlopen(f"{url}&realm={US}", timeout=10) as answer:  # noqa: S310
            return bool(answer.status == 200)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webbrowser, "open", browse)
        chosen = settings(sandbox, dsn, path)
        await connecting.connect(chosen, Company("us", US), paste=False, say=lambda _text: None)


async def test_a_revoked_company_waits_and_goes_on(
    sandbox: Sandbox, database_dsn: str, tmp_path: Path
) -> None:
    """invalid_grant: the company shows as disconnected, its documents wait, and all of them are
    made after a person has connected it again, without a restart."""
    await sandbox.admin("POST", "switches", {"oauth_enforced": True})
    await connect(sandbox, database_dsn, tmp_path)
    chosen = settings(sandbox, database_dsn, tmp_path)
    async with open_session() as session:
        server = await connecting.authorization_server(session, chosen)
        tokens = SharedTokens(US, connecting.sealed_tokens(chosen), server)
        async with at_work(sandbox, database_dsn, US, tokens=tokens) as work:
            dispatcher = dispatcher_of(work)
            running = asyncio.create_task(dispatcher.run())
            await work.want([sale()])
            await eventually(work.all_created)
            await sandbox.admin("POST", f"oauth/{US}/revoke")
            await work.want([sale(private_note=f"deal {n}") for n in range(2, 42)], first=2)
            await eventually(partial(is_connected, work, False))
            states = {row["state"] for row in await work.documents()}
            assert states <= {"created", "wanted", "sending"}
            await connect(sandbox, database_dsn, tmp_path)
            dispatcher.try_again(US)  # as the listener does on `company_connected`
            await eventually(work.all_created)
            assert await is_connected(work, True)
            assert len(await work.books("Invoice")) == 41
            running.cancel()
            await asyncio.wait([running])


def dispatcher_of(work: Work) -> Dispatcher:
    """The process's dispatcher, for the company at work."""
    return Dispatcher(
        realm_ids=[US],
        leases=OneLease(work.lease),  # type: ignore[arg-type]
        open_company=lambda _lease: work.company,
        lasting=timedelta(minutes=10),
        observer=Observer(),
        lost_errors=LOST,
    )


async def is_connected(work: Work, expected: bool) -> bool:
    """What `reconciler_company_connected` shows."""
    (company,) = (await report(work.pool)).companies
    return company.connected is expected


# --- webhooks -----------------------------------------------------------------------------------

VERIFIER = "verifier-1"


def event(operation: str, realm: str = US, entity: str = "invoice") -> dict[str, str]:
    """A CloudEvent as Intuit sends it."""
    return {
        "specversion": "1.0",
        "id": "88cd52aa",
        "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
        "type": f"qbo.{entity}.{operation}.v1",
        "time": "2026-11-24T10:00:00Z",
        "intuitentityid": "1",
        "intuitaccountid": realm,
    }


@pytest.mark.parametrize(
    ("events", "signed", "status", "noticed"),
    [
        ([event("deleted")], True, 200, True),
        ([event("created", entity="item")], True, 200, True),
        ([event("created")], True, 200, False),
        ([event("deleted")], False, 401, False),
        ([event("deleted", realm="999999999")], True, 200, False),
        ({"unheard": "of"}, True, 200, False),
    ],
    ids=["deleted", "new item", "new invoice", "forged", "stranger", "unknown shape"],
)
async def test_webhooks(
    database_dsn: str, sandbox: Sandbox, events: object, signed: bool, status: int, noticed: bool
) -> None:
    """A genuine webhook about what we hold a copy of reaches the company's owner by Postgres; a
    forged one is refused, and our own creations cost no sweep."""
    body = json.dumps(events).encode()
    key = VERIFIER if signed else "another"
    signature = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
    heard: list[str] = []
    pool = await open_pool(database_dsn, size=3, wait_seconds=10)
    try:
        await pool.execute("INSERT INTO companies (realm_id) VALUES ($1)", US)
        app = web.Application()
        add_webhooks(app, VERIFIER, partial(notice_companies, pool))
        async with pool.acquire() as listening, serve(app, "127.0.0.1", 0, setting="port") as port:

            def hear(*said: object) -> None:
                heard.append(str(said[-1]))

            await listening.add_listener("company_changed", hear)
            assert await post_webhook(f"http://127.0.0.1:{port}{PATH}", body, signature) == status
            await listening.execute("SELECT 1")  # notifications come with the next answer
            await listening.remove_listener("company_changed", hear)
            assert heard == ([US] if noticed else [])
    finally:
        pool.terminate()
