"""Whatever the order, duplication and split of a history, the same documents come of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.deciding.decide import decide
from reconciler.deciding.refunds import RefundShare, portion, refund_shares, refund_steps
from reconciler.deciding.source import lines_of
from reconciler.model import Action, Change, DocumentKey, ObjectType
from reconciler.objects.fold import fold
from tests.deciding import ADA, AT, DAY, LINE, Books, deal, file, payment, said, snapshot

FILE = file("""
  - name: Invoices
    object: deal
    enrol:
      - - {property: dealstage, operator: is_any_of, values: [closedwon]}
        - {property: dealtype, operator: is_none_of, values: [test]}
      - - {property: amount, operator: greater_than, value: 500}
    actions: [{create: invoice, company: us, create_missing_products: yes, memo: "{dealname}"}]
  - name: Estimates
    object: deal
    enrol: [{property: dealstage, operator: is_any_of, values: [contractsent]}]
    re_enrol: [{property: dealstage, operator: changed_to, value: contractsent}]
    delay: 2 days
    actions: [{create: estimate, company: us, create_missing_products: yes}]
  - name: Books of payments
    object: payment
    enrol: [{preset: payment_succeeded}]
    actions:
      - {create: sales_receipt, company: us, create_missing_products: yes}
      - {create: expense, company: us}
      - {create: refund_receipt, company: us, create_missing_products: yes, partial_refunds: receipt}
""")

moments = st.integers(0, 12).map(lambda day: AT + day * DAY)
stages = st.sampled_from(["open", "contractsent", "closedwon", None])
lines = st.sampled_from(
    [None, (LINE,), (LINE, {**LINE, "price": "7.77", "amount": "7.77"}), (None,), ()]
)
contacts = st.sampled_from([None, (ADA,), ({**ADA, "firstname": "Augusta"},), (None,)])

deal_facts = st.fixed_dictionaries(
    {},
    optional={
        "dealstage": stages,
        "amount": st.sampled_from(["100", "900", None]),
        "dealtype": st.sampled_from(["new", "test", None]),
        "dealname": st.sampled_from(["A", "B"]),
    },
)
payment_facts = st.fixed_dictionaries(
    {},
    optional={
        "hs_latest_status": st.sampled_from(["processing", "succeeded", "partially_refunded", "refunded"]),
        "hs_refunds_amount": st.sampled_from([None, "0", "10.00", "33.33", "70", "100.00"]),
        "hs_fees_amount": st.sampled_from([None, "0", "3.20"]),
        "hs_initial_amount": st.just("100.00"),
    },
)  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A snapshot or a thin event of the deal or the payment."""
    type_, facts = draw(
        st.sampled_from([(ObjectType.DEAL, deal_facts), (ObjectType.PAYMENT, payment_facts)])
    )
    at, properties = draw(moments), draw(facts)
    if draw(st.booleans()):
        return said(type_, at, **properties)
    return snapshot(type_, properties, at=at, lines=draw(lines), contacts=draw(contacts))


histories = st.lists(changes(), min_size=1, max_size=30)


def documents(books: Books) -> set[tuple[DocumentKey, bytes]]:
    return {(key, msgspec.json.encode(content)) for key, content in books.contents().items()}


@settings(max_examples=150, deadline=None)
@given(st.data(), histories)
def test_order_duplicates_and_splits_make_no_difference(
    data: st.DataObject, history: list[Change]
) -> None:
    """All at once in order, or shuffled, with repeats, in many batches: the same keys and contents."""
    at_once = Books(FILE)
    at_once.take(*history)
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=8))
    left = data.draw(st.permutations(repeated))
    split = Books(FILE)
    while left:
        size = data.draw(st.integers(1, len(left)))
        split.take(*left[:size])
        left = left[size:]
    assert documents(split) == documents(at_once)


def test_an_estimate_that_was_only_passed_through_is_not_linked_to() -> None:
    """Two stages told of one instant: the estimate that the first called for is not made in the end,
    so no invoice waits for it (found by the property above)."""
    first = deal(dealstage="contractsent", amount="900")
    second = said(ObjectType.DEAL, AT, dealstage="open")
    at_once, split = Books(FILE), Books(FILE)
    at_once.take(first, second)
    split.take(first)
    split.take(second)
    assert documents(split) == documents(at_once)
    assert {key.action for key, _ in documents(split)} == {"invoice"}


