"""Refunds: in full, in part, in parts that add up, and of a payment that never billed.

Each function tells one payment. Only a full refund makes a refund receipt, for the whole amount.
"""

from __future__ import annotations

from reconciler.demo.basket import Basket, cents
from reconciler.demo.scene import DAY, HOUR, Scene, World, money
from reconciler.demo.stories.collecting import collected_with, made_against_invoice
from reconciler.demo.stories.payments import BILLS


def refunded(world: World) -> Scene:
    """All of it given back: the sale stays in the books and a refund receipt reverses it."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = collected_with(world, [buyer], basket)
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
    payment = collected_with(
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
    payment = collected_with(world, [buyer], basket)
    _part_refunded(payment, basket)
    payment.makes("paid_invoice", buyer, basket)
    payment.waits("refund_receipt", "partial_refund")
    return payment


def refunded_in_part_then_in_full(world: World) -> Scene:
    """Two partial refunds that add up to the whole: one receipt, for the whole."""
    buyer, basket = world.people.anyone(), world.shelf.discounted()
    payment = collected_with(world, [buyer], basket)
    _part_refunded(payment, basket)
    payment.passes(HOUR, 2 * DAY)
    payment.change(hs_latest_status="refunded", hs_refunds_amount=money(basket.total))
    payment.makes("paid_invoice", buyer, basket)
    payment.makes("refund_receipt", buyer, basket)
    return payment


def refunded_of_an_invoice(world: World) -> Scene:
    """Paid against an invoice and given back: the refund counts, the payment does not bill."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = made_against_invoice(world, buyer, basket)
    payment.passes(DAY, 3 * DAY)
    payment.change(hs_latest_status="refunded", hs_refunds_amount=money(basket.total))
    payment.makes("refund_receipt", buyer, basket)
    payment.never_makes(*BILLS)
    return payment


def _part_refunded(payment: Scene, basket: Basket) -> None:
    payment.passes(DAY, 3 * DAY)
    part = cents(basket.total * payment.world.rng.randrange(10, 90) / 100)
    payment.change(hs_refunds_amount=money(part), hs_latest_status="partially_refunded")
