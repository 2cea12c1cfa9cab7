"""Owns writes: from a request's body to a committed change of the books.

A write is checked field by field, merged with the stored row (full or sparse), checked for its
references, and handed to its entity's rules; the first fault leaves the books as they were.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.sandbox import faults
from reconciler.sandbox.company import Company
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.fields.entity import Entity
from reconciler.sandbox.fields.kinds import Findings, clean_fields
from reconciler.sandbox.preferences import merge_preferences
from reconciler.sandbox.rules import (
    banking,
    forms,
    items,
    listed,
    payments,
    people,
    purchases,
    undo,
)
from reconciler.sandbox.rules.draft import Draft
from reconciler.sandbox.rules.references import resolve
from reconciler.sandbox.table import Body
from reconciler.sandbox.unit import Commit, Unit

RULES: dict[str, Callable[[Draft], Body]] = {
    "Customer": people.write_person,
    "Vendor": people.write_person,
    "Employee": people.write_person,
    "Item": items.write_item,
    "Account": listed.write_account,
    "Term": listed.write_term,
    "PaymentMethod": listed.write_payment_method,
    "Class": listed.write_class,
    "Department": listed.write_department,
    "TaxAgency": listed.write_tax_agency,
    "Invoice": forms.write_invoice,
    "Estimate": forms.write_estimate,
    "SalesReceipt": forms.write_sales_receipt,
    "RefundReceipt": forms.write_refund_receipt,
    "CreditMemo": forms.write_credit_memo,
    "Payment": payments.write_payment,
    "Purchase": purchases.write_purchase,
    "Deposit": banking.write_deposit,
    "JournalEntry": banking.write_journal_entry,
}
KEPT = ("Id", "SyncToken", "MetaData", "CreateTime")  # the server's own, whatever is sent
SERVER_OWNED = ("LinkedTxn", "Balance", "Active", "Level", "TotalAmt")


@dataclass(frozen=True, slots=True)
class Written:
    """A committed write and the row it answers with."""

    entity: str
    row_id: str
    body: bytes
    commit: Commit
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One write as asked for: the `operation` and `include` of the URL, and the body."""

    entity: Entity
    body: Mapping[str, Any]
    operation: str = ""
    include: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """create, update, delete or void."""
        if self.operation in {"delete", "void"}:
            return self.operation
        if "void" in self.include:
            return "void"
        return "update" if self.body.get("Id") else "create"


def write(company: Company, request: Request) -> Written:
    """Perform a write; raises `Fault` with nothing changed."""
    entity = request.entity
    if request.operation not in {"", "create", "update", "delete", "void"}:
        raise Fault(faults.unsupported_operation(request.operation))
    if entity.name == "Preferences":
        return _written(company, entity, merge_preferences(company, request.body), "1")
    kind = request.kind
    if kind == "create":
        return _create(company, request)
    if entity.name not in RULES:
        raise Fault(faults.unsupported_operation(f"{kind} of {entity.name}"))
    if kind == "update":
        return _update(company, request)
    return _undo(company, request, kind)


def _create(company: Company, request: Request) -> Written:
    entity = request.entity
    if not entity.can_create or entity.name not in RULES:
        raise Fault(faults.unsupported_operation(f"create of {entity.name}"))
    cleaned, found = _clean(entity, request.body)
    row = {name: value for name, value in cleaned.items() if value is not None}
    for name in ("Id", "SyncToken", "sparse"):
        row.pop(name, None)
    _require(company, entity, row)
    resolve(company, found, None)
    given = frozenset(row)
    unit = Unit(company)
    saved = RULES[entity.name](Draft(unit, entity, row, None, given, request.include))
    return _written(company, entity, unit.commit(), saved["Id"])


def _update(company: Company, request: Request) -> Written:
    entity = request.entity
    unit = Unit(company)
    old = _current(company, request)
    cleaned, found = _clean(entity, request.body)
    sparse = bool(cleaned.pop("sparse", False))
    given = frozenset(cleaned)
    values = {name: value for name, value in cleaned.items() if value is not None}
    if sparse:
        _repeat(entity, values)
        row = {name: value for name, value in old.items() if name not in cleaned or name in values}
        row.update(values)
    else:
        row = {**{name: old[name] for name in SERVER_OWNED if name in old}, **values}
    row.update({name: old[name] for name in KEPT if name in old})
    _require(company, entity, row)
    resolve(company, found, old)
    saved = RULES[entity.name](Draft(unit, entity, row, old, given, request.include))
    return _written(company, entity, unit.commit(), saved["Id"])


def _undo(company: Company, request: Request, kind: str) -> Written:
    entity = request.entity
    if not entity.is_transaction or (kind == "void" and not entity.voids):
        raise Fault(faults.unsupported_operation(f"{kind} of {entity.name}"))
    way = "operation" if request.operation == "void" else "include"
    if kind == "void" and way not in entity.voids:
        raise Fault(faults.unsupported_operation(f"void of {entity.name} this way"))
    old = _current(company, request)
    unit = Unit(company)
    draft = Draft(unit, entity, unit.row(entity.name, old["Id"]), old)
    if kind == "delete":
        undo.delete(draft)
    else:
        undo.void(draft)
    return _written(company, entity, unit.commit(), old["Id"], deleted=kind == "delete")


def _current(company: Company, request: Request) -> Body:
    """The stored row a change is based on; 610 when gone, 5010 when the SyncToken is old."""
    entity, body = request.entity, request.body
    row_id = body.get("Id")
    if row_id is None or row_id == "":
        raise Fault(faults.missing("Id"))
    row = company.get(entity.name, str(row_id))
    if row is None:
        if not str(row_id).lstrip("-").isdigit():
            raise Fault(faults.invalid_id("Id", row_id))
        raise Fault(
            faults.not_found(
                "Object Not Found : Another user has deleted this transaction."
                if entity.is_transaction
                else faults.INACTIVE_REFERENCE
            )
        )
    token = body.get("SyncToken")
    if token is None or token == "":
        raise Fault(faults.missing("SyncToken"))
    if str(token) != row["SyncToken"]:
        raise Fault(faults.stale())
    return row


def _clean(entity: Entity, body: Mapping[str, Any]) -> tuple[dict[str, Any], Findings]:
    found = Findings()
    cleaned = clean_fields(entity.fields, body, found)
    if found.errors:
        raise Fault(*found.errors)
    return cleaned, found


def _require(company: Company, entity: Entity, row: Body) -> None:
    absent = [_absent(company, name) for name in entity.required if not _is_set(row.get(name))]
    if absent:
        raise Fault(*absent)


def _repeat(entity: Entity, values: Body) -> None:
    absent = [faults.missing(name) for name in entity.repeated if name not in values]
    if absent:
        raise Fault(*absent)


def _absent(company: Company, name: str) -> faults.Error:
    if name == "CustomerRef" and company.switches.missing_customer_code == "6560":
        return faults.Error("6560", "Invalid Customer", "CustomerRef is missing", name)
    return faults.missing(name)


def _is_set(value: object) -> bool:
    return value is not None and value != []


def _written(
    company: Company, entity: Entity, commit: Commit, row_id: str, deleted: bool = False
) -> Written:
    table = company.tables[entity.name]
    body = table.removed[row_id] if deleted else table.rows[row_id]
    return Written(entity.name, row_id, body, commit, deleted)
