"""What documents say of companions, by what was told of them whole and what by single events.

HubSpot's webhooks carry one property an event, so a contact or line item with a topic of its own may be
known in part, or with some of its figures older than others.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from reconciler.deciding.decide import Verdict, decide
from reconciler.model import Change, ChangeKind, ObjectKey, ObjectType, SourceObject
from reconciler.objects.fold import fold
from reconciler.objects.joining import joined
from reconciler.reasons import Reason
from reconciler.service.assembly import watched
from tests.deciding import ADA, AT, DAY, LINE, PORTAL, deal, one_workflow, said, snapshot

INVOICE = one_workflow("deal", "invoice")
DEAL = ObjectKey(PORTAL, ObjectType.DEAL, "1")
FREE_OF_DISCOUNT = {**LINE, "discount": None, "hs_discount_percentage": None}

Facts = Mapping[str, str | None]


def of_line(at: int, **facts: str | None) -> Change:
    """An event of the line item that the deal names."""
    return said(ObjectType.LINE_ITEM, at, "71", **facts)


def whole_line(facts: Facts, at: int = AT) -> Change:
    return snapshot(ObjectType.LINE_ITEM, facts, at=at, lines=None, contacts=None, id_="71")


def found_of(*changes: Change) -> Verdict:
    """What comes of a deal once its companions are joined to it."""
    objects: dict[ObjectKey, SourceObject] = {}
    for change in changes:
        objects[change.key] = fold(objects.get(change.key), [change], watched(INVOICE))
    whole = joined(joined(objects[DEAL], objects), objects)
    (verdict,) = decide(whole, None, INVOICE.workflows, {})
    return verdict


def told(found: Verdict) -> str:
    """The total, or the reason why there is none, with what a line lacks."""
    if found.content is not None:
        return str(found.content.total)
    missing = found.detail.split(" of line item")[0].removeprefix("The ")
    return f"{found.reason}: {missing}" if " of line item" in found.detail else found.reason


# --- figures that are older than what they follow from -------------------------------------------


@pytest.mark.parametrize(
    ("facts", "events", "outcome"),
    [
        pytest.param({}, [{"quantity": "3"}], "300.00", id="more of it"),
        pytest.param({}, [{"price": "90"}], "90.00", id="another price"),
        pytest.param({}, [{"discount": "10"}], "90.00", id="a discount"),
        pytest.param({}, [{"quantity": "1"}], "100.00", id="the same again"),
        pytest.param({}, [{"quantity": "3"}, {"amount": "250"}], "line_disagrees",
                     id="a newer amount is asked"),
        pytest.param({}, [{"name": "Renamed"}], "100.00", id="what amounts don't follow from"),
        pytest.param({"quantity": None}, [{"price": "90"}], "90.00", id="an empty quantity is one"),
        pytest.param({"hs_pricing_model": "graduated"}, [{"quantity": "3"}],
                     "line_item_details: amount", id="tiers are not multiplied"),
        pytest.param({"hs_tax_amount": "8"}, [{"quantity": "3"}],
                     "line_item_details: tax amount", id="nor is a tax"),
        pytest.param({"hs_post_tax_amount": "108"}, [{"quantity": "3"}],
                     "line_item_details: tax amount", id="a tax by its difference"),
        pytest.param({"hs_tax_rate": "8", "hs_tax_amount": "0"}, [{"quantity": "3"}],
                     "line_item_details: tax amount", id="a taxable line"),
        pytest.param({"hs_tax_amount": "0", "hs_post_tax_amount": "100"}, [{"quantity": "3"}],
                     "300.00", id="no tax is still none"),
        pytest.param({"hs_tax_amount": "8"}, [{"quantity": "3"}, {"amount": "300"}, {"hs_tax_amount": "24"}],
                     "324.00", id="all told anew"),
    ],
)  # fmt: skip
def test_r14_an_amount_older_than_the_line_is_not_billed(
    facts: Facts, events: list[Facts], outcome: str
) -> None:
    """R14: what a line came to before its quantity, price or discount changed is nothing it comes to."""
    line = {**FREE_OF_DISCOUNT, **facts}
    later = [of_line(AT + n * DAY, **each) for n, each in enumerate(events, start=1)]
    assert told(found_of(deal(lines=(None,)), whole_line(line), *later)) == outcome
    embedded = deal(lines=(line,))
    assert told(found_of(embedded, *later)) == outcome


@pytest.mark.parametrize("is_embedded", [True, False])
def test_r14_an_old_amount_may_hold_a_discount_that_was_never_mentioned(is_embedded: bool) -> None:
    """R14: then the new one is waited for; where both figures agree, there was none."""
    line = {**LINE, "amount": "80"}
    known = (deal(lines=(line,)),) if is_embedded else (deal(lines=(None,)), whole_line(line))
    assert told(found_of(*known, of_line(AT + 1, quantity="2"))) == "line_item_details: amount"
    assert told(found_of(*known, of_line(AT + 1, price="80"))) == "80.00"


def test_r14_a_line_read_again_since_is_billed_as_read() -> None:
    """R14: an event that the snapshot already knows of makes none of its figures old."""
    line = {**LINE, "quantity": "3", "amount": "270"}
    event = of_line(AT + 1, quantity="3")
    assert told(found_of(deal(lines=(line,)), event)) == "270.00"
    newer = deal(lines=(line,), at=AT + DAY)
    assert told(found_of(newer, of_line(AT, quantity="2", price="50"))) == "270.00"


# --- companions known from events alone ------------------------------------------------------------


def of_contact(at: int, **facts: str | None) -> Change:
    """An event of the contact that the deal names."""
    return said(ObjectType.CONTACT, at, "81", **facts)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"phone": "1"}, "(81) is known only in part; first name, last name and email have"),
        ({"firstname": "Ada"}, "(“Ada” (81)) is known only in part; last name and email have"),
        ({"firstname": "Ada", "lastname": None}, "email has not arrived yet"),
        (ADA, ""),
    ],
)
def test_r07_a_contact_told_in_part_is_waited_for(facts: Facts, words: str) -> None:
    """R7: three fields make the customer, and an event tells one; what it left out is not empty."""
    events = [of_contact(AT + n, **{name: facts[name]}) for n, name in enumerate(facts)]
    found = found_of(deal(contacts=(None,)), *events)
    assert found.reason == (Reason.CONTACT_DETAILS if words else "")
    assert words in found.detail


@pytest.mark.parametrize("id_", [{}, {"hs_object_id": "81"}])
def test_r07_a_contact_told_whole_once_is_known(id_: Facts) -> None:
    """R7: what a record leaves out nobody will tell; that holds of what was stored before, too."""
    kind = ChangeKind.PROPERTY if id_ else ChangeKind.SNAPSHOT
    whole = msgspec.structs.replace(of_contact(AT, email="ada@example.com", **id_), kind=kind)
    for changes in ([whole, of_contact(AT + 1, phone="1")], [of_contact(AT - 1, phone="1"), whole]):
        assert found_of(deal(contacts=(None,)), *changes).content is not None
    embedded = deal(contacts=({"email": "ada@example.com"},))
    assert found_of(embedded, of_contact(AT + 1, phone="1")).content is not None


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"name": "Rollout", "price": "100"}, "line_item_details: quantity"),
        ({"name": "Rollout", "price": "100", "quantity": "2"}, "200.00"),
        ({"name": "Rollout", "price": "100", "quantity": None}, "100.00"),
        ({"name": "Rollout", "amount": "100"}, "100.00"),
        ({"quantity": "2", "price": "100"}, "line_item_details: name"),
        ({"quantity": "2", "price": "100", "hs_sku": "R-1"}, "200.00"),
    ],
    ids=str,
)
def test_r15_a_line_told_in_part_is_waited_for(facts: Facts, outcome: str) -> None:
    """R15: a quantity that no event has told yet is not one; a record that has none means it."""
    events = [of_line(AT + 1, **{name: facts[name]}) for name in facts]
    assert told(found_of(deal(lines=(None,)), *events)) == outcome
    recorded = found_of(deal(lines=(None,)), whole_line(facts))
    assert recorded.content is not None


# --- merges ------------------------------------------------------------------------------------------


def merged(id_: str, into: str) -> Change:
    """The event that a contact was merged into another."""
    key = ObjectKey(PORTAL, ObjectType.CONTACT, id_)
    return Change(key=key, at=AT + DAY, kind=ChangeKind.MERGED, merged_into=into)


def whole_contact(id_: str, name: str) -> Change:
    facts = {**ADA, "lastname": name}
    return snapshot(ObjectType.CONTACT, facts, lines=None, contacts=None, id_=id_)


FIRST, SECOND, THIRD = (whole_contact(f"8{n}", name) for n, name in enumerate("ABC", start=1))


@pytest.mark.parametrize(
    ("events", "billed"),
    [
        ([FIRST, SECOND], "A"),
        ([FIRST, SECOND, merged("81", "82")], "B"),
        ([FIRST, SECOND, THIRD, merged("81", "82"), merged("82", "83")], "C"),
        ([FIRST, SECOND, merged("81", "82"), merged("82", "81")], "A"),
        ([SECOND, merged("81", "82")], "B"),
    ],
)
@pytest.mark.parametrize("embedded", [None, {**ADA, "lastname": "A"}])
def test_r09_a_contact_merged_away_is_not_billed(
    events: list[Change], billed: str, embedded: Facts | None
) -> None:
    """R9: the customer is the contact it was merged into, however often; a circle says nothing."""
    found = found_of(deal(contacts=(embedded,)), *events)
    assert found.content is not None
    assert found.content.customer is not None
    assert found.content.customer.last_name == billed
    assert found.content.customer.hubspot_id == f"8{'ABC'.index(billed) + 1}"


def test_r09_an_unknown_contact_that_another_was_merged_into_is_waited_for() -> None:
    """R9: also where the old one was deleted, as merged ones are; the list is not empty for that."""
    gone = Change(key=FIRST.key, at=AT + DAY, kind=ChangeKind.DELETED, deleted=True)
    found = found_of(deal(contacts=(None,)), FIRST, merged("81", "82"), gone)
    assert found.reason == Reason.CONTACT_DETAILS
    assert "(82) is known only by its id" in found.detail
