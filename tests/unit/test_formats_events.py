"""Webhook and journal events: what each says about which object."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from reconciler.errors import UndecodableRecord
from reconciler.model import Change, ChangeKind, Link, ObjectKey, ObjectType
from streams.formats import TopicSettings, decode
from tests.feeds import Written, iso, record

AT = 1_760_000_000_000
ANY_TOPIC = TopicSettings()


def event(subscription: str, **fields: Any) -> dict[str, Any]:
    base = {"eventId": 1, "portalId": 4711, "occurredAt": AT, "attemptNumber": 0, "objectId": 9}
    return {**base, "subscriptionType": subscription, **fields}


def key(type_: ObjectType, id_: str = "9") -> ObjectKey:
    return ObjectKey(4711, type_, id_)


def change(key_: ObjectKey, kind: ChangeKind, **facts: Any) -> Change:
    return Change(key=key_, at=AT, kind=kind, **facts)


def says(document: object, topic: TopicSettings = ANY_TOPIC) -> list[Change]:
    return decode(record(document, AT), topic)


DEAL, QUOTE, PAYMENT = key(ObjectType.DEAL), key(ObjectType.QUOTE), key(ObjectType.PAYMENT)
PROPERTY, ASSOCIATION = ChangeKind.PROPERTY, ChangeKind.ASSOCIATION


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            event("deal.propertyChange", propertyName="dealstage", propertyValue="closedwon"),
            [change(DEAL, PROPERTY, properties={"dealstage": "closedwon"})],
            id="a property change says one property",
        ),
        pytest.param(
            event("deal.propertyChange", propertyName="closedate", propertyValue="1769817600000"),
            [change(DEAL, PROPERTY, properties={"closedate": "2026-01-31T00:00:00.000Z"})],
            id="a datetime in epoch ms is written as REST writes it",
        ),
        pytest.param(
            event("deal.propertyChange", propertyName="amount", propertyValue=""),
            [change(DEAL, PROPERTY, properties={"amount": None})],
            id="an empty value is a known emptiness",
        ),
        pytest.param(
            event("deal.propertyChange", propertyName="ssn"),
            [change(DEAL, PROPERTY)],
            id="a withheld sensitive value only says that the object was touched",
        ),
        pytest.param(
            {
                "eventType": "deal.creation",
                "objectId": 9,
                "portalId": "4711",
                "occurredAt": str(AT),
            },
            [change(DEAL, ChangeKind.CREATED)],
            id="eventType instead of subscriptionType, numbers as text",
        ),
        pytest.param(
            event(
                "object.propertyChange", objectTypeId="0-14", propertyName="a", propertyValue="b"
            ),
            [change(QUOTE, PROPERTY, properties={"a": "b"})],
            id="generic events name their type: quote",
        ),
        pytest.param(
            event("object.creation", objectTypeId="0-101"),
            [change(PAYMENT, ChangeKind.CREATED)],
            id="generic events name their type: payment",
        ),
        pytest.param(
            event("contact.deletion"),
            [change(key(ObjectType.CONTACT), ChangeKind.DELETED, deleted=True)],
            id="deletion",
        ),
        pytest.param(
            event("contact.privacyDeletion"),
            [change(key(ObjectType.CONTACT), ChangeKind.DELETED, deleted=True)],
            id="deletion for privacy",
        ),
        pytest.param(
            event("line_item.restore"),
            [change(key(ObjectType.LINE_ITEM), ChangeKind.RESTORED, deleted=False)],
            id="restore",
        ),
        pytest.param(
            event("deal.merge", primaryObjectId=9, mergedObjectIds=[10, 11]),
            [
                change(key(ObjectType.DEAL, "10"), ChangeKind.MERGED, merged_into="9"),
                change(key(ObjectType.DEAL, "11"), ChangeKind.MERGED, merged_into="9"),
                change(DEAL, ChangeKind.MERGED),
            ],
            id="a merge names the survivor on every object that is gone, and touches the survivor",
        ),
        pytest.param(
            event(
                "object.merge",
                objectTypeId="0-3",
                primaryObjectId=9,
                mergedObjectIds=[10],
                newObjectId=12,
            ),
            [
                change(DEAL, ChangeKind.MERGED, merged_into="12"),
                change(key(ObjectType.DEAL, "10"), ChangeKind.MERGED, merged_into="12"),
                change(key(ObjectType.DEAL, "12"), ChangeKind.MERGED),
            ],
            id="a merge into a new object retires both old ones",
        ),
        pytest.param(
            event(
                "deal.associationChange",
                associationType="DEAL_TO_LINE_ITEM",
                fromObjectId=9,
                toObjectId=31,
                associationRemoved=False,
            ),
            [change(DEAL, ASSOCIATION, links=(Link("line_items", "31"),))],
            id="an association added",
        ),
        pytest.param(
            event(
                "line_item.associationChange",
                associationType="LINE_ITEM_TO_DEAL",
                fromObjectId=31,
                toObjectId=9,
                associationRemoved=True,
            ),
            [change(DEAL, ASSOCIATION, links=(Link("line_items", "31", removed=True),))],
            id="the reversed direction says the same about the deal",
        ),
        pytest.param(
            event(
                "deal.associationChange",
                associationType="DEAL_TO_LINE_ITEM",
                fromObjectId=9,
                toObjectId=31,
                associationRemoved="True",
            ),
            [change(DEAL, ASSOCIATION, links=(Link("line_items", "31", removed=True),))],
            id="a flag may be text in any case",
        ),
        pytest.param(
            event("object.associationChange", associationTypeId=387, fromObjectId=9, toObjectId=21),
            [change(PAYMENT, ASSOCIATION, links=(Link("contacts", "21"),))],
            id="an association type by number",
        ),
        pytest.param(
            event(
                "object.associationChange",
                fromObjectTypeId="0-3",
                toObjectTypeId="0-14",
                associationTypeId=63,
                fromObjectId=9,
                toObjectId=5,
            ),
            [
                change(DEAL, ASSOCIATION, links=(Link("quotes", "5"),)),
                change(key(ObjectType.QUOTE, "5"), ASSOCIATION, links=(Link("deals", "9"),)),
            ],
            id="two objects that both start workflows are both told",
        ),
        pytest.param(
            event(
                "contact.associationChange",
                associationType="CONTACT_TO_COMPANY",
                fromObjectId=9,
                toObjectId=5,
            ),
            [change(key(ObjectType.CONTACT), ASSOCIATION, links=(Link("companies", "5"),))],
            id="companions' own associations are kept on the near side",
        ),
        pytest.param(
            event(
                "object.associationChange",
                fromObjectTypeId="0-14",
                toObjectTypeId="0-1",
                associationTypeId=702,
                fromObjectId=9,
                toObjectId=5,
                associationRemoved=True,
            ),
            [],
            id="a signer's label removed removes no contact",
        ),
        pytest.param(event("ticket.creation"), [], id="tickets aren't read"),
        pytest.param(event("conversation.newMessage"), [], id="conversations aren't read"),
        pytest.param(event("object.creation", objectTypeId="0-5"), [], id="type 0-5 isn't read"),
        pytest.param(
            event("object.creation", objectTypeId="2-1234567"), [], id="custom objects aren't read"
        ),
        pytest.param(
            event(
                "ticket.associationChange",
                associationType="TICKET_TO_DEAL",
                fromObjectId=1,
                toObjectId=2,
            ),
            [],
            id="associations of tickets aren't read",
        ),
        pytest.param(
            [event("deal.creation"), event("ticket.creation"), event("contact.creation")],
            [
                change(DEAL, ChangeKind.CREATED),
                change(key(ObjectType.CONTACT), ChangeKind.CREATED),
            ],
            id="a mixed array, in order",
        ),
        pytest.param([], [], id="an empty array says nothing"),
        pytest.param(
            {
                "portalId": 4711,
                "objectTypeId": "0-3",
                "objectId": 9,
                "action": "UPDATE",
                "occurredAt": "2025-10-09T08:53:20Z",
                "propertyChanges": {"amount": {"newValue": Decimal("10.10")}, "dealname": "A"},
            },
            [change(DEAL, PROPERTY, properties={"amount": "10.10", "dealname": "A"})],
            id="journal: several properties at once, new values plain or in an object",
        ),
        pytest.param(
            {
                "portalId": 4711,
                "action": "ASSOCIATION_REMOVED",
                "occurredAt": AT,
                "fromObjectTypeId": "0-101",
                "fromObjectId": 9,
                "toObjectTypeId": "0-53",
                "toObjectId": 5,
                "associationTypeId": 542,
            },
            [change(PAYMENT, ASSOCIATION, links=(Link("invoices", "5", removed=True),))],
            id="journal: association removed",
        ),
        pytest.param(
            {"portalId": 4711, "action": "ADDED_TO_LIST", "occurredAt": AT, "objectTypeId": "0-1"},
            [],
            id="journal: list membership isn't read",
        ),
    ],
)
def test_events(document: object, expected: list[Change]) -> None:
    """Each event says exactly this."""
    assert says(document) == expected


CONTACT = {"fromObjectTypeId": "0-3", "toObjectTypeId": "0-1"}
COMPANY = {"fromObjectTypeId": "0-3", "toObjectTypeId": "0-2"}
TO_COMPANY = {"associationType": "DEAL_TO_COMPANY"}
OF_HUBSPOT = {"associationCategory": "HUBSPOT_DEFINED"}
OF_USER = {"associationCategory": "USER_DEFINED"}
OF_APP = {"associationCategory": "INTEGRATOR_DEFINED"}


@pytest.mark.parametrize("shape", ["webhook", "journal"])
@pytest.mark.parametrize(
    ("fields", "name", "says_added", "says_removed"),
    [
        pytest.param(
            {**CONTACT, **OF_HUBSPOT, "associationTypeId": 3}, "contacts", True, True,
            id="the association itself",
        ),
        pytest.param(
            {**CONTACT, **OF_USER, "associationTypeId": 37}, "contacts", True, False,
            id="a label of the portal's",
        ),
        pytest.param(
            {**CONTACT, **OF_APP, "associationTypeId": 37}, "contacts", True, False,
            id="a label of an app's",
        ),
        pytest.param(
            {**CONTACT, **OF_USER, "associationTypeId": 702}, "contacts", True, False,
            id="a label that has the number of one of HubSpot's",
        ),
        pytest.param(
            {**OF_USER, "associationTypeId": 3}, "contacts", False, False,
            id="a label's number tells no types",
        ),
        pytest.param(
            {**COMPANY, **OF_HUBSPOT, "associationTypeId": 341}, "companies", True, True,
            id="a company",
        ),
        pytest.param(
            {**COMPANY, **OF_HUBSPOT, "associationTypeId": 5}, "companies", True, False,
            id="the primary company by its number",
        ),
        pytest.param({"associationType": "5"}, "companies", True, False, id="by its number alone"),
        pytest.param(
            {**COMPANY, "associationTypeId": 341, "isPrimaryAssociation": True}, "companies", True,
            False, id="the primary company by a flag",
        ),
        pytest.param(
            {**COMPANY, "associationTypeId": 341, "isPrimary": True}, "companies", True, False,
            id="by the flag of the journal",
        ),
        pytest.param(
            {**TO_COMPANY, "isPrimaryAssociation": "true"}, "companies", True, False,
            id="the primary company by a name and a flag",
        ),
        pytest.param(
            {**TO_COMPANY, "isPrimaryAssociation": False}, "companies", True, True,
            id="a company by its name",
        ),
    ],
)  # fmt: skip
def test_a_label_taken_off_leaves_the_association(
    fields: dict[str, Any], name: str, says_added: bool, says_removed: bool, shape: str
) -> None:
    """A label or the primary flag put on says that two objects are associated; taken off, nothing.

    The flag of a company says that it comes first, too.
    """
    is_primary = name == "companies" and not says_removed
    for removed, is_said in ((False, says_added), (True, says_removed)):
        sides = {**fields, "fromObjectId": 9, "toObjectId": 5}
        document = event("object.associationChange", associationRemoved=removed, **sides)
        if shape == "journal":
            action = "ASSOCIATION_REMOVED" if removed else "ASSOCIATION_ADDED"
            document = {"portalId": 4711, "occurredAt": AT, "action": action, **sides}
        said = [change(DEAL, ASSOCIATION, links=(Link(name, "5", removed, is_primary),))]
        assert says(document) == (said if is_said else [])


def test_only_a_company_is_primary() -> None:
    """The same flag in the other direction says nothing about the deals of a company."""
    for type_, sides in (("COMPANY_TO_DEAL", (5, 9)), ("DEAL_TO_COMPANY", (9, 5))):
        said = event(
            "company.associationChange", associationType=type_, isPrimaryAssociation=True,
            fromObjectId=sides[0], toObjectId=sides[1],
        )  # fmt: skip
        link = Link("companies", "5", primary=True)
        assert says(said) == [change(DEAL, ASSOCIATION, links=(link,))]
    said = event(
        "contact.associationChange", associationType="DEAL_TO_CONTACT", isPrimaryAssociation=True,
        fromObjectId=9, toObjectId=5,
    )  # fmt: skip
    assert says(said) == [change(DEAL, ASSOCIATION, links=(Link("contacts", "5"),))]


def test_a_hydrated_event_is_true_when_it_occurred_and_its_object_at_its_own_time() -> None:
    """The property change and the object fetched later are dated apart."""
    document = {
        "event": event("deal.propertyChange", propertyName="dealstage", propertyValue="won"),
        "object": {
            "id": "9",
            "properties": {"dealstage": "lost"},
            "updatedAt": "2025-10-09T08:53:25Z",
        },
    }
    assert says(document) == [
        change(DEAL, PROPERTY, properties={"dealstage": "won"}),
        Change(key=DEAL, at=AT + 5000, kind=ChangeKind.SNAPSHOT, properties={"dealstage": "lost"}),
    ]


def test_a_hydrated_object_without_a_time_takes_its_events() -> None:
    """An object fetched for an event is as old as the newest of its events."""
    later = event("deal.creation", occurredAt=AT + 7)
    found = says({"events": [later, event("deal.creation")], "object": {"properties": {"a": "1"}}})
    assert [(one.key, one.at) for one in found] == [(DEAL, AT + 7), (DEAL, AT), (DEAL, AT + 7)]


def test_the_far_object_of_an_association_event_is_read_as_its_own_type() -> None:
    """A receiver may fetch either side of an association."""
    linked = event(
        "deal.associationChange", associationType="DEAL_TO_CONTACT", fromObjectId=9, toObjectId=5
    )
    found = says({"event": linked, "object": {"id": "5", "properties": {"email": "a@b.c"}}})
    assert found[1].key == key(ObjectType.CONTACT, "5")


def test_an_event_without_time_or_portal_takes_the_records_and_the_topics() -> None:
    """The record's timestamp, the topic's portal or a portalId header stand in."""
    bare = {"subscriptionType": "deal.creation", "objectId": 9}
    assert says(bare, TopicSettings(portal_id=4711)) == [change(DEAL, ChangeKind.CREATED)]
    value = record(bare, AT).value
    headed = Written(value, None, AT, (("portalId", b"4711"),))
    assert decode(headed, ANY_TOPIC) == [change(DEAL, ChangeKind.CREATED)]


def test_a_header_without_a_value_names_no_portal() -> None:
    """Kafka lets a header's value be null: that is as if the header were not there."""
    bare = {"subscriptionType": "deal.creation", "objectId": 9}
    written = Written(record(bare, AT).value, None, AT, (("portalId", None),))
    with pytest.raises(UndecodableRecord) as refusal:
        decode(written, ANY_TOPIC)
    assert refusal.value.reason == "no_portal"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param(event("deal.creation", objectId=None), "bad_id", id="no object"),
        pytest.param(event("deal.creation", objectId=""), "bad_id", id="an empty id"),
        pytest.param(event("deal.creation", objectId="x" * 65), "bad_id", id="an endless id"),
        pytest.param(event("deal.creation", objectId=-5), "bad_id", id="a negative id"),
        pytest.param(event("deal.creation", objectId=True), "bad_id", id="a boolean id"),
        pytest.param(event("deal.creation", objectId=[1]), "bad_id", id="a list as an id"),
        pytest.param(event("deal.creation", occurredAt="soon"), "bad_time", id="no instant"),
        pytest.param(event("deal.creation", occurredAt=9**20), "bad_time", id="the far future"),
        pytest.param(event("deal.creation", occurredAt=0), "bad_time", id="1970"),
        pytest.param(event("deal.creation", portalId="mine"), "no_portal", id="no portal id"),
        pytest.param(event("deal.creation", portalId=None), "no_portal", id="no portal at all"),
        pytest.param(event("object.creation"), "no_object_type", id="generic without its type"),
        pytest.param(event("object.creation", objectTypeId=3), "unknown_shape", id="no type id"),
        pytest.param(event("deal.creationist"), "unknown_shape", id="an unknown action"),
        pytest.param(event("deal.propertyChange"), "unknown_shape", id="no property name"),
        pytest.param(
            event("deal.merge", mergedObjectIds="10"), "unknown_shape", id="merge of text"
        ),
        pytest.param(event("deal.associationChange"), "unknown_shape", id="no association type"),
        pytest.param({"event": None, "object": {}}, "unknown_shape", id="hydrated without event"),
        pytest.param(
            {"event": event("deal.creation"), "object": [1]}, "unknown_shape", id="object is a list"
        ),
        pytest.param(
            {"action": "EXPLODE", "objectTypeId": "0-3", "objectId": 9, "portalId": 1},
            "unknown_shape",
            id="journal: unknown action",
        ),
        pytest.param([event("deal.creation"), 7], "unknown_shape", id="a number among the events"),
    ],
)
def test_refused_events(document: object, reason: str) -> None:
    """What can't be attributed to one object at one time is a dead letter with this reason."""
    with pytest.raises(UndecodableRecord) as refusal:
        says(document)
    assert refusal.value.reason == reason
    assert len(refusal.value.detail) < 200


