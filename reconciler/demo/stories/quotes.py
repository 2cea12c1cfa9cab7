"""Quotes: signed by one or by all, approved without signature, paid online.

Each function tells one quote. Signed quotes become invoices, approved ones that need no signature
estimates, paid ones sales receipts. Quotes for signature here need no approval, so that none of
them is an estimate too.
"""

from __future__ import annotations

from reconciler.demo.basket import Basket
from reconciler.demo.people import Person
from reconciler.demo.scene import DAY, HOUR, MINUTE, Scene, World, money
from reconciler.demo.shapes import Associated, iso

_TITLES = ("Annual plan", "Statement of work", "Hardware, “spring”", "Proposal\\final", "Angebot №")


# --- signed ---


def signed_by_one_then_both(world: World) -> Scene:
    """One of two signers is not enough; the second signature makes the invoice."""
    buyer, basket = world.people.anyone(), world.shelf.discounted()
    quote = _out_for_signature(world, [buyer, world.people.stranger()], basket, required=2)
    quote.change(hs_esign_num_signers_completed="1")
    quote.passes(HOUR, 2 * DAY)
    quote.change(hs_esign_num_signers_completed="2")
    quote.makes("invoice", buyer, basket)
    return quote


def signed_by_one_of_two(world: World) -> Scene:
    """“Is known” would bill this: the counter is known, and one signature is missing."""
    contacts = [world.people.anyone(), world.people.stranger()]
    quote = _out_for_signature(world, contacts, world.shelf.plain(), required=2)
    quote.change(hs_esign_num_signers_completed="1")
    quote.never_makes("invoice", "estimate", "sales_receipt")
    return quote


def signed_by_nobody(world: World) -> Scene:
    """Nobody has signed, and a quote that asks for no signature is not signed by it."""
    required = world.rng.choice((0, 2))
    contacts = [world.people.anyone()]
    quote = _out_for_signature(world, contacts, world.shelf.plain(), required=required)
    quote.never_makes("invoice", "estimate", "sales_receipt")
    return quote


def signed_with_date(world: World) -> Scene:
    """The signing date is known; the counters never came. Later the quote shows as expired."""
    buyer, basket = world.people.anyone(), world.shelf.taxed()
    quote = _quote(world, basket, hs_status="APPROVAL_NOT_NEEDED", hs_esign_enabled="true")
    quote.snapshot(world.people.several(buyer), basket)
    quote.change(hs_esign_date=str(quote.now))
    quote.passes(DAY, 3 * DAY)
    quote.change(hs_quote_status="EXPIRED")
    quote.makes("invoice", buyer, basket)
    return quote


def signed_status(world: World) -> Scene:
    """HubSpot says ESIGN_COMPLETED in one snapshot, and the lines come with the next."""
    buyer, basket = world.people.anyone(), world.shelf.fractional()
    quote = _quote(world, basket, hs_status="APPROVAL_NOT_NEEDED", hs_esign_enabled="true")
    quote.snapshot()
    quote.set(hs_sign_status="ESIGN_COMPLETED", hs_quote_esign_status="SIGNED")
    quote.snapshot(world.people.several(buyer))
    quote.passes(MINUTE, DAY)
    quote.snapshot(basket=basket)
    quote.makes("invoice", buyer, basket)
    return quote


def signed_without_contact(world: World) -> Scene:
    """Nobody to bill."""
    quote = _signed(world, [], world.shelf.plain())
    quote.blocks("invoice", "no_contact")
    return quote


def signed_and_lines_never_come(world: World) -> Scene:
    """Signed, and only thin events after the first sight of it."""
    quote = _signed(world, [world.people.anyone()], None)
    quote.waits("invoice", "line_items")
    return quote


# --- approved, paid, drafted ---


def approved_without_signature(world: World) -> Scene:
    """No signature asked for: an estimate once it is approved."""
    buyer = world.people.anyone()
    basket = world.rng.choice((world.shelf.plain, world.shelf.taxed))()
    quote = _quote(world, basket, hs_status="PENDING_APPROVAL")
    quote.snapshot(world.people.several(buyer), basket)
    quote.change(hs_status="APPROVED")
    quote.makes("estimate", buyer, basket)
    quote.never_makes("invoice")
    return quote


def paid_online(world: World) -> Scene:
    """Paid by card from the quote's page: a sales receipt."""
    buyer, basket = world.people.anyone(), world.shelf.discounted()
    quote = _quote(
        world, basket, hs_status="APPROVAL_NOT_NEEDED", hs_payment_enabled="true",
        hs_payment_type="HUBSPOT", hs_payment_status="PENDING",
    )  # fmt: skip
    quote.snapshot(world.people.several(buyer), basket)
    quote.change(hs_payment_status="PROCESSING")
    quote.passes(MINUTE, 2 * DAY)
    quote.change(hs_payment_status="PAID", hs_payment_date=str(quote.now))
    quote.makes("sales_receipt", buyer, basket)
    quote.never_makes("invoice", "estimate")
    return quote


def drafted(world: World) -> Scene:
    """Drafts and rejected quotes make nothing."""
    basket = world.shelf.plain()
    quote = _quote(world, basket, hs_status="DRAFT", hs_quote_status="DRAFT")
    quote.created()
    quote.snapshot([world.people.anyone()], basket)
    quote.change(hs_status=world.rng.choice(("PENDING_APPROVAL", "REJECTED")))
    quote.never_makes("invoice", "estimate", "sales_receipt")
    return quote


# --- inside ---


def _quote(world: World, basket: Basket, **properties: str | None) -> Scene:
    now = world.some_time()
    deal_id = world.ids.next("deal")  # of another portal's pipeline: never in this feed
    base: dict[str, str | None] = {
        "hs_title": f"{world.rng.choice(_TITLES)} {world.rng.randrange(1000)}",
        "hs_quote_number": f"{now}", "hs_quote_amount": money(basket.total), "hs_currency": "USD",
        "hs_createdate": iso(now), "hs_expiration_date": iso(now + 30 * DAY),
        "hs_language": "en", "hs_status": "DRAFT", "hs_quote_status": "PUBLISHED",
        "hs_esign_enabled": "false", "hs_esign_num_signers_required": None,
        "hs_esign_num_signers_completed": None, "hs_esign_date": None, "hs_sign_status": None,
        "hs_payment_enabled": "false", "hs_payment_status": None,
    }  # fmt: skip
    return Scene(
        world, "quote", world.ids.next("quote"), {**base, **properties}, now,
        also=(Associated("deals", ((deal_id, None),)),),
    )  # fmt: skip


def _out_for_signature(
    world: World, contacts: list[Person], basket: Basket, required: int
) -> Scene:
    quote = _quote(
        world, basket, hs_status="APPROVAL_NOT_NEEDED", hs_esign_enabled="true",
        hs_esign_num_signers_required=str(required), hs_esign_num_signers_completed="0",
        hs_quote_esign_status="PENDING_SIGNATURE",
    )  # fmt: skip
    quote.snapshot(contacts, basket)
    return quote


def _signed(world: World, contacts: list[Person], basket: Basket | None) -> Scene:
    """Signed by its one signer: a snapshot with what is known, then the thin event."""
    quote = _quote(
        world, basket or world.shelf.plain(), hs_status="APPROVAL_NOT_NEEDED",
        hs_esign_enabled="true", hs_esign_num_signers_required="1",
        hs_esign_num_signers_completed="0",
    )  # fmt: skip
    quote.snapshot(contacts, basket)
    quote.change(hs_esign_num_signers_completed="1", hs_sign_status="ESIGN_COMPLETED")
    return quote
