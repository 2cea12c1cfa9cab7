"""Owns sales tax: US pseudo codes and Automated Sales Tax, and per-line codes elsewhere.

US (developer.intuit.com, workflows/manage-sales-tax-for-us-locales, and the 2017-12-11 post on
Automated Sales Tax): a line's code is TAX or NON, else 6100; an explicit TotalTax is honoured; with
UsingSalesTax off the tax detail is dropped. TxnTaxCodeRef is the rate where there is no AST, and
another one than AST's own where there is. This engine knows one rate, a switch, and no addresses.
"""

from decimal import Decimal
from typing import Any

from reconciler.sandbox import faults
from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import ZERO, cents
from reconciler.sandbox.rules.amounts import discount_of, sale_lines
from reconciler.sandbox.rules.draft import Draft
from reconciler.sandbox.table import Body

MAX_TAXABLE_LINES = 750
_US_CODES = frozenset({"TAX", "NON"})


def settle_tax(draft: Draft, subtotal: Decimal) -> Decimal:
    """Set TxnTaxDetail; returns the tax of the form."""
    row, company = draft.row, draft.company
    given: Body = row.pop("TxnTaxDetail", None) or {}
    if draft.old is not None and "TxnTaxDetail" not in draft.given:
        given = _kept(draft, given)
    if company.is_us:
        row.pop("GlobalTaxCalculation", None)
        detail = _us_detail(draft, given, subtotal)
    else:
        row.setdefault("GlobalTaxCalculation", "TaxExcluded")
        detail = _coded_detail(draft, given, subtotal)
    if detail is None:
        return ZERO
    row["TxnTaxDetail"] = detail
    return Decimal(detail["TotalTax"])


def _kept(draft: Draft, stored: Body) -> Body:
    """An update that leaves lines and tax alone keeps its tax; new lines have it worked out.

    By the code the form has, that is: *stored* is empty only where the whole form is replaced.
    """
    kept = {"TxnTaxCodeRef": stored["TxnTaxCodeRef"]} if "TxnTaxCodeRef" in stored else {}
    if draft.old is None or "Line" in draft.given:
        return kept
    return {**kept, "TotalTax": draft.old.get("TxnTaxDetail", {}).get("TotalTax", ZERO)}


def _us_detail(draft: Draft, given: Body, subtotal: Decimal) -> Body | None:
    taxable, taxed = ZERO, 0
    lines = draft.row["Line"]
    for line in sale_lines(lines):
        code = line["SalesItemLineDetail"].get("TaxCodeRef") or _default_code(draft, line)
        if code["value"] not in _US_CODES:
            message = "Invalid Tax Code"
            text = f"Invalid tax code {code['value']} in the request: use TAX or NON"
            raise faults.Fault(faults.Error("6100", message, text, "TaxCodeRef"))
        line["SalesItemLineDetail"]["TaxCodeRef"] = {"value": code["value"]}
        if code["value"] == "TAX":
            taxable += line["Amount"]
            taxed += 1
    if taxed > MAX_TAXABLE_LINES:
        raise faults.Fault(faults.business(f"More than {MAX_TAXABLE_LINES} taxable lines", "Line"))
    if not draft.company.preference("TaxPrefs", "UsingSalesTax", False):
        return None
    taxable = _after_discount(draft.row, taxable, subtotal)
    code = _named_code(draft, given)
    rate, percent = _us_rate(draft, code)
    total = _us_total(draft, given, code, taxable)
    detail: Body = {"TotalTax": total}
    if code or total:
        detail["TxnTaxCodeRef"] = {"value": code or _engine_code(draft.company)}
    if total:
        detail["TaxLine"] = [_tax_line(total, rate, percent, taxable)]
    return detail


def _default_code(draft: Draft, line: Body) -> Body:
    """With AST a line's code is its item's (blog of 2018-03-28), else NON."""
    if not _runs_ast(draft.company):
        return {"value": "NON"}
    item = draft.unit.get("Item", line["SalesItemLineDetail"]["ItemRef"]["value"])
    return {"value": "TAX" if item is not None and item.get("Taxable") else "NON"}


def _runs_ast(company: Company) -> bool:
    return bool(company.preference("TaxPrefs", "PartnerTaxEnabled", False))


