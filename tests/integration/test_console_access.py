"""Who gets into the console, and what they may do there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession

from reconciler.console.context import BASE
from reconciler.console.people import Person, Role
from reconciler.console.routes import console_application
from reconciler.console.sessions import COOKIE
from reconciler.console.wiring import access_of
from reconciler.errors import ConfigurationError
from tests.console import (
    HASHES,
    OPERATOR_PASSWORD,
    VIEWER_PASSWORD,
    Site,
    Visitor,
    console_at,
    settings,
)

ACTIONS = (
    "/retry",
    "/dismiss",
    "/dead-letters/redrive",
    "/dead-letters/dismiss",
    "/replays/backfill",
    "/replays/replay",
    "/replays/resume",
    "/replays/stop",
)
ALL = {"all_blocked": "yes", "all": "yes", "why": "because", "dead_letter": "1", "document": "1"}


@pytest.fixture
async def site(filled_dsn: str) -> AsyncIterator[Site]:
    """A console with passwords."""
    async with console_at(filled_dsn, console_auth="password", **HASHES) as site:
        yield site


@pytest.fixture
async def visitor(site: Site) -> AsyncIterator[Visitor]:
    """Somebody who has not logged in."""
    async with site.visitor() as visitor:
        yield visitor


async def untouched(dsn: str) -> bool:
    """True while nobody has changed anything."""
    connection = await asyncpg.connect(dsn)
    try:
        done = await connection.fetchval(
            "SELECT (SELECT count(*) FROM audit_log WHERE action <> 'log in') + "
            "(SELECT count(*) FROM documents WHERE state = 'dismissed') + "
            "(SELECT count(*) FROM dead_letters WHERE resolved_at IS NOT NULL)"
        )
    finally:
        await connection.close()
    return bool(done == 0)


# --- unauthenticated ---------------------------------------------------------------------------


async def test_strangers_see_the_log_in_and_nothing_else(site: Site) -> None:
    """Every path of the console, known or not, leads to the log-in; no answer has a body."""
    paths = {
        resource.canonical.replace("{name}", "console.css")
        for resource in console_application(site.console).router.resources()
    }
    paths |= {"/documents/1", "/objects/deal/1", "/dead-letters/1", "/nothing/here", "/search?q=1"}
    paths -= {"/static/console.css", "/login", "/sign-in", "/signed-in"}
    async with ClientSession() as http:
        for path in sorted(paths):
            async with http.get(f"{site.url}{BASE}{path}", allow_redirects=False) as response:
                assert response.status == 303, path
                assert response.headers["Location"].startswith(f"{BASE}/login?next="), path
                assert await response.read() == b"", path
        for path in ACTIONS:
            async with http.post(f"{site.url}{BASE}{path}", data=ALL) as response:
                assert response.status in (401, 403), path
        async with http.get(f"{site.url}{BASE}/login") as response:
            page = await response.text()
    for word in ("Blocked", "deal", "9341450000000001", "Documents"):
        assert word not in page


async def test_metrics_and_health_stay_open(site: Site) -> None:
    """Prometheus and Kubernetes need no log-in."""
    async with ClientSession() as http:
        for path in ("/metrics", "/healthz", "/readyz"):
            async with http.get(f"{site.url}{path}") as response:
                assert response.status == 200, path


async def test_every_answer_carries_the_headers(site: Site, visitor: Visitor) -> None:
    """Pages, redirects, errors and files alike: no script of others, no frame, no sniffing."""
    await visitor.log_in(OPERATOR_PASSWORD)
    for path in ("/", "/login", "/nope", "/documents/abc", "/static/console.css", "/static/x"):
        async with visitor.http.get(f"{site.url}{BASE}{path}", allow_redirects=False) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "same-origin"
            assert "no-store" in response.headers["Cache-Control"] or "/static/" in path


# --- passwords and sessions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "role"),
    [
        pytest.param(OPERATOR_PASSWORD, "operator", id="the operators' password"),
        pytest.param(VIEWER_PASSWORD, "viewer", id="the viewers' password"),
    ],
)
async def test_a_password_gives_its_role(
    filled_dsn: str, visitor: Visitor, password: str, role: str
) -> None:
    """Name and role are on the page, and the log-in is in the audit log."""
    page = await visitor.log_in(password, "Grace Hopper")
    assert page.path == f"{BASE}/"
    assert f"Grace Hopper {role}" in page.text
    connection = await asyncpg.connect(filled_dsn)
    entry = await connection.fetchrow("SELECT actor, action, detail::text FROM audit_log")
    await connection.close()
    assert (entry[0], entry[1]) == ("Grace Hopper", "log in")
    assert role in entry[2]


async def test_the_cookie_is_kept_from_scripts_and_other_sites(filled_dsn: str, site: Site) -> None:
    """HttpOnly and SameSite always, Secure where browsers come by https."""
    async with ClientSession() as http, http.get(f"{site.url}{BASE}/login") as response:
        cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert f"Path={BASE}" in cookie
    async with (
        console_at(
            filled_dsn, console_auth="password", console_url="https://books.example.com", **HASHES
        ) as secure,
        ClientSession() as http,
        http.get(f"{secure.url}{BASE}/login") as response,
    ):
        assert "Secure" in response.headers["Set-Cookie"]
        assert response.headers["Strict-Transport-Security"]


async def test_guessing_is_slowed_down(site: Site, visitor: Visitor) -> None:
    """After eight failures even the right password must wait; a stranger elsewhere need not."""
    for _ in range(8):
        assert (await visitor.log_in("not the password")).status == 401
    refused = await visitor.log_in(OPERATOR_PASSWORD)
    assert refused.status == 429
    assert "Too many failed attempts" in refused.text


async def test_guesses_that_come_together_are_counted(site: Site, visitor: Visitor) -> None:
    """Each counts before its password is looked at, which takes a while."""
    form = (await visitor.get(f"{BASE}/login")).form(f"{BASE}/login") | {"name": "Ada"}
    guesses = [
        visitor.send(f"{BASE}/login", form | {"password": f"guess {number}"})
        for number in range(30)
    ]
    statuses = [page.status for page in await asyncio.gather(*guesses)]
    assert Counter(statuses) == {401: 8, 429: 22}


@pytest.mark.parametrize(
    "kind", ["made up", "cut", "of another key", "over", "of another password"]
)
async def test_a_session_that_is_not_ours_is_none(site: Site, filled_dsn: str, kind: str) -> None:
    """A forged, spoilt, foreign or old cookie gets no further than no cookie."""
    sessions, now = site.console.sessions, datetime.now(UTC)
    granted = getattr(site.console.access, "granted_on", "")
    ada = Person("Ada", Role.OPERATOR)
    good = sessions.seal(sessions.new(now, ada, granted))
    other = type(sessions).with_keys([], timedelta(hours=1))
    cookie = {
        "made up": "gAAAAABnonsense",
        "cut": good[:-4] + "AAAA",
        "of another key": other.seal(other.new(now, ada, granted)),
        "over": sessions.seal(sessions.new(now - timedelta(hours=13), ada, granted)),
        "of another password": sessions.seal(sessions.new(now, ada, "before it was changed")),
    }[kind]
    async with site.visitor(**{COOKIE: good}) as known:
        assert (await known.get(f"{BASE}/documents")).path == f"{BASE}/documents"
    async with site.visitor(**{COOKIE: cookie}) as stranger:
        assert (await stranger.get(f"{BASE}/documents")).path.startswith(f"{BASE}/login")


async def test_logging_in_never_leads_elsewhere(visitor: Visitor) -> None:
    """The page to go on to is one of ours, whatever the address says."""
    for target in ("//evil.example/", "https://evil.example/console/", "/console/../metrics"):
        page = await visitor.get(f"{BASE}/login?next={target}")
        assert page.form(f"{BASE}/login")["next"] == f"{BASE}/"
    page = await visitor.get(f"{BASE}/documents?state=blocked")
    form = page.form(f"{BASE}/login") | {"name": "Ada", "password": OPERATOR_PASSWORD}
    assert (await visitor.send(f"{BASE}/login", form)).path == f"{BASE}/documents?state=blocked"


async def test_logging_out_ends_it(visitor: Visitor) -> None:
    """After it the same browser is a stranger."""
    page = await visitor.log_in(OPERATOR_PASSWORD)
    out = await visitor.send(f"{BASE}/logout", page.form(f"{BASE}/logout"))
    assert "You are logged out" in out.text
    assert (await visitor.get(f"{BASE}/")).path.startswith(f"{BASE}/login")


# --- acting ------------------------------------------------------------------------------------------


async def test_a_viewer_cannot_act(filled_dsn: str, visitor: Visitor) -> None:
    """Not even with a form that is right in all else; nothing changes and nothing is recorded."""
    page = await visitor.log_in(VIEWER_PASSWORD)
    token = page.form(f"{BASE}/logout")["csrf"]
    for path in ACTIONS:
        answer = await visitor.send(f"{BASE}{path}", ALL | {"csrf": token})
        assert answer.status == 403, path
        assert "not act" in answer.text
    assert await untouched(filled_dsn)


@pytest.mark.parametrize(
    ("csrf", "origin"),
    [
        pytest.param("", "own", id="no token"),
        pytest.param("x" * 43, "own", id="a token made up"),
        pytest.param("of another session", "own", id="the token of another session"),
        pytest.param("right", "https://evil.example", id="from another site"),
        pytest.param("right", "null", id="from nowhere"),
        pytest.param("right", "", id="neither origin nor referer"),
        pytest.param("right", "other port", id="from another port"),
    ],
)
async def test_a_forged_form_is_refused(
    filled_dsn: str, site: Site, visitor: Visitor, csrf: str, origin: str
) -> None:
    """A form must hold the session's token and come from our own pages."""
    page = await visitor.log_in(OPERATOR_PASSWORD)
    token = page.form(f"{BASE}/logout")["csrf"]
    if csrf == "of another session":
        async with site.visitor() as other:
            csrf = (await other.log_in(OPERATOR_PASSWORD)).form(f"{BASE}/logout")["csrf"]
    origins = {"own": site.url, "other port": site.url.rsplit(":", 1)[0] + ":1"}
    sent = {"csrf": token if csrf == "right" else csrf}
    for path in ACTIONS:
        answer = await visitor.send(f"{BASE}{path}", ALL | sent, Origin=origins.get(origin, origin))
        assert answer.status == 403, path
    assert await untouched(filled_dsn)


