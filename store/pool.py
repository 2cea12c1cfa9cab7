"""Opens connections to Postgres: pools of them, and single ones past a pooler. The only module that does.

Called by `reconciler.service.adapters`, and by what needs a session of its own; the queries are in the other
modules. What asyncpg says of an address may hold a part of its password, and is never passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import asyncpg
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from reconciler.errors import ConfigurationError, ReconcilerError

Connection = asyncpg.Connection
Pool = asyncpg.Pool

_CLOSE_SECONDS = 5.0
_SESSION = {"application_name": "reconciler", "timezone": "UTC"}

UNREACHABLE = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    TimeoutError,
)
"""What asyncpg raises while a server is down, starting or stopping."""

LOST = (
    *UNREACHABLE,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # used after the server's farewell, before the end of the stream
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,  # shut down, crashed, starting
    asyncpg.exceptions.InsufficientResourcesError,  # full disk, too many connections
    asyncpg.exceptions.PostgresSystemError,
    asyncpg.exceptions.TransactionRollbackError,  # deadlock
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # failed over, and this is the standby
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,  # this process was stopped meanwhile
)
"""What a call raises when the server could not do it: nothing was committed, or it is unknown."""


_LOST_MEANWHILE = (
    ConnectionError,
    socket.gaierror,
    *(each for each in LOST if each is not OSError),
)
"""The same without a full disk or a closed pipe of the command's own."""


class PostgresUnavailable(ReconcilerError):
    """Postgres was not there for a command, or went away in the middle of its work."""


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """Knows whether its last statement came to its end.

    asyncpg prepares a statement without ending the transaction that the server opens for it; who is
    cut off before the statement itself is sent leaves that open, with its snapshot and its `now()`.
    """

    is_cut_off = False

    async def _execute(self, *statement: Any, **options: Any) -> Any:
        self.is_cut_off = True
        result = await super()._execute(*statement, **options)
        self.is_cut_off = False
        return result


async def _end_what_was_cut_off(connection: _Connection) -> None:
    """All there is to reset on a connection given back: no statement of ours leaves a setting, a
    lock of the session or a cursor behind (asyncpg itself ends transactions that were begun).
    asyncpg's own reset would double the round trips of every single statement."""
    if connection.is_cut_off:
        await connection.execute("SELECT 1")
        connection.is_cut_off = False


async def _limit_transactions(seconds: float, connection: asyncpg.Connection) -> None:
    """What is stopped between two messages of one statement does not count as idle, and would keep
    its locks for ever. Only PostgreSQL 17 and later can end it."""
    await connection.execute(
        "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = 'transaction_timeout'",
        f"{seconds * 1000:.0f}",
    )


@contextlib.contextmanager
def _in_our_words(setting: str) -> Iterator[None]:
    """Raises ConfigurationError for what only a person can mend, and names *setting*."""
    try:
        yield
    except UNREACHABLE:
        raise
    except ValueError:
        raise ConfigurationError(
            f"{setting} can't be read: percent-encode what is special in its password "
            "(# as %23, / as %2F, @ as %40, : as %3A)"
        ) from None  # it holds a part of the password
    except LOST:
        raise
    except asyncpg.PostgresError as error:
        raise ConfigurationError(
            f"Postgres refused the connection ({type(error).__name__}: {error}): check user, password "
            f"and database in {setting}"
        ) from error


@contextlib.contextmanager
def told_in_words() -> Iterator[None]:
    """For commands, which end where the service would try again. Raises PostgresUnavailable, and
    ConfigurationError for what the role may not do, or the database does not hold."""
    try:
        yield
    except BrokenPipeError:
        raise  # of whoever read the output
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise ConfigurationError(
            f"the database of RECONCILER_POSTGRES_DSN has not the tables of this version ({error}): start "
            "the service once (reconciler run), it makes them"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigurationError(
            f"the role of RECONCILER_POSTGRES_DSN may not do this ({error}): use the service's"
        ) from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise ConfigurationError(
            f"Postgres takes no changes here ({error}): RECONCILER_POSTGRES_DSN names a standby, or a role "
            "that only reads"
        ) from error
    except _LOST_MEANWHILE as error:
        raise PostgresUnavailable(
            f"Postgres does not answer ({type(error).__name__}: {error}): check RECONCILER_POSTGRES_DSN and "
            "that the server runs. What was done is kept; run the command again."
        ) from error


async def connect(
    dsn: str,
    *,
    timeout_seconds: float = 60.0,
    command_timeout: float | None = None,
    server_settings: Mapping[str, str] | None = None,
) -> asyncpg.Connection:
    """A connection of its own, past a pooler: for what needs a session.

    Raises one of `LOST` when the server can't be reached within *timeout_seconds*, and
    ConfigurationError when the address or the login is wrong.
    """
    with _in_our_words(
        "RECONCILER_POSTGRES_DIRECT_DSN (or RECONCILER_POSTGRES_DSN, where that is not set)"
    ):
        return await asyncpg.connect(
            dsn,
            timeout=timeout_seconds,
            command_timeout=command_timeout,
            server_settings={"application_name": "reconciler", **(server_settings or {})},
        )


async def close_pool(pool: asyncpg.Pool) -> None:
    """Say farewell to the server, without waiting for one that may never answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()


async def open_pool(
    dsn: str,
    *,
    size: int,
    wait_seconds: float,
    pooler: bool = False,
    timeout_seconds: float = 30.0,
) -> asyncpg.Pool:
    """A pool of up to *size* connections, retried for *wait_seconds* while the server starts.

    *pooler* True when a transaction-pooling proxy (PgBouncer) stands between: prepared
    statements are then not kept, and the role limits its transactions (docs/operations.md).
    *timeout_seconds* bounds every statement: a connection that
    a network has swallowed gives no error of its own. Raises ConfigurationError when the server
    can't be reached.
    """
    # A process that stops inside a transaction must not keep its locks for as long as those who
    # wait for them are patient. PgBouncer refuses what it does not know how to set for each client.
    not_kept_waiting = {"idle_in_transaction_session_timeout": f"{timeout_seconds * 500:.0f}"}
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(UNREACHABLE),
        stop=stop_after_delay(wait_seconds),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        reraise=True,
    )
    try:
        async for attempt in attempts:
            with attempt, _in_our_words("RECONCILER_POSTGRES_DSN"):
                return await asyncpg.create_pool(
                    dsn,
                    min_size=1,
                    max_size=size,
                    timeout=timeout_seconds,
                    command_timeout=timeout_seconds,
                    statement_cache_size=0 if pooler else 200,
                    connection_class=_Connection,
                    init=None if pooler else partial(_limit_transactions, timeout_seconds * 2),
                    reset=_end_what_was_cut_off,
                    server_settings=_SESSION if pooler else _SESSION | not_kept_waiting,
                )
    except UNREACHABLE as error:
        if "rejected SSL upgrade" in str(error):  # asyncpg has no class for it
            raise ConfigurationError(
                "Postgres takes no encrypted connection, and RECONCILER_POSTGRES_DSN asks for one: turn ssl "
                "on at the server, or write another sslmode"
            ) from error
        raise ConfigurationError(
            f"Postgres did not answer within {wait_seconds:g} s ({type(error).__name__}): "
            "check RECONCILER_POSTGRES_DSN and that the server is running"
        ) from error
    except asyncpg.PostgresError as error:
        raise ConfigurationError(
            f"Postgres takes no connection now ({type(error).__name__}: {error})"
        ) from error
    raise AssertionError("unreachable")
