"""Reads HubSpot's properties as money, lines and people. Pure; called by `decide`.

HubSpot's values are strings or None. What can't be read as an amount blocks the document: a guess
would put a wrong figure in the books. Property names are HubSpot's (developers.hubspot.com,
line items, commerce payments and contacts guides, read March 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NoReturn

from reconciler.model import Customer, Line, ProductReference, Related, SourceObject
from reconciler.objects.joining import AFTER_TAX, TAX_AMOUNTS
from reconciler.objects.reading import associated, named
from reconciler.reasons import Blocked, Reason, Waiting
from reconciler.workflows.values import folded, number

Properties = Mapping[str, str | None]

CENT = Decimal("0.01")
ZERO = Decimal(0)
_PLACES = Decimal("0.0000001")  # QuickBooks keeps quantities and unit prices to seven decimals
_CONTACT_WORDS = {"firstname": "first name", "lastname": "last name", "email": "email"}
_TERM = re.compile(r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,4})D)?")
_UNITS = ("year", "month", "week", "day")
_LAST = Decimal("Infinity")
_LARGEST_AMOUNT = Decimal("9999999999.99")  # Line.Amount: 15 digits at most, five of them decimals
_LARGEST_FACTOR = Decimal(99_999_999_999)  # UnitPrice
_SMALLEST_POWER = -20  # less is no rounding error of HubSpot's, and would take a page to write down


def is_held(value: Decimal, largest: Decimal = _LARGEST_AMOUNT) -> bool:
    """Whether QuickBooks has room for an amount of this size."""
    return value.adjusted() >= _SMALLEST_POWER and value.copy_abs() <= largest


def amount_in(text: str | None) -> Decimal | None:
    """The exact amount that a property says; None where it says none that QuickBooks can hold."""
    value = number(text)
    return value if value is not None and is_held(value) else None


def money(properties: Properties, name: str, where: str) -> Decimal | None:
    """The exact amount in property *name*, None if unknown; `Blocked` if it is not an amount."""
    return _number_in(properties, name, where, _LARGEST_AMOUNT)


def _factor(properties: Properties, name: str, where: str) -> Decimal | None:
    """The same for what an amount is made of: a quantity, a price, a percentage."""
    return _number_in(properties, name, where, _LARGEST_FACTOR)


def _number_in(properties: Properties, name: str, where: str, largest: Decimal) -> Decimal | None:
    text = properties.get(name)
    if text is None or text == "":
        return None
    value = number(text)
    if value is None or not is_held(value, largest):
        raise Blocked(Reason.BAD_NUMBER, where=f"{name} of {where}", value=text[:40])
    return value


def option(properties: Properties, name: str) -> str:
    """What an enumeration says, compared as the filters compare it; "" where it says nothing."""
    return folded(properties.get(name) or "")


def currency_of(properties: Properties, name: str) -> str:
    """The currency code in a property, as QuickBooks writes it; "" where it says none."""
    code = properties.get(name)
    return code.strip().upper() if code else ""


def suspects(obj: SourceObject) -> list[str]:
    """For a person: numbers of the object and what belongs to it that are no amounts by their size."""
    owners = [(str(obj.key), obj.properties)]
    owners += [
        (f"{name} {item.id}", item.properties or {})
        for name, items in obj.related.items()
        for item in items.values()
    ]
    return [
        f"{name} of {owner}, “{text}”"
        for owner, properties in owners
        for name, text in properties.items()
        if (value := number(text)) is not None and abs(value.adjusted()) > -_SMALLEST_POWER
    ]


def cents(value: Decimal) -> Decimal:
    """Rounded half up to the cent, as HubSpot and QuickBooks both round."""
    return value.quantize(CENT, ROUND_HALF_UP)


def lines_of(
    obj: SourceObject, currency: str = "", *, may_be_taxable: bool = True
) -> tuple[Line, ...]:
    """The lines in the order HubSpot shows them; `Waiting` or `Blocked` if they can't be read.

    All must be in *currency*, the source's; where it names none, in one and the same. Where they
    may not be taxable, one that is refuses them all (R28).
    """
    items = associated(obj, "line_items")
    if items is None:
        raise _not_known(Reason.LINE_ITEMS, obj, "line_items")
    if not items:
        raise Blocked(Reason.NO_LINE_ITEMS, object=obj.key.type)
    products = obj.related.get("products", {})
    _check_currencies(obj, items, currency)
    return tuple([_line(item, products, may_be_taxable) for item in sorted(items, key=_position)])


def _position(item: Related) -> Decimal:
    """Where a line says it stands; the others follow in the order of association."""
    stated = number((item.properties or {}).get("hs_position_on_quote"))
    return _LAST if stated is None else stated


def _check_currencies(obj: SourceObject, items: Iterable[Related], currency: str) -> None:
    """Amounts in two currencies can't be added up."""
    for item in items:
        code = currency_of(item.properties or {}, "hs_line_item_currency_code")
        if not code or code == currency:
            continue
        if currency:
            raise Blocked(
                Reason.LINE_CURRENCY, item=called(item), currency=code, object=obj.key.type,
                expected=currency,
            )  # fmt: skip
        currency = code


