"""What `doctor` says about what it found, and what to do about it. Pure.

The command gathers: answers of Postgres and Kafka, companies as last read. A finding is `ok`, a
`warning` that stops nothing today, or a `problem`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from reconciler.model import Action, Customer, DocumentContent, Line, ProductReference
from reconciler.ports.operator import StoredCompany
from reconciler.reasons import Blocked
from reconciler.workflows import ActionSettings, WorkflowFile
from reconciler.writing.resolve import Book, resolve

POSTGRES_AT_LEAST = 160000
LONGEST_SKEW = timedelta(seconds=2)
SHORTEST_RETENTION = timedelta(days=7)
TOKEN_WARNING = timedelta(days=14)


class Grade(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    subject: str
    grade: Grade
    text: str
    fix: str = ""


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(subject=subject, grade=Grade.OK, text=text)


def warning(subject: str, text: str, fix: str) -> Finding:
    """Not wrong yet."""
    return Finding(subject=subject, grade=Grade.WARNING, text=text, fix=fix)


def problem(subject: str, text: str, fix: str) -> Finding:
    """To be mended."""
    return Finding(subject=subject, grade=Grade.PROBLEM, text=text, fix=fix)


# --- Postgres --------------------------------------------------------------------------------------


def postgres(version: int, revision: str | None, head: str, skew: timedelta) -> Iterator[Finding]:
    """The server's `server_version_num`, the schema's revision, and its clock less ours."""
    major = version // 10000
    if version < POSTGRES_AT_LEAST:
        yield problem("Postgres", f"version {major} is too old", "Upgrade it to 16 or newer.")
    else:
        yield ok("Postgres", f"version {major}")
    if revision == head:
        yield ok("schema", f"at its newest revision {head}")
    else:
        yield problem(
            "schema", f"at revision {revision or 'none'}, not at {head}",
            "Start the service once: it migrates; or run the same version of it everywhere.",
        )  # fmt: skip
    if abs(skew) > LONGEST_SKEW:
        yield warning(
            "clock", f"Postgres's clock is {skew.total_seconds():+.1f} s from ours",
            "Synchronise the clocks of both machines (NTP).",
        )  # fmt: skip
    else:
        yield ok("clock", f"within {LONGEST_SKEW.total_seconds():g} s of Postgres's")


# --- Kafka -----------------------------------------------------------------------------------------


class TopicState(msgspec.Struct, frozen=True):
    """A topic as Kafka and the ledger know it; offsets are sums over the partitions.

    *recreated*: it is not the topic that was read; *shrunk*: its log ends before what was read.
    """

    topic: str
    partitions: int
    unread: int
    lost: int
    retention: timedelta | None
    recreated: bool = False
    shrunk: bool = False


def missing_topic(topic: str, purpose: str) -> Finding:
    """A topic that is set but does not exist."""
    return problem(
        f"topic {topic}", f"does not exist ({purpose})",
        "Create it, correct the setting that names it, or leave that setting empty.",
    )  # fmt: skip


def topic(state: TopicState) -> Iterator[Finding]:
    """Whether everything of a topic was or can still be read."""
    subject = f"topic {state.topic}"
    read_anew = f"reconciler read-anew {state.topic}, and start the processes anew."
    if state.recreated:
        yield problem(
            subject, "was deleted and created again; nothing of the new one is read",
            f"If its records are to count: {read_anew}",
        )  # fmt: skip
        return
    if state.shrunk:
        yield problem(
            subject, "ends before what was read: Kafka lost part of its log, and nothing is read now",
            f"Have what was lost sent again from its source, then: {read_anew}",
        )  # fmt: skip
        return
    if state.lost:
        yield problem(
            subject, f"{state.lost} records were deleted by retention before they were read",
            f"Have those changes sent again from their source, then: {read_anew}",
        )  # fmt: skip
        return
    yield ok(subject, f"{state.partitions} partitions, {state.unread} records not read yet")
    if state.retention is not None and state.retention < SHORTEST_RETENTION:
        hours = state.retention.total_seconds() / 3600
        yield warning(
            subject, f"keeps records for {hours:g} hours only",
            "Set retention.ms to at least 7 days, so that an outage loses nothing.",
        )  # fmt: skip


# --- companies -------------------------------------------------------------------------------------


def company(
    name: str, stored: StoredCompany | None, book: Book | None, now: datetime
) -> Iterator[Finding]:
    """Connection, country, sales tax, token and owner of a company."""
    subject = f"company {name}"
    if stored is None or book is None:
        yield problem(
            subject, "was never read from QuickBooks",
            f"Connect it (reconciler connect --company {name}) and start the service.",
        )  # fmt: skip
        return
    if stored.connection == "connected":
        yield ok(subject, f"connected: {book.facts.name}")
    else:
        yield problem(
            subject, f"{stored.connection}: {stored.connection_detail}",
            f"Connect it again: reconciler connect --company {name}",
        )  # fmt: skip
    if not book.facts.is_supported:
        yield problem(
            subject, f"is in {book.facts.country}; only US companies are supported",
            "Point its actions at a US company.",
        )  # fmt: skip
    if book.facts.using_sales_tax and book.facts.automated_sales_tax is False:
        yield warning(
            subject, "has sales tax, but not QuickBooks's automated one",
            "Compare the tax of its first documents with HubSpot's: Intuit says only of automated sales "
            "tax that it keeps an amount without a tax code.",
        )  # fmt: skip
    if stored.tokens_expire_at is not None and stored.tokens_expire_at - now < TOKEN_WARNING:
        days = (stored.tokens_expire_at - now) / timedelta(days=1)
        yield warning(
            subject, f"its connection expires in {days:.0f} days",
            f"Connect it again before: reconciler connect --company {name}",
        )  # fmt: skip
    if stored.lease_until is None or stored.lease_until < now:
        yield warning(subject, "no process works for it now", "Start the service.")


def action(workflow: str, settings: ActionSettings, book: Book, today: str) -> Iterator[Finding]:
    """Whether everything an action names exists in its company."""
    subject = f"workflow “{workflow}”, {settings.action.replace('_', ' ')}"
    stops = [stop for each in named_by(settings, today) if (stop := _stopped(settings, each, book))]
    for stop in stops:
        yield problem(subject, stop.sentence, stop.fix)
    if settings.document_number and not book.facts.custom_txn_numbers:
        yield warning(
            subject, f"sets document numbers, but {book.company_name} counts by itself",
            "Turn on custom transaction numbers in QuickBooks, or remove document_number.",
        )  # fmt: skip
    if not stops:
        yield ok(subject, "everything it names is in QuickBooks")


def _stopped(settings: ActionSettings, content: DocumentContent, book: Book) -> Blocked | None:
    try:
        resolve(settings.action, content, book)
    except Blocked as stop:
        return stop
    return None


def named_by(settings: ActionSettings, today: str) -> list[DocumentContent]:
    """Documents that each refer to one thing which the action names."""
    empty = DocumentContent(currency="", txn_date=today, total=Decimal(0))
    if settings.action is Action.EXPENSE:
        return [
            msgspec.structs.replace(
                empty, bank_account=settings.bank_account, vendor=settings.vendor,
                expense_account=settings.expense_account, class_name=settings.class_name,
                department=settings.department,
            )
        ]  # fmt: skip
    named: Sequence[Mapping[str, object]] = [
        {"payment_terms": settings.payment_terms},
        {"deposit_account": settings.deposit_account},
        {"class_name": settings.class_name},
        {"department": settings.department},
    ]
    contents = [msgspec.structs.replace(empty, **each) for each in named if any(each.values())]
    if settings.customer.kind == "fixed":
        customer = Customer("fixed", display_name=settings.customer.name)
        contents.append(msgspec.structs.replace(empty, customer=customer))
    if settings.product.kind == "fixed":
        line = Line(Decimal(0), product=ProductReference(name=settings.product.name))
        contents.append(
            msgspec.structs.replace(empty, lines=(line,), fixed_product=settings.product.name)
        )
    return contents


def actions_by_company(file: WorkflowFile) -> dict[str, list[tuple[str, ActionSettings]]]:
    """Workflow names and actions of the workflows that are on, by realm id."""
    found: dict[str, list[tuple[str, ActionSettings]]] = {
        each.realm_id: [] for each in file.companies.values()
    }
    for workflow in file.workflows:
        if workflow.enabled:
            for each in workflow.actions:
                found[each.company.realm_id].append((workflow.name, each))
    return found
