"""What the dispatcher makes of a ledger, or a company, that is not as it was left."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.model import Action, Customer, Line, ProductReference
from reconciler.writing.operations import reference_operation_key
from reconciler.writing.resolve import item_key
from tests.company_at_work import Work, brisk_waits, plan, sale

WIDGET = ProductReference(name="Widget", sku="W-1")


async def test_a_result_that_its_document_never_learned_of_is_found_again(work: Work) -> None:
    """A document wanted anew whose operation has its result already is not made a second time."""
    await work.want([sale()])
    await work.run_until(work.all_created)
    made = (await work.document())["quickbooks_id"]
    await work.pool.execute(
        "UPDATE documents SET state = 'wanted', quickbooks_id = NULL, next_attempt_at = now()"
    )
    await work.run_until(work.all_created)
    assert (await work.document())["quickbooks_id"] == made
    assert len(await work.books("Invoice")) == 1


async def test_someone_entered_by_hand_is_found_before_being_created(work: Work) -> None:
    """A customer entered since the last look, under another display name, is not doubled."""
    await work.want([sale(name="Eve First", email="eve@first.org")])
    await work.run_until(work.all_created)
    ada = {
        "DisplayName": "Countess of Lovelace",
        "GivenName": "Ada",
        "FamilyName": "Byron",
        "PrimaryEmailAddr": {"Address": "ada@example.com"},
    }
    await work.sandbox.enter(work.realm, "Customer", ada)
    work.company.directory.forget_freshness()
    await work.want([sale()], first=2)
    await work.run_until(work.all_created)
    people = [row for row in await work.books("Customer") if row.get("FamilyName") == "Byron"]
    assert [row["DisplayName"] for row in people] == ["Countess of Lovelace"]


@pytest.mark.parametrize(
    "addresses", ["ap@first.org, ada@example.com", "Ada@example.com,ap@first.org"]
)
async def test_a_customer_with_several_addresses_is_found_by_each(
    work: Work, addresses: str
) -> None:
    """QuickBooks keeps several in one field, between commas; the contact is no second customer."""
    ada = {
        "DisplayName": "First Inc",
        "GivenName": "Ada",
        "FamilyName": "Byron",
        "PrimaryEmailAddr": {"Address": addresses},
    }
    await work.sandbox.enter(work.realm, "Customer", ada)
    await work.want([sale(), sale(name="Eve First", email="ap@first.org")])
    await work.run_until(work.all_created)
    names = {row["DisplayName"] for row in await work.books("Customer")}
    assert names == {"First Inc", "Eve First"}  # R7: the name counts, too


@pytest.mark.parametrize("name", ["first inc:roof", "Roof"])
async def test_a_sub_customer_is_fixed_by_its_own_or_its_full_name(work: Work, name: str) -> None:
    """`customer: {fixed: …}` may name it as QuickBooks's pages do."""
    parent = await work.sandbox.enter(work.realm, "Customer", {"DisplayName": "First Inc"})
    job = {"DisplayName": "Roof", "Job": True, "ParentRef": {"value": parent["Id"]}}
    roof = await work.sandbox.enter(work.realm, "Customer", job)
    await work.want([sale(customer=Customer("fixed", display_name=name))])
    await work.run_until(work.all_created, 20)
    (invoice,) = await work.books("Invoice")
    assert invoice["CustomerRef"]["value"] == roof["Id"]


async def test_products_in_categories_are_billed_by_their_full_name(work: Work) -> None:
    """Of two of a name the one that the action names; and a category is no product of its name."""
    outer = await work.sandbox.enter_product(work.realm, "Logo", "")
    category = await work.sandbox.enter(work.realm, "Item", {"Name": "Print", "Type": "Category"})
    inner = {
        "Name": "Logo",
        "Type": "Service",
        "IncomeAccountRef": outer["IncomeAccountRef"],
        "ParentRef": {"value": category["Id"]},
    }
    await work.sandbox.enter(work.realm, "Item", inner)
    print_ = Line(Decimal(100), product=ProductReference(name="Print", sku="P-1"))
    await work.want(
        [sale(fixed_product="Print:Logo"), sale(fixed_product="Logo"), sale(lines=(print_,))]
    )
    await work.run_until(work.all_created)
    items = {row["Id"]: row["FullyQualifiedName"] for row in await work.books("Item")}
    billed = [
        items[row["Line"][0]["SalesItemLineDetail"]["ItemRef"]["value"]]
        for row in await work.books("Invoice")
    ]
    assert sorted(billed) == ["Logo", "Print (P-1)", "Print:Logo"]