def called(related: Related) -> str:
    """What people call a line item or contact, with the id that tells it from others."""
    found = related.properties or {}
    person = f"{found.get('firstname') or ''} {found.get('lastname') or ''}".strip()
    name = found.get("name") or person or found.get("email")
    return f"“{name}” ({related.id})" if name else related.id


def _line(item: Related, products: Mapping[str, Related], may_be_taxable: bool) -> Line:
    found: Properties | None = item.properties
    if found is None:
        raise Waiting(Reason.LINE_ITEM_DETAILS, item=called(item), missing="price")
    for missing in ("quantity", "name"):
        if missing in item.awaited:
            raise Waiting(Reason.LINE_ITEM_DETAILS, item=called(item), missing=missing)
    where = f"line item {item.id}"
    stated = _factor(found, "quantity", where)
    quantity = Decimal(1) if stated is None else stated
    price = _factor(found, "price", where)
    amount = _net_amount(found, quantity, price, item)
    product = _product(found, products)
    found = _without_outdated_tax(found, item)
    tax = _stated_tax(found, amount, item)
    if tax or _has_tax_rate(found, where):
        if not may_be_taxable:
            name = product.name or product.sku or _description(found)
            raise Blocked(Reason.TAXABLE_LINE, item=name)
        if tax is None:
            _refuse_unstated_tax(item, found)
    return Line(
        amount=amount,
        quantity=quantity,
        unit_price=_unit_price(amount, quantity, price),
        description=_description(found),
        product=product,
        tax=tax or ZERO,
    )


def _description(found: Properties) -> str:
    """The line's own text; a recurring line says how often, for it bills one period."""
    text = found.get("description") or found.get("name") or ""
    if every := option(found, "recurringbillingfrequency"):
        return f"{text} (billed {every.replace('_', ' ')})".strip()
    if term := found.get("hs_recurring_billing_period"):
        return f"{text} ({_spoken_term(term)})".strip()
    return text


def _spoken_term(term: str) -> str:
    """How long a line recurs, which HubSpot gives as an ISO 8601 period: `P12M` is 12 months."""
    parts = _TERM.fullmatch(term.strip().upper())
    counted = zip(parts.groups(), _UNITS, strict=True) if parts else ()
    told = [f"{count} {unit}" + ("s" if count != "1" else "") for count, unit in counted if count]
    spoken = " ".join(told)
    return f"for a term of {spoken}" if spoken else "recurring"


def _product(found: Properties, products: Mapping[str, Related]) -> ProductReference:
    """What the line says of its product; where it is silent, what the product itself says."""
    product_id = found.get("hs_product_id") or ""
    own = products.get(product_id) if products else None
    known = (own.properties if own else None) or {}
    return ProductReference(
        hubspot_product_id=product_id,
        sku=(found.get("hs_sku") or known.get("hs_sku") or "").strip(),
        name=(found.get("name") or known.get("name") or "").strip(),
    )


def _net_amount(
    found: Properties, quantity: Decimal, price: Decimal | None, item: Related
) -> Decimal:
    """HubSpot's own net amount where given, else quantity × price less the line's discount.

    Where both are known they must agree: one of the two is then stale, and a guess would bill it.
    HubSpot's amount is believed alone of tiered and recurring lines, whose price is not its only
    factor, and where a discount would explain it that the feed does not carry. One that is outdated
    is believed nowhere: it is worked out anew from what the line says, or waited for.
    """
    where = f"line item {item.id}"
    amount = money(found, "amount", where)
    if amount is not None and "amount" in item.awaited:
        return _recomputed(found, amount, quantity, price, item)
    if price is None:
        if amount is None:
            _refuse_unpriced(found, item)
        return cents(amount)
    if amount is not None and (_is_tiered(found) or is_recurring(found)):
        return cents(amount)
    gross = quantity * price
    if amount == gross and not _has_discount(found):
        return cents(amount)
    computed = _discounted(found, quantity, gross, where)
    if amount is None:
        return cents(computed)
    if abs(amount - computed) > CENT and not (amount < computed and not _states_discount(found)):
        raise Blocked(
            Reason.LINE_DISAGREES, item=called(item), amount=amount, quantity=quantity, price=price,
            computed=cents(computed),
        )  # fmt: skip
    return cents(amount)


