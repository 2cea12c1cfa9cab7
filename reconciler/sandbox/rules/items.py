"""Owns the rules of items: accounts by type, names within a parent, stock."""

from decimal import Decimal

from reconciler.sandbox import faults
from reconciler.sandbox.exact import ZERO, cents
from reconciler.sandbox.ledger import Posting
from reconciler.sandbox.rules.draft import Draft, ref
from reconciler.sandbox.rules.hierarchy import place
from reconciler.sandbox.rules.people import DELETED
from reconciler.sandbox.table import Body

_INCOME = frozenset({"Income", "Other Income"})
_ACCOUNTS = {
    "IncomeAccountRef": _INCOME,
    "ExpenseAccountRef": frozenset({"Cost of Goods Sold", "Expense", "Other Expense"}),
    "AssetAccountRef": frozenset({"Other Current Asset"}),
}
_REQUIRED = {
    "Inventory": (
        "IncomeAccountRef",
        "ExpenseAccountRef",
        "AssetAccountRef",
        "QtyOnHand",
        "InvStartDate",
    ),
    "Service": ("IncomeAccountRef",),
}
_TAKEN = (
    "Another product, service or category is already using this name. Please use a different name."
)


def write_item(draft: Draft) -> Body:
    """Create or update an Item."""
    row, old = draft.row, draft.old
    row.setdefault("Active", True)
    _check_type(draft)
    if row.get("Sku") and not draft.company.switches.sku_supported:
        text = "The property Sku isn't supported by this company's subscription"
        raise faults.Fault(faults.Error("5030", "Feature Not Supported Error", text, "Sku"))
    if ":" in row["Name"]:
        raise faults.Fault(faults.business("Name can't contain ':'", "Name"))
    if old is not None and old["Active"] != row["Active"]:
        _rename_by_activity(draft)
    row["SubItem"] = bool(row.get("ParentRef"))
    place(draft, "Name")
    _check_unique(draft)
    if row["Type"] != "Category":
        row.setdefault("Taxable", False)
        row.setdefault("UnitPrice", 0)
        row.setdefault("PurchaseCost", 0)
        row["TrackQtyOnHand"] = row["Type"] == "Inventory"
    opening = row.pop("QtyOnHand", None)
    saved = draft.save()
    if row["Type"] == "Inventory" and opening is not None:
        _adjust_stock(draft, saved, Decimal(opening))
    return saved


def _check_type(draft: Draft) -> None:
    row, old = draft.row, draft.old
    kind = row.get("Type") or (old["Type"] if old else None)
    if kind is None:
        raise faults.Fault(faults.missing("Type"))
    row["Type"] = kind
    if old is None:
        _check_new_type(row, kind)
    elif old["Type"] == "Inventory":
        if kind != "Inventory":
            raise faults.Fault(faults.business("An inventory item can't change its type", "Type"))
        row.setdefault("InvStartDate", old.get("InvStartDate"))
        row.setdefault("QtyOnHand", draft.company.ledger.stock.get(old["Id"], ZERO))
    for name in _REQUIRED.get(kind, ()):
        if row.get(name) is None:
            raise faults.Fault(faults.missing(name))
    for name, kinds in _ACCOUNTS.items():
        account_id = ref(row, name)
        if account_id is not None:
            _check_account(draft, name, account_id, kinds)


def _check_new_type(row: Body, kind: str) -> None:
    if kind == "Group":
        raise faults.Fault(faults.unsupported_operation("create of a Group item"))
    if kind == "Inventory" and row.get("TrackQtyOnHand") is not True:
        raise faults.Fault(faults.missing("TrackQtyOnHand"))


def _check_account(draft: Draft, name: str, account_id: str, kinds: frozenset[str]) -> None:
    account = draft.unit.get("Account", account_id)
    if account is None or account["AccountType"] not in kinds:
        detail = f"You need to select a different type of account for this item: {name}"
        raise faults.Fault(faults.business(detail, name))


def _rename_by_activity(draft: Draft) -> None:
    row = draft.row
    if row["Active"]:
        row["Name"] = row["Name"].removesuffix(DELETED)
    elif draft.company.switches.deleted_name_suffix:
        base, count = row["Name"], 1
        row["Name"] = base + DELETED
        while draft.company.tables["Item"].find("Name", row["Name"]):
            count += 1
            row["Name"] = f"{base}{DELETED[:-1]}-{count})"


def _check_unique(draft: Draft) -> None:
    for holder in draft.company.tables["Item"].find(
        "FullyQualifiedName", draft.row["FullyQualifiedName"]
    ):
        if holder != draft.row_id:
            raise faults.Fault(faults.duplicate_name(_TAKEN, holder))


def _adjust_stock(draft: Draft, item: Body, wanted: Decimal) -> None:
    """Bring the quantity on hand to `wanted`, against Opening Balance Equity."""
    company = draft.company
    key = f"Item/{item['Id']}"
    on_hand = company.ledger.stock.get(item["Id"], ZERO)
    opened = sum((one.quantity for one in company.ledger.entries.get(key, ())), ZERO)
    quantity = opened + wanted - on_hand
    value = cents(quantity * Decimal(item.get("PurchaseCost", 0)))
    draft.unit.post(
        "Item",
        item["Id"],
        (
            Posting(item["AssetAccountRef"]["value"], value, item=item["Id"], quantity=quantity),
            Posting(company.account("OpeningBalanceEquity"), -value),
        ),
    )
