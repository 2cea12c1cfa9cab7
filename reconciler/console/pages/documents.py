"""Documents: the list with its filters, one of them, one HubSpot object, retry and dismiss."""

from __future__ import annotations

from aiohttp import web

from reconciler.console.context import PERSON, console_of
from reconciler.console.pages.asking import (
    acted,
    first_page,
    number,
    path_number,
    selection,
    text,
    told,
    word,
)
from reconciler.console.rendering import render
from reconciler.console.words import plural
from reconciler.model import SOURCE_TYPES, Action, DocumentState, ObjectType
from reconciler.ports.views import DocumentFilter, Explanation


async def documents(request: web.Request) -> web.Response:
    """A page of the list."""
    console = console_of(request)
    wanted = asked(request)
    page = await console.operator.documents(wanted, number(request.query.get("after", "")))
    companies = await console.operator.company_names()
    return await render(
        request, "documents.html", page=page, wanted=wanted, companies=companies,
        workflows=[each.name for each in console.operator.workflows.workflows],
        source_types=SOURCE_TYPES,
        first=first_page(request.query),
    )  # fmt: skip


def asked(request: web.Request) -> DocumentFilter:
    """The filter in the address; what makes no sense there is left out."""
    query = request.query
    states = [word(DocumentState, each) for each in query.getall("state", [])]
    return DocumentFilter(
        states=tuple(each for each in states if each is not None),
        reason=text(query, "reason"),
        detail=query.get("detail", ""),
        action=word(Action, query.get("action", "")),
        realm_id=text(query, "realm_id"),
        workflow=text(query, "workflow"),
        object_type=word(ObjectType, query.get("object_type", "")),
        object_id=text(query, "object_id"),
        text=text(query, "text"),
    )


async def document(request: web.Request) -> web.Response:
    """One document with its timeline."""
    found = await console_of(request).operator.document(path_number(request, "document_id"))
    if found is None:
        raise web.HTTPNotFound(text="There is no document of that number.")
    return await render(request, "document.html", view=found, document=found.document)


async def source_object(request: web.Request) -> web.Response:
    """One HubSpot object: what it has become in every workflow, and why."""
    kind = word(ObjectType, request.match_info["object_type"])
    if kind not in SOURCE_TYPES:
        raise web.HTTPNotFound(text="Workflows start from deals, quotes and payments.")
    portal_id = number(request.query.get("portal", ""))
    object_id = request.match_info["object_id"]
    found: Explanation = await console_of(request).operator.explain(kind, object_id, portal_id)
    return await render(request, "object.html", view=found, key=found.key)


async def retry(request: web.Request) -> web.Response:
    """Look at documents anew."""
    form = await request.post()
    operator, person = console_of(request).operator, request[PERSON].name
    bill_anyway = text(form, "bill_anyway") == "yes"
    done = await operator.retry(selection(form), person, bill_anyway=bill_anyway)
    return acted(request, form, told(done, "looked at again"))


async def write_back_again(request: web.Request) -> web.Response:
    """Try again what HubSpot refused to be told."""
    form = await request.post()
    count = await console_of(request).operator.write_back_again(request[PERSON].name)
    return acted(request, form, f"{plural(count, 'document')} will be written back again.")


async def dismiss(request: web.Request) -> web.Response:
    """Decide that documents are not to be made."""
    form = await request.post()
    why = text(form, "why")
    if not why:
        return acted(request, form, "Nothing was dismissed: say why, it is kept with the document.")
    done = await console_of(request).operator.dismiss(selection(form), why, request[PERSON].name)
    return acted(request, form, told(done, "dismissed"))
