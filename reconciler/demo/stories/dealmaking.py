"""How a deal begins and how it is won: what the stories of deals share."""

from __future__ import annotations

from reconciler.demo.basket import Basket
from reconciler.demo.catalogue import US
from reconciler.demo.people import Person
from reconciler.demo.scene import DAY, HOUR, Scene, World, money
from reconciler.demo.shapes import Associated, iso

NET_30 = "Net 30"
WON = {"dealstage": "closedwon", "hs_is_closed": "true", "hs_is_closed_won": "true"}
EARLY_STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled")
_WORK = ("rollout", "renewal", "pilot", "“phase 2”", "upgrade \\ migration", "déménagement")


def open_deal(world: World, pipeline: str = "default", in_order: bool = False) -> Scene:
    """A deal as it is made: open, with a HubSpot company and nothing else known."""
    now = world.some_time()
    company_id = world.ids.next("company")
    name = f"{world.people.anyone().company or 'Solo'} {world.rng.choice(_WORK)}"
    properties: dict[str, str | None] = {
        "dealname": name, "amount": None, "dealstage": world.rng.choice(EARLY_STAGES),
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


def won_and_invoiced(
    world: World, buyer: Person, basket: Basket, pipeline: str = "default", realm_id: str = US
) -> Scene:
    """Won by a snapshot that carries everything, and invoiced."""
    deal = won_with(world, world.people.several(buyer), basket, pipeline)
    deal.makes("invoice", buyer, basket, realm_id, NET_30 if realm_id == US else None)
    return deal


def won_with(
    world: World, contacts: list[Person] | None, basket: Basket | None, pipeline: str = "default"
) -> Scene:
    """Won by one snapshot that carries these contacts and lines; None leaves a list out."""
    deal = open_deal(world, pipeline)
    if world.rng.random() < 0.5:
        deal.created()
    deal.snapshot()
    deal.passes(HOUR, 3 * DAY)
    deal.set(amount=money(basket.net) if basket and basket.lines else "100", **WON)
    deal.snapshot(contacts, basket)
    return deal
