"""Whole objects that say what their properties were before."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from reconciler.model import Change, ChangeKind, ObjectKey, ObjectType
from reconciler.objects.fold import fold
from streams.formats import TopicSettings, decode
from tests.deciding import one_workflow, only, stamped
from tests.feeds import iso, record

AT = 1_769_817_600_000  # 31 January 2026, 00:00 UTC
DAY = 86_400_000
DEALS = TopicSettings(ObjectType.DEAL, 4711)
DEAL = ObjectKey(4711, ObjectType.DEAL, "9")


def says(document: object) -> list[Change]:
    return decode(record(document, AT), DEALS)


def before(at: int, **properties: str | None) -> Change:
    return Change(key=DEAL, at=at, kind=ChangeKind.PROPERTY, properties=properties)


def entry(value: object, at: object) -> dict[str, Any]:
    return {"value": value, "timestamp": at, "sourceType": "CRM_UI", "updatedByUserId": 7}


STAGES = [entry("open", iso(AT - 1)), entry("closedwon", iso(AT - DAY)), entry("open", "")]
NOW = {"dealstage": "open", "amount": "100"}


def with_history(**histories: object) -> dict[str, Any]:
    document = {"id": "9", "properties": NOW, "updatedAt": iso(AT)}
    return {**document, "propertiesWithHistory": histories}


def as_text(document: dict[str, Any]) -> dict[str, Any]:
    field = "propertiesWithHistory"
    told = {name: value for name, value in document.items() if name != field}
    return {**told, "properties_with_history": json.dumps(document[field])}


def flattened(document: dict[str, Any]) -> dict[str, Any]:
    beside = {f"properties_{name}": value for name, value in document["properties"].items()}
    return {**{k: v for k, v in as_text(document).items() if k != "properties"}, **beside}


def of_v1(document: dict[str, Any]) -> dict[str, Any]:
    (newest, *older) = document["propertiesWithHistory"]["dealstage"]
    return {
        "id": 9,
        "updatedAt": document["updatedAt"],
        "properties": {
            "dealstage": {**newest, "versions": [{**one, "name": "dealstage"} for one in older]},
            "amount": {"value": "100", "timestamp": 0, "source": "API"},
        },
    }


@pytest.mark.parametrize("written", [dict, as_text, flattened, of_v1])
def test_what_was_before_is_said_with_its_date(written: Any) -> None:
    """The object as it is, and each value at the time that it has; an entry without one says nothing."""
    whole, *dated = says(written(with_history(dealstage=STAGES)))
    assert (whole.at, whole.kind, whole.properties) == (AT, ChangeKind.SNAPSHOT, NOW)
    assert dated == [before(AT - DAY, dealstage="closedwon"), before(AT - 1, dealstage="open")]


def test_what_was_so_at_one_instant_is_one_change() -> None:
    """But for two values of one property, of which neither is lost."""
    found = says(
        with_history(
            dealstage=[entry("won", AT - 5), entry("paid", AT - 5)],
            closedate=[entry(str(AT - DAY), str(AT - 5)), entry(None, AT - 9)],
            amount="none",
            dealname=[None, {"timestamp": AT}],
        )
    )
    assert found[1:] == [
        before(AT - 9, closedate=None),
        before(AT - 5, dealstage="won", closedate=iso(AT - DAY)),
        before(AT - 5, dealstage="paid"),
    ]


def test_an_archived_object_was_something_before() -> None:
    """Its history is told and the deletion comes last; a last look says nothing else."""
    document = with_history(dealstage=STAGES)
    kinds = [one.kind for one in says({**document, "archived": True})]
    assert kinds == ["snapshot", "property", "property", "deleted"]
    gone = {"_meta": {"op": "d"}, **document}
    assert [one.kind for one in says(gone)] == ["deleted"]


def test_a_map_is_no_version_of_a_value() -> None:
    """A property of any other kind is kept as its JSON."""
    document = {"id": 9, "properties": {"options": {"value": 1}, "a": {}}, "updatedAt": iso(AT)}
    assert says(document)[0].properties == {"options": '{"value":1}', "a": "{}"}


def test_a_deal_that_was_won_before_it_was_first_read_is_billed() -> None:
    """Any moment of the known history enrols, in whatever order it is told."""
    won = with_history(dealstage=STAGES)
    won["associations"] = {
        "contacts": [{"id": "5", "properties": {"lastname": "Ek", "email": "e@x.com"}}],
        "line items": [{"id": "6", "properties": {"name": "X", "price": "5", "quantity": "1"}}],
    }
    changes = says(won)
    found = only(one_workflow("deal", "invoice"), *changes)
    assert (found.state, found.enrolled_at) == ("wanted", AT - DAY)
    shuffled = changes * 2
    random.Random(7).shuffle(shuffled)
    assert stamped(fold(None, shuffled)) == stamped(fold(None, changes))
