"""Connecting companies: consent, tokens at rest, and processes that share them."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.demo.environment import free_port
from reconciler.errors import ConfigurationError, Disconnected, Refused
from reconciler.quickbooks.client import open_session
from reconciler.quickbooks.sealing import Seal
from reconciler.quickbooks.stored_tokens import SealedTokens
from reconciler.quickbooks.tokens import SharedTokens
from reconciler.service import connect as connecting
from reconciler.settings import Settings
from reconciler.workflows import Company
from store.tokens import TokenRows
from tests.sandbox_process import ROOT, Sandbox, sandbox_process

US, CANADA = "9341450000000001", "9341450000000002"
KEY, NEWER_KEY = Seal.new_key(), Seal.new_key()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Two companies that ask for real tokens; a refresh token's value changes at every use."""
    companies = ("--company", f"{US}:US:USD", "--company", f"{CANADA}:CA:CAD")
    with sandbox_process(*companies, "--no-limits") as running:
        yield running


@pytest.fixture
async def enforcing(sandbox: Sandbox) -> Sandbox:
    """The sandbox with OAuth enforced."""
    switches = {"oauth_enforced": True, "refresh_rotation_seconds": 0, "access_token_seconds": 330}
    await sandbox.admin("POST", "switches", switches)
    return sandbox


def settings(
    sandbox: Sandbox, dsn: str, path: Path, keys: str = KEY, redirect_port: int = 0
) -> Settings:
    """As a person would set them for this sandbox."""
    (path / "workflows.yaml").write_text("")
    return Settings(
        workflows=path / "workflows.yaml",
        postgres_dsn=dsn,
        quickbooks_base_url=sandbox.url,
        quickbooks_client_id="client-1",
        quickbooks_client_secret="secret-1",
        quickbooks_discovery_url=f"{sandbox.url}/.well-known/openid_configuration/",
        quickbooks_redirect_uri=f"http://localhost:{redirect_port or free_port()}/callback",
        token_keys=keys,
    )


@pytest.fixture
def administrator(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person with a browser, who chooses the company whose realm id is in the list."""
    chosen = [US]

    def browse(url: str) -> bool:
        with urllib.request.urlopen(f"{url}&realm={chosen[-1]}", timeout=10) as answer:  # noqa: S310
            return bool(answer.status == 200)

    monkeypatch.setattr(webbrowser, "open", browse)
    return chosen


def company(realm: str) -> Company:
    """The company of that realm under its name in the workflow file."""
    return Company(name="books", realm_id=realm)


async def test_consent_in_a_browser_connects(
    enforcing: Sandbox, database_dsn: str, tmp_path: Path, administrator: list[str]
) -> None:
    """After consent the service has a token that QuickBooks accepts, and Postgres no plain one."""
    chosen = settings(enforcing, database_dsn, tmp_path)
    facts = await connecting.connect(chosen, company(US), paste=False, say=lambda _text: None)
    assert facts.country == "US"
    store = connecting.sealed_tokens(chosen)
    async with store.rows.locked(US) as row:
        sealed = await row.read()
    assert sealed is not None
    async with open_session() as session:
        server = await connecting.authorization_server(session, chosen)
        token = await SharedTokens(US, store, server).access_token()
    assert token
    assert token.encode() not in sealed


async def test_a_company_abroad_is_refused(
    enforcing: Sandbox, database_dsn: str, tmp_path: Path, administrator: list[str]
) -> None:
    """A company outside the US is refused with its country, and its grant is given back."""
    administrator.append(CANADA)
    chosen = settings(enforcing, database_dsn, tmp_path)
    with pytest.raises(Refused, match=r"is in CA.*US companies only"):
        await connecting.connect(chosen, company(CANADA), paste=False, say=lambda _text: None)
    async with connecting.sealed_tokens(chosen).locked(CANADA) as row:
        assert await row.read() is None


async def test_another_company_is_refused(
    enforcing: Sandbox, database_dsn: str, tmp_path: Path, administrator: list[str]
) -> None:
    """Consent for another company than the workflow file names stores nothing."""
    administrator.append(CANADA)
    chosen = settings(enforcing, database_dsn, tmp_path)
    with pytest.raises(ConfigurationError, match=f"{CANADA}.*{US}"):
        await connecting.connect(chosen, company(US), paste=False, say=lambda _text: None)


async def test_keys_are_rotated(
    enforcing: Sandbox, database_dsn: str, tmp_path: Path, administrator: list[str]
) -> None:
    """After `reseal` the old key may go; before it, tokens sealed with it are still opened."""
    await connecting.connect(
        settings(enforcing, database_dsn, tmp_path), company(US), paste=False, say=lambda _t: None
    )
    both = settings(enforcing, database_dsn, tmp_path, f"{NEWER_KEY}, {KEY}")
    assert await connecting.reseal(both) == 1
    async with SealedTokens(TokenRows(database_dsn), Seal([NEWER_KEY])).locked(US) as row:
        assert await row.read() is not None
    with pytest.raises(ConfigurationError, match="cannot be unsealed"):
        await connecting.reseal(settings(enforcing, database_dsn, tmp_path))
    async with SealedTokens(TokenRows(database_dsn), Seal([KEY])).locked(US) as row:
        with pytest.raises(Disconnected, match="cannot be unsealed"):  # one company's trouble alone
            await row.read()


async def test_disconnecting_gives_the_grant_back(
    enforcing: Sandbox, database_dsn: str, tmp_path: Path, administrator: list[str]
) -> None:
    """Afterwards no token is left, and a process that asks for one is told to connect."""
    chosen = settings(enforcing, database_dsn, tmp_path)
    await connecting.connect(chosen, company(US), paste=False, say=lambda _text: None)
    assert await connecting.disconnect(chosen, company(US))
    async with open_session() as session:
        server = await connecting.authorization_server(session, chosen)
        shared = SharedTokens(US, connecting.sealed_tokens(chosen), server)
        with pytest.raises(Disconnected, match="not connected"):
            await shared.access_token()
    assert not await connecting.disconnect(chosen, company(US))


async def test_two_processes_renew_200_times(
    enforcing: Sandbox, database_dsn: str, tmp_path: Path, administrator: list[str]
) -> None:
    """Two processes renewing one company's rotating token 200 times never meet invalid_grant."""
    chosen = settings(enforcing, database_dsn, tmp_path)
    await connecting.connect(chosen, company(US), paste=False, say=lambda _text: None)
    command = [
        sys.executable, "-m", "tests.refresh_process", database_dsn, KEY,
        chosen.quickbooks_discovery_url, US, "100",
    ]  # fmt: skip
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert [int(answer[0]) for answer in answers] == [100, 100]
