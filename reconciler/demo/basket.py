"""Line items: what is bought, at which price, discount and tax, to the cent as HubSpot rounds.

Called by the stories. A line's `amount` is quantity × price less discounts, rounded half up to the
cent; its tax is charged on that amount. Ids are the parent's own: HubSpot copies line items.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import NamedTuple

from reconciler.demo.catalogue import CompanyCatalogue
from reconciler.demo.expectation import ZERO, ExpectedLine, ProductKey
from reconciler.demo.ids import Ids

_CENT = Decimal("0.01")
_TAX_PERCENTS = (Decimal("8.25"), Decimal(6), Decimal("9.975"))
_AWKWARD_NAMES = (
    "Support: Gold, 24×7",
    "Tab\tseparated service",
    'Cable 19" \\ "flat"',
    "Übergabe & Schulung 🎓",
    "A name that goes on " * 7,
)


def cents(value: Decimal) -> Decimal:
    """To the cent, half up."""
    return value.quantize(_CENT, ROUND_HALF_UP)


class Product(NamedTuple):
    """A HubSpot product; `hubspot_id` is empty for a line typed in by hand."""

    hubspot_id: str
    sku: str
    name: str
    price: Decimal

    @property
    def key(self) -> ProductKey:
        return ProductKey(self.sku, "" if self.sku else self.name)


class BasketLine(NamedTuple):
    """One line item. `tax_percent` None means not taxable; 0 means taxable at no tax."""

    id: str
    product: Product
    quantity: Decimal = Decimal(1)
    unit_discount: Decimal = ZERO
    percent_discount: Decimal = ZERO
    tax_percent: Decimal | None = None

    @property
    def amount(self) -> Decimal:
        gross = self.quantity * self.product.price
        percent = gross * self.percent_discount / 100
        return cents(gross - self.quantity * self.unit_discount - percent)

    @property
    def tax(self) -> Decimal:
        return cents(self.amount * (self.tax_percent or ZERO) / 100)

    @property
    def expected(self) -> ExpectedLine:
        return ExpectedLine(self.amount, bool(self.tax), self.product.key)

    def properties(self, position: int) -> dict[str, str | None]:
        """HubSpot's properties of a line item: strings, or null for what is not set."""
        gross = cents(self.quantity * self.product.price)
        return {
            "hs_object_id": self.id,
            "hs_product_id": self.product.hubspot_id or None,
            "hs_sku": self.product.sku or None,
            "name": self.product.name,
            "quantity": _text(self.quantity),
            "price": _text(self.product.price),
            "discount": _set(self.unit_discount),
            "hs_discount_percentage": _set(self.percent_discount),
            "hs_pre_discount_amount": _text(gross),
            "hs_total_discount": _text(gross - self.amount),
            "amount": _text(self.amount),
            "hs_position_on_quote": str(position),
            **self._tax_properties(),
        }

    def _tax_properties(self) -> dict[str, str | None]:
        taxable = self.tax_percent is not None
        return {
            "hs_tax_rate_group_id": "4417001" if taxable else None,
            "hs_tax_rate": _text(self.tax_percent) if self.tax_percent is not None else None,
            "hs_tax_label": "Sales tax" if taxable else None,
            "hs_tax_amount": _text(self.tax) if taxable else None,
            "hs_post_tax_amount": _text(self.amount + self.tax),
        }


