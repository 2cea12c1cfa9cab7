"""Loading: any text gives a workflow file or WorkflowErrors, and quickly."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from workflow_texts import (
    COMPANY,
    action,
    flt,
    loaded,
    messages,
    problems,
    problems_of,
    text,
    workflow,
)

from reconciler.errors import ConfigurationError
from reconciler.workflows import OnChange, PartialRefunds, Problem, WorkflowErrors, load

GOOD = text(workflow("deal"), workflow("payment", action("expense")))

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["us", "deal", "invoice", "deal_won", "is_any_of", "contact", "dealstage"]),
)
keys = st.sampled_from(
    [
        "version",
        "portal_id",
        "companies",
        "workflows",
        "us",
        "realm_id",
        "timezone",
        "contacts",
        "contact_filter",
        "defaults",
        "name",
        "object",
        "enrol",
        "re_enrol",
        "delay",
        "actions",
        "create",
        "company",
        "customer",
        "product",
        "fixed",
        "memo",
        "class",
        "property",
        "operator",
        "value",
        "values",
        "preset",
        "product_map",
        "custom_fields",
    ]
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(keys, st.text(max_size=3)), inner, max_size=5),
    ),
    max_leaves=25,
)


def only_workflow_errors(written: str) -> None:
    found: tuple[Problem, ...] = ()
    try:
        load(written, "any.yaml")
    except WorkflowErrors as errors:
        found = errors.problems
        loaded_anyway = False
    else:
        loaded_anyway = True
    assert loaded_anyway is (found == ())
    assert list(found) == sorted(found)
    for problem in found:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message


@settings(max_examples=300)
@given(st.text())
def test_any_text_loads_or_raises_workflow_errors(written: str) -> None:
    """No text makes the loader raise anything else, or report nothing."""
    only_workflow_errors(written)


@settings(max_examples=300)
@given(trees)
def test_any_structure_loads_or_raises_workflow_errors(tree: object) -> None:
    """Well-formed YAML of any shape, with the language's own words in wrong places."""
    only_workflow_errors(yaml.safe_dump(tree))


@settings(max_examples=300)
@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 12),
    st.text(alphabet="{}[]:,\"'&*!|>#-\n\t a1", max_size=4),
)
def test_any_slip_of_the_pen_loads_or_raises_workflow_errors(
    at: int, removed: int, typed: str
) -> None:
    """A good file with a few characters changed."""
    only_workflow_errors(GOOD[:at] + typed + GOOD[at + removed :])


@settings(max_examples=200)
@given(trees, st.sampled_from(["enrol", "actions", "re_enrol", "object", "delay", "write_back"]))
def test_any_part_of_a_workflow_may_be_anything(tree: object, key: str) -> None:
    """The rest of the file is good, so this part reaches every check."""
    written = {**workflow("deal"), key: tree}
    only_workflow_errors(
        yaml.safe_dump(
            {"version": 1, "portal_id": 1, "companies": {"us": COMPANY}, "workflows": [written]}
        )
    )


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        ("", 1, "the file is empty"),
        ("companies:\n  us:\n    defaults: no\n", 3, "write payment_terms, due_in_days,"),
        ("# only a comment\n", 1, "the file is empty"),
        ("- a\n- b\n", 1, "expected keys and values"),
        ("version: 1\n---\nversion: 1\n", 2, "not YAML"),
        ("a: &x [1]\nb: *y\n", 2, "undefined alias"),
        ("a: !!python/object:os.system x\n", 1, "the tag"),
        ("a: \x00", 1, "character U+0000"),
        ("version: 1\na: \x07", 2, "character U+0007"),
        ("[" * 5_000, 1, ""),
        ("a: " + "[" * 60 + "]" * 60, 1, "nested too deeply"),
        ("a: &a [*a]\n", 1, "nested too deeply"),
        ("? [1]\n: x\n", 1, "a key must be text"),
        ("a: {<<: {b: 1}}\n", 1, "merge keys are not read"),
        ("x" * 1_100_000, 1, "larger than"),
    ],
)
def test_what_is_not_a_workflow_file_is_said_with_its_line(
    written: str, line: int, said: str
) -> None:
    """YAML that can't be read, or was made to hurt the reader, is a problem like any other."""
    found = problems_of(written)
    assert any(problem.line == line and said in problem.message for problem in found)


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    """Ten levels of ten aliases are ten thousand million nodes; they are not built."""
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11)]
    bomb = "a0: &a0 [x]\n" + "\n".join(levels)
    assert any("aliases" in problem.message for problem in problems_of(bomb))


