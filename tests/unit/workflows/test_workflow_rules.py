"""HubSpot's rules that concern the configuration, each test named by its rule (R1-R36).

The rules are those of "Use QuickBooks actions with HubSpot workflows".
"""

from __future__ import annotations

import json

import pytest
from workflow_texts import (
    COMPANY,
    action,
    enrolment,
    flt,
    loaded,
    messages,
    problems,
    source,
    workflow,
)

from reconciler.model import Action, ObjectType
from reconciler.workflows import CustomerSource, ProductSource, load
from reconciler.workflows.filters import OPERATORS
from reconciler.workflows.lint import lint

# The legality matrix: action, and whether it may come from a deal, a quote, a payment.
MATRIX = [
    ("invoice", True, True, False),
    ("estimate", True, True, False),
    ("sales_receipt", True, True, True),
    ("paid_invoice", False, False, True),
    ("expense", False, False, True),
    ("refund_receipt", False, False, True),
]
CELLS = [
    (create, object_type, legal)
    for create, *row in MATRIX
    for object_type, legal in zip(("deal", "quote", "payment"), row, strict=True)
]
TERMS = [(create, create == "invoice") for create, *_ in MATRIX]


@pytest.mark.parametrize(("create", "object_type", "legal"), CELLS)
def test_r01_r02_r30_legality_matrix(create: str, object_type: str, legal: bool) -> None:
    """R1, R2, R30: each pairing is accepted, or is an error at its `create`."""
    found = problems(workflow(object_type, action(create)))
    if legal:
        assert not found
        return
    [problem] = found
    assert problem.path == "workflows[0].actions[0].create"
    assert problem.line == 5
    assert f"can come from a {object_type}" in problem.message
    assert "write" in problem.message or "use a payment workflow" in problem.message


def test_r01_a1_there_is_no_sales_order() -> None:
    """R1, A1: the article's "sales order" is the sales receipt; a sales order is no document."""
    assert "did you mean sales_receipt?" in messages(workflow("deal", action("sales_order")))


@pytest.mark.parametrize("object_type", ["contact", "ticket", "company", "line_item", "invoice"])
def test_r03_three_workflow_families_only(object_type: str) -> None:
    """R3: nothing but deals, quotes and payments starts a workflow."""
    said = messages(workflow(object_type, enrol=[flt("email", "is_known")]))
    assert "write deal, quote or payment" in said


def test_r12_warns_of_an_enrolment_wider_than_the_contact_filter() -> None:
    """R12: a workflow that does not repeat the contact filter is warned of."""
    wanted = flt("lifecyclestage", "is_any_of", "customer", "evangelist")
    company = {**COMPANY, "contacts": "data_sync", "contact_filter": [wanted]}
    same = flt("contact.lifecyclestage", "is_any_of", "customer")
    wide = loaded(workflow(), us=company)
    narrow = loaded(workflow("deal", enrol=[[{"preset": "deal_won"}, same]]), us=company)
    half = loaded(
        workflow("deal", enrol=[[{"preset": "deal_won"}, same], [flt("amount", "is_known")]]),
        us=company,
    )
    assert "contact.lifecyclestage" in "".join(each.message for each in lint(wide))
    assert "contact.lifecyclestage" in "".join(each.message for each in lint(half))
    assert lint(narrow) == ()


def test_r17_each_action_of_deals_and_quotes_can_be_chosen() -> None:
    """R17: invoice, estimate and sales receipt, also several in one workflow, in order."""
    file = loaded(workflow("quote", action("estimate"), action("invoice")))
    assert [each.action for each in file.workflows[0].actions] == [Action.ESTIMATE, Action.INVOICE]


def test_r18_an_action_names_exactly_one_company() -> None:
    """R18: the QuickBooks account is required and must be one of the file's companies."""
    without = {"create": "invoice", "create_missing_products": True}
    assert "`company` is missing" in messages(workflow("deal", without))
    assert "company 'usa' is not under companies: write us" in messages(
        workflow("deal", action("invoice", company="usa"))
    )
    two = {"us": COMPANY, "east": {"realm_id": "9341450000000003"}}
    file = loaded(workflow("deal", action("invoice"), action("invoice", company="east")), **two)
    realms = [each.company.realm_id for each in file.workflows[0].actions]
    assert realms == ["9341450000000001", "9341450000000003"]


@pytest.mark.parametrize(("create", "legal"), TERMS)
def test_r19_r32_payment_terms_belong_to_invoices_only(create: str, legal: bool) -> None:
    """R19, R32: payment terms are accepted on an invoice and refused on every other document."""
    object_type = "deal" if create in ("invoice", "estimate", "sales_receipt") else "payment"
    found = messages(workflow(object_type, action(create, payment_terms="Net 30")))
    assert ("only an invoice has terms" in found) is not legal
    assert bool(found) is not legal


