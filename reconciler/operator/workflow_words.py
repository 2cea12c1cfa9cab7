"""Workflows, filters and options in words. Pure; for `explain` and the workflows page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields

from reconciler.model import SourceObject
from reconciler.ports.operator import WorkflowCount
from reconciler.ports.views import ActionView, LintView, WorkflowsView, WorkflowView
from reconciler.workflows import ActionSettings, Enrolment, Workflow, WorkflowFile
from reconciler.workflows.enrolment import Group, values_now
from reconciler.workflows.filters import Condition
from reconciler.workflows.lint import lint
from reconciler.workflows.problems import Problem

_NOT_OPTIONS = frozenset({"action", "company", "line"})
_MOST_GROUPS = 3


def workflows_view(file: WorkflowFile, counts: Iterable[WorkflowCount]) -> WorkflowsView:
    """The whole file with its warnings."""
    problems = lint(file)
    by_workflow: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for count in counts:
        by_workflow[count.workflow][count.state] += count.documents
    names = {workflow.name for workflow in file.workflows}
    return WorkflowsView(
        workflows=tuple(
            [_workflow(each, dict(by_workflow[each.name]), problems) for each in file.workflows]
        ),
        lint=tuple([_lint(each) for each in problems if each.path not in names]),
    )


def _workflow(
    workflow: Workflow, documents: dict[str, int], problems: Iterable[Problem]
) -> WorkflowView:
    return WorkflowView(
        name=workflow.name,
        object_type=workflow.object_type,
        enabled=workflow.enabled,
        line=workflow.line,
        enrol=enrolment_words(workflow.enrol),
        re_enrol=enrolment_words(workflow.re_enrol) if workflow.re_enrol else (),
        actions=tuple([_action(settings) for settings in workflow.actions]),
        documents=documents,
        lint=tuple([_lint(each) for each in problems if each.path == workflow.name]),
    )


def _action(settings: ActionSettings) -> ActionView:
    return ActionView(
        action=settings.action,
        company=settings.company.name,
        realm_id=settings.company.realm_id,
        options=dict(_options(settings)),
    )


def _options(settings: ActionSettings) -> Iterator[tuple[str, str]]:
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.name in _NOT_OPTIONS or value in ("", None, (), False):
            continue
        kind = getattr(value, "kind", None)
        if kind is not None:
            name = getattr(value, "name", "")
            yield each.name, f"{kind} “{name}”" if name else str(kind)
        else:
            yield each.name, "yes" if value is True else str(value)


def _lint(problem: Problem) -> LintView:
    return LintView(
        line=problem.line, path=problem.path, message=problem.message, severity=problem.severity
    )


# --- filters -------------------------------------------------------------------------------------


def enrolment_words(enrolment: Enrolment) -> tuple[str, ...]:
    """One text per group, any of which enrols."""
    return tuple([" and ".join(map(words, each.conditions)) for each in enrolment.groups])


def words(condition: Condition) -> str:
    """One filter, such as `dealstage is any of closedwon`."""
    if condition.operator == "preset":
        return f"preset {condition.operands[0]}"
    operator = condition.operator.replace("_", " ")
    return f"{condition.properties[0]} {operator} {', '.join(condition.operands)}".strip()


def why_no_match(obj: SourceObject, enrolment: Enrolment) -> str:
    """The filters that do not hold now, and the values they see."""
    groups = [_failing(obj, each) for each in enrolment.groups[:_MOST_GROUPS]]
    more = len(enrolment.groups) - len(groups)
    text = "; or ".join(group for group in groups if group)
    if not text:
        return "Its filters hold one by one, but never did at the same moment."
    return f"Not so: {text}{f'; or {more} other groups' if more else ''}."


def _failing(obj: SourceObject, group: Group) -> str:
    values = values_now(obj)
    failing = [each for each in group.conditions if not each.holds(values, obj.changed_at)]
    return ", ".join([f"{words(each)} ({_seen(each, obj)})" for each in failing])


def _seen(condition: Condition, obj: SourceObject) -> str:
    values = values_now(obj)
    seen = []
    for name in condition.properties:
        value = values(name)
        told = name in obj.properties or "." in name
        shown = f"“{value[:60]}”" if value else "empty" if told else "never told by the feed"
        seen.append(f"{name} is {shown}" if len(condition.properties) > 1 else f"it is {shown}")
    return ", ".join(seen)
