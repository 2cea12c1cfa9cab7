"""Independent clients drive the sandbox: python-quickbooks and Intuit's own intuit-oauth."""

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import quickbooks.objects
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks
from quickbooks.batch import batch_create, batch_delete, batch_update
from quickbooks.cdc import change_data_capture
from quickbooks.exceptions import ObjectNotFoundException, QuickbooksException
from quickbooks.objects import (
    Account,
    Customer,
    Estimate,
    Invoice,
    Item,
    Payment,
    Purchase,
    RefundReceipt,
    SalesReceipt,
)
from quickbooks.objects.base import EmailAddress, Ref
from quickbooks.objects.detailline import (
    AccountBasedExpenseLine,
    AccountBasedExpenseLineDetail,
    SalesItemLine,
    SalesItemLineDetail,
)
from quickbooks.objects.payment import PaymentLine

from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.fields.kinds import Many, Nested
from tests.contract.books import REALM, Books, opened


@pytest.fixture
async def books(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Books]:
    """A sandbox; both clients refuse plain HTTP unless told."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    async with opened() as held:
        yield held


def connect(books: Books) -> QuickBooks:
    """A python-quickbooks client of the sandbox."""

    class Local(QuickBooks):  # type: ignore[misc]
        sandbox_api_url_v3 = f"{books.root}/v3"

    grant = SimpleNamespace(
        environment="sandbox", client_id="app", access_token="any", refresh_token="any"
    )
    return Local(auth_client=grant, refresh_token="any", company_id=REALM, minorversion=75)


def ref(row_id: str) -> Ref:
    """A reference."""
    held = Ref()
    held.value = row_id
    return held


def sale(item: str, amount: int) -> SalesItemLine:
    """A line as the library makes it: quantity and price left at 0."""
    line = SalesItemLine()
    line.Amount = amount
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef = ref(item)
    return line


def customer(qb: QuickBooks, name: str) -> Customer:
    """A saved customer."""
    held = Customer()
    held.DisplayName = name
    held.PrimaryEmailAddr = EmailAddress()
    held.PrimaryEmailAddr.Address = "ann@example.com"
    return held.save(qb=qb)


def item(qb: QuickBooks, name: str) -> Item:
    """A saved item."""
    held = Item()
    held.Name = name
    held.Type = "Service"
    held.Sku = f"SKU-{name}"
    held.IncomeAccountRef = ref(Account.filter(AccountType="Income", qb=qb)[0].Id)
    return held.save(qb=qb)


def form(kind: type, buyer: Customer, sold: Item) -> Any:
    """A sales form with one line of 100, not saved."""
    held = kind()
    held.CustomerRef = buyer.to_ref()
    held.Line = [sale(sold.Id, 100)]
    return held


def drive_forms(qb: QuickBooks) -> None:
    """Create, read, query, update, void and delete each kind of sales form."""
    buyer, sold = customer(qb, "Ann O'Brien"), item(qb, "Hours")
    bank = Account.filter(AccountType="Bank", qb=qb)[0].Id
    for kind in (Invoice, Estimate, SalesReceipt, RefundReceipt):
        held = form(kind, buyer, sold)
        if kind is RefundReceipt:
            held.DepositToAccountRef = ref(bank)
        held.save(qb=qb)
        assert held.Id
        again = kind.get(held.Id, qb=qb)
        assert again.TotalAmt == 100
        assert kind.filter(Id=held.Id, qb=qb)[0].Id == held.Id
        assert kind.count(f"CustomerRef = '{buyer.Id}'", qb=qb) == 1
        again.PrivateNote = "changed"
        again.save(qb=qb)
        assert kind.get(held.Id, qb=qb).PrivateNote == "changed"
        if kind in {Invoice, SalesReceipt}:
            again = kind.get(held.Id, qb=qb)
            again.void(qb=qb)
            again = kind.get(held.Id, qb=qb)
            assert again.TotalAmt == 0
            assert again.PrivateNote.startswith("Voided")
        kind.get(held.Id, qb=qb).delete(qb=qb)
        with pytest.raises(ObjectNotFoundException):
            kind.get(held.Id, qb=qb)


async def test_python_quickbooks_drives_sales_forms(books: Books) -> None:
    """python-quickbooks creates, reads, queries, updates, voids and deletes sales forms."""
    await asyncio.to_thread(drive_forms, connect(books))
    assert await books.trial_balance() == 0


def drive_lists(qb: QuickBooks) -> None:
    """Customers and items: create, read, query, sparse update, inactivate."""
    buyer = customer(qb, "Ann O'Brien")
    assert Customer.filter(DisplayName="Ann O'Brien", qb=qb)[0].Id == buyer.Id
    assert Customer.choose(["Ann O'Brien"], field="DisplayName", qb=qb)[0].Id == buyer.Id
    again = Customer.get(buyer.Id, qb=qb)
    assert again.PrimaryEmailAddr.Address == "ann@example.com"
    sparse = Customer()
    sparse.__dict__.clear()
    sparse.__dict__.update(Id=again.Id, SyncToken=again.SyncToken, sparse=True, Notes="a note")
    sparse.save(qb=qb)
    after = Customer.get(buyer.Id, qb=qb)
    assert (after.Notes, after.DisplayName) == ("a note", "Ann O'Brien")
    after.Active = False
    after.save(qb=qb)
    assert Customer.count("DisplayName LIKE 'Ann%'", qb=qb) == 0
    sold = item(qb, "Hours")
    assert Item.query("SELECT *, Sku FROM Item WHERE Sku = 'SKU-Hours'", qb=qb)[0].Id == sold.Id
    with pytest.raises(QuickbooksException) as refusal:
        item(qb, "Hours")
    assert refusal.value.error_code == 6240


async def test_python_quickbooks_drives_lists(books: Books) -> None:
    """python-quickbooks creates, reads, queries and updates customers and items."""
    await asyncio.to_thread(drive_lists, connect(books))


def drive_money(qb: QuickBooks) -> None:
    """Payments against an invoice, and expenses."""
    buyer, sold = customer(qb, "Ann"), item(qb, "Hours")
    invoice = form(Invoice, buyer, sold).save(qb=qb)
    paid = Payment()
    paid.CustomerRef, paid.TotalAmt = buyer.to_ref(), 100
    line = PaymentLine()
    line.Amount = 100
    line.LinkedTxn = [invoice.to_linked_txn()]
    paid.Line = [line]
    paid.save(qb=qb)
    assert Invoice.get(invoice.Id, qb=qb).Balance == 0
    assert Payment.get(paid.Id, qb=qb).UnappliedAmt == 0
    Payment.get(paid.Id, qb=qb).void(qb=qb)
    assert Invoice.get(invoice.Id, qb=qb).Balance == 100
    assert Payment.filter(CustomerRef=buyer.Id, qb=qb)[0].TotalAmt == 0
    Payment.get(paid.Id, qb=qb).delete(qb=qb)
    fee = Purchase()
    fee.PaymentType = "Cash"
    fee.AccountRef = ref(Account.filter(AccountType="Bank", qb=qb)[0].Id)
    expense = AccountBasedExpenseLine()
    expense.Amount = 3
    expense.AccountBasedExpenseLineDetail = AccountBasedExpenseLineDetail()
    account = Account.filter(AccountType="Expense", qb=qb)[0]
    expense.AccountBasedExpenseLineDetail.AccountRef = ref(account.Id)
    fee.Line = [expense]
    fee.save(qb=qb)
    held = Purchase.get(fee.Id, qb=qb)
    held.DocNumber = "FEE-1"
    held.save(qb=qb)
    assert Purchase.filter(DocNumber="FEE-1", qb=qb)[0].TotalAmt == 3
    Purchase.get(fee.Id, qb=qb).delete(qb=qb)
    assert Purchase.all(qb=qb) == []


async def test_python_quickbooks_drives_payments_and_purchases(books: Books) -> None:
    """python-quickbooks pays an invoice, voids the payment, and books and deletes an expense."""
    await asyncio.to_thread(drive_money, connect(books))
    assert await books.trial_balance() == 0


def drive_batch(qb: QuickBooks) -> None:
    """Batches of each operation, then CDC."""
    buyer, sold = customer(qb, "Ann"), item(qb, "Hours")
    made = batch_create([form(Invoice, buyer, sold) for _ in range(35)], qb=qb)
    assert (len(made.successes), len(made.faults)) == (35, 0)
    for held in made.successes:
        held.PrivateNote = "in a batch"
    changed = batch_update(made.successes, qb=qb)
    assert {one.PrivateNote for one in changed.successes} == {"in a batch"}
    changed_again = batch_update(made.successes[:1], qb=qb)
    assert changed_again.faults[0].Error[0].code == "5010"
    gone = batch_delete(changed.successes[:5], qb=qb)
    assert len(gone.faults) == 0
    heard = change_data_capture([Invoice, Customer, Payment], "2020-01-01T00:00:00-08:00", qb=qb)
    assert len(heard.Customer._object_list) == 1
    assert len(heard.Invoice._object_list) == 35


async def test_python_quickbooks_drives_batch_and_cdc(books: Books) -> None:
    """python-quickbooks creates, updates and deletes in batches and reads the changes by CDC."""
    await books.switch(cdc_lookback_days=36_500)
    await asyncio.to_thread(drive_batch, connect(books))


async def test_replays_a_requestid_of_python_quickbooks(books: Books) -> None:
    """The same request_id twice gives the same object, not a second one."""
    qb = connect(books)

    def twice() -> tuple[str, str]:
        first, second = Customer(), Customer()
        first.DisplayName = second.DisplayName = "Once"
        return (
            first.save(qb=qb, request_id="r1").Id,
            second.save(qb=qb, request_id="r1").Id,
        )

    first, second = await asyncio.to_thread(twice)
    assert first == second


async def test_intuit_oauth_gets_refreshes_and_revokes(books: Books) -> None:
    """intuit-oauth reads discovery, gets tokens for a code, refreshes them, and revokes them."""
    await books.switch(oauth_enforced=True)
    discovery = f"{books.root}/.well-known/openid_sandbox_configuration/"
    target = "http://127.0.0.1/callback"

    def begin() -> tuple[AuthClient, str]:
        client = AuthClient("app", "secret", target, discovery)
        return client, client.get_authorization_url([Scopes.ACCOUNTING], state_token="s1")

    client, url = await asyncio.to_thread(begin)
    async with books.session.get(f"{url}&realm={REALM}", allow_redirects=False) as answer:
        given = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert given["state"] == ["s1"]
    assert given["realmId"] == [REALM]
    await asyncio.to_thread(client.get_bearer_token, given["code"][0], REALM)
    first = client.access_token
    books.token = first
    assert (await books.call("GET", f"companyinfo/{REALM}"))[0] == 200
    await asyncio.to_thread(client.refresh)
    assert client.access_token != first
    old = client.refresh_token
    await books.admin("clock", {"advance_seconds": 90_000})
    assert (await books.call("GET", f"companyinfo/{REALM}"))[0] == 401
    await asyncio.to_thread(client.refresh)
    assert client.refresh_token != old
    with pytest.raises(AuthClientError) as refusal:
        await asyncio.to_thread(client.refresh, old)
    assert refusal.value.status_code == 400
    assert await asyncio.to_thread(client.revoke)
    books.token = client.access_token
    assert (await books.call("GET", f"companyinfo/{REALM}"))[0] == 401


def keys_of(kind: Any) -> dict[str, Any]:
    """The property names of a library class, with the class of those that are objects."""
    names = dict.fromkeys(kind().__dict__)
    return {**names, **(kind.class_dict or {}), **(getattr(kind, "list_dict", None) or {})}


def unknown(kind: Any, fields: Any, at: str) -> list[str]:
    """Paths of the library's properties that the sandbox doesn't know."""
    found: list[str] = []
    for name, inner in keys_of(kind).items():
        field = fields.get(name)
        if isinstance(field, Many):
            field = field.kind
        if field is None and not name.startswith("_"):
            found.append(f"{at}.{name}")
        elif inner is not None and isinstance(field, Nested):
            found += unknown(inner, field.fields, f"{at}.{name}")
    return found


def library_classes() -> dict[str, Any]:
    """The library's class of every entity of the sandbox."""
    found = {}
    for module in pkgutil.iter_modules(quickbooks.objects.__path__):
        held = vars(importlib.import_module(f"quickbooks.objects.{module.name}"))
        for kind in held.values():
            if getattr(kind, "qbo_object_name", None) in ENTITIES:
                found[kind.qbo_object_name] = kind
    return found


@pytest.mark.parametrize("entity", sorted(set(ENTITIES) - {"Preferences"}))
def test_knows_what_python_quickbooks_sends(entity: str) -> None:
    """Every property that python-quickbooks may send is known, at every depth."""
    kind = library_classes()[entity]
    assert unknown(kind, ENTITIES[entity].fields, entity) == []
