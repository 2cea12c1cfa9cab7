"""Sign-in: bearer tokens, OAuth with rotation and expiry, revocation, and their refusals."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from reconciler.sandbox.exact import decode
from tests.contract.books import CANADA, REALM, Books, opened

BASIC = "Basic " + base64.b64encode(b"sandbox:secret").decode()


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    """A sandbox that enforces OAuth."""
    async with opened() as held:
        await held.switch(oauth_enforced=True)
        yield held


async def refresh(books: Books, token: str, **headers: str) -> tuple[int, Any]:
    """The token endpoint's answer to a refresh."""
    async with books.session.post(
        f"{books.root}/oauth2/v1/tokens/bearer",
        data={"grant_type": "refresh_token", "refresh_token": token},
        headers={"Authorization": BASIC, **headers},
    ) as answer:
        return answer.status, decode(await answer.read())


async def sign_in(books: Books) -> str:
    """Take tokens for the realm; returns the refresh token."""
    tokens = await books.admin(f"oauth/{REALM}/token", {})
    books.token = tokens["access_token"]
    return str(tokens["refresh_token"])


async def status(books: Books) -> int:
    """The status of a plain read."""
    return (await books.call("GET", "preferences"))[0]


async def test_any_token_unless_enforced(books: Books) -> None:
    """Any bearer will do until OAuth is enforced, then only one it gave out."""
    got, body, _ = await books.call("GET", "preferences")
    assert (got, b'"type":"AUTHENTICATION"' in body) == (401, True)
    assert b"errorCode=003200" in body
    await books.switch(oauth_enforced=False)
    assert await status(books) == 200
    assert (await books.call("GET", "preferences", Authorization="none"))[0] == 401


async def test_one_token() -> None:
    """With --token that one alone is accepted."""
    async with opened(token="right") as books:
        assert await status(books) == 401
        books.token = "right"
        assert await status(books) == 200


async def test_access_token_expires(books: Books) -> None:
    """An access token lives an hour, then is 401 3200; XML by switch."""
    token = await sign_in(books)
    assert await status(books) == 200
    await books.admin("clock", {"advance_seconds": 3_601})
    assert await status(books) == 401
    await books.switch(reject_status="xml")
    assert b'<Error code="3200">' in (await books.call("GET", "preferences"))[1]
    got, tokens = await refresh(books, token)
    assert (got, tokens["expires_in"], tokens["token_type"]) == (200, 3600, "bearer")
    books.token = tokens["access_token"]
    assert await status(books) == 200


async def test_wrong_realm(books: Books) -> None:
    """A good token for another realm, and an unknown realm, are 403 3100."""
    await sign_in(books)
    for realm in (CANADA, "1"):
        books.realm = realm
        got, body, _ = await books.call("GET", "preferences")
        assert (got, b'"code":"3100"' in body) == (403, True)


async def test_refresh_rotates_daily(books: Books) -> None:
    """The refresh token's value changes after a day, and the old value fails."""
    token = await sign_in(books)
    assert (await refresh(books, token))[1]["refresh_token"] == token
    await books.admin("clock", {"advance_seconds": 86_401})
    got, tokens = await refresh(books, token)
    assert (got, tokens["refresh_token"] != token) == (200, True)
    refused = {
        "error": "invalid_grant",
        "error_description": "Incorrect or invalid refresh token",
    }
    assert await refresh(books, token) == (400, refused)
    await books.switch(refresh_overlap_seconds=60)
    assert (await refresh(books, token))[0] == 200


async def test_refresh_every_time_by_switch(books: Books) -> None:
    """With rotation at every use each refresh token works once."""
    await books.switch(refresh_rotation_seconds=0)
    token = await sign_in(books)
    following = (await refresh(books, token))[1]["refresh_token"]
    assert (await refresh(books, token))[0] == 400
    assert (await refresh(books, following))[0] == 200


async def test_refresh_token_expires(books: Books) -> None:
    """A refresh token dies 100 days after its last use, and after five years whatever."""
    token = await sign_in(books)
    await books.admin("clock", {"advance_seconds": 8_726_401})
    assert (await refresh(books, token))[0] == 400
    token = await sign_in(books)
    for _ in range(19):
        await books.admin("clock", {"advance_seconds": 8_640_000})
        got, tokens = await refresh(books, token)
        token = tokens.get("refresh_token", "")
        if got != 200:
            break
    assert got == 400


