"""A command that Postgres, or its own file, does not serve: it says what to do, and shows no traceback."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from reconciler.demo.environment import free_port
from reconciler.quickbooks.sealing import Seal
from tests.workflow_files import deals_in, workflow_file

REFUSED, LOST = 2, 1


@pytest.fixture
def workflows(tmp_path: Path) -> Path:
    path = tmp_path / "workflows.yaml"
    path.write_text(workflow_file({"us": {"realm_id": "9341450000000121"}}, deals_in("won")))
    return path


async def command(workflows: Path, dsn: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start a command on a database."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "reconciler.cli", *arguments,
        env=os.environ | {"RECONCILER_WORKFLOWS": str(workflows), "RECONCILER_POSTGRES_DSN": dsn},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


async def told(process: asyncio.subprocess.Process, status: int) -> str:
    """What it says on standard error when it has ended as it should."""
    output, errors = await process.communicate()
    said = errors.decode()
    assert (process.returncode, output.decode()) == (status, ""), said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("arguments", [("status",), ("plan",), ("retry", "--all"), ("blocked",)])
async def test_a_database_without_tables_is_told(
    database_dsn: str, workflows: Path, arguments: tuple[str, ...]
) -> None:
    """`plan` comes before `run` in the README; the service makes the tables."""
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()
    said = await told(await command(workflows, database_dsn, *arguments), REFUSED)
    assert "reconciler run" in said


async def test_a_role_that_only_reads_is_told_where_it_would_write(
    database_dsn: str, workflows: Path
) -> None:
    """It may look at everything; what it may not do is named with the setting."""
    connection = await asyncpg.connect(database_dsn)
    role = f"reader_{os.getpid()}"
    await connection.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'reads'; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    )
    try:
        place = database_dsn.rpartition("@")[2]
        dsn = f"postgresql://{role}:reads@{place}"
        looking = await command(workflows, dsn, "status")
        await looking.communicate()
        assert looking.returncode == 0
        said = await told(await command(workflows, dsn, "read-anew", "crm.deals"), REFUSED)
        assert "permission denied" in said
        assert "RECONCILER_POSTGRES_DSN" in said
        assert "reads@" not in said
    finally:
        await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await connection.close()


async def test_a_connection_lost_midway_is_told(database_dsn: str, workflows: Path) -> None:
    """Postgres restarts under the command: it ends with what to do, not with a library's words."""
    holding, looking = [await asyncpg.connect(database_dsn) for _ in range(2)]
    async with holding.transaction():
        await holding.execute("LOCK TABLE objects IN ACCESS EXCLUSIVE MODE")
        waiting = await command(workflows, database_dsn, "plan")
        ended = 0
        async with asyncio.timeout(30):
            while not ended:
                ended = await looking.fetchval(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'
                    """
                )
        said = await told(waiting, LOST)
    await holding.close()
    await looking.close()
    assert "run the command again" in said


@pytest.mark.parametrize(
    "arguments",
    [("connect", "--company", "us", "--paste"), ("disconnect", "--company", "us"), ("reseal",)],
)
async def test_tokens_that_have_nowhere_to_be_are_told(
    monkeypatch: pytest.MonkeyPatch, workflows: Path, arguments: tuple[str, ...]
) -> None:
    """Before anybody is sent to Intuit for a consent that could not be kept."""
    monkeypatch.setenv("RECONCILER_TOKEN_KEYS", Seal.new_key())
    dsn = f"postgresql://u:hunter2@127.0.0.1:{free_port()}/ledger"
    said = await told(await command(workflows, dsn, *arguments), LOST)
    assert "RECONCILER_POSTGRES_DSN" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("arguments", [("plan", "--from-topics"), ("replay",)])
async def test_kafka_that_does_not_answer_is_told_soon(
    monkeypatch: pytest.MonkeyPatch, database_dsn: str, workflows: Path, arguments: tuple[str, ...]
) -> None:
    """Somebody waits: not for the minute that a producer has, but for as long as for Postgres."""
    monkeypatch.setenv("RECONCILER_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("RECONCILER_STARTUP_WAIT_SECONDS", "1")
    said = await told(await command(workflows, database_dsn, *arguments), LOST)
    assert "could not be reached within 1 s" in said


@pytest.mark.parametrize("arguments", [("status",), ("run",), ("disconnect", "--company", "us")])
async def test_a_workflow_file_that_is_no_text_is_told(
    database_dsn: str, workflows: Path, arguments: tuple[str, ...]
) -> None:
    """As `check` tells it: which byte, and how to save the file."""
    workflows.write_bytes(b"# Caf\xe9\n")
    said = await told(await command(workflows, database_dsn, *arguments), REFUSED)
    assert "workflows.yaml:1:1: byte 5 is not UTF-8" in said
