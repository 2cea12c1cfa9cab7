"""Who dispatches for which company: leases with fencing tokens, by the database's clock only.

Called by `reconciler.dispatch.dispatcher`. A lease that ran out may be taken by anyone; the token then
grows, and every write of the former owner is refused (`hold` in the same transaction).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import asyncpg

from reconciler.errors import Fenced
from reconciler.ports.dispatch import Lease
from store.pool import Connection

P = ParamSpec("P")
T = TypeVar("T")


async def register_companies(pool: asyncpg.Pool, names: Mapping[str, str]) -> None:
    """Make sure that every company of the workflow file has a row (by realm id).

    Rows that are right already are not touched: a start must not wait for whoever holds them.
    """
    rows = list(names), list(names.values())
    await pool.execute(
        """
        INSERT INTO companies (realm_id, name)
        SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT (realm_id) DO NOTHING
        """,
        *rows,
    )
    await pool.execute(
        """
        UPDATE companies AS c SET name = n.name
          FROM unnest($1::text[], $2::text[]) AS n(realm_id, name)
         WHERE c.realm_id = n.realm_id AND c.name <> n.name
        """,
        *rows,
    )


async def take_leases(
    pool: asyncpg.Pool,
    owner: str,
    realm_ids: Sequence[str],
    lasting: timedelta,
    answer_within: timedelta = timedelta(0),
) -> list[Lease]:
    """Take every company among *realm_ids* that nobody holds now; answers those taken.

    What a former owner may have sent just before it lost the company is left alone for
    *answer_within*: by then the call has landed or never will, and nothing we decide about the
    operation can be overtaken by it.
    """
    rows = await pool.fetch(
        """
        WITH taken AS (
            UPDATE companies AS c
               SET lease_owner = $1, lease_token = c.lease_token + 1, lease_until = now() + $3
              FROM (SELECT realm_id FROM companies
                     WHERE realm_id = ANY($2::text[]) AND (lease_until IS NULL OR lease_until < now())
                     ORDER BY realm_id FOR UPDATE SKIP LOCKED) AS free
             WHERE c.realm_id = free.realm_id
            RETURNING c.realm_id, c.lease_token),
        postponed AS (
            UPDATE operations AS o SET next_attempt_at = greatest(next_attempt_at, now() + $4)
              FROM taken AS t
             WHERE o.realm_id = t.realm_id AND o.state IN ('begun', 'unknown'))
        SELECT realm_id, lease_token FROM taken
        """,
        owner,
        list(realm_ids),
        lasting,
        answer_within,
    )
    return [Lease(realm_id, owner, token) for realm_id, token in rows]


async def renew_leases(pool: asyncpg.Pool, leases: Sequence[Lease], lasting: timedelta) -> set[str]:
    """Prolong leases still held; answers the realm ids that are. The others are lost."""
    rows = await pool.fetch(
        """
        UPDATE companies AS c SET lease_until = now() + $4
          FROM unnest($1::text[], $2::text[], $3::bigint[]) AS l(realm_id, owner, token)
         WHERE c.realm_id = l.realm_id AND c.lease_owner = l.owner AND c.lease_token = l.token
        RETURNING c.realm_id
        """,
        [lease.realm_id for lease in leases],
        [lease.owner for lease in leases],
        [lease.token for lease in leases],
        lasting,
    )
    return {row[0] for row in rows}


async def give_back_leases(pool: asyncpg.Pool, leases: Sequence[Lease]) -> None:
    """Let others take these companies at once (orderly shutdown)."""
    await pool.execute(
        """
        UPDATE companies AS c SET lease_until = NULL, lease_owner = NULL
          FROM unnest($1::text[], $2::bigint[]) AS l(realm_id, token)
         WHERE c.realm_id = l.realm_id AND c.lease_token = l.token
        """,
        [lease.realm_id for lease in leases],
        [lease.token for lease in leases],
    )


async def database_time(pool: asyncpg.Pool) -> datetime:
    """The one clock that all processes share."""
    now: datetime = await pool.fetchval("SELECT now()")
    return now


async def notice_companies(pool: asyncpg.Pool, realm_ids: set[str]) -> None:
    """Tell the owners of these companies, in whatever process, to look at QuickBooks soon."""
    await pool.execute(
        "SELECT pg_notify('company_changed', realm_id) FROM companies WHERE realm_id = ANY($1)",
        list(realm_ids),
    )


def done_anew(
    transaction: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Do a method that is one transaction again where Postgres broke it.

    It does so to one of two that wait for each other's rows, say dispatch and intake, and nothing is
    wrong with either. To the company's owner it would look like a lost server, and end its calls; who
    retries documents by hand would be shown an error.
    """

    @wraps(transaction)
    async def done(*args: P.args, **kwargs: P.kwargs) -> T:
        while True:
            with suppress(asyncpg.exceptions.TransactionRollbackError):
                return await transaction(*args, **kwargs)

    return done


async def hold(connection: Connection, lease: Lease, *, to_write: bool = False) -> None:
    """Refuse this transaction unless the lease is held, and keep it from being taken until commit.

    *to_write* where the company's own row will be written: two transactions that share it and then
    both want to write it would wait for each other.
    Raises `Fenced`. Time plays no part: a lease that ran out but was not taken still holds.
    """
    held = await connection.fetchval(
        f"""
        SELECT 1 FROM companies
         WHERE realm_id = $1 AND lease_owner = $2 AND lease_token = $3
           FOR {"NO KEY UPDATE" if to_write else "SHARE"}
        """,
        *lease,
    )
    if held is None:
        raise Fenced(f"company {lease.realm_id} has another owner now")
