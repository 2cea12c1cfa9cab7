"""Owns the switches: one for each thing Intuit doesn't document, or documents in two ways.

A default is what the reports make likeliest. Each can be set for all companies or for one, by the
configuration file or `POST /admin/switches`.
"""

from typing import Any

import msgspec


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """Settings of the undocumented behaviours."""

    # requestid
    requestid_ttl_seconds: float = 86_400  # how long a replay works: "about 24 h" in one project
    replay_after_delete: bool = True  # a repeat answers with an object since deleted (breeze#4624)
    honour_requestid_for_name_lists: bool = True  # one report: not honoured for Customer, Item
    concurrent_requestid: str = "replay"  # or "600": the same id while the first is in work
    changed_body_requestid: str = "replay"  # or "600": the same id with another body
    replay_faults: bool = False  # whether a refused first attempt is remembered too

    # throttling
    requests_per_minute: int = 500
    requests_per_second: int = 10
    per_second_rule: str = "rate"  # or "concurrent": the 2016 text
    batches_per_minute: int = 40
    all_requests_per_minute: int = 800
    emails_per_day: int = 40
    throttle_status: int = 429  # 403 in older reports
    throttle_body: str = "json"  # "xml" (despite Accept) or "gateway" (lower-case wrapper)
    retry_after_header: bool = False  # Intuit promises none
    monthly_reads: int = 0  # CorePlus quota, 500000 for the Builder tier; 0: none

    # numbers and names
    docnumber_unique_scope: str = "type"  # "company" or "off": the 6140 text names one TxnType
    docnumber_unique_purchases: bool = False  # whether expenses are held to it too
    docnumber_when_automatic: str = "keep"  # or "replace" a number sent while numbers are automatic
    deleted_name_suffix: bool = True  # " (deleted)" added on inactivation, freeing the name
    inactive_reference_code: str = "610"  # or "2500"
    untracked_class: str = "drop"  # or "fault": a class or location while tracking is off

    # transactions
    payment_over_balance: str = "refuse"  # or "cap": a payment line above the open balance
    linked_estimate_status: str = "Closed"  # or "Converted" (newer)
    closed_period_code: str = "6210"  # or "5010" (python-quickbooks#208)
    deposited_edits: str = "refuse"  # or "allow": 6540
    sales_receipt_needs_customer: bool = False  # one copy of the docs marks it required

    missing_customer_code: str = "2020"  # or "6560"
    sku_supported: bool = True  # False: 5030 for a Sku, as in the simpler subscriptions

    # tax
    automated_sales_tax: bool = True  # whether AST computes a tax that wasn't given
    sales_tax_percent: float = 8.0  # the one rate this AST knows
    honour_total_tax: bool = True  # an explicit TotalTax wins over AST
    total_tax_without_taxable_lines: str = "ignore"  # or "keep"

    # queries
    query_default_order: str = "id"  # or "id_desc"
    query_case_sensitive_values: bool = False
    query_page_extra_row: bool = False  # a page once had limit+1 rows (node-quickbooks#89)
    query_raw_quotes_refused: bool = False  # typographic quotes and dashes gave lexical errors

    # answers
    fault_status: int = 400  # 200: a fault in a successful answer (PHP-SDK#211)
    company_status: str = "active"  # "expired": 6190; "locked": 140; "maintenance": 150

    # sign-in
    oauth_enforced: bool = False
    access_token_seconds: float = 3_600
    refresh_token_seconds: float = 8_726_400  # 101 days at issue
    refresh_rotation_seconds: float = 86_400  # its value changes about every 24-26 h
    refresh_overlap_seconds: float = 0  # whether the old value still works for a while
    reject_status: str = "gateway"  # or "xml": how an expired token is answered

    # webhooks
    webhook_format: str = "cloudevents"  # or "legacy"
    webhook_echo: bool = True  # our own writes come back as events
    webhook_duplicates: bool = False  # each event is delivered twice
    cdc_max_objects: int = 1_000
    cdc_lookback_days: int = 30


NAMES = frozenset(Switches.__struct_fields__)


def changed(current: Switches, changes: dict[str, Any]) -> Switches:
    """A copy with `changes`; raises `msgspec.ValidationError` for an unknown name or wrong type."""
    return msgspec.convert({**msgspec.structs.asdict(current), **changes}, Switches)
