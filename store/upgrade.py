"""Runs the migrations with Alembic. Called by `migrate` if any is missing, as importing Alembic takes long.

Several processes may start at once: an advisory lock makes all but the first wait and find
nothing to do. Only what may take long waits without a limit.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from store.pool import LOST, connect

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_204_021_990  # any constant that nobody else uses in this database
_UNLIMITED = """
    SELECT set_config(name, '0', false) FROM pg_settings
     WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout')
"""
"""Behind a pooler it is the role that has limits, and a migration may take longer than they are."""


def engine_for(dsn: str) -> AsyncEngine:
    """SQLAlchemy's way to the database. It does not read the address: asyncpg takes parameters and
    several hosts that SQLAlchemy doesn't."""
    return create_async_engine("postgresql+asyncpg://", async_creator=partial(_session, dsn))


async def _session(dsn: str) -> asyncpg.Connection:
    connection = await connect(dsn)
    await connection.execute(_UNLIMITED)
    return connection


def upgrade(dsn: str, revision: str = "head") -> None:
    """Run the migrations up to `revision`; must not be called from a running event loop."""
    asyncio.run(_upgrade(dsn, revision))


async def _upgrade(dsn: str, revision: str) -> None:
    engine = engine_for(dsn)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_run, revision)
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        if isinstance(cause, LOST):
            raise cause from error
        raise
    finally:
        await engine.dispose()


def configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _run(connection: Connection, revision: str) -> None:
    command.upgrade(configuration(connection), revision)
