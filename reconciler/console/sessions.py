"""The session cookie: who is logged in, sealed so that a browser can neither read nor change it.

Nothing of a session is kept on the server, so any process answers any request; processes that share
an address need the same keys (`console_keys`). A session ends at its time, or when what it was
granted on (`granted_on`: the password, the provider) has been changed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from reconciler.console.people import Person, Role
from reconciler.errors import ConfigurationError

COOKIE = "reconciler_console"


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the cookie holds. `csrf` must come back with every form; `notice` is shown once.

    `sign_in` is what the browser was sent to the identity provider with. Neither shows in a repr.
    """

    csrf: str
    expires_at: float
    name: str = ""
    role: Role | None = None
    granted_on: str = ""
    notice: str = ""
    sign_in: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Session(name={self.name!r}, role={self.role}, …)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("name", self.name), ("role", self.role)]

    @property
    def person(self) -> Person | None:
        return Person(self.name, self.role) if self.role is not None else None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Session).decode


@dataclass(frozen=True)
class Sessions:
    """Makes, seals and unseals sessions."""

    fernet: MultiFernet
    lasting: timedelta

    @classmethod
    def with_keys(cls, keys: Sequence[str], lasting: timedelta) -> Sessions:
        """Without keys one is made up: sessions then end with the process."""
        try:
            fernets = [Fernet(key) for key in keys or [Fernet.generate_key().decode()]]
        except ValueError:
            raise ConfigurationError(
                "A key in RECONCILER_CONSOLE_KEYS is not one: make it with `reconciler new-key`."
            ) from None
        return cls(MultiFernet(fernets), lasting)

    def new(self, now: datetime, person: Person | None = None, granted_on: str = "") -> Session:
        """A fresh session; a new one at each log-in, so that none can be planted beforehand."""
        return Session(
            csrf=secrets.token_urlsafe(32),
            expires_at=(now + self.lasting).timestamp(),
            name=person.name if person else "",
            role=person.role if person else None,
            granted_on=granted_on,
        )

    def seal(self, session: Session) -> str:
        """The cookie's value."""
        return self.fernet.encrypt(_encode(session)).decode()

    def unseal(self, cookie: str, now: datetime) -> Session | None:
        """The session, unless it is forged, spoilt or over."""
        try:
            session = _decode(self.fernet.decrypt(cookie.encode()))
        except (InvalidToken, msgspec.MsgspecError, UnicodeEncodeError):
            return None
        return session if session.expires_at > now.timestamp() else None


def fingerprint(*facts: str) -> str:
    """A short digest of what a log-in rests on, from which the facts can't be had back."""
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]
