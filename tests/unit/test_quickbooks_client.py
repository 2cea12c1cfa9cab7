"""The client against a peer that misbehaves on the wire: what was sent, and what is known of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from reconciler.errors import Disconnected, OutcomeUnknown, QuickBooksError, RetryLater
from reconciler.quickbooks import protocol
from reconciler.quickbooks.client import Call, Endpoint, QuickBooks, open_session
from reconciler.quickbooks.gate import Gate
from reconciler.quickbooks.limits import Kind, Limits

CREATE = protocol.create("Invoice", {"DocNumber": "7"}, "key-1")
QUERY = protocol.query("Customer", "SELECT * FROM Customer WHERE DisplayName = 'Ada & Bob'")
CREATED = b'{"Invoice":{"Id":"145","SyncToken":"0"},"time":"2026-03-02T10:11:12.345-08:00"}'

Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that notes each request and answers by the next of its behaviours."""

    def __init__(self, *behaviours: Behave) -> None:
        self.behaviours = list(behaviours)
        self.requests: list[bytes] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await self._request(reader):
                self.requests.append(head)
                await self.behaviours.pop(0)(writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ]
        return head + (await reader.readexactly(length[0]) if length else b"")


@asynccontextmanager
async def serving(*behaviours: Behave) -> AsyncIterator[Peer]:
    """A peer on a port of its own."""
    peer = Peer(*behaviours)
    server = await asyncio.start_server(peer.handle, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()


def answers(status: int, body: bytes, *headers: str, cut: int = 0) -> Behave:
    """Answer; with `cut`, promise that many bytes more than are sent and hang up."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) + cut}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        if cut:
            writer.close()

    return behave


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""
    writer.close()


async def resets(writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    writer.transport.abort()


async def is_silent(writer: asyncio.StreamWriter) -> None:
    """Never answer; ends when the client gives up."""
    await writer.wait_closed()


async def talks_nonsense(writer: asyncio.StreamWriter) -> None:
    """Answer what is not HTTP."""
    writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
    writer.close()


class Tokens:
    """A token source that counts refreshes."""

    def __init__(self) -> None:
        self.refreshed: list[str] = []

    async def access_token(self) -> str:
        return "old-secret"

    async def refresh(self, stale: str) -> str:
        self.refreshed.append(stale)
        return "new-secret"


@asynccontextmanager
async def client(
    url: str, observe: Callable[[Call], None] = lambda _call: None
) -> AsyncIterator[QuickBooks]:
    """A client for company 934 at that address."""
    endpoint = Endpoint("934", url, timedelta(seconds=0.3))
    async with open_session() as session:
        yield QuickBooks(session, endpoint, Tokens(), Gate(Limits()), observe)


async def failure(quickbooks: QuickBooks, request: protocol.Request) -> QuickBooksError:
    """The error that sending raises."""
    with pytest.raises(QuickBooksError) as caught:
        await quickbooks.send(request)
    return caught.value


async def test_request_on_the_wire() -> None:
    """Path, query, headers and bytes are as Intuit documents them."""
    rows = answers(200, b'{"QueryResponse":{}}')
    async with serving(answers(200, CREATED), rows) as peer, client(peer.url) as quickbooks:
        answer = await quickbooks.send(CREATE)
        await quickbooks.send(QUERY)
    assert answer.entity("Invoice")["Id"] == "145"
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v3/company/934/invoice?requestid=key-1&minorversion=75 HTTP/1.1"
    assert {"Authorization: Bearer old-secret", "Accept: application/json"} <= set(lines)
    assert "Content-Type: application/json" in lines
    assert body == CREATE.body
    assert b"DisplayName%20%3D%20%27Ada%20%26%20Bob%27&minorversion=75 " in peer.requests[1]


@pytest.mark.parametrize(
    "behaviour", [hangs_up, resets, is_silent, talks_nonsense, answers(200, CREATED[:40], cut=40)]
)
async def test_a_write_without_an_answer_may_be_done(behaviour: Behave) -> None:
    """Hanging up, reset, silence, nonsense and a cut body all leave the outcome unknown."""
    async with serving(behaviour) as peer, client(peer.url) as quickbooks:
        error = await failure(quickbooks, CREATE)
    assert isinstance(error, OutcomeUnknown)
    assert len(peer.requests) == 1, "a write is never repeated by itself"


@pytest.mark.parametrize("behaviour", [is_silent, talks_nonsense, answers(200, b"{", cut=40)])
async def test_a_read_without_an_answer_is_read_again(behaviour: Behave) -> None:
    """A read that failed is simply due again."""
    async with serving(behaviour) as peer, client(peer.url) as quickbooks:
        assert isinstance(await failure(quickbooks, QUERY), RetryLater)


async def test_a_refused_connection_sent_nothing() -> None:
    """When no connection was made nothing can have happened, and no quota is used."""
    async with serving() as peer:
        url = peer.url
    async with client(url) as quickbooks:
        error = await failure(quickbooks, CREATE)
        assert isinstance(error, RetryLater)
        assert "nothing was sent" in error.message
        assert quickbooks.gate.budget.next_slot(quickbooks.gate.clock(), Kind()) == 0.0


EXPIRED = answers(
    401,
    b'{"fault":{"error":[{"message":"message=AuthenticationFailed; errorCode=003200;'
    b' statusCode=401","code":"3200"}],"type":"AUTHENTICATION"}}',
    "intuit_tid: t-401",
)


async def test_an_expired_token_is_refreshed_once() -> None:
    """A refused token is renewed and the same bytes are sent again."""
    async with serving(EXPIRED, answers(200, CREATED)) as peer, client(peer.url) as quickbooks:
        await quickbooks.send(CREATE)
    first, second = peer.requests
    assert first.replace(b"old-secret", b"new-secret") == second


async def test_a_token_refused_twice_disconnects() -> None:
    """A new token that is refused too parks the company; there is no loop."""
    async with serving(EXPIRED, EXPIRED) as peer, client(peer.url) as quickbooks:
        error = await failure(quickbooks, CREATE)
    assert isinstance(error, Disconnected)
    assert error.tid == "t-401"
    assert len(peer.requests) == 2


async def test_redirects_are_not_followed() -> None:
    """A redirect could carry the token elsewhere: it is a failure like any other."""
    moved = answers(302, b"", "Location: http://127.0.0.1:9/")
    async with serving(moved) as peer, client(peer.url) as quickbooks:
        assert isinstance(await failure(quickbooks, CREATE), RetryLater)


async def test_throttled_then_silent() -> None:
    """After a 429 the next call is not even sent, and says for how long."""
    async with serving(answers(429, b"")) as peer, client(peer.url) as quickbooks:
        await failure(quickbooks, CREATE)
        error = await failure(quickbooks, CREATE)
    assert isinstance(error, RetryLater)
    assert timedelta(seconds=59) < error.retry_after <= timedelta(seconds=60)
    assert len(peer.requests) == 1


async def test_monthly_quota_opens_the_circuit_for_reads() -> None:
    """Once the allowance is used up reads are not sent, writes are."""
    quota = answers(429, b'{"Fault":{"Error":[{"Message":"monthly quota","code":"3001"}]}}')
    async with serving(quota, answers(200, CREATED)) as peer, client(peer.url) as quickbooks:
        for _ in range(2):
            error = await failure(quickbooks, QUERY)
            assert isinstance(error, RetryLater)
            assert error.quota_exhausted
        await quickbooks.send(CREATE)
    assert len(peer.requests) == 2


async def test_calls_are_observed_and_logged_with_their_tid() -> None:
    """Each exchange is reported with bounded labels and logged with intuit_tid, never a token."""
    calls: list[Call] = []
    fault = {"Fault": {"Error": [{"Message": "Duplicate", "code": "6240"}]}}
    body = json.dumps(fault | {"type": "ValidationFault"}).encode()
    refused = answers(400, body, "intuit_tid: t-1")
    async with (
        serving(answers(200, CREATED), refused) as peer,
        client(peer.url, calls.append) as quickbooks,
    ):
        with capture_logs() as logs:
            await quickbooks.send(CREATE)
            await failure(quickbooks, CREATE)
    assert [
        (call.operation, call.entity, call.outcome, call.status, call.code) for call in calls
    ] == [
        ("create", "Invoice", "ok", 200, ""),
        ("create", "Invoice", "LookAgain", 400, "6240"),
    ]
    assert logs[1]["intuit_tid"] == "t-1"
    assert "secret" not in str(logs)


async def test_no_error_holds_the_token() -> None:
    """Neither the error nor its cause shows the Authorization header."""
    async with serving(talks_nonsense) as peer, client(peer.url) as quickbooks:
        error = await failure(quickbooks, CREATE)
    assert "secret" not in repr(error)
    assert error.__cause__ is None
    assert error.__suppress_context__