async def test_the_log_in_form_cannot_be_forged_either(visitor: Visitor) -> None:
    """Nobody is logged in as somebody else from another site."""
    form = (await visitor.get(f"{BASE}/login")).form(f"{BASE}/login")
    form |= {"name": "Eve", "password": OPERATOR_PASSWORD}
    answer = await visitor.send(f"{BASE}/login", form, Origin="https://evil.example")
    assert answer.status == 403


async def test_actions_at_once_by_two_people_are_told_apart(filled_dsn: str, site: Site) -> None:
    """Both retry everything together: each document is looked at, and nobody gets an error."""
    async with site.visitor() as ada, site.visitor() as grace:
        forms = []
        for visitor, name in ((ada, "Ada"), (grace, "Grace")):
            await visitor.log_in(OPERATOR_PASSWORD, name)
            page = await visitor.get(f"{BASE}/blocked")
            forms.append((visitor, page.form(f"{BASE}/retry", all_blocked="yes")))
        answers = await asyncio.gather(*(v.send(f"{BASE}/retry", form) for v, form in forms))
    assert {answer.status for answer in answers} == {200}


# --- a proxy that says who it is ------------------------------------------------------------------------


PROXY = {
    "console_auth": "proxy",
    "console_proxies": "127.0.0.1",
    "console_operators": "finance-ops",
    "console_viewers": "finance, auditors",
}


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        pytest.param("finance-ops,everyone", "operator", id="a group that may act"),
        pytest.param("everyone, auditors", "viewer", id="a group that may look"),
        pytest.param("everyone", None, id="no group we know"),
        pytest.param("", None, id="no group"),
    ],
)
async def test_a_proxys_groups_give_the_role(
    filled_dsn: str, groups: str, role: str | None
) -> None:
    """Name and groups come from its headers."""
    async with console_at(filled_dsn, **PROXY) as site, site.visitor() as visitor:
        headers = {"X-Forwarded-User": "ada@corp", "X-Forwarded-Groups": groups}
        page = await visitor.get(f"{BASE}/", **headers)
        if role is None:
            assert page.path.startswith(f"{BASE}/login")
            assert "none of your groups" in page.text
        else:
            assert f"ada@corp {role}" in page.text


