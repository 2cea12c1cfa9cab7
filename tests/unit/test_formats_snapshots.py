"""Whole objects: values, times, association lists, envelopes and what is refused."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from reconciler.errors import ConfigurationError, UndecodableRecord
from reconciler.model import Change, ChangeKind, Link, ObjectKey, ObjectType, Related
from streams.formats import TopicSettings, decode, values
from tests.feeds import Written, iso, record

AT = 1_760_000_000_000
DEALS = TopicSettings(ObjectType.DEAL, 4711)
DEAL = ObjectKey(4711, ObjectType.DEAL, "9")
PRIMARY = {"category": "HUBSPOT_DEFINED", "typeId": 5, "label": "Primary"}
OTHER = {"category": "HUBSPOT_DEFINED", "typeId": 341, "label": None}
LABEL = {"category": "USER_DEFINED", "label": "Landlord"}


def says(document: object, topic: TopicSettings = DEALS) -> list[Change]:
    return decode(record(document, AT), topic)


def snapshot(**fields: Any) -> dict[str, Any]:
    return {"id": "9", "properties": {}, "updatedAt": iso(AT), **fields}


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("amount", b'"10.10"', "10.10"),
        ("amount", b"10.10", "10.10"),
        ("amount", b"0.1", "0.1"),
        ("amount", b"1e3", "1000"),
        ("amount", b"1.5E-3", "0.0015"),
        ("amount", b"12345678901234567.89", "12345678901234567.89"),
        ("amount", b"123456789012345678901234567890", "123456789012345678901234567890"),
        ("amount", b'""', None),
        ("amount", b"null", None),
        ("hs_is_closed_won", b"true", "true"),
        ("hs_is_closed_won", b"false", "false"),
        ("hs_sku", b'"007"', "007"),
        ("options", b'["a", 1.50, null]', '["a",1.50,null]'),
        ("options", b'{"a": {"b": true}}', '{"a":{"b":true}}'),
        ("dealname", b'"A\\u0000B"', "AB"),
        ("dealname", b'" spaced "', " spaced "),
        ("dealname", b'"1769817600000"', "1769817600000"),
        ("closedate", b'"1769817600000"', "2026-01-31T00:00:00.000Z"),
        ("closedate", b"1769817600000", "2026-01-31T00:00:00.000Z"),
        ("closedate", b"1769817600000000", "2026-01-31T00:00:00.000Z"),
        ("closedate", b'"2026-01-31T00:00:00.000Z"', "2026-01-31T00:00:00.000Z"),
        ("closedate", b'"2026-01-31T00:00:00Z"', "2026-01-31T00:00:00.000Z"),
        ("closedate", b'"2026-01-31T01:00:00.123456+01:00"', "2026-01-31T00:00:00.123Z"),
        ("closedate", b'"2026-01-31 00:00:00"', "2026-01-31T00:00:00.000Z"),
        ("closedate", b'"2026-01-31"', "2026-01-31"),
        ("closedate", b'"20260131"', "20260131"),
        ("closedate", b'"one of these days"', "one of these days"),
        ("closedate", b'"99999999999999"', "99999999999999"),
        ("hs_date_entered_won", b'"1769817600000"', "2026-01-31T00:00:00.000Z"),
        ("hs_recurring_billing_start_date", b'"1769817600000"', "2026-01-31"),
        ("hs_recurring_billing_start_date", b'"2026-01-31T00:00:00.000Z"', "2026-01-31"),
        ("candidate", b'"none"', "none"),
        ("x_mandate", b'"123456789012"', "123456789012"),
        ("last_update", b"1769817600000", "1769817600000"),
        ("x_date", b'"1769817600000"', "2026-01-31T00:00:00.000Z"),
        ("contract_enddate", b'"1769817600000"', "2026-01-31T00:00:00.000Z"),
        ("lastmodifieddate", b'"1769817600000"', "2026-01-31T00:00:00.000Z"),
    ],
)
def test_values(name: str, raw: bytes, expected: str | None) -> None:
    """Whatever type a feed writes a value in, it is the text that HubSpot's REST API gives."""
    value = b'{"id":"9","properties":{"%s":%s}}' % (name.encode(), raw)
    assert says(value)[0].properties == {name: expected}


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"updatedAt": iso(AT - 5)}, AT - 5),
        ({"updatedAt": None, "properties": {"hs_lastmodifieddate": iso(AT - 6)}}, AT - 6),
        ({"updatedAt": "", "properties": {"lastmodifieddate": str(AT - 7)}}, AT - 7),
        ({"updatedAt": None}, AT),
    ],
    ids=["updatedAt", "hs_lastmodifieddate", "lastmodifieddate of contacts", "record's time"],
)
def test_a_snapshot_is_true_at_its_own_time(fields: dict[str, Any], at: int) -> None:
    """The object's own time counts; the record's only where there is none."""
    assert says(snapshot(**fields))[0].at == at


