"""Routing: which topic and key an event gets, and that nothing is dropped on the way."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest

from reconciler.errors import UndecodableRecord
from reconciler.model import ObjectType
from streams.routing import IGNORED, UNREADABLE, Routes, delivered, journalled

NOW = 1_790_000_001_000
SOURCES = {
    ObjectType.DEAL: "crm.deals",
    ObjectType.QUOTE: "crm.quotes",
    ObjectType.PAYMENT: "crm.payments",
}
WITH_COMPANIONS = {**SOURCES, ObjectType.CONTACT: "crm.contacts"}


def event(**fields: Any) -> bytes:
    return msgspec.json.encode({"portalId": 4711, "occurredAt": NOW, "objectId": 12, **fields})


class Case(NamedTuple):
    reason: str
    event: bytes
    topic: str | None
    key: bytes | None


CASES = [
    Case(
        "a deal's property",
        event(subscriptionType="deal.propertyChange", propertyName="amount", propertyValue="1"),
        "crm.deals", b"4711:0-3:12",
    ),
    Case(
        "old documentation's eventType",
        event(eventType="deal.creation"), "crm.deals", b"4711:0-3:12",
    ),
    Case(
        "a generic quote event",
        event(subscriptionType="object.creation", objectTypeId="0-14"),
        "crm.quotes", b"4711:0-14:12",
    ),
    Case(
        "a generic payment event",
        event(subscriptionType="object.propertyChange", objectTypeId="0-101", propertyName="x",
              propertyValue="y"),
        "crm.payments", b"4711:0-101:12",
    ),
    Case(
        "an association belongs to the deal, whichever way it is told",
        event(subscriptionType="line_item.associationChange", associationType="LINE_ITEM_TO_DEAL",
              fromObjectId=7, toObjectId=12, associationRemoved=False),
        "crm.deals", b"4711:0-3:12",
    ),
    Case(
        "a journal event",
        event(action="UPDATE", objectTypeId="0-3", propertyChanges={"amount": "1"}),
        "crm.deals", b"4711:0-3:12",
    ),
    Case("a type nobody reads", event(subscriptionType="ticket.creation"), None, None),
    Case("a companion without a topic", event(subscriptionType="contact.creation"), None, None),
    Case("no object id", event(subscriptionType="deal.creation", objectId=None), "crm.deals", None),
    Case("no portal", event(subscriptionType="deal.creation", portalId=None), "crm.deals", None),
    Case("nothing known", b'{"hello":1}', "crm.deals", None),
    Case("no object at all", b"17", "crm.deals", None),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.reason for case in CASES])
def test_routes(case: Case) -> None:
    """Events go to their object's topic and partition; what can't be read goes on as it is."""
    routed = Routes(SOURCES).routed([case.event], NOW)
    if case.topic is None:
        assert not routed.records
        assert routed.events == {IGNORED: 1}
        return
    (record,) = routed.records
    assert (record.topic, record.key, record.value) == (case.topic, case.key, case.event)
    assert (UNREADABLE in routed.events) == (case.key is None)


def test_companions_are_kept_where_a_topic_is_configured() -> None:
    """With a topic for contacts, their events go there."""
    routed = Routes(WITH_COMPANIONS).routed([event(subscriptionType="contact.creation")], NOW)
    assert [record.topic for record in routed.records] == ["crm.contacts"]


def test_a_delivery_is_split_into_the_very_bytes_received() -> None:
    """Spaces, order and unknown fields of an event survive: the record is HubSpot's own text."""
    first, second = b'{ "b":1,  "a":2 }', b'{"c":"\\u00fc"}'
    assert delivered(b" [" + first + b", " + second + b"]\n") == [first, second]
    assert delivered(first) == [first]
    assert delivered(b"[]") == []
    assert journalled(b'{"offset":"x","journalEvents":[' + first + b"]}") == [first]
    assert journalled(b'{"offset":"x"}') == []


@pytest.mark.parametrize("body", [b"", b"nonsense", b'"text"', b"[1,", b"null", b"[\xff]"])
def test_a_body_that_is_no_delivery_is_refused(body: bytes) -> None:
    """Only JSON arrays and single events are deliveries."""
    with pytest.raises(UndecodableRecord):
        delivered(body)
