"""What the dispatcher makes of a ledger, or a company, that is not as it was left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.company_at_work import Work, at_work, brisk_waits, sale
from tests.sandbox_process import Sandbox, sandbox_process


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for all; every test opens a company of its own."""
    with sandbox_process("--no-limits") as running:
        yield running


@pytest.fixture
async def work(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Work]:
    """A company whose documents are being made."""
    brisk_waits(monkeypatch)
    async with at_work(sandbox, database_dsn, await sandbox.company()) as opened:
        yield opened


async def test_a_result_that_its_document_never_learned_of_is_found_again(work: Work) -> None:
    """A document wanted anew whose operation has its result already is not made a second time."""
    await work.want([sale()])
    await work.run_until(work.all_created)
    made = (await work.document())["quickbooks_id"]
    await work.pool.execute(
        "UPDATE documents SET state = 'wanted', quickbooks_id = NULL, next_attempt_at = now()"
    )
    await work.run_until(work.all_created)
    assert (await work.document())["quickbooks_id"] == made
    assert len(await work.books("Invoice")) == 1


async def test_someone_entered_by_hand_is_found_before_being_created(work: Work) -> None:
    """A customer entered since the last look, under another display name, is not doubled."""
    await work.want([sale(name="Eve First", email="eve@first.org")])
    await work.run_until(work.all_created)
    ada = {
        "DisplayName": "Countess of Lovelace",
        "GivenName": "Ada",
        "FamilyName": "Byron",
        "PrimaryEmailAddr": {"Address": "ada@example.com"},
    }
    await work.sandbox.enter(work.realm, "Customer", ada)
    work.company.directory.forget_freshness()
    await work.want([sale()], first=2)
    await work.run_until(work.all_created)
    people = [row for row in await work.books("Customer") if row.get("FamilyName") == "Byron"]
    assert [row["DisplayName"] for row in people] == ["Countess of Lovelace"]
