"""What each QuickBooks company holds before the feed starts, as plain data.

The stories pick their products and some of their people from it; `seeding` posts it. Deterministic
by seed: prices vary, names do not.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import NamedTuple

from reconciler.demo.expectation import Party, ProductKey

US = "9341450000000001"
CANADA = "9341450000000002"
US_EAST = "9341450000000003"


class CatalogueItem(NamedTuple):
    """A product or service in QuickBooks. One without a SKU is found by its name."""

    sku: str
    name: str
    price: Decimal
    kind: str = "Service"  # QuickBooks's Item.Type: Service or NonInventory
    active: bool = True

    @property
    def key(self) -> ProductKey:
        return ProductKey(self.sku, "" if self.sku else self.name)


class CatalogueCustomer(NamedTuple):
    """A customer in QuickBooks; its display name need not be its person's name."""

    display_name: str
    party: Party


class CompanyCatalogue(NamedTuple):
    """The lists of one company."""

    realm_id: str
    items: tuple[CatalogueItem, ...]
    customers: tuple[CatalogueCustomer, ...] = ()
    vendors: tuple[str, ...] = ()

    @property
    def usable_items(self) -> tuple[CatalogueItem, ...]:
        return tuple(item for item in self.items if item.active)

    @property
    def retired_items(self) -> tuple[CatalogueItem, ...]:
        return tuple(item for item in self.items if not item.active)


# People who are in the books already, or whose name is taken there by someone else.
KNOWN_CUSTOMER = Party("Margaret", "Okafor", "margaret@okafor-legal.example")
KNOWN_CUSTOMER_EAST = Party("Ines", "Carvalho", "ines.carvalho@carvalho.example")
NAMESAKE_OF_CUSTOMER = Party("Daniel", "Weber", "daniel.weber@weberdruck.example")
NAMESAKE_OF_VENDOR = Party("Priya", "Raman", "priya@ramanstudio.example")

_Rows = tuple[tuple[str, str, str], ...]  # SKU, name, price

_SERVICES = (
    ("CONS-HR", "Consulting hour", "145.00"),
    ("ONB-STD", "Onboarding, standard", "1200.00"),
    ("ONB-ENT", "Onboarding, enterprise", "4800.00"),
    ("SUP-GOLD", "Support plan Gold", "299.00"),
    ("SUP-SILV", "Support plan Silver", "149.00"),
    ("TRN-DAY", "Training day", "950.00"),
    ("API-CALL", "API call", "0.0123457"),
    ("SEAT-PRO", "Seat Pro, month", "33.33"),
    ("AUDIT", 'Audit "light" & report', "780.50"),
    ("MIG-GB", "Migration, per GB", "1.0849999"),
)
_GOODS = (
    ("HW-DOCK", "Docking station", "189.90"),
    ("HW-CABLE", "Cable 2 m", "7.49"),
    ("HW-MON27", "Monitor 27″", "349.00"),
    ("BK-GUIDE", "Réconciliation, le guide", "24.95"),
)
_UNNUMBERED = (("", "Travel flat rate", "85.00"), ("", "Rush fee", "125.00"))


def catalogue(seed: int) -> dict[str, CompanyCatalogue]:
    """The lists of every company by realm id, the same for the same *seed*."""
    rng = Random(f"catalogue {seed}")
    services, goods = _priced(rng, _SERVICES, "Service"), _priced(rng, _GOODS, "NonInventory")
    unnumbered = _priced(rng, _UNNUMBERED, "Service")
    retired = CatalogueItem("FAX-LINE", "Fax line", Decimal("19.00"), active=False)
    us = CompanyCatalogue(
        US,
        (*services, *goods, *unnumbered, retired),
        (
            CatalogueCustomer("Okafor Legal LLP", KNOWN_CUSTOMER),
            CatalogueCustomer("Daniel Weber", Party("Daniel", "Weber", "dw@elsewhere.example")),
            CatalogueCustomer("Walk-in", Party("", "", "")),
        ),
        ("Priya Raman", "Corner Stationers"),
    )
    east = CompanyCatalogue(
        US_EAST,
        (*services[:6], *goods[:2], *unnumbered, retired),
        (CatalogueCustomer("Carvalho & Filhos", KNOWN_CUSTOMER_EAST),),
    )
    canada = CompanyCatalogue(CANADA, (*services[:4], *goods[:1]))
    return {company.realm_id: company for company in (us, east, canada)}


def _priced(rng: Random, rows: _Rows, kind: str) -> tuple[CatalogueItem, ...]:
    """Whole-dollar prices move a little with the seed; the awkward ones stay as they are."""
    return tuple(
        CatalogueItem(sku, name, _moved(rng, Decimal(price)), kind) for sku, name, price in rows
    )


def _moved(rng: Random, price: Decimal) -> Decimal:
    return price + rng.randrange(0, 20) if price == price.to_integral_value() else price
