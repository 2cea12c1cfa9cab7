"""Owns the associations of a snapshot, in both styles of HubSpot's API and as bare lists of ids.

A list that is present and empty means none; an absent or null one says nothing; one cut off by
paging is not the whole list, so its ids are given as single additions that never make it known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.errors import UndecodableRecord
from reconciler.model import Link, Related
from streams.formats.names import association_name, is_primary
from streams.formats.parsing import text_document
from streams.formats.record import Document, Reason, refused, shown
from streams.formats.values import first_instant, ident, property_values

Lists = dict[str, tuple[Related, ...]]

BESIDE_PROPERTIES = frozenset({
    "commerce_payments", "companies", "contacts", "deals", "invoices", "lineItems", "line_items",
    "payments", "products", "quotes",
})  # fmt: skip
"""Where connectors that flatten objects put lists of associated ids, and receivers what they fetched."""

_TELLING: Mapping[str, frozenset[str]] = {
    "companies": frozenset({"name"}),
    "contacts": frozenset({"email", "firstname", "lastname"}),
    "line_items": frozenset({"amount", "price", "quantity"}),
}
"""One of these in an entry, by the list's name, tells that its properties stand there beside the id."""
_NOTHING: frozenset[str] = frozenset()
_OF_ENTRY = frozenset({
    "archived", "archivedAt", "associationTypes", "associations", "createdAt", "created_at", "id",
    "objectType", "objectTypeId", "object_type", "properties", "toObjectId", "type", "updatedAt",
    "updated_at", "url",
})  # fmt: skip


def read(document: Document, at: int) -> tuple[Lists, tuple[Link, ...]]:
    """Give a snapshot's whole lists by canonical name, and additions from lists cut off."""
    found = document.get("associations")
    if type(found) is str and found:
        found = text_document(found)
    if found and type(found) is not dict:
        raise refused(Reason.UNKNOWN_SHAPE, "associations is not an object")
    lists, links = _taken(found.items() if found else (), at)
    if not BESIDE_PROPERTIES.isdisjoint(document):
        _add_beside(document, lists, links, at, is_all=not found)
    return lists, tuple(links)


def _taken(said: Iterable[tuple[str, Any]], at: int) -> tuple[Lists, list[Link]]:
    lists: Lists = {}
    links: list[Link] = []
    for key, body in said:
        name = association_name(key)
        if name is None or body is None:
            continue
        entries, whole = _entries(body)
        if name == "companies" and entries:
            entries, primary = _primary_first(entries)
            if primary is not None:
                links.append(Link(name, primary, primary=True))
        related = _related(name, entries, at)
        if whole:
            lists[name] = _united((*lists[name], *related)) if name in lists else related
        else:
            links += [Link(name, one.id) for one in related]
    return lists, links


def _add_beside(
    document: Document, lists: Lists, links: list[Link], at: int, *, is_all: bool
) -> None:
    """Add lists that stand beside the properties; to those that `associations` gave, only properties.

    Where there are other associations, a column of such a name need not be a list of ours.
    """
    for key in document:
        if key not in BESIDE_PROPERTIES:
            continue
        try:
            beside, more = _taken([(key, _listed(document[key]))], at)
        except UndecodableRecord:
            if is_all:
                raise
            continue
        links += more
        for name, related in beside.items():
            known = {one.id for one in lists.get(name, related)}
            ours = (one for one in related if is_all or one.id in known)
            lists[name] = _united((*lists.get(name, ()), *ours))


def _listed(value: Any) -> Any:
    """Read a column that may hold a list as JSON text; anything but a list says nothing."""
    if type(value) is str and value[:1] == "[":
        value = text_document(value)
    return value if type(value) in (list, dict) else None


def _entries(body: Any) -> tuple[list[Any], bool]:
    """Give the entries of a list and whether it is whole."""
    if type(body) is list:
        return body, True
    if type(body) is dict:
        entries = body.get("results", body.get("to"))
        if type(entries) is list:
            paging = body.get("paging")
            return entries, not (type(paging) is dict and paging.get("next"))
    raise refused(Reason.UNKNOWN_SHAPE, f"an association list is {shown(body)}")


def _primary_first(entries: list[Any]) -> tuple[list[Any], str | None]:
    """Put the primary company before others and give its id, where types tell it; else keep their order.

    HubSpot lists it as `deal_to_company` and, like all, as `deal_to_company_unlabeled` (v3), or with the
    types it has (v4).
    """
    types = [one.get("type") for one in entries if type(one) is dict]

    def is_first(one: Any) -> bool:
        if type(one) is not dict:
            return False
        name, numbered = one.get("type"), one.get("associationTypes")
        if type(name) is str and (is_primary(name) or f"{name}_unlabeled" in types):
            return True
        return type(numbered) is list and any(_is_primary_type(each) for each in numbered)

    found = sorted(entries, key=lambda one: not is_first(one))
    return found, _one(found[0], 0, _NOTHING).id if is_first(found[0]) else None


def _is_primary_type(each: Any) -> bool:
    own = type(each) is dict and each.get("category", "HUBSPOT_DEFINED") == "HUBSPOT_DEFINED"
    return own and is_primary(each.get("typeId"))


def _related(name: str, entries: list[Any], at: int) -> tuple[Related, ...]:
    telling = _TELLING.get(name, _NOTHING)
    if len(entries) == 1:
        return (_one(entries[0], at, telling),)
    return _united([_one(entry, at, telling) for entry in entries])


def _united(ones: Iterable[Related]) -> tuple[Related, ...]:
    """Give each object once, in order and with its properties where any entry has them.

    HubSpot lists an object that is associated under several types several times.
    """
    related: dict[str, Related] = {}
    for one in ones:
        if one.id not in related or related[one.id].properties is None:
            related[one.id] = one
    return tuple(related.values())


def _one(entry: Any, at: int, telling: frozenset[str]) -> Related:
    if type(entry) is not dict:
        return Related(ident(entry))
    found = entry.get("id")
    id_ = ident(entry.get("toObjectId") if found is None else found)
    properties = entry.get("properties")
    if type(properties) is dict:
        own = _own_time(entry, properties)
    elif telling.isdisjoint(entry):
        return Related(id_)
    else:
        properties = {name: value for name, value in entry.items() if name not in _OF_ENTRY}
        own = _own_time(entry, properties) or entry.get("updated_at")
    true_at = (first_instant(own) or at) if own else at
    return Related(id_, property_values(properties), true_at)


def _own_time(entry: Document, properties: Document) -> object:
    return (
        entry.get("updatedAt")
        or properties.get("hs_lastmodifieddate")
        or properties.get("lastmodifieddate")
    )
