"""Brings a database to the newest schema. Called at start.

A database that is as it should be costs one question.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

VERSIONS = Path(__file__).parent / "migrations" / "versions"


async def ensure_schema(pool: asyncpg.Pool, dsn: str) -> None:
    """Run the migrations if any is missing. Raises what a lost server raises (`store.pool.LOST`)."""
    if await current_revision(pool) != newest_revision():
        from store.upgrade import upgrade  # imports Alembic, which takes half a second

        await asyncio.to_thread(upgrade, dsn)


async def current_revision(pool: asyncpg.Pool) -> str | None:
    """The revision the database is at, None for one without our tables."""
    if not await pool.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    revision: str | None = await pool.fetchval("SELECT version_num FROM alembic_version")
    return revision


def newest_revision() -> str:
    """The revision that the migrations lead to; their files are named after their revisions."""
    return max(path.name.split("_")[0] for path in VERSIONS.glob("[0-9]*.py"))
