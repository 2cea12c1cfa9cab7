"""Owns exchange rates: what `exchangerate` answers for a currency and a day.

The switch `exchange_rates` is the company's list of currencies. The request is known from clients
(node-quickbooks#58, quickbooks-ruby#347); what is answered for a pair that has no rate is not.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from reconciler.sandbox import faults
from reconciler.sandbox.answers import Answer, timed
from reconciler.sandbox.clock import pacific
from reconciler.sandbox.company import Company
from reconciler.sandbox.faults import Fault


def rate(company: Company, flags: Mapping[str, str]) -> Answer:
    """What one unit of `sourcecurrencycode` is worth at home on `asofdate`, today by default."""
    currency = flags.get("sourcecurrencycode", "").upper()
    if not currency:
        raise Fault(faults.missing("sourcecurrencycode"))
    if not company.preference("CurrencyPrefs", "MultiCurrencyEnabled", False):
        raise Fault(faults.business("Multicurrency is not enabled", "sourcecurrencycode"))
    day = flags.get("asofdate") or company.clock.today()
    try:
        date.fromisoformat(day)
    except ValueError as error:
        raise Fault(faults.invalid_id("asofdate", day)) from error
    now = company.clock.now()
    found = {
        "SyncToken": "0",
        "domain": "QBO",
        "sparse": False,
        "SourceCurrencyCode": currency,
        "TargetCurrencyCode": company.currency,
        "Rate": _rate(company, currency, day),
        "AsOfDate": day,
        "MetaData": {"LastUpdatedTime": pacific(now)},
    }
    return Answer(200, timed({"ExchangeRate": found}, now))


def _rate(company: Company, currency: str, day: str) -> Decimal:
    known = company.switches.exchange_rates
    given = "1" if currency == company.currency else known.get(f"{currency} {day}")
    if given is None:
        given = known.get(currency)
    if given is None and company.switches.exchange_rate_missing == "fault":
        raise Fault(faults.not_found())
    return Decimal(given or 1)
