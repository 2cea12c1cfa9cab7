"""QuickBooks's webhooks: signature, both bodies, and what they may hold."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.quickbooks.webhooks import (
    Notification,
    UnreadableNotification,
    is_genuine,
    read_notifications,
)

EVENTS = [
    {
        "specversion": "1.0",
        "id": "88cd52aa-33b6-4351-9aa4-47572edbd068",
        "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
        "type": "qbo.salesreceipt.voided.v1",
        "datacontenttype": "application/json",
        "time": "2026-03-02T10:11:12Z",
        "intuitentityid": "1234",
        "intuitaccountid": "310687",
        "data": {},
    },
    {
        "id": "e2",
        "type": "qbo.customer.merged.v1",
        "time": "2026-03-02T10:11:13Z",
        "intuitentityid": "26",
        "intuitaccountid": "310688",
        "data": {"deletedid": "27"},
    },
]

LEGACY = {
    "eventNotifications": [
        {
            "realmId": "310687",
            "dataChangeEvent": {
                "entities": [
                    {
                        "name": "Invoice",
                        "id": "1",
                        "operation": "Create",
                        "lastUpdated": "2026-03-02T10:11:12.000Z",
                    },
                    {"name": "Customer", "id": "26", "operation": "Merge", "deletedId": "27"},
                ]
            },
        }
    ]
}


def test_cloud_events() -> None:
    """An array may mix companies; the entity gets its canonical name, merges name the loser."""
    first, second = read_notifications(json.dumps(EVENTS).encode())
    assert first == Notification(
        realm_id="310687",
        entity="SalesReceipt",
        id="1234",
        operation="void",
        at=datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC),
        event_id="88cd52aa-33b6-4351-9aa4-47572edbd068",
    )
    assert (second.realm_id, second.operation, second.deleted_id) == ("310688", "merge", "27")


def test_legacy_body() -> None:
    """The legacy body gives the same words, and an identity that is the same when repeated."""
    first, second = read_notifications(json.dumps(LEGACY).encode())
    assert (first.realm_id, first.entity, first.id, first.operation) == (
        "310687",
        "Invoice",
        "1",
        "create",
    )
    assert first.at == datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)
    assert (second.operation, second.deleted_id, second.at) == ("merge", "27", None)
    again = read_notifications(json.dumps(LEGACY).encode())
    assert [one.event_id for one in again] == [first.event_id, second.event_id]
    assert first.event_id != second.event_id


@pytest.mark.parametrize("body", [b"", b"{}", b"7", b'{"eventNotifications":{}}', b"[1", b"\xff"])
def test_unknown_bodies(body: bytes) -> None:
    """A body of another shape is told apart from one without news."""
    with pytest.raises(UnreadableNotification):
        read_notifications(body)


@pytest.mark.parametrize("events", [[], [1], [{}], [{"type": "qbo"}], [{**EVENTS[0], "type": ""}]])
def test_events_that_name_nothing_are_passed_over(events: list[Any]) -> None:
    """One odd event does not lose the others in its body."""
    body = json.dumps([*events, EVENTS[1]]).encode()
    assert [one.event_id for one in read_notifications(body)] == ["e2"]


@given(body=st.binary(), token=st.text(min_size=1, max_size=40), other=st.binary())
def test_signature(body: bytes, token: str, other: bytes) -> None:
    """Only the raw body that was signed passes, and no odd header crashes."""
    token = token.encode("utf-8", "ignore").decode()
    signed = base64.b64encode(hmac.new(token.encode(), body, hashlib.sha256).digest()).decode()
    assert is_genuine(body, signed, token)
    assert is_genuine(body, f" {signed}\n", token)
    assert is_genuine(other, signed, token) == (other == body)
    assert not is_genuine(body, "é" + signed[1:], token)
    assert not is_genuine(body, "", token)
