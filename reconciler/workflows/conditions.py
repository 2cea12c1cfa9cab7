"""Filters as written become an `Enrolment`: an OR of AND-groups.

`load` calls `enrolment` for `enrol` and `contact_filter` and `re_enrolment` for `re_enrol`. A flat
list of filters is one group, so that the common case needs no second dash.
"""

from __future__ import annotations

import re
from decimal import Decimal

from reconciler.model import ObjectType
from reconciler.workflows.enrolment import Enrolment, Group, group
from reconciler.workflows.filters import (
    CONTACT_PREFIX,
    OPERATORS,
    Condition,
    Operand,
    OperandError,
    compile_filter,
)
from reconciler.workflows.lines import Path, Source
from reconciler.workflows.presets import PRESETS, compile_preset
from reconciler.workflows.problems import did_you_mean, listed, shown
from reconciler.workflows.schema import FilterWritten, PresetWritten
from reconciler.workflows.wording import validate

_PROPERTY = re.compile(r"[A-Za-z0-9_]+")

# What people write for an operator, and ours for it.
_OURS = {
    "=": "is_equal_to",
    "==": "is_equal_to",
    "eq": "is_equal_to",
    "equals": "is_equal_to",
    "!=": "is_not_equal_to",
    "in": "is_any_of",
    "not_in": "is_none_of",
    "contains": "contains_any_of",
    ">": "greater_than",
    ">=": "greater_than_or_equal",
    "<": "less_than",
    "<=": "less_than_or_equal",
    "exists": "is_known",
    "has_property": "is_known",
    "changed": "changed_to",
}


def enrolment(
    source: Source, data: object, path: Path, object_type: ObjectType | None
) -> Enrolment | None:
    """The groups that could be compiled; None if there are none. Problems go to `source`.

    `object_type` is `contact` for a contact filter, and None where the file names none we know.
    """
    if not isinstance(data, list):
        source.add(path, "expected a list of filters: write `- {property: …, operator: …}` lines")
        return None
    if not data:
        source.add(path, "an empty list enrols nothing: write at least one filter")
        return None
    if any(isinstance(each, list) for each in data):
        groups = [
            _group(source, each, (*path, index), object_type) for index, each in enumerate(data)
        ]
    else:
        groups = [_group(source, data, path, object_type)]
    compiled = tuple(each for each in groups if each is not None)
    return Enrolment(compiled) if compiled else None


def re_enrolment(
    source: Source, data: object, path: Path, object_type: ObjectType | None
) -> Enrolment | None:
    """Like `enrolment`; `re_enrol` is `false` or filters."""
    if data is True:
        source.add(path, "`re_enrol` is true: write the filters that start it, or false")
        return None
    return enrolment(source, data, path, object_type)


def _group(
    source: Source, data: object, path: Path, object_type: ObjectType | None
) -> Group | None:
    if not isinstance(data, list):
        source.add(
            path,
            "groups and single filters are mixed: put each group in a list of its own (`- - {…}`)",
        )
        return None
    if not data:
        source.add(path, "an empty group would enrol everything: write at least one filter")
        return None
    compiled = [
        _condition(source, each, (*path, index), object_type) for index, each in enumerate(data)
    ]
    found = [each for each in compiled if each is not None]
    return group(found, source.mark(path).line) if found else None


def _condition(
    source: Source, data: object, path: Path, object_type: ObjectType | None
) -> Condition | None:
    if isinstance(data, dict) and "preset" in data:
        return _preset(source, data, path, object_type)
    written = validate(FilterWritten, data, source, path)
    if not isinstance(data, dict):
        return None
    name, operator = data.get("property"), data.get("operator")
    name_ok = isinstance(name, str) and _check_name(source, name, (*path, "property"), object_type)
    if not isinstance(operator, str):
        return None
    if not _check_operator(source, operator, (*path, "operator")):
        return None
    operands = _operands(source, data, path)
    if operands is None or written is None:
        return None
    try:
        condition = compile_filter(written.property, operator, operands)
    except OperandError as error:
        key = "values" if "values" in data else "value" if "value" in data else "operator"
        source.add((*path, key), str(error))
        return None
    problem = _present_only(condition, object_type)
    if problem:
        source.add((*path, "operator"), problem)
        return None
    return condition if name_ok else None


def _present_only(condition: Condition, object_type: ObjectType | None) -> str:
    """Of contacts no history is kept: why a condition that needs one can't be used, or ""."""
    is_filter = object_type is ObjectType.CONTACT
    if not is_filter and not condition.properties[0].startswith(CONTACT_PREFIX):
        return ""
    if condition.is_change:
        return "of a contact only the present is known: write is_any_of"
    if condition.is_moving and is_filter:
        return "a contact filter has no moment to count from: write a date such as 2026-01-31"
    return ""


def _preset(
    source: Source, data: object, path: Path, object_type: ObjectType | None
) -> Condition | None:
    written = validate(PresetWritten, data, source, path)
    if written is None:
        return None
    place = (*path, "preset")
    preset = PRESETS.get(written.preset)
    if preset is None:
        known = list(PRESETS)
        source.add(
            place,
            f"{shown(written.preset)} is not a preset: write {listed(known)}"
            f"{did_you_mean(written.preset, known)}",
        )
        return None
    if object_type is None:
        return compile_preset(written.preset)
    if preset.object_type is not object_type:
        fitting = [name for name, each in PRESETS.items() if each.object_type is object_type]
        instead = f"write {listed(fitting)}" if fitting else "write a filter on a property"
        source.add(place, f"{written.preset} is about a {preset.object_type}: {instead}")
        return None
    return compile_preset(written.preset)


def _check_name(source: Source, name: str, path: Path, object_type: ObjectType | None) -> bool:
    bare = name.strip()
    if object_type is not ObjectType.CONTACT:
        bare = bare.removeprefix(CONTACT_PREFIX)
    if _PROPERTY.fullmatch(bare):
        return True
    instead = re.sub(r"[^a-z0-9_]+", "_", bare.lower()).strip("_")
    hint = f", perhaps {instead}" if instead else ""
    source.add(
        path,
        f"{shown(name)} is not an internal property name: "
        f"write the one HubSpot shows in the property's settings{hint}",
    )
    return False


def _check_operator(source: Source, operator: str, path: Path) -> bool:
    if operator in OPERATORS:
        return True
    word = operator.strip().lower().replace(" ", "_")
    ours = word if word in OPERATORS else _OURS.get(word)
    hint = f" (did you mean {ours}?)" if ours else did_you_mean(word, OPERATORS)
    source.add(path, f"{shown(operator)} is not an operator{hint}: write {listed(list(OPERATORS))}")
    return False


def _operands(source: Source, data: dict[str, object], path: Path) -> tuple[Operand, ...] | None:
    if "value" in data and "values" in data:
        source.add((*path, "value"), "`value` and `values` are both written: keep one", of_key=True)
        return None
    if "value" in data and isinstance(data["value"], list | dict):
        source.add((*path, "value"), "`value` is one value: write `values: [first, second]`")
        return None
    if "values" in data and not isinstance(data["values"], list):
        source.add((*path, "values"), f"`values` is a list: write `values: [{data['values']}]`")
        return None
    several = data.get("values")
    written = several if isinstance(several, list) else [data["value"]] if "value" in data else []
    operands: list[Operand] = []
    for index, each in enumerate(written):
        if not isinstance(each, str | int | Decimal):
            place = (*path, "values", index) if "values" in data else (*path, "value")
            source.add(place, "a value is empty or not a word: to look for empty write is_unknown")
            return None
        operands.append(each)
    return tuple(operands)
