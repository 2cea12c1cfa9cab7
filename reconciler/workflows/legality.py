"""Which document can come from which object, and which choices it takes: HubSpot's rules.

`load` asks `pairing` and `choices` about every action. Rules R1-R3, R17-R21, R28-R36 of the
article "Use QuickBooks actions with HubSpot workflows" (knowledge.hubspot.com, November 2022; the
numbers are those of docs/workflows.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.model import SOURCE_TYPES, Action, ObjectType
from reconciler.workflows.definitions import OnChange
from reconciler.workflows.problems import did_you_mean, listed

_SALES = frozenset({ObjectType.DEAL, ObjectType.QUOTE})
_PAYMENTS = frozenset({ObjectType.PAYMENT})

LEGAL: dict[Action, frozenset[ObjectType]] = {
    Action.INVOICE: _SALES,
    Action.ESTIMATE: _SALES,
    Action.SALES_RECEIPT: _SALES | _PAYMENTS,
    Action.PAID_INVOICE: _PAYMENTS,
    Action.EXPENSE: _PAYMENTS,
    Action.REFUND_RECEIPT: _PAYMENTS,
}

_FORMS = frozenset(Action) - {Action.EXPENSE}  # documents with lines and a customer
_VOIDABLE = frozenset({Action.INVOICE, Action.SALES_RECEIPT})


class _Choice(NamedTuple):
    actions: frozenset[Action]
    instead: str


# Keys that only some documents have, and what to write in the others.
_CHOICES: dict[str, _Choice] = {
    "payment_terms": _Choice(frozenset({Action.INVOICE}), "only an invoice has terms: remove it"),
    "due_in_days": _Choice(frozenset({Action.INVOICE}), "only an invoice falls due: remove it"),
    "customer": _Choice(_FORMS, "an expense is paid to a vendor: write vendor"),
    "product": _Choice(_FORMS, "an expense has an account instead: write expense_account"),
    "create_missing_products": _Choice(_FORMS, "an expense has no products: remove it"),
    "custom_fields": _Choice(_FORMS, "an expense has no custom fields: write memo"),
    "deposit_account": _Choice(
        frozenset({Action.SALES_RECEIPT, Action.PAID_INVOICE, Action.REFUND_RECEIPT}),
        "no money is deposited by it: remove it",
    ),
    "payment_method": _Choice(
        frozenset({Action.SALES_RECEIPT, Action.PAID_INVOICE, Action.REFUND_RECEIPT}),
        "nothing is paid by it: remove it",
    ),
    "bank_account": _Choice(
        frozenset({Action.EXPENSE}), "only an expense is paid from an account: remove it"
    ),
    "expense_account": _Choice(frozenset({Action.EXPENSE}), "only an expense has it: remove it"),
    "vendor": _Choice(frozenset({Action.EXPENSE}), "only an expense has a vendor: remove it"),
    "partial_refunds": _Choice(
        frozenset({Action.REFUND_RECEIPT}), "only a refund receipt has it: remove it"
    ),
}

# Keys a document can't do without, unless the company's defaults give them.
REQUIRED: dict[Action, tuple[str, ...]] = {
    Action.EXPENSE: ("bank_account", "expense_account"),
    Action.REFUND_RECEIPT: ("deposit_account",),
}


def legal_actions(object_type: ObjectType) -> list[str]:
    """The documents that can come from an object type."""
    return [action.value for action in Action if object_type in LEGAL[action]]


def object_type_problem(written: str) -> str | None:
    """Why workflows can't start from this object type (R3), or None."""
    if written in SOURCE_TYPES:
        return None
    known = [each.value for each in SOURCE_TYPES]
    return (
        f"workflows start from deals, quotes and payments only: write {listed(known)}"
        f"{did_you_mean(written, known)}"
    )


def pairing(object_type: ObjectType, action: Action) -> str | None:
    """Why this document can't come from this object type (R1, R2, R30), or None."""
    if object_type in LEGAL[action]:
        return None
    words = action.value.replace("_", " ")
    instead = {
        (Action.INVOICE, ObjectType.PAYMENT): "write paid_invoice, an invoice with its payment",
        (Action.ESTIMATE, ObjectType.PAYMENT): "a payment needs no estimate; write sales_receipt",
        (Action.PAID_INVOICE, ObjectType.DEAL): "write invoice, or use a payment workflow",
        (Action.PAID_INVOICE, ObjectType.QUOTE): "write invoice, or use a payment workflow",
    }.get((action, object_type), "use a payment workflow (object: payment)")
    return (
        f"no {words} can come from a {object_type}: {instead}; "
        f"a {object_type} takes {listed(legal_actions(object_type))}"
    )


def choices(action: Action, chosen: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(key, sentence) for each chosen key that this document doesn't have (R19, R32)."""
    for key, choice in _CHOICES.items():
        if key in chosen and action not in choice.actions:
            yield key, f"`{key}` does not belong to {_article(action)}: {choice.instead}"


def missing(action: Action, chosen: frozenset[str], company: str) -> Iterator[str]:
    """A sentence for each key this document needs (R21, R33, R36)."""
    for key in REQUIRED.get(action, ()):
        if key not in chosen:
            yield (
                f"{_article(action)} needs `{key}`: write it here, or under "
                f"companies.{company}.defaults"
            )
    if action in _FORMS and "create_missing_products" not in chosen:
        yield (
            f"{_article(action)} needs `create_missing_products`: write yes to create products "
            "that QuickBooks lacks, or no to block the document"
        )


def on_change_problem(action: Action, policy: OnChange | None) -> str | None:
    """Why QuickBooks can't follow this policy for this document, or None."""
    if policy is OnChange.VOID_AND_RECREATE and action not in _VOIDABLE:
        return f"QuickBooks can't void {_article(action)}: write report or update"
    return None


def _article(action: Action) -> str:
    words = action.value.replace("_", " ")
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def has(action: Action, key: str) -> bool:
    """Whether this document has the key at all, so that a company's default applies to it."""
    choice = _CHOICES.get(key)
    return choice is None or action in choice.actions
