"""The filter operators, compiled: one function call per comparison, no parsing at run time.

`load` compiles each filter as written into a `Condition`; `enrolment` asks conditions about the
values of a source object. Everything that depends on the operand (numbers, dates, folded text) is
worked out once, here. A bad operand is a `OperandError` that says what to write; a bad property
value merely doesn't match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from reconciler.workflows.values import DAY_MS, chosen, folded, instant, is_day, is_known, number

Values = Callable[[str], str | None]
Operand = str | int | Decimal | bool
Test = Callable[[str | None, int], bool]

CONTACT_PREFIX = "contact."


class OperandError(ValueError):
    """The value written for an operator can't be used; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter, ready to ask: `holds(values, at)`, where `at` is epoch ms.

    `is_change` conditions (changed_to) hold only from the instant a value was first known;
    `is_moving` ones compare with the instant itself ("30 days ago").
    """

    properties: tuple[str, ...]
    operator: str
    operands: tuple[str, ...]
    holds: Callable[[Values, int], bool] = field(compare=False, repr=False)
    is_change: bool = False
    is_moving: bool = False

    def __str__(self) -> str:
        if self.operator == "preset":
            return f"preset {self.operands[0]}"
        return f"{self.properties[0]} {self.operator} {', '.join(self.operands)}".strip()


def compile_filter(name: str, operator: str, operands: tuple[Operand, ...]) -> Condition:
    """Compile one filter on the property `name`; raises OperandError."""
    make, count = OPERATORS[operator]
    _check_count(operator, operands, count)
    test, is_moving = make(operands)
    return Condition(
        properties=(name,),
        operator=operator,
        operands=tuple(_written(operand) for operand in operands),
        holds=lambda values, at: test(values(name), at),
        is_change=operator == "changed_to",
        is_moving=is_moving,
    )


def _check_count(operator: str, operands: tuple[Operand, ...], count: str) -> None:
    if count == "none" and operands:
        raise OperandError(f"{operator} takes no value: leave `value` out")
    if count == "one" and len(operands) != 1:
        raise OperandError(f"{operator} takes one value: write `value: …`")
    if count == "many" and not operands:
        raise OperandError(f"{operator} takes a list: write `values: [first, second]`")


def _written(operand: Operand) -> str:
    return str(operand).lower() if isinstance(operand, bool) else str(operand)


# --- text ------------------------------------------------------------------------------------


def _known(_: tuple[Operand, ...]) -> tuple[Test, bool]:
    return (lambda value, _at: value is not None and value != ""), False


def _unknown(_: tuple[Operand, ...]) -> tuple[Test, bool]:
    return (lambda value, _at: value is None or value == ""), False


def _equals(operands: tuple[Operand, ...]) -> tuple[Test, bool]:
    texts = frozenset(folded(_written(operand)) for operand in operands)
    if "" in texts:
        raise OperandError("a value is empty: to look for empty properties write is_unknown")
    # Only a number written without quotes compares as a number, so that "0123" stays a text.
    numbers = frozenset(
        Decimal(operand)
        for operand in operands
        if isinstance(operand, int | Decimal) and not isinstance(operand, bool)
    )

    def test(value: str | None, _at: int) -> bool:
        if not value:
            return False
        if value in texts or folded(value) in texts:
            return True
        if ";" in value and not texts.isdisjoint(chosen(value)):
            return True
        return bool(numbers) and number(value) in numbers

    return test, False


def _any_part(
    operands: tuple[Operand, ...], found: Callable[[str, tuple[str, ...]], bool]
) -> tuple[Test, bool]:
    texts = tuple(folded(_written(operand)) for operand in operands)
    if "" in texts:
        raise OperandError("a value is empty and would match everything: write some text")
    return (lambda value, _at: bool(value) and found(folded(value or ""), texts)), False


def _contains(operands: tuple[Operand, ...]) -> tuple[Test, bool]:
    return _any_part(operands, lambda value, texts: any(text in value for text in texts))


def _starts(operands: tuple[Operand, ...]) -> tuple[Test, bool]:
    return _any_part(operands, lambda value, texts: value.startswith(texts))


def _ends(operands: tuple[Operand, ...]) -> tuple[Test, bool]:
    return _any_part(operands, lambda value, texts: value.endswith(texts))


Maker = Callable[[tuple[Operand, ...]], tuple[Test, bool]]


def _not(make: Maker) -> Maker:
    """HubSpot's negative operators include unknown values: "is none of" is true of an empty one."""

    def negated(operands: tuple[Operand, ...]) -> tuple[Test, bool]:
        test, is_moving = make(operands)
        return (lambda value, at: not test(value, at)), is_moving

    return negated