def _creation(id_: object) -> dict[str, Any]:
    return event("deal.creation", objectId=id_)


FIRST, THIRD = (change(key(ObjectType.DEAL, id_), ChangeKind.CREATED) for id_ in ("1", "3"))
FETCHED = {"id": "1", "properties": {"a": "1"}, "updatedAt": iso(AT)}
WHOLE = change(key(ObjectType.DEAL, "1"), ChangeKind.SNAPSHOT, properties={"a": "1"})
TAKEN = "; the others are taken"


@pytest.mark.parametrize(
    ("document", "changes", "detail"),
    [
        pytest.param(
            [_creation(1), _creation(None), _creation(3)],
            [FIRST, THIRD],
            f"element 2 of 3: null is not an object id{TAKEN}",
            id="an array",
        ),
        pytest.param(
            {"journalEvents": [_creation(1), _creation("x y"), 7, _creation(3)]},
            [FIRST, THIRD],
            f"element 2 of 4 (and 1 more): 'x y' is not an object id{TAKEN}",
            id="a journal file with two such",
        ),
        pytest.param(
            [{"results": [_creation(1), _creation(None)]}, _creation(3)],
            [FIRST, THIRD],
            f"element 1 of 2: element 2 of 2: null is not an object id{TAKEN}",
            id="a page within an array",
        ),
        pytest.param(
            [event("ticket.creation"), _creation(None)],
            [],
            f"element 2 of 2: null is not an object id{TAKEN}",
            id="beside an event that is understood and says nothing",
        ),
        pytest.param(
            {"events": [_creation(1), _creation(None), 7], "object": None},
            [FIRST],
            f"event 2 of 3 (and 1 more): null is not an object id{TAKEN}",
            id="the events of an object that is gone",
        ),
        pytest.param(
            {"events": [_creation(None), _creation(1)], "object": FETCHED},
            [FIRST, WHOLE],
            f"event 1 of 2: null is not an object id{TAKEN}",
            id="beside their object, which is what the other one says",
        ),
        pytest.param(
            [{"events": [_creation(None), _creation(1)], "object": FETCHED}, _creation(3)],
            [FIRST, WHOLE, THIRD],
            f"element 1 of 2: event 1 of 2: null is not an object id{TAKEN}",
            id="within an array",
        ),
        pytest.param(
            {"event": _creation(1), "object": {**FETCHED, "id": "x y"}},
            [FIRST],
            f"the object: 'x y' is not an object id{TAKEN}",
            id="an object that can't be understood",
        ),
        pytest.param(
            {"event": _creation("x y"), "object": FETCHED},
            [],
            "'x y' is not an object id",
            id="an object of which no event says what it is",
        ),
        pytest.param([_creation(None)], [], "null is not an object id", id="the only one"),
        pytest.param([_creation(None), 7], [], "null is not an object id", id="none is understood"),
    ],
)
def test_one_bad_event_keeps_no_other_from_being_taken(
    document: object, changes: list[Change], detail: str
) -> None:
    """The record is refused, saying which event is meant, and has what the others say."""
    with pytest.raises(UndecodableRecord) as refusal:
        says(document)
    assert list(refusal.value.changes) == changes
    assert (refusal.value.reason, refusal.value.detail) == ("bad_id", detail)
