"""Deals that can't be invoiced, that are not won, and those of other pipelines and companies.

Each function tells one deal. Pipelines: `default` invoices won deals and estimates sent contracts
in the main company; `checkout` makes sales receipts; `east` and `canada` invoice in the other
companies and create no products there; the Canadian company must refuse everything.
"""

from __future__ import annotations

from reconciler.demo.basket import Basket
from reconciler.demo.catalogue import CANADA, US_EAST
from reconciler.demo.people import Person
from reconciler.demo.scene import DAY, HOUR, NOTHING, Scene, World, money
from reconciler.demo.stories.dealmaking import (
    EARLY_STAGES,
    NET_30,
    WON,
    open_deal,
    won_and_invoiced,
    won_with,
)

# --- won, and stuck ---


def won_without_lines(world: World) -> Scene:
    """The line list is there and empty."""
    deal = won_with(world, [world.people.anyone()], NOTHING)
    deal.blocks("invoice", "no_line_items")
    return deal


def won_without_contact(world: World) -> Scene:
    """The contact list is there and empty."""
    deal = won_with(world, [], world.shelf.plain())
    deal.blocks("invoice", "no_contact")
    return deal


def won_and_lines_never_come(world: World) -> Scene:
    """No record ever says what was sold."""
    deal = won_with(world, [world.people.anyone()], None)
    deal.waits("invoice", "line_items")
    return deal


def won_and_line_details_never_come(world: World) -> Scene:
    """The lines are known by their ids only."""
    deal = open_deal(world)
    deal.set(amount="100", **WON)
    deal.snapshot([world.people.anyone()], world.shelf.plain(), hydrate={"contacts"})
    deal.waits("invoice", "line_item_details", "line_items")
    return deal


def won_and_contact_never_comes(world: World) -> Scene:
    """No record ever says whose deal it is."""
    deal = won_with(world, None, world.shelf.plain())
    deal.waits("invoice", "contact")
    return deal


def won_and_contact_details_never_come(world: World) -> Scene:
    """The contact is known by its id only."""
    deal, basket = open_deal(world), world.shelf.plain()
    deal.set(amount=money(basket.net), **WON)
    deal.snapshot([world.people.stranger()], basket, hydrate={"line_items"})
    deal.waits("invoice", "contact_details", "contact")
    return deal


# --- not won: nothing ---


def lost(world: World) -> Scene:
    """Lost deals make nothing."""
    deal = open_deal(world)
    deal.snapshot([world.people.anyone()], world.shelf.plain())
    deal.change(dealstage="closedlost", hs_is_closed="true")
    deal.never_makes("invoice", "estimate", "sales_receipt")
    return deal


def still_open(world: World) -> Scene:
    """Open deals make nothing, however often they change."""
    deal = open_deal(world)
    deal.created()
    for stage in EARLY_STAGES[1:]:
        deal.change(dealstage=stage)
    deal.snapshot([world.people.anyone()], world.shelf.plain())
    deal.never_makes("invoice", "estimate", "sales_receipt")
    return deal


# --- sent contracts become estimates, checkouts become sales receipts ---


def contract_sent(world: World) -> Scene:
    """A contract is out: an estimate."""
    deal = _contract_out(world, world.people.anyone(), world.shelf.discounted())
    deal.never_makes("invoice")
    return deal


def contract_sent_then_won(world: World) -> Scene:
    """First the estimate, then the invoice, with the same lines."""
    buyer, basket = world.people.anyone(), world.shelf.taxed()
    deal = _contract_out(world, buyer, basket)
    deal.passes(HOUR, 2 * DAY)
    deal.change(**WON)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def checked_out(world: World) -> Scene:
    """A payment link's checkout makes a deal named after the link: a sales receipt."""
    deal, buyer = open_deal(world, "checkout"), world.people.anyone()
    basket = world.rng.choice((world.shelf.plain, world.shelf.taxed))()
    deal.set(dealname=f"{deal.properties['dealname']} – Checkout link {world.rng.randrange(90)}")
    deal.created()
    deal.set(amount=money(basket.net))
    deal.snapshot(world.people.several(buyer), basket)
    deal.makes("sales_receipt", buyer, basket)
    deal.never_makes("invoice")
    return deal


def _contract_out(world: World, buyer: Person, basket: Basket) -> Scene:
    deal = open_deal(world)
    deal.snapshot(world.people.several(buyer))
    deal.set(amount=money(basket.net), dealstage="contractsent")
    deal.snapshot([buyer], basket)
    deal.makes("estimate", buyer, basket)
    return deal


# --- other companies ---


def won_in_the_east(world: World) -> Scene:
    """The contact meets the sync filter of the eastern company."""
    buyer = world.rng.choice((world.people.stranger(), world.people.known_customer(US_EAST)))
    return won_and_invoiced(world, buyer, world.shelves[US_EAST].plain(), "east", US_EAST)


def won_in_the_east_with_missing_product(world: World) -> Scene:
    """One product is not in this company and its workflow creates none: no document at all."""
    basket = world.shelves[US_EAST].with_unknown()
    deal = won_with(world, [world.people.stranger()], basket, "east")
    deal.blocks("invoice", "product_not_found")
    return deal


def won_in_the_east_with_retired_product(world: World) -> Scene:
    """The product is there and inactive: it is not used."""
    basket = world.shelves[US_EAST].with_retired()
    deal = won_with(world, [world.people.stranger()], basket, "east")
    deal.blocks("invoice", "product_not_found", "product_inactive")
    return deal


def won_in_the_east_by_ineligible_contact(world: World) -> Scene:
    """The first contact does not meet the filter; that the second does is no help."""
    contacts = [world.people.stranger("lead"), world.people.stranger()]
    deal = won_with(world, contacts, world.shelves[US_EAST].plain(), "east")
    deal.blocks("invoice", "contact_not_eligible")
    return deal


def won_in_canada(world: World) -> Scene:
    """Only US companies: whatever is complete and right is refused all the same."""
    deal = won_with(world, [world.people.anyone()], world.shelves[CANADA].plain(), "canada")
    deal.blocks("invoice", "company_not_us")
    return deal
