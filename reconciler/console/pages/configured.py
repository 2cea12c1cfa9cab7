"""What is configured and connected: companies, workflows with the lines of the file."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from aiohttp import web

from reconciler.console.context import console_of
from reconciler.console.pages.asking import first_page, number
from reconciler.console.rendering import render
from reconciler.operator.workflow_words import enrolment_words
from reconciler.ports.views import LintView, WorkflowsView
from reconciler.workflows import Company
from reconciler.workflows.definitions import ClosedBooks, ContactMode

_CONTACTS = {
    ContactMode.LEGACY: "contacts, matched on name and email and created if missing",
    ContactMode.DATA_SYNC: "only contacts that pass the contact filter",
}
_CLOSED_BOOKS = {
    ClosedBooks.BLOCK: "the document is blocked",
    ClosedBooks.FIRST_OPEN_DAY: "the document is dated the first open day",
}


async def companies(request: web.Request) -> web.Response:
    """Every company."""
    found = await console_of(request).operator.companies()
    return await render(request, "companies.html", companies=found)


async def company(request: web.Request) -> web.Response:
    """One company: connection, quota, who works for it, what QuickBooks says of itself."""
    console = console_of(request)
    realm_id = request.match_info["realm_id"]
    views = await console.operator.companies()
    found = next((each for each in views if each.realm_id == realm_id), None)
    if found is None:
        raise web.HTTPNotFound(text="There is no such company.")
    configured = console.operator.workflows.companies.values()
    written = next((each for each in configured if each.realm_id == realm_id), None)
    workflows = await console.operator.workflow_file()
    return await render(
        request, "company.html", company=found,
        options=options(written) if written else {},
        workflows=[
            (workflow, action)
            for workflow in workflows.workflows
            for action in workflow.actions
            if action.realm_id == realm_id
        ],
    )  # fmt: skip


def options(company_: Company) -> dict[str, str]:
    """A company's part of the workflow file, in words."""
    chosen = {
        "Time zone": company_.timezone,
        "Currency": company_.currency,
        "Customers": _CONTACTS[company_.contacts],
        "When books are closed": _CLOSED_BOOKS[company_.closed_books],
    }
    if company_.contact_filter is not None:
        chosen["Contact filter"] = " or ".join(enrolment_words(company_.contact_filter))
    if company_.product_map:
        chosen["Mapped products"] = f"{len(company_.product_map)}"
    return chosen


class FileLine(NamedTuple):
    """A line of the workflow file, with the warnings about it."""

    number: int
    text: str
    lint: tuple[LintView, ...]


async def workflows(request: web.Request) -> web.Response:
    """Every workflow, what is doubtful about it, and the file itself."""
    console = console_of(request)
    found = await console.operator.workflow_file()
    lines = file_lines(console.workflow_text, found)
    return await render(request, "workflows.html", file=found, lines=lines)


def file_lines(text: str, view: WorkflowsView) -> list[FileLine]:
    """The file, warnings at their lines."""
    lint: dict[int, list[LintView]] = defaultdict(list)
    for each in (*view.lint, *(one for workflow in view.workflows for one in workflow.lint)):
        lint[each.line].append(each)
    return [
        FileLine(number, line, tuple(lint[number]))
        for number, line in enumerate(text.splitlines(), 1)
    ]


async def audit(request: web.Request) -> web.Response:
    """A page of what people did."""
    target = request.query.get("target", "").strip()
    after = number(request.query.get("after", ""))
    page = await console_of(request).operator.audit(target, after)
    return await render(
        request, "audit.html", page=page, target=target,
        first=first_page(request.query),
    )  # fmt: skip
