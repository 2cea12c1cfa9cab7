"""How money is collected: what the stories of payments and refunds share."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from reconciler.demo.basket import Basket, cents
from reconciler.demo.people import Person
from reconciler.demo.scene import DAY, HOUR, Scene, World, money
from reconciler.demo.shapes import Associated, iso


def open_payment(world: World, basket: Basket, **properties: str | None) -> Scene:
    """A payment by checkout of exactly the basket's total, unless *properties* say otherwise."""
    now = world.some_time()
    reference = f"pi_3{world.rng.randrange(16**22):022x}"  # longer than QuickBooks takes
    base: dict[str, str | None] = {
        "hs_initial_amount": money(basket.total), "hs_currency_code": "USD",
        "hs_latest_status": "processing", "hs_fees_amount": None, "hs_net_amount": None,
        "hs_refunds_amount": None, "hs_payment_type": "one_time_or_initial",
        "hs_payment_source_app": "SALES_CHECKOUT", "hs_processor_type": "hs_payments",
        "hs_payment_method_type": world.rng.choice(("card", "card", "ach")),
        "hs_has_associated_invoice": "false", "hs_number_of_associated_invoices": "0",
        "hs_initiated_date": iso(now), "hs_createdate": iso(now),
        "hs_reference_number": reference, "hs_payment_id": str(world.rng.randrange(10**9)),
    }  # fmt: skip
    return Scene(world, "payment", world.ids.next("payment"), {**base, **properties}, now)


def processing(world: World, buyer: Person, basket: Basket, **properties: str | None) -> Scene:
    """Seen first while the money is on its way; the fee is not known yet."""
    payment = open_payment(world, basket, **properties)
    payment.created()
    payment.snapshot(world.people.several(buyer), basket)
    return payment


def succeeds(payment: Scene, basket: Basket) -> None:
    """Thin events: the status, the fee and what is left."""
    payment.passes(HOUR, 2 * DAY)
    facts = _fee_facts(basket)
    payment.change(hs_latest_status="succeeded", **facts)
    payment.makes_expense(Decimal(facts["hs_fees_amount"]))


def collected_with(
    world: World, contacts: Sequence[Person], basket: Basket, knows_lines: bool = True,
    **properties: str | None,
) -> Scene:  # fmt: skip
    """Seen first when it has succeeded, with its fee, by one snapshot."""
    facts = _fee_facts(basket)
    payment = open_payment(world, basket, hs_latest_status="succeeded", **{**facts, **properties})
    payment.snapshot(contacts, basket if knows_lines else None)
    payment.makes_expense(Decimal(facts["hs_fees_amount"]))
    return payment


def made_against_invoice(world: World, buyer: Person, basket: Basket) -> Scene:
    """HubSpot shows it in one of three ways: the source, a flag, or an association."""
    way = world.rng.choice(("source", "flag", "association"))
    facts = _fee_facts(basket)
    source = "INVOICE" if way == "source" else "SALES_CHECKOUT"
    payment = open_payment(
        world, basket, hs_latest_status="succeeded", hs_payment_source_app=source,
        hs_has_associated_invoice="true" if way == "flag" else "false", **facts,
    )  # fmt: skip
    if way == "association":
        payment.also = (Associated("invoices", ((world.ids.next("invoice"), None),)),)
    payment.snapshot([buyer], basket)
    payment.makes_expense(Decimal(facts["hs_fees_amount"]))
    return payment


def _fee_facts(basket: Basket) -> dict[str, str]:
    """2.9 % and thirty cents, and what is left of the payment."""
    fee = cents(basket.total * Decimal("0.029")) + Decimal("0.30")
    return {"hs_fees_amount": f"{fee:f}", "hs_net_amount": f"{basket.total - fee:f}"}
