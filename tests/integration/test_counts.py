"""What is counted now and then, and what a scrape reads, against a real Postgres."""

from __future__ import annotations

import asyncio

import asyncpg

from reconciler.service.scraping import CachedReport
from store.counts import COUNT_EVERY_SECONDS, add_metered_reads, count_if_old
from store.leases import register_companies
from store.reports import report
from store.summaries import activity, counts, health, workflow_counts

REALM = "9341450000000001"


async def document(
    pool: asyncpg.Pool, object_id: str, state: str, quickbooks_id: str | None
) -> int:
    """A document in the ledger."""
    found: int = await pool.fetchval(
        """
        INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                               workflow, generation, revision, version, state, attempts,
                               enrolled_at, quickbooks_entity, quickbooks_id, state_since,
                               next_attempt_at)
        VALUES ($1, 'invoice', 1, 'deal', $2, 1, 'w', 1, 1, 1, $3, 0, now(), 'Invoice', $4,
                now() - interval '1 hour', now() - interval '10 minutes')
        RETURNING document_id
        """,
        REALM,
        object_id,
        state,
        quickbooks_id,
    )
    return found


async def created(pool: asyncpg.Pool, document_id: int, key: str, quickbooks_id: str) -> None:
    """A creation that QuickBooks answered."""
    await pool.execute(
        """
        INSERT INTO operations (realm_id, operation_key, document_id, entity, request_id, marker,
                                request, attempts, state, quickbooks_id)
        VALUES ($1, $2, $3, 'Invoice', $2, '', '', 1, 'done', $4)
        """,
        REALM,
        key,
        document_id,
        quickbooks_id,
    )


async def counted(pool: asyncpg.Pool) -> int:
    """Count though it was done lately; answers the duplicates found."""
    await pool.execute("UPDATE ledger_counts SET counted_at = now() - interval '1 day'")
    assert await count_if_old(pool)
    return (await report(pool)).duplicated


async def test_two_ids_for_one_generation_are_a_duplicate(pool: asyncpg.Pool) -> None:
    """A recreated document has two ids rightly; one generation has not, and stays found."""
    recreated = await document(pool, "1", "created", "11")
    await created(pool, recreated, "d1/1.1/document", "10")
    await created(pool, recreated, "d1/2.1/document", "11")
    assert await counted(pool) == 0
    doubled = await document(pool, "2", "created", "21")
    await created(pool, doubled, "d2/1.1/document", "20")
    await created(pool, doubled, "d2/1.2/document", "21")
    assert await counted(pool) == 1
    assert await counted(pool) == 1  # looked at before, and still so


async def test_an_id_that_two_documents_claim_is_a_duplicate(pool: asyncpg.Pool) -> None:
    """Both are found, and neither once one of them gave it up."""
    for object_id in ("1", "2"):
        await created(
            pool, await document(pool, object_id, "created", "7"), f"d{object_id}/1.1/document", "7"
        )
    assert await counted(pool) == 2
    await pool.execute("UPDATE documents SET quickbooks_id = '8' WHERE object_id = '2'")
    assert await counted(pool) == 0


async def test_a_report_counts_every_state(pool: asyncpg.Pool) -> None:
    """Open documents at once, finished ones from the last count; ages in seconds."""
    for number, state in enumerate(("waiting", "blocked", "wanted", "wanted", "created")):
        await document(pool, str(number), state, str(number) if state == "created" else None)
    await count_if_old(pool)
    now = await report(pool)
    states = {row.state: row.documents for row in now.ledger}
    assert states == {"waiting": 1, "blocked": 1, "wanted": 2, "created": 1}
    assert now.due == {(REALM, "live"): 2}
    assert 3600 <= now.oldest[REALM, "blocked"] < 3700
    assert 600 <= now.oldest[REALM, "due"] < 700


async def test_people_see_what_was_counted_once_counting_is_dear(pool: asyncpg.Pool) -> None:
    """Until then they see what there is; what is not finished is counted at once in either case."""
    await document(pool, "1", "created", "1")
    await count_if_old(pool)
    await document(pool, "2", "created", "2")
    await document(pool, "3", "blocked", None)
    await pool.execute("UPDATE ledger_counts SET seconds = 0")  # however slow this machine is
    assert await shown(pool) == ({"created": 2, "blocked": 1}, {"created": 2, "blocked": 1})
    await pool.execute("UPDATE ledger_counts SET seconds = 1")
    assert await shown(pool) == ({"created": 1, "blocked": 1}, {"created": 1, "blocked": 1})


async def shown(pool: asyncpg.Pool) -> tuple[dict[str, int], dict[str, int]]:
    """Documents by state, of companies and of workflows."""
    of_companies = {each.state: each.documents for each in await counts(pool)}
    of_workflows = {each.state: each.documents for each in await workflow_counts(pool)}
    return of_companies, of_workflows


async def test_what_happened_lately_is_told(pool: asyncpg.Pool) -> None:
    """Created in the last hour, written in the last minute and today, by company."""
    await register_companies(pool, {REALM: "us", "2": "us2"})
    for number, ago in enumerate(("1 second", "2 minutes", "3 days")):
        await created(pool, number, f"d{number}/1.1/document", str(number))
        await pool.execute(
            "UPDATE operations SET first_sent_at = now() - $2::text::interval WHERE document_id = $1",
            number,
            ago,
        )
        await pool.execute(
            """
            INSERT INTO outcomes (kind, key, value, occurred_at)
            VALUES ('created', 'k', '{}', now() - $1::text::interval),
                   ('blocked', 'k', '{}', now() - $1::text::interval)
            """,
            ago,
        )
    found = await activity(pool)
    assert found[REALM].writes_last_minute == 1
    assert found[REALM].writes_today in (1, 2)  # just after midnight, UTC, the second was yesterday
    assert found["2"] == ({}, 0, 0)
    assert (await health(pool)).created_last_hour == 2


async def test_counting_is_rare_and_one_process_does_it(pool: asyncpg.Pool) -> None:
    """Of several that would count at once one does, and none again for a while."""
    done = await asyncio.gather(*(count_if_old(pool) for _ in range(4)))
    assert sum(done) >= 1
    assert not await count_if_old(pool)
    await pool.execute(
        "UPDATE ledger_counts SET seconds = 1, counted_at = now() - $1 * interval '1 second'",
        COUNT_EVERY_SECONDS * 10,
    )
    assert not await count_if_old(pool)  # it cost a second: not again for a hundred


async def test_metered_reads_add_up_by_month(pool: asyncpg.Pool) -> None:
    """Reads of all processes, for the month that the database's clock says."""
    await add_metered_reads(pool, {REALM: 3})
    await add_metered_reads(pool, {REALM: 4, "2": 1})
    await pool.execute("INSERT INTO metered_reads VALUES ($1, '2020-01-01', 99)", REALM)
    assert (await report(pool)).metered_reads == {REALM: 7, "2": 1}


async def test_scrapes_share_a_report_and_a_dear_one_serves_longer(pool: asyncpg.Pool) -> None:
    """Ten scrapes at once read Postgres once; reading again waits twenty times what it took."""
    now, reads = 0.0, 0

    async def read() -> object:
        nonlocal now, reads
        reads += 1
        now += 1.0  # it takes a second
        return await report(pool)

    cached = CachedReport(read, (OSError,), lambda: now)  # type: ignore[arg-type]
    await asyncio.gather(*(cached.get() for _ in range(10)))
    assert reads == 1
    now += 19
    await cached.get()
    assert reads == 1
    now += 2
    await cached.get()
    assert reads == 2
