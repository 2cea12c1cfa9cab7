"""HubSpot's API as bytes: what is asked for is what documents are made of, and what answers mean."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from reconciler.deciding import content, quotes, source
from reconciler.errors import HubSpotBusy, HubSpotRefused
from reconciler.hubspot import properties, protocol
from reconciler.model import Link, ObjectType
from reconciler.objects.fold import DEFAULT_WATCHED
from reconciler.workflows import load
from streams.formats import TopicSettings, decode
from tests.feeds import Written

READ = re.compile(r"""(?:\.get\(|money\(\w+(?:\.properties)?, |for name in \()"(\w+)\"""")
NAMES_LISTED = re.compile(r'for name in \(((?:"\w+",? ?)+)\)')

WORKFLOWS = """
version: 1
portal_id: 4711
companies:
  us:
    realm_id: "9341450000000001"
    contacts: data_sync
    contact_filter: [{property: lifecyclestage, operator: is_known}]
workflows:
  - name: w
    object: deal
    enrol: [{property: region, operator: is_known}]
    actions: [{create: invoice, company: us, create_missing_products: no, memo: "{po_number}"}]
"""


def test_what_documents_are_made_of_is_asked_for() -> None:
    """Every property that `content`, `quotes` and `source` read is among those fetched, or is watched."""
    read: set[str] = set()
    for module in (content, quotes, source):
        text = inspect.getsource(module)
        read |= set(READ.findall(text))
        for listed in NAMES_LISTED.findall(text):
            read |= set(re.findall(r"\w+", listed))
    assert len(read) > 20
    asked = set[str]().union(*properties.NEEDED.values(), *DEFAULT_WATCHED.values())
    lists = {"products"}
    assert read - asked - lists == set()


def test_what_the_workflows_read_is_asked_for() -> None:
    """Filters, templates and the contact filter add their properties to the object's type."""
    wanted = properties.wanted(load(WORKFLOWS))
    assert {"region", "po_number", "amount"} <= set(wanted[ObjectType.DEAL])
    assert {"lifecyclestage", "email"} <= set(wanted[ObjectType.CONTACT])
    assert "region" not in wanted[ObjectType.QUOTE]


def test_associations_keep_hubspots_order_and_say_if_there_are_more() -> None:
    """One object under several labels counts once; `after` is where the next page begins."""
    answer = b"""{"results": [
        {"from": {"id": "1"}, "to": [{"toObjectId": 9}, {"toObjectId": 3}, {"toObjectId": 9}],
         "paging": {"next": {"after": "Mg=="}}},
        {"from": {"id": "2"}, "to": [{"toObjectId": 4}]}], "errors": [{"status": "error"}]}"""
    assert protocol.associations(answer) == {
        "1": protocol.Associated(("9", "3"), "Mg=="),
        "2": protocol.Associated(("4",), None),
    }


def test_the_primary_company_comes_first() -> None:
    """HubSpot tells it by a type of its own; a label of the portal's may have the same number."""
    answer = b"""{"results": [{"from": {"id": "1"}, "to": [
        {"toObjectId": 9, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 341},
                                               {"category": "USER_DEFINED", "typeId": 5}]},
        {"toObjectId": 4, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 341}]},
        {"toObjectId": 3, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 5},
                                               {"category": "HUBSPOT_DEFINED", "typeId": 341}]}]}]}"""
    found = protocol.associations(answer)["1"]
    assert found == protocol.Associated(("3", "9", "4"), None, "3")
    first = protocol.Associated(("8",), "Mg==")
    assert first.then(found) == protocol.Associated(("3", "8", "9", "4"), None, "3")


def test_a_fetched_object_tells_which_company_is_the_primary_one() -> None:
    """As HubSpot's own lists do: by the type of its association."""
    deal = protocol.HubSpotObject("9", {}, updated_at="2026-01-31T00:00:00Z")
    body = protocol.snapshot(4711, deal, {"companies": ["3", "4"], "contacts": ["3"]}, "3")
    read = Written(body, None, 0)
    (change,) = decode(read, TopicSettings(ObjectType.DEAL))
    assert change.links == (Link("companies", "3", primary=True),)
    assert [one.id for one in change.lists["companies"]] == ["3", "4"]


@pytest.mark.parametrize(
    ("status", "answer", "header", "wait"),
    [
        (
            429,
            b'{"message": "limit", "policyName": "TEN_SECONDLY_ROLLING"}',
            "",
            timedelta(seconds=10),
        ),
        (429, b'{"message": "limit", "policyName": "DAILY"}', "", timedelta(minutes=15)),
        (429, b"<html>", "7", timedelta(seconds=7)),
        (429, b"<html>", "9" * 5000, timedelta(hours=1)),
        (502, b"<html>", "", timedelta(seconds=10)),
        (423, b"{}", "", timedelta(seconds=10)),
    ],
)
def test_what_passes_is_waited_for(
    status: int, answer: bytes, header: str, wait: timedelta
) -> None:
    """Throttling and trouble of HubSpot's own come with how long to leave it alone."""
    error = protocol.failure(status, answer, header)
    assert isinstance(error, HubSpotBusy)
    assert error.retry_after == wait


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_a_person_must_mend_says_so(status: int) -> None:
    """HubSpot's own sentence is passed on, cut to a reasonable length."""
    error = protocol.failure(status, msgspec.json.encode({"message": "no scope" + "!" * 999}))
    assert isinstance(error, HubSpotRefused)
    assert str(error).startswith("HubSpot: no scope!")
    assert len(str(error)) < 350


@pytest.mark.parametrize("status", [200, 201, 204, 207])
def test_success_is_no_error(status: int) -> None:
    """Also the 207 of a batch of which some was not found."""
    assert protocol.failure(status, b"") is None


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[",
        b"[]",
        b'{"results": [{"id": 1}]}',
        b'"a text"',
        b'{"results": null}',
        b'{"results": [7]}',
        b'{"results": [{"to": [{"toObjectId": 9}]}]}',
        b'{"results": [{"from": {"id": "1"}, "to": [{"id": 9}]}]}',
        b'{"results": [{"from": {"id": "1"}, "to": [{"toObjectId": 9, "associationTypes": [1]}]}]}',
        b'{"results": [{"from": {"id": "1"}, "to": [], "paging": [1]}]}',
        b"<html>",
        b'{"results": [{"from": {"id": "\xff"}}]}',
    ],
)
@pytest.mark.parametrize("read", [protocol.associations, protocol.objects])
def test_an_answer_of_another_shape_is_asked_for_again(
    read: Callable[[bytes], object], answer: bytes
) -> None:
    """It is HubSpot's trouble, or a proxy's, and passes like any other of theirs."""
    with pytest.raises(HubSpotBusy, match="not what the API documents"):
        read(answer)
