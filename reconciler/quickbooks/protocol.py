"""Requests to the QuickBooks Online Accounting API as data; no I/O.

The dispatcher and the loaders build a `Request` here and hand it to `client.QuickBooks`; tests
and the ledger can look at it without sending it. A request never names the company: the client
adds `/v3/company/{realm}/`. Facts: Intuit's REST API features page
(developer.intuit.com/app/developer/qbo/docs/learn/rest-api-features), read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote as percent_encode

import msgspec

from reconciler.quickbooks.payload import encode

MINOR_VERSION = "75"
"""Every older one is treated as 75 since 2025-08-01 (blogs.intuit.com/2025/01/21)."""

MAX_REQUEST_ID = 50
MAX_BATCH_REQUEST_ID = 36
MAX_BATCH_ITEM_ID = 10
MAX_BATCH_ITEMS = 30
"""30 work, 31 are refused with 1040 (QuickBooks-V3-DotNET-SDK issue 358)."""

MAX_QUERY_IN_URL = 4000
"""Longer statements go in a POST body; proxies refuse long request lines."""

JSON = "application/json"
QUERY_TEXT = "application/text"

ENTITIES = (
    "Account", "Attachable", "Bill", "BillPayment", "Budget", "Class", "CompanyInfo", "CreditMemo",
    "CreditCardPayment", "Currency", "Customer", "CustomerType", "Department", "Deposit",
    "Employee", "Estimate", "Invoice", "Item", "JournalCode", "JournalEntry", "Payment",
    "PaymentMethod", "Preferences", "Purchase", "PurchaseOrder", "RefundReceipt", "SalesReceipt",
    "TaxAgency", "TaxCode", "TaxRate", "Term", "TimeActivity", "Transfer", "Vendor",
    "VendorCredit",
)  # fmt: skip
"""Type names as the API spells them; the path and webhook events use them in lower case."""

CANONICAL_NAME = {name.lower(): name for name in ENTITIES}


class Verb(StrEnum):
    """What a request does; also the label of metrics, so the set is closed."""

    CREATE = "create"
    UPDATE = "update"
    SPARSE_UPDATE = "sparse_update"
    VOID = "void"
    DELETE = "delete"
    READ = "read"
    QUERY = "query"
    BATCH = "batch"
    CDC = "cdc"


@dataclass(frozen=True)
class Request:
    """One HTTP request below `/v3/company/{realm}/`.

    `writes` says that an answer that never came may mean it was done. `metered` says that Intuit
    counts it against the monthly CorePlus allowance (reads do, writes do not).
    """

    method: str
    path: str
    operation: Verb
    entity: str
    query: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = JSON
    writes: bool = False
    metered: bool = False

    @property
    def url_query(self) -> str:
        """The query string, percent-encoded as UTF-8 (a space is %20, never +)."""
        parameters = {**self.query, "minorversion": MINOR_VERSION}
        return "&".join(f"{key}={percent_encode(text, '')}" for key, text in parameters.items())


Body = Mapping[str, Any] | bytes
"""A JSON object, or the very bytes the ledger recorded for it."""


# --- writes -----------------------------------------------------------------------------------


def create(entity: str, body: Body, request_id: str) -> Request:
    """Create an object. Repeating it with the same `request_id` and bytes replays the answer."""
    return _write(Verb.CREATE, entity, body, request_id)


def update(entity: str, body: Body, request_id: str) -> Request:
    """Replace an object: writable fields left out are cleared. Needs Id and SyncToken."""
    return _write(Verb.UPDATE, entity, body, request_id)


def sparse_update(entity: str, changes: Mapping[str, Any], request_id: str) -> Request:
    """Change only the fields given (a `Line` list is still replaced whole)."""
    return _write(Verb.SPARSE_UPDATE, entity, {**changes, "sparse": True}, request_id)


VOIDED_BY_UPDATE = frozenset({"Payment", "SalesReceipt", "BillPayment"})


def void(entity: str, id_: str, sync_token: str, request_id: str) -> Request:
    """Zero an Invoice, Payment or SalesReceipt, keeping it in the books.

    Raises ValueError for the others: no void is documented for Estimate, RefundReceipt and
    Purchase; delete them.
    """
    target = {"Id": id_, "SyncToken": sync_token}
    if entity == "Invoice":
        return _write(Verb.VOID, entity, target, request_id, {"operation": "void"})
    if entity in VOIDED_BY_UPDATE:
        flags = {"operation": "update", "include": "void"}
        return _write(Verb.VOID, entity, {**target, "sparse": True}, request_id, flags)
    raise ValueError(f"{entity} cannot be voided; delete it")


def delete(entity: str, id_: str, sync_token: str, request_id: str) -> Request:
    """Remove a transaction (name lists are made inactive by `sparse_update` instead)."""
    target = {"Id": id_, "SyncToken": sync_token}
    return _write(Verb.DELETE, entity, target, request_id, {"operation": "delete"})


def _write(
    operation: Verb,
    entity: str,
    body: Body,
    request_id: str,
    flags: Mapping[str, str] | None = None,
) -> Request:
    return Request(
        "POST",
        entity.lower(),
        operation,
        entity,
        query={**(flags or {}), "requestid": _bounded("requestid", request_id, MAX_REQUEST_ID)},
        body=body if isinstance(body, bytes) else encode(body),
        writes=True,
    )


# --- reads ------------------------------------------------------------------------------------


def read(entity: str, id_: str) -> Request:
    """Read one object by id, deleted transactions excepted (fault 610)."""
    path = f"{entity.lower()}/{percent_encode(id_, '')}"
    return Request("GET", path, Verb.READ, entity, metered=True)


def query(entity: str, statement: str) -> Request:
    """Run a statement of the query language (see `queries`); `entity` is only the label."""
    if len(percent_encode(statement, "")) <= MAX_QUERY_IN_URL:
        parameters = {"query": statement}
        return Request("GET", "query", Verb.QUERY, entity, query=parameters, metered=True)
    return Request(
        "POST",
        "query",
        Verb.QUERY,
        entity,
        body=statement.encode(),
        content_type=QUERY_TEXT,
        metered=True,
    )


def change_data_capture(entities: Sequence[str], since: datetime) -> Request:
    """Everything changed or deleted since an aware instant at most 30 days ago."""
    if since.tzinfo is None:
        raise ValueError("since needs a time zone")
    parameters = {"entities": ",".join(entities), "changedSince": since.isoformat()}
    return Request("GET", "cdc", Verb.CDC, "CDC", query=parameters, metered=True)


def exchange_rate(currency: str, day: str) -> Request:
    """What a unit of *currency* was worth in the home currency on *day*; it has no id.

    As node-quickbooks (pull 58) and quickbooks-ruby (pull 347) ask for it.
    """
    parameters = {"sourcecurrencycode": currency, "asofdate": day}
    return Request("GET", "exchangerate", Verb.READ, "ExchangeRate", query=parameters, metered=True)


def company_info(realm_id: str) -> Request:
    """The company's names, country and subscription."""
    return read("CompanyInfo", realm_id)


