"""What a command logs is told beside its output, and holds no secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow_files import deals_in, workflow_file

IN_A_SESSION = """
async def work(session):
    return None

from reconciler.commands.session import run
run(work)
"""
FOR_A_COMPANY = "from reconciler.cli import _company; _company('us')"
EVENTS = """
import structlog
log = structlog.get_logger("of a module")
log.debug("not asked for")
log.warning("lost", error="no way to postgresql://u:hunter2@host/db", postgres_dsn="hunter2")
print('{"output": "whole"}')
"""


@pytest.mark.parametrize("begin", [IN_A_SESSION, FOR_A_COMPANY], ids=["session", "company"])
def test_a_commands_log_is_not_its_output(begin: str, database_dsn: str, tmp_path: Path) -> None:
    """Or one event would break what reads `replay --json`."""
    workflows = tmp_path / "workflows.yaml"
    workflows.write_text(workflow_file({"us": {"realm_id": "9341450000000121"}}, deals_in("won")))
    answer = subprocess.run(
        [sys.executable, "-c", begin + EVENTS],
        env=os.environ
        | {"RECONCILER_WORKFLOWS": str(workflows), "RECONCILER_POSTGRES_DSN": database_dsn},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout == '{"output": "whole"}\n'
    assert "lost" in answer.stderr
    assert "not asked for" not in answer.stderr
    assert "hunter2" not in answer.stderr
