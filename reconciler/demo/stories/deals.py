"""Deals: won, estimated, checked out by payment link, and all that goes wrong on the way.

Each function tells one deal. Pipelines: `default` invoices won deals and estimates sent contracts
in the main company; `checkout` makes sales receipts; `east` and `canada` invoice in the other
companies and create no products there; the Canadian company must refuse everything.
"""

from __future__ import annotations

from reconciler.demo.basket import Basket
from reconciler.demo.catalogue import (
    CANADA,
    NAMESAKE_OF_CUSTOMER,
    NAMESAKE_OF_VENDOR,
    US,
    US_EAST,
)
from reconciler.demo.people import Person
from reconciler.demo.scene import DAY, HOUR, MINUTE, NOTHING, Scene, World, money
from reconciler.demo.shapes import Associated, iso

NET_30 = "Net 30"
_WON = {"dealstage": "closedwon", "hs_is_closed": "true", "hs_is_closed_won": "true"}
_EARLY_STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled")
_WORK = ("rollout", "renewal", "pilot", "“phase 2”", "upgrade \\ migration", "déménagement")


# --- won deals become invoices ---


def won(world: World) -> Scene:
    """Made, worked on and won; the snapshot that wins it carries its lines."""
    return _won(world, world.people.anyone(), world.shelf.plain())


def won_with_discounts(world: World) -> Scene:
    """Money off each piece, and percentages that leave fractions of a cent."""
    return _won(world, world.people.anyone(), world.shelf.discounted())


def won_with_fractions(world: World) -> Scene:
    """Hours by the quarter, seven-decimal prices, 3 × 33.33 less ten per cent."""
    return _won(world, world.people.anyone(), world.shelf.fractional())


def won_with_tax(world: World) -> Scene:
    """Some lines taxed, with HubSpot's own tax to the cent."""
    return _won(world, world.people.anyone(), world.shelf.taxed())


def won_with_missing_products(world: World) -> Scene:
    """A product the company does not have: the workflow creates it, once for all deals."""
    return _won(world, world.people.anyone(), world.shelf.with_missing())


def won_with_awkward_missing_product(world: World) -> Scene:
    """The same, with colons, tabs, quotes and 140 characters in the name."""
    return _won(world, world.people.anyone(), world.shelf.with_awkward_missing())


def won_by_awkward_name(world: World) -> Scene:
    """Quotes, backslashes, emoji, tabs and colons in people's names."""
    return _won(world, world.people.awkward(), world.shelf.plain())


def won_by_one_of_two_namesakes(world: World) -> Scene:
    """Two contacts share a name and differ by email: two customers."""
    return _won(world, world.people.namesake(), world.shelf.plain())


def won_by_known_customer(world: World) -> Scene:
    """First name, last name and email match a customer with another display name: no new one."""
    return _won(world, world.people.known_customer(US), world.shelf.plain())


def won_by_namesake_of_customer(world: World) -> Scene:
    """The display name is taken by a customer with another email: a new customer."""
    return _won(world, world.people.named(NAMESAKE_OF_CUSTOMER), world.shelf.plain())


def won_by_namesake_of_vendor(world: World) -> Scene:
    """The display name is taken by a vendor: QuickBooks keeps one list of names."""
    return _won(world, world.people.named(NAMESAKE_OF_VENDOR), world.shelf.plain())


def won_by_thin_events(world: World) -> Scene:
    """The deal is won by property events; a snapshot brings the line items later."""
    deal, buyer, basket = _deal(world), world.people.anyone(), world.shelf.plain()
    deal.created()
    deal.snapshot(world.people.several(buyer))
    deal.change(amount=money(basket.net), **_WON)
    deal.passes(MINUTE, 2 * DAY)
    deal.snapshot(basket=basket)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_with_lines_by_association(world: World) -> Scene:
    """Association events name the lines first; what they are comes with a snapshot."""
    deal, buyer, basket = _deal(world), world.people.anyone(), world.shelf.plain()
    deal.snapshot(world.people.several(buyer))
    deal.associated("line_item", [line.id for line in basket.lines])
    deal.change(amount=money(basket.net), **_WON)
    deal.snapshot(basket=basket)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_in_pieces(world: World) -> Scene:
    """One snapshot hydrates the contacts and the next the lines; each has the other's ids."""
    deal, buyer, basket = _deal(world), world.people.anyone(), world.shelf.discounted()
    contacts = world.people.several(buyer)
    deal.snapshot(contacts, basket, hydrate={"contacts"})
    deal.set(amount=money(basket.net), **_WON)
    deal.snapshot(contacts, basket, hydrate={"line_items"})
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_after_a_line_was_removed(world: World) -> Scene:
    """A line is taken off by an association event before the deal is won."""
    deal, buyer = _deal(world, in_order=True), world.people.anyone()
    basket = world.shelf.discounted()
    dropped = basket.lines[-1]
    deal.snapshot(world.people.several(buyer), basket)
    deal.associated("line_item", [dropped.id], removed=True)
    deal.change(**_WON)
    deal.makes("invoice", buyer, basket.without(dropped), terms=NET_30)
    return deal


