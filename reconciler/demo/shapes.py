"""The shapes in which HubSpot's facts reach Kafka: webhook events, hydrated events, snapshots.

Pure; called by `scene`. Shapes are as in HubSpot's webhooks v3 and CRM object guides (read March
2026): property values are strings or null, webhook ids are numbers, REST ids are strings.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

Body = dict[str, Any]
Properties = dict[str, str | None]

PORTAL_ID = 4711
_APP_ID = 220_417
_SUBSCRIPTION_ID = 1_160_452

TYPE_IDS = {
    "contact": "0-1", "company": "0-2", "deal": "0-3", "line_item": "0-8", "quote": "0-14",
    "payment": "0-101",
}  # fmt: skip
_REST_PREFIX = {"payment": "commerce_payment"}


class Envelope(NamedTuple):
    """What every webhook event carries. `style` is how the feed names its kind: `deal.*` where
    HubSpot has such a type, the generic `object.*`, or `eventType` as in HubSpot's older sample."""

    event_id: int
    at: int
    style: str = "legacy"


class Associated(NamedTuple):
    """One association list of a snapshot; properties are present where the feeder hydrates."""

    name: str
    members: tuple[tuple[str, Properties | None], ...]


def iso(at: int) -> str:
    """Epoch milliseconds as HubSpot prints instants."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def property_event(
    kind: str, object_id: str, name: str, value: str | None, envelope: Envelope
) -> Body:
    """One property changed; the event carries nothing else."""
    facts: Body = {
        "objectId": int(object_id), "propertyName": name, "propertyValue": value or "",
        "changeSource": "CRM_UI", "sourceId": "userId:51234567",
    }  # fmt: skip
    return _event(kind, "propertyChange", envelope, facts)


def creation_event(kind: str, object_id: str, envelope: Envelope) -> Body:
    facts: Body = {"objectId": int(object_id), "changeFlag": "CREATED", "changeSource": "CRM_UI"}
    return _event(kind, "creation", envelope, facts)


def deletion_event(kind: str, object_id: str, envelope: Envelope) -> Body:
    facts: Body = {"objectId": int(object_id), "changeFlag": "DELETED", "changeSource": "CRM_UI"}
    return _event(kind, "deletion", envelope, facts)


def association_event(
    kind: str, object_id: str, other: str, other_id: str, removed: bool, envelope: Envelope
) -> Body:
    """An association was added or removed: ids only."""
    facts: Body = {
        "associationType": f"{kind.upper()}_TO_{other.upper()}",
        "fromObjectId": int(object_id), "toObjectId": int(other_id),
        "fromObjectTypeId": TYPE_IDS[kind], "toObjectTypeId": TYPE_IDS[other],
        "associationRemoved": removed, "isPrimaryAssociation": False, "changeSource": "USER",
    }  # fmt: skip
    return _event(kind, "associationChange", envelope, facts)


def snapshot(
    kind: str,
    object_id: str,
    at: int,
    properties: Properties,
    lists: tuple[Associated, ...],
    spaced: bool,
) -> Body:
    """A REST object; *spaced* says "line items" where others say "line_items"."""
    body: Body = {
        "id": object_id,
        "properties": {**properties, "hs_object_id": object_id, "hs_lastmodifieddate": iso(at)},
        "createdAt": properties.get("createdate") or properties.get("hs_createdate") or iso(at),
        "updatedAt": iso(at),
        "archived": False,
    }
    if lists:
        body["associations"] = {
            one.name.replace("_", " ") if spaced else one.name: {
                "results": [_member(kind, one.name, *member) for member in one.members]
            }
            for one in lists
        }
    return body


def hydrated(event: Body, whole: Body) -> Body:
    """The event, with the object as the feeder read it from HubSpot at once."""
    return {"event": event, "object": whole}


def _member(kind: str, name: str, member_id: str, properties: Properties | None) -> Body:
    singular = {"companies": "company"}.get(name, name.removesuffix("s"))
    body: Body = {"id": member_id, "type": f"{_REST_PREFIX.get(kind, kind)}_to_{singular}"}
    if properties is not None:
        body["properties"] = properties
    return body


def _event(kind: str, what: str, envelope: Envelope, facts: Body) -> Body:
    generic = envelope.style == "generic" or kind not in ("deal", "contact", "company")
    body: Body = {
        "eventId": envelope.event_id, "subscriptionId": _SUBSCRIPTION_ID, "portalId": PORTAL_ID,
        "appId": _APP_ID, "occurredAt": envelope.at, "attemptNumber": 0, **facts,
    }  # fmt: skip
    name = "eventType" if envelope.style == "old" and not generic else "subscriptionType"
    body[name] = f"{'object' if generic else kind}.{what}"
    if generic:
        body |= {"objectTypeId": TYPE_IDS[kind], "isSensitive": False}
    return body
