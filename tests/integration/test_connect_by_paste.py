"""`reconciler connect --paste`, as on a server without a browser, beside a service that runs."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable

import aiohttp
import pytest

from reconciler.dispatch.dispatcher import COMPANY_RETRY
from reconciler.quickbooks.sealing import Seal
from tests.command import Answer, start
from tests.snapshots import deal
from tests.whole_service import NewService, WholeService
from tests.workflow_files import deals_in, workflow_file

US = "9341450000000141"
WORKFLOWS = workflow_file({"us": {"realm_id": US}}, deals_in("won"))
KEY = Seal.new_key()
ELSEWHERE = "https://books.example.com/callback"
"""Where Intuit sends the browser; nothing of ours listens there."""


@pytest.fixture(scope="module")
def service(new_service: NewService) -> WholeService:
    """The surroundings of a service whose company accepts only tokens that it gave out."""
    whole = new_service(WORKFLOWS, f"{US}:US:USD")
    asyncio.run(whole.sandbox.admin("POST", "switches", {"oauth_enforced": True}))
    return whole


def intuit_app(whole: WholeService) -> dict[str, str]:
    """Settings of an app at Intuit."""
    return {
        "quickbooks_client_id": "client-1",
        "quickbooks_client_secret": "secret-1",
        "quickbooks_discovery_url": f"{whole.sandbox.url}/.well-known/openid_configuration/",
        "quickbooks_redirect_uri": ELSEWHERE,
        "token_keys": KEY,
    }


def begin(whole: WholeService) -> tuple[subprocess.Popen[str], str]:
    """Start the command; answers it with the address that it asks a person to open."""
    process = start(whole, "connect", "--company", "us", "--paste", **intuit_app(whole))
    assert process.stdout is not None
    for line in process.stdout:
        if "/connect/oauth2" in line:
            return process, line.strip()
    raise AssertionError(process.communicate()[1])


def consent(url: str) -> str:
    """Allow it in a browser elsewhere; answers the address that the browser ends on."""

    async def browse() -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}&realm={US}", allow_redirects=False) as answer,
        ):
            return answer.headers["Location"]

    return asyncio.run(browse())


def paste(process: subprocess.Popen[str], address: str) -> Answer:
    """Paste the address and press return."""
    output, errors = process.communicate(f"{address}\n", timeout=30)
    return Answer(process.returncode, output, errors)


@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        (lambda url: consent(url.replace("state=", "state=another")), "not the answer to this"),
        (lambda url: consent(f"{url}&deny=1"), "access_denied"),
        (lambda url: consent(url).partition("&realmId")[0], "paste all of it"),
        (lambda url: "", "start again"),
    ],
    ids=["another attempt's", "refused", "cut short", "nothing"],
)
def test_a_wrong_address_connects_nothing(
    service: WholeService, pasted: Callable[[str], str], told: str
) -> None:
    """Exit status 2 with what is wrong, and no token is stored."""
    process, url = begin(service)
    answer = paste(process, pasted(url))
    assert answer.status == 2
    assert told in answer.errors
    assert service.sql("SELECT realm_id FROM companies WHERE sealed_tokens IS NOT NULL") == []


def test_a_company_connected_beside_the_service_starts_working(service: WholeService) -> None:
    """The document that waited is made without a restart, before the service looks by itself."""
    settings = service.settings(**intuit_app(service))
    del settings["quickbooks_token"]
    running = service.environment.start_service(settings)
    service.produce([deal("1", "won")])
    process, url = begin(service)
    address = consent(url)
    refused = running.log.read_text().count("company disconnected")
    while running.log.read_text().count("company disconnected") == refused:
        time.sleep(0.05)  # until the service has looked: it will look by itself after COMPANY_RETRY
    left_alone_since = time.monotonic()
    answer = paste(process, address)
    assert answer.status == 0, answer.errors
    assert "Connected us" in answer.output
    assert address.split("code=")[1].split("&")[0] not in answer.output + answer.errors
    service.settle()
    assert time.monotonic() - left_alone_since < COMPANY_RETRY.total_seconds()
    assert service.ledger() == {("deal", "1", "invoice"): ("created", "")}
    assert len(service.books(US)["Invoice"]) == 1