def won_before_it_had_a_contact(world: World) -> Scene:
    """No contact at first, one by an association event, its details by a snapshot after the win."""
    deal, buyer, basket = _deal(world, in_order=True), world.people.anyone(), world.shelf.plain()
    deal.snapshot([], basket)
    deal.associated("contact", [buyer.id])
    deal.change(**_WON)
    deal.snapshot([buyer])
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_with_stale_snapshot_after(world: World) -> Scene:
    """A snapshot from before the win, with old lines, arrives a day late: it changes nothing."""
    deal, buyer, basket = _deal(world), world.people.anyone(), world.shelf.plain()
    deal.snapshot([world.people.stranger(), buyer], world.shelf.plain(), late=True)
    deal.set(amount=money(basket.net), **_WON)
    deal.snapshot([buyer], basket)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_after_empty_line_list(world: World) -> Scene:
    """Known to have no lines while it was open; the winning snapshot has them."""
    deal, buyer, basket = _deal(world), world.people.anyone(), world.shelf.plain()
    deal.snapshot([], NOTHING)
    deal.set(amount=money(basket.net), **_WON)
    deal.snapshot([buyer], basket)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def won_then_reopened(world: World) -> Scene:
    """Won, then moved back: it was won once, and the invoice stays."""
    deal = _won(world, world.people.anyone(), world.shelf.plain())
    deal.passes(HOUR, DAY)
    deal.change(dealstage="qualifiedtobuy", hs_is_closed="false", hs_is_closed_won="false")
    return deal


# --- won deals that can't be invoiced ---


def won_without_lines(world: World) -> Scene:
    """The line list is there and empty."""
    deal = _won_with(world, [world.people.anyone()], NOTHING)
    deal.blocks("invoice", "no_line_items")
    return deal


def won_without_contact(world: World) -> Scene:
    """The contact list is there and empty."""
    deal = _won_with(world, [], world.shelf.plain())
    deal.blocks("invoice", "no_contact")
    return deal


def won_and_lines_never_come(world: World) -> Scene:
    """No record ever says what was sold."""
    deal = _won_with(world, [world.people.anyone()], None)
    deal.waits("invoice", "line_items")
    return deal


def won_and_line_details_never_come(world: World) -> Scene:
    """The lines are known by their ids only."""
    deal = _deal(world)
    deal.set(amount="100", **_WON)
    deal.snapshot([world.people.anyone()], world.shelf.plain(), hydrate={"contacts"})
    deal.waits("invoice", "line_item_details", "line_items")
    return deal


def won_and_contact_never_comes(world: World) -> Scene:
    """No record ever says whose deal it is."""
    deal = _won_with(world, None, world.shelf.plain())
    deal.waits("invoice", "contact")
    return deal


def won_and_contact_details_never_come(world: World) -> Scene:
    """The contact is known by its id only."""
    deal, basket = _deal(world), world.shelf.plain()
    deal.set(amount=money(basket.net), **_WON)
    deal.snapshot([world.people.stranger()], basket, hydrate={"line_items"})
    deal.waits("invoice", "contact_details", "contact")
    return deal


def lost(world: World) -> Scene:
    """Lost deals make nothing."""
    deal = _deal(world)
    deal.snapshot([world.people.anyone()], world.shelf.plain())
    deal.change(dealstage="closedlost", hs_is_closed="true")
    deal.never_makes("invoice", "estimate", "sales_receipt")
    return deal


def still_open(world: World) -> Scene:
    """Open deals make nothing, however often they change."""
    deal = _deal(world)
    deal.created()
    for stage in _EARLY_STAGES[1:]:
        deal.change(dealstage=stage)
    deal.snapshot([world.people.anyone()], world.shelf.plain())
    deal.never_makes("invoice", "estimate", "sales_receipt")
    return deal


# --- sent contracts become estimates, checkouts become sales receipts ---


def contract_sent(world: World) -> Scene:
    """A contract is out: an estimate."""
    deal = _contract_sent(world, world.people.anyone(), world.shelf.discounted())
    deal.never_makes("invoice")
    return deal