def test_r19_default_terms_reach_invoices_only() -> None:
    """R19: a company's default terms apply to its invoices and are not carried to receipts."""
    company = {**COMPANY, "defaults": {**COMPANY["defaults"], "payment_terms": "Net 15"}}
    chosen = [action("invoice"), action("invoice", payment_terms="Net 30"), action("estimate")]
    file = loaded(workflow("deal", *chosen), us=company)
    assert [each.payment_terms for each in file.workflows[0].actions] == ["Net 15", "Net 30", ""]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, CustomerSource("contact")),
        ("contact", CustomerSource("contact")),
        ("company", CustomerSource("company")),
        ({"fixed": "Walk-in customer"}, CustomerSource("fixed", "Walk-in customer")),
    ],
)
def test_r20_customer_is_chosen(written: object, meant: CustomerSource) -> None:
    """R20, A5: the customer is the contact (default), the company or a fixed customer."""
    chosen = {} if written is None else {"customer": written}
    file = loaded(workflow("deal", action("invoice", **chosen)))
    assert file.workflows[0].actions[0].customer == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, ProductSource("sku_or_name")),
        ("sku", ProductSource("sku")),
        ("name", ProductSource("name")),
        ({"fixed": "Services"}, ProductSource("fixed", "Services")),
    ],
)
def test_r20_product_is_chosen(written: object, meant: ProductSource) -> None:
    """R20, A5: the product is found by SKU, by name, by id map, or is a fixed item."""
    chosen = {} if written is None else {"product": written}
    file = loaded(workflow("deal", action("invoice", **chosen)))
    assert file.workflows[0].actions[0].product == meant


def test_r20_id_map_needs_a_map() -> None:
    """R20: `id_map` without a map is an error, and with one the map is the company's."""
    by_map = action("invoice", product="id_map", create_missing_products=False)
    assert "write `product_map:" in messages(workflow("deal", by_map))
    file = loaded(workflow("deal", by_map), us={**COMPANY, "product_map": {"1001": 17}})
    assert file.companies["us"].product_map == {"1001": "17"}


@pytest.mark.parametrize("create", [row[0] for row in MATRIX])
def test_r21_r32_create_missing_products_must_be_chosen(create: str) -> None:
    """R21, R32: every document with lines says yes or no; an expense has no products."""
    object_type = "deal" if create in ("invoice", "estimate") else "payment"
    found = messages(workflow(object_type, {"create": create, "company": "us"}))
    assert ("needs `create_missing_products`" in found) is (create != "expense")


@pytest.mark.parametrize(("written", "meant"), [(True, True), ("yes", True), ("no", False)])
def test_r21_yes_and_no_are_understood(written: object, meant: bool) -> None:
    """R21: yes and no mean what they say, quoted or not."""
    file = loaded(workflow("deal", action("invoice", create_missing_products=written)))
    assert file.workflows[0].actions[0].create_missing_products is meant


def test_r22_a_disabled_workflow_is_loaded_and_never_offered() -> None:
    """R22: `enabled: false` keeps the workflow checked and out of what decides; lint says so."""
    file = loaded(workflow("deal", enabled=False))
    assert [each.enabled for each in file.workflows] == [False]
    assert file.enabled[ObjectType.DEAL] == ()
    assert any("is off" in each.message for each in lint(file))
    assert "company 'no' is not" in messages(
        workflow("deal", action("invoice", company="no"), enabled=False)
    )


def test_r24_completed_signatures_is_known_is_offered_literally_and_warned_of() -> None:
    """R24, A7: the literal filter holds at 0 of 2 signatures; lint offers the preset."""
    literal = flt("hs_esign_num_signers_completed", "is_known")
    file = loaded(workflow("quote", enrol=[literal]))
    unsigned = source(
        {"hs_esign_num_signers_completed": "0", "hs_esign_num_signers_required": "2"},
        object_type=ObjectType.QUOTE,
    )
    assert file.workflows[0].enrol.matches(unsigned) == 1_000
    assert enrolment({"preset": "quote_signed"}, object_type="quote").matches(unsigned) is None
    assert any("{preset: quote_signed}" in each.message for each in lint(file))


