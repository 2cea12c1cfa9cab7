"""Owns which properties are asked for: what documents are made of, and what the workflows read.

A test holds these lists against the code that reads them (`content`, `quotes`, `source`).
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model import ObjectType
from reconciler.objects.fold import DEFAULT_WATCHED
from reconciler.workflows import WorkflowFile

NEEDED: Mapping[ObjectType, frozenset[str]] = {
    ObjectType.DEAL: frozenset(
        {"amount", "closedate", "deal_currency_code", "dealname", "hs_lastmodifieddate"}
    ),
    ObjectType.QUOTE: frozenset(
        {"hs_currency", "hs_expiration_date", "hs_lastmodifieddate", "hs_quote_amount",
         "hs_quote_number", "hs_reference_number", "hs_title"}
    ),
    ObjectType.PAYMENT: frozenset(
        {"hs_currency_code", "hs_has_associated_invoice", "hs_initial_amount", "hs_initiated_date",
         "hs_lastmodifieddate", "hs_number_of_associated_invoices", "hs_order_discount_amount",
         "hs_payment_method_type", "hs_payment_source_app", "hs_processor_type",
         "hs_reference_number"}
    ),
    ObjectType.CONTACT: frozenset(
        {"company", "email", "firstname", "lastmodifieddate", "lastname", "phone"}
    ),
    ObjectType.COMPANY: frozenset({"hs_lastmodifieddate", "name"}),
    ObjectType.LINE_ITEM: frozenset(
        {"amount", "description", "discount", "hs_auto_tax_amount", "hs_discount_percentage",
         "hs_lastmodifieddate", "hs_line_item_currency_code", "hs_position_on_quote",
         "hs_post_tax_amount", "hs_pricing_model", "hs_product_id", "hs_recurring_billing_period", "hs_sku",
         "hs_tax_amount", "hs_tax_rate", "hs_tax_rate_group_id", "name", "price", "quantity",
         "recurringbillingfrequency", "tax"}
    ),
}  # fmt: skip


def wanted(workflows: WorkflowFile) -> dict[ObjectType, tuple[str, ...]]:
    """What to ask for, by object type."""
    chosen = workflows.properties()
    return {
        type_: tuple(
            sorted(
                needed | DEFAULT_WATCHED.get(type_, frozenset()) | chosen.get(type_, frozenset())
            )
        )
        for type_, needed in NEEDED.items()
    }