async def test_a_product_without_a_sku_is_the_one_of_its_name_that_is_made_with_it(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is when it comes a moment later: no second product is made for having come together."""
    brisk_waits(monkeypatch)
    bare = Line(Decimal(100), product=ProductReference(name="Widget"))
    await work.want([sale(), sale(lines=(bare,))])
    await work.run_until(work.all_created)
    assert [row["Name"] for row in await work.books("Item")] == ["Widget"]


async def test_a_paid_invoice_of_nothing_is_paid_without_a_payment(work: Work) -> None:
    """Nothing is open on it: a payment of 0.00 would be applied to no balance."""
    await work.want([sale("0.00")], Action.PAID_INVOICE)
    await work.run_until(work.all_created)
    assert [row["Balance"] for row in await work.books("Invoice")] == [0]
    assert await work.books("Payment") == []
    assert (await work.document())["total"] == 0


async def _blocked(work: Work) -> bool:
    return {row["state"] for row in await work.documents()} == {"blocked"}


async def _retry(work: Work) -> None:
    await work.pool.execute(
        "UPDATE documents SET state = 'wanted', next_attempt_at = now(), retried_at = now()"
    )
    work.company.wake()


async def test_an_invoice_that_exists_is_paid_though_its_product_is_inactive_now(
    work: Work,
) -> None:
    """Its payment was refused first; what only the invoice needed is not looked for again."""
    fault = {"kind": "fault", "entity": "Payment", "operation": "create", "code": "6000"}
    await plan(work.sandbox, work.realm, count=1, **fault)
    await work.want([sale()], Action.PAID_INVOICE)
    await work.run_until(lambda: _blocked(work))
    (widget,) = [row for row in await work.books("Item") if row["Name"] == "Widget"]
    path = f"edit/{work.realm}/Item/{widget['Id']}"
    await work.sandbox.admin("POST", path, {"Active": False})
    work.company.directory.forget_freshness()
    await _retry(work)
    await work.run_until(work.all_created)
    assert len(await work.books("Payment")) == 1


async def test_a_product_refused_many_times_is_created_once_its_cause_is_mended(work: Work) -> None:
    """However often it was tried before; and the name it is given is its own."""
    await work.company.directory.ensure_loaded()
    await work.pool.executemany(
        """
        INSERT INTO operations (realm_id, operation_key, entity, request_id, marker, request, state,
                                attempts)
        VALUES ($1, $2, 'Item', $2, '', '', 'refused', 1)
        """,
        [
            (work.realm, reference_operation_key("Item", item_key(WIDGET), number))
            for number in range(1, 60)
        ],
    )
    await work.want([sale()])
    await work.run_until(work.all_created)
    assert [row["Name"] for row in await work.books("Item") if row.get("Sku") == "W-1"] == [
        "Widget"
    ]


async def test_what_is_refused_is_refused_once_for_all_that_want_it(work: Work) -> None:
    """Of documents that are looked at one after the other within seconds: one attempt, not hundreds."""
    fault = {"kind": "fault", "entity": "Item", "operation": "create", "code": "6000"}
    await plan(work.sandbox, work.realm, count=500, **fault)
    await work.want([sale(private_note=f"deal {number}") for number in range(5)])
    await work.run_until(lambda: _blocked(work))
    await _retry(work)
    await work.run_until(lambda: _blocked(work))
    tried = await work.pool.fetchval("SELECT count(*) FROM operations WHERE entity = 'Item'")
    assert tried == 1
