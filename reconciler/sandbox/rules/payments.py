"""Owns Payments: money received, applied to invoices by the lines, the rest kept as credit."""

from decimal import Decimal

from reconciler.sandbox import faults
from reconciler.sandbox.exact import ZERO, cents
from reconciler.sandbox.ledger import Posting
from reconciler.sandbox.rules import header, links
from reconciler.sandbox.rules.draft import Draft, ref
from reconciler.sandbox.rules.forms import cash_account
from reconciler.sandbox.table import Body


def write_payment(draft: Draft) -> Body:
    """Create or update a Payment."""
    row, old = draft.row, draft.old
    header.settle_date(draft)
    customer_id = ref(row, "CustomerRef")
    header.settle_currency(draft, draft.unit.get("Customer", customer_id) if customer_id else None)
    row["TotalAmt"] = cents(row["TotalAmt"])
    row["ProcessPayment"] = False
    cash_account(draft)
    if old is not None:
        links.check_not_deposited(old)
    row["LinkedTxn"] = list(old["LinkedTxn"]) if old else []
    row["Line"] = _lines(draft, links.applied(old))
    amounts = links.applied(row)
    used = sum((one if target[0] == "Invoice" else -one for target, one in amounts.items()), ZERO)
    row["UnappliedAmt"] = row["TotalAmt"] - used
    if row["UnappliedAmt"] < 0:
        text = "The lines apply more than the payment's total amount"
        raise faults.Fault(faults.business(text, "TotalAmt"))
    saved = draft.save()
    links.move(draft.unit, saved, links.applied(old), amounts)
    post_payment(draft, saved)
    return saved


def post_payment(draft: Draft, payment: Body) -> None:
    """Cash against receivables; what an exchange rate moved since the invoice is a gain or loss."""
    company = draft.company
    rate = header.rate_of(payment)
    cash = cents(payment["TotalAmt"] * rate)
    receivable = ref(payment, "ARAccountRef") or company.account("AccountsReceivable")
    settled = cents(payment["UnappliedAmt"] * rate)
    for (entity, row_id), amount in links.applied(payment).items():
        held = draft.unit.get(entity, row_id)
        at = header.rate_of(held) if held else rate
        settled += cents(amount * at) * (1 if entity == "Invoice" else -1)
    draft.unit.post(
        "Payment",
        payment["Id"],
        (
            Posting(payment["DepositToAccountRef"]["value"], cash),
            Posting(receivable, -settled, party=payment["CustomerRef"]["value"]),
            Posting(company.account("ExchangeGainOrLoss"), settled - cash),
        ),
    )


def _lines(draft: Draft, before: dict[links.Target, Decimal]) -> list[Body]:
    lines: list[Body] = []
    for line in draft.row.get("Line", ()):
        linked = [one for one in line.get("LinkedTxn", ()) if one.get("TxnId")]
        if not linked:
            continue
        if line.get("Amount") is None:
            raise faults.Fault(faults.missing("Amount"))
        target = (linked[0].get("TxnType", ""), linked[0]["TxnId"])
        taken = sum(
            (
                one["Amount"]
                for one in lines
                if (one["LinkedTxn"][0]["TxnType"], one["LinkedTxn"][0]["TxnId"]) == target
            ),
            ZERO,
        )
        amount = _applicable(draft, target, cents(line["Amount"]), before.get(target, ZERO) - taken)
        lines.append({"Amount": amount, "LinkedTxn": [{"TxnId": target[1], "TxnType": target[0]}]})
    return lines


def _applicable(draft: Draft, target: links.Target, amount: Decimal, spare: Decimal) -> Decimal:
    """What of `amount` the target can take; `spare` is what this payment holds of it already."""
    held = draft.unit.get(*target) if target[0] in links.APPLICABLE else None
    if held is None or amount < 0:
        raise faults.Fault(faults.cannot_link(f"{target[0]} {target[1]} can't be paid"))
    if not _same_customer(draft, held):
        raise faults.Fault(faults.cannot_link("the transaction is another customer's"))
    room = held["Balance"] + spare
    if room <= 0 and amount > 0:
        raise faults.Fault(faults.cannot_link(f"{target[0]} {target[1]} has nothing open"))
    if amount > room:
        if draft.company.switches.payment_over_balance == "cap":
            return Decimal(room)
        text = f"The amount {amount} is more than the open balance {room}"
        raise faults.Fault(faults.business(text, "Amount"))
    return amount


def _same_customer(draft: Draft, held: Body) -> bool:
    """The payer, or a parent of the customer who owes."""
    payer = ref(draft.row, "CustomerRef")
    owing: str | None = ref(held, "CustomerRef")
    while owing is not None:
        if owing == payer:
            return True
        customer = draft.unit.get("Customer", owing)
        owing = ref(customer, "ParentRef") if customer else None
    return False
