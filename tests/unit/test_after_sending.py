"""What HubSpot says of documents that were sent: which of it is a difference to be shown."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.deciding.decide import decide
from reconciler.intake.ledger import by_source, differences
from reconciler.model import Change, ChangeKind, DocumentKey, DocumentState, ObjectType
from reconciler.ports.intake import LedgerEntry
from reconciler.ports.standing import NOT_DESIRED, unmade
from reconciler.workflows import WorkflowFile
from tests.deciding import ADA, AT, DAY, LINE, Books, deal, file, one_workflow, payment, said

LATER = AT + DAY
INVOICE = one_workflow("deal", "invoice")
RECEIPT = one_workflow("payment", "sales_receipt")
OFF = one_workflow("deal", "invoice", rest="    enabled: no\n")
SYNCED = file(
    "  - {name: Bill, object: deal, enrol: [{preset: deal_won}],"
    " actions: [{create: invoice, company: us, create_missing_products: yes}]}\n",
    "    contacts: data_sync\n"
    "    contact_filter: [{property: lifecyclestage, operator: is_any_of, values: [customer]}]\n",
)
CUSTOMER, LEAD = {**ADA, "lifecyclestage": "customer"}, {**ADA, "lifecyclestage": "lead"}


def noted(
    file: WorkflowFile, first: Change, later: Change, now: WorkflowFile | None = None
) -> list[str]:
    """What is noted beside the documents made of the first change when the second arrives."""
    books = Books(file)
    books.take(first)
    books.send()
    ledger: Mapping[DocumentKey, LedgerEntry] = {
        key: LedgerEntry(
            key, number, entry.workflow, DocumentState.CREATED, "", "", entry.enrolled_at,
            entry.content, None, is_in_quickbooks=True,
        )
        for number, (key, entry) in enumerate(books.ledger.items(), start=1)
    }  # fmt: skip
    assert ledger
    before = books.objects[first.key]
    books.take(later)
    obj, workflows = books.objects[first.key], (now or file).workflows
    verdicts = decide(obj, before, workflows, by_source(ledger)[first.key])
    wanted, desired = differences(verdicts, ledger)
    assert not wanted
    return list(desired.values())


@pytest.mark.parametrize(
    ("file", "first", "later", "why"),
    [
        pytest.param(INVOICE, deal(), deal(LATER, lines=()), "has no line items", id="lines"),
        pytest.param(INVOICE, deal(), deal(LATER, contacts=()), "has no contact", id="contact"),
        pytest.param(INVOICE, deal(), deal(LATER, lines=({**LINE, "amount": "?"},)), "reads “?”",
                     id="number"),
        pytest.param(RECEIPT, payment(), payment(LATER, hs_latest_status="failed"),
                     "The payment failed.", id="failed after all"),
        pytest.param(RECEIPT, payment(), payment(LATER, hs_payment_source_app="INVOICE"),
                     "against a HubSpot invoice", id="of an invoice"),
        pytest.param(one_workflow("payment", "expense"), payment(), payment(LATER, hs_fees_amount="0"),
                     "had no fees", id="fees"),
        pytest.param(one_workflow("payment", "refund_receipt"),
                     payment(hs_latest_status="refunded", hs_refunds_amount="100"),
                     payment(LATER, hs_refunds_amount="0"), "was not refunded", id="refund"),
    ],
)  # fmt: skip
def test_what_would_not_be_made_any_more_is_told(
    file: WorkflowFile, first: Change, later: Change, why: str
) -> None:
    """With the sentence that would stop it, once for the document."""
    (says,) = noted(file, first, later)
    found = unmade(says)
    assert found is not None
    assert why in found.why


@pytest.mark.parametrize(
    ("file", "first", "later"),
    [
        pytest.param(INVOICE, deal(), deal(LATER, dealstage="contractsent"), id="its stage moved on"),
        pytest.param(INVOICE, deal(), deal(LATER, lines=(None,)), id="lines only by id"),
        pytest.param(SYNCED, deal(contacts=(CUSTOMER,)), deal(LATER, contacts=(LEAD,)), id="left the filter"),
        pytest.param(RECEIPT, payment(), payment(LATER, hs_latest_status="refunded"), id="refunded"),
        pytest.param(RECEIPT, payment(), payment(LATER, hs_latest_status="odd"), id="an unknown status"),
    ],
)  # fmt: skip
def test_what_says_nothing_against_a_document_is_not_told(
    file: WorkflowFile, first: Change, later: Change
) -> None:
    """Enrolment is once held, and what is waited for may come."""
    assert noted(file, first, later) == []


def test_a_workflow_turned_off_or_another_one_says_nothing() -> None:
    """Documents in QuickBooks stay as they are, whatever becomes of the workflow file."""
    empty = deal(LATER, lines=())
    assert noted(INVOICE, deal(), empty, OFF) == []
    renamed = file(
        "  - {name: Renamed, object: deal, enrol: [{preset: deal_won}],"
        " actions: [{create: invoice, company: us, create_missing_products: yes}]}\n"
    )
    assert noted(INVOICE, deal(), empty, renamed) == []


def test_merged_and_deleted_objects_are_told_in_their_own_way() -> None:
    """A deletion has its word; after a merge the sale is the surviving object's."""
    gone = said(ObjectType.DEAL, LATER)
    merged = Change(key=gone.key, at=LATER, kind=ChangeKind.MERGED, merged_into="2")
    deleted = Change(key=gone.key, at=LATER, kind=ChangeKind.DELETED, deleted=True)
    assert noted(INVOICE, deal(), merged) == []
    assert noted(INVOICE, deal(), deleted) == [NOT_DESIRED]
