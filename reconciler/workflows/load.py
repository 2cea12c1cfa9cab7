"""`load`: the text of a workflow file in, a `WorkflowFile` or every reason it can't be one out.

Called at start, by `check` and when the file changes. Each company, filter and action is checked
on its own, so that all problems show at once. It refuses to repair: what is wrong is said, with
what to write instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from reconciler.model import ObjectType
from reconciler.workflows import actions, conditions
from reconciler.workflows.definitions import (
    ClosedBooks,
    Company,
    ContactMode,
    Workflow,
    WorkflowFile,
)
from reconciler.workflows.legality import object_type_problem
from reconciler.workflows.lines import Path, Source, read
from reconciler.workflows.problems import WorkflowErrors
from reconciler.workflows.schema import Choices, CompanyWritten, FileWritten, WorkflowWritten
from reconciler.workflows.wording import validate

_SHORT_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass
class Loading:
    """What is known of the file while its parts are checked."""

    source: Source
    companies: dict[str, Company] = field(default_factory=dict)
    defaults: dict[str, Choices] = field(default_factory=dict)
    workflows: list[Workflow] = field(default_factory=list)


def load(text: str, path: str = "workflows.yaml") -> WorkflowFile:
    """Check and compile a workflow file; raises WorkflowErrors with every problem in it."""
    loading = Loading(read(text))
    version, portal_id = _top(loading)
    if loading.source.problems:
        raise WorkflowErrors(path, loading.source.problems)
    return WorkflowFile(
        version=version,
        portal_id=portal_id,
        companies=loading.companies,
        workflows=tuple(loading.workflows),
    )


def _top(loading: Loading) -> tuple[int, int]:
    source = loading.source
    data = source.data
    if data is None and source.problems:
        return 0, 0
    top = validate(FileWritten, data, source, ())
    if isinstance(data, dict):
        companies, workflows = data.get("companies"), data.get("workflows")
        if isinstance(companies, dict):
            for name, each in companies.items():
                _company(loading, name, each)
        if isinstance(workflows, list):
            for index, each in enumerate(workflows):
                _workflow(loading, each, ("workflows", index))
        _check_unique(loading, companies, workflows)
    return (top.version, top.portal_id) if top else (0, 0)


def _check_unique(loading: Loading, companies: object, workflows: object) -> None:
    source = loading.source
    realms: dict[str, str] = {}
    for name, each in companies.items() if isinstance(companies, dict) else ():
        realm = str(each.get("realm_id", "")) if isinstance(each, dict) else ""
        if realm and realm in realms:
            source.add(
                ("companies", name, "realm_id"),
                f"company {realms[realm]} has this realm id already: use that name in actions",
            )
        realms.setdefault(realm, name)
    names: dict[str, int] = {}
    for index, each in enumerate(workflows if isinstance(workflows, list) else ()):
        title = each.get("name") if isinstance(each, dict) else None
        if not isinstance(title, str):
            continue
        place: Path = ("workflows", index, "name")
        if title in names:
            source.add(place, f"the workflow on line {names[title]} has this name: write another")
        names.setdefault(title, source.mark(place).line)


# --- companies -------------------------------------------------------------------------------


def _company(loading: Loading, name: str, data: object) -> None:
    source, path = loading.source, ("companies", name)
    company = validate(CompanyWritten, data, source, path)
    raw = data if isinstance(data, dict) else {}
    if not _SHORT_NAME.fullmatch(name):
        message = (
            "the short name of a company has letters, digits, - and _ only: write one such as us"
        )
        source.add(path, message, of_key=True)
    contact_filter = None
    if raw.get("contact_filter") is not None:
        place = (*path, "contact_filter")
        contact_filter = conditions.enrolment(
            source, raw["contact_filter"], place, ObjectType.CONTACT
        )
        if raw.get("contacts") != ContactMode.DATA_SYNC:
            message = (
                "a contact filter needs `contacts: data_sync`: write that, or remove the filter"
            )
            source.add(place, message, of_key=True)
    defaults = Choices.model_validate({})
    if raw.get("defaults") is not None:
        defaults = validate(Choices, raw["defaults"], source, (*path, "defaults")) or defaults
        # A key that is there but wrong was reported; do not also report it missing in actions.
    loading.defaults[name] = defaults
    loading.companies[name] = Company(
        name=name,
        realm_id=company.realm_id if company else "",
        timezone=company.timezone if company else "UTC",
        currency=company.currency if company else "USD",
        contacts=company.contacts if company else ContactMode.LEGACY,
        contact_filter=contact_filter,
        product_map=company.product_map if company else {},
        closed_books=company.closed_books if company else ClosedBooks.BLOCK,
        line=source.mark(path, of_key=True).line,
    )


# --- workflows -------------------------------------------------------------------------------


def _workflow(loading: Loading, data: object, path: Path) -> None:
    source = loading.source
    written = validate(WorkflowWritten, data, source, path)
    if not isinstance(data, dict):
        return
    object_type = _object_type(source, data.get("object"), path)
    enrol = re_enrol = None
    if data.get("enrol") is not None:
        enrol = conditions.enrolment(source, data["enrol"], (*path, "enrol"), object_type)
    elif "enrol" in data:
        source.add((*path, "enrol"), "`enrol` is empty: write at least one filter", of_key=True)
    if data.get("re_enrol") not in (None, False):
        place = (*path, "re_enrol")
        re_enrol = conditions.re_enrolment(source, data["re_enrol"], place, object_type)
    write_back = written is not None and written.write_back
    listed = data.get("actions")
    settings = [
        actions.action(
            actions.Place(source, (*path, "actions", index), object_type, write_back),
            each,
            loading.companies,
            loading.defaults,
        )
        for index, each in enumerate(listed if isinstance(listed, list) else ())
    ]
    if written is None or object_type is None or enrol is None:
        return
    workflow = Workflow(
        name=written.name,
        object_type=object_type,
        enabled=written.enabled,
        enrol=enrol,
        re_enrol=re_enrol,
        delay=written.delay,
        actions=tuple(each for each in settings if each is not None),
        line=source.mark(path, of_key=True).line,
    )
    loading.workflows.append(workflow)


def _object_type(source: Source, written: object, path: Path) -> ObjectType | None:
    if not isinstance(written, str):
        return None
    problem = object_type_problem(written.strip())
    if problem:
        source.add((*path, "object"), f"`object` is '{written[:40]}': {problem}")
        return None
    return ObjectType(written.strip())