@pytest.mark.parametrize(
    ("associations", "expected"),
    [
        pytest.param({"contacts": {"results": []}}, {"contacts": ()}, id="present and empty: none"),
        pytest.param({"contacts": None}, {}, id="null says nothing"),
        pytest.param({"tickets": {"results": [{"id": 1}]}}, {}, id="tickets aren't read"),
        pytest.param(
            {"line items": {"results": [{"id": "2"}, {"id": 1}]}},
            {"line_items": (Related("2"), Related("1"))},
            id="order as received, ids as text or number",
        ),
        pytest.param(
            {
                "companies": {
                    "results": [
                        {"id": "2", "type": "deal_to_company"},
                        {"id": "2", "type": "deal_to_company_unlabeled"},
                    ]
                }
            },
            {"companies": (Related("2"),)},
            id="one company under two types is one company",
        ),
        pytest.param(
            {
                "companies": {
                    "results": [
                        {"id": "2", "type": "deal_to_company_unlabeled"},
                        {"id": "3", "type": "deal_to_company_unlabeled"},
                        {"id": "3", "type": "deal_to_company"},
                        {"id": "1", "type": "deal_to_company_unlabeled"},
                    ]
                }
            },
            {"companies": (Related("3"), Related("2"), Related("1"))},
            id="the primary company comes first",
        ),
        pytest.param(
            {
                "companies": {
                    "results": [
                        {"toObjectId": 2, "associationTypes": [OTHER, {**PRIMARY, **LABEL}]},
                        {"toObjectId": 3, "associationTypes": [OTHER, PRIMARY]},
                    ]
                }
            },
            {"companies": (Related("3"), Related("2"))},
            id="so does that of a v4 list, told by its type and not by a label of the portal's",
        ),
        pytest.param(
            {
                "companies": {
                    "results": [
                        {"id": "2", "type": "commerce_payment_to_company"},
                        {"id": "1", "type": "commerce_payment_to_company"},
                    ]
                }
            },
            {"companies": (Related("2"), Related("1"))},
            id="where no company is primary the order is HubSpot's",
        ),
        pytest.param(
            {"deal_to_line_item": ["7"], "commerce_payments": [8]},
            {"line_items": (Related("7"),), "payments": (Related("8"),)},
            id="typed keys, bare ids, payments under their API name",
        ),
        pytest.param(
            {"0-1": {"results": [{"toObjectId": 5, "associationTypes": [{"typeId": 3}]}]}},
            {"contacts": (Related("5"),)},
            id="v4 entries under a type id",
        ),
        pytest.param(
            {
                "contacts": {
                    "results": [
                        {"id": "5", "properties": {"email": "", "lastmodifieddate": iso(AT - 9)}},
                        {"id": "6", "properties": {"email": "b"}},
                    ]
                }
            },
            {
                "contacts": (
                    Related("5", {"email": None, "lastmodifieddate": iso(AT - 9)}, AT - 9),
                    Related("6", {"email": "b"}, AT),
                )
            },
            id="hydrated entries are as old as they say, else as their parent",
        ),
        pytest.param(
            {"companies": ["1"], "deal_to_company": ["1", "2"]},
            {"companies": (Related("1"), Related("2"))},
            id="two lists of one name are united",
        ),
        pytest.param(
            {
                "line items": {"results": [{"id": "2", "type": "deal_to_line_item"}, {"id": "1"}]},
                "line_items": {"results": [{"id": "1", "properties": {"price": "5"}}]},
            },
            {"line_items": (Related("2"), Related("1", {"price": "5"}, AT))},
            id="with the properties that either gives, in the order of the first",
        ),
        pytest.param(
            {
                "line_items": [
                    {"id": "1", "type": "x", "name": "X", "price": 100, "updatedAt": iso(AT - 9)},
                    {"id": "2", "name": "Y", "quantity": "", "updated_at": iso(AT - 7)},
                    {"id": "3", "type": "x", "name": "Z", "label": "Sold"},
                ],
                "contacts": [{"id": "5", "name": "Ann Lee"}, {"id": "6", "lastname": "Ek"}],
            },
            {
                "line_items": (
                    Related("1", {"name": "X", "price": "100"}, AT - 9),
                    Related("2", {"name": "Y", "quantity": None}, AT - 7),
                    Related("3"),
                ),
                "contacts": (Related("5"), Related("6", {"lastname": "Ek"}, AT)),
            },
            id="properties may stand beside the id, and a name for display is none",
        ),
    ],
)
def test_association_lists(
    associations: dict[str, Any], expected: dict[str, tuple[Related, ...]]
) -> None:
    """Lists come out under canonical names, in order, without repeats."""
    assert says(snapshot(associations=associations))[0].lists == expected


