"""Owns how sales forms reach the ledger: income, discount, tax, stock, and the other side."""

from collections.abc import Iterator
from decimal import Decimal

from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import ZERO, cents
from reconciler.sandbox.ledger import Posting
from reconciler.sandbox.rules.amounts import sale_lines
from reconciler.sandbox.rules.draft import Draft, ref
from reconciler.sandbox.rules.header import rate_of
from reconciler.sandbox.table import Body


def post_form(
    draft: Draft,
    saved: Body,
    account: str,
    party: str,
    sign: int,
    deposit: tuple[str, Decimal] | None = None,
) -> None:
    """Post a form against `account`: `sign` 1 when the company is paid, -1 when it pays back."""
    rate = rate_of(saved)
    entries = list(_sale(draft, saved, rate, sign))
    owed = -sum((one.amount for one in entries), ZERO)
    if deposit is not None and deposit[1]:
        paid = cents(deposit[1] * rate)
        entries.append(Posting(deposit[0], paid))
        owed -= paid
    entries.append(Posting(account, owed, party=party))
    for line in sale_lines(saved["Line"]):
        entries.extend(_stock(draft, line, sign))
    draft.unit.post(draft.entity.name, saved["Id"], entries)


def _sale(draft: Draft, row: Body, rate: Decimal, sign: int) -> Iterator[Posting]:
    company = draft.company
    for line in sale_lines(row["Line"]):
        yield Posting(income_account(draft, line), -sign * cents(line["Amount"] * rate))
    for line in row["Line"]:
        if line["DetailType"] == "DiscountLineDetail":
            account = line["DiscountLineDetail"]["DiscountAccountRef"]["value"]
            yield Posting(account, sign * cents(line["Amount"] * rate))
    tax = row.get("TxnTaxDetail", {}).get("TotalTax", ZERO)
    if tax:
        yield Posting(company.account("SalesTaxPayable"), -sign * cents(tax * rate))


def income_account(draft: Draft, line: Body) -> str:
    """The account a sale line is income to."""
    item_id = line["SalesItemLineDetail"]["ItemRef"]["value"]
    company: Company = draft.company
    if not item_id.isdigit():  # the pseudo items for shipping and gratuity
        return company.account("OtherPrimaryIncome")
    item = draft.unit.get("Item", item_id)
    account = ref(item, "IncomeAccountRef") if item else None
    return account or company.account("SalesOfProductIncome")


def _stock(draft: Draft, line: Body, sign: int) -> Iterator[Posting]:
    item_id = line["SalesItemLineDetail"]["ItemRef"]["value"]
    item = draft.unit.get("Item", item_id)
    if item is None or item.get("Type") != "Inventory":
        return
    quantity = sign * Decimal(line["SalesItemLineDetail"].get("Qty", 1))
    value = cents(quantity * Decimal(item.get("PurchaseCost", 0)))
    yield Posting(item["ExpenseAccountRef"]["value"], value)
    yield Posting(item["AssetAccountRef"]["value"], -value, item=item_id, quantity=-quantity)
