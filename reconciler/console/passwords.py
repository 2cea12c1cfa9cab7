"""Hashes the console's password with scrypt, and checks one against a hash.

`reconciler console-password` prints a hash for the settings; `login` checks. A hash carries its own
cost (n, r, p), so that it can be raised later: 16 MiB and some 50 ms by default, as OWASP advises.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from reconciler.errors import ConfigurationError

_N, _R, _P = 2**14, 8, 5
_MOST_MEMORY = 256 * 1024 * 1024


@dataclass(frozen=True, repr=False)
class PasswordHash:
    """`scrypt$n$r$p$salt$hash`, taken apart."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def read(cls, text: str) -> PasswordHash:
        """Raises ConfigurationError, never with the text in it."""
        try:
            name, n, r, p, salt, digest = text.strip().split("$")
            read = cls(int(n), int(r), int(p), base64.b64decode(salt), base64.b64decode(digest))
        except (ValueError, binascii.Error):
            name, read = "", cls(0, 0, 0, b"", b"")
        if name != "scrypt" or not read.digest or 128 * read.n * read.r > _MOST_MEMORY:
            raise ConfigurationError(
                "A password hash of the console is not one: print it with "
                "`reconciler console-password`."
            )
        return read

    def matches(self, password: str) -> bool:
        """True for the password that was hashed; takes some 50 ms, so call it off the event loop."""
        return hmac.compare_digest(
            _digest(password, self.salt, self.n, self.r, self.p), self.digest
        )


def hash_password(password: str) -> str:
    """A hash for the settings."""
    salt = secrets.token_bytes(16)
    parts = (salt, _digest(password, salt, _N, _R, _P))
    encoded = "$".join(base64.b64encode(part).decode() for part in parts)
    return f"scrypt${_N}${_R}${_P}${encoded}"


def _digest(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=32
    )
