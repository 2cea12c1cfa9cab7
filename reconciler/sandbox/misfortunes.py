"""Owns faults on demand: which requests something goes wrong with, and what.

Each planned misfortune has filters (realm, entity, operation), and strikes every matching request,
the first `count` of them, or a seeded random share of them (`rate`).
"""

from collections.abc import Iterable
from random import Random
from typing import Any, Literal

import msgspec

Subject = tuple[str, str]  # entity, operation
Kind = Literal[
    "drop_before_commit",
    "drop_after_commit",
    "delay",
    "status_before_commit",
    "status_after_commit",
    "throttle",
    "expired_token",
    "revoked_grant",
    "reset",
    "truncate",
    "wrong_content_type",
    "fault",
]


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """A misfortune as asked for by `POST /admin/faults`."""

    kind: Kind
    realm: str = ""
    entity: str = ""
    operation: str = ""  # create, update, delete, void, read, query, batch, cdc, token
    count: int | None = None
    rate: float = 1.0
    seed: int = 0
    status: int = 500
    seconds: float = 1.0
    phase: Literal["before", "after"] = "after"  # of `delay` and `reset`
    code: str = "6000"
    message: str = "A business validation error has occurred while processing your request"
    detail: str = "Business Validation Error: planned by the admin API"


class Misfortune:
    """A plan with its hits."""

    def __init__(self, plan_id: str, plan: Plan) -> None:
        self.plan_id = plan_id
        self.plan = plan
        self.hits = 0
        self._random = Random(plan.seed)  # repeatable on purpose

    def strikes(self, realm: str, subjects: Iterable[Subject]) -> bool:
        """Whether it strikes a request about `subjects`; counts the hit."""
        plan = self.plan
        if (plan.realm and plan.realm != realm) or self.hits == plan.count:
            return False
        if not any(
            _fits(plan.entity, entity) and _fits(plan.operation, operation)
            for entity, operation in subjects
        ):
            return False
        if plan.rate < 1 and self._random.random() >= plan.rate:
            return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        """The plan and its hits as JSON."""
        return {"id": self.plan_id, "hits": self.hits, **msgspec.structs.asdict(self.plan)}


def _fits(wanted: str, given: str) -> bool:
    return not wanted or wanted.lower() == given.lower()


class Misfortunes:
    """All planned misfortunes of a sandbox."""

    def __init__(self) -> None:
        self._held: dict[str, Misfortune] = {}
        self._last = 0

    def plan(self, plan: Plan) -> str:
        """Add one; returns its id."""
        self._last += 1
        self._held[str(self._last)] = Misfortune(str(self._last), plan)
        return str(self._last)

    def clear(self, plan_id: str | None = None) -> bool:
        """Remove one or all; False when there is no such one."""
        if plan_id is None:
            self._held.clear()
            return True
        return self._held.pop(plan_id, None) is not None

    def shown(self) -> list[dict[str, Any]]:
        """All of them as JSON."""
        return [one.shown() for one in self._held.values()]

    def striking(self, realm: str, subjects: list[Subject]) -> list[Plan]:
        """What goes wrong with this request; planned faults in a batch strike its items instead."""
        if not self._held:
            return []
        in_batch = ("Batch", "batch") in subjects
        return [
            one.plan
            for one in self._held.values()
            if not (in_batch and one.plan.kind == "fault") and one.strikes(realm, subjects)
        ]

    def striking_token(self) -> Plan | None:
        """What goes wrong with the token endpoint: only a plan that names it."""
        for one in self._held.values():
            named = "token" in {one.plan.entity.lower(), one.plan.operation.lower()}
            if named and one.strikes(one.plan.realm, [("Token", "token")]):
                return one.plan
        return None

    def striking_item(self, realm: str, subject: Subject) -> Plan | None:
        """The planned fault of one batch item."""
        for one in self._held.values():
            if one.plan.kind == "fault" and one.strikes(realm, [subject]):
                return one.plan
        return None
