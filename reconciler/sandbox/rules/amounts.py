"""Owns the lines of sales forms: ids, amounts against quantity and price, discount, subtotal."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from reconciler.sandbox import faults
from reconciler.sandbox.exact import ZERO, cents, rounded
from reconciler.sandbox.rules.draft import Draft
from reconciler.sandbox.table import Body

MAX_LINES = 10_000
_LINE_CLASSES = ("ClassTrackingPerLine", "ClassTrackingPerTxnLine")  # docs and answers differ
_UNIT_PRICE = Decimal("0.0000001")


def settle_lines(draft: Draft) -> Decimal:
    """Check and complete the row's lines; returns the subtotal before discount and tax."""
    if len(draft.row["Line"]) > MAX_LINES:
        raise faults.Fault(faults.business(f"More than {MAX_LINES} lines", "Line"))
    lines: list[Body] = []
    for line in draft.row["Line"]:
        kind = line.get("DetailType")
        if kind is None:
            raise faults.Fault(faults.missing("DetailType"))
        if kind != "SubTotalLineDetail":  # generated in answers; what is sent is not used
            lines.append(_settle(draft, line, kind))
    if not any(one["DetailType"] in {"SalesItemLineDetail", "GroupLineDetail"} for one in lines):
        raise faults.Fault(faults.missing("Line"))
    number_lines(lines, draft.old)
    subtotal = sum((one["Amount"] for one in sale_lines(lines)), ZERO)
    discounts = [one for one in lines if one["DetailType"] == "DiscountLineDetail"]
    if len(discounts) > 1:
        raise faults.Fault(faults.business("Only one discount line is allowed", "Line"))
    for line in discounts:
        _settle_discount(draft, line, subtotal)
    others = [one for one in lines if one["DetailType"] != "DiscountLineDetail"]
    shown: Body = {"Amount": subtotal, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
    draft.row["Line"] = [*others, shown, *discounts]
    return subtotal


def sale_lines(lines: list[Body]) -> Iterator[Body]:
    """The lines that sell something, groups opened up."""
    for line in lines:
        if line["DetailType"] == "SalesItemLineDetail":
            yield line
        elif line["DetailType"] == "GroupLineDetail":
            yield from sale_lines(line["GroupLineDetail"].get("Line", []))


def discount_of(lines: list[Body]) -> Decimal:
    """The discount as a positive amount."""
    return sum((one["Amount"] for one in lines if one["DetailType"] == "DiscountLineDetail"), ZERO)


def number_lines(lines: list[Body], old: Body | None) -> None:
    """Keep the ids of known lines, give others the next ones, and number all from 1."""
    known = {one["Id"] for one in old["Line"] if "Id" in one} if old else set()
    highest = max((int(one) for one in known if one.isdigit()), default=0)
    for position, line in enumerate(lines, 1):
        line["LineNum"] = position
        if line.get("Id") not in known:
            highest += 1
            line["Id"] = str(highest)


def _settle(draft: Draft, line: Body, kind: str) -> Body:
    if kind == "SalesItemLineDetail":
        return _settle_sale(draft, line)
    if kind == "GroupLineDetail":
        return _settle_group(draft, line)
    if kind == "DescriptionOnly":
        line.setdefault("DescriptionLineDetail", {})
        line.pop("Amount", None)
    return line


def _settle_sale(draft: Draft, line: Body) -> Body:
    detail: dict[str, Any] = line.get("SalesItemLineDetail") or {}
    if "ItemRef" not in detail:  # then the line is a note, and its amount is ignored
        return {
            **{key: line[key] for key in ("Id", "Description") if key in line},
            "DetailType": "DescriptionOnly",
            "DescriptionLineDetail": {},
        }
    if line.get("Amount") is None:
        raise faults.Fault(faults.missing("Amount"))
    line["Amount"] = cents(line["Amount"])
    _check_product(line["Amount"], detail)
    if "ClassRef" in detail and not _tracks(draft, *_LINE_CLASSES):
        _untracked(draft, detail, "ClassRef")
    return line


def _check_product(amount: Decimal, detail: dict[str, Any]) -> None:
    """6070 unless Amount is Qty * UnitPrice to the cent; both zero means neither was given."""
    quantity, price = detail.get("Qty"), detail.get("UnitPrice")
    if not quantity and not price and amount:
        detail.pop("Qty", None)
        detail.pop("UnitPrice", None)
        return
    if quantity is not None and price is not None:
        if cents(quantity * price) != amount:
            message = "Amount calculation incorrect in the request"
            detail_text = f"Amount is not equal to UnitPrice * Qty. Supplied value:{amount}"
            raise faults.Fault(faults.Error("6070", message, detail_text, "Line"))
    elif quantity:
        detail["UnitPrice"] = rounded(amount / quantity, _UNIT_PRICE).normalize()


def _settle_group(draft: Draft, line: Body) -> Body:
    group = line.get("GroupLineDetail") or {}
    members = [
        _settle(draft, one, one.get("DetailType", "SalesItemLineDetail"))
        for one in group.get("Line", [])
    ]
    for position, member in enumerate(members, 1):
        member.setdefault("Id", str(position))
        member["LineNum"] = position
    group["Line"] = members
    line["GroupLineDetail"] = group
    line["Amount"] = sum((one["Amount"] for one in sale_lines(members)), ZERO)
    return line


def _settle_discount(draft: Draft, line: Body, subtotal: Decimal) -> None:
    if not draft.company.preference("SalesFormsPrefs", "AllowDiscount", True):
        raise faults.Fault(faults.business("Discounts are not enabled for this company", "Line"))
    detail = line.setdefault("DiscountLineDetail", {})
    percent = detail.get("DiscountPercent")
    if detail.get("PercentBased") and percent is not None:
        line["Amount"] = cents(subtotal * percent / 100)
    elif line.get("Amount") is None or detail.get("PercentBased"):
        message = "Discount line is incomplete"
        text = "A discount line needs an Amount, or PercentBased with a DiscountPercent"
        raise faults.Fault(faults.Error("6090", message, text, "DiscountLineDetail"))
    else:
        line["Amount"] = cents(line["Amount"])
        detail["PercentBased"] = False
        detail.pop("DiscountPercent", None)
    account = draft.company.account("DiscountsRefundsGiven")
    name = draft.company.tables["Account"].names[account]
    detail.setdefault("DiscountAccountRef", {"value": account, "name": name})


def _tracks(draft: Draft, *preferences: str) -> bool:
    prefs = draft.company.preferences["AccountingInfoPrefs"]
    return any(prefs.get(one) for one in preferences)


def _untracked(draft: Draft, holder: dict[str, Any], name: str) -> None:
    """A class or location while its tracking is off: dropped or refused, by switch."""
    if draft.company.switches.untracked_class == "fault":
        message = "Feature Not Supported Error"
        detail = f"{name} can't be used: tracking is not enabled"
        raise faults.Fault(faults.Error("5030", message, detail, name))
    del holder[name]


def drop_untracked_expense(draft: Draft, detail: dict[str, Any]) -> None:
    """The same for the ClassRef of an expense's line, the only one it has."""
    if "ClassRef" in detail and not _tracks(draft, "ClassTrackingPerTxn", *_LINE_CLASSES):
        _untracked(draft, detail, "ClassRef")


def drop_untracked_header(draft: Draft) -> None:
    """The same for a form's ClassRef and DepartmentRef."""
    for name, preference in (
        ("ClassRef", "ClassTrackingPerTxn"),
        ("DepartmentRef", "TrackDepartments"),
    ):
        if name in draft.row and not _tracks(draft, preference):
            _untracked(draft, draft.row, name)
