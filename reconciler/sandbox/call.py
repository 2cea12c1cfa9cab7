"""Owns one HTTP request to the API as data, and its way to the operation that answers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from reconciler.sandbox import batch, cdc, exchange, faults, mail, replay, requests, taxservice
from reconciler.sandbox.answers import Answer
from reconciler.sandbox.exact import decode
from reconciler.sandbox.faults import Error, Fault
from reconciler.sandbox.fields.entities import BY_PATH
from reconciler.sandbox.realm import Realm

METERED = frozenset({"read", "query", "cdc"})  # CorePlus calls: data out


@dataclass(slots=True)
class Call:
    """A request: its path after the realm, its query parameters, its body."""

    method: str
    path: tuple[str, ...]
    flags: Mapping[str, str]
    content_type: str
    raw_body: bytes
    parsed: Any = field(default=None)

    @property
    def request_id(self) -> str:
        """The requestid, empty when there is none."""
        return self.flags.get("requestid", "")

    @property
    def is_batch(self) -> bool:
        """Whether it counts against the batch quota."""
        return self.path == ("batch",)

    def parse(self) -> None:
        """Read a JSON body; raises 500 for bad UTF-8, 2010 for bad JSON."""
        if self.method != "POST" or self.path[0] == "query" or not self.raw_body:
            return
        if self.content_type in {"application/xml", "text/xml"}:
            raise Fault(faults.unsupported_operation("an XML request body"))
        if self.content_type == "application/octet-stream":
            return
        try:
            self.raw_body.decode()
            self.parsed = decode(self.raw_body)
        except UnicodeDecodeError as error:
            raise Fault(Error("500", "Unsupported Operation", "Invalid UTF-8")) from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise Fault(
                faults.unsupported_property("Failed to parse json object; a property")
            ) from error

    def subjects(self) -> list[tuple[str, str]]:
        """The (entity, operation) pairs it is about."""
        first = self.path[0]
        if first == "batch":
            return batch.subjects(self.parsed)
        if first == "query":
            return [("Query", "query")]
        if first == "cdc":
            return [("Cdc", "cdc")]
        if first == "exchangerate":
            return [("ExchangeRate", "read")]
        entity = BY_PATH.get(first)
        name = entity.name if entity else first
        if self.method == "GET":
            return [(name, "read")]
        if entity is None or not isinstance(self.parsed, Mapping):
            return [(name, "update")]
        return [(name, requests.request_of(entity, self.parsed, self.flags).kind)]


def perform(realm: Realm, call: Call, spoil: batch.Spoil) -> Answer:
    """Answer a call; raises `Fault`."""
    first, rest = call.path[0], call.path[1:]
    if first == "query" and not rest:
        return requests.query(realm, _statement(call), call.flags.get("include", ""))
    if first == "batch" and not rest and call.method == "POST":
        return batch.run_batch(realm, call.parsed, call.request_id, spoil)
    if first == "cdc" and not rest and call.method == "GET":
        return cdc.changes(
            realm.company, call.flags.get("entities", ""), call.flags.get("changedSince", "")
        )
    entity = BY_PATH.get(first)
    if entity is None:
        return _special(realm, call)
    if call.method == "GET":
        return _get(realm, call)
    if len(rest) == 2 and rest[1] == "send" and call.method == "POST":
        return mail.send(realm, entity, rest[0], call.flags.get("sendTo", ""))
    if rest or call.method != "POST":
        raise Fault(faults.unsupported_operation(f"{call.method} {'/'.join(call.path)}"))
    if call.request_id:
        replay.check_length("requestid", call.request_id, replay.MAX_LENGTH)
    digest = replay.digest(call.raw_body) if call.request_id else b""
    request = requests.request_of(entity, call.parsed, call.flags)
    return requests.write_answer(realm, request, requests.Key(call.request_id, digest))


def _special(realm: Realm, call: Call) -> Answer:
    """What is no entity by id."""
    if (*call.path, call.method) == ("taxservice", "taxcode", "POST"):
        return taxservice.create_tax_code(realm, call.parsed)
    if (*call.path, call.method) == ("exchangerate", "GET"):
        return exchange.rate(realm.company, call.flags)
    raise Fault(faults.unsupported_operation(call.path[0]))


def _get(realm: Realm, call: Call) -> Answer:
    entity = BY_PATH[call.path[0]]
    rest = call.path[1:]
    if entity.name == "Preferences" and not rest:
        return requests.read(realm, entity, "1")
    if entity.name == "CompanyInfo" and rest and rest[0] not in {realm.company.realm, "1"}:
        raise Fault(faults.not_found())
    if len(rest) == 1:
        return requests.read(realm, entity, rest[0], call.flags.get("include", ""))
    if len(rest) == 2 and rest[1] == "pdf":
        return mail.pdf(realm, entity, rest[0])
    raise Fault(faults.unsupported_operation(f"GET {'/'.join(call.path)}"))


def _statement(call: Call) -> str:
    if call.method == "GET" or (not call.raw_body and "query" in call.flags):
        return call.flags.get("query", "")
    try:
        return call.raw_body.decode()
    except UnicodeDecodeError as error:
        raise Fault(Error("500", "Unsupported Operation", "Invalid UTF-8")) from error
