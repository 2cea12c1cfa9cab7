"""The console's figures over a ledger filled by real intake: they agree with each other and with it."""

from __future__ import annotations

import asyncpg

from reconciler.console.context import BASE
from tests.console import Visitor
from tests.html import Page

US, EAST = "9341450000000001", "9341450000000003"


async def test_amounts_are_added_up_by_currency(ada: Visitor, ledger: asyncpg.Connection) -> None:
    """On the overview and among the causes: dollars and euros are told side by side."""
    await ledger.execute("DELETE FROM documents WHERE state = 'blocked'")
    content = """json_build_object('txn_date', '2026-03-01', 'total', '1000.25',
                                   'currency', CASE WHEN n % 2 = 0 THEN 'EUR' ELSE 'USD' END)"""
    await _add(ledger, 4, "'The same.'", content=content)
    for path in ("", "blocked"):
        row = _row(await ada.get(f"{BASE}/{path}"), "The same.")
        assert "2,000.50 EUR" in row
        assert "2,000.50 USD" in row


async def test_every_blocked_document_is_counted_however_many_causes_there_are(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """The overview and the group say one number, though only the first causes are listed."""
    await ledger.execute("DELETE FROM documents WHERE state = 'blocked'")
    await _add(ledger, 2400, "'Cause ' || n || '.'")
    await _add(ledger, 3, "'Line ' || n || '.'", reason="no_price")
    overview, blocked = await ada.get(f"{BASE}/"), await ada.get(f"{BASE}/blocked")
    assert "2,403 blocked" in overview.text
    assert "Blocked2,403 oldest" in overview.text
    assert "And 2,399 documents of other causes." in overview.text
    assert "Retry all 2,403" in blocked.text
    assert "No contact in us 2,400 documents" in blocked.text
    assert "2,350 more documents of rarer causes; all 2,400." in blocked.text
    assert "No price in us 3 documents" in blocked.text


async def test_a_list_that_a_group_leads_to_is_as_long_as_it_says(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """Also of documents that differ from HubSpot in two companies."""
    for realm_id, many in ((US, 2), (EAST, 3)):
        await _add(
            ledger, many, "'HubSpot now has it otherwise: total.'", reason="source_changed",
            state="created", realm_id=realm_id,
        )  # fmt: skip
    overview = await ada.get(f"{BASE}/")
    lists = [link for link in overview.links if "reason=source_changed" in link]
    assert sorted([_length(await ada.get(link)) for link in lists]) == [2, 3]


async def test_a_document_that_went_is_not_said_to_be_there(
    ada: Visitor, ledger: asyncpg.Connection
) -> None:
    """What QuickBooks lost was made there, and is to be checked; the ledger's words are nobody's."""
    told = "Invoice 1042 was deleted in QuickBooks."
    await _add(
        ledger, 1, f"'{told} If it should exist, enter it in QuickBooks by hand.'",
        reason="gone_in_quickbooks", state="created",
    )  # fmt: skip
    await ledger.execute(
        "UPDATE documents SET drift = reason || ': ' || detail WHERE reason <> '' AND state = 'created'"
    )
    number = await ledger.fetchval("SELECT max(document_id) FROM documents")
    page = await ada.get(f"{BASE}/documents/{number}")
    assert f"Invoice 1 was made in us. {told} What to do If it should exist" in page.text
    assert "gone_in_quickbooks" not in page.text
    assert "is in us" not in page.text
    assert "Created To check made" in page.text
    assert page.text.count(told) == 1, "it was not lost when it was made"
    assert "Created To check" in _row(await ada.get(f"{BASE}/documents"), "Invoice 1 ")


async def _add(
    ledger: asyncpg.Connection,
    many: int,
    detail: str,
    *,
    state: str = "blocked",
    reason: str = "no_contact",
    realm_id: str = US,
    content: str = "NULL",
) -> None:
    """Add documents; *detail* and *content* are SQL that may speak of the n-th."""
    await ledger.execute(
        f"""
        INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                               workflow, generation, revision, version, state, reason, detail,
                               content, attempts, enrolled_at, state_since, next_attempt_at,
                               quickbooks_entity, quickbooks_id, document_number)
        SELECT $1, 'invoice', 1, 'deal', $2 || n, 1, 'w', 1, 1, 1, $3, $2, {detail}, {content}, 0,
               now(), now(), now(), 'Invoice', q.id, q.id
          FROM generate_series(1, $4) AS n
         CROSS JOIN LATERAL (SELECT CASE WHEN $3 = 'created' THEN n::text END) AS q(id)
        """,
        realm_id,
        reason,
        state,
        many,
    )


def _row(page: Page, text: str) -> str:
    """The row of a table that holds a text, as it is read."""
    return next(" ".join(e.text.split()) for e in page.all("tr") if text in e.text)


def _length(page: Page) -> int:
    """How many documents are listed."""
    return len([e for e in page.all("tr") if "tbody" in e.parents])
