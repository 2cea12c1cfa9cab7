"""Property: what HubSpot says of tax is what the books come to, or no document is made."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model import Action, DocumentState
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.payload import encode
from reconciler.sandbox.chart import open_company
from reconciler.sandbox.clock import Clock
from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import decode
from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.switches import Switches
from reconciler.sandbox.writing import Request, write
from reconciler.writing.documents import entity_of
from reconciler.writing.resolve import Resolved
from tests.deciding import REALM, deal, one_workflow, only

INVOICE = one_workflow("deal", "invoice")
FACTS = CompanyFacts(realm_id=REALM, name="Books", country="US", using_sales_tax=True)
STATING = ("hs_tax_amount", "hs_auto_tax_amount", "tax", "hs_post_tax_amount")

Line = dict[str, str | None]

amounts = st.integers(1, 100_000).map(lambda value: Decimal(value) / 100)
taxes = st.just(Decimal(0)) | st.integers(0, 10_000).map(lambda value: Decimal(value) / 100)


@st.composite
def lines(draw: st.DrawFn) -> tuple[Line, Decimal | None]:
    """A line item and what it comes to with its tax; None where HubSpot leaves that open, or says
    by the amount after tax alone that the tax is more than the line."""
    amount = draw(amounts)
    line: Line = {"name": "Widget", "quantity": "1", "price": str(amount), "amount": str(amount)}
    line |= draw(st.sampled_from([{}, {"hs_tax_rate_group_id": "7"}]))
    line |= draw(st.sampled_from([{}, {"hs_tax_rate": "8.25"}, dict.fromkeys(STATING)]))
    if draw(st.booleans()):
        is_open = "hs_tax_rate_group_id" in line or "hs_tax_rate" in line
        return line, None if is_open else amount
    tax = draw(taxes)
    name = draw(st.sampled_from(STATING))
    if name == "hs_post_tax_amount":
        return {**line, name: str(amount + tax)}, amount + tax if tax <= amount else None
    return {**line, name: str(tax)}, amount + tax


def books() -> Company:
    """A US company that adds its own sales tax where it is told none, with a customer and an item."""
    company = Company(REALM, "US", "USD", Clock(), Switches())
    open_company(company)
    income = {"value": company.account("ServiceFeeIncome")}
    write(company, Request(ENTITIES["Customer"], {"DisplayName": "Ada"}))
    item = {"Name": "Widget", "Type": "Service", "IncomeAccountRef": income}
    write(company, Request(ENTITIES["Item"], item))
    return company


@settings(max_examples=200, deadline=None)
@given(st.lists(lines(), min_size=1, max_size=5))
def test_the_books_come_to_what_hubspot_says(sold: list[tuple[Line, Decimal | None]]) -> None:
    """One line whose tax is open keeps the whole document back; else the total is HubSpot's."""
    found = only(INVOICE, deal(lines=[line for line, _ in sold]))
    worth = [each for _, each in sold if each is not None]
    if len(worth) < len(sold):
        assert found.state in (DocumentState.WAITING, DocumentState.BLOCKED)
        return
    assert found.content is not None, found.detail
    resolved = Resolved(customer_id="1", item_ids=("1",) * len(sold))
    body = encode(entity_of(Action.INVOICE, found.content, resolved, FACTS, "Ref"))
    written = decode(write(books(), Request(ENTITIES["Invoice"], decode(body))).body)
    assert written["TotalAmt"] == found.content.total == sum(worth)
