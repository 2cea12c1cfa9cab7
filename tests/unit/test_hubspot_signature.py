"""Signature v3: what HubSpot signed just now is believed, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.signature import (
    NEWEST_MS,
    OLDEST_MS,
    Recent,
    Refusal,
    Signed,
    decoded,
    premature,
    refusal,
    signature,
)

NOW = 1_790_000_001_000
SECRET = b"yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URI = "https://www.example.com/webhook_uri"
BODY = '[{"example":"Grüße"}]'.encode()


def signed(
    at: int = NOW, body: bytes = BODY, uri: str = URI, secret: bytes = SECRET, method: str = "POST"
) -> Signed:
    """A request signed by hand, not by the code under test."""
    source = method.encode() + uri.encode() + body + str(at).encode()
    digest = hmac.new(secret, source, hashlib.sha256).digest()
    return Signed(method, uri, body, str(at), base64.b64encode(digest).decode())


def test_what_hubspot_signed_is_believed() -> None:
    """A signature over method, URI, raw body and timestamp is accepted."""
    assert refusal(signed(), [SECRET], NOW) is None


def test_either_secret_is_accepted_while_they_rotate() -> None:
    """With the old and the new secret configured, requests signed with either pass."""
    for secret in (b"old", b"new"):
        assert refusal(signed(secret=secret), [b"old", b"new"], NOW) is None
    assert refusal(signed(secret=b"older"), [b"old", b"new"], NOW) is Refusal.FORGED


class Case(NamedTuple):
    reason: str
    request: Signed
    wanted: Refusal | None


GOOD = signed()
CASES = [
    Case("another body", GOOD._replace(body=BODY + b" "), Refusal.FORGED),
    Case("another method", GOOD._replace(method="PUT"), Refusal.FORGED),
    Case("another host", GOOD._replace(uri="https://example.com/webhook_uri"), Refusal.FORGED),
    Case("http for https", GOOD._replace(uri=URI.replace("https", "http")), Refusal.FORGED),
    Case("a trailing slash", GOOD._replace(uri=URI + "/"), Refusal.FORGED),
    Case(
        "a fresher time on an old signature", GOOD._replace(timestamp=str(NOW + 1)), Refusal.FORGED
    ),
    Case("another secret", signed(secret=b"guess"), Refusal.FORGED),
    Case("a signature cut short", GOOD._replace(signature=GOOD.signature[:-1]), Refusal.FORGED),
    Case("a signature of no ASCII", GOOD._replace(signature="ünsigned"), Refusal.FORGED),
    Case("no signature", GOOD._replace(signature=""), Refusal.UNSIGNED),
    Case("no timestamp", GOOD._replace(timestamp=""), Refusal.UNSIGNED),
    Case("a negative timestamp", GOOD._replace(timestamp="-1"), Refusal.UNSIGNED),
    Case("digits of another script", GOOD._replace(timestamp="١٢٣"), Refusal.UNSIGNED),
    Case("seconds for milliseconds", signed(at=NOW // 1000), Refusal.STALE),
    Case("a timestamp without end", GOOD._replace(timestamp="9" * 5000), Refusal.FUTURE),
    Case("exactly five minutes old", signed(at=NOW - OLDEST_MS), None),
    Case("older than five minutes", signed(at=NOW - OLDEST_MS - 1), Refusal.STALE),
    Case("their clock a little ahead", signed(at=NOW + NEWEST_MS), None),
    Case("their clock too far ahead", signed(at=NOW + NEWEST_MS + 1), Refusal.FUTURE),
]


@pytest.mark.parametrize("case", CASES, ids=[case.reason for case in CASES])
def test_refusals(case: Case) -> None:
    """Forged, replayed and misdated requests are each refused for their own reason."""
    assert refusal(case.request, [SECRET], NOW) is case.wanted, case.reason


def test_the_escapes_hubspot_decodes_are_decoded_and_no_others() -> None:
    """The signature is over the URI with twelve escapes decoded, upper or lower case."""
    assert (
        decoded("https://h/a%3Ab%2fc%3F%40%21%24%27%28%29%2A%2C%3B") == "https://h/a:b/c?@!$'()*,;"
    )
    assert decoded("https://h/a%20b%26c%3Dd%25") == "https://h/a%20b%26c%3Dd%25"
    assert decoded("https://h/?a=%") == "https://h/?a=%"
    asked = "https://h/hooks?to=%2Fdeals%3Bwon"
    plain = signed(uri="https://h/hooks?to=/deals;won")
    assert refusal(plain._replace(uri=asked), [SECRET], NOW) is None


@given(st.text(max_size=60))
def test_decoding_takes_any_text(uri: str) -> None:
    """Any URI is decoded without an error, and only escapes are shortened."""
    assert len(decoded(uri)) <= len(uri)


@given(st.binary(max_size=50), st.integers(0, 2**60), st.text(max_size=50))
def test_nothing_unsigned_is_believed(body: bytes, at: int, given_signature: str) -> None:
    """Whatever is sent without the secret is refused, and never with an error."""
    request = Signed("POST", URI, body, str(at), given_signature)
    assert refusal(request, [SECRET], NOW) is not None
    assert premature(request, NOW) in (None, refusal(request, [SECRET], NOW))


def test_a_request_taken_is_remembered_while_it_is_fresh() -> None:
    """The memory forgets what is stale anyway, and never outgrows its bound."""
    recent = Recent(most=3)
    requests = [signed(body=b"%d" % n) for n in range(5)]
    for request in requests:
        recent.add(request, NOW)
    assert [request in recent for request in requests] == [False, False, True, True, True]
    recent.add(signed(body=b"later"), NOW + OLDEST_MS + NEWEST_MS + 1)
    assert not any(request in recent for request in requests)


def test_signatures_are_padded_base64() -> None:
    """A SHA-256 in base64 has 44 characters."""
    assert len(signature(signed(), SECRET)) == 44
