"""The writes that make a document, as operations with their exact bytes. Pure.

Called by `prepare` for the first write, and by `record` for the payment that follows a paid
invoice's invoice. `amend` has the writes that change a document.
"""

from __future__ import annotations

import msgspec

from reconciler.model import Action, DocumentContent
from reconciler.ports.dispatch import DueDocument, Operation
from reconciler.quickbooks.names import AUTO_NUMBER, MAX_DOCUMENT_NUMBER
from reconciler.quickbooks.payload import encode
from reconciler.quickbooks.protocol import Verb
from reconciler.writing.documents import ENTITY_OF, entity_of, payment_of
from reconciler.writing.operations import (
    DOCUMENT,
    PAYMENT,
    document_operation_key,
    marker,
    request_id,
)
from reconciler.writing.resolve import Book, Resolved

NO_EMAIL, ANOTHER_NUMBER, NO_LINK = "no_email", "another_number", "no_link"
"""What a document gave up to be accepted (`documents.concessions`): it is not asked for again."""


def is_half_made(document: DueDocument) -> bool:
    """Whether it is a paid invoice whose invoice exists, and only the payment is missing."""
    return document.quickbooks_id is not None and document.key.action is Action.PAID_INVOICE


def first_write(
    document: DueDocument,
    content: DocumentContent,
    resolved: Resolved,
    book: Book,
    estimate_id: str,
) -> Operation:
    """The write that makes the document; for a paid invoice whose invoice exists, its payment.

    *estimate_id* is the QuickBooks id of the estimate that an invoice follows, "" without one.
    """
    if is_half_made(document):
        return payment(document, content, resolved, book, str(document.quickbooks_id))
    key = document_operation_key(document, DOCUMENT)
    request = request_id(document.key.realm_id, key)
    mark = marker(request)
    numbered = _renumbered(content, document)
    body = entity_of(document.key.action, numbered, resolved, book.facts, mark)
    if NO_EMAIL in document.concessions:
        body.pop("BillEmail", None)
    if ANOTHER_NUMBER in document.concessions and body.get("DocNumber") == AUTO_NUMBER:
        del body["DocNumber"]  # taken for a number like any other: the document goes without one
    if estimate_id and NO_LINK not in document.concessions:
        body["LinkedTxn"] = [{"TxnId": estimate_id, "TxnType": "Estimate"}]
    return _create(document, key, ENTITY_OF[document.key.action], request, encode(body))


def payment(
    document: DueDocument,
    content: DocumentContent,
    resolved: Resolved,
    book: Book,
    invoice_id: str,
) -> Operation:
    """The write that pays the invoice of a paid invoice."""
    key = document_operation_key(document, PAYMENT)
    request = request_id(document.key.realm_id, key)
    body = payment_of(content, resolved, book.facts, invoice_id, marker(request))
    return _create(document, key, "Payment", request, encode(body))


def _create(document: DueDocument, key: str, entity: str, request: str, body: bytes) -> Operation:
    return Operation(
        operation_key=key,
        realm_id=document.key.realm_id,
        document_id=document.document_id,
        entity=entity,
        verb=Verb.CREATE,
        request_id=request,
        b_id=None,
        marker=marker(request),
        request=body,
    )


def _renumbered(content: DocumentContent, document: DueDocument) -> DocumentContent:
    """Where its number was taken the document asks for -2, and then for one nobody else asks for."""
    taken = document.concessions.split().count(ANOTHER_NUMBER)
    if not taken or not content.document_number:
        return content
    suffix = "-2" if taken == 1 else f"-{document.document_id}"
    stem = content.document_number[: MAX_DOCUMENT_NUMBER - len(suffix)]
    return msgspec.structs.replace(content, document_number=stem + suffix)
