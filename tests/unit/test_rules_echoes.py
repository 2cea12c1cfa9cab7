"""R31 and its kin: what another document has already put in the books is not put there again.

The other rules about payments are in tests/unit/test_rules_documents.py.
"""

from __future__ import annotations

from itertools import chain

import msgspec
import pytest

from reconciler.model import Change, ObjectType
from reconciler.reasons import Reason
from streams.formats import TopicSettings, decode
from tests.deciding import (
    AT,
    LINE,
    PORTAL,
    Books,
    deal,
    made,
    one_workflow,
    only,
    payment,
    said,
    unwanted,
)
from tests.feeds import record

RECEIPT = one_workflow("payment", "sales_receipt")


def invoiced(at: int, *, removed: bool = False) -> Change:
    """The event that invoice 53 was associated with the payment, or no longer is."""
    event = {
        "subscriptionType": "object.associationChange", "portalId": PORTAL, "occurredAt": at,
        "fromObjectTypeId": "0-101", "fromObjectId": 1, "toObjectTypeId": "0-53", "toObjectId": 53,
        "associationTypeId": 542, "associationRemoved": removed,
    }  # fmt: skip
    (change,) = decode(record(event, at), TopicSettings())
    return change


@pytest.mark.parametrize("create", ["paid_invoice", "sales_receipt"])
@pytest.mark.parametrize(
    "batches",
    [
        [[invoiced(AT + 1)], [payment()]],
        [[payment(), invoiced(AT + 1)]],
        [[payment()], [invoiced(AT + 1)]],
    ],
    ids=["before", "together", "after"],
)
def test_r31_an_invoice_known_only_by_an_event_is_enough(
    batches: list[list[Change]], create: str
) -> None:
    """R31: the association alone says so, though the list of the payment's invoices is not known."""
    books = Books(one_workflow("payment", create))
    for batch in batches:
        books.take(*batch)
    assert not books.contents()
    assert unwanted(books.file, *chain(*batches)).reason == Reason.INVOICE_PAYMENT


def test_r31_an_invoice_on_one_page_of_a_list_is_enough() -> None:
    """R31: a list that was cut off by paging names the payment's invoice all the same."""
    page = {"results": [{"id": "53"}], "paging": {"next": {"after": "1"}}}
    document = {"id": "1", "properties": {}, "associations": {"invoices": page}}
    found = decode(record(document, AT + 1), TopicSettings(ObjectType.PAYMENT, PORTAL))
    assert unwanted(RECEIPT, payment(), *found).reason == Reason.INVOICE_PAYMENT


def test_r31_a_payment_whose_invoice_was_taken_off_is_a_sale() -> None:
    """R31: an invoice that is no longer associated keeps nothing from being billed."""
    assert made(RECEIPT, payment(), invoiced(AT + 1), invoiced(AT + 2, removed=True)).total == 100


def refunded(processor: str) -> Change:
    """A payment with fees, given back whole."""
    return payment(
        hs_processor_type=processor, hs_latest_status="refunded", hs_refunds_amount="100.00"
    )


@pytest.mark.parametrize(
    ("create", "more"),
    [
        ("sales_receipt", ""),
        ("paid_invoice", ""),
        ("expense", ""),
        ("refund_receipt", ""),
        ("refund_receipt", ", partial_refunds: receipt"),
    ],
)
def test_r31_a_payment_that_quickbooks_processed_makes_nothing(create: str, more: str) -> None:
    """R31: its sale, its fees and its refunds are in the books already, and would be there twice."""
    found = unwanted(one_workflow("payment", create, more), refunded("quickbooks"))
    assert found.reason == Reason.QUICKBOOKS_PAYMENT


@pytest.mark.parametrize("create", ["expense", "refund_receipt"])
def test_a12_fees_and_refunds_of_an_invoices_payment_are_real(create: str) -> None:
    """A12: HubSpot charged the one and gave back the other, whoever billed the sale."""
    assert made(one_workflow("payment", create), refunded("hs_payments"), invoiced(AT + 1))


def test_a_document_is_withdrawn_once_quickbooks_turns_out_to_be_the_processor() -> None:
    """An expense that was wanted and not sent is dismissed when the payment is known to be an echo."""
    books = Books(one_workflow("payment", "expense"))
    books.take(payment())
    (found,) = books.take(said(ObjectType.PAYMENT, AT + 1, hs_processor_type="quickbooks"))
    assert (found.state, found.reason) == ("dismissed", Reason.QUICKBOOKS_PAYMENT)


def in_capitals(change: Change) -> Change:
    """The same as a feed that spells HubSpot's words in its own way says it."""
    said = {name: value and value.upper() for name, value in change.properties.items()}
    return msgspec.structs.replace(change, properties=said)


@pytest.mark.parametrize("create", ["sales_receipt", "expense", "refund_receipt"])
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"hs_payment_source_app": "Invoice"},
        {"hs_has_associated_invoice": "true"},
        {"hs_processor_type": "quickbooks"},
        {"hs_processor_type": "none", "hs_fees_amount": None},
        {"hs_payment_method_type": "cash", "hs_fees_amount": None},
        {"hs_latest_status": "refunded", "hs_refunds_amount": "100.00"},
        {"hs_latest_status": "partially_refunded", "hs_refunds_amount": "40.00"},
        {"hs_latest_status": "disputed_won"},
    ],
    ids=str,
)
def test_the_guards_read_words_as_the_presets_do(create: str, facts: dict[str, str | None]) -> None:
    """“SUCCEEDED” enrols a payment as “succeeded” does, so what is made of it is the same, too."""
    for more in ("", ", partial_refunds: receipt" if create == "refund_receipt" else ""):
        books, spelled = (Books(one_workflow("payment", create, more)) for _ in range(2))
        books.take(payment(**facts))
        spelled.take(in_capitals(payment(**facts)))
        assert spelled.ledger == books.ledger


@pytest.mark.parametrize("model", ["Flat ", " "])
def test_a_flat_price_is_no_tiered_one_however_it_is_written(model: str) -> None:
    """Of a flat price two figures that contradict each other are not billed."""
    line = {**LINE, "amount": "150", "hs_pricing_model": model}
    found = only(one_workflow("deal", "invoice"), deal(lines=(line,)))
    assert found.reason == Reason.LINE_DISAGREES
