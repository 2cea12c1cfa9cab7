"""Owns `taxservice/taxcode`: the only way to create a tax code."""

from collections.abc import Mapping
from typing import Any

from reconciler.sandbox import faults
from reconciler.sandbox.answers import Answer
from reconciler.sandbox.chart import add_tax_code
from reconciler.sandbox.exact import encode, number
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.realm import Realm
from reconciler.sandbox.unit import Unit


def create_tax_code(realm: Realm, body: Any) -> Answer:
    """Create a tax code with its rate; the answer repeats the request with the ids."""
    if not isinstance(body, Mapping) or not body.get("TaxCode"):
        raise Fault(faults.missing("TaxCode"))
    details = body.get("TaxRateDetails")
    if not isinstance(details, list) or len(details) != 1:
        raise Fault(faults.missing("TaxRateDetails"))
    name, detail = str(body["TaxCode"]), details[0]
    holders = realm.company.tables["TaxCode"].find("Name", name)
    if holders:
        raise Fault(faults.duplicate_name("Another tax code has this name.", holders[0]))
    agency = str(detail.get("TaxAgencyId", ""))
    if agency not in realm.company.tables["TaxAgency"].rows:
        raise Fault(faults.unknown_reference("TaxAgencies", agency, "TaxAgencyId"))
    percent = number(detail.get("RateValue"))
    if percent is None or not 0 <= percent <= 100:
        raise Fault(faults.wrong_number("RateValue", detail.get("RateValue")))
    unit = Unit(realm.company)
    code = add_tax_code(unit, name, str(detail.get("TaxRateName", name)), percent, agency)
    realm.committed(unit.commit())
    rate = code["SalesTaxRateList"]["TaxRateDetail"][0]["TaxRateRef"]["value"]
    answered = {
        "TaxCode": name,
        "TaxCodeId": code["Id"],
        "TaxRateDetails": [{**detail, "TaxRateId": rate}],
    }
    return Answer(200, encode(answered))