def contract_sent_then_won(world: World) -> Scene:
    """First the estimate, then the invoice, with the same lines."""
    buyer, basket = world.people.anyone(), world.shelf.taxed()
    deal = _contract_sent(world, buyer, basket)
    deal.passes(HOUR, 2 * DAY)
    deal.change(**_WON)
    deal.makes("invoice", buyer, basket, terms=NET_30)
    return deal


def checked_out(world: World) -> Scene:
    """A payment link's checkout makes a deal named after the link: a sales receipt."""
    deal, buyer = _deal(world, "checkout"), world.people.anyone()
    basket = world.rng.choice((world.shelf.plain, world.shelf.taxed))()
    deal.set(dealname=f"{deal.properties['dealname']} – Checkout link {world.rng.randrange(90)}")
    deal.created()
    deal.set(amount=money(basket.net))
    deal.snapshot(world.people.several(buyer), basket)
    deal.makes("sales_receipt", buyer, basket)
    deal.never_makes("invoice")
    return deal


# --- other companies ---


def won_in_the_east(world: World) -> Scene:
    """The contact meets the sync filter of the eastern company."""
    buyer = world.rng.choice((world.people.stranger(), world.people.known_customer(US_EAST)))
    return _won(world, buyer, world.shelves[US_EAST].plain(), "east", US_EAST)


def won_in_the_east_with_missing_product(world: World) -> Scene:
    """One product is not in this company and its workflow creates none: no document at all."""
    basket = world.shelves[US_EAST].with_unknown()
    deal = _won_with(world, [world.people.stranger()], basket, "east")
    deal.blocks("invoice", "product_not_found")
    return deal


def won_in_the_east_with_retired_product(world: World) -> Scene:
    """The product is there and inactive: it is not used."""
    basket = world.shelves[US_EAST].with_retired()
    deal = _won_with(world, [world.people.stranger()], basket, "east")
    deal.blocks("invoice", "product_not_found", "product_inactive")
    return deal


def won_in_the_east_by_ineligible_contact(world: World) -> Scene:
    """The first contact does not meet the filter; that the second does is no help."""
    contacts = [world.people.stranger("lead"), world.people.stranger()]
    deal = _won_with(world, contacts, world.shelves[US_EAST].plain(), "east")
    deal.blocks("invoice", "contact_not_eligible")
    return deal


def won_in_canada(world: World) -> Scene:
    """Only US companies: whatever is complete and right is refused all the same."""
    deal = _won_with(world, [world.people.anyone()], world.shelves[CANADA].plain(), "canada")
    deal.blocks("invoice", "company_not_us")
    return deal


# --- inside ---


def _deal(world: World, pipeline: str = "default", in_order: bool = False) -> Scene:
    now = world.some_time()
    company_id = world.ids.next("company")
    name = f"{world.people.anyone().company or 'Solo'} {world.rng.choice(_WORK)}"
    properties: dict[str, str | None] = {
        "dealname": name, "amount": None, "dealstage": world.rng.choice(_EARLY_STAGES),
        "pipeline": pipeline, "dealtype": world.rng.choice(("newbusiness", "existingbusiness")),
        "createdate": iso(now), "closedate": iso(now + 5 * DAY), "hs_is_closed": "false",
        "hs_is_closed_won": "false", "hubspot_owner_id": "51234567",
        "deal_currency_code": world.rng.choice((None, "USD")),
    }  # fmt: skip
    if pipeline == "canada":
        properties["deal_currency_code"] = "CAD"
    return Scene(
        world, "deal", world.ids.next("deal"), properties, now, in_order,
        also=(Associated("companies", ((company_id, None),)),),
    )  # fmt: skip


def _contract_sent(world: World, buyer: Person, basket: Basket) -> Scene:
    deal = _deal(world)
    deal.snapshot(world.people.several(buyer))
    deal.set(amount=money(basket.net), dealstage="contractsent")
    deal.snapshot([buyer], basket)
    deal.makes("estimate", buyer, basket)
    return deal


def _won(
    world: World, buyer: Person, basket: Basket, pipeline: str = "default", realm_id: str = US
) -> Scene:
    """Won by a snapshot that carries everything, and invoiced."""
    deal = _won_with(world, world.people.several(buyer), basket, pipeline)
    deal.makes("invoice", buyer, basket, realm_id, NET_30 if realm_id == US else None)
    return deal


def _won_with(
    world: World, contacts: list[Person] | None, basket: Basket | None, pipeline: str = "default"
) -> Scene:
    deal = _deal(world, pipeline)
    if world.rng.random() < 0.5:
        deal.created()
    deal.snapshot()
    deal.passes(HOUR, 3 * DAY)
    deal.set(amount=money(basket.net) if basket and basket.lines else "100", **_WON)
    deal.snapshot(contacts, basket)
    return deal
