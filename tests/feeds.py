"""One abstract history of a HubSpot object, written in every format a feed may have.

Tests of decoding compare what the formats fold into; tests of the whole service produce the
records to Kafka. It shares no code with the decoders: it writes what vendors' documents show.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.model import ObjectKey, ObjectType

TYPE_IDS = {
    "deal": "0-3",
    "quote": "0-14",
    "payment": "0-101",
    "contact": "0-1",
    "line_item": "0-8",
}
API_NAMES = {"payment": "commerce_payment"}
DATETIMES = frozenset({"closedate", "createdate", "hs_lastmodifieddate", "hs_esign_date"})

_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class Written:
    """A Kafka record as the decoders see it."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()


Associated = tuple[tuple[str, Mapping[str, str | None] | None], ...]
"""Associated objects in order: id, and properties where the feeder fetched them."""


@dataclass(frozen=True)
class Step:
    """The object as it was from `at` (epoch ms) on; `deleted` ends its history."""

    at: int
    properties: Mapping[str, str | None] = field(default_factory=dict)
    associations: Mapping[str, Associated] = field(default_factory=dict)
    deleted: bool = False


@dataclass(frozen=True)
class History:
    """An object and how it changed, oldest first."""

    key: ObjectKey
    steps: tuple[Step, ...]


Writer = Callable[[History], list[Written]]


def iso(at: int) -> str:
    """Write epoch ms as HubSpot's REST API does."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(document: object, at: int, key: str | None = None) -> Written:
    """Write a JSON document as a record that arrived when it was made."""
    value = document if isinstance(document, bytes) else _encoder.encode(document)
    return Written(value, None if key is None else key.encode(), at)


# --- REST snapshots --------------------------------------------------------------------------

Lists = Callable[[str, str, Associated], tuple[str, Any]]


def plural_lists(_: str, name: str, items: Associated) -> tuple[str, Any]:
    """Association style of v3 reads: plural labels, entries with id, type and hydrated facts."""
    label = {"line_items": "line items", "payments": "commerce_payments"}.get(name, name)
    return label, {"results": [_entry(one, {"id": one[0], "type": "x_to_y"}) for one in items]}


def typed_lists(type_: str, name: str, items: Associated) -> tuple[str, Any]:
    """Association lists under the association's own type, such as `deal_to_line_item`."""
    far = {"companies": "company"}.get(name, name.removesuffix("s"))
    near = API_NAMES.get(type_, type_)
    return f"{near}_to_{far}", {"results": [_entry(one, {"id": int(one[0])}) for one in items]}


