"""Presets: what "won", "signed", "paid", "succeeded" and "refunded" mean."""

from __future__ import annotations

import pytest
from workflow_texts import enrolment, source

from reconciler.model import ObjectType

CASES = [
    ("deal_won", {"dealstage": "closedwon"}, True, "the default pipeline's stage"),
    ("deal_won", {"dealstage": "8812", "hs_is_closed_won": "true"}, True, "another pipeline's"),
    ("deal_won", {"dealstage": "8812", "hs_is_closed_won": "false"}, False, "an open stage"),
    ("deal_won", {"hs_is_closed": "true"}, False, "closed is not won"),
    (
        "quote_signed",
        {"hs_esign_num_signers_completed": "2", "hs_esign_num_signers_required": "2"},
        True,
        "everyone signed",
    ),
    (
        "quote_signed",
        {"hs_esign_num_signers_completed": "1", "hs_esign_num_signers_required": "2"},
        False,
        "one of two signed",
    ),
    (
        "quote_signed",
        {"hs_esign_num_signers_completed": "0", "hs_esign_num_signers_required": "0"},
        False,
        "nobody had to sign",
    ),
    ("quote_signed", {"hs_esign_num_signers_completed": "2"}, False, "how many must is not known"),
    ("quote_signed", {"hs_esign_date": "1769817600000"}, True, "the date is set at the last one"),
    ("quote_signed", {"hs_sign_status": "ESIGN_COMPLETED"}, True, "HubSpot's own verdict"),
    ("quote_signed", {"hs_quote_esign_status": "SIGNED"}, True, "HubSpot's own verdict"),
    (
        "quote_signed",
        {"hs_quote_status": "EXPIRED", "hs_quote_esign_status": "SIGNED"},
        True,
        "a signed quote may expire",
    ),
    ("quote_signed", {"hs_quote_status": "ACCEPTED"}, False, "accepted is not signed"),
    ("quote_paid", {"hs_payment_status": "PAID"}, True, "paid"),
    ("quote_paid", {"hs_payment_status": "PROCESSING"}, False, "on its way"),
    ("payment_succeeded", {"hs_latest_status": "succeeded"}, True, "succeeded"),
    ("payment_succeeded", {"hs_latest_status": "refunded"}, True, "it had succeeded before"),
    ("payment_succeeded", {"hs_latest_status": "disputed_lost"}, True, "it had succeeded before"),
    ("payment_succeeded", {"hs_latest_status": "processing"}, False, "not yet"),
    ("payment_succeeded", {"hs_latest_status": "failed"}, False, "never"),
    ("payment_succeeded", {}, False, "not known"),
    ("payment_refunded", {"hs_latest_status": "refunded"}, True, "wholly"),
    ("payment_refunded", {"hs_latest_status": "partially_refunded"}, True, "in part"),
    ("payment_refunded", {"hs_latest_status": "processing_refund"}, False, "not yet"),
]


@pytest.mark.parametrize(
    ("preset", "properties", "holds", "reason"),
    CASES,
    ids=[f"{case[0]}-{case[3]}".replace(" ", "_") for case in CASES],
)
def test_preset(preset: str, properties: dict[str, str | None], holds: bool, reason: str) -> None:
    """Each preset holds of exactly the states that its name means; the reason is in the case."""
    object_type = ObjectType(preset.split("_")[0])
    compiled = enrolment({"preset": preset}, object_type=object_type)
    found = compiled.matches(source(properties, object_type=object_type))
    assert (found is not None) is holds, reason


def test_a_quote_signed_by_one_of_two_enrols_when_the_second_signs() -> None:
    """The instant of the second signature dates the document."""
    history = {
        "hs_esign_num_signers_required": [(10, "2")],
        "hs_esign_num_signers_completed": [(10, "0"), (20, "1"), (30, "2")],
    }
    obj = source(history=history, object_type=ObjectType.QUOTE)
    assert enrolment({"preset": "quote_signed"}, object_type="quote").matches(obj) == 30
