"""Turns rows of the ledger into what people read: names, sentences, fixes, links. Pure.

The ledger stores a reason and one line of sentence and fix (`reasons.Stop.detail`); here they are
told apart again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from reconciler.model import (
    Customer,
    DocumentContent,
    DocumentState,
    ObjectKey,
    Priority,
    SourceObject,
    decode_content,
)
from reconciler.ports.operator import StoredCompany, StoredDocument, StoredHubSpotProblem
from reconciler.ports.views import DocumentSummary, HubSpotProblem, ObjectHit
from reconciler.quickbooks.fault_codes import FAULTS, GATEWAY_FAULTS
from reconciler.reasons import WORDS, Reason
from reconciler.workflows import WorkflowFile
from reconciler.writing.observed import LOST

Names = dict[str, str]
"""The short name of a company by realm id."""


_HUBSPOT_TYPES = {"deal": "0-3", "quote": "0-14", "payment": "0-101"}
_QUICKBOOKS_PAGES = {
    "Invoice": "invoice",
    "Estimate": "estimate",
    "SalesReceipt": "salesreceipt",
    "Purchase": "expense",
    "RefundReceipt": "refundreceipt",
}


class Words(NamedTuple):
    """A sentence, and what a person can do."""

    sentence: str
    fix: str = ""


def names_of(workflows: WorkflowFile, companies: Iterable[StoredCompany]) -> Names:
    """Names from the file, and of companies that left it from the store."""
    stored = {each.realm_id: each.name for each in companies}
    return stored | {each.realm_id: each.name for each in workflows.companies.values()}


def summary(stored: StoredDocument, names: Names) -> DocumentSummary:
    """A ledger row as people read it."""
    content = decode_content(stored.content) if stored.content else None
    company = names.get(stored.key.realm_id, "") or stored.key.realm_id
    words = words_of(stored, company, content)
    total = stored.total if stored.total is not None else content.total if content else None
    return DocumentSummary(
        document_id=stored.document_id,
        key=stored.key,
        workflow=stored.workflow,
        company=company,
        state=stored.state,
        reason=stored.reason,
        sentence=words.sentence,
        fix=words.fix,
        name=stored.name,
        customer=customer_name(content.customer) if content and content.customer else "",
        currency=content.currency if content else "",
        total=total,
        document_number=stored.document_number,
        quickbooks_entity=stored.quickbooks_entity,
        quickbooks_id=stored.quickbooks_id,
        quickbooks_url=quickbooks_url(stored.quickbooks_entity, stored.quickbooks_id),
        hubspot_url=hubspot_url(stored.key.source),
        enrolled_at=stored.enrolled_at,
        state_since=stored.state_since,
        next_attempt_at=stored.next_attempt_at,
        attempts=stored.attempts,
        version=stored.version,
        is_backfill=stored.priority is Priority.BACKFILL,
        drift=stored.drift,
    )


def hit(obj: SourceObject) -> ObjectHit:
    """An object as found by a search."""
    return ObjectHit(
        key=obj.key,
        name=obj.properties.get("dealname") or obj.properties.get("hs_title") or "",
        changed_at=datetime.fromtimestamp(max(obj.changed_at, 0) / 1000, UTC),
        is_deleted=obj.is_deleted,
    )


def customer_name(customer: Customer) -> str:
    """How the customer is called."""
    person = f"{customer.first_name} {customer.last_name}".strip()
    return customer.display_name or person or customer.email


def words_of(stored: StoredDocument, company: str, content: DocumentContent | None) -> Words:
    """What a document's state means."""
    if stored.state is DocumentState.CREATED:
        return _created(stored, company, content.currency if content else "")
    if stored.state is DocumentState.SENDING:
        return Words(f"It was sent to {company}; the answer is not recorded yet.")
    if stored.state is DocumentState.WANTED:
        amount = _amount(content.total, content.currency) if content else ""
        tried = f" Tried {stored.attempts} times." if stored.attempts else ""
        why = split(stored.reason, stored.detail)
        sentence = f"It is to be created in {company}{amount}.{tried} {why.sentence}"
        return Words(sentence.rstrip(), why.fix)
    if stored.state is DocumentState.DISMISSED:
        return Words(
            stored.detail or "It was dismissed.", "Retry it if it is to be made after all."
        )
    return split(stored.reason, stored.detail)


def _amount(total: Decimal, currency: str) -> str:
    return f" for {total:,.2f} {currency}".rstrip()


def _created(stored: StoredDocument, company: str, currency: str) -> Words:
    number = stored.document_number or f"id {stored.quickbooks_id}"
    total = _amount(stored.total, currency) if stored.total is not None else ""
    drift, _, seen = stored.drift.partition(": ")
    where = "was made in" if drift in LOST else "is in"
    told = [f"{stored.quickbooks_entity} {number}{total} {where} {company}."]
    if drift and drift != stored.reason:
        told.append(seen)
    found = split(stored.reason, stored.detail)
    return Words(" ".join([*told, found.sentence]).rstrip(), found.fix)


def split(reason: str, detail: str) -> Words:
    """The stored line as sentence and fix."""
    if reason == Reason.REFUSED or reason == Reason.BOOKS_CLOSED:
        for remedy in _remedies():
            before, found, after = detail.partition(f" {remedy}")
            if found:
                return Words(f"{before}{after}", remedy)
    pattern = _fix_pattern(reason)
    if pattern is not None and (match := pattern.search(detail)) and match.start() > 0:
        return Words(detail[: match.start()].strip(), match.group().strip())
    return Words(detail)


@lru_cache(maxsize=1)
def _remedies() -> tuple[str, ...]:
    rules = [*FAULTS.values(), *GATEWAY_FAULTS.values()]
    return tuple(sorted({rule.remedy for rule in rules if rule.remedy}, key=len, reverse=True))


@lru_cache(maxsize=128)
def _fix_pattern(reason: str) -> re.Pattern[str] | None:
    try:
        fix = WORDS[Reason(reason)].fix
    except ValueError:
        return None
    if not fix or fix.startswith("{"):
        return None
    parts = [re.escape(part) for part in re.split(r"\{\w+\}", fix)]
    return re.compile(" " + ".*?".join(parts) + "$", re.DOTALL)


def hubspot_problem(stored: StoredHubSpotProblem) -> HubSpotProblem:
    """What could not be fetched or written back, why, and when it is tried next."""
    if stored.is_write_back:
        what = f"Document {stored.document_id}" if stored.document_id else "Documents"
        failed = f"{what} could not be written back to HubSpot."
    else:
        failed = "Missing facts could not be fetched from HubSpot."
    after = "Once that is mended, write back again."
    if stored.next_attempt_at is not None:
        after = f"It is tried again at {day(stored.next_attempt_at)}."
    return HubSpotProblem(
        sentence=f"{failed} {stored.problem.rstrip('.')}. {after}", **stored._asdict()
    )


def hubspot_url(key: ObjectKey) -> str:
    """The record's page in HubSpot."""
    kind = _HUBSPOT_TYPES.get(key.type, "")
    return (
        f"https://app.hubspot.com/contacts/{key.portal_id}/record/{kind}/{key.id}" if kind else ""
    )


def quickbooks_url(entity: str, id_: str) -> str:
    """The transaction's page in QuickBooks Online, "" where there is none."""
    page = _QUICKBOOKS_PAGES.get(entity, "")
    return f"https://app.qbo.intuit.com/app/{page}?txnId={id_}" if page and id_ else ""


def day(at: datetime) -> str:
    """An instant as people read it."""
    return at.strftime("%Y-%m-%d %H:%M UTC")
