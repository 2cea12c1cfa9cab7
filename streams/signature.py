"""Owns HubSpot's request signature v3: whether a request came from HubSpot, and came just now.

Pure; `gateway` calls it with the raw bytes of a request and the time. It compares in constant time
and says no more to the sender than that it was refused. Vendor facts: HubSpot's guide on request
validation and its official SDKs (read November 2026).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

SIGNATURE = "X-HubSpot-Signature-v3"
TIMESTAMP = "X-HubSpot-Request-Timestamp"

OLDEST_MS = 300_000
"""HubSpot: reject a request older than five minutes."""

NEWEST_MS = 30_000
"""How far HubSpot's clock may be ahead of ours; a later time would keep a request fresh for longer."""

_DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
_TIMESTAMP_DIGITS = 15


class Refusal(StrEnum):
    """Why a request is refused; labels a metric."""

    UNSIGNED = "unsigned"
    STALE = "stale"
    FUTURE = "future"
    FORGED = "forged"


class Signed(NamedTuple):
    """A request as far as its signature covers it; `uri` is the whole URL that HubSpot called."""

    method: str
    uri: str
    body: bytes
    timestamp: str
    signature: str


def refusal(request: Signed, secrets: Sequence[bytes], now_ms: int) -> Refusal | None:
    """Say why the request must not be believed; None when one of the secrets signed it just now.

    Several secrets are accepted while an app's secret is being rotated.
    """
    if (early := premature(request, now_ms)) is not None:
        return early
    given = request.signature.encode("utf-8", "replace")
    matches = [hmac.compare_digest(signature(request, secret), given) for secret in secrets]
    return None if any(matches) else Refusal.FORGED  # all are compared: no answer is faster


def premature(request: Signed, now_ms: int) -> Refusal | None:
    """Say why the request is refused whatever its body: nothing of it need be read then."""
    stamp = request.timestamp
    if not request.signature or not (stamp.isascii() and stamp.isdigit()):
        return Refusal.UNSIGNED
    if len(stamp) > _TIMESTAMP_DIGITS or int(stamp) > now_ms + NEWEST_MS:
        return Refusal.FUTURE
    return Refusal.STALE if int(stamp) < now_ms - OLDEST_MS else None


def signature(request: Signed, secret: bytes) -> bytes:
    """Sign as HubSpot does: base64 of HMAC-SHA256 over method, decoded URI, raw body, timestamp."""
    digest = hmac.new(secret, request.method.encode(), hashlib.sha256)
    digest.update(decoded(request.uri).encode("utf-8", "replace"))
    digest.update(request.body)
    digest.update(request.timestamp.encode())
    return base64.b64encode(digest.digest())


def decoded(uri: str) -> str:
    """Decode the twelve escapes that HubSpot decodes before signing, in either case, and no other."""
    if "%" not in uri:
        return uri
    parts = uri.split("%")
    return parts[0] + "".join(_unescaped(part) for part in parts[1:])


def _unescaped(part: str) -> str:
    character = _DECODED.get(f"%{part[:2].upper()}")
    return f"%{part}" if character is None else character + part[2:]


@dataclass
class Recent:
    """Signatures of requests already taken, for as long as they stay fresh; bounded.

    HubSpot signs every attempt anew, so a signature seen before is a request sent again by
    somebody on the way. Taking it twice would be harmless, but would let them fill the topic.
    """

    most: int = 50_000
    _taken: dict[str, int] = field(default_factory=dict)

    def add(self, signed: Signed, now_ms: int) -> None:
        """Remember a request that was taken."""
        while self._taken:
            oldest = next(iter(self._taken))
            is_fresh = self._taken[oldest] >= now_ms - OLDEST_MS - NEWEST_MS
            if is_fresh and len(self._taken) < self.most:
                break
            del self._taken[oldest]
        self._taken[signed.signature] = now_ms

    def __contains__(self, signed: Signed) -> bool:
        return signed.signature in self._taken
