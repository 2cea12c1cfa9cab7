"""Dispatch and intake write the same documents: where they wait for each other, neither is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from reconciler.model import DocumentState
from reconciler.ports.dispatch import DocumentUpdate, Lease, Operation, OperationResult
from reconciler.ports.operator import DocumentAct, NewAudit
from reconciler.ports.standing import Amendment
from store.dispatch import DispatchStore
from store.leases import register_companies, take_leases
from store.operator import OperatorStore
from store.standing import StandingStore

REALM = "9341450000000078"
WITHIN = timedelta(seconds=30)


@pytest.fixture
async def lease(pool: asyncpg.Pool) -> Lease:
    """Of a company with two documents that are wanted."""
    await register_companies(pool, {REALM: "us"})
    await pool.execute(
        """
        INSERT INTO documents (realm_id, action, portal_id, object_type, object_id, enrolment,
                               workflow, state, content, enrolled_at, generation, revision, version,
                               attempts)
        SELECT $1, 'invoice', 4711, 'deal', n::text, 1, 'w', 'wanted', '{}', now(), 1, 1, 1, 0
          FROM generate_series(1, 2) AS n
        """,
        REALM,
    )
    (taken,) = await take_leases(pool, "me", [REALM], timedelta(seconds=15))
    return taken


def operation(document_id: int) -> Operation:
    key = f"d{document_id}"
    return Operation(key, REALM, document_id, "Invoice", "create", key, None, key, b"{}")


OPERATIONS = [operation(1), operation(2)]


async def test_who_waits_in_a_circle_with_intake_begins_after_it(
    pool: asyncpg.Pool, lease: Lease
) -> None:
    """Postgres breaks the one that waited first; its documents are begun all the same."""
    write = "UPDATE documents SET detail = 'x' WHERE document_id = $1"
    async with pool.acquire() as intake:
        async with intake.transaction():
            await intake.execute("SET LOCAL deadlock_timeout = '1min'")
            await intake.execute(write, 2)
            begin = asyncio.create_task(
                DispatchStore(pool, WITHIN).begin(lease, OPERATIONS, {1: 1, 2: 1})
            )
            while not await pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                await asyncio.sleep(0.01)
            await intake.execute(write, 1)
        assert await begin == {"d1", "d2"}


async def begin(pool: asyncpg.Pool, lease: Lease) -> None:
    assert len(await DispatchStore(pool, WITHIN).begin(lease, OPERATIONS, {1: 1, 2: 1})) == 2


async def record(pool: asyncpg.Pool, lease: Lease) -> None:
    results = [OperationResult(f"d{id_}", "done", str(id_)) for id_ in (1, 2)]
    updates = [DocumentUpdate(id_, DocumentState.CREATED, quickbooks_id=str(id_)) for id_ in (1, 2)]
    assert await DispatchStore(pool, WITHIN).record(lease, results, updates, []) == {1, 2}


async def fall_due(pool: asyncpg.Pool, _: Lease) -> None:
    await pool.execute("UPDATE operations SET next_attempt_at = now()")


async def take_up(pool: asyncpg.Pool, lease: Lease) -> None:
    assert len(await DispatchStore(pool, WITHIN).take_up(lease, 10)) == 2


async def begin_change(pool: asyncpg.Pool, lease: Lease) -> None:
    change = msgspec.structs.replace(operation(1), operation_key="change", verb="update")
    assert await StandingStore(pool, WITHIN).begin_change(lease, change, datetime.now(UTC))


async def amend(pool: asyncpg.Pool, lease: Lease) -> None:
    await StandingStore(pool, WITHIN).amend(lease, [Amendment(1, "1", "reported")], [])
    assert await pool.fetchval("SELECT change FROM documents WHERE document_id = 1") == "reported"


async def retry(pool: asyncpg.Pool, _: Lease) -> None:
    act = DocumentAct(document_id=1, version=1, state=DocumentState.WANTED)
    entry = NewAudit(actor="ada", action="retry", target="document 1")
    assert await OperatorStore(pool).change([act], [entry]) == {1}


Step = Callable[[asyncpg.Pool, Lease], Awaitable[None]]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((begin,), id="begin"),
        pytest.param((begin, record), id="record"),
        pytest.param((begin, fall_due, take_up), id="take up"),
        pytest.param((begin, record, begin_change), id="begin a change"),
        pytest.param((begin, record, amend), id="amend"),
        pytest.param((retry,), id="retry by hand"),
    ],
)
async def test_what_postgres_breaks_is_done_anew(
    pool: asyncpg.Pool, lease: Lease, steps: tuple[Step, ...]
) -> None:
    """The company goes on: its calls in the air would otherwise end as if the server were lost. And
    who retries by hand sees no error."""
    *before, step = steps
    for each in before:
        await each(pool, lease)
    await pool.execute(BROKEN_ONCE)
    await step(pool, lease)
    assert await pool.fetchval("SELECT last_value FROM broken") >= 2


BROKEN_ONCE = """
    CREATE SEQUENCE broken;
    CREATE FUNCTION break_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('broken') = 1 THEN
            RAISE EXCEPTION 'broken' USING ERRCODE = 'deadlock_detected';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER break_once BEFORE UPDATE ON documents EXECUTE FUNCTION break_once();
    CREATE TRIGGER break_once BEFORE UPDATE ON operations EXECUTE FUNCTION break_once();
"""
"""The first statement that writes either table waits in a circle, as far as its client is told."""
