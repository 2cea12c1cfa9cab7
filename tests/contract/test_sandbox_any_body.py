"""Property: whatever body is sent, it is written or refused with a fault, and books stay balanced."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.sandbox.chart import open_company
from reconciler.sandbox.clock import Clock
from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import ZERO, decode, encode
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.fields.kinds import (
    Choice,
    Day,
    Flag,
    Kind,
    Many,
    Nested,
    Number,
    Ref,
    Text,
    Whole,
)
from reconciler.sandbox.switches import Switches
from reconciler.sandbox.writing import RULES, Request, write
from tests.contract.books import form, pays, sale

IDS = st.sampled_from(["1", "2", "3", "4", "5", "8", "13", "19", "TAX", "NON", "999", "-1", ""])
JUNK = st.one_of(st.none(), st.text(max_size=5), st.integers(), st.booleans(), st.just([]),
                 st.just({}), st.just([{}]))  # fmt: skip


def values(kind: Kind) -> st.SearchStrategy[Any]:
    """Mostly fitting values of a kind of field, sometimes junk."""
    return st.one_of(fitting(kind), fitting(kind), fitting(kind), JUNK)


def fitting(kind: Kind) -> st.SearchStrategy[Any]:
    """Values that fit a kind of field."""
    if isinstance(kind, Nested):
        return bodies(dict(kind.fields))
    if isinstance(kind, Many):
        return st.lists(values(kind.kind), max_size=3)
    if isinstance(kind, Ref):
        return st.fixed_dictionaries({"value": IDS})
    if isinstance(kind, Choice):
        return st.sampled_from(sorted(kind.words))
    if isinstance(kind, Flag):
        return st.booleans()
    if isinstance(kind, Whole):
        return st.integers(0, 40)
    if isinstance(kind, Number):
        return st.decimals(-5, 500, places=3) | st.integers(0, 100)
    if isinstance(kind, Day):
        return st.sampled_from(["2026-01-31", "2020-02-29", "2026-13-01", "soon"])
    if isinstance(kind, Text):
        return IDS | st.text(max_size=6) | st.sampled_from(["Invoice", "Estimate", "a@b.de"])
    return JUNK


def bodies(fields: dict[str, Kind]) -> st.SearchStrategy[Any]:
    """Objects with some of the fields."""
    names = st.lists(st.sampled_from(sorted(fields)), max_size=6, unique=True)
    return names.flatmap(
        lambda some: st.fixed_dictionaries({one: values(fields[one]) for one in some})
    )


def company() -> Company:
    """A company with a little of everything."""
    held = Company("1", "US", "USD", Clock(), Switches())
    open_company(held)
    income = {"value": held.account("ServiceFeeIncome")}
    made: list[tuple[str, Any]] = [
        ("Customer", {"DisplayName": "Ann"}),
        ("Item", {"Name": "Hours", "Type": "Service", "IncomeAccountRef": income}),
        ("Invoice", form("1", sale("1", 10))),
        ("Estimate", form("1", sale("1", 10))),
        ("Payment", pays("1", 5, ("1", 5))),
    ]
    for entity, body in made:
        write(held, Request(ENTITIES[entity], body))
    return held


@given(st.data(), st.sampled_from(sorted(RULES)))
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_body_is_written_or_refused(data: st.DataObject, entity: str) -> None:
    """No body is an error of the sandbox: a create, then an update, end well or in a fault."""
    held = company()
    fields = dict(ENTITIES[entity].fields)
    body = data.draw(bodies(fields))
    for name in ENTITIES[entity].required:
        body.setdefault(name, data.draw(fitting(fields[name])))
    for keys in ({}, {"Id": "1", "SyncToken": "0", "sparse": data.draw(st.booleans())}):
        asked = decode(encode({**body, **keys}))
        try:
            write(held, Request(ENTITIES[entity], asked))
        except Fault as fault:
            assert fault.code != "10000"  # noqa: PT017  # that would be the sandbox's own error
    assert sum(held.ledger.accounts.values(), ZERO) == 0
