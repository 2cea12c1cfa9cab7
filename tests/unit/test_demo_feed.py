"""The demo's feed: the same for the same seed, full of what real feeds hold, consistent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from reconciler.demo import noise
from reconciler.demo.basket import BasketLine, Product
from reconciler.demo.catalogue import CANADA, US, US_EAST, catalogue
from reconciler.demo.expectation import Wanted
from reconciler.demo.feed import Feed, FeedRecord, Topics, generate
from reconciler.demo.shapes import Associated, Envelope, association_event, property_event, snapshot
from reconciler.demo.stories import RECIPES

SEEDS = range(20)


@pytest.fixture(scope="module", params=SEEDS)
def feed(request: pytest.FixtureRequest) -> Feed:
    return generate(request.param)


def decoded(record: FeedRecord) -> Any:
    """The record's JSON, None for tombstones and for what is no JSON."""
    return _json(record.value or b"")


@cache
def _json(value: bytes) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def events(feed: Feed) -> list[dict[str, Any]]:
    """Every webhook event of the feed, however it was wrapped."""
    found = []
    for record in feed.records:
        body = decoded(record)
        wrapped = body if isinstance(body, list) else [body]
        candidates = [one.get("event", one) for one in wrapped if isinstance(one, dict)]
        found += [event for event in candidates if "eventId" in event]
    return found


def snapshots(feed: Feed) -> list[dict[str, Any]]:
    """Every whole object of the feed that has an id and properties."""
    found = []
    for record in feed.records:
        body = decoded(record)
        if isinstance(body, dict):
            whole = body.get("object", body)
            if isinstance(whole, dict) and isinstance(whole.get("associations"), dict):
                found.append(whole)
    return found


def test_same_seed_same_feed() -> None:
    """A failing demo can be run again: the seed decides every byte and the whole expectation."""
    first, second = generate(11), generate(11)
    assert first.records == second.records
    assert first.expectation == second.expectation
    assert generate(12).records != first.records


def test_topics_are_named_by_the_caller() -> None:
    """Records go to the topics asked for, and to no others."""
    names = Topics("a.deals", "a.quotes", "a.payments")
    assert {record.topic for record in generate(1, topics=names).records} == set(names)


def test_size(feed: Feed) -> None:
    """At least the objects asked for, and a thousand records over three topics."""
    assert feed.objects >= 320
    assert len(feed.records) >= 1_000
    assert {record.topic for record in feed.records} == set(Topics())


def test_every_story_is_told(feed: Feed) -> None:
    """No seed leaves a situation out."""
    assert {recipe.name for recipe in RECIPES} == set(feed.stories)
    for recipe in RECIPES:
        assert feed.stories[recipe.name] >= recipe.at_least


def test_grows_as_asked() -> None:
    """Larger feeds are larger by objects, not by luck."""
    assert generate(3, objects=1_000).objects == 1_000


def test_every_shape_is_there(feed: Feed) -> None:
    """Arrays, bare events, hydrated events, both spellings, tombstones, both names of the kind."""
    bodies = [decoded(record) for record in feed.records]
    keys = {key for whole in snapshots(feed) for key in whole["associations"]}
    assert {"line items", "line_items", "contacts", "invoices", "deals", "companies"} <= keys
    assert any(isinstance(body, list) and len(body) > 1 for body in bodies)
    assert any(isinstance(body, dict) and "eventId" in body for body in bodies)
    assert any(isinstance(body, dict) and "event" in body for body in bodies)
    assert any(record.value is None and record.key for record in feed.records)
    assert any(record.key is None for record in feed.records)
    assert {"subscriptionType", "eventType"} <= {key for event in events(feed) for key in event}


def test_arrays_mix_objects(feed: Feed) -> None:
    """Some webhook posts tell of several objects at once."""
    arrays = [body for record in feed.records if isinstance(body := decoded(record), list)]
    told = [{str(event.get("objectId")) for event in body} for body in arrays if len(body) > 1]
    assert any(len(ids) > 1 for ids in told)


def test_redelivery_and_disorder(feed: Feed) -> None:
    """Events come twice with another attempt number, and news overtakes older news."""
    attempts: defaultdict[int, set[int]] = defaultdict(set)
    for event in events(feed):
        attempts[event["eventId"]].add(event["attemptNumber"])
    assert any(len(numbers) > 1 for numbers in attempts.values())
    overtaken, latest = 0, Counter[str]()
    for whole in snapshots(feed):
        at = int(whole["updatedAt"].replace("-", "").translate(str.maketrans("", "", "T:.Z")))
        overtaken += at < latest[whole["id"]]
        latest[whole["id"]] = max(at, latest[whole["id"]])
    assert overtaken >= 3


