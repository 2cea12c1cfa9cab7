"""Owns the switches: one for each thing Intuit doesn't document, or documents in two ways.

A default is what the reports make likeliest. Each can be set for all companies or for one, by the
configuration file or `POST /admin/switches`.
"""

from typing import Any, Literal

import msgspec

_RATES = {
    "AED": "0.2723", "AUD": "0.65", "BRL": "0.18", "CAD": "0.73", "CHF": "1.12", "CNY": "0.14",
    "CZK": "0.043", "DKK": "0.145", "EUR": "1.08", "GBP": "1.27", "HKD": "0.128", "HUF": "0.0027",
    "ILS": "0.27", "INR": "0.012", "JPY": "0.0067", "KRW": "0.00072", "MXN": "0.055", "NOK": "0.092",
    "NZD": "0.6", "PHP": "0.0175", "PLN": "0.25", "RON": "0.22", "SEK": "0.095", "SGD": "0.75",
    "THB": "0.029", "TRY": "0.024", "ZAR": "0.055",
}  # fmt: skip


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """Settings of the undocumented behaviours."""

    # requestid
    requestid_ttl_seconds: float = 86_400  # how long a replay works: "about 24 h" in one project
    replay_after_delete: bool = True  # a repeat answers with an object since deleted (breeze#4624)
    honour_requestid_for_name_lists: bool = True  # one report: not honoured for Customer, Item
    # or "600": the same id while the first is in work
    concurrent_requestid: Literal["replay", "600"] = "replay"
    # or "600": the same id with another body
    changed_body_requestid: Literal["replay", "600"] = "replay"
    replay_faults: bool = False  # whether a refused first attempt is remembered too

    # throttling
    requests_per_minute: int = 500
    requests_per_second: int = 10
    per_second_rule: Literal["rate", "concurrent"] = "rate"  # or "concurrent": the 2016 text
    batches_per_minute: int = 40
    all_requests_per_minute: int = 800
    emails_per_day: int = 40
    throttle_status: Literal[429, 403] = 429  # 403 in older reports
    # "xml" (despite Accept) or "gateway" (lower-case wrapper)
    throttle_body: Literal["json", "xml", "gateway"] = "json"
    retry_after_header: bool = False  # Intuit promises none
    monthly_reads: int = 0  # CorePlus quota, 500000 for the Builder tier; 0: none

    # numbers and names
    # "company" or "off": the 6140 text names one TxnType
    docnumber_unique_scope: Literal["type", "company", "off"] = "type"
    docnumber_unique_purchases: bool = False  # whether expenses are held to it too
    # or "replace" a number sent while numbers are automatic
    docnumber_when_automatic: Literal["keep", "replace"] = "keep"
    deleted_name_suffix: bool = True  # " (deleted)" added on inactivation, freeing the name
    inactive_reference_code: Literal["610", "2500"] = "610"  # or "2500"
    # or "fault": a class or location while tracking is off
    untracked_class: Literal["drop", "fault"] = "drop"

    # transactions
    # or "cap": a payment line above the open balance
    payment_over_balance: Literal["refuse", "cap"] = "refuse"
    linked_estimate_status: Literal["Closed", "Converted"] = "Closed"  # or "Converted" (newer)
    closed_period_code: Literal["6210", "5010"] = "6210"  # or "5010" (python-quickbooks#208)
    sales_receipt_needs_customer: bool = False  # one copy of the docs marks it required

    # what a unit is worth at home, by "EUR" or by "EUR 2026-11-20" for one day
    exchange_rates: dict[str, str] = msgspec.field(default_factory=_RATES.copy)
    # or "fault": how a currency without a rate is answered
    exchange_rate_missing: Literal["one", "fault"] = "one"

    missing_customer_code: Literal["2020", "6560"] = "2020"  # or "6560"
    sku_supported: bool = True  # False: 5030 for a Sku, as in the simpler subscriptions

    # tax
    automated_sales_tax: bool = True  # whether AST computes a tax that wasn't given
    sales_tax_percent: float = 8.0  # the one rate this AST knows
    honour_total_tax: bool = True  # an explicit TotalTax wins over AST
    total_tax_without_taxable_lines: Literal["ignore", "keep"] = "ignore"  # or "keep"

    # queries
    query_default_order: Literal["id", "id_desc"] = "id"  # or "id_desc"
    query_case_sensitive_values: bool = False
    query_page_extra_row: bool = False  # a page once had limit+1 rows (node-quickbooks#89)
    query_raw_quotes_refused: bool = False  # typographic quotes and dashes gave lexical errors

    # answers
    fault_status: Literal[400, 200] = 400  # 200: a fault in a successful answer (PHP-SDK#211)
    # "expired": 6190; "locked": 140; "maintenance": 150
    company_status: Literal["active", "expired", "locked", "maintenance"] = "active"

    # sign-in
    oauth_enforced: bool = False
    access_token_seconds: float = 3_600
    refresh_token_seconds: float = 8_726_400  # 101 days at issue
    refresh_rotation_seconds: float = 86_400  # its value changes about every 24-26 h
    refresh_overlap_seconds: float = 0  # whether the old value still works for a while
    # or "xml": how an expired token is answered
    reject_status: Literal["gateway", "xml"] = "gateway"

    # webhooks
    webhook_format: Literal["cloudevents", "legacy"] = "cloudevents"  # or "legacy"
    webhook_echo: bool = True  # our own writes come back as events
    webhook_duplicates: bool = False  # each event is delivered twice
    cdc_max_objects: int = 1_000
    cdc_lookback_days: int = 30


NAMES = frozenset(Switches.__struct_fields__)


def changed(current: Switches, changes: dict[str, Any]) -> Switches:
    """A copy with `changes`; raises `msgspec.ValidationError` for an unknown name or wrong type."""
    return msgspec.convert({**msgspec.structs.asdict(current), **changes}, Switches)
