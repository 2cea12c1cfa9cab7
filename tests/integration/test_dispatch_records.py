"""What the dispatcher makes of a ledger, or a company, that is not as it was left."""

from __future__ import annotations

from decimal import Decimal

from reconciler.model import Line, ProductReference
from tests.company_at_work import Work, sale


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
