"""Puts pydantic's findings into sentences that say what to write instead.

`load` calls `validate` for each part of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconciler.workflows.lines import Path, Source
from reconciler.workflows.problems import did_you_mean, listed, shown

Part = TypeVar("Part", bound=BaseModel)

_KINDS = {
    "string_type": "text",
    "bool_type": "yes or no",
    "bool_parsing": "yes or no",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "list_type": "a list",
    "dict_type": "keys and values",
}

# Words people know from HubSpot, QuickBooks or other tools, and ours for them.
_OURS = {
    "enroll": "enrol",
    "enrollment": "enrol",
    "enrolment": "enrol",
    "trigger": "enrol",
    "filters": "enrol",
    "reenrol": "re_enrol",
    "re_enroll": "re_enrol",
    "action": "create",
    "type": "create",
    "account": "company",
    "realm": "realm_id",
    "terms": "payment_terms",
    "due_days": "due_in_days",
    "customer_memo": "memo",
    "location": "department",
    "tz": "timezone",
    "time_zone": "timezone",
    "operation": "operator",
    "name": "property",
    "field": "property",
}


def validate(kind: type[Part], data: object, source: Source, path: Path) -> Part | None:
    """The validated part, or None after adding a problem for each thing wrong with it."""
    if not isinstance(data, dict):
        required = [_key(kind, name) for name, f in kind.model_fields.items() if f.is_required()]
        keys = required or [_key(kind, name) for name in kind.model_fields]
        source.add(path, f"expected keys and values: write {listed(keys)}, each with its value")
        return None
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            _report(kind, details, source, path)
        return None


def _report(kind: type[BaseModel], details: ErrorDetails, source: Source, path: Path) -> None:
    loc = _place(details["loc"], source, path)
    of_key = details["type"] in ("extra_forbidden", "missing")
    source.add((*path, *loc), _sentence(kind, details), of_key=of_key)


def _place(loc: Path, source: Source, path: Path) -> Path:
    """Pydantic adds parts of its own (unions, `[key]`); keep those the file has, and the key."""
    kept: Path = loc[:1]
    for part in loc[1:]:
        if (*path, *kept, part) in source.values:
            kept = (*kept, part)
    return kept


def _sentence(kind: type[BaseModel], details: ErrorDetails) -> str:
    key = str(details["loc"][0]) if details["loc"] else ""
    value, error_type = details["input"], details["type"]
    if error_type == "missing":
        return f"`{key}` is missing: write `{key}: {_example(kind, key)}`"
    if error_type == "extra_forbidden":
        return _unknown_key(kind, key)
    if error_type == "value_error":
        return f"`{key}`: {details['msg'].removeprefix('Value error, ')}"
    if value is None:
        return f"`{key}` is empty: write `{key}: {_example(kind, key)}` or remove the line"
    if error_type in ("enum", "literal_error"):
        return _not_a_choice(key, value, details.get("ctx", {}))
    if error_type in _KINDS:
        expected = _KINDS[error_type]
        example = f"`{key}: {_example(kind, key)}`"
        return f"`{key}` is {shown(value)}: write {expected}, such as {example}"
    return f"`{key}` is {shown(value)}: {_limit(error_type, details.get('ctx', {}))}"


def _not_a_choice(key: str, value: object, context: Mapping[str, Any]) -> str:
    choices = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
    return f"`{key}` is {shown(value)}: write {listed(choices)}{did_you_mean(str(value), choices)}"


def _unknown_key(kind: type[BaseModel], key: str) -> str:
    known = [_key(kind, name) for name in kind.model_fields]
    ours = _OURS.get(key.lower().replace("-", "_").replace(" ", "_"))
    hint = f" (did you mean {ours}?)" if ours in known else did_you_mean(key, known)
    return f"unknown key {shown(key)}{hint}: the keys here are {listed(known)}"


def _limit(error_type: str, context: Mapping[str, Any]) -> str:
    if error_type in ("too_short", "string_too_short"):
        return "write at least one"
    if error_type == "string_too_long":
        return f"write at most {context.get('max_length')} characters"
    for name, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most")):
        if name in context:
            return f"write a number of {words} {context[name]}"
    return f"not usable here ({error_type.replace('_', ' ')})"


def _key(kind: type[BaseModel], name: str) -> str:
    return kind.model_fields[name].alias or name


def _example(kind: type[BaseModel], key: str) -> str:
    for name, found in kind.model_fields.items():
        if _key(kind, name) == key and found.examples:
            return str(found.examples[0]).strip().replace("\n", " ")
    return "…"
