"""OAuth's forms and answers, single flight across processes, and sealing."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ConfigurationError, Disconnected, QuickBooksError, RetryLater
from reconciler.quickbooks import oauth
from reconciler.quickbooks.client import open_session
from reconciler.quickbooks.oauth import OAuthApp, Tokens
from reconciler.quickbooks.sealing import Seal
from reconciler.quickbooks.tokens import SharedTokens, StaticToken
from reconciler.service.dispatching import Access
from tests.token_memory import MemoryStore

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
APP = OAuthApp("client-1", "s3cret", "http://localhost:8910/callback")


def tokens(number: int, expires_in: timedelta = timedelta(hours=1)) -> Tokens:
    """The grant after that many refreshes."""
    return Tokens(
        f"access-{number}", f"refresh-{number}", NOW + expires_in, NOW + timedelta(days=100)
    )


# --- consent ----------------------------------------------------------------------------------


def test_authorize_url() -> None:
    """The consent page gets the scope, the redirect and the state."""
    parameters = parse_qs(urlsplit(oauth.authorize_url(APP, "st-1")).query)
    assert parameters["scope"] == ["com.intuit.quickbooks.accounting"]
    assert parameters["redirect_uri"] == [APP.redirect_uri]
    assert parameters["state"] == ["st-1"]


def test_redirect() -> None:
    """A pasted address gives the code and the company."""
    url = " http://localhost:8910/callback?code=AB1&state=st-1&realmId=9341450000000001\n"
    consent = oauth.read_redirect(url, "st-1")
    assert (consent.code, consent.realm_id) == ("AB1", "9341450000000001")
    assert "AB1" not in repr(consent)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("code=A&state=other&realmId=1", "another|not the answer"),
        ("error=access_denied&state=st-1", "access_denied"),
        ("code=A&state=st-1", "realmId"),
        ("", "not the answer"),
    ],
)
def test_redirects_that_are_refused(query: str, words: str) -> None:
    """Another attempt's state (a forged redirect), a refusal, or a cut address."""
    with pytest.raises(ConfigurationError, match=words):
        oauth.read_redirect(f"http://localhost:8910/callback?{query}", "st-1")


# --- answers ----------------------------------------------------------------------------------


def test_tokens_are_read_with_their_ends() -> None:
    """Lifetimes become instants, also the five-year limit when Intuit tells it."""
    body = {
        "access_token": "a",
        "refresh_token": "r",
        "token_type": "bearer",
        "expires_in": 3600,
        "x_refresh_token_expires_in": 8726400,
        "x_refresh_token_hard_expires_in": 157680000,
    }
    read = oauth.read_tokens(200, json.dumps(body).encode(), NOW)
    assert read.access_expires_at == NOW + timedelta(hours=1)
    assert read.refresh_expires_at == NOW + timedelta(days=101)
    assert read.hard_expires_at == NOW + timedelta(days=1825)
    assert Tokens.from_bytes(read.to_bytes()) == read


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (400, '{"error":"invalid_grant","error_description":"x"}', Disconnected, "invalid_grant"),
        (401, '{"error":"invalid_client"}', Disconnected, "invalid_client"),
        (401, "", Disconnected, "invalid_client"),
        (400, '{"error":"unsupported_grant_type"}', Disconnected, "unsupported_grant_type"),
        (429, "{}", RetryLater, ""),
        (503, "<html>", RetryLater, ""),
        (200, '{"access_token":"a-secr', RetryLater, ""),
        (200, '{"access_token":"a-secret"}', RetryLater, ""),
        (400, "<html>", RetryLater, ""),
    ],
)
def test_answers_without_tokens(
    status: int, body: str, error: type[QuickBooksError], code: str
) -> None:
    """A dead grant disconnects the company; anything unclear is tried again; no token is quoted."""
    with pytest.raises(error) as caught:
        oauth.read_tokens(status, body.encode(), NOW)
    assert caught.value.code == code
    assert "a-secr" not in f"{caught.value!r}{caught.value}"


