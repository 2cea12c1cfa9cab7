"""The vocabulary: identities, changes, source objects, actions and documents.

Pure data. `streams` decodes records into `Change`, `store` keeps `SourceObject` and the ledger,
`decide` turns an object into the documents it calls for. Instants are epoch milliseconds in UTC
when they come from HubSpot (its own unit) and aware datetimes when they are ours. Money is Decimal.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec


class ObjectType(StrEnum):
    """HubSpot object types we read. The first three start workflows, the others are joined."""

    __hash__ = str.__hash__  # keys are hashed for every record, and Enum's is written in Python

    DEAL = "deal"
    QUOTE = "quote"
    PAYMENT = "payment"
    CONTACT = "contact"
    COMPANY = "company"
    LINE_ITEM = "line_item"
    PRODUCT = "product"
    INVOICE = "invoice"


SOURCE_TYPES = (ObjectType.DEAL, ObjectType.QUOTE, ObjectType.PAYMENT)

ASSOCIATION_NAMES = {
    ObjectType.DEAL: "deals",
    ObjectType.QUOTE: "quotes",
    ObjectType.PAYMENT: "payments",
    ObjectType.CONTACT: "contacts",
    ObjectType.COMPANY: "companies",
    ObjectType.LINE_ITEM: "line_items",
    ObjectType.PRODUCT: "products",
    ObjectType.INVOICE: "invoices",
}
"""What the list of associated objects of a type is called, whatever the feed called it."""


class ObjectKey(NamedTuple):
    """Identity of a HubSpot object: ids are unique only within a portal and a type."""

    portal_id: int
    type: ObjectType
    id: str

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


# --- changes: what one Kafka record says -----------------------------------------------------


class Related(msgspec.Struct, frozen=True, array_like=True):
    """One associated object: its id and, where the feeder hydrates, its properties.

    `properties` None means that the feed gave only the id. `at` is when they were true. `awaited`
    names what HubSpot must say otherwise or at all by now; only `joining` finds that out.
    """

    id: str
    properties: dict[str, str | None] | None = None
    at: int = 0
    awaited: tuple[str, ...] = ()


class Link(msgspec.Struct, frozen=True, array_like=True):
    """An association added or removed by an event of its own; `primary` says which company is first."""

    name: str
    id: str
    removed: bool = False
    primary: bool = False


class ChangeKind(StrEnum):
    """What sort of statement a change makes; used for metrics and the timeline."""

    SNAPSHOT = "snapshot"
    PROPERTY = "property"
    ASSOCIATION = "association"
    CREATED = "created"
    DELETED = "deleted"
    RESTORED = "restored"
    MERGED = "merged"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about one object, true at `at` (the change's own time, never the arrival).

    `properties` are values known at `at`; a property left out is not said to be anything.
    `lists` are whole association lists in the order received, by canonical name (`contacts`,
    `line_items`, `deals`, …); an empty one says *none*, a missing one says nothing.
    `links` are single associations added or removed, or made the primary one. `deleted` True or False
    says the object was deleted or restored; `merged_into` names the surviving object.
    """

    key: ObjectKey
    at: int
    kind: ChangeKind
    properties: dict[str, str | None] = {}
    lists: dict[str, tuple[Related, ...]] = {}
    links: tuple[Link, ...] = ()
    deleted: bool | None = None
    merged_into: str | None = None


# --- source objects: what the changes add up to ----------------------------------------------


class AssociationList(msgspec.Struct, array_like=True):
    """The newest whole list known for one association name, and newer single additions/removals.

    `primary` is the one last said to come before the others, also by a list that need not be the newest.
    """

    at: int = -1
    ids: list[str] = []
    links: dict[str, tuple[int, bool]] = {}
    primary: tuple[int, str] | None = None


class SourceObject(msgspec.Struct, omit_defaults=True):
    """A HubSpot object folded from its changes (`reconciler.objects.fold` is the only writer).

    Every property was last known at `base_at`, except those listed in `stamps`. `history` keeps
    the dated values of the properties that workflows look at, oldest first, so that "was once
    won" does not depend on how the feed was cut into batches; `first_is_change` names those of which
    the first dated value was told as a change, so that it was another before. `related` keeps the
    properties of associated objects by association name and id. `is_whole` says of a companion that
    a record told all of it, and not only events single properties.
    """

    key: ObjectKey
    base_at: int = -1
    properties: dict[str, str | None] = {}
    stamps: dict[str, int] = {}
    history: dict[str, list[tuple[int, str | None]]] = {}
    first_is_change: tuple[str, ...] = ()
    associations: dict[str, AssociationList] = {}
    related: dict[str, dict[str, Related]] = {}
    deleted: tuple[int, bool] | None = None
    merged: tuple[int, str] | None = None
    changed_at: int = -1
    is_whole: bool = False

    @property
    def is_deleted(self) -> bool:
        """Deleted in HubSpot and not restored since."""
        return self.deleted is not None and self.deleted[1]


