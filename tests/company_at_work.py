"""One company's dispatch in this process: real Postgres, real sandbox, no Kafka.

For tests of what happens between the ledger and QuickBooks. Documents are wanted as intake wants
them; `run_until` runs the company's loop as `dispatcher` does, restarting it after trouble.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import asyncpg
import msgspec

from reconciler.dispatch.company import CompanyDispatcher, Surroundings, open_company
from reconciler.errors import QuickBooksError
from reconciler.model import (
    Action,
    Customer,
    DocumentContent,
    DocumentKey,
    DocumentState,
    Line,
    ObjectType,
    Priority,
    ProductReference,
)
from reconciler.ports.dispatch import Lease
from reconciler.ports.intake import WantedDocument
from reconciler.ports.standing import Unmade
from reconciler.quickbooks.client import Call, Endpoint, QuickBooks, open_session
from reconciler.quickbooks.fault_codes import FAULTS, GATEWAY_FAULTS
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Limits
from reconciler.quickbooks.tokens import StaticToken, TokenSource
from reconciler.writing.lifecycle import RetryPolicy
from reconciler.writing.policies import Policies
from store.dispatch import DispatchStore
from store.intake import transaction
from store.leases import give_back_leases, register_companies, take_leases
from store.pool import open_pool
from store.references import ReferenceStore
from store.standing import StandingStore
from tests.sandbox_process import Sandbox

WORKFLOW = "Bill"
PATIENCE_SECONDS = 60.0

BRISK = RetryPolicy(
    replay_window=timedelta(hours=1),
    first_delay=timedelta(milliseconds=20),
    longest_delay=timedelta(milliseconds=200),
    longest_pause=timedelta(milliseconds=200),
    landing=timedelta(milliseconds=200),
)
"""What takes minutes in production takes parts of a second here."""

_encode = msgspec.json.Encoder().encode


def now() -> datetime:
    return datetime.now(UTC)


def sale(
    total: str = "100.00", name: str = "Ada Byron", email: str = "ada@example.com", **more: Any
) -> DocumentContent:
    """A sale of one product to a contact."""
    first, _, last = name.partition(" ")
    defaults: dict[str, Any] = {
        "currency": "USD",
        "txn_date": "2026-11-20",
        "total": Decimal(total),
        "customer": Customer("contact", "301", first, last, email),
        "lines": (Line(Decimal(total), product=ProductReference(name="Widget", sku="W-1")),),
        "private_note": "HubSpot deal",
        "create_missing_products": True,
    }
    return DocumentContent(**(defaults | more))


@dataclass
class Work:
    """A company that is dispatched for."""

    pool: asyncpg.Pool
    sandbox: Sandbox
    lease: Lease
    company: CompanyDispatcher
    troubles: list[QuickBooksError] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    @property
    def realm(self) -> str:
        return self.lease.realm_id

    def key(self, number: int, action: Action = Action.INVOICE) -> DocumentKey:
        """The document of HubSpot object *number*."""
        return DocumentKey(self.realm, action, 4711, ObjectType.DEAL, str(number))

    async def want(
        self,
        contents: Sequence[DocumentContent],
        action: Action = Action.INVOICE,
        first: int = 1,
        priority: Priority = Priority.LIVE,
    ) -> None:
        """Ask for documents as intake does, and wake the company."""
        wanted = [
            WantedDocument(
                self.key(number, action), WORKFLOW, DocumentState.WANTED, "", "",
                _encode(content).decode(), int(now().timestamp() * 1000), priority,
            )
            for number, content in enumerate(contents, start=first)
        ]  # fmt: skip
        async with transaction(self.pool) as intake:
            await intake.want(wanted)
        self.company.wake()

    async def desire(self, document_id: int, says: DocumentContent | Unmade | None) -> None:
        """Say that HubSpot would now have a document otherwise, or not at all."""
        async with transaction(self.pool) as intake:
            await intake.desire({document_id: _encode(says).decode()})
        self.company.wake()

    async def documents(self) -> list[asyncpg.Record]:
        """The ledger, in the order wanted."""
        rows: list[asyncpg.Record] = await self.pool.fetch(
            "SELECT * FROM documents WHERE realm_id = $1 ORDER BY document_id", self.realm
        )
        return rows

    async def document(self) -> asyncpg.Record:
        """The only one."""
        (row,) = await self.documents()
        return row

    async def outcomes(self) -> list[str]:
        """Kinds of events so far, in order."""
        rows = await self.pool.fetch("SELECT kind FROM outcomes ORDER BY outcome_id")
        return [row[0] for row in rows]

    async def books(self, entity: str) -> list[dict[str, Any]]:
        """What the sandbox holds of that type."""
        return await self.sandbox.books(self.realm, entity)

    async def all_created(self) -> bool:
        return all(row["state"] == "created" for row in await self.documents())

    async def run_until(
        self, done: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Work until *done*; fails with the ledger when that takes too long."""
        work = asyncio.create_task(self._keep_working())
        try:
            async with asyncio.timeout(seconds):
                while not await done():
                    if work.done():
                        work.result()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            ledger = await self.documents()
            rows = [(r["state"], r["reason"], r["detail"][:200]) for r in ledger]
            open_ = [dict(r) for r in ledger if r["state"] in ("wanted", "sending")][:1]
            for row in open_:
                row["operations"] = await self._operations(row["document_id"])
            raise AssertionError(
                f"not done: {set(rows)}; {self.troubles[-3:]}; {await self._unfinished()}; "
                f"for example {open_}"
            ) from None
        finally:
            self.company.stop()
            with suppress(TimeoutError):
                await asyncio.wait_for(work, 10)
            self.company = replace(self.company, _told_to_stop=asyncio.Event())

    async def _operations(self, document_id: int) -> list[dict[str, Any]]:
        rows = await self.pool.fetch(
            """SELECT operation_key, state, error, quickbooks_id, attempts, finished_at
                 FROM operations WHERE document_id = $1""",
            document_id,
        )
        return [dict(row) for row in rows]

    async def _unfinished(self) -> list[tuple[Any, ...]]:
        rows = await self.pool.fetch(
            """SELECT operation_key, state, attempts, error, next_attempt_at FROM operations
                WHERE state IN ('begun', 'unknown') LIMIT 5"""
        )
        return [tuple(row) for row in rows]

    async def _keep_working(self) -> None:
        while True:
            try:
                await self.company.run()
            except QuickBooksError as error:
                self.troubles.append(error)
                if self.company.is_stopping:
                    return
                await asyncio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def at_work(
    sandbox: Sandbox,
    dsn: str,
    realm: str,
    *,
    policies: Policies | None = None,
    limits: Limits | None = None,
    tokens: TokenSource | None = None,
    patience: timedelta = timedelta(seconds=2),
    policy: RetryPolicy = BRISK,
) -> AsyncIterator[Work]:
    """A company of the sandbox with its dispatcher, ready to work."""
    pool = await open_pool(dsn, size=8, wait_seconds=10)
    try:
        await register_companies(pool, {realm: "us"})
        (lease,) = await take_leases(pool, "test", [realm], timedelta(minutes=10))
        calls: list[Call] = []
        async with open_session() as session:
            quickbooks = QuickBooks(
                session,
                Endpoint(realm, sandbox.url, timeout=patience),
                tokens or StaticToken("any"),
                Gate(limits or BRISK_LIMITS),
                observe=calls.append,
            )
            around = Surroundings(
                store=DispatchStore(pool, patience),
                standing=StandingStore(pool, patience),
                references=ReferenceStore(pool),
                clock=now,
                policy=policy,
                policies=policies or Policies(),
            )
            company = open_company(lease, "us", quickbooks, around)
            yield Work(pool, sandbox, lease, company, calls=calls)
        await give_back_leases(pool, [lease])
    finally:
        await pool.close()


