"""Webhook deliveries as HubSpot makes them: events, and the headers that sign them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

import msgspec

SECRET = "an app's client secret"


def delivery(*events: dict[str, Any]) -> bytes:
    """The body of a delivery."""
    return msgspec.json.encode(list(events))


def deal_event(object_id: int, **fields: Any) -> dict[str, Any]:
    """A property change of a deal."""
    return {
        "eventId": 1,
        "subscriptionId": 2,
        "portalId": 4711,
        "appId": 3,
        "occurredAt": 1_790_000_001_000,
        "subscriptionType": "deal.propertyChange",
        "attemptNumber": 0,
        "objectId": object_id,
        "propertyName": "dealstage",
        "propertyValue": "closedwon",
        "changeSource": "CRM",
        **fields,
    }


def headers(url: str, body: bytes, *, age_ms: int = 0, secret: str = SECRET) -> dict[str, str]:
    """The headers of a delivery signed `age_ms` ago."""
    timestamp = str(time.time_ns() // 1_000_000 - age_ms)
    source = b"POST" + url.encode() + body + timestamp.encode()
    digest = hmac.new(secret.encode(), source, hashlib.sha256).digest()
    return {
        "X-HubSpot-Signature-v3": base64.b64encode(digest).decode(),
        "X-HubSpot-Request-Timestamp": timestamp,
        "Content-Type": "application/json",
    }
