"""Encrypts what is secret before it is stored (tokens), with keys from the settings.

The token store calls it. To rotate, put a new key first in the list and keep the old ones until
every row has been sealed again; the first key seals, all of them unseal.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from reconciler.errors import ConfigurationError


class Seal:
    """Seals and unseals bytes with AES-128-CBC and HMAC-SHA256 (Fernet)."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` as `new_key` makes them, newest first. Raises ConfigurationError."""
        if not keys:
            raise ConfigurationError("No encryption key is set: make one with Seal.new_key.")
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            raise ConfigurationError(
                "An encryption key is not 32 bytes in URL-safe base64."  # never which: it is secret
            ) from None
        self._newest = fernets[0]
        self._all = MultiFernet(fernets)

    def __repr__(self) -> str:
        return "Seal(…)"

    @staticmethod
    def new_key() -> str:
        """A random key for the settings."""
        return Fernet.generate_key().decode()

    def seal(self, secret: bytes) -> bytes:
        """Encrypt with the newest key."""
        return self._newest.encrypt(secret)

    def unseal(self, sealed: bytes) -> bytes:
        """Decrypt with any key. Raises ConfigurationError if none fits."""
        try:
            return self._all.decrypt(sealed)
        except InvalidToken:
            raise ConfigurationError(
                "Stored tokens cannot be unsealed: the key they were sealed with is not listed."
            ) from None