class Basket(NamedTuple):
    """The lines of one object."""

    lines: tuple[BasketLine, ...]

    @property
    def net(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    @property
    def expected(self) -> tuple[ExpectedLine, ...]:
        return tuple(line.expected for line in self.lines)

    def without(self, line: BasketLine) -> Basket:
        return Basket(tuple(other for other in self.lines if other is not line))


class Shelf:
    """Fills baskets from what one company sells, and from what it does not sell yet."""

    def __init__(self, rng: Random, ids: Ids, company: CompanyCatalogue) -> None:
        self._rng, self._ids = rng, ids
        self._products = [
            Product(ids.next("product"), item.sku, item.name, item.price)
            for item in company.usable_items
        ]
        self._retired = [
            Product(ids.next("product"), item.sku, item.name, item.price)
            for item in company.retired_items
        ]
        self._missing = self._unsold()
        self._unknown = self._product("NEVER-1", "Nobody's product", "10.10")

    def plain(self) -> Basket:
        """One to four products the company sells, whole quantities, no discount, no tax."""
        return self._basket(*(self._line() for _ in range(self._rng.choice((1, 1, 2, 2, 3, 4)))))

    def discounted(self) -> Basket:
        """A per-unit discount, a percentage, and one line without."""
        cheaper = self._line(unit_discount=Decimal(self._rng.choice(("0.50", "3.33", "5"))))
        percent = Decimal(self._rng.choice(("5", "10", "12.5", "33.333")))
        return self._basket(cheaper, self._line(percent_discount=percent), self._line())

    def fractional(self) -> Basket:
        """Hours and seven-decimal unit prices: what does not come out even."""
        hours = self._named("CONS-HR", Decimal(self._rng.choice(("1.25", "0.5", "7.75", "2.333"))))
        seats = self._named("SEAT-PRO", Decimal(3), percent_discount=Decimal(10))
        calls = self._named("API-CALL", Decimal(self._rng.randrange(1_000, 90_000)))
        moved = self._named("MIG-GB", Decimal(self._rng.randrange(1_000, 9_999)) / 10)
        return self._basket(hours, seats, calls, moved)

    def taxed(self) -> Basket:
        """Taxed lines with their explicit tax, beside one that is not taxable."""
        percent = self._rng.choice(_TAX_PERCENTS)
        return self._basket(
            self._line(tax_percent=percent),
            self._line(tax_percent=percent, percent_discount=Decimal(10)),
            self._line(),
        )

    def in_a_tax_group(self) -> Basket:
        """Taxable by its tax group alone: the tax comes to nothing."""
        return self._basket(self._line(tax_percent=ZERO), self._line())

    def with_missing(self) -> Basket:
        """A product the company does not have, beside one it has."""
        return self._basket(self._line(product=self._rng.choice(self._missing)), self._line())

    def with_awkward_missing(self) -> Basket:
        """A missing product whose name QuickBooks will not take as it is."""
        awkward = self._missing[-len(_AWKWARD_NAMES) :]
        return self._basket(self._line(product=self._rng.choice(awkward)))

    def with_unknown(self) -> Basket:
        """A product that is on no other basket, so that nothing ever creates it."""
        return self._basket(self._line(), self._line(product=self._unknown))

    def with_retired(self) -> Basket:
        """A product that is inactive in QuickBooks."""
        return self._basket(self._line(), self._line(product=self._rng.choice(self._retired)))

    def _unsold(self) -> list[Product]:
        named = [
            Product("", "", "Custom integration work", Decimal(2400)),
            self._product("NEW-BETA", "Beta programme seat", "59.95"),
            self._product("NEW-'Q'", "O'Reilly's \"quoted\" kit", "12.30"),
            self._product("NEW\\BS", "Back\\slash adapter", "4.05"),
        ]
        awkward = [
            self._product(f"NEW-AWK-{number}", name.strip(), f"{number}9.99")
            for number, name in enumerate(_AWKWARD_NAMES, 1)
        ]
        return [*named, *awkward]

    def _product(self, sku: str, name: str, price: str) -> Product:
        return Product(self._ids.next("product"), sku, name, Decimal(price))

    def _line(
        self,
        product: Product | None = None,
        unit_discount: Decimal = ZERO,
        percent_discount: Decimal = ZERO,
        tax_percent: Decimal | None = None,
    ) -> BasketLine:
        """One to five pieces of something that costs a few dollars at least."""
        dear = [product for product in self._products if product.price > 5]
        return BasketLine(
            self._ids.next("line_item"),
            product or self._rng.choice(dear),
            Decimal(self._rng.choice((1, 1, 2, 3, 5))),
            unit_discount,
            percent_discount,
            tax_percent,
        )

    def _named(self, sku: str, quantity: Decimal, percent_discount: Decimal = ZERO) -> BasketLine:
        product = next(product for product in self._products if product.sku == sku)
        return BasketLine(
            self._ids.next("line_item"), product, quantity, percent_discount=percent_discount
        )

    def _basket(self, *lines: BasketLine) -> Basket:
        return Basket(tuple(self._shuffled(lines)))

    def _shuffled(self, lines: Sequence[BasketLine]) -> list[BasketLine]:
        return self._rng.sample(lines, len(lines))


def _text(value: Decimal) -> str:
    """As HubSpot prints numbers: plain digits, never an exponent."""
    return f"{value:f}"


def _set(value: Decimal) -> str | None:
    """A discount that is not given is null."""
    return _text(value) if value else None
