"""Payments: collected, taxed, recurring, paid against invoices.

Each function tells one payment. A one-time payment becomes a paid invoice unless a line is
taxable, a recurring one a sales receipt; every fee becomes an expense. A payment made against a
HubSpot invoice never bills again, and its fee still counts; of one that QuickBooks processed itself
nothing is made.
"""

from __future__ import annotations

from reconciler.demo.scene import DAY, MINUTE, Scene, World
from reconciler.demo.stories.collecting import (
    collected_with,
    made_against_invoice,
    open_payment,
    processing,
    succeeds,
)

BILLS = ("paid_invoice", "sales_receipt")


# --- collected ---


def collected(world: World) -> Scene:
    """A checkout by card, processing for a while, then succeeded: paid invoice and expense."""
    buyer, shelf = world.people.anyone(), world.shelf
    basket = world.rng.choice((shelf.plain, shelf.discounted, shelf.fractional))()
    payment = processing(world, buyer, basket)
    succeeds(payment, basket)
    payment.makes("paid_invoice", buyer, basket)
    return payment


def collected_seen_once(world: World) -> Scene:
    """One snapshot is all there ever is, for the payment of a quote."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = collected_with(world, [buyer], basket, hs_payment_source_app="QUOTE")
    payment.makes("paid_invoice", buyer, basket)
    return payment


def collected_without_fee(world: World) -> Scene:
    """Cash and checks cost nothing: no expense."""
    buyer, basket = world.people.anyone(), world.shelf.plain()
    payment = open_payment(
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
    payment = collected_with(world, world.people.several(buyer), basket, knows_lines=False)
    payment.associated("line_item", [line.id for line in basket.lines])
    payment.passes(MINUTE, DAY)
    payment.snapshot(basket=basket)
    payment.makes("paid_invoice", buyer, basket)
    return payment


def recurring(world: World) -> Scene:
    """A subscription's charge, taxed or not: a sales receipt."""
    buyer = world.people.anyone()
    basket = world.rng.choice((world.shelf.plain, world.shelf.taxed, world.shelf.taxed))()
    payment = processing(
        world, buyer, basket, hs_payment_type="recurring", hs_payment_source_app="SUBSCRIPTION"
    )
    succeeds(payment, basket)
    payment.makes("sales_receipt", buyer, basket)
    payment.never_makes("paid_invoice")
    return payment


# --- not billed ---


def taxed(world: World) -> Scene:
    """A taxable line: no paid invoice. The fee was charged all the same."""
    payment = collected_with(world, [world.people.stranger()], world.shelf.taxed())
    payment.blocks("paid_invoice", "taxable_line")
    return payment


def taxable_by_group(world: World) -> Scene:
    """In a tax group and taxed at nothing: taxable still."""
    payment = collected_with(world, [world.people.stranger()], world.shelf.in_a_tax_group())
    payment.blocks("paid_invoice", "taxable_line")
    return payment


def without_contact(world: World) -> Scene:
    """Nobody to bill; the fee needs nobody."""
    payment = collected_with(world, [], world.shelf.plain())
    payment.blocks("paid_invoice", "no_contact")
    return payment


def lines_never_come(world: World) -> Scene:
    """The invoice waits for ever; the fee does not."""
    basket = world.shelf.plain()
    payment = collected_with(world, [world.people.anyone()], basket, knows_lines=False)
    payment.waits("paid_invoice", "line_items")
    return payment


def of_an_invoice(world: World) -> Scene:
    """Made against a HubSpot invoice: billed already. Only the fee is new."""
    payment = made_against_invoice(world, world.people.anyone(), world.shelf.plain())
    payment.never_makes(*BILLS)
    return payment


def from_quickbooks(world: World) -> Scene:
    """QuickBooks processed it and has all of it: nothing is new."""
    basket = world.shelf.plain()
    payment = open_payment(
        world, basket, hs_latest_status="succeeded", hs_processor_type="quickbooks",
        hs_fees_amount="3.20",
    )  # fmt: skip
    payment.snapshot([world.people.anyone()], basket)
    payment.never_makes("expense", "refund_receipt", *BILLS)
    return payment


def migrated(world: World) -> Scene:
    """Brought in from an older system: no workflow bills it, and it had no fee."""
    basket = world.shelf.plain()
    payment = open_payment(
        world, basket, hs_latest_status="succeeded", hs_payment_source_app="MIGRATION",
        hs_fees_amount=None,
    )  # fmt: skip
    payment.snapshot([world.people.anyone()], basket)
    payment.never_makes("expense", *BILLS)
    return payment


def failed(world: World) -> Scene:
    """Declined, or still processing: no money, no document."""
    basket = world.shelf.plain()
    payment = processing(world, world.people.anyone(), basket)
    if world.rng.random() < 0.6:
        payment.change(hs_latest_status="failed")
    payment.never_makes("expense", "refund_receipt", *BILLS)
    return payment