def test_secrets_do_not_show() -> None:
    """No repr holds a token, a code or the client secret."""
    assert "s3cret" not in repr(APP)
    assert "access-1" not in repr(tokens(1))
    assert "refresh-1" not in f"{tokens(1)}{tokens(1).__rich_repr__()}"


def test_discovery() -> None:
    """Endpoints come from a discovery document; anything else is a wrong setting."""
    document = {
        "authorization_endpoint": "http://h/a",
        "token_endpoint": "http://h/t",
        "revocation_endpoint": "http://h/r",
    }
    endpoints = oauth.read_endpoints(json.dumps(document).encode())
    assert (endpoints.authorize, endpoints.token, endpoints.revoke) == (
        "http://h/a",
        "http://h/t",
        "http://h/r",
    )
    with pytest.raises(ConfigurationError):
        oauth.read_endpoints(b"<html>")


# --- sharing ----------------------------------------------------------------------------------


class RotatingServer:
    """Intuit at its strictest: every refresh changes the refresh token and kills the old one."""

    def __init__(self, clock: Callable[[], datetime] = lambda: NOW) -> None:
        self.number = 0
        self.refused = 0
        self.unreachable = False
        self.clock = clock

    async def refresh(self, refresh_token: str) -> Tokens:
        await asyncio.sleep(0)
        if self.unreachable:
            raise RetryLater("Intuit's authorization server could not be reached.")
        if refresh_token != f"refresh-{self.number}":
            self.refused += 1
            raise Disconnected("Intuit has ended this connection.", code="invalid_grant")
        self.number += 1
        read = {"access_token": f"access-{self.number}", "refresh_token": f"refresh-{self.number}"}
        return oauth.read_tokens(200, json.dumps(read).encode(), self.clock())


async def test_many_callers_refresh_once() -> None:
    """Callers of three processes that meet the same stale token cause one refresh."""
    store, server = MemoryStore(tokens(0)), RotatingServer()
    processes = [SharedTokens("1", store, server, lambda: NOW) for _ in range(3)]
    got = await asyncio.gather(*(one.refresh("access-0") for one in processes * 20))
    assert set(got) == {"access-1"}
    assert (server.number, server.refused) == (1, 0)


async def test_processes_refresh_many_times_without_invalid_grant() -> None:
    """Two processes whose tokens keep being refused 200 times never use a dead refresh token."""
    store, server = MemoryStore(tokens(0)), RotatingServer()

    async def process() -> None:
        shared = SharedTokens("1", store, server, lambda: NOW)
        token = await shared.access_token()
        for _ in range(200):
            token = await shared.refresh(token)

    await asyncio.gather(process(), process())
    assert server.refused == 0
    assert store.stored is not None
    assert store.stored.refresh_token == f"refresh-{server.number}"


async def test_renewed_before_it_expires() -> None:
    """A token about to expire is renewed by whoever asks for it, without a refused call."""
    moment = [NOW]
    store, server = MemoryStore(tokens(0)), RotatingServer(lambda: moment[0])
    shared = SharedTokens("1", store, server, lambda: moment[0])
    assert await shared.access_token() == "access-0"
    moment[0] = NOW + timedelta(minutes=56)
    assert await shared.access_token() == "access-1"
    assert await shared.access_token() == "access-1"


async def test_an_unreachable_server_is_survived_until_expiry() -> None:
    """While Intuit cannot be asked, the old token serves to its last second, and then none does."""
    moment = [NOW]
    store, server = MemoryStore(tokens(0)), RotatingServer()
    shared = SharedTokens("1", store, server, lambda: moment[0])
    await shared.access_token()
    server.unreachable = True
    moment[0] = NOW + timedelta(minutes=59)
    assert await shared.access_token() == "access-0"
    moment[0] = NOW + timedelta(minutes=61)
    with pytest.raises(RetryLater):
        await shared.access_token()