def v4_lists(_: str, name: str, items: Associated) -> tuple[str, Any]:
    """Association style of v4: `toObjectId` and labelled types."""
    types = [{"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}]
    entries = [_entry(one, {"toObjectId": int(one[0]), "associationTypes": types}) for one in items]
    return name, {"results": entries}


def _entry(one: tuple[str, Mapping[str, str | None] | None], entry: dict[str, Any]) -> Any:
    return entry if one[1] is None else {**entry, "properties": dict(one[1])}


def states(history: History, lists: Lists = plural_lists) -> list[tuple[int, dict[str, Any]]]:
    """Write every step as a REST snapshot; a deletion is the last snapshot, archived."""
    found: list[tuple[int, dict[str, Any]]] = []
    for step in history.steps:
        if step.deleted:
            last = dict(found[-1][1]) if found else {"id": history.key.id, "properties": {}}
            found.append((step.at, {**last, "archived": True, "archivedAt": iso(step.at)}))
            continue
        named = (lists(history.key.type, name, items) for name, items in step.associations.items())
        snapshot = {
            "id": history.key.id,
            "properties": dict(step.properties),
            "createdAt": iso(history.steps[0].at),
            "updatedAt": iso(step.at),
            "archived": False,
            "associations": dict(named),
        }
        found.append((step.at, snapshot))
    return found


def rest(history: History, lists: Lists = plural_lists) -> list[Written]:
    """REST snapshots keyed by object id."""
    return [record(one, at, history.key.id) for at, one in states(history, lists)]


def rest_typed(history: History) -> list[Written]:
    """REST snapshots with association types as keys."""
    return rest(history, typed_lists)


def rest_v4(history: History) -> list[Written]:
    """REST snapshots with associations in v4 style."""
    return rest(history, v4_lists)


def rest_array(history: History) -> list[Written]:
    """All snapshots in one record."""
    return [record([one for _, one in states(history)], history.steps[-1].at)]


def rest_page(history: History) -> list[Written]:
    """All snapshots as a page of REST results."""
    page = {"results": [one for _, one in states(history)], "paging": {"next": {"after": "2"}}}
    return [record(page, history.steps[-1].at)]


# --- events ----------------------------------------------------------------------------------


def events_of(history: History, step: Step) -> list[dict[str, Any]]:
    """Write a step as webhook events: every property's value as text, datetimes as epoch ms."""
    type_ = history.key.type
    legacy = type_ in (ObjectType.DEAL, ObjectType.CONTACT, ObjectType.LINE_ITEM)
    prefix = type_.value if legacy else "object"
    base: dict[str, Any] = {
        "eventId": 100,
        "subscriptionId": 1,
        "portalId": history.key.portal_id,
        "appId": 7,
        "occurredAt": step.at,
        "attemptNumber": 0,
        "objectId": int(history.key.id),
        "changeSource": "CRM_UI",
    }
    if not legacy:
        base |= {"objectTypeId": TYPE_IDS[type_], "isSensitive": False}
    if step.deleted:
        return [{**base, "subscriptionType": f"{prefix}.deletion", "changeFlag": "DELETED"}]
    return [
        {
            **base,
            "subscriptionType": f"{prefix}.propertyChange",
            "propertyName": name,
            "propertyValue": _event_value(name, value),
        }
        for name, value in step.properties.items()
    ]


def _event_value(name: str, value: str | None) -> str:
    if value and name in DATETIMES and value.endswith("Z"):
        since = datetime.fromisoformat(value) - datetime(1970, 1, 1, tzinfo=UTC)
        return str(since // timedelta(milliseconds=1))
    return value or ""


def webhook(history: History) -> list[Written]:
    """One webhook event per record, no key."""
    return [record(e, s.at) for s in history.steps for e in events_of(history, s)]


def webhook_array(history: History) -> list[Written]:
    """The raw body of HubSpot's request as a record: an array of events."""
    return [record(events_of(history, s), s.at, "4711:x") for s in history.steps]


def webhook_event_type(history: History) -> list[Written]:
    """Events as HubSpot's older documents print them."""
    renamed = []
    for step in history.steps:
        for event in events_of(history, step):
            event["eventType"] = event.pop("subscriptionType")
            renamed.append(record(event, step.at))
    return renamed


def journal_events(history: History) -> list[dict[str, Any]]:
    """Write the steps as events of the webhooks journal."""
    return [
        {
            "portalId": history.key.portal_id,
            "objectTypeId": TYPE_IDS[history.key.type],
            "objectId": int(history.key.id),
            "action": "DELETE" if step.deleted else ("UPDATE" if index else "CREATE"),
            "occurredAt": iso(step.at),
            "propertyChanges": {n: _event_value(n, v) for n, v in step.properties.items()},
        }
        for index, step in enumerate(history.steps)
    ]


def journal(history: History) -> list[Written]:
    """One journal event per record."""
    return [record(e, s.at) for e, s in zip(journal_events(history), history.steps, strict=True)]


def journal_file(history: History) -> list[Written]:
    """A whole journal file as one record."""
    return [record({"journalEvents": journal_events(history)}, history.steps[-1].at)]


def hydrated(history: History) -> list[Written]:
    """Each event with the object its receiver fetched; without one once it is deleted."""
    return [
        record({"event": event, "object": _fetched(step, state)}, step.at, history.key.id)
        for step, (_, state) in zip(history.steps, states(history), strict=True)
        for event in events_of(history, step)
    ]


def hydrated_batch(history: History) -> list[Written]:
    """All events of one request with the object fetched once."""
    return [
        record({"events": events_of(history, step), "object": _fetched(step, state)}, step.at)
        for step, (_, state) in zip(history.steps, states(history), strict=True)
    ]


def hydrated_journal(history: History) -> list[Written]:
    """Journal events with the object fetched."""
    together = zip(journal_events(history), history.steps, states(history), strict=True)
    return [
        record({"event": event, "object": _fetched(step, state)}, step.at)
        for event, step, (_, state) in together
    ]


def _fetched(step: Step, state: dict[str, Any]) -> dict[str, Any] | None:
    return None if step.deleted else state


# --- connectors ------------------------------------------------------------------------------


def _typed(value: str | None) -> Any:
    """Give a value as a typed column would hold it."""
    if value in ("true", "false"):
        return value == "true"
    if value and value.replace(".", "", 1).isdigit() and str(Decimal(value)) == value:
        return Decimal(value)
    return value


def _columns(state: dict[str, Any]) -> dict[str, Any]:
    beside = {k: state[k] for k in ("id", "updatedAt", "archived", "archivedAt") if k in state}
    lists = {"associations": _encoder.encode(state.get("associations", {})).decode()}
    return {**beside, **lists, **{n: _typed(v) for n, v in state["properties"].items()}}


def connect(history: History) -> list[Written]:
    """Kafka Connect JSON with its schema, properties as typed fields."""
    schema = {"type": "struct", "optional": False, "fields": [{"field": "id", "type": "string"}]}
    return [
        record({"schema": schema, "payload": _columns(state)}, at, history.key.id)
        for at, state in states(history)
    ]


def _changes_of_rows(
    history: History, row: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[tuple[int, dict[str, Any]]]:
    found: list[tuple[int, dict[str, Any]]] = []
    before = None
    for step, (at, state) in zip(history.steps, states(history), strict=True):
        after = None if step.deleted else row(state)
        operation = "d" if step.deleted else ("u" if before else "c")
        source = {"connector": "postgresql", "table": "crm_objects", "ts_ms": at}
        envelope = {"before": before, "after": after, "source": source, "op": operation}
        found.append((at, {**envelope, "ts_ms": at + 5, "transaction": None}))
        before = after
    return found


def _json_row(state: dict[str, Any]) -> dict[str, Any]:
    as_json = {k: _encoder.encode(state[k]).decode() for k in ("properties", "associations")}
    return {**{k: state[k] for k in ("id", "updatedAt", "archived")}, **as_json}


def debezium(history: History) -> list[Written]:
    """Debezium on a table of objects with JSON columns; a tombstone follows a deletion."""
    found = []
    for at, envelope in _changes_of_rows(history, _json_row):
        found.append(record(envelope, at, f'{{"id":"{history.key.id}"}}'))
        if envelope["op"] == "d":
            found.append(Written(None, b"1", at))
    return found


def debezium_schema(history: History) -> list[Written]:
    """The same with Connect's schema around it."""
    return [
        record({"schema": {"type": "struct"}, "payload": envelope}, at)
        for at, envelope in _changes_of_rows(history, _json_row)
    ]


def debezium_flat(history: History) -> list[Written]:
    """The same through the transform that keeps only the new row."""
    found = []
    for at, envelope in _changes_of_rows(history, _json_row):
        row = envelope["after"] or envelope["before"]
        deleted = "true" if envelope["op"] == "d" else "false"
        found.append(
            record({**row, "__op": envelope["op"], "__deleted": deleted, "__ts_ms": at}, at)
        )
    return found


def debezium_inbox(history: History) -> list[Written]:
    """Debezium on a receiver's inbox: each row holds a record, and is deleted when it is old."""
    found = []
    for number, inner in enumerate(hydrated_batch(history)):
        assert inner.value is not None
        row = {"id": number, "received_at": inner.timestamp_ms, "body": inner.value.decode()}
        envelope = {"before": None, "after": row, "op": "c", "ts_ms": inner.timestamp_ms}
        found.append(record(envelope, inner.timestamp_ms))
        gone = {"before": {"id": number, "body": None}, "after": None, "op": "d", "ts_ms": 1}
        found.append(record(gone, inner.timestamp_ms))
    return found


def outbox(history: History) -> list[Written]:
    """Debezium on an outbox table that was not routed."""
    found = []
    for at, state in states(history):
        row = {
            "id": "9e0ad3a4-62a4-4f6a-a86a-0f4f3a1d2c3b",
            "aggregatetype": history.key.type.value,
            "aggregateid": history.key.id,
            "type": "Changed",
            "payload": _encoder.encode(state).decode(),
        }
        found.append(record({"before": None, "after": row, "op": "c", "ts_ms": at}, at))
    return found


def outbox_routed(history: History) -> list[Written]:
    """An outbox event as the router leaves it: JSON text, with the rest in headers."""
    return [
        Written(
            _encoder.encode(_encoder.encode(state).decode()),
            history.key.id.encode(),
            at,
            (("id", b"9e0ad3a4"), ("eventType", b"Changed")),
        )
        for at, state in states(history)
    ]


def opencdc(history: History) -> list[Written]:
    """Conduit's records with structured data."""
    return _opencdc(history, lambda state: state)


def opencdc_raw(history: History) -> list[Written]:
    """Conduit's records with raw data: base64 of JSON."""
    return _opencdc(history, lambda state: base64.b64encode(_encoder.encode(state)).decode())


def _opencdc(history: History, data: Callable[[dict[str, Any]], Any]) -> list[Written]:
    found = []
    for index, (step, (at, state)) in enumerate(zip(history.steps, states(history), strict=True)):
        operation = "delete" if step.deleted else ("update" if index else "snapshot")
        document = {
            "position": "eyJzIjoxfQ==",
            "operation": operation,
            "metadata": {
                "opencdc.createdAt": str(at * 10**6),
                "opencdc.readAt": str(at * 10**6 + 9),
            },
            "key": base64.b64encode(history.key.id.encode()).decode(),
            "payload": {"before": None, "after": None if step.deleted else data(state)},
        }
        found.append(record(document, at, history.key.id))
    return found


def estuary(history: History) -> list[Written]:
    """Estuary's documents: the object, with `_meta` beside its fields."""
    return [
        record({"_meta": {"op": "d" if step.deleted else "u", "row_id": 3}, **state}, step.at)
        for step, (_, state) in zip(history.steps, states(history), strict=True)
    ]


def _id_lists(state: dict[str, Any], step: Step) -> dict[str, Any]:
    kept = {k: v for k, v in state.items() if k != "associations"}
    lists = step.associations.items()
    return {**kept, **{name: [one for one, _ in items] for name, items in lists}}


def airbyte(history: History) -> list[Written]:
    """Airbyte's older envelope: nested data, a random key, associations as bare ids."""
    return _airbyte(history, "_airbyte_emitted_at", "_airbyte_ab_id", lambda data: data)


def airbyte_new(history: History) -> list[Written]:
    """Airbyte's newer envelope."""
    return _airbyte(history, "_airbyte_extracted_at", "_airbyte_raw_id", lambda data: data)


def airbyte_flattened(history: History) -> list[Written]:
    """Airbyte's envelope with properties flattened to `properties_<name>`."""
    return _airbyte(history, "_airbyte_emitted_at", "_airbyte_ab_id", _flattened)


def _flattened(data: dict[str, Any]) -> dict[str, Any]:
    rest_ = {k: v for k, v in data.items() if k != "properties"}
    return {**rest_, **{f"properties_{n}": _typed(v) for n, v in data["properties"].items()}}


def _airbyte(
    history: History, time: str, id_: str, shape: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[Written]:
    found = []
    for step, (at, state) in zip(history.steps, states(history), strict=True):
        envelope = {
            id_: "0f5e9a1c-0000-4000-8000-000000000000",
            time: at + 60_000,
            "_airbyte_stream": {"company": "companies"}.get(
                history.key.type, f"{history.key.type}s"
            ),
            "_airbyte_data": shape(_id_lists(state, step)),
        }
        found.append(record(envelope, at + 60_000, "b1a4d5f0-random"))
    return found


HYDRATED: dict[str, Writer] = {
    one.__name__: one
    for one in (
        connect,
        debezium,
        debezium_flat,
        debezium_inbox,
        debezium_schema,
        estuary,
        hydrated,
        hydrated_batch,
        hydrated_journal,
        opencdc,
        opencdc_raw,
        outbox,
        outbox_routed,
        rest,
        rest_array,
        rest_page,
        rest_typed,
        rest_v4,
    )
}
"""Formats that say everything: properties, association lists, and the associated objects' own."""

IDS_ONLY: dict[str, Writer] = {
    one.__name__: one for one in (airbyte, airbyte_flattened, airbyte_new)
}
"""Formats that name associated objects by id; their properties come by topics of their own."""

THIN: dict[str, Writer] = {
    one.__name__: one for one in (journal, journal_file, webhook, webhook_array, webhook_event_type)
}
"""Formats that say which properties changed, and nothing of the associated objects."""
