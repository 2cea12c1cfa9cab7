"""Statements of QuickBooks's query language, safe for any text; pure.

Facts: developer.intuit.com/.../explore-the-quickbooks-online-api/data-queries, read 2026-11. The
language has no OR and no joins, pages of at most 1000 rows, and hides inactive
rows of name lists unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_PAGE = 1000

NAME_LISTS = frozenset(
    {
        "Account", "Class", "Customer", "Department", "Employee", "Item", "PaymentMethod",
        "TaxCode", "TaxRate", "Term", "Vendor",
    }
)  # fmt: skip
"""Lists whose entries are made inactive, not deleted."""

ACTIVE_OR_NOT = "Active IN (true, false)"


def quote(value: str) -> str:
    r"""A string literal: `'` and `\` escaped by a backslash (doubling the quote is wrong)."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def equals(name: str, value: str) -> str:
    """The condition `name = 'value'`; for ids, numbers and dates, which are ASCII."""
    return f"{name} = {quote(value)}"


def one_of(name: str, values: Iterable[str]) -> str:
    """The condition `name IN ('a', 'b')`."""
    return f"{name} IN ({', '.join(quote(value) for value in values)})"


def resembles(name: str, value: str) -> str | None:
    """A condition that holds for `value` and perhaps for others; compare the rows afterwards.

    The vendor's parser refuses characters outside Latin with a lexical error (fault 4000) however
    they are encoded: U+0142 and typographic quotes and dashes are reported (quickbooks-ruby
    issues 362 and 368, QuickBooks-V3-PHP-SDK 395 and 397). Stored names may hold them, so each
    becomes the wildcard `%`, and so do backslashes, whose escaping is reported to break at the
    end of a literal. None when too little is left to search by: use the loaded references.
    """
    pattern = "".join(character if _is_plain(character) else "%" for character in value)
    while "%%" in pattern:
        pattern = pattern.replace("%%", "%")
    if "%" not in pattern:
        return equals(name, value)
    if sum(character.isalnum() for character in pattern) < MIN_SEARCHABLE:
        return None
    return f"{name} LIKE {quote(pattern)}"


MIN_SEARCHABLE = 3
"""Fewer letters or digits than this would fetch most of a list, and reads are metered."""


def _is_plain(character: str) -> bool:
    return " " <= character <= "~" and character != "\\"


def select(
    entity: str,
    conditions: Iterable[str] = (),
    *,
    start: int = 1,
    limit: int = MAX_PAGE,
    inactive: bool = True,
) -> str:
    """One page of an entity in the order of its ids.

    `start` is 1-based. Rows of name lists that were made inactive are included unless `inactive`
    is False; transactions have no such flag.
    """
    where = [*([ACTIVE_OR_NOT] if inactive and entity in NAME_LISTS else []), *conditions]
    clause = f" WHERE {' AND '.join(where)}" if where else ""
    page = f"ORDERBY Id STARTPOSITION {start} MAXRESULTS {limit}"
    return f"SELECT * FROM {entity}{clause} {page}"


def count(entity: str, conditions: Iterable[str] = ()) -> str:
    """How many rows there are, for an estimate of the pages."""
    where = " AND ".join(conditions)
    clause = f" WHERE {where}" if where else ""
    return f"SELECT COUNT(*) FROM {entity}{clause}"


def next_page(start: int, received: int, limit: int = MAX_PAGE) -> int | None:
    """The STARTPOSITION after a page of `received` rows, or None after the last one.

    Counted by rows received, because a page of limit + 1 rows has been seen
    (node-quickbooks issue 89).
    """
    return start + received if received >= limit else None
