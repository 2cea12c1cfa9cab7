"""Owns HubSpot's names: of object types and of associations, in every spelling feeds use.

Vendor facts are from HubSpot's developer documentation on object type ids, association type ids
and webhook subscription types (read in March 2026). It refuses nothing: what it doesn't find is
a type this service doesn't read.
"""

from __future__ import annotations

import re

from reconciler.model import ASSOCIATION_NAMES, ObjectType

TYPES_BY_ID = {
    "0-1": ObjectType.CONTACT,
    "0-2": ObjectType.COMPANY,
    "0-3": ObjectType.DEAL,
    "0-7": ObjectType.PRODUCT,
    "0-8": ObjectType.LINE_ITEM,
    "0-14": ObjectType.QUOTE,
    "0-53": ObjectType.INVOICE,
    "0-101": ObjectType.PAYMENT,
}

_SINGULARS = {type_.value: type_ for type_ in ObjectType} | {
    "commerce_payment": ObjectType.PAYMENT,
    "lineitem": ObjectType.LINE_ITEM,
}
_PLURALS = {name: type_ for type_, name in ASSOCIATION_NAMES.items()} | {
    "commerce_payments": ObjectType.PAYMENT,
    "lineitems": ObjectType.LINE_ITEM,
    "line items": ObjectType.LINE_ITEM,
}
_TYPED = {  # deal_to_line_item, and with the label that unlabelled or primary ones carry
    f"{from_}_to_{to}{label}": (_SINGULARS[from_], _SINGULARS[to])
    for from_ in _SINGULARS
    for to in _SINGULARS
    for label in ("", "_unlabeled", "_primary")
}

TYPES_BY_NAME = _SINGULARS | _PLURALS | TYPES_BY_ID

ASSOCIATIONS_BY_KEY = {key: ASSOCIATION_NAMES[type_] for key, type_ in TYPES_BY_NAME.items()} | {
    key: ASSOCIATION_NAMES[to] for key, (_, to) in _TYPED.items()
}
"""Canonical association name by the key a snapshot has it under."""

_CONTACT, _COMPANY, _DEAL = ObjectType.CONTACT, ObjectType.COMPANY, ObjectType.DEAL
_LINE, _QUOTE, _PAYMENT = ObjectType.LINE_ITEM, ObjectType.QUOTE, ObjectType.PAYMENT
_INVOICE = ObjectType.INVOICE

SIDES_BY_TYPE_ID = {
    3: (_DEAL, _CONTACT),
    4: (_CONTACT, _DEAL),
    5: (_DEAL, _COMPANY),
    6: (_COMPANY, _DEAL),
    19: (_DEAL, _LINE),
    20: (_LINE, _DEAL),
    63: (_DEAL, _QUOTE),
    64: (_QUOTE, _DEAL),
    67: (_QUOTE, _LINE),
    68: (_LINE, _QUOTE),
    69: (_QUOTE, _CONTACT),
    70: (_CONTACT, _QUOTE),
    71: (_QUOTE, _COMPANY),
    72: (_COMPANY, _QUOTE),
    175: (_INVOICE, _DEAL),
    176: (_DEAL, _INVOICE),
    177: (_INVOICE, _CONTACT),
    179: (_INVOICE, _COMPANY),
    341: (_DEAL, _COMPANY),
    342: (_COMPANY, _DEAL),
    387: (_PAYMENT, _CONTACT),
    388: (_CONTACT, _PAYMENT),
    389: (_PAYMENT, _COMPANY),
    390: (_COMPANY, _PAYMENT),
    391: (_PAYMENT, _DEAL),
    392: (_DEAL, _PAYMENT),
    395: (_PAYMENT, _LINE),
    396: (_LINE, _PAYMENT),
    397: (_PAYMENT, _QUOTE),
    398: (_QUOTE, _PAYMENT),
    407: (_INVOICE, _QUOTE),
    408: (_QUOTE, _INVOICE),
    409: (_INVOICE, _LINE),
    410: (_LINE, _INVOICE),
    541: (_INVOICE, _PAYMENT),
    542: (_PAYMENT, _INVOICE),
}
"""From and to side by association type id. Ids that only label an association another id makes
(702 quote signer, 1226 billing contact) are left out: removing a label removes no association."""