def preferences() -> Request:
    """The company's settings; they have no id."""
    return Request("GET", "preferences", Verb.READ, "Preferences", metered=True)


# --- batch ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BatchItem:
    """One write (or query statement) in a batch; `b_id` must be the same when it is repeated."""

    b_id: str
    operation: Verb
    entity: str
    body: Body | str

    @property
    def writes(self) -> bool:
        """False only for a query."""
        return self.operation is not Verb.QUERY


BATCH_OPERATION = {
    Verb.CREATE: "create",
    Verb.UPDATE: "update",
    Verb.SPARSE_UPDATE: "update",
    Verb.DELETE: "delete",
}


def batch(items: Sequence[BatchItem], request_id: str) -> Request:
    """Up to 30 independent items; each succeeds or fails alone and none sees another's result.

    Intuit's idempotency key is (requestid, bId): repeat both.
    """
    if not 1 <= len(items) <= MAX_BATCH_ITEMS:
        raise ValueError(f"a batch holds 1 to {MAX_BATCH_ITEMS} items, not {len(items)}")
    if len({item.b_id for item in items}) != len(items):
        raise ValueError("two items of a batch share a bId")
    return Request(
        "POST",
        "batch",
        Verb.BATCH,
        "Batch",
        query={"requestid": _bounded("requestid", request_id, MAX_BATCH_REQUEST_ID)},
        body=encode({"BatchItemRequest": [_batch_item(item) for item in items]}),
        writes=any(item.writes for item in items),
        metered=any(not item.writes for item in items),
    )


def _batch_item(item: BatchItem) -> dict[str, Any]:
    b_id = _bounded("bId", item.b_id, MAX_BATCH_ITEM_ID)
    if isinstance(item.body, str):
        return {"bId": b_id, "Query": item.body}
    body = msgspec.Raw(item.body) if isinstance(item.body, bytes) else item.body
    return {"bId": b_id, "operation": BATCH_OPERATION[item.operation], item.entity: body}


def _bounded(name: str, text: str, limit: int) -> str:
    if not 1 <= len(text) <= limit:
        raise ValueError(f"{name} must be 1 to {limit} characters, not {len(text)}")
    return text
