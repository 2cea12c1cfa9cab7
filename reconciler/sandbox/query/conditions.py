"""Owns comparison: whether a row's value meets a condition of a query.

Numbers compare as numbers, times as times, all else as text; text compares without case unless the
switch says otherwise. `LIKE` knows `%` only.
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from reconciler.sandbox.clock import moment
from reconciler.sandbox.query.grammar import Condition
from reconciler.sandbox.table import Body

Test = Callable[[Any], bool]


def value_at(row: Body, path: str) -> Any:
    """The value of a property path; references and e-mails give their id or address."""
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict):
        return value.get("value", value.get("Address", value.get("FreeFormNumber")))
    return value


def test_of(condition: Condition, case_sensitive: bool) -> Test:
    """A function that tells whether a value meets the condition."""
    if condition.operator == "LIKE":
        return _like(condition.values[0], case_sensitive)
    fold = _same if case_sensitive else str.casefold
    if condition.path.startswith("MetaData."):
        return _ordered(condition, _moment)
    if condition.operator in {"=", "IN"}:
        return _equal(condition, fold)
    return _ordered(condition, lambda value: _sortable(value, fold))


def _equal(condition: Condition, fold: Callable[[str], str]) -> Test:
    texts = frozenset(fold(one) for one in condition.values)
    numbers = frozenset(one for text in condition.values if (one := _number(text)) is not None)

    def test(value: Any) -> bool:
        if isinstance(value, bool):
            return str(value).lower() in {one.lower() for one in condition.values}
        if isinstance(value, int | Decimal):
            return value in numbers
        return value is not None and fold(str(value)) in texts

    return test


def _ordered(condition: Condition, read: Callable[[Any], Any]) -> Test:
    wanted = read(condition.values[0])
    compare: Callable[[Any, Any], bool] = {
        "=": lambda a, b: a == b,
        "IN": lambda a, b: a == b,
        "<": lambda a, b: a < b,
        ">": lambda a, b: a > b,
        "<=": lambda a, b: a <= b,
        ">=": lambda a, b: a >= b,
    }[condition.operator]

    def test(value: Any) -> bool:
        if value is None:
            return False
        own = read(value)
        if own is None or wanted is None:
            return False
        if type(own) is not type(wanted):
            return compare(str(value), condition.values[0])
        return compare(own, wanted)

    return test


def _like(pattern: str, case_sensitive: bool) -> Test:
    expression = re.compile(
        ".*".join(re.escape(part) for part in pattern.split("%")),
        re.DOTALL | (0 if case_sensitive else re.IGNORECASE),
    )
    return lambda value: value is not None and expression.fullmatch(str(value)) is not None


def _sortable(value: Any, fold: Callable[[str], str]) -> Any:
    number = _number(value)
    return fold(str(value)) if number is None else number


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        return Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None


def _moment(value: Any) -> float | None:
    return moment(str(value))


def _same(text: str) -> str:
    return text
