"""Owns batches: up to 30 items, one after the other, each with its own outcome."""

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.sandbox import faults, replay
from reconciler.sandbox.answers import Answer, timed
from reconciler.sandbox.exact import encode, raw
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.query.select import run
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.requests import Key, request_of, written

MAX_ITEMS = 30  # 31 fails (.NET-SDK#358)
_OPERATIONS = frozenset({"create", "update", "delete"})
Spoil = Callable[[str, str], None]  # raises a planned fault for (entity, operation)


def run_batch(realm: Realm, body: Any, request_id: str, spoil: Spoil) -> Answer:
    """Answer a batch: 200, with a fault in each item that failed."""
    items = body.get("BatchItemRequest") if isinstance(body, Mapping) else None
    if not isinstance(items, list) or not items:
        raise Fault(faults.missing("BatchItemRequest"))
    if len(items) > MAX_ITEMS:
        message = "Batch size limit exceeded"
        detail = f"The batch has {len(items)} items; at most {MAX_ITEMS} are allowed"
        raise Fault(faults.Error("1040", message, detail))
    if request_id:
        replay.check_length("requestid", request_id, replay.MAX_BATCH_LENGTH)
    realm.counts.batches += 1
    realm.counts.batch_items += len(items)
    with realm.batch():
        answers = [_item(realm, item, request_id, spoil) for item in items]
    return Answer(200, timed({"BatchItemResponse": answers}, realm.company.clock.now()))


def subjects(body: Any) -> list[tuple[str, str]]:
    """The (entity, operation) pairs of a batch, for planned misfortunes."""
    items = body.get("BatchItemRequest") if isinstance(body, Mapping) else None
    found = [("Batch", "batch")]
    for item in items if isinstance(items, list) else ():
        if isinstance(item, Mapping):
            found.extend(
                (name, _operation(item)) for name in item if name in ENTITIES or name == "Query"
            )
    return found


def _operation(item: Mapping[str, Any]) -> str:
    """The operation as planned misfortunes name it: a void is an update with `optionsData` void."""
    operation = str(item.get("operation", "query"))
    is_void = operation == "update" and "void" in str(item.get("optionsData") or "").split(",")
    return "void" if is_void else operation


def _item(realm: Realm, item: Any, request_id: str, spoil: Spoil) -> dict[str, Any]:
    bid = item.get("bId") if isinstance(item, Mapping) else None
    try:
        if not isinstance(item, Mapping) or not isinstance(bid, str) or not bid:
            raise Fault(faults.missing("bId"))
        return {**_perform(realm, item, bid, request_id, spoil), "bId": bid}
    except Fault as fault:
        realm.counts.faults[fault.code] += 1
        return {"Fault": fault.body(), "bId": bid}


def _perform(
    realm: Realm, item: Mapping[str, Any], bid: str, request_id: str, spoil: Spoil
) -> dict[str, Any]:
    if "Query" in item:
        spoil("Query", "query")
        response = run(realm.company, str(item["Query"]))
        realm.counts.metered_reads += 1
        return {"QueryResponse": response}
    names = [name for name in item if name in ENTITIES]
    operation = item.get("operation")
    if len(names) != 1 or operation not in _OPERATIONS:
        raise Fault(faults.unsupported_operation(str(operation)))
    entity = ENTITIES[names[0]]
    if request_id:
        replay.check_length("bId", bid, replay.MAX_BID_LENGTH)
    spoil(entity.name, _operation(item))
    flags = {"operation": str(operation), "include": str(item.get("optionsData") or "")}
    request = request_of(entity, item[entity.name], flags)
    if operation == "update" and not request.body.get("Id"):
        raise Fault(faults.missing("Id"))
    if operation == "create" and request.body.get("Id"):
        request = request_of(entity, {k: v for k, v in request.body.items() if k != "Id"}, flags)
    digest = replay.digest(encode(request.body)) if request_id else b""
    key = Key(f"{request_id}/{bid}" if request_id else "", digest)
    held, _ = written(realm, request, key)
    return {entity.name: raw(held.body)}
