"""The sandbox as a process: its command line, its configuration file, and surviving a kill."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import __main__ as command
from reconciler.sandbox.configuration import Configuration, load
from reconciler.sandbox.log import Log
from reconciler.sandbox.world import World
from tests.contract.books import CANADA, REALM, form, sale

COMPANIES = ("--company", f"{REALM}:US:USD", "--company", f"{CANADA}:CA:CAD")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def call(port: int, path: str, body: Any = None) -> Any:
    """A JSON request."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": "Bearer x", "Accept": "application/json",
               "Content-Type": "application/json"}  # fmt: skip
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def test_a_port_in_use_is_told() -> None:
    """By its option, in one line."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        line = [sys.executable, "-m", "reconciler.sandbox", "--port", str(held.getsockname()[1])]
        done = subprocess.run(line, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 1
    assert "(--host, --port): " in done.stderr
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def running(port: int, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A sandbox process that answers."""
    line = [sys.executable, "-m", "reconciler.sandbox", "--port", str(port), *arguments]
    process = subprocess.Popen(line, cwd=Path(__file__).parents[2])
    try:
        until = time.monotonic() + 20
        while True:
            try:
                call(port, "/admin/health")
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None or time.monotonic() > until:
                    raise
        yield process
    finally:
        process.kill()
        process.wait()


def test_survives_a_kill(tmp_path: Path) -> None:
    """After SIGKILL the books, the numbers, the requestids and the grants are there again."""
    port = free_port()
    arguments = (*COMPANIES, "--no-limits", "--data", str(tmp_path))
    root = f"/v3/company/{REALM}"
    item = {"Name": "Hours", "Type": "Service", "IncomeAccountRef": {"value": "13"}}
    with running(port, *arguments) as process:
        ann = call(port, f"{root}/customer", {"DisplayName": "Ann"})["Customer"]["Id"]
        sold = call(port, f"{root}/item", item)["Item"]["Id"]
        body = form(ann, sale(sold, 10))
        made = call(port, f"{root}/invoice?requestid=r1", body)["Invoice"]
        gone = call(port, f"{root}/invoice", body)["Invoice"]
        keys = {"Id": gone["Id"], "SyncToken": "0"}
        call(port, f"{root}/invoice?operation=delete", keys)
        before = call(port, f"/admin/books/{REALM}")
        balance = call(port, f"/admin/trial-balance/{REALM}")
        call(port, f"/admin/oauth/{REALM}/token", {})
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    log = next(tmp_path.glob(f"{REALM}*.jsonl"))
    with log.open("ab") as file:
        file.write(b'{"at":1,"rows":[["Invoice"')
    with running(port, *arguments):
        assert call(port, f"/admin/books/{REALM}") == before
        assert call(port, f"/admin/trial-balance/{REALM}") == balance
        again = call(port, f"{root}/invoice?requestid=r1", body)["Invoice"]
        assert again == made
        following = call(port, f"{root}/invoice", body)["Invoice"]
        assert (following["Id"], following["DocNumber"]) == ("3", "1003")
        assert len(call(port, "/admin/companies")) == 2
    assert (tmp_path / "grants.json").exists()


def test_a_log_of_killed_writes_is_cut(tmp_path: Path) -> None:
    """A line that a kill cut short is left out, the ones before it are kept."""
    world = World()
    world.listeners.append(Log(tmp_path).heard)
    world.add_realm(REALM, "US", "USD")
    path = next(tmp_path.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b'{"at": 1, "rows"')
    again = World()
    Log(tmp_path).restore(again)
    assert len(again.realms[REALM].company.tables["Account"].rows) > 20
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_configuration_file(tmp_path: Path, suffix: str) -> None:
    """A YAML or JSON file sets switches, companies, their preferences, and webhooks."""
    held = {
        "switches": {"docnumber_unique_scope": "company"},
        "companies": [
            {
                "realm": REALM,
                "country": "US",
                "currency": "USD",
                "preferences": {"SalesFormsPrefs": {"CustomTxnNumbers": True}},
                "switches": {"oauth_enforced": True},
            }
        ],
        "webhooks": [{"url": "http://127.0.0.1:1/hook", "verifier_token": "secret"}],
    }
    path = tmp_path / f"sandbox.{suffix}"
    path.write_text(json.dumps(held))  # JSON is YAML too
    settings = load(path)
    options = command.parser().parse_args(["--config", str(path)])
    world = command.build(options, settings)
    company = world.realms[REALM].company
    assert company.preference("SalesFormsPrefs", "CustomTxnNumbers") is True
    assert company.switches.docnumber_unique_scope == "company"
    assert (company.switches.oauth_enforced, world.switches.oauth_enforced) == (True, False)
    assert settings.webhooks[0].verifier_token == "secret"


@pytest.mark.parametrize(
    "text",
    [
        "switches: {nonsense: 1}",
        "companies: [{}]",
        "companies: [{realm: '1', preferences: {X: {}}}]",
    ],
)
def test_wrong_configuration_is_said(tmp_path: Path, text: str) -> None:
    """A wrong file ends the program with the file's name and what is wrong, not a traceback."""
    path = tmp_path / "sandbox.yaml"
    path.write_text(text)
    with pytest.raises(SystemExit, match=r"sandbox\.yaml: "):
        command.main(["--config", str(path)])


def test_command_line() -> None:
    """Companies, token and limits are options; a company is there by default."""
    options = command.parser().parse_args([*COMPANIES, "--token", "t", "--no-limits"])
    world = command.build(options, Configuration())
    assert list(world.realms) == [REALM, CANADA]
    assert world.realms[CANADA].company.currency == "CAD"
    assert (world.token, world.limits_enforced) == ("t", False)
    assert list(command.build(command.parser().parse_args([]), Configuration()).realms) == [REALM]
    with pytest.raises(SystemExit):
        command.build(command.parser().parse_args(["--company", "x:US"]), Configuration())
