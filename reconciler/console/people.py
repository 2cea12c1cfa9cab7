"""Who is at the console and what they may do. Pure.

Two roles: a viewer reads, an operator also acts. Where a login names groups, `Grants` says what
they are worth; a person in no known group gets in nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

ANYONE = "*"


class Role(StrEnum):
    """What a person may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Person:
    """Someone who was let in; `name` goes into the audit log."""

    name: str
    role: Role

    @property
    def may_act(self) -> bool:
        return self.role is Role.OPERATOR


@dataclass(frozen=True)
class Grants:
    """Groups that make operators and groups that make viewers; `*` is anyone who can log in."""

    operators: frozenset[str]
    viewers: frozenset[str]

    def role(self, groups: Iterable[str]) -> Role | None:
        """The most that any of the groups allows; None: nothing."""
        held = {ANYONE, *groups}
        if held & self.operators:
            return Role.OPERATOR
        return Role.VIEWER if held & self.viewers else None


def listed(text: str) -> list[str]:
    """The words of a comma-separated setting."""
    return [word.strip() for word in text.split(",") if word.strip()]