def test_records_come_in_order_of_arrival(feed: Feed) -> None:
    """Create times never run backwards by more than an array that waited for its last event."""
    times = [record.timestamp_ms for record in feed.records]
    assert sum(later < earlier for earlier, later in pairwise(times)) <= 3


def test_garbage_is_counted(feed: Feed) -> None:
    """Expected dead letters are the records that are not HubSpot's, each kind at least twice."""
    lost = 0
    for record in feed.records:
        body = decoded(record)
        first = body[0] if isinstance(body, list) and body else body
        known = isinstance(first, dict) and (
            {"eventId", "event"} & first.keys() or {"id", "updatedAt"} <= first.keys()
        )
        sound = isinstance(first, dict) and isinstance(first.get("properties", {}), dict)
        lost += record.value is not None and not (known and sound and _has_plain_id(first))
    assert lost == feed.expectation.dead_letters >= 2 * len(noise.GARBAGE)


def _has_plain_id(body: dict[str, Any]) -> bool:
    return isinstance(body.get("id", ""), str)


# --- the expectation ---


def test_documents_add_up(feed: Feed) -> None:
    """Total = lines + tax to the cent, with two decimals and nothing negative."""
    for document in feed.expectation.documents:
        assert sum(line.amount for line in document.lines) + document.tax == document.total
        assert document.total > 0
        for line in document.lines:
            assert line.amount.as_tuple().exponent == -2
        assert (document.tax > 0) <= any(line.taxed for line in document.lines)


def test_one_expectation_per_document(feed: Feed) -> None:
    """Nothing is expected twice, nor both to exist and not to."""
    expectation = feed.expectation
    wanted = Counter(document.wanted for document in expectation.documents)
    assert max(wanted.values()) == 1
    assert not wanted.keys() & expectation.unsettled.keys()
    assert not wanted.keys() & expectation.never
    assert not expectation.unsettled.keys() & expectation.never


def test_a_payment_bills_once(feed: Feed) -> None:
    """No payment has both a paid invoice and a sales receipt, and paid invoices carry no tax."""
    bills = Counter(
        document.wanted.object_id
        for document in feed.expectation.documents
        if document.wanted.object_type == "payment"
        and document.wanted.action in ("paid_invoice", "sales_receipt")
    )
    assert max(bills.values()) == 1
    for document in feed.expectation.documents:
        if document.is_paid:
            assert not any(line.taxed for line in document.lines)


def test_payments_say_what_is_expected(feed: Feed) -> None:
    """HubSpot's initial amount is the document's total, its fee the expense."""
    facts: dict[str, dict[str, str | None]] = {}
    for whole in snapshots(feed):
        if "hs_initial_amount" in whole["properties"]:
            facts.setdefault(whole["id"], {}).update(whole["properties"])
    for event in events(feed):
        if event.get("propertyName") == "hs_fees_amount":
            facts[str(event["objectId"])]["hs_fees_amount"] = event["propertyValue"]
    for document in feed.expectation.documents:
        if document.wanted.object_type == "payment":
            name = "hs_fees_amount" if document.wanted.action == "expense" else "hs_initial_amount"
            assert Decimal(facts[document.wanted.object_id][name] or "") == document.total


def test_snapshot_lines_are_the_expected_lines(feed: Feed) -> None:
    """The newest line list of each object is, amount by amount, what its documents carry."""
    lines: dict[str, list[Decimal]] = {}
    for whole in sorted(snapshots(feed), key=lambda whole: str(whole["updatedAt"])):
        results = whole["associations"].get("line items", whole["associations"].get("line_items"))
        for member in (results or {}).get("results", []):
            if "properties" in member:
                lines[whole["id"]] = [
                    Decimal(member["properties"]["amount"]) for member in results["results"]
                ]
    cut = [event for event in events(feed) if event.get("associationRemoved")]
    removed = {str(event["fromObjectId"]) for event in cut}
    for document in feed.expectation.documents:
        if document.lines[0].product and document.wanted.object_id not in removed:
            expected = [line.amount for line in document.lines]
            assert sorted(lines[document.wanted.object_id]) == sorted(expected)


def test_companies_and_reasons(feed: Feed) -> None:
    """The Canadian books stay empty, and every way to be blocked or to wait is there."""
    companies = feed.expectation.companies
    assert not companies[CANADA].documents
    assert companies[US].documents
    assert companies[US_EAST].documents
    reasons = {reason for state in feed.expectation.unsettled.values() for reason in state.reasons}
    assert reasons >= {
        "no_contact", "no_line_items", "line_items", "contact", "product_not_found",
        "taxable_line", "contact_not_eligible", "company_not_us", "partial_refund",
    }  # fmt: skip