@settings(max_examples=60, deadline=None)
@given(histories)
def test_deciding_is_deterministic_and_settles(history: list[Change]) -> None:
    """The same object over the same ledger gives the same verdicts; once recorded, no others."""
    books = Books(FILE)
    books.take(*history)
    for key, obj in books.objects.items():
        known = {each: entry for each, entry in books.ledger.items() if each.source == key}
        backwards = dict(reversed(known.items()))
        first = decide(obj, None, FILE.workflows, known)
        assert sorted(first) == sorted(decide(obj, None, FILE.workflows, backwards))
        again = replace(books, ledger=dict(books.ledger))
        for verdict in first:
            again._record(verdict)
        assert documents(again) == documents(books)


steps = st.lists(st.integers(1, 10_000), min_size=1, max_size=6, unique=True)


@settings(max_examples=100, deadline=None)
@given(steps, st.data())
def test_refunds_sent_one_by_one_sum_to_what_was_refunded(
    totals: list[int], data: st.DataObject
) -> None:
    """Whatever is heard late, and whatever was sent by then: never more is given back than HubSpot did."""
    books = Books(FILE)
    books.take(payment(lines=(LINE,), hs_fees_amount="0"))
    for total in data.draw(st.permutations(totals)):
        text = str(Decimal(total) / 100)
        state = {"hs_latest_status": "partially_refunded", "hs_refunds_amount": text}
        books.take(said(ObjectType.PAYMENT, AT + total * 1000, **state))
        given_back = [
            c.total for k, c in books.contents().items() if k.action is Action.REFUND_RECEIPT
        ]
        obj = books.objects[next(iter(books.objects))]
        assert sum(given_back) == Decimal(obj.properties["hs_refunds_amount"] or "0")
        if data.draw(st.booleans()):
            books.send()


def test_two_cents_of_four_lines_take_nothing_from_a_line() -> None:
    """4 × 25.00, of which 0.02 is refunded: two lines of a cent, none of minus one."""
    items = [{"name": str(number), "amount": "25.00"} for number in range(4)]
    lines = lines_of(fold(None, [deal(lines=items)]))
    share = RefundShare(Decimal(0), Decimal("0.02"), AT)
    part, less = portion(lines, Decimal(0), Decimal(100), share)
    assert [str(line.amount) for line in part] == ["0.01", "0.01"]
    assert less == 0


cents_ = st.integers(0, 100_000).map(lambda value: Decimal(value) / 100)


few_cents = st.integers(0, 40).map(lambda value: Decimal(value) / 100)
negative = st.integers(-5_000, -1).map(lambda value: Decimal(value) / 100)
amounts_ = st.lists(
    st.tuples(cents_ | few_cents | negative, cents_ | few_cents), min_size=1, max_size=12
)


@settings(max_examples=300, deadline=None)
@given(amounts_, cents_ | few_cents, st.data())
def test_portions_add_up_line_by_line(
    amounts: list[tuple[Decimal, Decimal]], discount: Decimal, data: st.DataObject
) -> None:
    """The receipts of a wholly refunded payment add up to each line, its tax, and the discount, and
    on none of them has a line, a tax or the discount the other sign than on the payment."""
    items = [
        {"name": str(number), "amount": str(amount), "hs_tax_amount": str(tax.copy_sign(amount))}
        for number, (amount, tax) in enumerate(amounts)
    ]
    lines = lines_of(fold(None, [deal(lines=items)]))
    whole = sum((line.amount + line.tax for line in lines), Decimal(0)) - discount
    if whole <= 0:
        return
    cut = st.integers(1, int(whole * 100))
    cuts = data.draw(st.lists(cut | cut.map(lambda value: value % 30 + 1), max_size=8))
    totals = sorted({*(min(Decimal(cut) / 100, whole) for cut in cuts), whole})
    added: dict[str, Decimal] = dict.fromkeys((line.product.name for line in lines), Decimal(0))
    signs = {line.product.name: line.amount for line in lines}
    off = Decimal(0)
    for _, share in refund_shares(tuple((total, AT) for total in totals), {}):
        part, less = portion(lines, discount, whole, share)
        assert sum((line.amount + line.tax for line in part), Decimal(0)) - less == (
            share.up_to - share.after
        )
        off += less
        assert less >= 0
        for line in part:
            sign = signs[line.product.name]
            assert line.amount * sign >= 0
            assert line.tax * Decimal(1).copy_sign(sign) >= 0
            added[line.product.name] += line.amount + line.tax
    assert off == discount
    assert added == {line.product.name: line.amount + line.tax for line in lines}


def test_refunds_taken_back_are_no_steps() -> None:
    """A total above the present one was taken back in HubSpot."""
    history = [
        payment(),
        *(
            said(
                ObjectType.PAYMENT,
                AT + day,
                hs_latest_status="partially_refunded",
                hs_refunds_amount=total,
            )
            for day, total in enumerate(("10", "50", "20"), start=1)
        ),
    ]
    obj = fold(None, history)
    assert [total for total, _ in refund_steps(obj)] == [10, 20]