# --- numbers ---------------------------------------------------------------------------------


def _compared(holds: Callable[[Decimal, Decimal], bool]) -> Maker:
    def make(operands: tuple[Operand, ...]) -> tuple[Test, bool]:
        written = _written(operands[0])
        limit = number(written)
        if limit is None:
            hint = "for a date write before or after" if instant(written) is not None else ""
            raise OperandError(
                f"'{written}' is not a number: {hint or 'write one such as 1000.50'}"
            )

        def test(value: str | None, _at: int) -> bool:
            read = number(value)
            return read is not None and holds(read, limit)

        return test, False

    return make


# --- dates -----------------------------------------------------------------------------------

_RELATIVE = re.compile(r"(\d{1,5}) (minute|hour|day|week)s? (ago|from now)")
_UNIT_MS = {"minute": 60_000, "hour": 3_600_000, "day": DAY_MS, "week": 7 * DAY_MS}


def _relative_ms(written: str) -> int | None:
    if written == "now":
        return 0
    found = _RELATIVE.fullmatch(written)
    if found is None:
        return None
    length = int(found[1]) * _UNIT_MS[found[2]]
    return -length if found[3] == "ago" else length


def _dated(holds: Callable[[int, int], bool], *, from_next_day: bool) -> Maker:
    def make(operands: tuple[Operand, ...]) -> tuple[Test, bool]:
        written = _written(operands[0]).strip()
        offset = _relative_ms(written.lower())
        if offset is not None:
            return (lambda value, at: _holds(instant(value), at + offset)), True
        limit = instant(written)
        if limit is None:
            raise OperandError(
                f"'{written}' is not a date: write 2026-01-31, 2026-01-31T09:00:00-05:00, "
                "now, 30 days ago or 2 weeks from now"
            )
        # "after 2026-01-31" excludes the whole day, as it does in HubSpot.
        edge = limit + DAY_MS - 1 if from_next_day and is_day(written) else limit
        return (lambda value, _at: _holds(instant(value), edge)), False

    def _holds(read: int | None, limit: int) -> bool:
        return read is not None and holds(read, limit)

    return make


OPERATORS: dict[str, tuple[Maker, str]] = {
    "is_known": (_known, "none"),
    "is_unknown": (_unknown, "none"),
    "is_equal_to": (_equals, "one"),
    "is_not_equal_to": (_not(_equals), "one"),
    "is_any_of": (_equals, "many"),
    "is_none_of": (_not(_equals), "many"),
    "contains_any_of": (_contains, "many"),
    "contains_none_of": (_not(_contains), "many"),
    "starts_with_any_of": (_starts, "many"),
    "ends_with_any_of": (_ends, "many"),
    "greater_than": (_compared(lambda read, limit: read > limit), "one"),
    "greater_than_or_equal": (_compared(lambda read, limit: read >= limit), "one"),
    "less_than": (_compared(lambda read, limit: read < limit), "one"),
    "less_than_or_equal": (_compared(lambda read, limit: read <= limit), "one"),
    "before": (_dated(lambda read, limit: read < limit, from_next_day=False), "one"),
    "after": (_dated(lambda read, limit: read > limit, from_next_day=True), "one"),
    "changed_to": (_equals, "many"),
}

__all__ = [
    "CONTACT_PREFIX",
    "OPERATORS",
    "Condition",
    "Operand",
    "OperandError",
    "Values",
    "compile_filter",
    "is_known",
]