def _named_code(draft: Draft, given: Body) -> str | None:
    """The code a form is taxed by instead of AST; where AST isn't known (legacy) any it names."""
    code = str(given.get("TxnTaxCodeRef", {}).get("value", ""))
    if given.get("UseAutomatedSalesTax") or not rates_of(draft, code):
        return None
    is_legacy = draft.company.preference("TaxPrefs", "PartnerTaxEnabled") is None
    return code if is_legacy or code != _engine_code(draft.company) else None


def _engine_code(company: Company) -> str:
    return next(one for one in company.tables["TaxCode"].rows if one not in _US_CODES)


def _us_rate(draft: Draft, code: str | None) -> tuple[str, Decimal]:
    """The rate of a code, or AST's; each code of this sandbox has one."""
    if code is None:
        return rates_of(draft, _engine_code(draft.company))[0], _us_percent(draft.company)
    rate = rates_of(draft, code)[0]
    held = draft.unit.get("TaxRate", rate)
    return rate, Decimal(held["RateValue"]) if held else ZERO


def _us_total(draft: Draft, given: Body, code: str | None, taxable: Decimal) -> Decimal:
    switches = draft.company.switches
    explicit = given.get("TotalTax")
    if not taxable and not (explicit and switches.total_tax_without_taxable_lines == "keep"):
        return ZERO
    if explicit is not None and switches.honour_total_tax and not given.get("UseAutomatedSalesTax"):
        return cents(explicit)
    if code is not None:
        return cents(taxable * _us_rate(draft, code)[1] / 100)
    customer = draft.row.get("CustomerRef")
    held = draft.unit.get("Customer", customer["value"]) if customer else None
    exempt = held is not None and held.get("Taxable") is False
    if exempt or not _runs_ast(draft.company) or not switches.automated_sales_tax:
        return ZERO
    return cents(taxable * _us_percent(draft.company) / 100)


def _us_percent(company: Company) -> Decimal:
    return Decimal(str(company.switches.sales_tax_percent))


def _coded_detail(draft: Draft, given: Body, subtotal: Decimal) -> Body | None:
    """Tax by the rates of each line's code, rounded per rate."""
    if draft.row["GlobalTaxCalculation"] == "NotApplicable":
        return None
    bases: dict[str, Decimal] = {}
    for line in sale_lines(draft.row["Line"]):
        code = line["SalesItemLineDetail"].get("TaxCodeRef")
        if code is None:
            raise faults.Fault(
                faults.business(
                    "Make sure all your transactions have a GST/VAT rate before you save", "Line"
                )
            )
        for rate in rates_of(draft, code["value"]):
            bases[rate] = bases.get(rate, ZERO) + line["Amount"]
    lines: list[Body] = []
    for rate, base in bases.items():
        held = draft.unit.get("TaxRate", rate)
        percent = Decimal(held["RateValue"]) if held else ZERO
        net = _after_discount(draft.row, base, subtotal)
        lines.append(_tax_line(cents(net * percent / 100), rate, percent, net))
    _honour_total(draft, given, lines)
    return {"TotalTax": sum((one["Amount"] for one in lines), ZERO), "TaxLine": lines}


def _honour_total(draft: Draft, given: Body, lines: list[Body]) -> None:
    """An explicit TotalTax moves the difference onto the last taxed rate."""
    explicit = given.get("TotalTax")
    taxed = [one for one in lines if one["Amount"]]
    if explicit is None or not draft.company.switches.honour_total_tax or not taxed:
        return
    taxed[-1]["Amount"] += cents(explicit) - sum((one["Amount"] for one in lines), ZERO)


def rates_of(draft: Draft, code: str) -> list[str]:
    """The sales tax rates of a tax code."""
    held = draft.unit.get("TaxCode", code)
    listed = (held or {}).get("SalesTaxRateList", {}).get("TaxRateDetail", [])
    return [one["TaxRateRef"]["value"] for one in listed]


def _after_discount(row: Body, base: Decimal, subtotal: Decimal) -> Decimal:
    discount = discount_of(row["Line"])
    if not row.get("ApplyTaxAfterDiscount") or not discount or not subtotal:
        return base
    return cents(base - discount * base / subtotal)


def _tax_line(amount: Decimal, rate: str, percent: Decimal, net: Decimal) -> dict[str, Any]:
    return {
        "Amount": amount,
        "DetailType": "TaxLineDetail",
        "TaxLineDetail": {
            "TaxRateRef": {"value": rate},
            "PercentBased": True,
            "TaxPercent": percent,
            "NetAmountTaxable": net,
        },
    }
