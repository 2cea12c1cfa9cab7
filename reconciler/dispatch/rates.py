"""Finds the exchange rates at which documents in another currency than the company's are booked.

Called by `prepare`; `directory` keeps one per company. QuickBooks books one to one what bears no
rate (Invoice, "ExchangeRate", read 2026-11). A rate is read once for each currency and day and
kept: reads are metered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

import structlog

from reconciler.errors import Disconnected, QuickBooksError
from reconciler.model import Action, DocumentContent
from reconciler.ports.dispatch import DueDocument
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.loading import Sender
from reconciler.quickbooks.payload import Payload
from reconciler.quickbooks.protocol import exchange_rate, read
from reconciler.reasons import Blocked, Reason
from reconciler.writing.lifecycle import is_refusal
from reconciler.writing.resolve import Resolved

_log = structlog.get_logger("reconciler.rates")

Key = tuple[str, str]
"""What a rate is asked by: currency and day, or "Invoice" and the id of one that is to be paid."""

MOST_KEPT = 4096
"""Rates kept of a company; the oldest are forgotten."""

AT_PAR = frozenset({"BMD", "BSD", "PAB"})
"""Currencies worth a dollar by law. Of any other, 1 is what QuickBooks says where nobody entered one."""


@dataclass
class Rates:
    """One company's; None stands for a rate that QuickBooks does not have."""

    quickbooks: Sender
    _known: dict[Key, Decimal | None] = field(default_factory=dict)

    def key(
        self, document: DueDocument, content: DocumentContent, facts: CompanyFacts
    ) -> Key | None:
        """What its rate is asked by; None for a document in the company's own currency."""
        currency = facts.foreign_currency(content.currency)
        if not currency:
            return None
        if document.key.action is Action.PAID_INVOICE and document.quickbooks_id:
            return "Invoice", document.quickbooks_id  # its payment has its rate
        return currency, content.txn_date

    def is_known(self, key: Key | None) -> bool:
        """Whether there is nothing left to ask."""
        return key is None or key in self._known

    def rated(self, found: Resolved, key: Key | None) -> Resolved:
        """The same with its rate, where that is known. Raises `Blocked`."""
        if key is None or key not in self._known:
            return found
        rate = self._known[key]
        if rate is None and key[0] != "Invoice":  # of an invoice it says itself what is wrong
            raise Blocked(Reason.NO_EXCHANGE_RATE, currency=key[0], date=key[1])
        return replace(found, exchange_rate=rate)

    async def read(self, keys: Iterable[Key]) -> None:
        """Ask for these rates; those that can't be asked for now stay unknown. Raises Disconnected."""
        for key in keys:
            try:
                rate = await self._ask(key)
            except Disconnected:
                raise
            except QuickBooksError as error:
                _log.warning("exchange rate not read", currency=key[0], error=str(error))
                return
            self._known[key] = rate
        while len(self._known) > MOST_KEPT:
            del self._known[next(iter(self._known))]

    async def _ask(self, key: Key) -> Decimal | None:
        request = read(*key) if key[0] == "Invoice" else exchange_rate(*key)
        try:
            answer = await self.quickbooks.send(request)
        except QuickBooksError as error:
            if not is_refusal(error):
                raise
            return None
        if key[0] == "Invoice":
            return rate_in(answer.entity("Invoice"))
        rate = _positive(answer.entity("ExchangeRate").get("Rate"))
        return None if rate == 1 and key[0] not in AT_PAR else rate

    def forget_missing(self) -> None:
        """Somebody may have entered them by now."""
        self._known = {key: rate for key, rate in self._known.items() if rate is not None}


def rate_in(transaction: Payload) -> Decimal | None:
    """The rate that a transaction bears; None where it tells none."""
    return _positive(transaction.get("ExchangeRate"))


def _positive(value: object) -> Decimal | None:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool) and value > 0
    return Decimal(str(value)) if is_number else None
