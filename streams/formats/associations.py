"""Owns the associations of a snapshot, in both styles of HubSpot's API and as bare lists of ids.

A list that is present and empty means none; an absent or null one says nothing; one cut off by
paging is not the whole list, so its ids are given as single additions that never make it known.
"""

from __future__ import annotations

from typing import Any

from reconciler.model import Link, Related
from streams.formats.names import association_name, is_primary
from streams.formats.parsing import text_document
from streams.formats.record import Document, Reason, refused, shown
from streams.formats.values import first_instant, ident, property_values

Lists = dict[str, tuple[Related, ...]]

BESIDE_PROPERTIES = frozenset(
    {"companies", "contacts", "deals", "invoices", "line_items", "payments", "products", "quotes"}
)
"""Where connectors that flatten objects put lists of associated ids."""


def read(document: Document, at: int) -> tuple[Lists, tuple[Link, ...]]:
    """Give a snapshot's whole lists by canonical name, and additions from lists cut off."""
    found = document.get("associations")
    if type(found) is str and found:
        found = text_document(found)
    if not found:
        found = {name: _listed(document[name]) for name in document.keys() & BESIDE_PROPERTIES}
    if type(found) is not dict:
        raise refused(Reason.UNKNOWN_SHAPE, "associations is not an object")
    lists: Lists = {}
    links: list[Link] = []
    for key, body in found.items():
        name = association_name(key)
        if name is None or body is None:
            continue
        entries, whole = _entries(body)
        if name == "companies" and len(entries) > 1:
            entries = _primary_first(entries)
        related = _related(entries, at)
        if whole:
            lists[name] = _united(lists[name], related) if name in lists else related
        else:
            links += [Link(name, one.id) for one in related]
    return lists, tuple(links)


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


def _primary_first(entries: list[Any]) -> list[Any]:
    """Put the primary company before others, where types tell it; they keep their order otherwise.

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

    return sorted(entries, key=lambda one: not is_first(one))


def _is_primary_type(each: Any) -> bool:
    own = type(each) is dict and each.get("category", "HUBSPOT_DEFINED") == "HUBSPOT_DEFINED"
    return own and is_primary(each.get("typeId"))


def _related(entries: list[Any], at: int) -> tuple[Related, ...]:
    """Read entries in order; one object associated under several types is listed several times."""
    related: dict[str, Related] = {}
    for entry in entries:
        one = _one(entry, at)
        if one.id not in related or related[one.id].properties is None:
            related[one.id] = one
    return tuple(related.values())


def _one(entry: Any, at: int) -> Related:
    if type(entry) is not dict:
        return Related(ident(entry))
    found = entry.get("id")
    id_ = ident(entry.get("toObjectId") if found is None else found)
    properties = entry.get("properties")
    if type(properties) is not dict:
        return Related(id_)
    own = _own_time(entry, properties)
    true_at = (first_instant(own) or at) if own else at
    return Related(id_, property_values(properties), true_at)


def _own_time(entry: Document, properties: Document) -> object:
    return (
        entry.get("updatedAt")
        or properties.get("hs_lastmodifieddate")
        or properties.get("lastmodifieddate")
    )


def _united(first: tuple[Related, ...], more: tuple[Related, ...]) -> tuple[Related, ...]:
    known = {one.id for one in first}
    return first + tuple(one for one in more if one.id not in known)