async def test_hard_expiry_header(books: Books) -> None:
    """The opt-in header adds the hard expiry."""
    token = await sign_in(books)
    assert "x_refresh_token_hard_expires_in" not in (await refresh(books, token))[1]
    header = {"x-include-refresh-token-hard-expires-in": "true"}
    assert (await refresh(books, token, **header))[1]["x_refresh_token_hard_expires_in"] > 0


async def test_client_must_be_known(books: Books) -> None:
    """No client id and secret is 401 invalid_client; another app's token is invalid_grant."""
    token = await sign_in(books)
    assert await refresh(books, token, Authorization="x") == (401, {"error": "invalid_client"})
    other = "Basic " + base64.b64encode(b"other:secret").decode()
    assert (await refresh(books, token, Authorization=other))[0] == 400


async def test_client_in_the_form(books: Books) -> None:
    """Without Basic the client id and secret stand in the form, as discovery says they may."""
    token = await sign_in(books)
    mine = {"client_id": "sandbox", "client_secret": "secret"}

    async def status_of(path: str, **form: str) -> int:
        async with books.session.post(f"{books.root}/{path}", data=form) as answer:
            return answer.status

    path = "oauth2/v1/tokens/bearer"
    asked = {"grant_type": "refresh_token", "refresh_token": token}
    assert await status_of(path, **asked, **mine) == 200
    assert await status_of(path, **asked, client_id="sandbox") == 401
    assert await status_of(path, **asked, client_id="other", client_secret="x") == 400
    assert await status_of("v2/oauth2/tokens/revoke", token=token) == 401
    assert await status_of("v2/oauth2/tokens/revoke", token=token, **mine) == 200
    assert await status_of(path, **asked, **mine) == 400


async def test_revoked(books: Books) -> None:
    """Disconnecting ends the access token and the refresh token; so does a planned revocation."""
    token = await sign_in(books)
    await books.admin(f"oauth/{REALM}/revoke", {})
    assert await status(books) == 401
    assert (await refresh(books, token))[0] == 400
    token = await sign_in(books)
    await books.admin("faults", {"kind": "revoked_grant", "count": 1})
    assert await status(books) == 401
    assert (await refresh(books, token))[0] == 400


async def test_code_is_good_once(books: Books) -> None:
    """A code gives tokens once, for its redirect address, within ten minutes."""
    form = {"client_id": "sandbox", "response_type": "code", "state": "s", "realm": REALM,
            "scope": "com.intuit.quickbooks.accounting", "redirect_uri": "http://x/cb"}  # fmt: skip
    url = f"{books.root}/connect/oauth2"

    async def code() -> str:
        async with books.session.get(url, params=form, allow_redirects=False) as answer:
            return answer.headers["Location"].partition("code=")[2].partition("&")[0]

    async def exchange(code: str, target: str = "http://x/cb") -> int:
        data = {"grant_type": "authorization_code", "code": code, "redirect_uri": target}
        async with books.session.post(
            f"{books.root}/oauth2/v1/tokens/bearer", data=data, headers={"Authorization": BASIC}
        ) as answer:
            return answer.status

    first = await code()
    assert [await exchange(first), await exchange(first)] == [200, 400]
    assert await exchange(await code(), "http://y/cb") == 400
    late = await code()
    await books.admin("clock", {"advance_seconds": 601})
    assert await exchange(late) == 400
    async with books.session.get(url, params={**form, "realm": ""}) as answer:
        assert REALM in await answer.text()
    denied = {**form, "deny": "1"}
    async with books.session.get(url, params=denied, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "http://x/cb?error=access_denied&state=s"


@pytest.mark.parametrize("kind", ["drop_after_commit", "reset", "truncate"])
async def test_token_endpoint_can_lose_its_answer(books: Books, kind: str) -> None:
    """A refresh whose answer is lost has rotated the token all the same."""
    await books.switch(refresh_rotation_seconds=0)
    token = await sign_in(books)
    await books.admin("faults", {"kind": kind, "entity": "Token", "count": 1})
    with pytest.raises(aiohttp.ClientError):
        await refresh(books, token)
    assert (await refresh(books, token))[0] == 400


async def test_token_endpoint_can_fail_first(books: Books) -> None:
    """A refresh that failed before it was done can be repeated; other faults don't strike it."""
    token = await sign_in(books)
    await books.switch(refresh_rotation_seconds=0)
    await books.admin("faults", {"kind": "drop_before_commit", "count": 1})
    plan = {"kind": "drop_before_commit", "operation": "token", "count": 1}
    await books.admin("faults", plan)
    with pytest.raises(aiohttp.ClientError):
        await refresh(books, token)
    assert (await refresh(books, token))[0] == 200
    assert [one["hits"] for one in await books.admin("faults")] == [0, 1]
