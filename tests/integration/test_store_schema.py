"""The migrations make the tables that `store.tables` describes."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from store import tables
from store.migrate import newest_revision
from store.upgrade import MIGRATIONS, engine_for, upgrade
from tests import servers

COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity,
           numeric_precision, numeric_scale, collation_name
      FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name <> 'alembic_version'
     ORDER BY table_name, column_name
"""
INDEXES = """
    SELECT tablename, indexname, indexdef FROM pg_indexes
     WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY indexname
"""


@pytest.mark.parametrize("question", [COLUMNS, INDEXES], ids=["columns", "indexes"])
async def test_the_tables_described_are_those_migrated_to(
    question: str, database_dsn: str, postgres_server: servers.PostgresServer
) -> None:
    with servers.database(postgres_server) as name:
        described = postgres_server.dsn_of(name)
        await create_described(described)
        assert await answers(described, question) == await answers(database_dsn, question)


def test_the_newest_revision_is_known_without_alembic() -> None:
    """Its file is named after it."""
    assert newest_revision() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


@pytest.mark.parametrize("addition", ["sslmode=prefer", "several hosts", "application_name=ours"])
async def test_an_address_that_the_pool_takes_can_be_migrated(
    addition: str, postgres_server: servers.PostgresServer
) -> None:
    """With parameters, and with several hosts, of which one answers."""
    with servers.database(postgres_server) as name:
        dsn = postgres_server.dsn_of(name)
        if addition == "several hosts":
            login, _, place = dsn.rpartition("@")
            used = f"{login}@127.0.0.1:1,{place}"
        else:
            used = f"{dsn}?{addition}"
        await asyncio.to_thread(upgrade, used)
        assert await answers(dsn, "SELECT version_num FROM alembic_version") == [
            (newest_revision(),)
        ]


async def test_a_migration_may_take_longer_than_the_roles_transactions(
    postgres_server: servers.PostgresServer,
) -> None:
    """Behind a pooler it is the role that has limits, also on the way past it."""
    setting = "idle_in_transaction_session_timeout"
    with servers.database(postgres_server) as name:
        dsn = postgres_server.dsn_of(name)
        await answers(dsn, f"ALTER DATABASE {name} SET {setting} = '15s'")
        engine = engine_for(dsn)
        async with engine.begin() as connection:
            of_migrations = await connection.scalar(text(f"SHOW {setting}"))
        await engine.dispose()
        assert (await answers(dsn, f"SHOW {setting}"), of_migrations) == ([("15s",)], "0")


async def create_described(dsn: str) -> None:
    """Make the tables without the migrations."""
    engine = engine_for(dsn)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(tables.DocumentRow.metadata.create_all)
    finally:
        await engine.dispose()


async def answers(dsn: str, question: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(question)]
    finally:
        await connection.close()
