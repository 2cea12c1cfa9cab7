"""Payments: collected, taxed, recurring, paid against invoices, refunded in part and in full.

Each function tells one payment. A one-time payment becomes a paid invoice unless a line is
taxable, a recurring one a sales receipt; every fee becomes an expense and every full refund a
refund receipt. A payment made against a HubSpot invoice, or that came from QuickBooks itself,
never bills again; its fees and refunds still count.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from reconciler.demo.basket import Basket, cents
from reconciler.demo.people import Person
from reconciler.demo.scene import DAY, HOUR, MINUTE, Scene, World, money
from reconciler.demo.shapes import Associated, iso

_BILLS = ("paid_invoice", "sales_receipt")


# --- collected ---


def collected(world: World) -> Scene:
    """A checkout by card, processing for a while, then succeeded: paid invoice and expense."""
    buyer, basket = world.people.anyone(), world.rng.choice(
        (world.shelf.plain, world.shelf.discounted, world.shelf.fractional)
    )()
    payment = _processing(world, buyer, basket)
    _succeeds(payment, basket)
    payment.makes("paid_invoice", buyer, basket)
    return payment


def collected_seen_once(world: World) -> Scene:
    """One snapshot is all there ever is, for the payment of a quote."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = _collected(world, [buyer], basket, hs_payment_source_app="QUOTE")
    payment.makes("paid_invoice", buyer, basket)
    return payment


def collected_without_fee(world: World) -> Scene:
    """Cash and checks cost nothing: no expense."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = _payment(
        world, basket, hs_latest_status="succeeded", hs_processor_type="none",
        hs_payment_method_type=world.rng.choice(("cash", "check", "wire_transfer")),
        hs_fees_amount=world.rng.choice((None, "0", "0.00")),
    )  # fmt: skip
    payment.snapshot(world.people.several(buyer), basket)
    payment.makes("paid_invoice", buyer, basket)
    payment.never_makes("expense")
    return payment


def collected_lines_later(world: World) -> Scene:
    """The fee is booked at once; the invoice waits for its lines and gets them."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = _collected(world, world.people.several(buyer), basket, knows_lines=False)
    payment.associated("line_item", [line.id for line in basket.lines])
    payment.passes(MINUTE, DAY)
    payment.snapshot(basket=basket)
    payment.makes("paid_invoice", buyer, basket)
    return payment


def recurring(world: World) -> Scene:
    """A subscription's charge, taxed or not: a sales receipt."""
    buyer = world.people.anyone()
    basket = world.rng.choice((world.shelf.plain, world.shelf.taxed, world.shelf.taxed))()
    payment = _processing(
        world, buyer, basket, hs_payment_type="recurring", hs_payment_source_app="SUBSCRIPTION"
    )
    _succeeds(payment, basket)
    payment.makes("sales_receipt", buyer, basket)
    payment.never_makes("paid_invoice")
    return payment


# --- not billed ---


def taxed(world: World) -> Scene:
    """A taxable line: no paid invoice. The fee was charged all the same."""
    payment = _collected(world, [world.people.stranger()], world.shelf.taxed())
    payment.blocks("paid_invoice", "taxable_line")
    return payment


def taxable_by_group(world: World) -> Scene:
    """In a tax group and taxed at nothing: taxable still."""
    payment = _collected(world, [world.people.stranger()], world.shelf.in_a_tax_group())
    payment.blocks("paid_invoice", "taxable_line")
    return payment


def without_contact(world: World) -> Scene:
    """Nobody to bill; the fee needs nobody."""
    payment = _collected(world, [], world.shelf.plain())
    payment.blocks("paid_invoice", "no_contact")
    return payment


def lines_never_come(world: World) -> Scene:
    """The invoice waits for ever; the fee does not."""
    basket = world.shelf.plain()
    payment = _collected(world, [world.people.anyone()], basket, knows_lines=False)
    payment.waits("paid_invoice", "line_items")
    return payment


def of_an_invoice(world: World) -> Scene:
    """Made against a HubSpot invoice: billed already. Only the fee is new."""
    payment = _of_an_invoice(world, world.people.anyone(), world.shelf.plain())
    payment.never_makes(*_BILLS)
    return payment


def from_quickbooks(world: World) -> Scene:
    """QuickBooks processed it and has it: only a fee that HubSpot charged is new."""
    basket = world.shelf.plain()
    payment = _collected(world, [world.people.anyone()], basket, hs_processor_type="quickbooks")
    payment.never_makes(*_BILLS)
    return payment


def migrated(world: World) -> Scene:
    """Brought in from an older system: no workflow bills it, and it had no fee."""
    basket = world.shelf.plain()
    payment = _payment(
        world, basket, hs_latest_status="succeeded", hs_payment_source_app="MIGRATION",
        hs_fees_amount=None,
    )  # fmt: skip
    payment.snapshot([world.people.anyone()], basket)
    payment.never_makes("expense", *_BILLS)
    return payment


def failed(world: World) -> Scene:
    """Declined, or still processing: no money, no document."""
    basket = world.shelf.plain()
    payment = _processing(world, world.people.anyone(), basket)
    if world.rng.random() < 0.6:
        payment.change(hs_latest_status="failed")
    payment.never_makes("expense", "refund_receipt", *_BILLS)
    return payment


