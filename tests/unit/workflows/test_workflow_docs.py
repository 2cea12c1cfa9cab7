"""Every example of docs/workflows.md does what the page says.

A fence is run by the word after `yaml`; the bullets after it are its outcomes, and must be there.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from workflow_texts import COMPANY, source

from reconciler.model import ObjectType
from reconciler.workflows import WorkflowErrors, WorkflowFile, load, render
from reconciler.workflows.filters import OPERATORS
from reconciler.workflows.lint import lint
from reconciler.workflows.presets import PRESETS
from reconciler.workflows.schema import ActionWritten, Choices, CompanyWritten, WorkflowWritten

PAGE = Path(__file__).parents[3] / "docs" / "workflows.md"
CHANGED_AT = 1_769_817_600_000  # 31 January 2026, as the page says

FENCE = re.compile(r"^```(\w+)(.*)\n((?:.*\n)*?)```\n", re.MULTILINE)
BULLET = re.compile(r"^- ([a-z_ ]+?)( \d+)?: `(.*?)`(?: gives `(.*)`)?$", re.MULTILINE)


class Outcome(NamedTuple):
    kind: str
    count: str
    value: str
    gives: str


class Example(NamedTuple):
    line: int
    kind: str
    arguments: list[str]
    body: str
    outcomes: list[Outcome]
    printed: str


def examples() -> list[Example]:
    page = PAGE.read_text(encoding="utf-8")
    fences = list(FENCE.finditer(page))
    found = []
    for index, fence in enumerate(fences):
        if fence[1] != "yaml":
            continue
        following = fences[index + 1] if index + 1 < len(fences) else None
        after = page[fence.end() : following.start() if following else len(page)]
        after = after.partition("\n#")[0]
        kind, *arguments = fence[2].split()
        outcomes = [
            Outcome(*(part or "" for part in each.groups())) for each in BULLET.finditer(after)
        ]
        printed = following[3] if following and following[1] == "text" else ""
        line = page.count("\n", 0, fence.start()) + 1
        found.append(Example(line, kind, arguments, fence[3], outcomes, printed))
    return found


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}" for line in text.splitlines(keepends=True))


def file_of(workflows: str, companies: str = "") -> WorkflowFile:
    """The fragment within a file; workflows start on line 10."""
    company = f"us:\n  realm_id: '9341450000000001'\n  defaults: {COMPANY['defaults']}\n"
    head = f"version: 1\nportal_id: 4711\n\ncompanies:\n{indented(companies or company, 2)}\n"
    return load(
        f"{head}workflows:\n{indented(workflows, 2)}" if workflows else f"{head}workflows: []\n"
    )


def wrapped(object_type: str, enrol: str, actions: str) -> str:
    head = f"- name: Example\n  object: {object_type}\n  enrol:\n{indented(enrol, 4)}"
    return f"{head}  actions:\n{indented(actions, 4)}"


def texts(written: str) -> Any:
    """A flow mapping whose values all stay text, as HubSpot sends them."""
    return yaml.load(written, Loader=yaml.BaseLoader)  # noqa: S506 - builds text, nothing else


def example_object(written: str, object_type: ObjectType) -> Any:
    """`{name: value}` told at once, or `{name: [first, second]}` told a second apart."""
    values = texts(written)
    contact = {k.removeprefix("contact."): v for k, v in values.items() if "." in k}
    own = {k: v for k, v in values.items() if "." not in k}
    plain = {k: v for k, v in own.items() if isinstance(v, str)}
    history = {
        k: [(CHANGED_AT + 1000 * n, each) for n, each in enumerate(v)]
        for k, v in own.items()
        if isinstance(v, list)
    }
    return source(plain, history, object_type=object_type, at=CHANGED_AT, contact=contact or None)


def spelled(value: Any) -> str:
    """A setting as the page writes it."""
    if isinstance(value, Enum):
        return str(value.value)
    if hasattr(value, "kind"):
        return f"{value.kind} {value.name}".strip()
    return str(value)


def check_enrolment(file: WorkflowFile, example: Example) -> None:
    workflow = file.workflows[0]
    for outcome in example.outcomes:
        obj = example_object(outcome.value, workflow.object_type)
        times = len(workflow.enrolled_at(obj))
        expected = {"enrols": 1, "does not enrol": 0}.get(outcome.kind)
        assert times == (int(outcome.count) if expected is None else expected), outcome


def run_file(example: Example) -> None:
    assert load(example.body).workflows


def run_company(example: Example) -> None:
    [company] = file_of("", example.body).companies.values()
    for outcome in example.outcomes:
        assert company.contact_filter is not None
        contact = texts(outcome.value)
        assert company.contact_filter.holds(contact) is (outcome.kind == "lets through"), outcome


def run_workflow(example: Example) -> None:
    check_enrolment(file_of(example.body), example)


def run_enrol(example: Example) -> None:
    assert example.outcomes, "an example without outcomes shows nothing"
    [object_type] = example.arguments
    create = "expense" if object_type == "payment" else "estimate"
    needs = "" if object_type == "payment" else ", create_missing_products: no"
    action = f"- {{create: {create}, company: us{needs}}}\n"
    check_enrolment(file_of(wrapped(object_type, example.body, action)), example)


def run_action(example: Example) -> None:
    assert example.outcomes, "an example without outcomes shows nothing"
    object_type, *mapped = example.arguments
    companies = (
        "us: {realm_id: '9341450000000001', product_map: {'1001': '17'}}\n" if mapped else ""
    )
    enrol = "- {property: hs_object_id, operator: is_known}\n"
    file = file_of(wrapped(object_type, enrol, example.body), companies)
    [settings] = file.workflows[0].actions
    for outcome in example.outcomes:
        if outcome.kind == "sets":
            for key, value in texts(outcome.value).items():
                assert spelled(getattr(settings, key)) == value, outcome
        else:
            obj = example_object(outcome.value, ObjectType(object_type))
            assert render(getattr(settings, outcome.kind), obj) == outcome.gives


def run_wrong(example: Example) -> None:
    with pytest.raises(WorkflowErrors) as raised:
        load(example.body, "")
    found = [str(problem) for problem in raised.value.problems]
    assert len(found) == len(example.printed.splitlines())
    for shown, problem in zip(example.printed.splitlines(), found, strict=True):
        assert problem.startswith(shown.removesuffix("…"))


def run_warned(example: Example) -> None:
    found = [f"{problem.path}: {problem.message}" for problem in lint(file_of(example.body))]
    assert found == example.printed.splitlines()


RUN = {
    "file": run_file, "company": run_company, "workflow": run_workflow, "enrol": run_enrol,
    "action": run_action, "wrong": run_wrong, "warned": run_warned,
}  # fmt: skip


@pytest.mark.parametrize("example", examples(), ids=lambda each: f"line-{each.line}-{each.kind}")
def test_example(example: Example) -> None:
    """The example is read without error (or with the errors shown) and does what is listed."""
    RUN[example.kind](example)


def test_every_outcome_is_run() -> None:
    """No bullet of the page that shows an outcome escapes the parser above."""
    written = re.findall(
        r"^- (?:enrols|does not enrol|enrolments|sets|memo|document_number|lets|refuses)[ :]",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(written) == sum(len(example.outcomes) for example in examples())


def test_every_operator_preset_and_key_has_an_example() -> None:
    """The reference is complete: whatever may be written is shown in a fence."""
    shown = "\n".join(example.body for example in examples() if example.kind != "wrong")
    models = (ActionWritten, Choices, CompanyWritten, WorkflowWritten)
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert [each for each in OPERATORS if f"operator: {each}," not in shown
            and f"operator: {each}}}" not in shown] == []  # fmt: skip
    assert [each for each in PRESETS if f"preset: {each}}}" not in shown] == []
    assert [each for each in keys if not re.search(rf"\b{each}:", shown)] == []
