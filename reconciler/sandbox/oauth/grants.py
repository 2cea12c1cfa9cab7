"""Owns grants: what an app was allowed, and the access and refresh tokens it holds for it.

Access tokens live an hour. A refresh token's value changes about every day (its use then gives a
new one, and the old one fails); it lives 100 days from its last use, at most five years in all.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reconciler.sandbox.clock import Clock
from reconciler.sandbox.switches import Switches

HARD_EXPIRY_SECONDS = 5 * 365 * 86_400
CODE_SECONDS = 600


@dataclass(slots=True)
class Grant:
    """One consent for one realm."""

    realm: str
    client_id: str
    granted_at: float
    refresh_token: str = ""
    refresh_issued_at: float = 0.0
    refresh_used_at: float = 0.0
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """An authorisation code, good once."""

    realm: str
    client_id: str
    redirect_uri: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gives out."""

    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int
    hard_expires_in: int


class Kept(msgspec.Struct):
    """Grants on disk: tokens point to their grant by its place."""

    grants: list[Grant]
    access: list[tuple[str, int, float]]
    refresh: list[tuple[str, int]]
    replaced_at: dict[str, float]


@dataclass(slots=True)
class Grants:
    """All grants of a sandbox."""

    clock: Clock
    switches: Callable[[], Switches]
    refreshes: int = 0
    rejected: int = 0
    _codes: dict[str, Code] = field(default_factory=dict)
    _access: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    _refresh: dict[str, Grant] = field(default_factory=dict)
    _replaced_at: dict[str, float] = field(default_factory=dict)
    file: Path | None = None  # where grants are kept, so that a killed sandbox knows its tokens

    def restore(self) -> None:
        """Read the file, if there is one."""
        if self.file is None or not self.file.exists():
            return
        kept = msgspec.json.decode(self.file.read_bytes(), type=Kept)
        self._access = {one: (kept.grants[at], until) for one, at, until in kept.access}
        self._refresh = {one: kept.grants[at] for one, at in kept.refresh}
        self._replaced_at = kept.replaced_at

    def _keep(self) -> None:
        """Write the file, in one step."""
        if self.file is None:
            return
        grants = list({id(one): one for one in self._refresh.values()}.values())
        place = {id(one): at for at, one in enumerate(grants)}
        now = self.clock.now()
        kept = Kept(
            grants,
            [(one, place[id(g)], until) for one, (g, until) in self._access.items() if until > now],
            [(one, place[id(g)]) for one, g in self._refresh.items()],
            self._replaced_at,
        )
        written = self.file.with_suffix(".new")
        written.write_bytes(msgspec.json.encode(kept))
        written.replace(self.file)

    def issue_code(self, realm: str, client_id: str, redirect_uri: str) -> str:
        """A code for the consent just given."""
        code = "AB" + secrets.token_urlsafe(24)
        expires = self.clock.now() + CODE_SECONDS
        self._codes[code] = Code(realm, client_id, redirect_uri, expires)
        return code

    def exchange_code(self, code: str, client_id: str, redirect_uri: str) -> Tokens | None:
        """The tokens for a code; None when it is unknown, used, expired or another app's."""
        held = self._codes.pop(code, None)
        if held is None or held.expires_at < self.clock.now():
            return None
        if held.client_id != client_id or held.redirect_uri != redirect_uri:
            return None
        return self._tokens(Grant(held.realm, client_id, self.clock.now()))

    def refresh(self, refresh_token: str, client_id: str) -> Tokens | None:
        """New tokens; None for a refresh token that is unknown, replaced, expired or revoked."""
        grant = self._refresh.get(refresh_token)
        if (
            grant is None
            or grant.is_revoked
            or grant.client_id != client_id
            or not self._is_live(grant, refresh_token)
        ):
            self.rejected += 1
            return None
        self.refreshes += 1
        return self._tokens(grant)

    def revoke(self, token: str) -> bool:
        """End the grant a token belongs to; False when there is none."""
        held = self._access.get(token)
        grant = held[0] if held else self._refresh.get(token)
        if grant is None or grant.is_revoked:
            return False
        grant.is_revoked = True
        self._keep()
        return True

    def revoke_realm(self, realm: str) -> int:
        """End all grants for a realm, as its administrator disconnecting the app does."""
        ended = 0
        for grant in self._refresh.values():
            if grant.realm == realm and not grant.is_revoked:
                grant.is_revoked = True
                ended += 1
        self._keep()
        return ended

    def expire_access(self, realm: str) -> None:
        """Let all access tokens for a realm expire now."""
        for token, (grant, _) in self._access.items():
            if grant.realm == realm:
                self._access[token] = (grant, 0.0)

    def of_access_token(self, token: str) -> Grant | None:
        """The grant of an access token that is good now."""
        held = self._access.get(token)
        if held is None or held[0].is_revoked or held[1] < self.clock.now():
            return None
        return held[0]

    def knows(self, token: str) -> bool:
        """Whether this was ever an access token."""
        return token in self._access

    def _is_live(self, grant: Grant, refresh_token: str) -> bool:
        now, switches = self.clock.now(), self.switches()
        if now > grant.granted_at + HARD_EXPIRY_SECONDS:
            return False
        if now > grant.refresh_used_at + switches.refresh_token_seconds:
            return False
        if refresh_token == grant.refresh_token:
            return True
        replaced = self._replaced_at.get(refresh_token, 0.0)
        return now < replaced + switches.refresh_overlap_seconds

    def _tokens(self, grant: Grant) -> Tokens:
        now, switches = self.clock.now(), self.switches()
        grant.refresh_used_at = now
        if (
            not grant.refresh_token
            or now >= grant.refresh_issued_at + switches.refresh_rotation_seconds
        ):
            self._replaced_at[grant.refresh_token] = now
            grant.refresh_token = "RT1-" + secrets.token_urlsafe(30)
            grant.refresh_issued_at = now
            self._refresh[grant.refresh_token] = grant
        access = "eyJ" + secrets.token_urlsafe(48)
        self._access[access] = (grant, now + switches.access_token_seconds)
        self._keep()
        left = int(grant.granted_at + HARD_EXPIRY_SECONDS - now)
        return Tokens(
            access,
            grant.refresh_token,
            int(switches.access_token_seconds),
            int(switches.refresh_token_seconds),
            left,
        )