# --- refunded ---


def refunded(world: World) -> Scene:
    """All of it given back: the sale stays in the books and a refund receipt reverses it."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = _collected(world, [buyer], basket)
    payment.passes(DAY, 3 * DAY)
    payment.change(hs_latest_status="processing_refund")
    payment.set(hs_latest_status="refunded", hs_refunds_amount=money(basket.total))
    payment.snapshot(world.people.several(buyer), basket)
    payment.makes("paid_invoice", buyer, basket)
    payment.makes("refund_receipt", buyer, basket)
    return payment


def refunded_subscription(world: World) -> Scene:
    """A taxed charge given back: the refund carries the tax."""
    buyer, basket = world.people.anyone(), world.shelf.taxed()
    payment = _collected(
        world, [buyer], basket, hs_payment_type="recurring", hs_payment_source_app="SUBSCRIPTION"
    )
    payment.passes(DAY, 3 * DAY)
    payment.change(hs_refunds_amount=money(basket.total), hs_latest_status="refunded")
    payment.makes("sales_receipt", buyer, basket)
    payment.makes("refund_receipt", buyer, basket)
    return payment


def refunded_in_part(world: World) -> Scene:
    """A part given back makes no receipt, and is shown as waiting for the rest."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = _collected(world, [buyer], basket)
    _part_refunded(payment, basket)
    payment.makes("paid_invoice", buyer, basket)
    payment.waits("refund_receipt", "partial_refund")
    return payment


def refunded_in_part_then_in_full(world: World) -> Scene:
    """Two partial refunds that add up to the whole: one receipt, for the whole."""
    buyer, basket = world.people.anyone(), world.shelf.discounted()
    payment = _collected(world, [buyer], basket)
    _part_refunded(payment, basket)
    payment.passes(HOUR, 2 * DAY)
    payment.change(hs_latest_status="refunded", hs_refunds_amount=money(basket.total))
    payment.makes("paid_invoice", buyer, basket)
    payment.makes("refund_receipt", buyer, basket)
    return payment


def refunded_of_an_invoice(world: World) -> Scene:
    """Paid against an invoice and given back: the refund counts, the payment does not bill."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = _of_an_invoice(world, buyer, basket)
    payment.passes(DAY, 3 * DAY)
    payment.change(hs_latest_status="refunded", hs_refunds_amount=money(basket.total))
    payment.makes("refund_receipt", buyer, basket)
    payment.never_makes(*_BILLS)
    return payment


# --- inside ---


def _payment(world: World, basket: Basket, **properties: str | None) -> Scene:
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


def _processing(world: World, buyer: Person, basket: Basket, **properties: str | None) -> Scene:
    """Seen first while the money is on its way; the fee is not known yet."""
    payment = _payment(world, basket, **properties)
    payment.created()
    payment.snapshot(world.people.several(buyer), basket)
    return payment


def _succeeds(payment: Scene, basket: Basket) -> None:
    """Thin events: the status, the fee and what is left."""
    payment.passes(HOUR, 2 * DAY)
    facts = _fee_facts(basket)
    payment.change(hs_latest_status="succeeded", **facts)
    payment.makes_expense(Decimal(facts["hs_fees_amount"]))


def _collected(
    world: World, contacts: Sequence[Person], basket: Basket, knows_lines: bool = True,
    **properties: str | None,
) -> Scene:  # fmt: skip
    """Seen first when it has succeeded, with its fee, by one snapshot."""
    facts = _fee_facts(basket)
    payment = _payment(world, basket, hs_latest_status="succeeded", **{**facts, **properties})
    payment.snapshot(contacts, basket if knows_lines else None)
    payment.makes_expense(Decimal(facts["hs_fees_amount"]))
    return payment


def _of_an_invoice(world: World, buyer: Person, basket: Basket) -> Scene:
    """HubSpot shows it in one of three ways: the source, a flag, or an association."""
    way = world.rng.choice(("source", "flag", "association"))
    facts = _fee_facts(basket)
    source = "INVOICE" if way == "source" else "SALES_CHECKOUT"
    payment = _payment(
        world, basket, hs_latest_status="succeeded", hs_payment_source_app=source,
        hs_has_associated_invoice="true" if way == "flag" else "false", **facts,
    )  # fmt: skip
    if way == "association":
        payment.also = (Associated("invoices", ((world.ids.next("invoice"), None),)),)
    payment.snapshot([buyer], basket)
    payment.makes_expense(Decimal(facts["hs_fees_amount"]))
    return payment


def _part_refunded(payment: Scene, basket: Basket) -> None:
    payment.passes(DAY, 3 * DAY)
    part = cents(basket.total * payment.world.rng.randrange(10, 90) / 100)
    payment.change(hs_refunds_amount=money(part), hs_latest_status="partially_refunded")


def _fee_facts(basket: Basket) -> dict[str, str]:
    """2.9 % and thirty cents, and what is left of the payment."""
    fee = cents(basket.total * Decimal("0.029")) + Decimal("0.30")
    return {"hs_fees_amount": f"{fee:f}", "hs_net_amount": f"{basket.total - fee:f}"}
