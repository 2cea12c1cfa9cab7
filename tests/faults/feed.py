"""The fault tests' own feed: few kinds of objects, each calling for documents it names itself.

Writes HubSpot REST snapshots and webhook events as plain JSON and says what must come of them. It
shares no code with the service; the checker judges by what is written here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

PORTAL = 4711
STARTS_AT = 1_767_600_000_000  # 2026-01-05, epoch ms
ENTITIES = {
    "invoice": ("Invoice",),
    "estimate": ("Estimate",),
    "sales_receipt": ("SalesReceipt",),
    "paid_invoice": ("Invoice", "Payment"),
    "expense": ("Purchase",),
    "refund_receipt": ("RefundReceipt",),
}

WORKFLOWS = """
version: 1
portal_id: 4711
companies:
  us:
    realm_id: "{realm}"
    timezone: America/New_York
    defaults:
      deposit_account: Undeposited Funds
      bank_account: Checking
      expense_account: Merchant Fees
workflows:
  - name: Invoice won deals
    object: deal
    enrol: [[{{preset: deal_won}}]]
    actions: [{{create: invoice, company: us, create_missing_products: yes}}]
  - name: Estimate sent contracts
    object: deal
    enrol: [[{{property: dealstage, operator: is_any_of, values: [contractsent]}}]]
    actions: [{{create: estimate, company: us, create_missing_products: yes}}]
  - name: Bill one-time payments
    object: payment
    enrol:
      - - {{preset: payment_succeeded}}
        - {{property: hs_payment_type, operator: is_any_of, values: [one_time_or_initial]}}
    actions: [{{create: paid_invoice, company: us, create_missing_products: yes}}]
  - name: Receipts of subscriptions
    object: payment
    enrol:
      - - {{preset: payment_succeeded}}
        - {{property: hs_payment_type, operator: is_any_of, values: [recurring]}}
    actions: [{{create: sales_receipt, company: us, create_missing_products: yes}}]
  - name: Fees
    object: payment
    enrol: [[{{preset: payment_succeeded}}]]
    actions: [{{create: expense, company: us}}]
  - name: Refunds
    object: payment
    enrol: [[{{preset: payment_refunded}}]]
    actions: [{{create: refund_receipt, company: us, create_missing_products: yes}}]
