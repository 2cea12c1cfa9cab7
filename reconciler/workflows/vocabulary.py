"""HubSpot's own property names and the values of its fixed lists, as far as workflows use them.

Only `lint` reads it, to warn of slips: portals have properties of their own, so an unknown name is
never an error. Source: HubSpot's deals, quotes, commerce payments and contacts guides
(developers.hubspot.com, read March 2026).
"""

from __future__ import annotations

from reconciler.model import ObjectType

_COMMON = frozenset({"createdate", "hs_createdate", "hs_lastmodifieddate", "hs_object_id"})

NAMES: dict[ObjectType, frozenset[str]] = {
    ObjectType.DEAL: _COMMON
    | frozenset(
        [
            "amount",
            "closedate",
            "deal_currency_code",
            "dealname",
            "dealstage",
            "dealtype",
            "hs_closed_amount",
            "hs_deal_stage_probability",
            "hs_forecast_amount",
            "hs_is_closed",
            "hs_is_closed_won",
            "hubspot_owner_id",
            "pipeline",
        ]
    ),
    ObjectType.QUOTE: _COMMON
    | frozenset(
        [
            "hs_acceptance_method",
            "hs_accepted_date",
            "hs_billing_enabled",
            "hs_collection_process",
            "hs_currency",
            "hs_esign_date",
            "hs_esign_enabled",
            "hs_esign_num_signers_completed",
            "hs_esign_num_signers_required",
            "hs_expiration_date",
            "hs_language",
            "hs_locale",
            "hs_locked",
            "hs_manually_signed",
            "hs_net_payment_terms",
            "hs_payment_date",
            "hs_payment_enabled",
            "hs_payment_status",
            "hs_payment_type",
            "hs_quote_amount",
            "hs_quote_esign_status",
            "hs_quote_link",
            "hs_quote_number",
            "hs_quote_status",
            "hs_sign_status",
            "hs_status",
            "hs_template_type",
            "hs_title",
        ]
    ),
    ObjectType.PAYMENT: _COMMON
    | frozenset(
        [
            "hs_currency_code",
            "hs_customer_email",
            "hs_digital_wallet_type",
            "hs_fees_amount",
            "hs_has_associated_invoice",
            "hs_initial_amount",
            "hs_initiated_date",
            "hs_internal_comment",
            "hs_latest_status",
            "hs_net_amount",
            "hs_number_of_associated_invoices",
            "hs_payment_id",
            "hs_payment_method_type",
            "hs_payment_source_app",
            "hs_payment_source_name",
            "hs_payment_type",
            "hs_payout_date",
            "hs_platform_fee",
            "hs_processor_type",
            "hs_reference_number",
            "hs_refunds_amount",
            "hs_settlement_currency_code",
        ]
    ),
    ObjectType.CONTACT: _COMMON
    | frozenset(
        [
            "company",
            "email",
            "firstname",
            "hs_lead_status",
            "hubspot_owner_id",
            "lastmodifieddate",
            "lastname",
            "lifecyclestage",
            "phone",
        ]
    ),
}

# HubSpot's fixed lists. Stages and pipelines are the portal's own and so are not here.
VALUES: dict[str, frozenset[str]] = {
    "hs_is_closed": frozenset({"true", "false"}),
    "hs_is_closed_won": frozenset({"true", "false"}),
    "hs_latest_status": frozenset(
        [
            "processing",
            "succeeded",
            "failed",
            "partially_refunded",
            "refunded",
            "processing_refund",
            "disputed_won",
            "disputed_lost",
            "disputed_action_required",
            "disputed_awaiting_decision",
        ]
    ),
    "hs_payment_enabled": frozenset({"true", "false"}),
    "hs_payment_source_app": frozenset(
        ["sales_checkout", "quote", "invoice", "migration", "subscription"]
    ),
    "hs_payment_status": frozenset({"pending", "processing", "paid"}),
    "hs_processor_type": frozenset(["hs_payments", "byo_stripe", "none", "quickbooks", "xero"]),
    "hs_quote_esign_status": frozenset({"pending_signature", "signed"}),
    "hs_quote_status": frozenset(
        [
            "draft",
            "pending_approval",
            "changes_requested",
            "published",
            "publishing",
            "accepted",
            "expired",
            "void",
            "archived",
        ]
    ),
    "hs_status": frozenset(
        ["draft", "pending_approval", "approval_not_needed", "approved", "rejected"]
    ),
}

# Properties that an object passes through: that two values differ does not keep two enrolments
# apart, because an object may have the one today and the other tomorrow.
PASSING = frozenset(
    [
        "dealstage",
        "hs_deal_stage_probability",
        "hs_esign_date",
        "hs_esign_num_signers_completed",
        "hs_is_closed",
        "hs_is_closed_won",
        "hs_latest_status",
        "hs_payment_status",
        "hs_quote_esign_status",
        "hs_quote_status",
        "hs_refunds_amount",
        "hs_sign_status",
        "hs_status",
    ]
)
