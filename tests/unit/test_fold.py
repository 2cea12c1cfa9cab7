"""Folding: the same facts in any order, number and grouping make the same object."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model import (
    Change,
    ChangeKind,
    Link,
    ObjectKey,
    ObjectType,
    Related,
    SourceObject,
)
from reconciler.objects.fold import DEFAULT_WATCHED, fold
from reconciler.objects.joining import joined, references
from reconciler.objects.reading import as_of, associated, instants
from tests.deciding import stamped

DEAL = ObjectKey(4711, ObjectType.DEAL, "9")
WATCHED = {ObjectType.DEAL: frozenset({"dealstage", "amount"})}

times = st.integers(1_700_000_000_000, 1_700_000_000_006)
values = st.sampled_from([None, "1", "2", "3"])
ids = st.sampled_from(["1", "2", "3"])
properties = st.dictionaries(st.sampled_from(["dealstage", "amount", "dealname", "x"]), values)
related = st.builds(
    Related,
    ids,
    st.none() | st.dictionaries(st.sampled_from(["email", "firstname"]), values),
    times,
)
lists = st.dictionaries(
    st.sampled_from(["contacts", "line_items"]),
    st.lists(related, max_size=3, unique_by=lambda one: one.id).map(tuple),
    max_size=2,
)
links = st.lists(
    st.builds(Link, st.sampled_from(["contacts", "line_items"]), ids, st.booleans(), st.booleans()),
    max_size=2,
).map(tuple)
changes = st.builds(
    Change,
    key=st.just(DEAL),
    at=times,
    kind=st.sampled_from([ChangeKind.SNAPSHOT, ChangeKind.PROPERTY, ChangeKind.CREATED]),
    properties=properties,
    lists=lists,
    links=links,
    deleted=st.sampled_from([None, None, True, False]),
    merged_into=st.sampled_from([None, None, None, "10", "11"]),
)
histories = st.lists(changes, min_size=1, max_size=30)


def change(at: int, **facts: object) -> Change:
    return Change(key=DEAL, at=at, kind=ChangeKind.SNAPSHOT, **facts)  # type: ignore[arg-type]


def event(at: int, **properties: str) -> Change:
    return Change(key=DEAL, at=at, kind=ChangeKind.PROPERTY, properties=properties)


def known(*history: Change) -> SourceObject:
    return fold(None, history, WATCHED)


@settings(max_examples=300)
@given(histories, st.randoms(use_true_random=False))
def test_any_order_duplication_and_split_gives_the_same_object(
    history: list[Change], random_: random.Random
) -> None:
    """Folding is a join: permuted, repeated and cut into batches, a history says the same."""
    expected = stamped(known(*history))
    shuffled = history + random_.choices(history, k=random_.randrange(len(history) + 1))
    random_.shuffle(shuffled)
    state = None
    while shuffled:
        size = random_.randrange(1, len(shuffled) + 1)
        state = fold(state, shuffled[:size], WATCHED)
        shuffled = shuffled[size:]
        state = msgspec.json.decode(msgspec.json.encode(state), type=SourceObject)  # as stored
    assert state is not None
    assert stamped(state) == expected


@settings(max_examples=200)
@given(histories)
def test_folding_again_returns_the_same_object_and_mutates_nothing(history: list[Change]) -> None:
    """A replay costs no write: the very object comes back, and no input was touched."""
    before = msgspec.json.encode(history)
    state = known(*history)
    stored = msgspec.json.encode(state)
    assert fold(state, history, WATCHED) is state
    fold(state, [change(1_800_000_000_000, properties={"dealstage": "9", "new": "1"})], WATCHED)
    assert msgspec.json.encode(state) == stored
    assert msgspec.json.encode(history) == before


@settings(max_examples=200)
@given(histories, changes)
def test_a_statement_never_makes_a_known_value_older(history: list[Change], late: Change) -> None:
    """Whatever arrives late, no property's time goes back."""
    before, after = known(*history), known(*history, late)
    old, new = stamped(before)["properties"], stamped(after)["properties"]
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    assert all(new[name][0] >= at for name, (at, _) in old.items())


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 400), values), max_size=300), st.randoms())
def test_long_histories_are_cut_the_same_in_any_order(
    points: list[tuple[int, str | None]], random_: random.Random
) -> None:
    """What a bounded history forgets does not depend on the order of arrival."""
    history = [change(at, properties={"dealstage": value}) for at, value in points]
    if not history:
        return
    expected = stamped(known(*history))
    random_.shuffle(history)
    assert stamped(known(*history)) == expected
    assert len(known(*history).history["dealstage"]) <= 128


