"""“Where is my invoice?”: from whatever a person has in hand to the page that answers.

A HubSpot id (also `deal 123` or a HubSpot link), a deal's or customer's name, an email address, a
QuickBooks number. One hit leads to its page at once; several to a list.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from aiohttp import web

from reconciler.console.context import Console, console_of, see_other
from reconciler.console.rendering import link, render
from reconciler.model import SOURCE_TYPES, ObjectType
from reconciler.ports.views import DocumentFilter, DocumentSummary, ObjectHit

_TYPE_IDS = {"0-3": ObjectType.DEAL, "0-14": ObjectType.QUOTE, "0-101": ObjectType.PAYMENT}
_MOST = 25
_TYPED = re.compile(r"(deal|quote|payment)s?[\s:#/]+([0-9]+)", re.IGNORECASE)
_LINK = re.compile(r"https?://\S*hubspot\S*/record/(0-3|0-14|0-101)/(\d+)")
_DOCUMENT = re.compile(r"(?:document|#)\s*(\d{1,18})", re.IGNORECASE)


class Named(NamedTuple):
    """An object named by its type and id."""

    type: ObjectType
    id: str


def named(text: str) -> Named | None:
    """What a text names outright."""
    if match := _LINK.match(text):
        return Named(_TYPE_IDS[match[1]], match[2])
    if match := _TYPED.fullmatch(text):
        return Named(ObjectType(match[1].lower()), match[2])
    return None


async def search(request: web.Request) -> web.Response:
    """Lead to the page, or list what could be meant."""
    console = console_of(request)
    text = " ".join(request.query.get("q", "").split())[:200]
    if not text:
        return see_other(link("/documents"))
    if (straight := named(text)) is not None:
        return see_other(link(f"/objects/{straight.type}/{straight.id}"))
    if (match := _DOCUMENT.fullmatch(text)) is not None:
        return see_other(link(f"/documents/{match[1]}"))
    page = await console.operator.documents(DocumentFilter(text=text), None, _MOST)
    objects = await _objects(console, text)
    where = _only_page(text, page.documents, objects)
    if where:
        return see_other(where)
    return await render(request, "search.html", text=text, page=page, objects=objects)


async def _objects(console: Console, text: str) -> list[ObjectHit]:
    return await console.operator.find_objects(text, SOURCE_TYPES, _MOST)


def _only_page(text: str, documents: tuple[DocumentSummary, ...], objects: list[ObjectHit]) -> str:
    """The one page that is meant, "" if there are several or none."""
    by_id = [hit for hit in objects if hit.key.id == text]
    keys = {each.key.source for each in documents} | {hit.key for hit in objects}
    if len(by_id) == 1:
        key = by_id[0].key
    elif len(keys) == 1 and len(documents) != 1:
        key = keys.pop()
    elif len(documents) == 1 and len(keys) == 1:
        return link(f"/documents/{documents[0].document_id}")
    else:
        return ""
    return link(f"/objects/{key.type}/{key.id}", portal=key.portal_id)
