"""No secret shows where an object that holds it is printed, logged, or part of a traceback."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, SecretStr
from rich.pretty import pretty_repr

import reconciler
import store
import streams

SECRET = re.compile(
    r"secret|password|passphrase|dsn|nonce|verifier|csrf|(?<!sync_)token$|_keys$|sign_in"
)
"""Names of fields that hold what nobody may read."""

ADDRESSES = {"OAuthEndpoints"}
"""Whose `token` is where tokens are to be had."""

PLANTED = "PLANTED-SECRET"


def modules(*packages: ModuleType) -> Iterator[ModuleType]:
    """Every module, but for those that run when they are imported."""
    for package in packages:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"__main__|migrations|sandbox|[.]demo", found.name):
                yield importlib.import_module(found.name)


def fields(cls: type) -> Mapping[str, Any]:
    """Names and written types of a record class; none of any other class."""
    if dataclasses.is_dataclass(cls):
        return {each.name: each.type for each in dataclasses.fields(cls)}
    if issubclass(cls, msgspec.Struct) or (issubclass(cls, tuple) and hasattr(cls, "_fields")):
        return dict(cls.__annotations__)
    if issubclass(cls, BaseModel):
        return {name: each.annotation for name, each in cls.model_fields.items()}
    return {}


def holds_secret(name: str, written: Any) -> bool:
    return bool(
        SECRET.search(name) and re.search(r"^(?!Callable).*(str|bytes|Secret)", str(written))
    )


CLASSES = sorted(
    {
        cls
        for module in modules(reconciler, streams, store)
        for cls in vars(module).values()
        if isinstance(cls, type) and cls.__module__ == module.__name__
        if cls.__name__ not in ADDRESSES
        if any(holds_secret(*each) for each in fields(cls).items())
    },
    key=lambda cls: (cls.__module__, cls.__name__),
)


def planted(cls: type) -> object:
    """One whose secrets are PLANTED and whose other fields are None."""
    values = {name: PLANTED if holds_secret(name, of) else None for name, of in fields(cls).items()}
    if issubclass(cls, BaseModel):
        secrets = {n: SecretStr(PLANTED) for n, of in fields(cls).items() if "Secret" in str(of)}
        return cls.model_construct(**(values | secrets))
    if not dataclasses.is_dataclass(cls):
        return cls(**values)
    made = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_no_secret_shows(cls: type) -> None:
    """Neither to Python nor to rich, which prints tracebacks."""
    made = planted(cls)
    assert PLANTED not in repr(made)
    assert PLANTED not in pretty_repr(made)


def test_the_known_holders_are_among_them() -> None:
    """Whoever renames a field so that it is not found any more sees it here."""
    names = {cls.__name__ for cls in CLASSES}
    assert names >= {"Settings", "OAuthApp", "Tokens", "JournalAccess", "KafkaConnection", "Client"}
