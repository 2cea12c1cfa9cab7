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
    """Mostly fitting values of a kind of field, now and then junk."""
    return st.integers(0, 15).flatmap(lambda one: fitting(kind) if one else JUNK)


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
    names = st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True)
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


def starting_points(held: Company) -> dict[str, Any]:
    """A good body of each transaction, for the random fields to be laid over."""
    bank, fees = {"value": held.account("Checking")}, {"value": held.account("BankCharges")}
    expense = {"DetailType": "AccountBasedExpenseLineDetail", "Amount": 3,
               "AccountBasedExpenseLineDetail": {"AccountRef": fees}}  # fmt: skip
    sides = [{"DetailType": "JournalEntryLineDetail", "Amount": 2,
              "JournalEntryLineDetail": {"PostingType": kind, "AccountRef": account}}
             for kind, account in (("Debit", fees), ("Credit", bank))]  # fmt: skip
    sold = form("1", sale("1", 10, Qty=2, UnitPrice=5, TaxCodeRef={"value": "TAX"}))
    return {
        **dict.fromkeys(("Invoice", "Estimate", "SalesReceipt", "CreditMemo"), sold),
        "RefundReceipt": {**sold, "DepositToAccountRef": bank},
        "Payment": pays("1", 5, ("1", 3)),
        "Purchase": {"PaymentType": "Cash", "AccountRef": bank, "Line": [expense]},
        "Deposit": {"DepositToAccountRef": bank, "Line": [
            {"LinkedTxn": [{"TxnId": "3", "TxnType": "Payment"}]},
            {"Amount": 2, "DetailType": "DepositLineDetail",
             "DepositLineDetail": {"AccountRef": fees}}]},
        "JournalEntry": {"Line": sides},
    }  # fmt: skip


def laid_over(data: st.DataObject, base: Any, kind: Kind) -> Any:
    """A good value with random fields laid over it, lines included."""
    if isinstance(kind, Many) and isinstance(base, list):
        return [laid_over(data, one, kind.kind) for one in base]
    if not isinstance(kind, Nested) or not isinstance(base, dict):
        return base
    kept = {name: laid_over(data, one, kind.fields[name]) for name, one in base.items()}
    return {**kept, **data.draw(bodies(dict(kind.fields)))} if data.draw(ONE_IN_THREE) else kept


ONE_IN_THREE = st.sampled_from([True, False, False])


@given(st.data(), st.sampled_from(sorted(RULES)))
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_body_is_written_or_refused(data: st.DataObject, entity: str) -> None:
    """No body is an error of the sandbox: a create, then an update, end well or in a fault."""
    held = company()
    fields = dict(ENTITIES[entity].fields)
    base = starting_points(held).get(entity, {})
    for creates in (True, False):
        body = {
            **{name: laid_over(data, one, fields[name]) for name, one in base.items()},
            **data.draw(bodies(fields)),
        }
        if creates:
            body.pop("Id", None)
        else:
            rows = held.tables[entity].rows
            body["Id"] = next(reversed(rows)) if rows else "1"
            body["SyncToken"] = (held.get(entity, body["Id"]) or {"SyncToken": "0"})["SyncToken"]
        try:
            write(held, Request(ENTITIES[entity], decode(encode(body))))
        except Fault as fault:
            assert fault.code != "10000"  # noqa: PT017  # that would be the sandbox's own error
    assert sum(held.ledger.accounts.values(), ZERO) == 0