def test_workflow_errors_are_configuration_errors_that_print_every_problem() -> None:
    """At start the service shows all of them, each with file, line and column."""
    with pytest.raises(ConfigurationError) as raised:
        load("version: 3\nportal_id: x\n", "our.yaml")
    said = str(raised.value)
    assert "our.yaml:1:10: version: " in said
    assert "our.yaml:2:12: portal_id: " in said


def test_company_defaults_fill_what_an_action_leaves_out() -> None:
    """An action's own choice wins; a default is not applied where the document lacks the key."""
    defaults = {
        "payment_terms": "Net 15", "memo": "From {id}", "class": "Sales", "department": "East",
        "document_number": "HS-{id}", "payment_method": "Card", "due_in_days": 10,
        "deposit_account": "Checking", "bank_account": "Checking", "expense_account": "Fees",
        "vendor": "HubSpot",
    }  # fmt: skip
    company = {**COMPANY, "defaults": defaults}
    invoice, receipt = (
        loaded(workflow("deal", action("invoice", memo="Own"), action("sales_receipt")), us=company)
        .workflows[0]
        .actions
    )
    assert (invoice.memo, receipt.memo) == ("Own", "From {id}")
    assert (invoice.due_in_days, receipt.due_in_days) == (10, None)
    assert (invoice.deposit_account, receipt.deposit_account) == ("", "Checking")
    assert (invoice.vendor, receipt.vendor) == ("", "")
    assert (invoice.class_name, invoice.department) == ("Sales", "East")


def test_own_terms_are_not_mixed_with_the_default_due_date() -> None:
    """An invoice with terms of its own does not fall due by the company's default days."""
    company = {**COMPANY, "defaults": {"due_in_days": 10}}
    file = loaded(workflow("deal", action("invoice", payment_terms="Net 30")), us=company)
    assert file.workflows[0].actions[0].due_in_days is None


def test_every_choice_arrives() -> None:
    """What is written is what the settings hold."""
    settings_of = loaded(
        workflow(
            "payment",
            action(
                "refund_receipt",
                partial_refunds="receipt",
                on_change="update",
                custom_fields={"PO": "{po}"},
                document_number="R-{id}",
            ),
            write_back=True,
            delay="2 hours",
            enabled="no",
        )
    ).workflows[0]
    [refund] = settings_of.actions
    assert refund.partial_refunds is PartialRefunds.RECEIPT
    assert refund.on_change is OnChange.UPDATE
    assert refund.custom_fields == (("PO", "{po}"),)
    assert refund.write_back
    assert settings_of.delay.total_seconds() == 7200
    assert not settings_of.enabled
    assert refund.properties() == {"po"}


def test_countries_and_other_words_that_yaml_takes_for_booleans_stay_words() -> None:
    """NO is Norway in a list of values; `no` is a boolean where a boolean is wanted."""
    written = text(workflow("deal", enrol=[flt("country", "is_any_of", "X")]))
    file = load(written.replace('"X"', "NO, on"))
    assert file.workflows[0].enrol.groups[0].conditions[0].operands == ("NO", "on")


def test_settings_can_be_keys_of_dictionaries() -> None:
    """Actions, companies and workflows are frozen and hashable."""
    file = loaded(workflow("deal"))
    assert len({file.workflows[0].actions[0], file.workflows[0].actions[0].company}) == 2
    assert hash(file.workflows[0]) == hash(loaded(workflow("deal")).workflows[0])


def test_problems_are_all_reported_although_an_earlier_part_is_wrong() -> None:
    """A wrong company hides neither a wrong filter nor a wrong action."""
    found = problems(
        workflow("deal", action("expense"), enrol=[flt("amount", "greater_than", "x")]),
        us={"realm_id": "nonsense"},
    )
    paths = [problem.path for problem in found]
    assert "companies.us.realm_id" in paths
    assert "workflows[0].enrol[0].values" in paths
    assert "workflows[0].actions[0].create" in paths


def test_an_unknown_company_is_said_once() -> None:
    """What depends on the company is not reported on top of it."""
    assert messages(workflow("deal", action("invoice", company="eu"))).count("\n") == 0