@pytest.mark.parametrize(
    ("entries", "links"),
    [
        ([{"id": "2", "type": "x_to_company"}, {"id": "3", "type": "x_to_company"}], ()),
        (
            [
                {"id": "2", "type": "deal_to_company_unlabeled"},
                {"id": "3", "type": "deal_to_company"},
                {"id": "3", "type": "deal_to_company_unlabeled"},
            ],
            (Link("companies", "3", primary=True),),
        ),
        ([{"id": 3, "associationTypes": [PRIMARY]}], (Link("companies", "3", primary=True),)),
        (["2", "3"], ()),
    ],
    ids=["none", "v3", "v4", "ids"],
)
def test_a_list_that_tells_the_primary_company_says_so(
    entries: list[Any], links: tuple[Link, ...]
) -> None:
    """So that a later list of ids alone doesn't hide what an earlier one told, nor an event."""
    (found,) = says(snapshot(associations={"companies": {"results": entries}}))
    assert found.links == links


HYDRATED_LINE = {"id": "1", "properties": {"price": "5"}}
KNOWN_LINE = Related("1", {"price": "5"}, AT)


@pytest.mark.parametrize("name", ["line_items", "lineItems"])
@pytest.mark.parametrize(
    ("associations", "expected", "links"),
    [
        pytest.param(None, (KNOWN_LINE, Related("3")), (), id="the list, if it is the only one"),
        pytest.param(
            {"contacts": []}, (KNOWN_LINE, Related("3")), (), id="or the only one of line items"
        ),
        pytest.param(
            {"line items": {"results": [{"id": "2"}, {"id": "1"}]}},
            (Related("2"), KNOWN_LINE),
            (),
            id="properties of those associated, and no other line",
        ),
        pytest.param(
            {"line items": {"results": [{"id": "2"}], "paging": {"next": {"after": "2"}}}},
            (KNOWN_LINE, Related("3")),
            (Link("line_items", "2"),),
            id="the whole list where the other one is cut off",
        ),
        pytest.param({"line_items": []}, (), (), id="nothing where none are associated"),
    ],
)
def test_line_items_beside_associations(
    associations: object, expected: tuple[Related, ...], links: tuple[Link, ...], name: str
) -> None:
    """What a receiver fetched and put beside `associations` is taken, as far as it is associated."""
    lines = {name: [HYDRATED_LINE, {"id": 3}]}
    (found,) = says(snapshot(associations=associations, **lines))
    assert (found.lists["line_items"], found.links) == (expected, links)