def test_a_stale_snapshot_fills_gaps_only() -> None:
    """A snapshot older than what is known adds what was not known and changes nothing else."""
    newer = change(20, properties={"dealstage": "won"}, lists={"contacts": (Related("1"),)})
    older = change(10, properties={"dealstage": "new", "amount": "5"}, lists={"contacts": ()})
    state = known(newer, older)
    assert state.properties == {"dealstage": "won", "amount": "5"}
    assert associated(state, "contacts") == (Related("1"),)


def test_a_snapshot_says_only_what_it_lists() -> None:
    """Properties a newer snapshot leaves out stay known as they were, at their own time."""
    full = change(10, properties={"dealname": "A", "amount": "5"})
    partial = change(20, properties={"amount": "6", "dealstage": "won"})
    state = known(full, partial)
    assert state.properties["dealname"] == "A"
    assert known(full, partial, change(15, properties={"dealname": "B"})).properties == {
        "dealname": "B",
        "amount": "6",
        "dealstage": "won",
    }


def test_empty_is_known_and_unsaid_is_not() -> None:
    """None in `properties` means known to be empty; a value said at the same instant beats it."""
    state = known(change(10, properties={"amount": None}))
    assert "amount" in state.properties
    assert "dealname" not in state.properties
    both = [change(10, properties={"amount": "1"}), change(10, properties={"amount": None})]
    assert known(*both).properties == known(*reversed(both)).properties == {"amount": "1"}


def test_once_won_is_never_forgotten() -> None:
    """The first time of each value survives any number of later changes of the property."""
    stages = ["open", "closedwon", *["paid out"] * 500]
    state = known(*(change(at, properties={"dealstage": s}) for at, s in enumerate(stages)))
    assert state.history["dealstage"][:3] == [(0, "open"), (1, "closedwon"), (2, "paid out")]
    assert as_of(state, "dealstage", 1) == "closedwon"


def test_as_of_gives_the_latest_not_after_and_else_the_earliest() -> None:
    """Before the first dated value the earliest is taken; without history the newest is."""
    state = known(
        change(10, properties={"dealstage": "a", "x": "1"}),
        change(20, properties={"dealstage": "b"}),
    )
    assert [as_of(state, "dealstage", at) for at in (5, 10, 15, 20, 99)] == [
        "a",
        "a",
        "a",
        "b",
        "b",
    ]
    assert as_of(state, "x", 5) == "1"
    assert as_of(state, "never", 5) is None
    assert instants(state) == (10, 20)


def test_a_property_watched_later_starts_with_the_value_then_known() -> None:
    """Editing a workflow must not make an object forget the value it had before the edit."""
    before = fold(None, [change(10, properties={"x": "won"})], {})
    after = fold(
        before, [change(20, properties={"x": "lost"})], {ObjectType.DEAL: frozenset({"x"})}
    )
    assert after.history["x"] == [(10, "won"), (20, "lost")]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([change(1)], None, id="nothing was said about the list"),
        pytest.param(
            [change(1, links=(Link("contacts", "1"),))], None, id="additions alone are not a list"
        ),
        pytest.param([change(1, lists={"contacts": ()})], [], id="an empty list means none"),
        pytest.param(
            [
                change(5, lists={"contacts": (Related("2"), Related("1"))}),
                change(6, links=(Link("contacts", "2", removed=True),)),
                change(8, links=(Link("contacts", "4"),)),
                change(7, links=(Link("contacts", "9"),)),
                change(7, links=(Link("contacts", "3"),)),
                change(4, links=(Link("contacts", "5"),)),
            ],
            ["1", "3", "9", "4"],
            id="newest list, less newer removals, then newer additions by time and id",
        ),
        pytest.param(
            [
                change(5, lists={"contacts": (Related("1"),)}),
                change(6, links=(Link("contacts", "2"), Link("contacts", "1", removed=True))),
                change(7, lists={"contacts": (Related("1"), Related("7"))}),
            ],
            ["1", "7"],
            id="a newer list replaces single statements before it",
        ),
    ],
)
def test_association_lists(history: list[Change], expected: list[str] | None) -> None:
    """Lists and single additions or removals add up in association order."""
    for one in (history, history[::-1]):
        found = associated(known(*one), "contacts")
        assert (None if found is None else [item.id for item in found]) == expected


