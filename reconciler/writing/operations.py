"""Names the writes to QuickBooks so that the same write has the same name for ever. Pure.

An operation's key says what it is for; its request id is a digest of that, so a process that
comes after a crash, or a zombie, can only ever send what was sent before. Intuit allows request
ids of 50 characters, 36 for a batch (learn-basic-field-definitions, read 2026-11).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from reconciler.ports.dispatch import DueDocument, Operation
from reconciler.quickbooks.payload import decode
from reconciler.quickbooks.protocol import BatchItem, Request, Verb, batch, create, update, void

DOCUMENT, PAYMENT = "document", "payment"


def digest(text: str) -> str:
    """32 characters that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def document_operation_key(document: DueDocument, step: str) -> str:
    """Grows a new name only with a new generation (recreated) or revision (after a refusal)."""
    return f"{document.key}/{document.generation}.{document.revision}/{step}"


def reference_operation_key(entity: str, key: str, number: int) -> str:
    """A customer or item to be created; *number* counts names tried for the same one."""
    return f"{entity}/{digest(key)}/{number}"


def request_id(realm_id: str, operation_key: str) -> str:
    """32 characters, the same for the same operation."""
    return digest(f"{realm_id}/{operation_key}")


def marker(request: str) -> str:
    """The text in a private note by which we find our own document again."""
    return f"Ref {request}"


def for_one_call(operations: Sequence[Operation]) -> list[Operation]:
    """The same operations; several as items of one batch, which is named after what it holds."""
    if len(operations) < 2:
        return list(operations)
    batch_id = digest("/".join(op.request_id for op in operations))
    return [
        Operation(
            op.operation_key, op.realm_id, op.document_id, op.entity, op.verb, batch_id,
            str(number), op.marker, op.request,
        )
        for number, op in enumerate(operations, start=1)
    ]  # fmt: skip


def single_request(op: Operation) -> Request:
    """The request that sends one operation by itself; its verb is create, update or void."""
    if op.verb == Verb.VOID:
        target = decode(op.request)
        return void(op.entity, target["Id"], target["SyncToken"], op.request_id)
    if op.verb == Verb.UPDATE:
        return update(op.entity, op.request, op.request_id)
    return create(op.entity, op.request, op.request_id)


def changed_id(op: Operation) -> str:
    """The id in QuickBooks of what a change changes: `update` or `void`."""
    return str(decode(op.request)["Id"])


def batch_request(operations: Sequence[Operation]) -> tuple[Request, list[BatchItem]]:
    """The request that sends operations of one batch; they share its request id."""
    items = [BatchItem(op.b_id or "", Verb.CREATE, op.entity, op.request) for op in operations]
    return batch(items, operations[0].request_id), items
