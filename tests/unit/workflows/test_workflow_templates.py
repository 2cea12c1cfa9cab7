"""Templates: what a memo or document number says, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_texts import source

from reconciler.workflows import render
from reconciler.workflows.templates import TemplateError, longest_literal, parse, properties_in

OBJECT = source({"dealname": " Acme  rollout ", "po": "", "amount": "10"})

CASES = [
    ("Deal {id}: {dealname}", "Deal 900: Acme rollout", "properties and the object's id"),
    ("{dealname} {missing} {po} end", "Acme rollout end", "unknown and empty leave no gap"),
    ("{{id}} costs {amount}", "{id} costs 10", "doubled braces are braces"),
    ("one\ntwo  {amount}", "one\ntwo 10", "lines are kept"),
    ("plain", "plain", "no property at all"),
    ("{ dealname }", "Acme rollout", "spaces within braces do not matter"),
]


@pytest.mark.parametrize(("template", "text", "reason"), CASES)
def test_render(template: str, text: str, reason: str) -> None:
    """A template says what the object says, without stray spaces."""
    assert render(template, OBJECT) == text, reason


@pytest.mark.parametrize(
    "template", ["{", "}", "{a b}", "{}", "{amount:.2f}", "{a{b}}", "{contact.email}"]
)
def test_what_is_not_a_template_is_refused(template: str) -> None:
    """Lone braces, formats and expressions are errors when the file is loaded."""
    with pytest.raises(TemplateError, match="write"):
        parse(template)


def test_the_properties_and_fixed_length_are_known_before_rendering() -> None:
    """Which properties to fetch, and how long the text is at least."""
    assert properties_in("{id}-{po}-{amount}") == {"po", "amount"}
    assert longest_literal("HS-{id}") == 3


@given(st.text())
def test_any_text_is_a_template_or_refused(template: str) -> None:
    """Nothing but TemplateError, and no braces are left unread."""
    try:
        pieces = parse(template)
    except TemplateError:
        return
    assert "".join(text or "{" + name + "}" for text, name in pieces).count("{") <= len(template)