def _refuse_unpriced(found: Properties, item: Related) -> NoReturn:
    """Neither price nor amount: what was never mentioned may still arrive, what is empty stays so."""
    wanted = ("amount",) if _is_tiered(found) else ("price", "amount")  # tiers have no price
    for missing in wanted:
        if missing not in found:
            raise Waiting(Reason.LINE_ITEM_DETAILS, item=called(item), missing=missing)
    raise Blocked(Reason.NO_PRICE, item=called(item))


def _recomputed(
    found: Properties, amount: Decimal, quantity: Decimal, price: Decimal | None, item: Related
) -> Decimal:
    """The net amount of a line that changed since HubSpot's was told, where its facts suffice."""
    where = f"line item {item.id}"
    if price is not None and "quantity" in found:
        computed = _discounted(found, quantity, quantity * price, where)
        by_price_alone = not (_is_tiered(found) or is_recurring(found))
        if abs(amount - computed) <= CENT or (by_price_alone and _states_discount(found)):
            return cents(computed)
    raise Waiting(Reason.LINE_ITEM_DETAILS, item=called(item), missing="amount")


def _discounted(found: Properties, quantity: Decimal, gross: Decimal, where: str) -> Decimal:
    percentage = _factor(found, "hs_discount_percentage", where)
    if percentage:
        net = gross - gross * percentage / 100
    else:
        net = gross - quantity * (_factor(found, "discount", where) or ZERO)
    if abs(net) >= CENT and not is_held(net):
        raise Blocked(Reason.TOO_LARGE, what=where.capitalize(), amount=net)
    return net


def _has_discount(found: Properties) -> bool:
    return bool(found.get("discount") or found.get("hs_discount_percentage"))


def _states_discount(found: Properties) -> bool:
    return "discount" in found or "hs_discount_percentage" in found


def _is_tiered(found: Properties) -> bool:
    return option(found, "hs_pricing_model") not in ("flat", "")


def is_recurring(found: Properties) -> bool:
    """Whether a line is billed again and again; its amount is one period's."""
    return bool(found.get("recurringbillingfrequency") or found.get("hs_recurring_billing_period"))


def _unit_price(amount: Decimal, quantity: Decimal, price: Decimal | None) -> Decimal | None:
    """A price such that quantity × price, as QuickBooks keeps them, rounds to the amount (fault 6070).

    The list price where it does, else the net price to seven decimals. With None the line is
    written as an amount alone.
    """
    if not _is_kept(quantity):
        return None
    if price is not None and _is_kept(price) and cents(quantity * price) == amount:
        return price
    if quantity == ZERO:
        return None
    net = amount / quantity
    if net.copy_abs() > _LARGEST_FACTOR:
        return None
    net = net.quantize(_PLACES, ROUND_HALF_UP)
    return net.normalize() if cents(quantity * net) == amount else None


def _is_kept(value: Decimal) -> bool:
    """Whether QuickBooks keeps a quantity or unit price as it is."""
    return value == value.quantize(_PLACES, ROUND_HALF_UP)


def _stated_tax(found: Properties, amount: Decimal, item: Related) -> Decimal | None:
    """The tax that HubSpot states, zero if it says so everywhere; None if it says nowhere.

    A tax amount is believed before the amount after tax. That is a tax by itself only where `amount`
    is stated too: what is computed from the price may leave out a discount.
    """
    where = f"line item {item.id}"
    stated, after = _tax_amount(found, where), money(found, AFTER_TAX, where)
    if after is None:
        if stated and stated * amount < ZERO:
            raise _disagreement(item, amount, amount + stated, stated)
        return stated
    after = cents(after)
    tax = after - amount if stated is None else stated
    if abs(amount + tax - after) <= CENT and (not tax or _is_tax_of(amount, tax, stated, found)):
        return tax
    if "amount" not in found:
        raise Waiting(Reason.LINE_ITEM_DETAILS, item=called(item), missing="amount")
    raise _disagreement(item, amount, after, stated)


