"""Won deals that become invoices in the main company, however their facts arrive.

Each function tells one deal of the `default` pipeline.
"""

from __future__ import annotations

from reconciler.demo.catalogue import NAMESAKE_OF_CUSTOMER, NAMESAKE_OF_VENDOR, US
from reconciler.demo.scene import DAY, HOUR, MINUTE, NOTHING, Scene, World, money
from reconciler.demo.stories.dealmaking import NET_30, WON, open_deal, won_and_invoiced


def won(world: World) -> Scene:
    """Made, worked on and won; the snapshot that wins it carries its lines."""
    return won_and_invoiced(world, world.people.anyone(), world.shelf.plain())


def won_with_discounts(world: World) -> Scene:
    """Money off each piece, and percentages that leave fractions of a cent."""
    return won_and_invoiced(world, world.people.anyone(), world.shelf.discounted())


def won_with_fractions(world: World) -> Scene:
    """Hours by the quarter, seven-decimal prices, 3 × 33.33 less ten per cent."""
    return won_and_invoiced(world, world.people.anyone(), world.shelf.fractional())


def won_with_tax(world: World) -> Scene:
    """Some lines taxed, with HubSpot's own tax to the cent."""
    return won_and_invoiced(world, world.people.anyone(), world.shelf.taxed())


def won_with_missing_products(world: World) -> Scene:
    """A product the company does not have: the workflow creates it, once for all deals."""
    return won_and_invoiced(world, world.people.anyone(), world.shelf.with_missing())


def won_with_awkward_missing_product(world: World) -> Scene:
    """The same, with colons, tabs, quotes and 140 characters in the name."""
    return won_and_invoiced(world, world.people.anyone(), world.shelf.with_awkward_missing())


def won_by_awkward_name(world: World) -> Scene:
    """Quotes, backslashes, emoji, tabs and colons in people's names."""
    return won_and_invoiced(world, world.people.awkward(), world.shelf.plain())


def won_by_one_of_two_namesakes(world: World) -> Scene:
    """Two contacts share a name and differ by email: two customers."""
    return won_and_invoiced(world, world.people.namesake(), world.shelf.plain())


def won_by_known_customer(world: World) -> Scene:
    """First name, last name and email match a customer with another display name: no new one."""
    return won_and_invoiced(world, world.people.known_customer(US), world.shelf.plain())


def won_by_namesake_of_customer(world: World) -> Scene:
    """The display name is taken by a customer with another email: a new customer."""
    return won_and_invoiced(world, world.people.named(NAMESAKE_OF_CUSTOMER), world.shelf.plain())


def won_by_namesake_of_vendor(world: World) -> Scene:
    """The display name is taken by a vendor: QuickBooks keeps one list of names."""
    return won_and_invoiced(world, world.people.named(NAMESAKE_OF_VENDOR), world.shelf.plain())


def won_by_thin_events(world: World) -> Scene:
    """The deal is won by property events; a snapshot brings the line items later."""
    deal, buyer, basket = open_deal(world), world.people.anyone(), world.shelf.plain()
    deal.created()
    deal.snapshot(world.people.several(buyer))
    deal.change(amount=money(basket.net), **WON)
    deal.passes(MINUTE, 2 * DAY)
    deal.snapshot(basket=basket)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_with_lines_by_association(world: World) -> Scene:
    """Association events name the lines first; what they are comes with a snapshot."""
    deal, buyer, basket = open_deal(world), world.people.anyone(), world.shelf.plain()
    deal.snapshot(world.people.several(buyer))
    deal.associated("line_item", [line.id for line in basket.lines])
    deal.change(amount=money(basket.net), **WON)
    deal.snapshot(basket=basket)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_in_pieces(world: World) -> Scene:
    """One snapshot hydrates the contacts and the next the lines; each has the other's ids."""
    deal, buyer, basket = open_deal(world), world.people.anyone(), world.shelf.discounted()
    contacts = world.people.several(buyer)
    deal.snapshot(contacts, basket, hydrate={"contacts"})
    deal.set(amount=money(basket.net), **WON)
    deal.snapshot(contacts, basket, hydrate={"line_items"})
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_after_a_line_was_removed(world: World) -> Scene:
    """A line is taken off by an association event before the deal is won."""
    deal, buyer = open_deal(world, in_order=True), world.people.anyone()
    basket = world.shelf.discounted()
    dropped = basket.lines[-1]
    deal.snapshot(world.people.several(buyer), basket)
    deal.associated("line_item", [dropped.id], removed=True)
    deal.change(**WON)
    deal.makes("invoice", buyer, basket.without(dropped), terms=NET_30)
    return deal


def won_before_it_had_a_contact(world: World) -> Scene:
    """No contact at first, one by an association event, its details by a snapshot after the win."""
    deal, buyer = open_deal(world, in_order=True), world.people.anyone()
    basket = world.shelf.plain()
    deal.snapshot([], basket)
    deal.associated("contact", [buyer.id])
    deal.change(**WON)
    deal.snapshot([buyer])
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_with_stale_snapshot_after(world: World) -> Scene:
    """A snapshot from before the win, with old lines, arrives a day late: it changes nothing."""
    deal, buyer, basket = open_deal(world), world.people.anyone(), world.shelf.plain()
    deal.snapshot([world.people.stranger(), buyer], world.shelf.plain(), late=True)
    deal.set(amount=money(basket.net), **WON)
    deal.snapshot([buyer], basket)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_after_empty_line_list(world: World) -> Scene:
    """Known to have no lines while it was open; the winning snapshot has them."""
    deal, buyer, basket = open_deal(world), world.people.anyone(), world.shelf.plain()
    deal.snapshot([], NOTHING)
    deal.set(amount=money(basket.net), **WON)
    deal.snapshot([buyer], basket)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_then_reopened(world: World) -> Scene:
    """Won, then moved back: it was won once, and the invoice stays."""
    deal = won_and_invoiced(world, world.people.anyone(), world.shelf.plain())
    deal.passes(HOUR, DAY)
    deal.change(dealstage="qualifiedtobuy", hs_is_closed="false", hs_is_closed_won="false")
    return deal
