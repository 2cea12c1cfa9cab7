"""HubSpot's CRM API as bytes: requests to send and answers read, without any I/O. Pure.

Paths and limits are from HubSpot's guides on CRM objects, associations (v4) and usage limits (read
November 2026). The dated paths (`/crm/objects/2026-03/…`) take and give the same bodies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from reconciler.errors import HubSpotBusy, HubSpotError, HubSpotRefused
from reconciler.model import ObjectType

OBJECTS_PER_READ = 100
ASSOCIATIONS_PER_READ = 1000

NAMES: Mapping[ObjectType, str] = {
    ObjectType.DEAL: "deals",
    ObjectType.QUOTE: "quotes",
    ObjectType.PAYMENT: "commerce_payments",
    ObjectType.CONTACT: "contacts",
    ObjectType.COMPANY: "companies",
    ObjectType.LINE_ITEM: "line_items",
    ObjectType.PRODUCT: "products",
    ObjectType.INVOICE: "invoices",
}
"""What each type is called in paths."""

_NOTE_TO_DEAL = 214
_PRIMARY_COMPANY = 5  # of a deal
_DAILY = timedelta(minutes=15)
_ROLLING = timedelta(seconds=10)
_UNREACHABLE = timedelta(seconds=10)
_LONGEST = timedelta(hours=1)  # a wrong header must not stop hydration for days

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Request(NamedTuple):
    """One call; `operation` names it in metrics."""

    operation: str
    method: str
    path: str
    body: bytes | None = None


class HubSpotObject(msgspec.Struct, frozen=True, rename="camel"):
    """An object as a batch read gives it; values are text or null."""

    id: str
    properties: dict[str, str | None]
    created_at: str | None = None
    updated_at: str | None = None
    archived: bool = False


class Associated(NamedTuple):
    """What one object is associated with, in HubSpot's order but for a primary company, which is the
    first; `after` where there is more."""

    ids: tuple[str, ...]
    after: str | None
    primary: str | None = None

    def then(self, page: Associated) -> Associated:
        """With the next page of it."""
        first = () if page.primary is None else (page.primary,)
        ids = dict.fromkeys(first + self.ids + page.ids)
        return Associated(tuple(ids), page.after, self.primary or page.primary)


# --- reading -----------------------------------------------------------------------------------


def batch_read(type_: ObjectType, ids: Sequence[str], properties: Sequence[str]) -> Request:
    """Ask for up to `OBJECTS_PER_READ` objects; those that are gone are left out of the answer."""
    body = {"properties": list(properties), "inputs": [{"id": one} for one in ids]}
    path = f"/crm/v3/objects/{NAMES[type_]}/batch/read"
    return Request("read_objects", "POST", path, _encode(body))


class _Objects(msgspec.Struct, frozen=True):
    results: list[HubSpotObject] = []


_decode_objects = msgspec.json.Decoder(_Objects).decode


def objects(answer: bytes) -> list[HubSpotObject]:
    """Read the answer to `batch_read`."""
    found: _Objects = _understood(_decode_objects, answer)
    return found.results


def batch_associations(from_: ObjectType, to: str, ids: Mapping[str, str | None]) -> Request:
    """Ask what objects are associated with; `ids` gives each one's `after` (None at first).

    `to` is a name as in `NAMES`, or `notes`.
    """
    inputs = [
        {"id": one} if after is None else {"id": one, "after": after} for one, after in ids.items()
    ]
    path = f"/crm/v4/associations/{NAMES[from_]}/{to}/batch/read"
    return Request("read_associations", "POST", path, _encode({"inputs": inputs}))


class _Type(msgspec.Struct, frozen=True, rename="camel"):
    category: str | None = None
    type_id: int | None = None


class _To(msgspec.Struct, frozen=True, rename="camel"):
    to_object_id: int | str
    association_types: list[_Type] | None = None

    @property
    def is_primary_company(self) -> bool:
        primary = _Type("HUBSPOT_DEFINED", _PRIMARY_COMPANY)
        return primary in (self.association_types or ())


class _From(msgspec.Struct, frozen=True):
    id: int | str


class _Next(msgspec.Struct, frozen=True):
    after: str | None = None


class _Paging(msgspec.Struct, frozen=True):
    next: _Next | None = None


class _AssociationsOf(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    from_: _From
    to: list[_To] = []
    paging: _Paging | None = None


class _Associations(msgspec.Struct, frozen=True):
    results: list[_AssociationsOf] = []


_decode_associations = msgspec.json.Decoder(_Associations).decode


def associations(answer: bytes) -> dict[str, Associated]:
    """Read the answer to `batch_associations`; objects without any association are left out."""
    read: _Associations = _understood(_decode_associations, answer)
    found: dict[str, Associated] = {}
    for result in read.results:
        ordered = sorted(result.to, key=lambda to: to.is_primary_company, reverse=True)
        ids = dict.fromkeys(str(to.to_object_id) for to in ordered)
        after = result.paging.next.after if result.paging and result.paging.next else None
        primary = next(iter(ids)) if ordered and ordered[0].is_primary_company else None
        found[str(result.from_.id)] = Associated(tuple(ids), after, primary)
    return found


def snapshot(
    portal_id: int,
    found: HubSpotObject,
    lists: Mapping[str, Sequence[HubSpotObject | str]],
    primary_company: str | None = None,
) -> bytes:
    """Write an object with its associations as HubSpot's own single read would give it.

    `lists` has every association by name, empty ones too: a list that is there is whole. An
    associated object is given with its properties, or as an id alone. It was read after the object, so
    it was as it is when that last changed, too: dated earlier, it would lose against what a feed that
    leaves some properties out said of it then.
    """
    body: dict[str, Any] = {
        "portalId": portal_id,
        "id": found.id,
        "properties": found.properties,
        "createdAt": found.created_at,
        "updatedAt": found.updated_at,
        "archived": found.archived,
        "associations": {
            name: {"results": [_entry(one, found.updated_at) for one in ones]}
            for name, ones in lists.items()
        },
    }
    for entry in body["associations"].get("companies", {}).get("results", ()):
        if entry["id"] == primary_company:
            entry["associationTypes"] = [
                {"category": "HUBSPOT_DEFINED", "typeId": _PRIMARY_COMPANY}
            ]
    return _encode(body)


def _entry(one: HubSpotObject | str, owner_updated_at: str | None) -> dict[str, Any]:
    if isinstance(one, str):
        return {"id": one}
    true_at = max(one.updated_at, owner_updated_at, key=_moment)
    return {"id": one.id, "properties": one.properties, "updatedAt": true_at}


def _moment(at: str | None) -> datetime:
    """When something was, as HubSpot writes it; long ago if it doesn't say."""
    try:
        moment = datetime.fromisoformat(at or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# --- writing -----------------------------------------------------------------------------------


def update(type_: ObjectType, id_: str, properties: Mapping[str, str]) -> Request:
    """Set properties of an object: doing it twice is doing it once."""
    path = f"/crm/v3/objects/{NAMES[type_]}/{quote(id_, safe='')}"
    return Request("update_object", "PATCH", path, _encode({"properties": properties}))


def read_notes(ids: Sequence[str]) -> Request:
    """Ask for the texts of notes."""
    body = {"properties": ["hs_note_body"], "inputs": [{"id": one} for one in ids]}
    return Request("read_notes", "POST", "/crm/v3/objects/notes/batch/read", _encode(body))


def create_note(deal_id: str, text: str, at: str) -> Request:
    """Put a note on a deal, in one call, so that there is never a note on nothing."""
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": _NOTE_TO_DEAL}]
    body = {
        "properties": {"hs_note_body": text, "hs_timestamp": at},
        "associations": [{"to": {"id": deal_id}, "types": types}],
    }
    return Request("create_note", "POST", "/crm/v3/objects/notes", _encode(body))


# --- what went wrong -------------------------------------------------------------------------------


def failure(status: int, answer: bytes, retry_after: str = "") -> HubSpotError | None:
    """Say what a status means: None for success, else what to do about it."""
    if status < 300:
        return None
    message, policy = _said(answer)
    if status == 429:
        patience = _DAILY if policy == "DAILY" else _ROLLING
        if retry_after.isascii() and retry_after.isdigit():
            patience = min(timedelta(seconds=int(retry_after[:9])), _LONGEST)
        return HubSpotBusy(message or "too many requests", status, patience)
    if status >= 500 or status in (408, 423, 477):
        return HubSpotBusy(message or "HubSpot is in trouble", status, _UNREACHABLE)
    return HubSpotRefused(message or "refused", status)


def _said(answer: bytes) -> tuple[str, str]:
    try:
        body = _decode(answer)
    except (msgspec.DecodeError, UnicodeError):
        return "", ""
    if type(body) is not dict:
        return "", ""
    message, policy = body.get("message"), body.get("policyName")
    return str(message)[:300] if message else "", str(policy) if policy else ""


def _understood(decode: Any, answer: bytes) -> Any:
    try:
        return decode(answer)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError) as error:
        raise HubSpotBusy(f"an answer that is not what the API documents ({error})") from error