@pytest.mark.parametrize("column", [{"total": 3}, [{"name": "Acme"}], "[URGENT]"])
def test_what_is_no_list_beside_associations_says_nothing(column: object) -> None:
    """A column may happen to be called `companies`; where it must be the list, it is refused."""
    document = snapshot(associations={"contacts": ["5"]}, companies=column)
    assert says(document)[0].lists == {"contacts": (Related("5"),)}
    with pytest.raises(UndecodableRecord):
        says({**document, "associations": None})


def test_a_list_cut_off_by_paging_is_not_the_whole_list() -> None:
    """Half of the line items must not look like all of them: the ids are additions only."""
    page = {"results": [{"id": "1"}], "paging": {"next": {"after": "100"}}}
    (found,) = says(snapshot(associations={"line items": page}))
    assert found.lists == {}
    assert found.links == (Link("line_items", "1"),)


def test_archived_is_deleted_and_not_archived_is_not() -> None:
    """An archived snapshot deletes at its archive time; a live one says that the object lives."""
    live = says(snapshot(archived=False))
    assert [one.deleted for one in live] == [False]
    for archived in (True, "true", "True", "TRUE", 1):
        gone = says(snapshot(archived=archived, archivedAt=iso(AT + 8)))
        assert [(one.kind, one.at, one.deleted) for one in gone] == [
            (ChangeKind.SNAPSHOT, AT, None),
            (ChangeKind.DELETED, AT + 8, True),
        ]
    for archived, deleted in (("False", False), (None, None), ("soon", None), ([], None)):
        assert [one.deleted for one in says(snapshot(archived=archived))] == [deleted]


def test_debezium_deletions() -> None:
    """A deleted row of objects is a deleted object; of an inbox, it's housekeeping."""
    row = {"id": "9", "properties": None, "updated_at": None}
    envelope = {"before": row, "after": None, "op": "d", "ts_ms": AT + 5, "source": {"ts_ms": AT}}
    assert says(envelope) == [Change(key=DEAL, at=AT, kind=ChangeKind.DELETED, deleted=True)]
    inbox = {"before": {"id": 7, "body": None}, "after": None, "op": "d", "ts_ms": AT}
    assert says(inbox) == []
    assert decode(Written(None, b"9", AT), DEALS) == []
    assert says({"schema": None, "payload": None}) == []
    assert says({"op": "t", "before": None, "after": None, "ts_ms": AT}) == []


def test_deletions_that_name_no_object_are_refused() -> None:
    """A deletion must not vanish because its row or its key can't be read."""
    for document, reason in (
        ({"before": None, "after": None, "op": "d", "ts_ms": AT}, "unknown_shape"),
        ({"before": {"dealname": "A"}, "after": None, "op": "d", "ts_ms": AT}, "bad_id"),
        (
            {
                "operation": "delete",
                "metadata": {},
                "key": "?",
                "payload": {"before": None, "after": None},
            },
            "bad_id",
        ),
    ):
        with pytest.raises(UndecodableRecord) as refusal:
            says(document)
        assert refusal.value.reason == reason


def test_opencdc_deletion_needs_only_the_key() -> None:
    """Conduit's deletes carry no object; the id is in the key, plain or base64."""
    for key in ("9", base64.b64encode(b"9").decode(), {"id": 9}):
        document = {
            "operation": "delete",
            "metadata": {"opencdc.createdAt": str(AT * 10**6)},
            "position": "",
            "key": key,
            "payload": {"before": None, "after": None},
        }
        assert says(document) == [Change(key=DEAL, at=AT, kind=ChangeKind.DELETED, deleted=True)]