@pytest.mark.parametrize(
    ("name", "enrols"),
    [
        ("Acme – Checkout link 12", True),
        ("STARTER PLAN for Acme", True),
        ("Acme renewal", False),
        (None, False),
    ],
)
def test_r25_paid_deals_are_found_by_name(name: str | None, enrols: bool) -> None:
    """R25: a deal named after one of the payment links enrols, whatever the case."""
    paid = enrolment(flt("dealname", "contains_any_of", "checkout link", "Starter plan"))
    assert (paid.matches(source({"dealname": name})) is not None) is enrols


@pytest.mark.parametrize("operator", ["is_known", "contains_any_of", "is_none_of"])
def test_r26_operators_of_the_article_exist(operator: str) -> None:
    """R26: the operators that the article uses are there."""
    assert operator in OPERATORS


def test_r26_groups_are_alternatives_and_filters_of_a_group_go_together() -> None:
    """R26: AND within a group, OR across groups."""
    either = enrolment(
        [flt("pipeline", "is_any_of", "a"), flt("amount", "greater_than", 10)],
        [flt("dealname", "contains_any_of", "vip")],
    )
    assert either.matches(source({"pipeline": "a", "amount": "11"})) is not None
    assert either.matches(source({"pipeline": "a", "amount": "9"})) is None
    assert either.matches(source({"pipeline": "b", "amount": "9", "dealname": "VIP"})) is not None


def test_r28_r30_paid_invoice_takes_no_terms_and_comes_from_payments() -> None:
    """R28, R30: the configuration of a paid invoice is a payment workflow without terms.

    Whether a line is taxable is known only of the object: `decide` refuses it.
    """
    assert problems(workflow("payment", action("paid_invoice"))) == ()
    for object_type in ("deal", "quote"):
        assert "write invoice" in messages(workflow(object_type, action("paid_invoice")))


def test_r31_warns_of_a_payment_sale_without_the_source_filter() -> None:
    """R31: every group needs the source filter; a group without it is warned of by its line."""
    guarded = [
        {"preset": "payment_succeeded"},
        flt("hs_payment_source_app", "is_none_of", "INVOICE"),
    ]
    chosen = [
        {"preset": "payment_succeeded"},
        flt("hs_payment_source_app", "is_any_of", "QUOTE"),
    ]
    bare = [{"preset": "payment_succeeded"}]
    receipt = action("sales_receipt")
    assert lint(loaded(workflow("payment", receipt, enrol=[guarded, chosen]))) == ()
    [problem] = lint(loaded(workflow("payment", receipt, enrol=[guarded, bare])))
    assert "values: [INVOICE]" in problem.message


def test_r33_an_expense_needs_its_accounts() -> None:
    """R33, A8: bank and expense account are required, in the action or the company's defaults."""
    bare = {"us": {"realm_id": "9341450000000001"}}
    said = messages(workflow("payment", action("expense")), **bare)
    assert "needs `bank_account`" in said
    assert "needs `expense_account`" in said
    own = action("expense", bank_account="Checking", expense_account="Fees", vendor="HubSpot")
    file = loaded(workflow("payment", own), **bare)
    settings = file.workflows[0].actions[0]
    accounts = (settings.bank_account, settings.expense_account, settings.vendor)
    assert accounts == ("Checking", "Fees", "HubSpot")
    assert loaded(workflow("payment", action("expense"))).workflows[0].actions[0].vendor == ""


def test_r33_the_trigger_of_an_expense_is_free() -> None:
    """R33: no source filter is asked of expenses; fees of invoice payments are real too (A12)."""
    file = loaded(workflow("payment", action("expense"), enrol=[flt("hs_fees_amount", "is_known")]))
    assert lint(file) == ()


def test_r36_a_refund_receipt_needs_a_deposit_account() -> None:
    """R36, A10: the account the money leaves is required; the trigger is free."""
    bare = {"us": {"realm_id": "9341450000000001"}}
    said = messages(workflow("payment", action("refund_receipt")), **bare)
    assert "needs `deposit_account`" in said
    trigger = [flt("hs_refunds_amount", "greater_than", 0)]
    file = loaded(workflow("payment", action("refund_receipt"), enrol=trigger))
    assert file.workflows[0].actions[0].deposit_account == "Undeposited Funds"


def test_settings_are_stable_across_spellings() -> None:
    """The same choices in block YAML and in JSON give equal settings."""
    block = "\n".join(
        [
            "version: 1", "portal_id: 4711", "companies:", f"  us: {json.dumps(COMPANY)}",
            "workflows:", "  - name: deal workflow", "    object: deal", "    enrol:",
            "      - {preset: deal_won}", "    actions:", "      - create: invoice",
            "        company: us", "        create_missing_products: yes",
        ]
    )  # fmt: skip
    assert load(block).workflows == loaded(workflow("deal", action("invoice"))).workflows
