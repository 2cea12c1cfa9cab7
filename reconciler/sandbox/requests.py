"""Owns requests to one company, without HTTP: read, write, query, batch, CDC, and their answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.sandbox import faults, reading
from reconciler.sandbox.answers import Answer, entity_answer, timed
from reconciler.sandbox.exact import encode
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.fields.entity import Entity
from reconciler.sandbox.query.select import run
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.replay import Remembered
from reconciler.sandbox.writing import Request, Written, write


@dataclass(frozen=True, slots=True)
class Key:
    """What a write is remembered by, and the digest of its body."""

    request_id: str = ""
    digest: bytes = b""


def read(realm: Realm, entity: Entity, row_id: str, include: str = "") -> Answer:
    """One entity by id."""
    company = realm.company
    if entity.name == "CompanyInfo":
        row_id = "1"  # asked for by the realm id or its Id, which is 1 in every company
    if row_id not in company.tables[entity.name].rows:
        if not row_id.lstrip("-").isdigit() and entity.name != "TaxCode":
            raise Fault(faults.invalid_id("Id", row_id))
        raise Fault(faults.not_found())
    body = reading.shown_body(company, entity.name, row_id, include)
    return Answer(200, entity_answer(entity.name, body, company.clock.now()))


def query(realm: Realm, statement: str, include: str = "") -> Answer:
    """A query's answer."""
    response = run(realm.company, statement, include)
    return Answer(200, timed({"QueryResponse": response}, realm.company.clock.now()))


def write_answer(realm: Realm, request: Request, key: Key) -> Answer:
    """A write's answer, the first one again for a repeated requestid."""
    held, replayed = written(realm, request, key)
    return Answer(held.status, entity_answer(held.entity, held.body, held.at), replayed=replayed)


def written(realm: Realm, request: Request, key: Key) -> tuple[Remembered, bool]:
    """Perform a write once per key; True when it is a replay."""
    honoured = bool(key.request_id) and realm.replays.honours(request.entity.name)
    if honoured:
        held = realm.replays.find(key.request_id, key.digest)
        if held is not None:
            realm.counts.replays += 1
            if held.status != 200:
                raise RememberedFault(held)
            return held, True
    try:
        done = write(realm.company, request)
    except Fault as fault:
        if honoured and realm.company.switches.replay_faults:
            _remember_fault(realm, key, fault)
        raise
    if realm.company.hidden is not None and request.kind == "create":
        realm.company.hidden.add((done.entity, done.row_id))
    answer = _remembered(realm, done, key)
    if honoured:
        realm.replays.remember(key.request_id, answer)
    realm.committed(done.commit, key.request_id if honoured else "", answer)
    return answer, False


class RememberedFault(Fault):
    """A refusal answered again (switch `replay_faults`)."""

    def __init__(self, held: Remembered) -> None:
        code, _, detail = held.body.decode().partition("\n")
        super().__init__(faults.Error(code, detail.partition("\n")[0], detail.partition("\n")[2]))


def _remember_fault(realm: Realm, key: Key, fault: Fault) -> None:
    first = fault.errors[0]
    body = f"{first.code}\n{first.message}\n{first.detail}".encode()
    realm.replays.remember(
        key.request_id,
        Remembered("", "", body, key.digest, realm.company.clock.now(), fault.status),
    )


def _remembered(realm: Realm, done: Written, key: Key) -> Remembered:
    if done.deleted:
        body = encode({"status": "Deleted", "domain": "QBO", "Id": done.row_id})
    else:
        body = reading.shown_body(realm.company, done.entity, done.row_id)
    return Remembered(
        done.entity, done.row_id, body, key.digest, realm.company.clock.now(), deleted=done.deleted
    )


def request_of(entity: Entity, body: Any, flags: Mapping[str, str]) -> Request:
    """A write from its body and the flags of its URL (`operation`, `include`)."""
    if not isinstance(body, Mapping):
        raise Fault(faults.unsupported_property("request body"))
    if set(body) == {entity.name} and isinstance(body[entity.name], Mapping):
        body = body[entity.name]  # some clients wrap the entity in its name
    include = frozenset(one for one in flags.get("include", "").split(",") if one)
    return Request(entity, body, flags.get("operation", ""), include)