BRISK_LIMITS = Limits(10**9, 10**9, 20, 10**9, 0.0, pause_seconds=0.1, quota_probe_seconds=0.5)


async def plan(sandbox: Sandbox, realm: str, **misfortune: Any) -> None:
    """Let something go wrong in that company."""
    await sandbox.admin("POST", "faults", {**misfortune, "realm": realm})


async def post_webhook(url: str, body: bytes, signature: str) -> int:
    """Send a webhook; answers the status."""
    headers = {"intuit-signature": signature, "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as response,
    ):
        return response.status


def brisk_waits(monkeypatch: Any) -> None:
    """Let the client's own pauses take parts of a second, as `BRISK` does with the ledger's."""
    short = timedelta(milliseconds=50)
    monkeypatch.setattr("reconciler.quickbooks.client.READ_RETRY", short)
    monkeypatch.setattr("reconciler.quickbooks.client.NOT_SENT_RETRY", short)
    monkeypatch.setattr("reconciler.quickbooks.faults.READ_AGAIN_AFTER", short)
    monkeypatch.setattr("reconciler.quickbooks.answers.READ_AGAIN_AFTER", short)
    monkeypatch.setattr("reconciler.dispatch.prepare.FIRST_PAUSE", short)
    for table in (GATEWAY_FAULTS, FAULTS):
        for code, rule in list(table.items()):
            monkeypatch.setitem(table, code, replace(rule, retry_after=short))