async def test_only_the_proxys_own_headers_count(filled_dsn: str) -> None:
    """From any other address they are ignored; two names are nobody."""
    headers = {"X-Forwarded-User": "ada", "X-Forwarded-Groups": "finance-ops"}
    elsewhere = PROXY | {"console_proxies": "10.0.0.0/8"}
    async with console_at(filled_dsn, **elsewhere) as site, site.visitor() as visitor:
        assert (await visitor.get(f"{BASE}/", **headers)).path.startswith(f"{BASE}/login")
    async with console_at(filled_dsn, **PROXY) as site, ClientSession() as http:
        twice = [("X-Forwarded-User", "eve"), *headers.items()]
        async with http.get(f"{site.url}{BASE}/", headers=twice, allow_redirects=False) as answer:
            assert answer.status == 303


# --- no log-in, and what the settings must say -------------------------------------------------------------


async def test_without_a_log_in_only_our_own_address_is_served(filled_dsn: str) -> None:
    """A foreign name that was made to point here (DNS rebinding) gets nothing."""
    async with console_at(filled_dsn) as site, site.visitor() as visitor:
        assert (await visitor.get(f"{BASE}/")).status == 200
        foreign = await visitor.get(f"{BASE}/", Host="evil.example")
        assert foreign.status == 403
        assert "Blocked" not in foreign.text


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"console_auth": "password"}, "RECONCILER_CONSOLE_PASSWORD_HASH"),
        ({"console_auth": "password", "console_password_hash": "hunter2"}, "console-password"),
        ({"console_auth": "proxy"}, "RECONCILER_CONSOLE_PROXIES"),
        ({"console_auth": "proxy", "console_proxies": "10.0.0.0/8"}, "CONSOLE_OPERATORS"),
        ({"console_auth": "proxy", "console_proxies": "here"}, "RECONCILER_CONSOLE_PROXIES"),
        ({"console_auth": "oidc"}, "RECONCILER_CONSOLE_OIDC_ISSUER"),
        (
            {
                "console_auth": "oidc",
                "console_oidc_issuer": "http://issuer.example",
                "console_oidc_client_id": "us",
                "console_url": "https://books.example.com",
            },
            "https://",
        ),
    ],
)
async def test_settings_that_let_nobody_in_are_refused(
    database_dsn: str, wrong: dict[str, Any], names: str
) -> None:
    """At start, naming what is missing, and never repeating a secret."""
    async with ClientSession() as http:
        with pytest.raises(ConfigurationError, match=names) as told:
            access_of(settings(database_dsn, **wrong), http)
    assert "hunter2" not in str(told.value)


async def test_an_address_for_others_has_no_console_unless_told(database_dsn: str) -> None:
    """On 0.0.0.0 an unset console_auth means none, not one that is open to all."""
    async with ClientSession() as http:
        assert access_of(settings(database_dsn, http_host="0.0.0.0"), http) is None
        assert access_of(settings(database_dsn, http_host="::1"), http) is not None
