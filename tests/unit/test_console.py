"""The console's pure parts: roles, passwords, throttle, how values are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.console.access import host_name
from reconciler.console.context import BASE, local_path
from reconciler.console.pages.search import named
from reconciler.console.passwords import PasswordHash, hash_password
from reconciler.console.people import Grants, Role
from reconciler.console.throttle import Throttle
from reconciler.console.words import ago, amount, hexdump, plain, plural, visible
from reconciler.errors import ConfigurationError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["ops"], Role.OPERATOR),
        (["ops", "look"], Role.OPERATOR),
        (["look"], Role.VIEWER),
        (["other"], None),
        ([], None),
    ],
)
def test_the_strongest_group_counts(groups: list[str], role: Role | None) -> None:
    """An operator's group wins over a viewer's; no known group is no role."""
    assert Grants(frozenset({"ops"}), frozenset({"look"})).role(groups) is role


def test_a_star_is_everyone_who_can_log_in() -> None:
    """Also those in no group at all."""
    assert Grants(frozenset(), frozenset({"*"})).role([]) is Role.VIEWER


def test_only_the_hashed_password_matches() -> None:
    """Two hashes of one password differ, and each knows only it."""
    first, second = hash_password("a long password"), hash_password("a long password")
    assert first != second
    assert PasswordHash.read(first).matches("a long password")
    assert not PasswordHash.read(first).matches("a long passwore")


@pytest.mark.parametrize(
    "text", ["", "secret", "scrypt$1$2$3", "scrypt$x$8$5$AA==$AA==", "bcrypt$16384$8$5$AA==$AA==",
             "scrypt$1073741824$8$5$AA==$AA=="],
)  # fmt: skip
def test_what_is_no_hash_is_refused_without_telling_it(text: str) -> None:
    """Also one whose cost would take gigabytes."""
    with pytest.raises(ConfigurationError) as told:
        PasswordHash.read(text)
    assert not text or text not in str(told.value)


def test_a_throttled_address_may_try_again_later() -> None:
    """Others are not held up by it, and success forgets the failures."""
    throttle = Throttle(failures=3, seconds=60)
    for second in range(3):
        assert throttle.attempt("a", second) == 0
    assert throttle.attempt("a", 3) == 57
    assert throttle.attempt("b", 3) == 0
    assert throttle.attempt("a", 60) == 0
    throttle.succeeded("a", 60)
    for _ in range(3):
        assert throttle.attempt("a", 60) == 0


def test_many_addresses_together_are_throttled_too() -> None:
    """Guessing from everywhere at once is bounded."""
    throttle = Throttle(overall=5)
    for number in range(5):
        throttle.attempt(f"address {number}", 0.0)
    assert throttle.attempt("another", 1.0) > 0


def test_log_ins_that_succeed_use_up_nobodys_attempts() -> None:
    """Not even where all come from one proxy's address."""
    throttle = Throttle()
    for now in range(2 * throttle.overall):
        assert throttle.attempt("10.0.0.1", now / 10) == 0
        throttle.succeeded("10.0.0.1", now / 10)
    for _ in range(throttle.failures):
        assert throttle.attempt("10.0.0.1", 100) == 0
    assert throttle.attempt("10.0.0.1", 100) == throttle.seconds
    assert throttle.attempt("10.0.0.2", 100) == 0


@given(st.text())
def test_a_path_to_go_on_to_is_one_of_ours(text: str) -> None:
    """Whatever is asked, nobody is sent to another site or out of the console."""
    path = local_path(text)
    assert path.startswith(f"{BASE}/")
    assert ".." not in path
    assert "\n" not in path


@given(st.text())
def test_visible_text_holds_no_markup_and_nothing_hidden(text: str) -> None:
    """Only our own span is markup; control, format and separator characters are spelled out."""
    shown = str(visible(text)).replace('<span class="unseen">', "").replace("</span>", "")
    assert "<" not in shown
    assert ">" not in shown
    assert not set(shown) & {chr(code) for code in (0, 7, 27, 0x200B, 0x202E, 0x2066, 0xFEFF)}


@given(st.binary(max_size=200))
def test_a_hexdump_holds_every_byte(raw: bytes) -> None:
    """In order, sixteen to a row."""
    rows = hexdump(raw).splitlines()
    assert bytes.fromhex("".join(row[10:57] for row in rows)) == raw


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deal 123", ("deal", "123")),
        ("Deals/123", ("deal", "123")),
        ("payment #77", ("payment", "77")),
        ("https://app.hubspot.com/contacts/4711/record/0-14/55?x=1", ("quote", "55")),
        ("Acme deal 123 renewal", None),
        ("Deal Acme", None),
        ("quote 2026/17", None),
        ("123", None),
    ],
)
def test_what_names_an_object_outright(text: str, expected: tuple[str, str] | None) -> None:
    """Type and id, or the address of the record in HubSpot."""
    found = named(text)
    assert (found and (str(found.type), found.id)) == expected


@pytest.mark.parametrize(
    ("host", "name"),
    [("localhost:8080", "localhost"), ("127.0.0.1", "127.0.0.1"), ("[::1]:8080", "::1"),
     ("EVIL.example:80", "evil.example")],
)  # fmt: skip
def test_the_name_in_a_host_header(host: str, name: str) -> None:
    """Without port and brackets, in lower case."""
    assert host_name(host) == name


def test_how_values_are_written() -> None:
    """For accountants: separators, cents, plain words and spans of time."""
    assert amount(Decimal("1234.5"), "USD") == "1,234.50 USD"
    assert amount(None) == ""
    assert plain("quickbooks_refused") == "QuickBooks refused"
    assert plural(1, "document") == "1 document"
    assert plural(2310, "document") == "2,310 documents"
    assert ">3 min ago<" in ago(NOW - timedelta(seconds=200), NOW)
    assert ">in 2 h<" in ago(NOW + timedelta(hours=2, minutes=5), NOW)
