"""A stand-in for QuickBooks that answers at once: `python -m bench.stand_in --port N`.

It does what figures need and no more: create and batch with ids, the same answer for the same
requestid, name lists to resolve against, and Intuit's limits on request (`--limits`). It checks
nothing; what is right is shown with the sandbox, not here. `GET /counts` tells what it did.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qs, unquote

import msgspec
import uvloop

from bench.deals import CUSTOMERS, PRODUCTS, email, person, product, sku

_SOURCE = re.compile(rb"HubSpot deal (\d+)")


class Item(msgspec.Struct):
    """One item of a batch; the entity's bytes are not looked into."""

    bId: str  # noqa: N815  Intuit's name
    operation: str = ""
    Invoice: msgspec.Raw = msgspec.Raw(b"")
    Customer: msgspec.Raw = msgspec.Raw(b"")
    Item: msgspec.Raw = msgspec.Raw(b"")


class Batch(msgspec.Struct):
    """A batch request's body."""

    BatchItemRequest: list[Item]


_batch = msgspec.json.Decoder(Batch).decode


@dataclass
class Company:
    """What one company was asked, by minute and second windows."""

    requests: deque[float] = field(default_factory=deque)
    batches: deque[float] = field(default_factory=deque)


@dataclass
class Books:
    """All that is remembered: ids by request, documents by source, and how often it was asked."""

    limits: bool = False
    ids: dict[str, int] = field(default_factory=dict)
    sources: dict[bytes, int] = field(default_factory=dict)
    first_at: dict[bytes, float] = field(default_factory=dict)
    companies: dict[str, Company] = field(default_factory=dict)
    requests: int = 0
    reads: int = 0
    documents: int = 0
    repeated: int = 0
    throttled: int = 0

    def create(self, entity: str, body: bytes, request: str) -> bytes:
        """The answer to a create: what was sent, with an id; the same for the same request."""
        id_ = self.ids.get(request)
        if id_ is None:
            id_ = self.ids[request] = len(self.ids) + 100_000
            if entity == "Invoice":
                self.documents += 1
                if source := _SOURCE.search(body):
                    self.sources[source[1]] = self.sources.get(source[1], 0) + 1
                    self.first_at.setdefault(source[1], time.time())
        else:
            self.repeated += 1
        return b'"%s":{"Id":"%d","SyncToken":"0","domain":"QBO",%s' % (
            entity.encode(), id_, body[1:],
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """For the measuring process."""
        return {
            "requests": self.requests,
            "reads": self.reads,
            "documents": self.documents,
            "sources": len(self.sources),
            "doubled": sum(number - 1 for number in self.sources.values()),
            "repeated": self.repeated,
            "throttled": self.throttled,
        }

    def is_over(self, realm: str, is_batch: bool) -> bool:
        """Count a call as Intuit does; True if it must be refused with 429."""
        company, now = self.companies.setdefault(realm, Company()), time.monotonic()
        for calls in (company.requests, company.batches):
            while calls and calls[0] <= now - 60:
                calls.popleft()
        in_second = sum(1 for at in list(company.requests)[-11:] if at > now - 1)
        over = len(company.requests) >= 500 or in_second >= 10
        if over or (is_batch and len(company.batches) >= 40):
            self.throttled += 1
            return True
        company.requests.append(now)
        if is_batch:
            company.batches.append(now)
        return False


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as far as clients here speak it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio tells."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = _content_length(head)
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            status, answer = self._answer(head[: head.index(b"\r\n")].decode(), body)
            self.transport.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nintuit_tid: 1-2-3\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (status, len(answer), answer)
            )

    def _answer(self, line: str, body: bytes) -> tuple[bytes, bytes]:
        method, target, _ = line.split(" ")
        if target == "/counts":
            return b"200 OK", json.dumps(self.books.counts()).encode()
        if target == "/times":
            times = {source.decode(): at for source, at in self.books.first_at.items()}
            return b"200 OK", json.dumps(times).encode()
        path, _, query = target.partition("?")
        _, _, _, realm, *rest = path.split("/")
        self.books.requests += 1
        if self.books.limits and self.books.is_over(realm, rest[0] == "batch"):
            fault = b'{"Fault":{"Error":[{"code":"3001","Message":"ThrottleExceeded"}],"type":"x"}}'
            return b"429 Too Many Requests", fault
        if method == "GET" or rest[0] == "query":
            self.books.reads += 1
            return b"200 OK", json.dumps(_read(rest, query, body)).encode()
        request = query.partition("requestid=")[2].partition("&")[0]
        if rest[0] != "batch":
            entity = rest[0].capitalize()
            return b"200 OK", b'{%s,"time":"2026-11-24T10:00:00Z"}' % self.books.create(
                entity, body, f"{realm}/{request}"
            )
        answers = [self._item(item, f"{realm}/{request}") for item in _batch(body).BatchItemRequest]
        return b"200 OK", b'{"BatchItemResponse":[%s],"time":"2026-11-24T10:00:00Z"}' % b",".join(
            answers
        )

    def _item(self, item: Item, request: str) -> bytes:
        for entity in ("Invoice", "Customer", "Item"):
            if body := bytes(getattr(item, entity)):
                made = self.books.create(entity, body, f"{request}/{item.bId}")
                return b'{"bId":"%s",%s}' % (item.bId.encode(), made)
        raise ValueError("a batch item of an entity that the stand-in does not know")


def _content_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"content-length:")
    return 0 if at < 0 else int(lower[at + 15 :].split(b"\r\n", 1)[0])


def _read(rest: list[str], query: str, body: bytes) -> dict[str, object]:
    if rest[0] == "companyinfo":
        return {"CompanyInfo": {"Id": "1", "CompanyName": "Bench", "Country": "US"}}
    if rest[0] == "preferences":
        return {"Preferences": {"SalesFormsPrefs": {"CustomTxnNumbers": True}}}
    if rest[0] == "cdc":
        return {"CDCResponse": [{"QueryResponse": []}]}
    if rest[0] == "invoice":
        return {"Invoice": {"Id": rest[1], "SyncToken": "0"}}
    if rest[0] != "query":
        raise ValueError(f"the stand-in reads no {rest[0]}")
    statement = body.decode() if body else parse_qs(query)["query"][0]
    entity = unquote(statement).lower().split(" from ", 1)[1].split(" ", 1)[0].capitalize()
    return {"QueryResponse": {entity: _LISTS[entity]} if entity in _LISTS else {}}


_LISTS: dict[str, list[dict[str, object]]] = {
    "Account": [
        {"Id": "1", "Name": "Sales of Product Income", "SyncToken": "0", "AccountType": "Income",
         "AccountSubType": "SalesOfProductIncome"},
    ],
    "Term": [{"Id": "1", "Name": "Net 30", "SyncToken": "0", "DueDays": 30}],
    "Customer": [
        {"Id": str(n + 1), "SyncToken": "0", "DisplayName": " ".join(person(n)),
         "GivenName": person(n)[0], "FamilyName": person(n)[1],
         "PrimaryEmailAddr": {"Address": email(n)}}
        for n in range(CUSTOMERS)
    ],
    "Item": [
        {"Id": str(n + 1), "SyncToken": "0", "Name": product(n), "Sku": sku(n), "Type": "Service"}
        for n in range(PRODUCTS)
    ],
}  # fmt: skip


async def _serve(port: int, limits: bool) -> None:
    books = Books(limits)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(books), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--limits", action="store_true")
    chosen = parser.parse_args()
    uvloop.run(_serve(chosen.port, chosen.limits))