def test_what_a_record_says_of_itself_beats_the_topic() -> None:
    """Type by stream, collection, table or type id; streams that aren't read give nothing."""
    data = {"id": 9, "properties": {"email": "a"}, "updatedAt": iso(AT)}
    contact = {"_airbyte_stream": "contacts", "_airbyte_data": data}
    assert says(contact)[0].key.type == ObjectType.CONTACT
    no_type = TopicSettings(portal_id=4711)
    assert says({"_airbyte_stream": "owners", "_airbyte_data": data}, no_type) == []
    table = {"op": "c", "before": None, "after": snapshot(), "source": {"table": "hubspot_quotes"}}
    assert says(table)[0].key.type == ObjectType.QUOTE


@pytest.mark.parametrize("field", ["objectTypeId", "object_type", "objectType"])
def test_an_object_may_name_its_own_type(field: str) -> None:
    """A contact on the deals' topic is no deal of that id, and a ticket is none of ours."""
    for name, type_ in (("0-1", "contact"), ("contact", "contact"), ("DEALS", "deal")):
        assert says(snapshot(**{field: name}))[0].key.type == type_
    for name in ("0-5", "ticket"):
        assert says(snapshot(**{field: name})) == []
    row = {"_meta": {"op": "u"}, "id": 9, "dealname": "A", field: "0-3"}
    assert says(row)[0].properties == {"dealname": "A"}


OTHERS = (
    "tickets", "owners", "engagements", "engagements_calls", "emails", "calls", "tasks", "meetings",
    "notes", "forms", "campaigns", "contact_lists", "deal_pipelines", "subscriptions", "taxes",
    "deals_property_history", "owners_archived", "0-5", "2-1234567",
)  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("spelling", ["{}", "hubspot.{}", "public.hubspot_{}", "crm_{}"])
def test_what_is_plainly_another_object_is_none_of_the_topics(name: str, spelling: str) -> None:
    """Where all streams or tables share a topic, a ticket of the same id is not folded into a deal."""
    named, row = spelling.format(name), {"id": 9, "hs_object_id": "9", "subject": "Late"}
    raw = base64.b64encode(b'{"id": 9, "properties": {}}').decode()
    for document in (
        {"_airbyte_stream": named, "_airbyte_data": row},
        {"op": "c", "before": None, "after": row, "source": {"table": named}},
        {"op": "d", "before": row, "after": None, "source": {"table": named}},
        {**row, "__op": "c", "__table": named},
        {"aggregatetype": named, "aggregateid": "9", "payload": row},
        {"operation": "create", "position": "", "metadata": {"opencdc.collection": named},
         "payload": {"before": None, "after": raw}},
    ):  # fmt: skip
        assert says(document) == []


def test_unknown_names_are_of_the_topics_type() -> None:
    """A table of one's own is what the topic's settings say, and so is a stream of archived deals."""
    for name in ("crm_objects", "inbox", "sales", "deals_archived", "", None):
        row = {"id": 9, "hs_object_id": "9", "dealname": "A"}
        table = {"op": "c", "before": None, "after": row, "source": {"table": name}}
        for document in (table, {"_airbyte_stream": name, "_airbyte_data": row}):
            assert says(document)[0].key == DEAL


def test_an_event_in_a_table_of_any_name_says_what_it_is_about() -> None:
    """An inbox may be called `tasks`: the events in it name their objects themselves."""
    event = {"subscriptionType": "deal.creation", "objectId": 9, "occurredAt": AT}
    row = {"id": 1, "payload": event}
    table = {"op": "c", "before": None, "after": row, "source": {"table": "tasks"}}
    assert says(table) == [Change(key=DEAL, at=AT, kind=ChangeKind.CREATED)]


