"""Nothing but changes or an `UndecodableRecord` ever comes out of a decoder."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import UndecodableRecord
from reconciler.model import Change, ObjectKey, ObjectType
from reconciler.objects.fold import fold
from streams.formats import FORMATS, Reason, TopicSettings, decode
from tests.feeds import HYDRATED, IDS_ONLY, THIN, History, Step, Written

AT = 1_760_000_000_000
DEALS = TopicSettings(ObjectType.DEAL, 4711)
HISTORY = History(
    ObjectKey(4711, ObjectType.DEAL, "9"),
    (
        Step(AT, {"dealname": "A", "amount": "1.50"}, {"contacts": (("5", {"email": "a"}),)}),
        Step(AT + 1, {"dealname": "B", "closedate": None}, {"line_items": (("6", None),)}),
        Step(AT + 2, deleted=True),
    ),
)
BEFORE = {"value": "won", "timestamp": "2025-10-09T08:53:19Z", "sourceType": "API"}
CREATION = {"subscriptionType": "deal.creation", "objectId": 9, "portalId": 4711, "occurredAt": AT}
COMPANIES = [
    {"id": "3", "type": "deal_to_company"},
    {"id": "3", "type": "deal_to_company_unlabeled"},
]
OTHERS: list[dict[str, Any]] = [
    {"id": "9", "properties": {}, "propertiesWithHistory": {"dealstage": [BEFORE, BEFORE]}},
    {"id": "9", "properties": {"dealstage": {**BEFORE, "versions": [BEFORE]}}},
    {
        "id": "9",
        "properties": {},
        "associations": {"companies": COMPANIES},
        "lineItems": [{"id": 6}],
    },
    {"id": 1, "payload": json.dumps([CREATION]), "received_at": AT},
    {"specversion": "1.0", "id": "e", "type": "deal.won", "time": "2025-10-09", "data": [CREATION]},
]
SAMPLES = [json.dumps(one).encode() for one in OTHERS] + [
    one.value
    for writer in (HYDRATED | IDS_ONLY | THIN).values()
    for one in writer(HISTORY)
    if one.value is not None
]
DOCUMENTS = [one for one in map(json.loads, SAMPLES) if isinstance(one, dict)]
JUNK: list[Any] = [
    None, True, -1, 0, 2**70, 1.5, 1e300, "", "0", "x" * 70, "{", "[1]", "{}", "null", "\x00",
    "\N{MIDDLE DOT}", "²", "٣", "9" * 30, "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
    [], {}, [[]], [None], {"a": None}, {"id": {}}, {"results": None}, "deal.merge", "0-3", "d",
]  # fmt: skip

topics = st.builds(
    TopicSettings,
    st.sampled_from([None, *ObjectType]),
    st.sampled_from([None, 4711]),
    st.sampled_from(FORMATS),
)


def texts(node: Any) -> Iterator[str]:
    """Walk a document for what PostgreSQL would refuse in any of its texts."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for name, value in node.items():
            yield name
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def attempt(value: bytes, topic: TopicSettings) -> tuple[list[Change], UndecodableRecord | None]:
    try:
        return decode(Written(value, None, AT), topic), None
    except UndecodableRecord as refusal:
        return list(refusal.changes), refusal


def outcome(value: bytes, topic: TopicSettings) -> list[Change] | str:
    """Decode, and check what every decoding promises, also of what is readable beside the rest."""
    changes, refusal = attempt(value, topic)
    if refusal is not None:
        assert refusal.reason in set(Reason) - {Reason.UNEXPECTED}, (value, refusal.__cause__)
        assert len(refusal.detail) < 300
    for change in changes:
        stored = msgspec.json.encode(fold(None, [change])).decode()
        assert not any("\0" in text for text in texts(json.loads(stored)))
        assert change.key.portal_id > 0
        assert 0 < len(change.key.id) <= 64
        assert 946_684_800_000 <= change.at < 4_102_444_800_000
        assert all(v is None or type(v) is str for v in change.properties.values())
    return changes if refusal is None else refusal.reason


@settings(max_examples=500)
@given(st.binary(max_size=200), topics)
def test_random_bytes(value: bytes, topic: TopicSettings) -> None:
    """Bytes that were never JSON are refused, with a reason of the fixed set."""
    outcome(value, topic)


@settings(max_examples=500)
@given(st.sampled_from(SAMPLES), st.integers(0, 10_000), st.binary(min_size=1, max_size=3), topics)
def test_damaged_records(sample: bytes, place: int, damage: bytes, topic: TopicSettings) -> None:
    """A real record with a few bytes overwritten or cut off never breaks the decoder."""
    place %= len(sample)
    outcome(sample[:place] + damage + sample[place + len(damage) :], topic)
    outcome(sample[:place], topic)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(SAMPLES), st.randoms(use_true_random=False), topics)
def test_real_shapes_with_wrong_types_inside(
    sample: bytes, random_: random.Random, topic: TopicSettings
) -> None:
    """Any value of a real record replaced by one of another type, missing or doubled."""
    document = json.loads(sample)
    for _ in range(random_.randrange(1, 4)):
        document = mutated(document, random_)
    outcome(json.dumps(document).encode(), topic)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(DOCUMENTS), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
    st.sampled_from([lambda each: each, lambda each: {"journalEvents": each}]),
)
def test_an_array_says_what_its_readable_elements_say(
    documents: list[Any], random_: random.Random, collected: Callable[[list[Any]], Any]
) -> None:
    """Whatever is wrong with some of them; and it is refused if any of them is."""
    elements = [mutated(each, random_) if random_.random() < 0.5 else each for each in documents]
    elements = [each for each in elements if isinstance(each, dict)]
    alone = [attempt(json.dumps(each).encode(), DEALS) for each in elements]
    changes, refusal = attempt(json.dumps(collected(elements)).encode(), DEALS)
    assert changes == [change for said, _ in alone for change in said]
    assert (refusal is None) == all(refused is None for _, refused in alone)


def mutated(node: Any, random_: random.Random) -> Any:
    if isinstance(node, str) and node[:1] in ("{", "[") and random_.random() < 0.7:
        return json.dumps(mutated(json.loads(node), random_)) if _is_json(node) else node
    if not isinstance(node, (dict, list)) or not node or random_.random() < 0.15:
        return random_.choice(JUNK)
    if isinstance(node, list):
        index = random_.randrange(len(node))
        return [*node[:index], mutated(node[index], random_), *node[index + 1 :]]
    name = random_.choice(list(node))
    if random_.random() < 0.15:
        return {other: value for other, value in node.items() if other != name}
    return {**node, name: mutated(node[name], random_)}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_every_untouched_sample_is_understood() -> None:
    """The fuzzing starts from records that decode."""
    assert all(isinstance(outcome(sample, DEALS), list) for sample in SAMPLES)