def primary(at: int, id_: str) -> Change:
    return change(at, links=(Link("companies", id_, primary=True),))


def listed(at: int, *ids: str) -> Change:
    return change(at, lists={"companies": tuple(map(Related, ids))})


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([listed(5, "1", "2"), primary(6, "2")], ["2", "1"], id="made so later"),
        pytest.param(
            [listed(5, "1", "2"), primary(6, "2"), listed(7, "1", "2")],
            ["2", "1"],
            id="a newer list whose order says nothing",
        ),
        pytest.param(
            [listed(5, "1", "2"), primary(6, "2"), primary(7, "1")], ["1", "2"], id="another since"
        ),
        pytest.param([listed(5, "1"), primary(6, "2")], ["2", "1"], id="not heard of before"),
        pytest.param(
            [listed(5, "1", "2"), primary(6, "2"), listed(7, "1", "3")],
            ["1", "3"],
            id="no longer associated",
        ),
    ],
)
def test_the_primary_company_comes_first(history: list[Change], expected: list[str]) -> None:
    """Whichever was last said to be the primary one, as long as it is associated."""
    for one in (history, history[::-1]):
        found = associated(known(*one), "companies")
        assert [item.id for item in found or ()] == expected


def test_a_company_deleted_takes_the_primary_flag_from_no_other() -> None:
    """Joining with companions leaves which one comes first."""
    obj = known(listed(5, "1", "2", "3"), primary(6, "3"))
    key = ObjectKey(4711, ObjectType.COMPANY, "1")
    gone = fold(None, [Change(key=key, at=9, kind=ChangeKind.DELETED, deleted=True)])
    found = associated(joined(obj, {key: gone}), "companies")
    assert [item.id for item in found or ()] == ["3", "2"]


def test_objects_stored_before_the_primary_company_was_kept_are_read() -> None:
    """Their lists end before it."""
    state = known(listed(5, "1", "2"), change(6, links=(Link("companies", "3"),)))
    stored = msgspec.json.encode(state)
    former = stored.replace(b"[6,false]},null]", b"[6,false]}]")
    assert former != stored
    read = msgspec.json.decode(former, type=SourceObject)
    assert read == state
    found = associated(fold(read, [primary(7, "2")], WATCHED), "companies")
    assert [item.id for item in found or ()] == ["2", "1", "3"]


def test_related_properties_follow_their_own_time() -> None:
    """A newer parent with an older contact doesn't bring the old contact back."""
    new = Related("1", {"email": "new@x.com"}, 9)
    old = Related("1", {"email": "old@x.com"}, 3)
    state = known(change(5, lists={"contacts": (new,)}), change(6, lists={"contacts": (old,)}))
    assert associated(state, "contacts") == (new,)
    bare = known(
        change(5, lists={"contacts": (new,)}), change(6, lists={"contacts": (Related("1"),)})
    )
    assert associated(bare, "contacts") == (new,)


def test_related_records_of_equal_age_are_united() -> None:
    """Two feeders that hydrate different properties of one contact complement each other."""
    one, two = Related("1", {"email": "a"}, 3), Related("1", {"firstname": "A"}, 3)
    state = known(change(5, lists={"contacts": (one,)}), change(5, lists={"contacts": (two,)}))
    assert associated(state, "contacts") == (Related("1", {"email": "a", "firstname": "A"}, 3),)


def test_deletes_restores_and_merges_are_registers() -> None:
    """The newest of delete and restore holds, and both may arrive in any order."""
    gone, back = change(5, deleted=True), change(6, deleted=False)
    assert not known(back, gone).is_deleted
    assert known(change(6, deleted=False), change(6, deleted=True)).is_deleted
    assert known(change(5, merged_into="10"), change(4, merged_into="11")).merged == (5, "10")


