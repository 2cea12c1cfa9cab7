"""Owns the application of payments to invoices and credit memos, and the links both ways.

A payment's lines are the truth; an invoice's Balance and LinkedTxn follow them. Applying or
releasing bumps the other side's SyncToken, as QuickBooks does.
"""

from decimal import Decimal

from reconciler.sandbox import faults
from reconciler.sandbox.exact import ZERO, cents
from reconciler.sandbox.rules.header import rate_of
from reconciler.sandbox.table import Body
from reconciler.sandbox.unit import Unit

Target = tuple[str, str]  # ("Invoice" or "CreditMemo", id)
APPLICABLE = frozenset({"Invoice", "CreditMemo"})


def applied(payment: Body | None) -> dict[Target, Decimal]:
    """What a payment's lines apply to each transaction."""
    amounts: dict[Target, Decimal] = {}
    for line in payment["Line"] if payment else ():
        linked = line["LinkedTxn"][0]
        target = (linked["TxnType"], linked["TxnId"])
        amounts[target] = amounts.get(target, ZERO) + line["Amount"]
    return amounts


def move(
    unit: Unit, payment: Body, before: dict[Target, Decimal], after: dict[Target, Decimal]
) -> None:
    """Bring the linked transactions from one application to another."""
    for target in {**before, **after}:
        old, new = before.get(target, ZERO), after.get(target, ZERO)
        if old != new or (target in before) != (target in after):
            _shift(unit, payment["Id"], target, new - old, linked=target in after)


def _shift(unit: Unit, payment_id: str, target: Target, amount: Decimal, linked: bool) -> None:
    held = unit.get(*target)
    if held is None:
        return
    held["Balance"] -= amount
    if "RemainingCredit" in held:
        held["RemainingCredit"] = held["Balance"]
    if "HomeBalance" in held:
        held["HomeBalance"] = cents(held["Balance"] * rate_of(held))
    others = [
        one
        for one in held["LinkedTxn"]
        if (one["TxnType"], one["TxnId"]) != ("Payment", payment_id)
    ]
    if linked:
        others.append({"TxnId": payment_id, "TxnType": "Payment"})
    held["LinkedTxn"] = others
    unit.change(target[0], held)


def release(unit: Unit, invoice: Body, keep: Decimal) -> None:
    """Un-apply payments from an invoice, the latest first, until at most `keep` stays applied."""
    paid_by = [one["TxnId"] for one in invoice["LinkedTxn"] if one["TxnType"] == "Payment"]
    total = sum(
        (
            applied(unit.get("Payment", one)).get(("Invoice", invoice["Id"]), ZERO)
            for one in paid_by
        ),
        ZERO,
    )
    for payment_id in reversed(paid_by):
        excess = total - keep
        if excess <= 0 and keep:
            return
        payment = unit.get("Payment", payment_id)
        if payment is not None:
            total -= _take_back(unit, payment, invoice, excess if keep else total)


def _take_back(unit: Unit, payment: Body, invoice: Body, excess: Decimal) -> Decimal:
    """Take up to `excess` of a payment off an invoice; returns what was taken."""
    target = ("Invoice", invoice["Id"])
    before = applied(payment)
    taken = min(excess, before[target])
    left = before[target] - taken
    others = [
        one
        for one in payment["Line"]
        if one["LinkedTxn"][0]["TxnId"] != invoice["Id"]
        or one["LinkedTxn"][0]["TxnType"] != "Invoice"
    ]
    if left:
        others.append(
            {"Amount": left, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}
        )
    payment["Line"] = others
    payment["UnappliedAmt"] += taken
    move(unit, payment, before, applied(payment))
    unit.change("Payment", payment)
    return taken


def check_not_deposited(row: Body) -> None:
    """6540 for money that is in a bank deposit already."""
    in_deposit = any(one["TxnType"] == "Deposit" for one in row.get("LinkedTxn", ()))
    if in_deposit:
        message = "Deposited Transaction cannot be changed"
        text = "Deposited Transaction cannot be changed : remove it from the deposit first"
        raise faults.Fault(faults.Error("6540", message, text))
