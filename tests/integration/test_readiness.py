"""What /readyz says while a server is away, and that every part takes back what it said."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from typing import Any

import msgspec

from tests.snapshots import deal
from tests.whole_service import NewService, WholeService
from tests.workflow_files import ACCOUNTS, deals_in, workflow_file

US = "9341450000000121"
WORKFLOWS = workflow_file({"us": {"realm_id": US, "defaults": ACCOUNTS}}, deals_in("won"))
CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'reconciler'
"""
ASK_POSTGRES = {"intake", "relay", "listener", "accounts"}


def readiness(whole: WholeService) -> Any:
    """The answer of /readyz, whatever its status."""
    assert whole.service is not None
    try:
        with urllib.request.urlopen(f"{whole.service.url}/readyz", timeout=10) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read())
    except urllib.error.HTTPError as unready:
        with unready:
            return msgspec.json.decode(unready.read())


def test_each_part_that_lost_postgres_is_ready_again(new_service: NewService) -> None:
    """It says so itself; until then what stopped it is shown."""
    whole: WholeService = new_service(WORKFLOWS, f"{US}:US:USD")
    whole.start()
    assert whole.service is not None
    stopped, deadline = set[str](), time.monotonic() + 60
    while not stopped >= ASK_POSTGRES:
        assert time.monotonic() < deadline, stopped
        whole.sql(CUT_OFF)
        log = whole.service.log.read_text()
        stopped = set(re.findall(r'"part": ?"([^"]+)"[^\n]*"part restarts"', log))
        stopped |= set(re.findall(r'"part restarts"[^\n]*"part": ?"([^"]+)"', log))
        time.sleep(0.05)
    while (told := readiness(whole))["not_ready"]:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    assert told == {"broken": {}, "not_ready": {}, "troubles": {}, "stopping": False}
    whole.feed([deal("1", "won")])
    assert set(whole.ledger().values()) == {("created", "")}
