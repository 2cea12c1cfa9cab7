"""R10 where the feed leaves out what the contact filter looks at: nothing is guessed about a contact."""

from __future__ import annotations

import pytest

from reconciler.hubspot.protocol import HubSpotObject, snapshot
from reconciler.model import Change, ObjectType
from reconciler.reasons import Reason
from reconciler.workflows import WorkflowFile
from streams.formats import TopicSettings, decode
from tests.deciding import ADA, AT, DAY, LINE, PORTAL, Books, deal, file, only
from tests.feeds import iso, record

POSITIVE = "{property: lifecyclestage, operator: is_any_of, values: [customer]}"
NEGATIVE = "{property: country, operator: is_none_of, values: [CA]}"
NAMED = "{property: lastname, operator: is_known}"
OTHERS = "{property: lastname, operator: is_any_of, values: [Hopper]}"


def let_through(*groups: str) -> WorkflowFile:
    """A file whose company takes contacts of any of these groups of filters."""
    written = ", ".join(f"[{group}]" for group in groups)
    return file(
        "  - {name: Bill, object: deal, enrol: [{preset: deal_won}],"
        " actions: [{create: invoice, company: us, create_missing_products: yes}]}\n",
        f"    contacts: data_sync\n    contact_filter: [{written}]\n",
    )


def of(**more: str | None) -> Change:
    """A won deal of Ada, of whom also this is known."""
    return deal(contacts=({**ADA, **more},))


@pytest.mark.parametrize(
    ("groups", "missing"),
    [
        pytest.param([POSITIVE], "contact.lifecyclestage", id="would fail by ignorance"),
        pytest.param([NEGATIVE], "contact.country", id="would hold by ignorance"),
        pytest.param(
            [f"{POSITIVE}, {NEGATIVE}, {NAMED}"], "contact.lifecyclestage, contact.country",
            id="the rest holds",
        ),
        pytest.param([OTHERS, POSITIVE], "contact.lifecyclestage", id="another group fails"),
        pytest.param([NEGATIVE, POSITIVE], "contact.country, contact.lifecyclestage", id="either"),
    ],
)  # fmt: skip
def test_r10_what_was_never_mentioned_of_a_contact_is_waited_for(
    groups: list[str], missing: str
) -> None:
    """R10: the document waits, and says for which property of the contact."""
    found = only(let_through(*groups), of())
    assert (found.state, found.reason) == ("waiting", Reason.PROPERTY_UNKNOWN)
    assert f" {missing}, which the feed" in found.detail


@pytest.mark.parametrize(
    ("groups", "more", "is_made"),
    [
        pytest.param([POSITIVE], {"lifecyclestage": None}, False, id="known to be empty: fails"),
        pytest.param([NEGATIVE], {"country": None}, True, id="known to be empty: holds"),
        pytest.param([f"{OTHERS}, {NEGATIVE}"], {}, False, id="a group that fails anyway"),
        pytest.param([NEGATIVE, NAMED], {}, True, id="a group that holds anyway"),
    ],
)
def test_r10_what_was_said_decides_at_once(
    groups: list[str], more: dict[str, str | None], is_made: bool
) -> None:
    """R10: an empty property is one that was mentioned, and one group is enough."""
    found = only(let_through(*groups), of(**more))
    assert (found.content is not None) is is_made
    assert is_made or (found.state, found.reason) == ("blocked", Reason.CONTACT_NOT_ELIGIBLE)


@pytest.mark.parametrize(("stage", "state"), [("customer", "wanted"), ("lead", "blocked")])
def test_r10_what_is_fetched_decides(stage: str, state: str) -> None:
    """R10: what HubSpot says counts, also of a contact that was last changed before the deal was."""
    books = Books(let_through(POSITIVE))
    books.take(of())
    ada = HubSpotObject("81", {**ADA, "lifecyclestage": stage}, updated_at=iso(AT - DAY))
    line = HubSpotObject("71", dict(LINE), updated_at=iso(AT - DAY))
    won = HubSpotObject("1", {"dealstage": "closedwon"}, updated_at=iso(AT))
    fetched = snapshot(PORTAL, won, {"contacts": [ada], "line_items": [line]})
    (found,) = books.take(*decode(record(fetched, AT), TopicSettings(ObjectType.DEAL, PORTAL)))
    assert found.state == state
