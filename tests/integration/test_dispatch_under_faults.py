"""Three hundred documents while a fifth of all requests goes wrong: each is made exactly once.

Every way a request can go wrong, under every documented unknown of QuickBooks. A part of the
matrix runs with the ordinary tests; `-m faults` runs the whole of it (some minutes).
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from reconciler.model import Action, Customer, Line, ProductReference
from reconciler.writing.lifecycle import RetryPolicy
from tests.company_at_work import BRISK, Work, at_work, brisk_waits, plan, sale
from tests.sandbox_process import Sandbox

DOCUMENTS = 300

KINDS: dict[str, dict[str, Any]] = {
    "drop_before_commit": {},
    "drop_after_commit": {},
    "delay before": {"kind": "delay", "phase": "before", "seconds": 0.8},
    "delay after": {"kind": "delay", "phase": "after", "seconds": 0.8},
    "status_before_commit": {"status": 500},
    "status_after_commit": {"status": 503},
    "throttle": {},
    "expired_token": {},
    "revoked_grant": {},
    "reset before": {"kind": "reset", "phase": "before"},
    "reset after": {"kind": "reset", "phase": "after"},
    "truncate": {},
    "wrong_content_type": {},
    "fault 600": {"kind": "fault", "code": "600", "message": "Duplicate Request ID"},
    "fault 10000": {"kind": "fault", "code": "10000", "message": "System error"},
    "fault 5010": {"kind": "fault", "code": "5010", "message": "Stale Object Error"},
}

SWITCHES: dict[str, dict[str, Any]] = {
    "as likely": {},
    "request ids are forgotten at once": {"requestid_ttl_seconds": 0},
    "no replay after deletion": {"replay_after_delete": False},
    "name lists ignore request ids": {"honour_requestid_for_name_lists": False},
    "600 while in work": {"concurrent_requestid": "600"},
    "600 for another body": {"changed_body_requestid": "600"},
    "faults are replayed": {"replay_faults": True},
    "throttles in XML": {"throttle_body": "xml"},
    "throttles with 403": {"throttle_status": 403, "throttle_body": "gateway"},
    "numbers unique in the company": {"docnumber_unique_scope": "company"},
    "numbers replaced": {"docnumber_when_automatic": "replace"},
    "names of inactive ones stay taken": {"deleted_name_suffix": False},
    "2500 for what is inactive": {"inactive_reference_code": "2500"},
    "queries upside down": {"query_default_order": "id_desc"},
    "queries mind case": {"query_case_sensitive_values": True},
    "pages with one row more": {"query_page_extra_row": True},
    "typographic quotes refused": {"query_raw_quotes_refused": True},
    "faults with HTTP 200": {"fault_status": 200},
    "6560 for a missing customer": {"missing_customer_code": "6560"},
    "tokens refused in XML": {"reject_status": "xml"},
    "tax dropped without taxable lines": {"total_tax_without_taxable_lines": "ignore"},
}

FORGETFUL = RetryPolicy(
    replay_window=timedelta(0),
    landing=timedelta(seconds=1),
    first_delay=BRISK.first_delay,
    longest_delay=BRISK.longest_delay,
    longest_pause=BRISK.longest_pause,
    give_up_resolving=50,
)
PATIENT = RetryPolicy(
    first_delay=BRISK.first_delay,
    longest_delay=BRISK.longest_delay,
    longest_pause=BRISK.longest_pause,
    give_up_resolving=50,
)
"""A fifth of all requests answered with "stale" is more than a person should be asked about."""

EVERYWHERE = [(kind, switch) for kind in KINDS for switch in SWITCHES]
ORDINARY = [
    *((kind, "as likely") for kind in ("drop_after_commit", "truncate", "expired_token")),
    ("drop_after_commit", "request ids are forgotten at once"),
    ("reset after", "name lists ignore request ids"),
    ("status_after_commit", "600 while in work"),
]


def sales() -> list[Any]:
    """Documents of sixty customers and nine products, some by one name in two spellings."""
    return [
        sale(
            customer=Customer(
                "contact", str(number % 60), "Ada", f"O’Byron {number % 60}",
                f"ada{number % 60}@example.com",
            ),
            lines=(Line(Decimal("100.00"), product=ProductReference(name=f"Part {number % 9}")),),
            private_note=f"deal {number}",
        )
        for number in range(DOCUMENTS)
    ]  # fmt: skip


async def make_all(sandbox: Sandbox, dsn: str, kind: str, switch: str) -> None:
    """Make the documents, and count what stands in the books."""
    realm = await sandbox.company(**SWITCHES[switch])
    policy = FORGETFUL if switch.startswith("request ids") else PATIENT
    patience = timedelta(seconds=0.5)
    async with at_work(sandbox, dsn, realm, policy=policy, patience=patience) as work:
        work.company._batch_items = 6  # more calls, so that more of them go wrong
        await plan(sandbox, realm, **({"kind": kind, "rate": 0.2, "seed": 7} | KINDS[kind]))
        await work.want(sales()[: DOCUMENTS // 2])
        paid = sales()[DOCUMENTS // 2 :]
        await work.want(paid, Action.PAID_INVOICE, first=DOCUMENTS // 2 + 1)
        await work.run_until(work.all_created, seconds=100)
        await sandbox.admin("DELETE", "faults")
        await check(work)


async def check(work: Work) -> None:
    """Each document once, each paid invoice paid once, no customer or product twice."""
    invoices = await work.books("Invoice")
    notes = Counter(row["PrivateNote"].split("\n")[0] for row in invoices)
    assert set(notes.values()) == {1}, notes.most_common(3)
    assert len(invoices) == DOCUMENTS
    ids = {row["quickbooks_id"] for row in await work.documents()}
    assert ids == {row["Id"] for row in invoices}
    payments = await work.books("Payment")
    assert len(payments) == DOCUMENTS // 2
    assert sorted(row["Balance"] for row in invoices) == [0] * 150 + [100] * 150
    for entity, name, count in (("Customer", "DisplayName", 60), ("Item", "Name", 9)):
        rows = await work.books(entity)
        assert len(rows) == count, sorted(row[name] for row in rows)
    created = [kind for kind in await work.outcomes() if kind == "created"]
    assert len(created) == DOCUMENTS


@pytest.mark.parametrize(("kind", "switch"), ORDINARY)
async def test_each_is_made_once(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch, kind: str, switch: str
) -> None:
    """Whatever goes wrong, and whatever QuickBooks does about it, nothing is lost or doubled."""
    brisk_waits(monkeypatch)
    await make_all(sandbox, database_dsn, kind, switch)


@pytest.mark.faults
@pytest.mark.parametrize(("kind", "switch"), EVERYWHERE)
async def test_each_is_made_once_everywhere(
    sandbox: Sandbox, database_dsn: str, monkeypatch: pytest.MonkeyPatch, kind: str, switch: str
) -> None:
    """The same for every way to go wrong under every switch."""
    brisk_waits(monkeypatch)
    await make_all(sandbox, database_dsn, kind, switch)
