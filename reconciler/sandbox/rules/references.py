"""Owns the check that what a body refers to exists and is active."""

from collections.abc import Iterator
from typing import Any

from reconciler.sandbox import faults
from reconciler.sandbox.company import Company
from reconciler.sandbox.fields.kinds import Findings
from reconciler.sandbox.table import Body

_LISTS = {
    "Customer": "Names",
    "Vendor": "Names",
    "Employee": "Names",
    "Account": "Accounts",
    "Item": "Items",
    "Term": "Terms",
    "Class": "Classes",
    "Department": "Departments",
    "PaymentMethod": "PaymentMethods",
    "TaxCode": "TaxCodes",
    "TaxRate": "TaxRates",
    "TaxAgency": "TaxAgencies",
}
_UNLISTED = frozenset({"Currency", "ShipMethod"})


def resolve(company: Company, found: Findings, old: Body | None) -> None:
    """Raise 2500 or 610 for bad references, and give the good ones their current names.

    What the row referred to already may have been made inactive since: old rows keep it.
    """
    held = frozenset(_ids(old)) if old else frozenset()
    errors = [
        error
        for at, targets, kept in found.references
        if (error := _check(company, at, targets, kept, held)) is not None
    ]
    if errors:
        raise faults.Fault(*errors)


def _check(
    company: Company, at: str, targets: tuple[str, ...], kept: dict[str, str], held: frozenset[str]
) -> faults.Error | None:
    target = kept["value"]
    if targets[0] in _UNLISTED or (at == "TaxCodeRef" and company.is_us):
        return None  # US line codes are the tax rules' business (6100)
    for name in targets:
        table = company.tables[name]
        if target not in table.rows or (company.hidden and (name, target) in company.hidden):
            continue
        kept["name"] = table.names.get(target, "")
        if target in table.inactive and target not in held:
            return _inactive(company, name, target, at)
        if at == "ItemRef" and target in table.indexes["Type"].get("category", ()):
            return faults.category_used(at)
        return None
    return faults.unknown_reference(_LISTS[targets[0]], target, at)


def _inactive(company: Company, name: str, target: str, at: str) -> faults.Error:
    if company.switches.inactive_reference_code == "2500":
        return faults.unknown_reference(_LISTS[name], target, at)
    return faults.not_found(element=at)


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("value"), str):
            yield value["value"]
        for one in value.values():
            yield from _ids(one)
    elif isinstance(value, list):
        for one in value:
            yield from _ids(one)