async def test_a_grant_renewed_by_a_person_is_found() -> None:
    """After invalid_grant the store is read again: somebody may have connected it anew."""
    store = MemoryStore(tokens(0))

    class Reconnected(RotatingServer):
        async def refresh(self, refresh_token: str) -> Tokens:
            store.stored = tokens(7)
            return await super().refresh(f"{refresh_token}, which somebody has replaced")

    shared = SharedTokens("1", store, Reconnected(), lambda: NOW)
    assert await shared.refresh("access-0") == "access-7"


async def test_a_dead_grant_disconnects() -> None:
    """invalid_grant with nothing newer in the store is final; so is a company never connected."""
    server = RotatingServer()
    server.number = 5
    with pytest.raises(Disconnected, match="ended"):
        await SharedTokens("1", MemoryStore(tokens(0)), server, lambda: NOW).refresh("access-0")
    with pytest.raises(Disconnected, match="not connected"):
        await SharedTokens("1", MemoryStore(None), server, lambda: NOW).access_token()


async def test_cancelling_a_caller_loses_no_token() -> None:
    """A refresh that Intuit has answered is stored even if its caller was cancelled."""
    answered = asyncio.Event()
    store = MemoryStore(tokens(0))

    class Slow(RotatingServer):
        async def refresh(self, refresh_token: str) -> Tokens:
            read = await super().refresh(refresh_token)
            answered.set()
            await asyncio.sleep(0)
            return read

    shared = SharedTokens("1", store, Slow(), lambda: NOW)
    caller = asyncio.ensure_future(shared.refresh("access-0"))
    await answered.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    async with asyncio.timeout(5):
        assert await shared.refresh("access-0") == "access-1"


def test_a_stop_waits_for_a_renewal_under_way() -> None:
    """The caller is gone, and the loop ends: what Intuit answers is stored before that."""
    store = MemoryStore(tokens(0))

    async def stop() -> None:
        asked, answer = asyncio.Event(), asyncio.Event()

        class Slow(RotatingServer):
            async def refresh(self, refresh_token: str) -> Tokens:
                asked.set()
                await answer.wait()
                return await super().refresh(refresh_token)

        async with open_session() as session:
            server = Slow()
            access = Access(session, lambda realm_id: SharedTokens(realm_id, store, server))
            caller = asyncio.ensure_future(access.tokens("1").refresh("access-0"))
            await asked.wait()
            caller.cancel()
            await asyncio.wait([caller])
            await access.at_rest(timedelta(milliseconds=1))  # not for ever
            gc.collect()
            asyncio.get_running_loop().call_soon(answer.set)
            await access.at_rest()

    asyncio.run(stop())
    assert store.stored == tokens(1)


async def test_static_token() -> None:
    """A static token cannot be renewed: the company is disconnected."""
    assert await StaticToken("t").access_token() == "t"
    with pytest.raises(Disconnected):
        await StaticToken("t").refresh("t")


# --- sealing ----------------------------------------------------------------------------------


@given(secret=st.binary(max_size=200))
def test_sealing_and_rotation(secret: bytes) -> None:
    """Old seals open under a rotated list of keys, and can be sealed again for the newest alone."""
    old, new = "M" * 43 + "=", "N" * 42 + "M="
    sealed = Seal([old]).seal(secret)
    rotated = Seal([new, old])
    assert rotated.unseal(sealed) == secret
    assert Seal([new]).unseal(rotated.seal(rotated.unseal(sealed))) == secret


def test_wrong_keys_are_told_without_being_shown() -> None:
    """A missing or malformed key is a configuration error that does not quote it."""
    key = Seal.new_key()
    for keys in ([], ["too-short"], [key, "zzz"]):
        with pytest.raises(ConfigurationError) as caught:
            Seal(keys)
        assert "zzz" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="unsealed"):
        Seal([Seal.new_key()]).unseal(Seal([key]).seal(b"x"))
    assert key not in repr(Seal([key]))
