"""Checks and reads QuickBooks's webhooks; pure.

The gateway that receives them calls `is_genuine` on the raw body before anything else, then
`read_notifications`, and answers 200 within three seconds. A notification carries no object: it
says what to read. They come more than once, out of order, or not at all, so sweeps with CDC
remain necessary. Facts: developer.intuit.com/app/developer/qbo/docs/develop/webhooks and
blogs.intuit.com/2025/11/12/upcoming-change-to-webhooks-payload-structure, read 2026-11.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from reconciler.errors import ReconcilerError
from reconciler.quickbooks.payload import Payload
from reconciler.quickbooks.protocol import CANONICAL_NAME

SIGNATURE_HEADER = "intuit-signature"

OPERATIONS = {
    "created": "create",
    "updated": "update",
    "deleted": "delete",
    "voided": "void",
    "merged": "merge",
    "emailed": "emailed",
}
"""CloudEvents words, and the legacy body's in lower case."""


class UnreadableNotification(ReconcilerError):
    """A genuine body of a shape Intuit has not announced; sweeps will find what it said."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to one object; `event_id` is the same when it is told again.

    `deleted_id` names the object that was merged into `id` and is gone.
    """

    realm_id: str
    entity: str
    id: str
    operation: str
    at: datetime | None
    event_id: str
    deleted_id: str = ""


def is_genuine(body: bytes, signature: str, verifier_token: str) -> bool:
    """Whether the raw body was signed with our verifier token; takes the same time either way."""
    digest = hmac.new(verifier_token.encode(), body, hashlib.sha256).digest()
    given = signature.strip().encode("ascii", "replace")
    return hmac.compare_digest(base64.b64encode(digest), given)


def read_notifications(body: bytes) -> list[Notification]:
    """The notifications in a body, CloudEvents or legacy; several companies may be mixed.

    An event that names no company or object is passed over: sweeps find what it meant. Raises
    UnreadableNotification if the body as a whole is of an unknown shape.
    """
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise UnreadableNotification("the body is not JSON") from None
    if isinstance(found, list):
        return _useful(_cloud_event(event) for event in found if _is_object(event))
    if isinstance(found, dict) and isinstance(found.get("eventNotifications"), list):
        return _useful(
            _legacy(realm, entity)
            for realm in found["eventNotifications"]
            if _is_object(realm)
            for entity in _entities(realm)
        )
    raise UnreadableNotification("the body is neither CloudEvents nor eventNotifications")


def _useful(notifications: Iterable[Notification]) -> list[Notification]:
    return [one for one in notifications if one.realm_id and one.entity and one.id]


def _cloud_event(event: Payload) -> Notification:
    """`type` is like `qbo.invoice.created.v1`."""
    words = [*str(event.get("type") or "").split("."), "", "", ""]
    data = event.get("data")
    return Notification(
        realm_id=str(event.get("intuitaccountid") or ""),
        entity=CANONICAL_NAME.get(words[1].lower(), words[1]),
        id=str(event.get("intuitentityid") or ""),
        operation=OPERATIONS.get(words[2].lower(), words[2].lower()),
        at=_instant(event.get("time")),
        event_id=str(event.get("id") or ""),
        deleted_id=str(data.get("deletedid") or "") if isinstance(data, dict) else "",
    )


def _legacy(realm: Payload, entity: Payload) -> Notification:
    """The legacy body numbers no events: what it says is its own identity."""
    name = str(entity.get("name") or "")
    said = [
        str(realm.get("realmId") or ""),
        CANONICAL_NAME.get(name.lower(), name),
        str(entity.get("id") or ""),
        str(entity.get("operation") or "").lower(),
    ]
    updated = str(entity.get("lastUpdated") or "")
    return Notification(
        realm_id=said[0],
        entity=said[1],
        id=said[2],
        operation=said[3],
        at=_instant(updated),
        event_id="/".join([*said, updated]),
        deleted_id=str(entity.get("deletedId") or ""),
    )


def _entities(realm: Payload) -> list[Payload]:
    event = realm.get("dataChangeEvent")
    listed = event.get("entities") if isinstance(event, dict) else None
    return [entity for entity in listed or [] if _is_object(entity)]


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _instant(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
