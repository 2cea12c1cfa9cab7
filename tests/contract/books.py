"""A sandbox in this process and a plain HTTP client for it, for the tests of the sandbox."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp.test_utils import TestServer

from reconciler.sandbox.exact import decode, encode
from reconciler.sandbox.server import create_app
from reconciler.sandbox.world import World

REALM = "9341450000000001"
CANADA = "9341450000000002"
Body = dict[str, Any]


class Books:
    """One realm of a running sandbox."""

    def __init__(self, server: TestServer, session: aiohttp.ClientSession, world: World) -> None:
        self.server = server
        self.session = session
        self.world = world
        self.realm = REALM
        self.token = "any"

    @property
    def root(self) -> str:
        """The server's address."""
        return str(self.server.make_url("")).rstrip("/")

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """A request below the realm; status, body and headers."""
        sent = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        data = body if isinstance(body, bytes | None) else encode(body)
        url = f"{self.root}/v3/company/{self.realm}/{path}"
        async with self.session.request(method, url, data=data, headers=sent) as answer:
            return answer.status, await answer.read(), answer.headers

    async def post(self, path: str, body: Any) -> Body:
        """A POST's JSON."""
        return decode((await self.call("POST", path, body))[1])

    async def get(self, path: str) -> Body:
        """A GET's JSON."""
        return decode((await self.call("GET", path))[1])

    async def write(self, entity: str, body: Body, flags: str = "") -> Body:
        """Write an entity; fails the test on a fault."""
        answer = await self.post(entity.lower() + (f"?{flags}" if flags else ""), body)
        assert entity in answer, answer
        return answer[entity]

    async def refused(self, entity: str, body: Any, flags: str = "") -> str:
        """The code of the fault that a write gets."""
        answer = await self.post(entity.lower() + (f"?{flags}" if flags else ""), body)
        assert "Fault" in answer, answer
        return answer["Fault"]["Error"][0]["code"]

    async def read(self, entity: str, row_id: str) -> Body:
        """Read an entity."""
        return (await self.get(f"{entity.lower()}/{row_id}"))[entity]

    async def query(self, statement: str) -> Body:
        """A query's answer: `QueryResponse`, or the answer with its fault."""
        answer = await self.get(f"query?query={quote(statement)}")
        return answer.get("QueryResponse", answer)

    async def admin(self, path: str, body: Any = None, method: str = "") -> Any:
        """An admin call's JSON."""
        method = method or ("GET" if body is None else "POST")
        data = None if body is None else encode(body)
        async with self.session.request(method, f"{self.root}/admin/{path}", data=data) as answer:
            text = await answer.read()
            assert answer.status < 300, text
            return decode(text)

    async def switch(self, **changes: Any) -> None:
        """Change switches."""
        await self.admin("switches", changes)

    async def prefer(self, group: str, **values: Any) -> None:
        """Change preferences."""
        await self.admin(f"preferences/{self.realm}", {group: values})

    async def customer(self, name: str = "Ann", **more: Any) -> str:
        """A customer's id."""
        return (await self.write("Customer", {"DisplayName": name, **more}))["Id"]

    async def item(self, name: str = "Hours", **more: Any) -> str:
        """A service item's id."""
        account = self.account("ServiceFeeIncome")
        body = {"Name": name, "Type": "Service", "IncomeAccountRef": {"value": account}, **more}
        return (await self.write("Item", body))["Id"]

    def account(self, subtype: str) -> str:
        """The id of an account of the company."""
        return self.world.realms[self.realm].company.account(subtype)

    async def trial_balance(self) -> Any:
        """The total of the trial balance."""
        return (await self.admin(f"trial-balance/{self.realm}"))["total"]


def sale(item: str, amount: Any, **detail: Any) -> Body:
    """A sales item line."""
    return {
        "DetailType": "SalesItemLineDetail",
        "Amount": amount,
        "SalesItemLineDetail": {"ItemRef": {"value": item}, **detail},
    }


def form(customer: str | None, *lines: Body, **more: Any) -> Body:
    """A sales form."""
    body: Body = {"Line": list(lines), **more}
    return body if customer is None else {"CustomerRef": {"value": customer}, **body}


def pays(customer: str, total: Any, *applied: tuple[str, Any], **more: Any) -> Body:
    """A payment applied to invoices."""
    lines = [
        {"Amount": amount, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
        for invoice, amount in applied
    ]
    return {"CustomerRef": {"value": customer}, "TotalAmt": total, "Line": lines, **more}


@asynccontextmanager
async def opened(limits: bool = False, token: str = "") -> AsyncIterator[Books]:
    """A running sandbox with a US and a Canadian company."""
    world = World(limits_enforced=limits, token=token)
    world.add_realm(REALM, "US", "USD")
    world.add_realm(CANADA, "CA", "CAD")
    server = TestServer(create_app(world))
    async with server, aiohttp.ClientSession() as session:
        yield Books(server, session, world)
