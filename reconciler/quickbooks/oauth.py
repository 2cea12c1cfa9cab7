"""Intuit's OAuth 2.0 as data: URLs to open, forms to post, answers to read; pure.

`authorization.AuthorizationServer` does the talking, `tokens.SharedTokens` decides when. Facts:
developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0 and
blogs.intuit.com/2025/11/12/important-changes-to-refresh-token-policy, read 2026-11: an access
token lasts an hour; a refresh token 100 days from its last use and five years in all; its value
changes about once a day, after which the old one is dead.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from reconciler.errors import ConfigurationError, Disconnected, QuickBooksError, RetryLater

SCOPE = "com.intuit.quickbooks.accounting"
DISCOVERY = "https://developer.intuit.com/.well-known/openid_configuration/"

RETRY_AFTER = timedelta(seconds=30)
_RECONNECT = "Connect the company again: reconciler connect."


@dataclass(frozen=True)
class OAuthEndpoints:
    """Where Intuit's authorization server is; the defaults are what discovery says today."""

    authorize: str = "https://appcenter.intuit.com/connect/oauth2"
    token: str = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
    revoke: str = "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"


@dataclass(frozen=True)
class OAuthApp:
    """Our app at Intuit, from settings."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    endpoints: OAuthEndpoints = OAuthEndpoints()

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the token and revoke endpoints; the last one asks for the five-year limit."""
        credentials = f"{self.client_id}:{self.client_secret}".encode()
        return {
            "Authorization": f"Basic {base64.b64encode(credentials).decode()}",
            "Accept": "application/json",
            "x-include-refresh-token-hard-expires-in": "true",
        }


class Tokens(msgspec.Struct, frozen=True):
    """A company's grant. Instants are aware; the values never show in a repr.

    `hard_expires_at` is the end that no use of the refresh token postpones, None if not told.
    """

    access_token: str
    refresh_token: str
    access_expires_at: datetime
    refresh_expires_at: datetime
    hard_expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Tokens(access_expires_at={self.access_expires_at}, …)"

    def __rich_repr__(self) -> list[tuple[str, datetime]]:
        return [("access_expires_at", self.access_expires_at)]

    def is_fresh(self, now: datetime, margin: timedelta) -> bool:
        """Whether the access token will still be good after `margin`."""
        return now + margin < self.access_expires_at

    def to_bytes(self) -> bytes:
        """To be sealed and stored."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Tokens:
        """What `to_bytes` wrote."""
        return msgspec.json.decode(stored, type=cls)


# --- consent ----------------------------------------------------------------------------------


def authorize_url(app: OAuthApp, state: str) -> str:
    """The page on which an administrator chooses the company; `state` must be unguessable."""
    parameters = {
        "client_id": app.client_id,
        "response_type": "code",
        "scope": SCOPE,
        "redirect_uri": app.redirect_uri,
        "state": state,
    }
    return f"{app.endpoints.authorize}?{urlencode(parameters)}"


@dataclass(frozen=True)
class Consent:
    """What the redirect brought back."""

    code: str = field(repr=False)
    realm_id: str


def read_redirect(url: str, state: str) -> Consent:
    """Read the address the browser was sent back to (a person may have pasted it).

    Raises ConfigurationError when consent was refused, the state is another's, or parts lack.
    """
    found = {name: values[0] for name, values in parse_qs(urlsplit(url.strip()).query).items()}
    if found.get("state") != state:
        raise ConfigurationError("The address is not the answer to this attempt: start again.")
    if "error" in found:
        raise ConfigurationError(f"Intuit did not connect the company: {found['error'][:100]}.")
    if not found.get("code") or not found.get("realmId", "").isdigit():
        raise ConfigurationError("The address has no code and realmId: paste all of it.")
    return Consent(found["code"], found["realmId"])


# --- forms ------------------------------------------------------------------------------------


def exchange_form(app: OAuthApp, code: str) -> dict[str, str]:
    """To get the first tokens for a code; a code works once and for minutes."""
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri}


def refresh_form(refresh_token: str) -> dict[str, str]:
    """To get a new access token, and perhaps a new refresh token."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


# --- answers ----------------------------------------------------------------------------------


def read_endpoints(body: bytes) -> OAuthEndpoints:
    """Read a discovery document. Raises ConfigurationError if it is none."""
    found = _object(body)
    names = ("authorization_endpoint", "token_endpoint", "revocation_endpoint")
    urls = [found.get(name) for name in names]
    if not all(isinstance(url, str) for url in urls):
        raise ConfigurationError("The OAuth discovery URL does not lead to a discovery document.")
    return OAuthEndpoints(*(str(url) for url in urls))


def read_tokens(status: int, body: bytes, now: datetime) -> Tokens:
    """Read the token endpoint's answer, received at `now`.

    Raises Disconnected (its `code` is the OAuth error) or RetryLater; never quotes the body.
    """
    found = _object(body)
    if 200 <= status < 300 and isinstance(found.get("access_token"), str):
        return _tokens(found, now)
    raise token_error(status, str(found.get("error") or ""))


def token_error(status: int, error: str) -> QuickBooksError:
    """What an answer without tokens means."""
    if error == "invalid_client" or (status == 401 and not error):
        return Disconnected(
            message="Intuit does not accept the app's client id or secret.",
            code="invalid_client",
            status=status,
            remedy="Correct the client id and secret in the settings.",
        )
    if status == 429 or status >= 500 or not error:
        return RetryLater(
            message="Intuit's authorization server did not give a token.",
            status=status,
            retry_after=RETRY_AFTER,
        )
    return Disconnected(
        message="Intuit has ended this connection to the company.",
        code=error[:50],
        status=status,
        remedy=_RECONNECT,
    )


def _tokens(found: dict[str, Any], now: datetime) -> Tokens:
    def after(name: str, default: int) -> datetime:
        return now + timedelta(seconds=int(found.get(name) or default))

    refresh_token = found.get("refresh_token")
    if not isinstance(refresh_token, str):
        raise RetryLater("Intuit's authorization server gave no refresh token.")
    hard = "x_refresh_token_hard_expires_in"
    return Tokens(
        found["access_token"],
        refresh_token,
        after("expires_in", 3600),
        after("x_refresh_token_expires_in", 100 * 86400),
        after(hard, 0) if found.get(hard) else None,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
