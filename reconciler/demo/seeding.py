"""Gives each company its past before the feed starts: products, customers, vendors.

Called by the demo and by tests, over the public QuickBooks API with plain POSTs. What is posted is
`catalogue`'s data; it refuses to guess: any answer but success stops the demo.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp
import msgspec

from reconciler.demo.books import PAUSE_SECONDS, THROTTLED, query, session_for
from reconciler.demo.catalogue import CatalogueCustomer, CatalogueItem, CompanyCatalogue

_ENCODER = msgspec.json.Encoder(decimal_format="number")  # QuickBooks takes amounts as numbers
_ACCOUNT_TYPE = {"Service": "ServiceFeeIncome", "NonInventory": "SalesOfProductIncome"}


class _Company(NamedTuple):
    """Where to post for one company."""

    session: aiohttp.ClientSession
    url: str

    async def create(self, entity: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post one entity and return it as QuickBooks keeps it; waits while throttled."""
        data = _ENCODER.encode(body)
        headers = {"Content-Type": "application/json"}
        while True:
            target = f"{self.url}/{entity.lower()}"
            async with self.session.post(target, data=data, headers=headers) as response:
                text = await response.text()
                if response.status == THROTTLED:
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                answer = json.loads(text) if response.status == 200 else {}
                if entity not in answer:
                    raise RuntimeError(f"{entity} was answered {response.status}: {text[:300]}")
                created: dict[str, Any] = answer[entity]
                return created


async def seed_companies(
    base_url: str, token: str, companies: Mapping[str, CompanyCatalogue]
) -> None:
    """Post every company's lists to the QuickBooks API at *base_url* (before `/v3/company`).

    Companies are filled at the same time: QuickBooks's limits are per company.
    """
    async with session_for(token) as session, asyncio.TaskGroup() as tasks:
        for realm_id, lists in companies.items():
            company = _Company(session, f"{base_url.rstrip('/')}/v3/company/{realm_id}")
            tasks.create_task(_seed(company, lists))


async def _seed(company: _Company, lists: CompanyCatalogue) -> None:
    accounts = await _income_accounts(company)
    for item in lists.items:
        await _create_item(company, item, accounts[item.kind])
    for customer in lists.customers:
        await company.create("Customer", _customer_body(customer))
    for name in lists.vendors:
        await company.create("Vendor", {"DisplayName": name})


async def _income_accounts(company: _Company) -> dict[str, str]:
    """Id of the income account for each kind of item, found by subtype."""
    accounts = {}
    for kind, subtype in _ACCOUNT_TYPE.items():
        statement = f"SELECT * FROM Account WHERE AccountSubType = '{subtype}' MAXRESULTS 1"
        answer = await query(company.session, f"{company.url}/query", statement)
        if "Account" not in answer:
            raise RuntimeError(f"the company has no {subtype} account")
        accounts[kind] = answer["Account"][0]["Id"]
    return accounts


async def _create_item(company: _Company, item: CatalogueItem, account_id: str) -> None:
    body = {
        "Name": item.name, "Type": item.kind, "UnitPrice": item.price,
        "IncomeAccountRef": {"value": account_id}, "Description": item.name,
    }  # fmt: skip
    if item.sku:
        body["Sku"] = item.sku
    created = await company.create("Item", body)
    if not item.active:
        change = {"Id": created["Id"], "SyncToken": created["SyncToken"], "sparse": True}
        await company.create("Item", {**change, "Active": False})


def _customer_body(customer: CatalogueCustomer) -> dict[str, Any]:
    party = customer.party
    body: dict[str, Any] = {"DisplayName": customer.display_name}
    if party.first:
        body |= {"GivenName": party.first, "FamilyName": party.last}
    if party.email:
        body["PrimaryEmailAddr"] = {"Address": party.email}
    return body
