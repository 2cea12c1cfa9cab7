"""Owns the rules of customers, vendors and employees: one name space, hierarchy, inactivation."""

from reconciler.sandbox import faults
from reconciler.sandbox.company import Company
from reconciler.sandbox.fields.entities import PEOPLE
from reconciler.sandbox.rules.draft import Draft, ref
from reconciler.sandbox.rules.hierarchy import place
from reconciler.sandbox.rules.writeoff import write_off_balance
from reconciler.sandbox.table import Body

_NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")
_TAKEN = (
    "Another customer, vendor or employee is already using this name. Please use a different name."
)
DELETED = " (deleted)"


def write_person(draft: Draft) -> Body:
    """Create or update a Customer, Vendor or Employee."""
    row, old = draft.row, draft.old
    row.setdefault("Active", True)
    _name(draft)
    if old is not None and old["Active"] and row["Active"] is False:
        _inactivate(draft)
    elif old is not None and not old["Active"] and row["Active"] is True:
        row["DisplayName"] = row["DisplayName"].removesuffix(DELETED)
    _check_unique(draft)
    if draft.entity.name == "Customer":
        _customer(draft)
    row.setdefault("PrintOnCheckName", row["DisplayName"][:110])
    if draft.entity.name != "Employee":
        _currency(draft)
    row.setdefault("FullyQualifiedName", row["DisplayName"])
    return draft.save()


def _name(draft: Draft) -> None:
    row = draft.row
    if row.get("DisplayName"):
        row["DisplayName"] = row["DisplayName"].strip()
        return
    if draft.old is not None and "DisplayName" not in draft.given:
        row["DisplayName"] = draft.old["DisplayName"]
        return
    built = " ".join(row[part] for part in _NAME_PARTS if row.get(part))
    if not built:
        message = "At least one of the name fields must be given"
        detail = (
            "The name supplied is not valid. : DisplayName, or one of Title, GivenName, "
            "MiddleName, FamilyName, Suffix is required"
        )
        raise faults.Fault(faults.Error("6080", message, detail, "DisplayName"))
    row["DisplayName"] = built


def _check_unique(draft: Draft) -> None:
    for entity in PEOPLE:
        for holder in draft.company.tables[entity].find("DisplayName", draft.row["DisplayName"]):
            if not (holder == draft.row_id and entity == draft.entity.name):
                raise faults.Fault(faults.duplicate_name(_TAKEN, holder))


def _inactivate(draft: Draft) -> None:
    if draft.entity.name == "Customer":
        write_off_balance(draft)
    if draft.company.switches.deleted_name_suffix:
        draft.row["DisplayName"] = _free_deleted_name(draft)


def _free_deleted_name(draft: Draft) -> str:
    """The name with " (deleted)", numbered when that is taken too."""
    company: Company = draft.company
    base = draft.row["DisplayName"]
    for count in range(1, 10_000):
        tail = DELETED if count == 1 else f"{DELETED[:-1]}-{count})"
        name = base + tail
        if not any(company.tables[one].find("DisplayName", name) for one in PEOPLE):
            return str(name)
    raise faults.system()


def _customer(draft: Draft) -> None:
    row = draft.row
    if row.get("TaxExemptionReasonId") and "Taxable" not in draft.given:
        row["Taxable"] = False  # Customer, "Taxable" (read 2026-11)
    row.setdefault("Taxable", draft.company.is_us)
    row.setdefault("Job", False)
    row.setdefault("BillWithParent", False)
    row.setdefault("IsProject", False)
    row.setdefault("PreferredDeliveryMethod", "Print")
    parent = ref(row, "ParentRef")
    if row["Job"] and parent is None:
        raise faults.Fault(faults.missing("ParentRef"))
    if parent is not None:
        row["Job"] = True
    place(draft, "DisplayName")
    if row.get("Level", 0) > 4:  # a customer and four levels of sub-customers
        raise faults.Fault(faults.business("Customers can only be nested five levels deep"))


def _currency(draft: Draft) -> None:
    row, company = draft.row, draft.company
    currency = ref(row, "CurrencyRef") or company.currency
    if draft.old is not None and currency != draft.old["CurrencyRef"]["value"]:
        if "CurrencyRef" in draft.given and ref(row, "CurrencyRef"):
            raise faults.Fault(faults.business("The currency can't be changed", "CurrencyRef"))
        currency = draft.old["CurrencyRef"]["value"]
    multi = company.preference("CurrencyPrefs", "MultiCurrencyEnabled", False)
    if currency != company.currency and not multi:
        raise faults.Fault(faults.business("Multicurrency is not enabled", "CurrencyRef"))
    row["CurrencyRef"] = {"value": currency}
