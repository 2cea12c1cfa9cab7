"""Named conditions for what people mean by "won", "signed", "paid" and "refunded".

`load` puts them in place of `{preset: …}`. Each reads several properties because HubSpot's single
ones mislead; the reason stands at each. Property names and values: HubSpot's deals, quotes and
commerce payments guides, read March 2026.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.model import ObjectType
from reconciler.workflows.filters import Condition, Values
from reconciler.workflows.values import folded, is_known, number

# Every status that a payment can only reach once its charge went through. A feed may first show a
# payment when it is already refunded or disputed: the books still need the sale.
COLLECTED = frozenset(
    {
        "succeeded",
        "processing_refund",
        "partially_refunded",
        "refunded",
        "disputed_won",
        "disputed_lost",
        "disputed_action_required",
        "disputed_awaiting_decision",
    }
)
REFUNDED = frozenset({"refunded", "partially_refunded"})


@dataclass(frozen=True, slots=True)
class Preset:
    """A named condition on one object type."""

    object_type: ObjectType
    properties: tuple[str, ...]
    holds: Callable[[Values], bool]
    meaning: str


def _is(values: Values, name: str, expected: str) -> bool:
    value = values(name)
    return value is not None and folded(value) == expected


def _deal_won(values: Values) -> bool:
    # dealstage holds an id that is `closedwon` in the default pipeline only.
    return _is(values, "hs_is_closed_won", "true") or _is(values, "dealstage", "closedwon")


def _quote_signed(values: Values) -> bool:
    if is_known(values("hs_esign_date")):
        return True
    if _is(values, "hs_sign_status", "esign_completed"):
        return True
    if _is(values, "hs_quote_esign_status", "signed"):
        return True
    completed = number(values("hs_esign_num_signers_completed"))
    required = number(values("hs_esign_num_signers_required"))
    # "Completed signatures is known" would hold at 0 of 2 and at 1 of 2.
    return completed is not None and required is not None and completed >= required > 0


def _quote_paid(values: Values) -> bool:
    return _is(values, "hs_payment_status", "paid")


def _payment_succeeded(values: Values) -> bool:
    return folded(values("hs_latest_status") or "") in COLLECTED


def _payment_refunded(values: Values) -> bool:
    return folded(values("hs_latest_status") or "") in REFUNDED


PRESETS: dict[str, Preset] = {
    "deal_won": Preset(
        ObjectType.DEAL, ("hs_is_closed_won", "dealstage"), _deal_won, "closed won in any pipeline"
    ),
    "quote_signed": Preset(
        ObjectType.QUOTE,
        (
            "hs_esign_num_signers_completed",
            "hs_esign_num_signers_required",
            "hs_esign_date",
            "hs_sign_status",
            "hs_quote_esign_status",
        ),
        _quote_signed,
        "signed by every signer",
    ),
    "quote_paid": Preset(
        ObjectType.QUOTE, ("hs_payment_status",), _quote_paid, "its payment status is PAID"
    ),
    "payment_succeeded": Preset(
        ObjectType.PAYMENT, ("hs_latest_status",), _payment_succeeded, "the money was collected"
    ),
    "payment_refunded": Preset(
        ObjectType.PAYMENT, ("hs_latest_status",), _payment_refunded, "refunded, wholly or in part"
    ),
}


def compile_preset(name: str) -> Condition:
    """The preset as a condition; KeyError if there is none of that name."""
    preset = PRESETS[name]
    return Condition(
        properties=preset.properties,
        operator="preset",
        operands=(name,),
        holds=lambda values, _at: preset.holds(values),
    )