def test_changes_of_another_object_are_refused() -> None:
    """Folding two objects into one would mix their money: it is a bug, not data."""
    other = Change(key=DEAL._replace(id="10"), at=1, kind=ChangeKind.CREATED)
    with pytest.raises(ValueError, match="deal 10"):
        fold(known(change(1)), [other])
    with pytest.raises(ValueError, match="nothing to fold"):
        fold(None, [])


def test_default_watched_covers_what_documents_depend_on() -> None:
    """Won, signed, paid and refunded are kept with their dates whatever a workflow filters on."""
    assert "hs_is_closed_won" in DEFAULT_WATCHED[ObjectType.DEAL]
    assert "hs_esign_num_signers_completed" in DEFAULT_WATCHED[ObjectType.QUOTE]
    assert "hs_latest_status" in DEFAULT_WATCHED[ObjectType.PAYMENT]


def companion(type_: ObjectType, id_: str, at: int, **values: str) -> SourceObject:
    key = ObjectKey(4711, type_, id_)
    return fold(None, [Change(key=key, at=at, kind=ChangeKind.SNAPSHOT, properties={**values})])


def test_companions_are_joined_by_id_in_either_order() -> None:
    """A contact's own topic gives its properties, where newer or not known otherwise."""
    held = Related("1", {"email": "old", "phone": "5"}, 10)
    obj = known(change(10, lists={"contacts": (held, Related("2"))}))
    newer = companion(ObjectType.CONTACT, "1", 11, email="new")
    other = companion(ObjectType.CONTACT, "2", 5, email="two")
    found = joined(obj, {newer.key: newer, other.key: other})
    assert associated(found, "contacts") == (
        Related("1", {"email": "new", "phone": "5"}, 11),
        Related("2", {"email": "two"}, 5),
    )
    stale = companion(ObjectType.CONTACT, "1", 9, email="older")
    assert joined(obj, {stale.key: stale}) is obj
    assert associated(obj, "contacts") == (held, Related("2"))


def test_references_name_what_a_join_needs() -> None:
    """Associated objects and the products of line items, so that the store loads them at once."""
    line = Related("5", {"hs_product_id": "77"}, 1)
    obj = known(change(1, lists={"line_items": (line,), "contacts": (Related("1"),)}))
    product = companion(ObjectType.PRODUCT, "77", 3, hs_sku="SKU-7")
    assert {str(key) for key in references(obj)} == {"line_item 5", "contact 1", "product 77"}
    found = joined(obj, {product.key: product})
    assert found.related["products"]["77"].properties == {"hs_sku": "SKU-7"}


def test_a_product_is_found_through_a_companion_line_item() -> None:
    """A line item that came by its own topic names its product as well as a hydrated one."""
    obj = known(change(1, lists={"line_items": (Related("5"),)}))
    line = companion(ObjectType.LINE_ITEM, "5", 3, hs_product_id="77")
    product = companion(ObjectType.PRODUCT, "77", 3, hs_sku="SKU-7")
    assert product.key in references(joined(obj, {line.key: line}))
    found = joined(obj, {line.key: line, product.key: product})
    assert found.related["products"]["77"].properties == {"hs_sku": "SKU-7"}


def test_a_companion_deleted_after_the_list_leaves_it() -> None:
    """A deleted line item isn't billed, unless a newer list says it is there."""
    obj = known(change(10, lists={"line_items": (Related("5"), Related("6"))}))
    for at, left in ((11, ["6"]), (9, ["5", "6"])):
        key = ObjectKey(4711, ObjectType.LINE_ITEM, "5")
        gone = fold(None, [Change(key=key, at=at, kind=ChangeKind.DELETED, deleted=True)])
        found = associated(joined(obj, {key: gone}), "line_items")
        assert found is not None
        assert [one.id for one in found] == left


@given(st.permutations(range(4)))
def test_what_was_first_told_by_an_event_was_another_before(order: list[int]) -> None:
    """Whether the earliest instant is a change's is told by all that was said of it, in any order."""
    history = [
        event(10, dealstage="a"),
        change(10, properties={"dealstage": "a", "amount": "5"}),
        event(20, amount="7"),
        event(30, dealstage="b"),
    ]
    state = known(*(history[index] for index in order))
    assert state.first_is_change == ("dealstage",)
    older = change(5, properties={"dealstage": "o"})
    assert known(older, *history).first_is_change == ()
    assert known(*history, older).first_is_change == ()
