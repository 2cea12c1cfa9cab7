"""Signs people in at an OpenID Connect provider: authorization code with PKCE, id token verified.

Called by `login`. Follows openid.net/specs/openid-connect-core-1_0.html (3.1.3.7 for the checks of
the id token) and RFC 7636; only asymmetric signatures are taken, so that a client secret can never
pass for a key. The access token is not used and nothing of the provider's is kept but the name and
the groups.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import ClientError, ClientSession, ClientTimeout

from reconciler.errors import ReconcilerError

ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]
_TIMEOUT = ClientTimeout(total=15)
_LEEWAY_SECONDS = 60
_REMEMBERED_SECONDS = 3600.0
_ASK_KEYS_AGAIN_SECONDS = 30.0


class SignInFailed(ReconcilerError):
    """The provider did not vouch for the person; the text says why and holds no token."""


@dataclass(frozen=True, repr=False)
class Client:
    """What the provider knows us as; `groups_claim` is the claim that holds a person's groups."""

    issuer: str
    client_id: str
    client_secret: str
    scopes: str = "openid profile email"
    groups_claim: str = "groups"


@dataclass(frozen=True)
class Identity:
    """A person as the provider vouches for them."""

    name: str
    groups: frozenset[str]


@dataclass(frozen=True, repr=False)
class Attempt:
    """What must come back; kept in the sealed session while the browser is away."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str

    @classmethod
    def new(cls, redirect_uri: str) -> Attempt:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, redirect_uri)


@dataclass
class Provider:
    """One provider; its description and keys are fetched when first needed and kept an hour."""

    client: Client
    session: ClientSession
    _described: tuple[float, dict[str, Any]] | None = None
    _keys: tuple[float, jwt.PyJWKSet] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def address(self, attempt: Attempt) -> str:
        """Where to send the browser."""
        described = await self._description()
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": self.client.scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        start = str(described["authorization_endpoint"])
        return f"{start}{'&' if '?' in start else '?'}{urlencode(query)}"

    async def identity(self, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """The person, from what the browser came back with. Raises SignInFailed."""
        if not hmac.compare_digest(answer.get("state", ""), attempt.state):
            raise SignInFailed("The answer does not belong to this sign-in; start again.")
        if "error" in answer:
            raise SignInFailed(f"The provider refused: {answer['error'][:80]}.")
        if answer.get("iss", self.client.issuer) != self.client.issuer:
            raise SignInFailed("The answer comes from another provider.")  # RFC 9207
        claims = await self._claims(await self._redeem(attempt, answer.get("code", "")))
        if not hmac.compare_digest(str(claims.get("nonce", "")), attempt.nonce):
            raise SignInFailed("The id token was made for another sign-in.")
        return self._identity(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        held = claims.get(self.client.groups_claim, [])
        groups = [held] if isinstance(held, str) else held if isinstance(held, list) else []
        names = ("email", "preferred_username", "name", "sub")
        name = next(str(claims[each]) for each in names if claims.get(each))
        return Identity(name, frozenset(str(group) for group in groups))

    async def _redeem(self, attempt: Attempt, code: str) -> str:
        described = await self._description()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "client_id": self.client.client_id,
            "code_verifier": attempt.verifier,
        }
        if self.client.client_secret:
            form["client_secret"] = self.client.client_secret
        answer = await self._ask("POST", str(described["token_endpoint"]), form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInFailed("The provider gave no id token; is the scope openid asked for?")
        return token

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=ALGORITHMS,
                audience=self.client.client_id,
                issuer=self.client.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise SignInFailed(f"The id token is not valid: {error}.") from None
        if claims.get("azp", self.client.client_id) != self.client.client_id:
            raise SignInFailed("The id token was made out to another client.")
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK:
        """The provider's key; keys are asked for again when one is new, but not all the time."""
        for oldest in (_REMEMBERED_SECONDS, _ASK_KEYS_AGAIN_SECONDS):
            keys = (await self._key_set(oldest)).keys
            if not key_id and len(keys) == 1:
                return keys[0]
            for key in keys:
                if key.key_id == key_id and key_id:
                    return key
        raise SignInFailed("The id token is signed with a key that the provider does not list.")

    async def _key_set(self, oldest: float) -> jwt.PyJWKSet:
        described = await self._description()
        async with self._lock:
            if self._keys is None or self._keys[0] < time.monotonic() - oldest:
                found = await self._ask("GET", str(described["jwks_uri"]))
                self._keys = (time.monotonic(), jwt.PyJWKSet.from_dict(found))
            return self._keys[1]

    async def _description(self) -> dict[str, Any]:
        async with self._lock:
            if self._described and self._described[0] > time.monotonic() - _REMEMBERED_SECONDS:
                return self._described[1]
            issuer = self.client.issuer
            found = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            if found.get("issuer") != issuer or any(not found.get(each) for each in wanted):
                raise SignInFailed(f"The provider at {issuer} does not describe itself as that.")
            self._described = (time.monotonic(), found)
            return found

    async def _ask(
        self, method: str, url: str, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            async with self.session.request(
                method, url, data=form, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                body = await response.json(content_type=None)
        except (ClientError, TimeoutError, ValueError):
            raise SignInFailed("The provider can't be reached; try again.") from None
        if response.status != 200 or not isinstance(body, dict):
            told = body.get("error", "") if isinstance(body, dict) else ""
            raise SignInFailed(
                f"The provider answered {response.status} {str(told)[:80]}".strip() + "."
            )
        return body