def test_new_items_and_customers(feed: Feed) -> None:
    """Products and people that were there before are not expected to be created."""
    for realm_id, company in catalogue(0).items():
        expected = feed.expectation.companies[realm_id]
        assert not {item.key for item in company.usable_items} & expected.new_items
        assert not {customer.party for customer in company.customers} & expected.new_customers
    assert len(feed.expectation.companies[US].new_items) >= 3
    assert not feed.expectation.companies[US_EAST].new_items


def test_disagreements_name_the_object() -> None:
    """States reported by the service are compared word by word."""
    expectation = generate(5).expectation
    found = {
        wanted: (state.state, min(state.reasons)) for wanted, state in expectation.unsettled.items()
    }
    assert expectation.disagreements(found) == []
    wanted = next(iter(expectation.unsettled))
    del found[wanted]
    assert expectation.disagreements(found)[0].startswith(str(wanted))


# --- the parts ---


def test_shares_no_code_with_the_service() -> None:
    """What judges the service is a second reading of the rules: it imports nothing of it."""
    program = (
        "import sys, reconciler.demo.feed, reconciler.demo.audit, reconciler.demo.seeding;"
        "print(*[name for name in sys.modules if name.split('.')[0] in"
        " ('reconciler', 'streams', 'store')])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    ours = [name for name in run.stdout.decode().split() if not name.startswith("reconciler.demo")]
    assert ours == ["reconciler"]


@pytest.mark.parametrize(
    ("line", "amount", "tax", "reason"),
    [
        (("33.33", "3", "0", "0", None), "99.99", "0.00", "3 × 33.33"),
        (("33.33", "3", "0", "10", None), "89.99", "0.00", "89.991 rounds down"),
        (("0.0123457", "1000", "0", "0", None), "12.35", "0.00", "seven-decimal unit price"),
        (("10.00", "2", "3.33", "0", None), "13.34", "0.00", "the discount is per piece"),
        (("0.25", "0.5", "0", "0", None), "0.13", "0.00", "half a cent rounds up"),
        (("100.00", "1", "0", "0", "9.975"), "100.00", "9.98", "tax rounds half up"),
    ],
)
def test_line_money(
    line: tuple[str, str, str, str, str | None], amount: str, tax: str, reason: str
) -> None:
    """Amount = quantity × price less discounts, half up; tax on that amount."""
    price, quantity, unit, percent, rate = line
    product = Product("1", "S", "Thing", Decimal(price))
    sold = BasketLine(
        "1", product, Decimal(quantity), Decimal(unit), Decimal(percent),
        None if rate is None else Decimal(rate),
    )  # fmt: skip
    assert (str(sold.amount), str(sold.tax)) == (amount, tax), reason
    said = sold.properties(0)
    assert said["amount"] == amount
    assert Decimal(said["hs_post_tax_amount"] or "") == sold.amount + sold.tax


def test_quotes_and_payments_have_generic_events_only() -> None:
    """HubSpot has no `quote.*` or `payment.*` webhooks: `object.*` with an objectTypeId."""
    for kind, type_id in (("quote", "0-14"), ("payment", "0-101")):
        event = property_event(kind, "7", "hs_status", "APPROVED", Envelope(1, 2))
        assert (event["subscriptionType"], event["objectTypeId"]) == (
            "object.propertyChange", type_id,
        )  # fmt: skip


def test_association_event_names_both_ends() -> None:
    """An association event carries ids and its direction, no object id."""
    event = association_event("deal", "7", "line_item", "8", True, Envelope(1, 2, "old"))
    assert event["eventType"] == "deal.associationChange"
    assert (event["fromObjectId"], event["toObjectId"]) == (7, 8)
    assert event["associationType"] == "DEAL_TO_LINE_ITEM"
    assert "objectId" not in event


def test_snapshot_spellings() -> None:
    """“line items” with a space or an underscore; ids without properties where not hydrated."""
    lists = (Associated("line_items", (("9", None),)),)
    body = snapshot("payment", "7", 1_790_000_000_123, {}, lists, True)
    assert body["associations"] == {
        "line items": {"results": [{"id": "9", "type": "commerce_payment_to_line_item"}]}
    }
    assert body["updatedAt"] == "2026-09-21T14:13:20.123Z"


def test_wanted_reads_well() -> None:
    """A person reads which document of which object is meant."""
    assert str(Wanted("deal", "123", "invoice")) == "invoice of deal 123"
