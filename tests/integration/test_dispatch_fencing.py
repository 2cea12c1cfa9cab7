"""The store's refusals, one by one: results twice, former owners, replaced relays, stolen time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from reconciler.errors import Fenced
from reconciler.model import Action, DocumentKey, DocumentState, ObjectType
from reconciler.ports.dispatch import DocumentUpdate, Lease, Operation, OperationResult
from reconciler.ports.outcomes import NewOutcome
from reconciler.ports.standing import Amendment
from store.dispatch import DispatchStore
from store.leases import register_companies, take_leases
from store.outbox import Outbox
from store.pool import open_pool
from store.standing import StandingStore

REALM = "9341450000000077"
KEY = DocumentKey(REALM, Action.INVOICE, 4711, ObjectType.DEAL, "7")
WITHIN = timedelta(seconds=30)


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on an empty ledger with one company."""
    opened = await open_pool(database_dsn, size=4, wait_seconds=10)
    await register_companies(opened, {REALM: "us"})
    yield opened
    await opened.close()


async def lease_of(pool: asyncpg.Pool, owner: str) -> Lease:
    """Take the company at once, as if the lease before had run out."""
    await pool.execute("UPDATE companies SET lease_until = now() - interval '1 second'")
    (lease,) = await take_leases(pool, owner, [REALM], timedelta(seconds=15), WITHIN)
    return lease


