"""Records of HubSpot objects for tests: hydrated REST snapshots, and a deal and a payment of 100.00."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Facts = Mapping[str, str | None]
Record = tuple[str, bytes]
"""The object's type and its snapshot."""

LINE = {"name": "Consulting", "quantity": "1", "price": "100.00", "amount": "100.00"}
ADA = ("51", {"firstname": "Ada", "lastname": "Byron", "email": "ada@x.org",
              "lifecyclestage": "customer"})  # fmt: skip
PAYMENT = {
    "hs_latest_status": "succeeded", "hs_payment_type": "one_time_or_initial",
    "hs_initial_amount": "100.00", "hs_currency_code": "USD",
    "hs_initiated_date": "2026-03-01T12:00:00Z", "hs_processor_type": "hs_payments",
    "hs_payment_source_app": "SALES_CHECKOUT",
}  # fmt: skip


def snapshot(
    object_id: str,
    properties: Facts,
    *,
    contacts: Sequence[tuple[str, Facts]] | None = None,
    lines: Sequence[tuple[str, Facts]] | None = None,
    at: str = "2026-03-02T10:00:00.000Z",
) -> bytes:
    """A hydrated REST snapshot as HubSpot gives it; None leaves an association out."""
    associations = {}
    for name, members in (("contacts", contacts), ("line items", lines)):
        if members is not None:
            rows = [{"id": id_, "type": name, "properties": dict(found)} for id_, found in members]
            associations[name] = {"results": rows}
    body = {
        "id": object_id,
        "properties": {**properties, "hs_lastmodifieddate": at},
        "updatedAt": at,
        "archived": False,
        "associations": associations,
    }
    return msgspec.json.encode(body)


def deal(id_: str, stage: str, *, properties: Facts | None = None, **more: Any) -> Record:
    """A deal in that stage with Ada and one line; *more* is for `snapshot`."""
    facts = {"dealname": f"Deal {id_}", "dealstage": stage, "amount": "100.00"}
    parts = {"contacts": [ADA], "lines": [(f"{id_}1", LINE)], **more}
    return "deal", snapshot(id_, {**facts, **(properties or {})}, **parts)


def payment(id_: str, line: Facts = LINE, **properties: str | None) -> Record:
    """A payment that Ada made by card."""
    facts = {**PAYMENT, **properties}
    return "payment", snapshot(id_, facts, contacts=[ADA], lines=[(f"{id_}1", line)])
