"""One history, written in every format, gives the same object."""

from __future__ import annotations

import random

import pytest

from reconciler.deciding.decide import Verdict, decide
from reconciler.model import Change, ObjectKey, ObjectType, SourceObject
from reconciler.objects.fold import fold
from reconciler.objects.joining import joined
from reconciler.objects.reading import associated
from streams.formats import TopicSettings, decode
from tests.deciding import file, stamped
from tests.feeds import HYDRATED, IDS_ONLY, THIN, Associated, History, Step, Writer, iso

START = 1_760_000_000_123
CONTACTS: Associated = (
    ("202", {"firstname": "Bo", "lastname": "Ek", "email": "bo@example.com", "phone": None}),
    ("201", {"firstname": "Ann", "lastname": "Lee", "email": "ann@example.com", "phone": "5"}),
)
LINES: Associated = (
    ("301", {"name": "Consulting", "quantity": "2", "price": "49.90", "hs_sku": "007"}),
    ("302", {"name": "Licence", "quantity": "1", "price": "0.10", "hs_product_id": "77"}),
)


def history(type_: ObjectType, *, deleted: bool) -> History:
    """Four steps that exercise dates, empties, numbers and lists that grow and shrink."""
    steps = []
    for index, stage in enumerate(("open", "open", "closedwon", "paid")):
        at = START + index * 1000
        properties = {
            "hs_object_id": "1009",
            "dealname": "Größe 10.10 \\ “x”" if index else None,
            "dealstage": stage,
            "amount": ("100", "100.50", "0.10", "12345678901234567.89")[index],
            "hs_is_closed_won": "true" if index > 1 else "false",
            "closedate": iso(START + index * 7) if index else None,
            "hs_lastmodifieddate": iso(at),
        }
        lines = LINES[: (0, 2, 1, 2)[index]]
        steps.append(Step(at, properties, {"contacts": CONTACTS, "line_items": lines}))
    if deleted:
        steps.append(Step(START + 9000, deleted=True))
    return History(ObjectKey(4711, type_, "1009"), tuple(steps))


def decoded(writer: Writer, told: History) -> list[Change]:
    topic = TopicSettings(told.key.type, told.key.portal_id)
    return [change for one in writer(told) for change in decode(one, topic)]


def folded(writer: Writer, told: History) -> SourceObject:
    return fold(None, decoded(writer, told))


def companions_of(name: str) -> dict[ObjectKey, SourceObject]:
    """The contacts and line items as their own topics tell them in that format."""
    companions = {}
    for type_, items in ((ObjectType.CONTACT, CONTACTS), (ObjectType.LINE_ITEM, LINES)):
        for id_, properties in items:
            one = History(ObjectKey(4711, type_, id_), (Step(START, properties or {}),))
            companions[one.key] = folded(IDS_ONLY[name], one)
    return companions


@pytest.mark.parametrize("deleted", [False, True], ids=["kept", "deleted"])
@pytest.mark.parametrize("type_", [ObjectType.DEAL, ObjectType.QUOTE, ObjectType.PAYMENT])
@pytest.mark.parametrize("name", HYDRATED)
def test_formats_that_say_everything_give_the_same_object(
    name: str, type_: ObjectType, deleted: bool
) -> None:
    """Properties, history, lists, related objects and deletion are equal to the millisecond."""
    told = history(type_, deleted=deleted)
    expected = folded(HYDRATED["rest"], told)
    assert expected.properties["amount"] == "12345678901234567.89"
    assert expected.properties["closedate"] == iso(START + 21)
    assert [one.id for one in associated(expected, "contacts") or ()] == ["202", "201"]
    assert expected.is_deleted == deleted
    assert facts(folded(HYDRATED[name], told)) == facts(expected)


def facts(obj: SourceObject) -> dict[str, object]:
    """All that is known, but for what only events tell: that a value came by a change."""
    known = stamped(obj)
    del known["first_is_change"]
    return known


WORKFLOWS = file("""
  - name: Bill
    object: deal
    enrol: [{property: dealstage, operator: is_any_of, values: [closedwon]}]
    actions:
      - {create: invoice, company: us, create_missing_products: yes, payment_terms: Net 30}
      - {create: estimate, company: us, create_missing_products: yes}
""")


def documents(obj: SourceObject) -> list[Verdict]:
    return decide(obj, None, WORKFLOWS.workflows, {})


@pytest.mark.parametrize("name", [*HYDRATED, *IDS_ONLY])
def test_every_format_calls_for_the_same_documents(name: str) -> None:
    """An invoice and an estimate, equal in every field, dated by the same enrolment."""
    told = history(ObjectType.DEAL, deleted=False)
    expected = documents(folded(HYDRATED["rest"], told))
    assert [(each.key.action, each.content is not None) for each in expected] == [
        ("estimate", True),
        ("invoice", True),
    ]
    writer = HYDRATED.get(name) or IDS_ONLY[name]
    obj = folded(writer, told)
    if name in IDS_ONLY:
        obj = joined(obj, companions_of(name))
    assert documents(obj) == expected


@pytest.mark.parametrize("name", HYDRATED)
def test_disorder_and_repeats_change_nothing_in_any_format(name: str) -> None:
    """Records shuffled and doubled fold into what they say in order."""
    told = history(ObjectType.DEAL, deleted=True)
    changes = decoded(HYDRATED[name], told) * 2
    random.Random(name).shuffle(changes)  # a fixed seed per format
    assert facts(fold(None, changes)) == facts(folded(HYDRATED["rest"], told))


@pytest.mark.parametrize("name", IDS_ONLY)
def test_formats_with_ids_only_agree_once_companions_are_joined(name: str) -> None:
    """Bare ids plus contacts and line items from their own topics read like a hydrated snapshot."""
    told = history(ObjectType.DEAL, deleted=False)
    expected = folded(HYDRATED["rest"], told)
    obj = folded(IDS_ONLY[name], told)
    assert stamped(obj) == {**stamped(expected), "related": {}}
    read = joined(obj, companions_of(name))
    for list_ in ("contacts", "line_items"):
        ours, theirs = associated(read, list_), associated(expected, list_)
        assert ours is not None
        assert theirs is not None
        assert [(one.id, one.properties) for one in ours] == [
            (one.id, one.properties) for one in theirs
        ]


@pytest.mark.parametrize("deleted", [False, True], ids=["kept", "deleted"])
@pytest.mark.parametrize("type_", [ObjectType.DEAL, ObjectType.QUOTE, ObjectType.PAYMENT])
@pytest.mark.parametrize("name", THIN)
def test_thin_events_agree_on_all_they_can_say(name: str, type_: ObjectType, deleted: bool) -> None:
    """Property events give the same values and the same dated history; lists stay not known."""
    told = history(type_, deleted=deleted)
    obj = folded(THIN[name], told)
    expected = stamped(folded(HYDRATED["rest"], told))
    assert {key: stamped(obj)[key] for key in ("key", "properties", "history", "changed_at")} == {
        key: expected[key] for key in ("key", "properties", "history", "changed_at")
    }
    assert obj.is_deleted == deleted
    assert associated(obj, "line_items") is None