async def begun(pool: asyncpg.Pool, lease: Lease) -> tuple[DispatchStore, Operation, int]:
    """A document whose operation was begun just now."""
    id_ = await pool.fetchval(
        """
        INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                               workflow, state, content, enrolled_at, generation, revision, version,
                               attempts)
        VALUES ($1, 'invoice', 4711, 'deal', '7', 1, 'w', 'wanted', '{}', $2, 1, 1, 1, 0)
        RETURNING document_id
        """,
        REALM,
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    operation = Operation("key", REALM, id_, "Invoice", "create", "request", None, "mark", b"{}")
    store = DispatchStore(pool, WITHIN)
    assert await store.begin(lease, [operation], {id_: 1}) == {"key"}
    return store, operation, id_


def done(id_: int, quickbooks_id: str = "1") -> tuple[list[OperationResult], list[DocumentUpdate]]:
    """The result and the update of a created document."""
    update = DocumentUpdate(id_, DocumentState.CREATED, quickbooks_id=quickbooks_id)
    return [OperationResult("key", "done", quickbooks_id)], [update]


async def test_a_result_is_recorded_once(pool: asyncpg.Pool) -> None:
    """A second answer to the same operation changes neither the document nor the outbox."""
    lease = await lease_of(pool, "one")
    store, _, id_ = await begun(pool, lease)
    events = [NewOutcome(id_, "created", "k", "{}")]
    assert await store.record(lease, *done(id_), events) == {id_}
    refused = [OperationResult("key", "refused")], [DocumentUpdate(id_, DocumentState.BLOCKED)]
    assert await store.record(lease, *refused, events) == set()
    assert await store.record(lease, *done(id_, "2"), events) == set()
    row = await pool.fetchrow("SELECT state, quickbooks_id FROM documents")
    assert tuple(row) == ("created", "1")
    assert await pool.fetchval("SELECT count(*) FROM outcomes") == 1


async def test_an_amendment_is_recorded_once(pool: asyncpg.Pool) -> None:
    """A second answer to the same update takes back nothing that was changed meanwhile."""
    lease = await lease_of(pool, "one")
    store, creation, id_ = await begun(pool, lease)
    await store.record(lease, *done(id_), [])
    update = msgspec.structs.replace(creation, operation_key="update", verb="update")
    standing = StandingStore(pool, WITHIN)
    assert await standing.begin_change(lease, update, datetime.now(UTC))
    results = [OperationResult("update", "done", "1", "3")]
    events = [NewOutcome(id_, "updated", "k", "{}")]
    await standing.amend(lease, [Amendment(id_, "1", sync_token="3")], events, results)
    await standing.amend(lease, [Amendment(id_, "1", sync_token="2")], events, results)
    assert await pool.fetchval("SELECT sync_token FROM documents") == "3"
    assert await pool.fetchval("SELECT count(*) FROM outcomes") == 1


async def test_an_event_without_its_change_is_not_told(pool: asyncpg.Pool) -> None:
    """Intake changed what is wanted meanwhile: the document is not blocked, nor said to be."""
    lease = await lease_of(pool, "one")
    store, _, id_ = await begun(pool, lease)
    stale = DocumentUpdate(id_, DocumentState.BLOCKED, "reason", version=1)
    assert await store.record(lease, [], [stale], [NewOutcome(id_, "blocked", "k", "{}")]) == set()
    assert await pool.fetchval("SELECT count(*) FROM outcomes") == 0


async def test_a_former_owner_is_refused_everything(pool: asyncpg.Pool) -> None:
    """Begin, take up, record and amend, whatever it holds in its hands."""
    zombie = await lease_of(pool, "zombie")
    store, operation, id_ = await begun(pool, zombie)
    await lease_of(pool, "heir")
    await pool.execute("UPDATE operations SET next_attempt_at = now() - interval '1 second'")
    for work in (
        store.begin(zombie, [operation], {id_: 2}),
        store.take_up(zombie, 10),
        store.record(zombie, *done(id_), []),
        StandingStore(pool, WITHIN).amend(zombie, [Amendment(id_, "1", drift="")], []),
    ):
        with pytest.raises(Fenced):
            await work
    assert await pool.fetchval("SELECT state FROM operations") == "begun"


async def test_what_a_former_owner_may_have_sent_is_left_to_land(pool: asyncpg.Pool) -> None:
    """However long ago it was begun, the heir waits for as long as a call may take."""
    await begun(pool, await lease_of(pool, "former"))
    await pool.execute("UPDATE operations SET next_attempt_at = now() - interval '1 hour'")
    heir = await lease_of(pool, "heir")
    assert await DispatchStore(pool, WITHIN).take_up(heir, 10) == []


async def test_an_operation_is_taken_up_once_at_a_time(pool: asyncpg.Pool) -> None:
    """Taking it up makes it due again only after a call has had its time."""
    lease = await lease_of(pool, "one")
    store, _, _ = await begun(pool, lease)
    await pool.execute("UPDATE operations SET next_attempt_at = now() - interval '1 second'")
    (each,) = await store.take_up(lease, 10)
    assert each.taken_up_at >= each.first_sent_at
    assert each.key == KEY
    assert await store.take_up(lease, 10) == []


async def test_a_replaced_relay_numbers_nothing(pool: asyncpg.Pool) -> None:
    """One that hangs holds nobody up, and what it left unnumbered stays for its successor."""
    zombie = Outbox(pool, "zombie", timedelta(seconds=15))
    heir = Outbox(pool, "heir", timedelta(seconds=15))
    await pool.execute("INSERT INTO outcomes (kind, key, value) VALUES ('created', 'k', '{}')")
    assert await zombie.become_relay()
    assert not await heir.become_relay()
    await pool.execute("UPDATE installation SET relay_until = now() - interval '1 second'")
    assert await heir.become_relay()
    with pytest.raises(Fenced):
        await zombie.number_next(10, 0)
    with pytest.raises(Fenced):
        await zombie.stay_relay()
    assert [each.sequence for each in await heir.number_next(10, 0)] == [1]


async def test_an_unlisted_move_fails_in_every_test(pool: asyncpg.Pool) -> None:
    """All tests' databases hold the ledger's statements against `lifecycle.TRANSITIONS`."""
    lease = await lease_of(pool, "one")
    await begun(pool, lease)
    with pytest.raises(asyncpg.RaiseError, match="no move of document 1 from sending to dismissed"):
        await pool.execute("UPDATE documents SET state = 'dismissed'")


async def test_beginning_reads_what_begins_and_not_all_that_waits(pool: asyncpg.Pool) -> None:
    """However many documents are wanted, and though the statistics say that there are none."""
    lease = await lease_of(pool, "one")
    many = """
        INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                               workflow, state, content, enrolled_at, generation, revision, version,
                               attempts)
        SELECT $1, 'invoice', 4711, 'deal', $2 || n::text, 1, 'w', $2, '{}', now(), 1, 1, 1, 0
          FROM generate_series(1, 5000) AS n
        RETURNING document_id
    """
    await pool.fetch(many, REALM, "created")
    await pool.execute("ANALYZE documents")
    waiting = [row[0] for row in await pool.fetch(many, REALM, "wanted")]
    before = await rows_read(pool, "documents")
    store, versions = DispatchStore(pool, WITHIN), dict.fromkeys(waiting[::500], 1)
    operations = [
        Operation(f"key {id_}", REALM, id_, "Invoice", "create", f"r{id_}", None, "mark", b"{}")
        for id_ in versions
    ]
    assert len(await store.begin(lease, operations, versions)) == 10
    assert await rows_read(pool, "documents") - before < 100


async def test_recording_reads_what_ended_and_not_all_that_is_open(pool: asyncpg.Pool) -> None:
    """However many operations have no result, and though the statistics say that all have one."""
    lease = await lease_of(pool, "one")
    many = """
        INSERT INTO operations (realm_id, operation_key, entity, verb, request_id, marker, request,
                                state, attempts)
        SELECT $1, $2 || n::text, 'Customer', 'create', $2 || n::text, '', '', $2, 1
          FROM generate_series(1, 3000) AS n
    """
    await pool.execute(many, REALM, "done")
    await pool.execute("ANALYZE operations")
    await pool.execute(many, REALM, "begun")
    before = await rows_read(pool, "operations")
    results = [OperationResult(f"begun{n}", "done", str(n)) for n in range(1, 11)]
    await DispatchStore(pool, WITHIN).record(lease, results, [], [])
    assert await rows_read(pool, "operations") - before < 100
    assert await pool.fetchval("SELECT count(*) FROM operations WHERE state = 'begun'") == 2990


async def rows_read(pool: asyncpg.Pool, table: str) -> int:
    """Rows of the table, and entries of its indexes, that were read so far."""
    async with pool.acquire() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return int(
            await connection.fetchval(
                """
                SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = $1)
                       + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = $1)
                """,
                table,
            )
        )