# --- documents: what we want in QuickBooks ---------------------------------------------------


class Action(StrEnum):
    """HubSpot's QuickBooks workflow actions."""

    __hash__ = str.__hash__  # keys are hashed for every record, and Enum's is written in Python

    INVOICE = "invoice"
    ESTIMATE = "estimate"
    SALES_RECEIPT = "sales_receipt"
    PAID_INVOICE = "paid_invoice"
    EXPENSE = "expense"
    REFUND_RECEIPT = "refund_receipt"


FIRST_MS = 946_684_800_000  # 2000: HubSpot is younger, so an earlier time is another unit or junk
AFTER_LAST_MS = 4_102_444_800_000  # 2100: a later time would win over all that is ever said
"""What is taken for an instant (epoch ms), in whatever a feed or HubSpot says."""

HUBSPOT_PAYMENT_METHODS = frozenset({
    "card", "ach", "cash", "check", "wire_transfer", "other", "sepa", "bacs", "pads",
})  # fmt: skip
"""HubSpot's words for how a payment was made (commerce payments guide, March 2026)."""


class DocumentKey(NamedTuple):
    """The unit of idempotency: for one key there is never a second document in QuickBooks."""

    realm_id: str
    action: Action
    portal_id: int
    object_type: ObjectType
    object_id: str
    enrolment: int = 1

    @property
    def source(self) -> ObjectKey:
        return ObjectKey(self.portal_id, self.object_type, self.object_id)

    def __str__(self) -> str:
        text = f"{self.realm_id}/{self.action}/{self.portal_id}/{self.object_type}/{self.object_id}"
        return text if self.enrolment == 1 else f"{text}/{self.enrolment}"


class DocumentState(StrEnum):
    """How far a document got. `reconciler.writing.lifecycle` holds the transitions."""

    __hash__ = str.__hash__  # keys are hashed for every record, and Enum's is written in Python

    WAITING = "waiting"  # needs a fact that has not arrived
    BLOCKED = "blocked"  # needs a person
    WANTED = "wanted"  # to be created, now or at next_attempt_at
    SENDING = "sending"  # an operation was begun; its outcome is not recorded yet
    CREATED = "created"  # in QuickBooks, with its id
    # Not to be made: a person said so (DISMISSED_BY_A_PERSON, which stands), or nothing calls for it
    # any more (whatever the reason then is, HubSpot may take it up again).
    DISMISSED = "dismissed"


UNSENT = (DocumentState.WAITING, DocumentState.BLOCKED, DocumentState.WANTED)
"""A document in one of these is neither being sent nor at an end."""


class Priority(IntEnum):
    """Which of a company's wanted documents goes first."""

    LIVE = 0
    BACKFILL = 1


class ProductReference(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the source says about a product; `documents` never guesses beyond it."""

    hubspot_product_id: str = ""
    sku: str = ""
    name: str = ""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line, net of its own discount. `amount` is exact to the cent and before tax."""

    amount: Decimal
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    description: str = ""
    product: ProductReference = ProductReference()
    tax: Decimal = Decimal(0)


class Customer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who the document is for, as the source says; `source` is contact, company or fixed."""

    source: str
    hubspot_id: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    company_name: str = ""
    display_name: str = ""
    phone: str = ""

    @property
    def full_name(self) -> str:
        """What to call them: the name given, else the person's, else the address."""
        person = f"{self.first_name} {self.last_name}".strip()
        return self.display_name or person or self.email


class DocumentContent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a document must say, in HubSpot's facts; QuickBooks ids are resolved at dispatch.

    `txn_date`, `due_date` and `expiration_date` (an estimate's) are ISO dates in the company's time
    zone. `total` is what the customer pays: lines - discount + tax. Names of terms, accounts,
    classes and so on are as written in workflows.yaml. `linked_estimate` is the document key of the
    estimate that this invoice follows. `payment_method` may also be HubSpot's word.
    """

    currency: str
    txn_date: str
    total: Decimal
    customer: Customer | None = None
    lines: tuple[Line, ...] = ()
    discount: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    due_date: str = ""
    expiration_date: str = ""
    payment_terms: str = ""
    customer_memo: str = ""
    private_note: str = ""
    document_number: str = ""
    payment_method: str = ""
    payment_reference: str = ""
    deposit_account: str = ""
    bank_account: str = ""
    expense_account: str = ""
    vendor: str = ""
    class_name: str = ""
    department: str = ""
    product_source: str = "sku_or_name"
    fixed_product: str = ""
    product_map: dict[str, str] = {}
    create_missing_products: bool = False
    custom_fields: tuple[tuple[str, str], ...] = ()
    linked_estimate: str = ""


decode_content = msgspec.json.Decoder(DocumentContent).decode
_encode = msgspec.json.Encoder().encode


def encode_content(content: DocumentContent) -> str:
    """As the ledger keeps it."""
    return _encode(content).decode()