def _opencdc(operation: str, before: Any, after: Any) -> dict[str, Any]:
    metadata = {"opencdc.collection": "hubspot_inbox", "opencdc.readAt": str(AT * 10**6)}
    payload = {"before": before, "after": after}
    key = {"id": 1}
    return {
        "operation": operation, "position": "", "metadata": metadata, "key": key, "payload": payload
    }  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda row: {"op": "c", "before": None, "after": row}, id="Debezium"),
        pytest.param(lambda row: {**row, "__op": "c"}, id="Debezium, flattened"),
        pytest.param(lambda row: {"schema": {"type": "struct"}, "payload": row}, id="Connect"),
        pytest.param(lambda row: row, id="Connect without schemas"),
        pytest.param(lambda row: _opencdc("create", None, row), id="OpenCDC"),
        pytest.param(
            lambda row: {"_airbyte_stream": "hubspot_inbox", "_airbyte_data": row}, id="Airbyte"
        ),
        pytest.param(lambda row: {**row, "_airbyte_raw_id": "7"}, id="Airbyte, flattened"),
        pytest.param(lambda row: {**row, "_meta": {"op": "c"}}, id="Estuary"),
    ],
)
def test_a_row_of_an_inbox_says_what_the_record_in_it_says(written: Any) -> None:
    """Whatever reads the receiver's table: the number of its row is no deal's id."""
    event = {"subscriptionType": "deal.creation", "objectId": 9, "occurredAt": AT}
    expected = [Change(key=DEAL, at=AT, kind=ChangeKind.CREATED)]
    for body in (event, [event], json.dumps([event]), json.dumps(event, indent=1) + "\n"):
        assert says(written({"id": 1, "payload": body, "received_at": AT})) == expected
    with pytest.raises(UndecodableRecord) as refusal:
        says(written({"id": 1, "payload": {"properties": {}, "updatedAt": iso(AT)}}))
    assert refusal.value.reason == "bad_id"


@pytest.mark.parametrize(
    "document",
    [
        {"op": "d", "before": {"id": 1, "payload": None}, "after": None},
        {"id": 1, "payload": None, "__op": "d"},
        _opencdc("delete", {"id": 1, "payload": "[]"}, None),
        {"id": 1, "payload": None, "_meta": {"op": "d"}},
    ],
    ids=["Debezium", "Debezium, flattened", "OpenCDC", "Estuary"],
)
def test_a_row_of_an_inbox_that_is_cleaned_up_deletes_no_object(document: object) -> None:
    """Receivers delete what they have passed on."""
    assert says(document) == []


def test_a_column_that_only_looks_like_a_record_hides_no_object() -> None:
    """A message may begin with a bracket."""
    row = {"id": 9, "message": "[URGENT] call them", "value": "7"}
    assert says({"schema": {}, "payload": row})[0].properties == {
        "message": "[URGENT] call them",
        "value": "7",
    }


@pytest.mark.parametrize("connected", [False, True], ids=["bare", "in Connect"])
@pytest.mark.parametrize("form", ["JSON", "text", "base64"])
def test_a_cloudevent_says_what_its_data_say(form: str, connected: bool) -> None:
    """Its own id is no deal's, its type tells what the object is, its time stands in for one."""

    def event(data: object, **fields: Any) -> dict[str, Any]:
        found = {
            "specversion": "1.0",
            "id": "e1",
            "source": "/hubspot",
            "type": "changed",
            **fields,
        }
        text = json.dumps(data)
        if form == "base64":
            found["data_base64"] = base64.b64encode(text.encode()).decode()
        else:
            found["data"] = text if form == "text" else data
        return {"schema": {}, "payload": found} if connected else found

    creation = {"subscriptionType": "deal.creation", "objectId": 9, "occurredAt": AT}
    assert says(event([creation])) == [Change(key=DEAL, at=AT, kind=ChangeKind.CREATED)]
    undated = {"id": "9", "properties": {"dealname": "A"}}
    (found,) = says(event(undated, time=iso(AT - 7)))
    assert (found.key, found.at, found.properties) == (DEAL, AT - 7, {"dealname": "A"})
    for type_, expected in (
        ("com.example.quote.updated", "quote"),
        ("hubspot:contact/propertyChange", "contact"),
        ("deal.contact.associated", "deal"),
        ("com.example.order.won", "deal"),
    ):
        assert says(event(undated, type=type_))[0].key.type == expected
    for data in ({"id": "e2", "status": "late"}, 7):
        with pytest.raises(UndecodableRecord) as refusal:
            says(event(data))
        assert refusal.value.reason == "unknown_shape"


