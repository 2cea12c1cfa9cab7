"""Text made legal for QuickBooks, whatever HubSpot holds."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.quickbooks import names, payload

ANY = st.text(st.characters(exclude_categories=()), max_size=700)


def is_storable(text: str) -> bool:
    """UTF-8 and XML can carry it."""
    payload.encode(text)
    return not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text)


@given(text=ANY)
def test_names_are_legal(text: str) -> None:
    """No colon, tab, newline, control character or surrogate, and never too long."""
    for make, limit in [
        (names.display_name, 500),
        (names.item_name, 100),
        (names.person_name, 100),
        (names.company_name, 100),
    ]:
        name = make(text)
        assert not set(name) & set(":\t\n\r")
        assert names.utf16_length(name) <= limit
        assert name == name.strip()
        assert is_storable(name)
        assert make(name) == name, "cleaning what is clean changes nothing"


@given(text=ANY)
def test_free_text_is_storable(text: str) -> None:
    """Memos keep their lines, numbers are one line, all within the vendor's limits."""
    note = names.clean_text(text, names.MAX_CUSTOMER_MEMO)
    assert names.utf16_length(note) <= 1000
    assert is_storable(note)
    for short in (names.document_number(text), names.payment_reference(text)):
        assert names.utf16_length(short) <= 21
        assert is_storable(short)
    assert names.utf16_length(names.phone_number(text)) <= 30


@given(text=ANY, limit=st.integers(0, 60))
def test_clip_is_a_beginning(text: str, limit: int) -> None:
    """Clipping only ever cuts off the end."""
    clipped = names.clip(text, limit)
    assert text.startswith(clipped)
    assert names.utf16_length(clipped) <= limit or clipped == text


@pytest.mark.parametrize(
    ("text", "limit", "clipped"),
    [
        ("cafe\u0301", 4, "caf"),
        ("ab👩\u200d🔬", 5, "ab"),
        ("ab👩\u200d🔬", 7, "ab👩\u200d🔬"),
        ("a👍🏽", 3, "a"),
        ("🇩🇪🇫🇷", 4, "🇩🇪"),
        ("🇩🇪🇫🇷", 6, "🇩🇪"),
        ("abc def", 4, "abc"),
        ("e" + "\u0301" * 9, 4, "e\u0301\u0301\u0301"),
        ("👩", 1, ""),
    ],
)
def test_clip_splits_no_character(text: str, limit: int, clipped: str) -> None:
    """Accents, joined emoji, skin tones and flags stay whole, and emoji count twice."""
    assert names.clip(text, limit) == clipped


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Acme: West\tCoast\nInc.", "Acme - West Coast Inc."),
        ("A:B", "A-B"),
        ("  \u00a0 ", ""),
        ("Bell\x07 Labs\ufffe", "Bell Labs"),
    ],
)
def test_display_names(text: str, name: str) -> None:
    """What is refused is replaced by what reads alike."""
    assert names.display_name(text) == name


def test_an_accent_counts_once_however_it_is_written() -> None:
    """As one character or as two (NFC or NFD): names are written and compared in one form."""
    apart, whole = "Jose\u0301 Nu\u0301n\u0303ez", "Jos\u00e9 N\u00fa\u00f1ez"
    for made in (names.display_name, names.item_name, names.person_name, names.company_name):
        assert made(apart) == whole
    assert names.name_key(apart) == names.name_key(whole)
    assert names.email_key(f"{apart}@x.org") == names.email_key(f" {whole}@X.org")


def test_customer_candidates() -> None:
    """The name, then with the e-mail address, then with the HubSpot id."""
    assert list(names.customer_names("Ada Byron", "ada@x.org", "123")) == [
        "Ada Byron",
        "Ada Byron (ada@x.org)",
        "Ada Byron (HubSpot 123)",
    ]
    assert list(names.customer_names("", "ada@x.org", "123")) == [
        "ada@x.org",
        "ada@x.org (HubSpot 123)",
    ]
    assert list(names.customer_names("", "", "123")) == ["HubSpot 123"]


def test_item_candidates() -> None:
    """The name, then with the SKU, then with the HubSpot id."""
    assert list(names.item_names("Widget", "W-1", "9")) == [
        "Widget",
        "Widget (W-1)",
        "Widget (HubSpot 9)",
    ]
    longest = "x" * 100
    assert next(names.item_names(longest, "", "9")) == longest


@given(name=ANY, email=ANY, number=st.integers(1))
def test_candidates_are_legal_and_different(name: str, email: str, number: int) -> None:
    """There is always a candidate; all are legal and none repeats but for case."""
    for limit, candidates in [
        (500, list(names.customer_names(name, email, str(number)))),
        (100, list(names.item_names(name, email, str(number)))),
    ]:
        assert candidates
        assert len({names.name_key(one) for one in candidates}) == len(candidates)
        for one in candidates:
            assert one == one.strip() != ""
            assert not set(one) & set(":\t\n")
            assert names.utf16_length(one) <= limit


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" ada@x.org ", "ada@x.org"),
        ("o'brien+a@mail.x.co.uk", "o'brien+a@mail.x.co.uk"),
        ("ada@localhost", ""),
        ("ada@x..org", ""),
        ("a b@x.org", ""),
        ("ada@x.org, bob@x.org", ""),
        ("josé@x.org", ""),
        (".ada@x.org", ""),
        ("a" * 95 + "@x.org", ""),
        ("", ""),
    ],
)
def test_email_addresses(text: str, address: str) -> None:
    """Only what QuickBooks surely takes is sent."""
    assert names.email_address(text) == address


def test_long_references_keep_their_end() -> None:
    """Payment ids differ at their end; document numbers are cut there like any text."""
    assert names.payment_reference("payment-" + "1" * 20 + "7") == "1" * 20 + "7"
    assert names.document_number("INV-" + "1" * 30) == "INV-" + "1" * 17
    assert names.phone_number("1" * 31) == ""


@pytest.mark.timeout(5)
def test_the_longest_reference_holds_nothing_up() -> None:
    """As long as HubSpot lets a text be."""
    assert names.payment_reference("é" * 65_536) == "é" * 21
    assert names.payment_reference("\U0001f600" * 65_536) == "\U0001f600" * 10


def test_keys() -> None:
    """Case, spacing and composition do not tell names apart."""
    assert names.name_key(" Ada  BYRON") == names.name_key("ada byron")
    assert names.name_key("Jose\u0301") == names.name_key("José")
    assert names.email_key(" Ada@X.org") == "ada@x.org"
