"""Warnings: what may be billed twice, and other slips that no rule forbids."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_texts import COMPANY, action, flt, loaded, workflow

import reconciler
from reconciler.workflows import load
from reconciler.workflows.lint import lint

EAST = {"realm_id": "9341450000000003", "defaults": COMPANY["defaults"]}
INVOICE, RECEIPT = action("invoice"), action("sales_receipt")
NOT_OF_INVOICES = flt("hs_payment_source_app", "is_none_of", "INVOICE")


def warnings(*workflows: object, **companies: object) -> str:
    found = lint(loaded(*workflows, **companies))
    assert all(problem.severity == "warning" for problem in found)
    return "\n".join(f"{problem.line}: {problem.path}: {problem.message}" for problem in found)


def deals(name: str, *filters: object, create: dict[str, object] = INVOICE) -> dict[str, object]:
    return workflow("deal", create, name=name, enrol=[list(filters)])


def pipeline(*names: str) -> dict[str, object]:
    return flt("pipeline", "is_any_of", *names)


def test_a_clean_file_has_no_warnings() -> None:
    """Silence means that nothing was found."""
    assert warnings(workflow("deal")) == ""


# pairs of filters on deals, and whether they are proven to keep two workflows apart
APART = [
    (pipeline("a"), pipeline("b"), True, "other pipelines"),
    (pipeline("a"), pipeline("a", "b"), False, "a pipeline in common"),
    (pipeline("a"), flt("pipeline", "is_none_of", "A", "c"), True, "excluded by name"),
    (pipeline("a", "b"), flt("pipeline", "is_none_of", "a"), False, "not all excluded"),
    (pipeline("a"), flt("pipeline", "is_unknown"), True, "known and unknown"),
    (
        flt("dealname", "contains_any_of", "checkout link"),
        flt("dealname", "contains_none_of", "Checkout"),
        True,
        "every name that has the one has the other",
    ),
    (
        flt("dealname", "contains_any_of", "link"),
        flt("dealname", "contains_none_of", "checkout link"),
        False,
        "a name may have the part without the whole",
    ),
    (flt("amount", "greater_than", 100), flt("amount", "less_than_or_equal", 100), True, "ranges"),
    (
        flt("amount", "greater_than_or_equal", 100),
        flt("amount", "less_than_or_equal", 100),
        False,
        "both hold at 100",
    ),
    (
        flt("dealstage", "is_any_of", "a"),
        flt("dealstage", "is_any_of", "b"),
        False,
        "a deal passes through stages",
    ),
    (pipeline("a"), flt("dealname", "is_known"), False, "about other properties"),
]


@pytest.mark.parametrize(
    ("one", "other", "apart", "reason"), APART, ids=[case[3].replace(" ", "_") for case in APART]
)
def test_two_workflows_that_bill_the_same_deal(
    one: object, other: object, apart: bool, reason: str
) -> None:
    """An invoice and a receipt of one deal are warned of unless the filters keep them apart."""
    for first, second in ((one, other), (other, one)):
        said = warnings(deals("first", first), deals("second", second, create=RECEIPT))
        assert ("'first' (line 5) bills the same deal already" in said) is not apart, reason


def test_the_same_document_twice_in_one_company() -> None:
    """One document key: the second workflow never creates."""
    said = warnings(deals("first", pipeline("a")), deals("second", flt("amount", "is_known")))
    assert "6: second: 'first' (line 5) creates the same document of the same deal" in said


def test_one_deal_invoiced_in_two_companies_is_billed_twice() -> None:
    """Another company is no excuse: the customer gets two invoices."""
    east = {**INVOICE, "company": "east"}
    said = warnings(workflow("deal", INVOICE, east), us=COMPANY, east=EAST)
    assert "bills the same deal already" in said


def test_estimate_and_invoice_of_one_deal_are_fine() -> None:
    """An estimate bills nothing."""
    assert warnings(workflow("deal", action("estimate"), INVOICE)) == ""


def test_a_deal_and_its_quote() -> None:
    """Both billed: the quote's workflow is warned of, naming the deal's."""
    said = warnings(workflow("deal"), workflow("quote"))
    assert "6: quote workflow: a quote may belong to what 'deal workflow' (line 5) bills" in said
    assert warnings(workflow("deal"), workflow("quote", action("estimate"))) == ""


@pytest.mark.parametrize(
    ("other", "sources", "linked", "reason"),
    [
        ("quote", ["QUOTE"], True, "the quote's own payment"),
        ("quote", ["SALES_CHECKOUT"], False, "a payment link has no quote"),
        ("deal", ["SALES_CHECKOUT"], True, "a payment link makes a deal"),
        ("deal", ["MIGRATION"], False, "from neither"),
    ],
)
def test_a_payment_and_its_deal_or_quote(
    other: str, sources: list[str], linked: bool, reason: str
) -> None:
    """A payment is linked to what its source can be."""
    only = flt("hs_payment_source_app", "is_any_of", *sources)
    payments = workflow("payment", RECEIPT, enrol=[{"preset": "payment_succeeded"}, only])
    assert ("a payment may belong to" in warnings(workflow(other), payments)) is linked, reason


def test_fees_and_refunds_bill_nothing() -> None:
    """Expense and refund receipt stand beside the sale of the same payment."""
    others = workflow("payment", action("expense"), action("refund_receipt"), name="fees")
    sale = workflow("payment", RECEIPT, enrol=[{"preset": "payment_succeeded"}, NOT_OF_INVOICES])
    assert warnings(sale, others) == ""


def test_paid_invoice_and_receipt_of_one_payment() -> None:
    """They exclude each other."""
    sale = [{"preset": "payment_succeeded"}, NOT_OF_INVOICES]
    both = workflow("payment", RECEIPT, action("paid_invoice"), enrol=sale)
    assert "bills the same payment already" in warnings(both)


def test_a_workflow_that_is_off_bills_nothing() -> None:
    """Only workflows that are on are compared; that one is off is said."""
    said = warnings(workflow("deal"), workflow("deal", RECEIPT, name="off", enabled=False))
    assert said == "6: off: is off: it creates nothing until `enabled: true`"


def test_unused_companies() -> None:
    """A company that only disabled workflows use is as good as unused."""
    assert "3: east: no workflow that is on uses this company" in warnings(
        workflow("deal"), us=COMPANY, east=EAST
    )


def test_receipts_without_a_deposit_account() -> None:
    """The money goes to Undeposited Funds, which may not be what is wanted."""
    bare = {"realm_id": "9341450000000001"}
    assert "Undeposited Funds" in warnings(workflow("deal", RECEIPT), us=bare)
    assert warnings(workflow("deal", INVOICE), us=bare) == ""


@pytest.mark.parametrize(
    ("object_type", "written", "said"),
    [
        ("deal", flt("dealstge", "is_any_of", "closedwon"), "did you mean dealstage?"),
        ("quote", flt("hs_esign_dat", "is_known"), "did you mean hs_esign_date?"),
        ("deal", flt("contact.lifecylestage", "is_known"), "did you mean lifecyclestage?"),
        ("quote", flt("hs_status", "is_any_of", "APROVED"), "did you mean approved?"),
        ("quote", flt("hs_payment_status", "is_any_of", "SETTLED"), "is never 'SETTLED'"),
    ],
)
def test_slips_in_names_and_values(object_type: str, written: object, said: str) -> None:
    """A name or value close to one of HubSpot's own is probably meant to be it."""
    assert said in warnings(workflow(object_type, action("estimate"), enrol=[written]))


def test_own_properties_are_not_suspected() -> None:
    """A portal's own properties and stages are none of our business."""
    filters = [flt("po_number", "is_known"), flt("dealstage", "is_any_of", "8812734")]
    assert warnings(workflow("deal", enrol=filters)) == ""


def test_a_group_that_can_never_hold() -> None:
    """Two stages at once: the author wanted two groups."""
    both = [flt("dealstage", "is_any_of", "a"), flt("dealstage", "is_any_of", "b")]
    assert "exclude each other" in warnings(workflow("deal", enrol=both))


def test_the_demo_file_is_valid_and_every_warning_in_it_is_meant() -> None:
    """Its filters keep apart what bills one object; linked objects and one wide filter remain."""
    path = Path(reconciler.__file__).with_name("demo") / "workflows.yaml"
    file = load(path.read_text(), str(path))
    said = [problem.message for problem in lint(file)]
    assert all(
        "of linked objects only the first" in each or "contact.life" in each for each in said
    )
    created = {each.action for workflow in file.workflows for each in workflow.actions}
    assert len(created) == 6
    assert {each.realm_id[-1] for each in file.companies.values()} == {"1", "2", "3"}