@pytest.mark.parametrize("connected", [False, True], ids=["bare", "in Connect"])
def test_a_cloudevent_without_readable_data_is_refused(connected: bool) -> None:
    """And is no object that bears the event's id."""
    for fields, reason in (({}, "unknown_shape"), ({"data_base64": "?"}, "not_json")):
        event = {"specversion": "1.0", "id": "e1", "source": "/", "type": "t", **fields}
        with pytest.raises(UndecodableRecord) as refusal:
            says({"schema": {}, "payload": event} if connected else event)
        assert refusal.value.reason == reason


def test_null_associations_of_airbyte_say_nothing() -> None:
    """Incremental syncs leave associations out or null: that is not an empty list."""
    data = {"id": 9, "properties": {}, "line_items": None, "contacts": [1]}
    (found,) = says({"_airbyte_data": data, "_airbyte_emitted_at": AT})
    assert found.lists == {"contacts": (Related("1"),)}


def test_a_forced_format_reads_what_auto_would_refuse() -> None:
    """A topic of plain table rows is read when its settings say so, and only then."""
    row = {"id": 9, "dealname": "A", "updated_at": AT}
    with pytest.raises(UndecodableRecord) as refusal:
        says(row)
    assert refusal.value.reason == "unknown_shape"
    forced = TopicSettings(ObjectType.DEAL, 4711, format="snapshot")
    assert says(row, forced)[0].properties == {"dealname": "A"}
    with pytest.raises(UndecodableRecord):
        says(snapshot(), TopicSettings(ObjectType.DEAL, 4711, format="debezium"))
    with pytest.raises(ConfigurationError, match="airbyte"):
        TopicSettings(format="xml")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"", "not_json", id="nothing"),
        pytest.param(b"hello", "not_json", id="text"),
        pytest.param(b"{'id': 9}", "not_json", id="Python, not JSON"),
        pytest.param(b'{"id":NaN,"properties":{}}', "not_json", id="NaN"),
        pytest.param(b'{"id":9,"properties":{"a":-Infinity}}', "not_json", id="Infinity"),
        pytest.param(b'{"id":9,"properties":{"a":"\\ud800"}}', "not_json", id="lone surrogate"),
        pytest.param(b'{"id":9,"properties":{"a":"\xff"}}', "encoding", id="bad UTF-8"),
        pytest.param(b'{"id":9,"properties":{"a":"\xed\xa0\x80"}}', "encoding", id="CESU"),
        pytest.param(b"[" * 100_000, "too_deep", id="a hundred thousand brackets"),
        pytest.param(b"[[]]", "unknown_shape", id="an array in an array"),
        pytest.param(b'{"id":9,"properties":{"a":' + b"9" * 5000 + b"}}", "number", id="digits"),
        pytest.param(b'{"id":9,"properties":{"a":' + b"9" * 90 + b"}}", "number", id="90 digits"),
        pytest.param(b'{"id":9,"properties":{"a":1e400}}', "number", id="1e400"),
        pytest.param(b'{"id":9,"properties":{"a":1e-400}}', "number", id="1e-400"),
        pytest.param(b'{"id":9,"properties":{"a":1e99999999999999999999}}', "number", id="1e9…"),
        pytest.param(b'"' + b"x" * (1 << 20) + b'"', "too_large", id="1 MiB of text"),
        pytest.param(b"\x00\x00\x00\x00\x07\x02abc", "schema_registry", id="Avro"),
        pytest.param(b"\x00\x00\x00\x00\x07{abc", "schema_registry", id="Avro that opens a brace"),
        pytest.param(b"{}", "unknown_shape", id="an empty object"),
        pytest.param(b"7", "unknown_shape", id="a number"),
        pytest.param(b'"closedwon"', "unknown_shape", id="a word"),
        pytest.param(b"[1]", "unknown_shape", id="numbers"),
        pytest.param(b"[null]", "unknown_shape", id="nothing in an array"),
        pytest.param(b'{"results":' * 8 + b"[]" + b"}" * 8, "unknown_shape", id="pages of pages"),
        pytest.param(
            b'{"schema":1,"payload":' * 8 + b"{}" + b"}" * 8, "too_deep", id="eight envelopes"
        ),
        pytest.param(b'{"id":9,"hello":"world"}', "unknown_shape", id="some other object"),
        pytest.param(b'{"id":9,"properties":[1]}', "unknown_shape", id="properties as a list"),
        pytest.param(b'{"id":9,"properties":{},"associations":7}', "unknown_shape", id="assoc. 7"),
        pytest.param(b'{"properties":{},"updatedAt":null}', "bad_id", id="no id"),
        pytest.param(b'{"id":"a b","properties":{}}', "bad_id", id="an id with a space"),
        pytest.param(b'{"id":"9\\u0000","properties":{}}', None, id="NUL in an id is dropped"),
        pytest.param(b'{"id":9,"properties":{},"updatedAt":"x"}', "bad_time", id="no instant"),
        pytest.param(b'{"id":9,"properties":{},"updatedAt":5}', "bad_time", id="1970"),
        pytest.param(
            b'{"id":9,"properties":{},"associations":{"contacts":{"results":[{}]}}}',
            "bad_id",
            id="an associated object without id",
        ),
        pytest.param(b'{"_airbyte_data":[1]}', "unknown_shape", id="Airbyte around a list"),
        pytest.param(b'{"op":"u","after":null}', "unknown_shape", id="a null row written"),
        pytest.param(b'{"op":"d"}', "unknown_shape", id="a deletion of nothing"),
    ],
)
def test_garbage(value: bytes, reason: str | None) -> None:
    """Every kind of garbage has its reason, and the reason never quotes much of the record."""
    if reason is None:
        assert says(value)[0].key == DEAL
        return
    with pytest.raises(UndecodableRecord) as refusal:
        says(value)
    assert refusal.value.reason == reason
    assert 0 < len(refusal.value.detail) < 200