"""


@dataclass(frozen=True)
class Expected:
    """One document that the feed calls for, and where it must end."""

    object_type: str
    object_id: str
    action: str
    state: str  # created | blocked | waiting
    total: Decimal = Decimal(0)

    @property
    def entities(self) -> tuple[str, ...]:
        """The QuickBooks entities that stand for it once it is created."""
        return ENTITIES[self.action] if self.state == "created" else ()

    def __str__(self) -> str:
        return f"{self.action} of {self.object_type} {self.object_id}"


@dataclass(frozen=True)
class Said:
    """One Kafka record: which topic it belongs to, its key and its bytes."""

    topic: str  # deals | payments
    key: bytes
    value: bytes


@dataclass
class Feed:
    """Records and what must come of them."""

    records: list[Said] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    garbage: list[bytes] = field(default_factory=list)

    @property
    def by_kind(self) -> dict[tuple[str, str, str], Expected]:
        """What is expected, by object type, id and action."""
        return {(e.object_type, e.object_id, e.action): e for e in self.expected}

    def __add__(self, other: Feed) -> Feed:
        return Feed(
            self.records + other.records,
            self.expected + other.expected,
            self.garbage + other.garbage,
        )

    def doubled(self, rng: Random) -> list[Said]:
        """Every record at least once and many twice, in any order."""
        said = [*self.records, *rng.sample(self.records, len(self.records) // 2)]
        rng.shuffle(said)
        return said


class Writer:
    """Tells objects one after another; *seed* chooses amounts, people and products."""

    def __init__(self, seed: int, first_id: int = 1) -> None:
        self.rng = Random(seed)
        self.feed = Feed()
        self._first_id = first_id  # people and products of one writer are its own, too
        self._next_id = 7_000_000 + first_id
        self._at = STARTS_AT

    def some(self, rounds: int) -> Feed:
        """Every kind of object, *rounds* times."""
        for _ in range(rounds):
            self.deal()
            self.refunded_payment()
            self.subscription()
        self.deal_without_contact()
        self.deal_without_lines()
        self.nonsense()
        return self.feed

    # --- objects ---------------------------------------------------------------------------------

    def deal(self) -> None:
        """An estimate when the contract is sent, an invoice when it is won."""
        id_, lines = self._id(), self._lines()
        lists = {"contacts": [self._contact()], "line_items": lines}
        name = {"dealname": f"Deal {id_}", "deal_currency_code": "USD"}
        self._snapshot("deal", id_, {**name, "dealstage": "contractsent"}, lists)
        self._snapshot("deal", id_, {**name, "dealstage": "closedwon"}, lists)
        self._expect("deal", id_, "estimate", _total(lines))
        self._expect("deal", id_, "invoice", _total(lines))

    def refunded_payment(self) -> None:
        """Paid at a checkout, later given back: paid invoice, fee, refund receipt."""
        id_, lines = self._id(), self._lines()
        total, fee = _total(lines), Decimal("1.05")
        said = self._payment(total, "one_time_or_initial")
        lists = {"contacts": [self._contact()], "line_items": lines}
        self._snapshot("payment", id_, said, lists)
        self._event("payment", id_, "hs_fees_amount", f"{fee}")
        self._event("payment", id_, "hs_latest_status", "succeeded")
        self._event("payment", id_, "hs_refunds_amount", f"{total}")
        self._event("payment", id_, "hs_latest_status", "refunded")
        for action in ("paid_invoice", "refund_receipt"):
            self._expect("payment", id_, action, total)
        self._expect("payment", id_, "expense", fee)

    def subscription(self) -> None:
        """A recurring charge: sales receipt and fee."""
        id_, lines = self._id(), self._lines()
        total, fee = _total(lines), Decimal("0.70")
        said = self._payment(total, "recurring")
        lists = {"contacts": [self._contact()], "line_items": lines}
        paid = {**said, "hs_latest_status": "succeeded", "hs_fees_amount": f"{fee}"}
        self._snapshot("payment", id_, paid, lists)
        self._expect("payment", id_, "sales_receipt", total)
        self._expect("payment", id_, "expense", fee)

    def deal_without_contact(self) -> None:
        """Blocked: nobody to bill."""
        id_ = self._id()
        lists: dict[str, list[Any]] = {"contacts": [], "line_items": self._lines()}
        self._snapshot("deal", id_, {"dealname": "Nobody", "dealstage": "closedwon"}, lists)
        self._expect("deal", id_, "invoice", Decimal(0), "blocked")

    def deal_without_lines(self) -> None:
        """Waiting: what was sold is not known."""
        id_ = self._id()
        lists = {"contacts": [self._contact()]}
        self._snapshot("deal", id_, {"dealname": "What?", "dealstage": "closedwon"}, lists)
        self._expect("deal", id_, "invoice", Decimal(0), "waiting")

    def nonsense(self) -> None:
        """A record that no format describes: a dead letter."""
        value = b'{"nonsense": %d' % int(self._id())
        self.feed.records.append(Said("deals", b"", value))
        self.feed.garbage.append(value)

    # --- how HubSpot writes ------------------------------------------------------------------------

    def _payment(self, total: Decimal, kind: str) -> dict[str, str | None]:
        return {
            "hs_initial_amount": f"{total}", "hs_currency_code": "USD",
            "hs_latest_status": "processing", "hs_payment_type": kind,
            "hs_payment_source_app": "SALES_CHECKOUT", "hs_processor_type": "hs_payments",
            "hs_payment_method_type": "card", "hs_initiated_date": _iso(self._at),
        }  # fmt: skip

    def _snapshot(
        self, kind: str, id_: str, properties: dict[str, str | None], lists: dict[str, list[Any]]
    ) -> None:
        self._at += 60_000
        body = {
            "id": id_,
            "properties": {**properties, "hs_object_id": id_},
            "createdAt": _iso(STARTS_AT),
            "updatedAt": _iso(self._at),
            "archived": False,
            "associations": {name: {"results": members} for name, members in lists.items()},
        }
        self._say(kind, id_, body)

    def _event(self, kind: str, id_: str, name: str, value: str) -> None:
        self._at += 60_000
        types = {"deal": "0-3", "payment": "0-101"}
        body = {
            "eventId": self._at, "subscriptionId": 1, "portalId": PORTAL, "appId": 1,
            "occurredAt": self._at, "subscriptionType": "object.propertyChange",
            "attemptNumber": 0, "objectId": int(id_), "objectTypeId": types[kind],
            "propertyName": name, "propertyValue": value, "changeSource": "CRM_UI",
        }  # fmt: skip
        self._say(kind, id_, body)

    def _say(self, kind: str, id_: str, body: dict[str, Any]) -> None:
        self.feed.records.append(Said(f"{kind}s", id_.encode(), json.dumps(body).encode()))

    def _expect(
        self, kind: str, id_: str, action: str, total: Decimal, state: str = "created"
    ) -> None:
        self.feed.expected.append(Expected(kind, id_, action, state, total))

    def _id(self) -> str:
        self._next_id += 1
        return str(self._next_id)

    def _contact(self) -> dict[str, Any]:
        number = f"{self._first_id}{self.rng.randrange(8)}"
        return {
            "id": f"9{number}",
            "type": "to_contact",
            "properties": {
                "firstname": f"Ada{number}",
                "lastname": "Lovelace",
                "email": f"ada{number}@example.com",
            },
        }

    def _lines(self) -> list[dict[str, Any]]:
        return [self._line() for _ in range(self.rng.randrange(1, 4))]

    def _line(self) -> dict[str, Any]:
        product = f"{self._first_id}-{self.rng.randrange(6)}"
        cents = self.rng.randrange(100, 90_000)
        price = Decimal(cents) / 100
        properties = {
            "name": f"Product {product}", "hs_sku": f"SKU-{product}", "quantity": "1",
            "price": f"{price}", "amount": f"{price}",
        }  # fmt: skip
        return {"id": self._id(), "type": "to_line_item", "properties": properties}


def _total(lines: Iterable[dict[str, Any]]) -> Decimal:
    return sum((Decimal(line["properties"]["amount"]) for line in lines), Decimal(0))


def _iso(at: int) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
