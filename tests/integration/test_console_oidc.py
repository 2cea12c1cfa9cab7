"""Signing in at an OpenID Connect provider: a real code flow against a tiny one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from reconciler.console.context import BASE
from tests.console import Site, Visitor, console_at
from tests.html import Page
from tests.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, issuer_at, new_key


@asynccontextmanager
async def console_with(dsn: str, issuer: Issuer) -> AsyncIterator[tuple[Site, Visitor]]:
    """A console whose people sign in there, and somebody about to."""
    async with console_at(
        dsn, console_auth="oidc", console_oidc_issuer=issuer.url,
        console_oidc_client_id=CLIENT_ID, console_oidc_client_secret=CLIENT_SECRET,
        console_operators="finance-ops", console_viewers="auditors",
        console_url="http://127.0.0.1:1",
    ) as site, site.visitor() as visitor:  # fmt: skip
        site.console.url = site.url  # the port is known only now
        yield site, visitor


async def sign_in(site: Site, visitor: Visitor, issuer: Issuer, **spoilt: str) -> Page:
    """Go to the provider, consent, and come back."""
    start = f"{site.url}{BASE}/sign-in?next={BASE}/documents"
    async with visitor.http.get(start, allow_redirects=False) as response:
        back = issuer.approve(response.headers["Location"])
    for part, other in spoilt.items():
        back = back.replace(f"{part}=", f"{part}={other}")
    return await visitor.get(back.removeprefix(site.url))


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["finance-ops", "everyone"], "operator"),
        (["auditors"], "viewer"),
        ("auditors", "viewer"),
    ],
)
async def test_the_groups_claim_gives_the_role(
    database_dsn: str, groups: object, role: str
) -> None:
    """Code flow with PKCE; the person lands where they wanted to go, under their own name."""
    claims = {"email": "ada@corp.example", "groups": groups}
    async with (
        issuer_at(claims=claims) as issuer,
        console_with(database_dsn, issuer) as (
            site,
            visitor,
        ),
    ):
        page = await sign_in(site, visitor, issuer)
        assert page.path == f"{BASE}/documents"
        assert f"ada@corp.example {role}" in page.text


async def test_a_person_in_no_group_stays_outside(database_dsn: str) -> None:
    """Being known to the provider is not enough."""
    claims = {"email": "eve@corp.example", "groups": ["everyone"]}
    async with (
        issuer_at(claims=claims) as issuer,
        console_with(database_dsn, issuer) as (
            site,
            visitor,
        ),
    ):
        page = await sign_in(site, visitor, issuer)
        assert page.status == 403
        assert (await visitor.get(f"{BASE}/")).path.startswith(f"{BASE}/login")


SPOILT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "for another client": lambda c: c | {"aud": "other"},
    "by another issuer": lambda c: c | {"iss": "https://evil.example"},
    "for another sign-in": lambda c: c | {"nonce": "other"},
    "over": lambda c: c | {"exp": c["iat"] - 3600, "iat": c["iat"] - 7200},
    "without an end": lambda c: {name: value for name, value in c.items() if name != "exp"},
    "made out to another party": lambda c: c | {"aud": [CLIENT_ID, "other"], "azp": "other"},
}


@pytest.mark.parametrize("kind", SPOILT)
async def test_an_id_token_that_is_not_for_us_is_refused(database_dsn: str, kind: str) -> None:
    """Audience, issuer, nonce, time and authorised party are all checked."""
    claims = {"email": "ada@corp.example", "groups": ["finance-ops"]}
    async with (
        issuer_at(claims=claims, spoil=SPOILT[kind]) as issuer,
        console_with(database_dsn, issuer) as (site, visitor),
    ):
        page = await sign_in(site, visitor, issuer)
        assert page.status == 401
        assert (await visitor.get(f"{BASE}/")).path.startswith(f"{BASE}/login")


@pytest.mark.parametrize("kind", ["another key", "no signature", "the public key as a password"])
async def test_a_signature_that_is_not_the_providers_is_refused(
    database_dsn: str, kind: str
) -> None:
    """Neither another key, nor `alg: none`, nor HMAC over what everybody knows."""
    claims = {"email": "ada@corp.example", "groups": ["finance-ops"]}
    async with (
        issuer_at(claims=claims) as issuer,
        console_with(database_dsn, issuer) as (
            site,
            visitor,
        ),
    ):
        if kind == "another key":
            issuer.signing = new_key()
        elif kind == "no signature":
            issuer.signing, issuer.algorithm = None, "none"
        else:
            numbers = issuer.key.public_key().public_numbers().n
            issuer.signing, issuer.algorithm = f"{numbers:x}".encode(), "HS256"
        page = await sign_in(site, visitor, issuer)
        assert page.status == 401
        assert "id token is not valid" in page.text
        assert (await visitor.get(f"{BASE}/")).path.startswith(f"{BASE}/login")


async def test_an_answer_to_another_sign_in_is_refused(database_dsn: str) -> None:
    """The state must be the one this browser was sent with, and is good for one answer."""
    claims = {"email": "ada@corp.example", "groups": ["finance-ops"]}
    async with (
        issuer_at(claims=claims) as issuer,
        console_with(database_dsn, issuer) as (
            site,
            visitor,
        ),
    ):
        assert (await sign_in(site, visitor, issuer, state="x")).status == 401
        async with site.visitor() as other:
            async with visitor.http.get(
                f"{site.url}{BASE}/sign-in", allow_redirects=False
            ) as response:
                back = issuer.approve(response.headers["Location"])
            page = await other.get(back.removeprefix(site.url))
            assert page.path.startswith(f"{BASE}/login")


async def test_a_new_key_of_the_provider_is_found(database_dsn: str) -> None:
    """Keys are asked for again when a token names one that is not known, but not without end."""
    claims = {"email": "ada@corp.example", "groups": ["finance-ops"]}
    async with (
        issuer_at(claims=claims) as issuer,
        console_with(database_dsn, issuer) as (
            site,
            visitor,
        ),
    ):
        assert (await sign_in(site, visitor, issuer)).status == 200
        issuer.key, issuer.key_id = new_key(), "second"
        provider = getattr(site.console.access, "provider")  # noqa: B009
        provider._keys = (provider._keys[0] - 60, provider._keys[1])
        assert (await sign_in(site, visitor, issuer)).path == f"{BASE}/documents"
        asked = issuer.key_requests
        issuer.key_id = "third"
        issuer.spoil = lambda c: c
        for _ in range(3):
            await sign_in(site, visitor, issuer)
        assert issuer.key_requests == asked


async def test_a_provider_that_is_down_is_told(database_dsn: str) -> None:
    """The log-in page says so, without an error of ours."""
    async with issuer_at() as issuer:
        gone = Issuer(url=issuer.url)
    async with console_with(database_dsn, gone) as (_site, visitor):
        page = await visitor.get(f"{BASE}/sign-in")
        assert page.status == 502
        assert "can't be reached" in page.text
