"""Webhooks: what is sent when the books change, how it is signed, and when it is sent again."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from reconciler.sandbox.exact import decode
from tests.contract.books import CANADA, REALM, Books, form, opened, pays, sale

SECRET = "verifier"


class Receiver:
    """A webhook endpoint that keeps what it gets."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.signatures: list[bool] = []
        self.statuses: list[int] = []

    async def handle(self, request: web.Request) -> web.Response:
        """Take a delivery; answers 200 unless told otherwise."""
        body = await request.read()
        mac = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
        given = request.headers["intuit-signature"]
        self.signatures.append(given == base64.b64encode(mac).decode())
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.bodies.append(decode(body))
        return web.Response(status=status)

    def events(self) -> list[tuple[str, str]]:
        """Type and entity id of every CloudEvent."""
        return [(one["type"], one["intuitentityid"]) for body in self.bodies for one in body]


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    """A webhook endpoint and its address."""
    held = Receiver()
    app = web.Application()
    app.router.add_post("/hook", held.handle)
    async with TestServer(app) as server:
        yield held, str(server.make_url("/hook"))


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox."""
    async with opened() as held:
        yield held


async def subscribe(books: Books, url: str, **more: Any) -> None:
    """Subscribe the receiver."""
    await books.admin("webhooks", {"url": url, "verifier_token": SECRET, **more})


async def test_cloud_events(books: Books, receiver: tuple[Receiver, str]) -> None:
    """Every change is a signed CloudEvent, side effects and a bookkeeper's edits included."""
    held, url = receiver
    ann, item = await books.customer(), await books.item()
    await subscribe(books, url)
    made = await books.write("Invoice", form(ann, sale(item, 5)))
    await books.write("Payment", pays(ann, 5, (made["Id"], 5)))
    await books.admin(f"void/{REALM}/Invoice/{made['Id']}", {})
    await books.admin(f"delete/{REALM}/Invoice/{made['Id']}", {})
    await books.admin("webhooks/flush", {})
    invoice = made["Id"]
    payment = str(int(invoice) + 1)
    assert held.events() == [
        ("qbo.invoice.created.v1", invoice),
        ("qbo.payment.created.v1", payment),
        ("qbo.invoice.updated.v1", invoice),
        ("qbo.invoice.voided.v1", invoice),
        ("qbo.payment.updated.v1", payment),
        ("qbo.invoice.deleted.v1", invoice),
    ]
    assert all(held.signatures)
    event = held.bodies[0][0]
    assert (event["specversion"], event["intuitaccountid"]) == ("1.0", REALM)


async def test_legacy_body(books: Books, receiver: tuple[Receiver, str]) -> None:
    """By switch the body is that of before CloudEvents."""
    held, url = receiver
    await books.switch(webhook_format="legacy")
    await subscribe(books, url)
    ann = await books.customer()
    await books.admin("webhooks/flush", {})
    notification = held.bodies[0]["eventNotifications"][0]
    assert notification["realmId"] == REALM
    entity = notification["dataChangeEvent"]["entities"][0]
    assert (entity["name"], entity["id"], entity["operation"]) == ("Customer", ann, "Create")


async def test_retries(books: Books, receiver: tuple[Receiver, str]) -> None:
    """What isn't answered 200 is sent again after 10 s, then 20 s, later events behind it."""
    held, url = receiver
    held.statuses = [500, 404]
    await subscribe(books, url)
    ann = await books.customer()
    await books.admin("webhooks/flush", {})
    assert held.bodies == []
    bob = await books.customer("Bob")
    for seconds in (10, 20):
        await books.admin("webhooks/flush", {})
        assert held.bodies == []
        await books.admin("clock", {"advance_seconds": seconds})
    await books.admin("webhooks/flush", {})
    assert [row_id for _, row_id in held.events()] == [ann, bob]


async def test_realms_echo_and_repeats(books: Books, receiver: tuple[Receiver, str]) -> None:
    """A subscription may be to some realms; echoes can be off and events repeated."""
    held, url = receiver
    await subscribe(books, url, realms=[REALM])
    await books.switch(webhook_duplicates=True, webhook_echo=False)
    await books.customer("our own write")
    books.realm = CANADA
    await books.admin(f"company/{CANADA}/entities/Customer", {"DisplayName": "elsewhere"})
    made = await books.admin(f"company/{REALM}/entities/Customer", {"DisplayName": "by hand"})
    await books.admin("webhooks/flush", {})
    row_id = made["Customer"]["Id"]
    assert held.events() == [("qbo.customer.created.v1", row_id)] * 2
    assert held.bodies[0][0]["id"] == held.bodies[0][1]["id"]
    assert (await books.admin("webhooks"))[0]["delivered"] == 2
