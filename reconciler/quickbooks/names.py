"""Makes text that QuickBooks accepts: names, e-mail addresses, memos and numbers; pure.

`documents` and the dispatcher's resolving of customers and items call it, so that no fault 2010,
2040, 2050 or 2210 reaches a person for text that could have been cleaned. Lengths are those of
the API Explorer's entity pages, read 2026-11, and are counted in UTF-16 units as Java counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

MAX_DISPLAY_NAME = 500
MAX_ITEM_NAME = 100
MAX_SKU = 100
MAX_PERSON_NAME = 100
MAX_COMPANY_NAME = 100
MAX_EMAIL = 100
MAX_PHONE = 30
MAX_CUSTOMER_MEMO = 1000
MAX_DOCUMENT_NUMBER = 21
MAX_PAYMENT_REFERENCE = 21
"""The documentation says 100 for RefundReceipt, but longer than 21 is rejected on Payment."""


# --- text -------------------------------------------------------------------------------------


def clean_text(text: str, limit: int) -> str:
    """Free text for a memo or description: line breaks stay, other control characters go."""
    if text.isprintable():  # the usual case: nothing to replace
        return clip(text.strip(), limit)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(c for c in text if c in "\n\t" or not _is_forbidden(c))
    return clip(kept.strip(), limit)


def clean_line(text: str, limit: int) -> str:
    """Text for a field of one line: all white space becomes single spaces."""
    return clip(_one_line(text), limit)


def _one_line(text: str) -> str:
    if text.isprintable():  # the usual case: no white space but spaces
        return " ".join(text.split())
    kept = "".join(" " if c.isspace() else "" if _is_forbidden(c) else c for c in text)
    return " ".join(kept.split())


def _is_forbidden(character: str) -> bool:
    """Control characters, lone surrogates, and code points that are no character at all.

    XML 1.0, which is what QuickBooks stores, can carry none of them.
    """
    category = unicodedata.category(character)
    return category in {"Cc", "Cs"} or (ord(character) & 0xFFFE) == 0xFFFE


def utf16_length(text: str) -> int:
    """Length as QuickBooks counts it: a character beyond U+FFFF counts twice."""
    if text.isascii():
        return len(text)
    return len(text) + sum(character > "\uffff" for character in text)


def clip(text: str, limit: int) -> str:
    """The longest beginning within `limit` that cuts no character from its accents or joiners."""
    if utf16_length(text) <= limit:
        return text
    end, length = 0, 0
    while length + (width := 2 if text[end] > "\uffff" else 1) <= limit:
        length += width
        end += 1
    whole = end
    while whole and _continues(text, whole):
        whole -= 1
    return text[: whole or end].rstrip()  # a single character may carry more accents than fit


_JOINER = "\u200d"


def _continues(text: str, at: int) -> bool:
    """Whether the character at `at` belongs to the one before it."""
    character, before = text[at], text[at - 1]
    if character == _JOINER or before == _JOINER:
        return True
    if _is_flag_letter(character) and _is_flag_letter(before):
        return _flag_letters_before(text, at) % 2 == 1
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return is_skin_tone or unicodedata.category(character) in {"Mn", "Me", "Mc"}


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_letters_before(text: str, at: int) -> int:
    start = at
    while start and _is_flag_letter(text[start - 1]):
        start -= 1
    return at - start


# --- names ------------------------------------------------------------------------------------


def display_name(text: str) -> str:
    """A legal DisplayName of a customer, or "" if nothing legal is left.

    QuickBooks refuses colon, tab and newline: a colon separates a customer from its jobs.
    """
    return _name(text, MAX_DISPLAY_NAME)


def item_name(text: str) -> str:
    """A legal Name of an item, or "" if nothing legal is left."""
    return _name(text, MAX_ITEM_NAME)


def person_name(text: str) -> str:
    """A legal GivenName or FamilyName."""
    return _name(text, MAX_PERSON_NAME)


def company_name(text: str) -> str:
    """A legal CompanyName."""
    return _name(text, MAX_COMPANY_NAME)


def _name(text: str, limit: int) -> str:
    line = _one_line(text.replace(": ", " - ").replace(":", "-"))
    return clip(unicodedata.normalize("NFC", line), limit)


def folded(text: str) -> str:
    """Text for comparing: neither case counts, nor whether an accent is a character of its own."""
    return unicodedata.normalize("NFC", text).casefold()


@lru_cache(maxsize=8192)
def name_key(text: str) -> str:
    """What two names must share to be taken for the same: case and spacing do not count."""
    return " ".join(folded(text).split())


def customer_names(name: str, email: str, hubspot_id: str, currency: str = "") -> Iterator[str]:
    """Legal DisplayNames to try in order for one customer, the first preferred.

    Always the same for the same customer, and the last one is the customer's own: names are
    unique over customers, vendors and employees, also inactive ones (fault 6240). *currency* is
    given where it is a foreign one: who is billed in two currencies is two customers.
    """
    base = display_name(name) or display_name(email)
    own = f"HubSpot {hubspot_id} {currency}".rstrip()
    return _candidates(base, [currency, email, own], MAX_DISPLAY_NAME)


def names_in(name: str, currency: str) -> tuple[str, ...]:
    """What the entry of a list that has a currency may be called: “Acme”, or “Acme (EUR)”."""
    return (name, f"{name} ({currency})") if currency else (name,)


def item_names(name: str, sku: str, hubspot_id: str) -> Iterator[str]:
    """Legal item Names to try in order for one product, the first preferred."""
    base = item_name(name) or item_name(sku)
    return _candidates(base, [sku, f"HubSpot {hubspot_id}"], MAX_ITEM_NAME)


def _candidates(base: str, additions: list[str], limit: int) -> Iterator[str]:
    seen = {""}
    for addition in ["", *additions]:
        tag = _name(addition, limit // 2)
        suffix = f"({tag})" if tag and base else tag
        room = limit - utf16_length(suffix) - 1 if suffix else limit
        candidate = f"{clip(base, room)} {suffix}".strip()
        if name_key(candidate) not in seen and name_key(tag) != name_key(base):
            seen.add(name_key(candidate))
            yield candidate


# --- e-mail -----------------------------------------------------------------------------------

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"{_LOCAL}(?:\.{_LOCAL})*@(?:{_LABEL}\.)+{_LABEL}")


def email_address(text: str) -> str:
    """The address if QuickBooks will take it, else "" (fault 2210: RFC 822 with @ and a dot).

    A document without an e-mail address is better than none, so anything doubtful is left out.
    """
    text = text.strip()
    return text if len(text) <= MAX_EMAIL and _EMAIL.fullmatch(text) else ""


def email_key(text: str) -> str:
    """What two addresses must share to be taken for the same."""
    return folded(text.strip())


def email_keys(key: str) -> list[str]:
    """The keys in that of a customer's e-mail field, which holds several addresses between commas."""
    return [one for one in (each.strip() for each in key.split(",")) if one]


# --- short fields -----------------------------------------------------------------------------


AUTO_NUMBER = "AUTO_GENERATE"
"""As the DocNumber of an Invoice, Estimate or SalesReceipt: QuickBooks numbers it, also where
numbers are the company's own (Finance.xsd of Intuit's Java SDK, read 2026-11)."""


def document_number(text: str) -> str:
    """A DocNumber of at most 21 characters."""
    return clean_line(text, MAX_DOCUMENT_NUMBER)


def payment_reference(text: str) -> str:
    """A PaymentRefNum of at most 21 characters: the end of a longer one, where ids differ."""
    line = clean_line(text, len(text) * 2)[-MAX_PAYMENT_REFERENCE:]
    while utf16_length(line) > MAX_PAYMENT_REFERENCE:
        line = line[1:]
    return line.strip()


def phone_number(text: str) -> str:
    """A FreeFormNumber of at most 30 characters, or "" if it is longer: half a number is none."""
    line = clean_line(text, len(text) * 2)
    return line if utf16_length(line) <= MAX_PHONE else ""
