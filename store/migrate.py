"""Brings a database to the newest schema. Called once at start and by the tests' template database.

Several processes may start at once: an advisory lock makes all but the first wait and find
nothing to do.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_204_021_990  # any constant that nobody else uses in this database


def sqlalchemy_url(dsn: str) -> str:
    """The same database in SQLAlchemy's spelling."""
    scheme, rest = dsn.split("://", 1)
    return dsn if "+" in scheme else f"postgresql+asyncpg://{rest}"


def upgrade(dsn: str, revision: str = "head") -> None:
    """Run the migrations up to `revision`; must not be called from a running event loop."""
    asyncio.run(_upgrade(dsn, revision))


async def _upgrade(dsn: str, revision: str) -> None:
    engine = create_async_engine(sqlalchemy_url(dsn))
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_run, revision)
    finally:
        await engine.dispose()


def newest_revision() -> str:
    """The revision that `upgrade` brings a database to."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


def configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _run(connection: Connection, revision: str) -> None:
    command.upgrade(configuration(connection), revision)
