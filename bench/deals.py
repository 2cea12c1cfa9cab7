"""The feed of the figures: won deals as hydrated snapshots, each with a contact and line items.

Every contestant reads the same records: about 1.2 KB of JSON each, the shape that a connector
with hydration writes. Customers and products exist already in the stand-in's name lists.
"""

from __future__ import annotations

PORTAL = 4711
CUSTOMERS = 500
PRODUCTS = 50
FIRST_ID = 10_000_000

_DEAL = (
    b'{"id":"%(id)d","properties":{"dealname":"Renewal %(id)d","dealstage":"closedwon",'
    b'"pipeline":"default","amount":"%(total)d.00","deal_currency_code":"USD",'
    b'"closedate":"2026-11-20T10:00:00.000Z","createdate":"2026-11-02T08:15:30.123Z",'
    b'"hs_lastmodifieddate":"2026-11-20T10:00:01.%(ms)03dZ","hs_object_id":"%(id)d",'
    b'"hubspot_owner_id":"77140032","dealtype":"existingbusiness","hs_is_closed_won":"true",'
    b'"hs_is_closed":"true","hs_analytics_source":"OFFLINE"},'
    b'"createdAt":"2026-11-02T08:15:30.123Z","updatedAt":"2026-11-20T10:00:01.%(ms)03dZ",'
    b'"archived":false,"associations":{"contacts":{"results":[{"id":"%(contact)d",'
    b'"type":"deal_to_contact","properties":{"firstname":"%(first)s","lastname":"%(last)s",'
    b'"email":"%(email)s","phone":"+1 555 0100","company":"Example Inc"}}]},'
    b'"line items":{"results":[%(lines)s]}}}'
)
_LINE = (
    b'{"id":"%d","type":"deal_to_line_item","properties":{"name":"%s","hs_sku":"%s",'
    b'"quantity":"%d","price":"%d.00","amount":"%d.00","hs_product_id":"%d"}}'
)


def person(number: int) -> tuple[str, str]:
    """First and last name of a customer."""
    return f"First{number}", f"Last{number}"


def email(number: int) -> str:
    """Of the same customer."""
    return f"person{number}@example.com"


def product(number: int) -> str:
    """Name of a product."""
    return f"Product {number}"


def sku(number: int) -> str:
    """Of the same product."""
    return f"SKU-{number:04d}"


def record(number: int, ms: int = 0) -> bytes:
    """The snapshot of deal *number*; another *ms* is another change of it."""
    lines, total = [], 0
    for place in range(1 + number % 2):
        chosen, quantity = (number + place) % PRODUCTS, 1 + number % 5
        price = 10 + chosen
        total += quantity * price
        lines.append(
            _LINE % (
                number * 10 + place, product(chosen).encode(), sku(chosen).encode(), quantity,
                price, quantity * price, 900 + chosen,
            )
        )  # fmt: skip
    buyer = number % CUSTOMERS
    first, last = person(buyer)
    return _DEAL % {
        b"id": FIRST_ID + number, b"total": total, b"ms": ms, b"contact": 50_000 + buyer,
        b"first": first.encode(), b"last": last.encode(), b"email": email(buyer).encode(),
        b"lines": b",".join(lines),
    }  # fmt: skip
