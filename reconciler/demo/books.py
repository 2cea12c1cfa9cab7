"""Reads a company's books over the QuickBooks API with plain queries.

Called by `audit`. It knows the query endpoint and nothing else of the service: pages of 1,000
ordered by Id, name lists with their inactive rows (an active-only answer would hide doubles).
Amounts are Decimal.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp

Entity = dict[str, Any]

TRANSACTIONS = ("Invoice", "Estimate", "SalesReceipt", "RefundReceipt", "Purchase", "Payment")
NAME_LISTS = ("Customer", "Item", "Term")
_PAGE = 1_000  # QuickBooks's largest page
THROTTLED = 429
PAUSE_SECONDS = 0.5  # the limit that a demo meets is per second


class Books(NamedTuple):
    """Everything the audit looks at, by entity name."""

    realm_id: str
    entities: dict[str, list[Entity]]

    def of(self, entity: str) -> list[Entity]:
        return self.entities.get(entity, [])


async def read_books(session: aiohttp.ClientSession, base_url: str, realm_id: str) -> Books:
    """All transactions and name lists of one company."""
    url = f"{base_url.rstrip('/')}/v3/company/{realm_id}/query"
    entities = {}
    for entity in TRANSACTIONS:
        entities[entity] = await _all(session, url, entity, "")
    for entity in NAME_LISTS:
        entities[entity] = await _all(session, url, entity, " WHERE Active IN (true,false)")
    return Books(realm_id, entities)


async def _all(session: aiohttp.ClientSession, url: str, entity: str, where: str) -> list[Entity]:
    rows: list[Entity] = []
    while True:
        page = f"ORDERBY Id STARTPOSITION {len(rows) + 1} MAXRESULTS {_PAGE}"
        answer = await query(session, url, f"SELECT * FROM {entity}{where} {page}")
        found = answer.get(entity, [])
        rows += found
        if len(found) < _PAGE:
            return rows


async def query(session: aiohttp.ClientSession, url: str, statement: str) -> Entity:
    """The QueryResponse of one statement; waits and repeats while the company is throttled."""
    while True:
        async with session.get(url, params={"query": statement}) as response:
            text = await response.text()
            if response.status == THROTTLED:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if response.status != 200:
                raise RuntimeError(f"{statement!r} was answered {response.status}: {text[:200]}")
            answer: Entity = json.loads(text, parse_float=Decimal).get("QueryResponse", {})
            return answer


def session_for(token: str) -> aiohttp.ClientSession:
    """A session that presents the bearer token and asks for JSON."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    return aiohttp.ClientSession(headers=headers)