def _without_outdated_tax(found: Properties, item: Related) -> Properties:
    """The line without a tax told before it changed; `Waiting` for the new one if it bears any."""
    outdated = [name for name in (*TAX_AMOUNTS, AFTER_TAX) if name in item.awaited]
    if not outdated:
        return found
    where = f"line item {item.id}"
    after, amount = money(found, AFTER_TAX, where), money(found, "amount", where)
    bore_tax = _tax_amount(found, where) or (after is not None and after != amount)
    if bore_tax or _has_tax_rate(found, where):
        raise Waiting(Reason.LINE_ITEM_DETAILS, item=called(item), missing="tax amount")
    return {name: value for name, value in found.items() if name not in outdated}


def _is_tax_of(amount: Decimal, tax: Decimal, stated: Decimal | None, found: Properties) -> bool:
    """Whether a line may bear that tax; one that is only the difference of two amounts, with more care."""
    is_plausible = stated is not None or bool(found.get("amount") and abs(tax) <= abs(amount))
    return tax * amount >= ZERO and is_plausible


def _tax_amount(found: Properties, where: str) -> Decimal | None:
    """The first tax amount that is not zero, else zero where one is stated."""
    stated = [money(found, name, where) for name in TAX_AMOUNTS]
    known = [cents(tax) for tax in stated if tax is not None]
    return next((tax for tax in known if tax), known[0]) if known else None


def _disagreement(item: Related, amount: Decimal, after: Decimal, tax: Decimal | None) -> Blocked:
    """One of the figures is stale, or a mistake: which one can't be known."""
    stated = "" if tax is None else f", and its tax is {tax}"
    return Blocked(
        Reason.TAX_DISAGREES, item=called(item), amount=amount, after=after, stated=stated
    )


def _has_tax_rate(found: Properties, where: str) -> bool:
    return bool(found.get("hs_tax_rate_group_id") or _factor(found, "hs_tax_rate", where))


def _refuse_unstated_tax(item: Related, found: Properties) -> NoReturn:
    """QuickBooks would work out a tax of its own. HubSpot's may still arrive, or is empty there."""
    if found.keys().isdisjoint((*TAX_AMOUNTS, AFTER_TAX)):
        raise Waiting(Reason.LINE_ITEM_DETAILS, item=called(item), missing="tax amount")
    raise Blocked(Reason.NO_TAX_AMOUNT, item=called(item))


def first_contact(obj: SourceObject) -> Related:
    """The first associated contact, in association order as received (R9)."""
    contacts = associated(obj, "contacts")
    if contacts is None:
        raise _not_known(Reason.CONTACT, obj, "contacts")
    if not contacts:
        raise Blocked(Reason.NO_CONTACT, object=obj.key.type)
    first = contacts[0]
    if first.properties is None:
        raise Waiting(
            Reason.CONTACT_DETAILS, item=first.id, how="by its id", missing="name and email have"
        )
    if first.awaited:
        *others, last = (_CONTACT_WORDS[name] for name in first.awaited)
        missing = f"{', '.join(others)} and {last} have" if others else f"{last} has"
        raise Waiting(Reason.CONTACT_DETAILS, item=called(first), how="in part", missing=missing)
    return first


def _not_known(reason: Reason, obj: SourceObject, name: str) -> Waiting:
    """A list that was never given whole, though events may have told of one or another on it."""
    single = ": single ones are known, the whole list is not" if named(obj, name) else ""
    return Waiting(reason, object=obj.key.type, single=single)


def contact_customer(contact: Related) -> Customer:
    """The customer a contact stands for: first name, last name and email (R7)."""
    found = contact.properties or {}
    customer = Customer(
        source="contact",
        hubspot_id=contact.id,
        first_name=(found.get("firstname") or "").strip(),
        last_name=(found.get("lastname") or "").strip(),
        email=(found.get("email") or "").strip(),
        company_name=(found.get("company") or "").strip(),
        phone=(found.get("phone") or "").strip(),
    )
    if not (customer.first_name or customer.last_name or customer.email):
        raise Blocked(Reason.CONTACT_INCOMPLETE, item=contact.id)
    return customer


def company_customer(obj: SourceObject) -> Customer:
    """The first associated HubSpot company as a customer."""
    companies = associated(obj, "companies")
    if companies is None:
        raise _not_known(Reason.COMPANY, obj, "companies")
    if not companies:
        raise Blocked(Reason.NO_COMPANY, object=obj.key.type)
    first = companies[0]
    name = ((first.properties or {}).get("name") or "").strip()
    if not name:
        if "name" in (first.properties or {}):  # and it is empty there
            raise Blocked(Reason.COMPANY_UNNAMED, item=called(first))
        raise Waiting(Reason.COMPANY_DETAILS, item=first.id)
    return Customer(source="company", hubspot_id=first.id, company_name=name, display_name=name)