_PRIMARY_TYPE_IDS = frozenset({1, 2, 5, 6})  # of contacts and of deals to their company, and back
_PRIMARY_TEXTS = frozenset(str(one) for one in _PRIMARY_TYPE_IDS)

_ACTIONS = (
    "associationChange",
    "creation",
    "deletion",
    "merge",
    "privacyDeletion",
    "propertyChange",
    "restore",
)

_TYPE_ID = re.compile(r"\d+-\d+")
_OTHERS = frozenset(
    {
        "call", "campaign", "cart", "communication", "contact_list", "deal_pipeline", "deal_split",
        "discount", "email", "email_event", "email_subscription", "engagement", "fee",
        "feedback_submission", "form", "form_submission", "goal", "goal_target", "lead",
        "marketing_email", "marketing_event", "meeting", "note", "order", "owner", "payment_link",
        "pipeline", "postal_mail", "quote_template", "subscription", "subscription_change", "task",
        "tax", "taxe", "ticket", "ticket_pipeline", "workflow",
    }
)  # fmt: skip
"""HubSpot's other objects as connectors name their streams, less the plural's s."""
_BESIDE_OBJECTS = (
    "_form_submissions", "_list_memberships", "_merged_audit", "_property_history", "_web_analytics",
)  # fmt: skip
"""What streams of facts about objects, whichever these are, end with."""

SUBSCRIPTIONS: dict[str, tuple[ObjectType | None, str]] = {
    f"{name}.{action}": (type_, action)
    for name, type_ in (*_SINGULARS.items(), ("object", None))
    for action in _ACTIONS
}
"""Object type (None: see `objectTypeId`) and action by webhook subscription type."""


def is_of_another_type(subscription: str) -> bool:
    """Tell whether a subscription type is HubSpot's, about objects this service doesn't read."""
    subject, _, action = subscription.partition(".")
    return subject == "conversation" or (action in _ACTIONS and subject.isidentifier())


def object_type(name: object) -> ObjectType | None:
    """Find the type in a stream's, collection's or table's name, such as `crm.deals` or `0-3`."""
    if not isinstance(name, str):
        return None
    return TYPES_BY_NAME.get(_last_part(name)) or TYPES_BY_NAME.get(_bare(name))


def is_another_object(name: object) -> bool:
    """Tell whether a stream, collection or table is plainly of HubSpot's objects that aren't read."""
    if not isinstance(name, str) or object_type(name) is not None:
        return False
    bare = _bare(name)
    if bare.removesuffix("_archived").removesuffix("s") in _OTHERS or _TYPE_ID.fullmatch(bare):
        return True
    return bare.startswith("engagements_") or bare.endswith(_BESIDE_OBJECTS)


def _last_part(name: str) -> str:
    return name.lower().rpartition(".")[2]


def _bare(name: str) -> str:
    return _last_part(name).removeprefix("hubspot_").removeprefix("crm_")


def association_name(key: str) -> str | None:
    """Find the canonical association name; None for associations this service doesn't read."""
    return ASSOCIATIONS_BY_KEY.get(key) or ASSOCIATIONS_BY_KEY.get(key.lower())


def is_primary(name: object) -> bool:
    """Tell whether an association type, by number or name, marks the primary company among others."""
    if isinstance(name, str):
        return name in _PRIMARY_TEXTS or name.lower().endswith("_primary")
    return isinstance(name, int) and name in _PRIMARY_TYPE_IDS


def association_sides(name: object) -> tuple[ObjectType, ObjectType] | None:
    """Find from and to side of an association type given by name or by number."""
    if isinstance(name, int):
        return SIDES_BY_TYPE_ID.get(name)
    if not isinstance(name, str):
        return None
    if name.isascii() and name.isdigit() and len(name) < 10:
        return SIDES_BY_TYPE_ID.get(int(name))
    return _TYPED.get(name.lower())