def test_a_snapshot_needs_a_type_and_a_portal() -> None:
    """REST snapshots name neither: without settings they are refused, saying what to set."""
    for topic, reason in (
        (TopicSettings(None, 4711), "no_object_type"),
        (TopicSettings(ObjectType.DEAL), "no_portal"),
    ):
        with pytest.raises(UndecodableRecord) as refusal:
            says(snapshot(), topic)
        assert refusal.value.reason == reason
        assert "settings" in refusal.value.detail


def test_json_behind_a_schema_registrys_prefix_is_read() -> None:
    """The JSON Schema serialiser frames plain JSON: no registry is needed to read it."""
    value = record(snapshot(), AT).value
    assert value is not None
    assert says(b"\x00\x00\x00\x00\x07" + value)[0].key == DEAL


def test_a_byte_order_mark_is_no_part_of_the_record() -> None:
    """Some producers write one before their UTF-8; it is none of the text."""
    value = record(snapshot(), AT).value
    assert value is not None
    assert says(b"\xef\xbb\xbf" + value) == says(value)
    for other in (b"\xef\xbb\xbf", b"\xef\xbb" + value):
        with pytest.raises(UndecodableRecord):
            says(other)


@pytest.mark.parametrize(
    ("id_", "told"),
    [
        (None, "null"),
        (True, "true"),
        (-7, "-7"),
        (Decimal("12.5"), "12.5"),
        (Decimal("0." + "3" * 40), "0.333333333333333333333…"),
        (10**40, "a huge number"),
        ([1], "a list"),
        ({"a": 1}, "a map"),
        ("a b" * 60, f"'{'a b' * 8}'"),
    ],
)
def test_a_refusal_shows_the_value_and_not_what_python_calls_it(id_: object, told: str) -> None:
    """Of a text no more than its beginning."""
    with pytest.raises(UndecodableRecord) as refusal:
        values.ident(id_)
    assert refusal.value.detail == f"{told} is not an object id"
