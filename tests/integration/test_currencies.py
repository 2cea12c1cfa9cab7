"""A company that keeps several currencies: who is billed in two of them is two customers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from reconciler.model import Customer
from tests.company_at_work import Work, plan, sale


@pytest.fixture
async def work(work: Work) -> Work:
    """The company, with multicurrency on."""
    prefer = {"CurrencyPrefs": {"MultiCurrencyEnabled": True}}
    await work.sandbox.admin("POST", f"preferences/{work.realm}", prefer)
    return work


async def customers(work: Work) -> Counter[tuple[str, str]]:
    """How many there are of each name and currency."""
    rows = await work.books("Customer")
    return Counter((row["DisplayName"], row["CurrencyRef"]["value"]) for row in rows)


async def billed_to(work: Work) -> list[tuple[str, str]]:
    """Name of the customer and currency of each invoice."""
    return sorted(
        (row["CustomerRef"]["name"], row["CurrencyRef"]["value"])
        for row in await work.books("Invoice")
    )


async def test_a_new_contact_is_made_in_the_currency_of_its_document(work: Work) -> None:
    """Home or foreign, also where the same contact is billed in several, in one batch or later."""
    await work.want([sale(currency="EUR"), sale(currency="JPY"), sale(), sale(currency="EUR")])
    await work.run_until(work.all_created)
    await work.want([sale(currency="EUR"), sale()], first=11)
    await work.run_until(work.all_created)
    made = await customers(work)
    assert set(made.values()) == {1}
    assert sorted(currency for _, currency in made) == ["EUR", "JPY", "USD"]
    assert all(name.startswith("Ada Byron") for name, _ in made)
    assert len(await billed_to(work)) == 6


async def test_of_two_customers_the_one_kept_in_the_currency_is_billed(work: Work) -> None:
    """Though they bear one person's name and address; and nobody is made anew."""
    for name, currency in (("Ada at home", "USD"), ("Ada abroad", "EUR")):
        await work.sandbox.enter(work.realm, "Customer", _ada(name, currency))
    await work.want([sale(currency="EUR"), sale()])
    await work.run_until(work.all_created)
    assert await billed_to(work) == [("Ada abroad", "EUR"), ("Ada at home", "USD")]
    assert len(await customers(work)) == 2


async def test_who_is_kept_only_in_another_currency_gets_a_second_entry(work: Work) -> None:
    """Called after the currency, as QuickBooks allows a name once."""
    await work.sandbox.enter(work.realm, "Customer", _ada("Ada Byron", "USD"))
    await work.want([sale(currency="EUR")])
    await work.run_until(work.all_created)
    assert await billed_to(work) == [("Ada Byron (EUR)", "EUR")]


async def test_at_home_a_name_that_is_taken_gets_the_address(work: Work) -> None:
    """A vendor bears it: “Ada Byron (USD)” would say nothing in a company that is kept in USD."""
    await work.sandbox.enter(work.realm, "Vendor", {"DisplayName": "Ada Byron"})
    await work.want([sale(), sale(currency="EUR")])
    await work.run_until(work.all_created)
    assert await billed_to(work) == [
        ("Ada Byron (EUR)", "EUR"),
        ("Ada Byron (ada@example.com)", "USD"),
    ]


async def test_a_customer_whose_creation_got_no_answer_is_not_made_twice(work: Work) -> None:
    """What the lost answer told is found again, in its currency."""
    await plan(work.sandbox, work.realm, kind="drop_after_commit", entity="Customer", count=1)
    await work.want([sale(currency="EUR"), sale()])
    await work.run_until(work.all_created)
    made = await customers(work)
    assert sorted(currency for _, currency in made) == ["EUR", "USD"]
    assert set(made.values()) == {1}


async def test_a_fixed_customer_of_another_currency_is_named_and_nothing_is_made(
    work: Work,
) -> None:
    """It becomes usable once somebody enters it in that currency under the name told."""
    fixed = Customer("fixed", display_name="Walk-in")
    await work.sandbox.enter(work.realm, "Customer", {"DisplayName": "Walk-in"})
    await work.want([sale(currency="EUR", customer=fixed)])

    async def is_blocked() -> bool:
        return bool((await work.document())["state"] == "blocked")

    await work.run_until(is_blocked)
    row = await work.document()
    assert row["reason"] == "other_currency"
    assert "create “Walk-in (EUR)” in EUR" in row["detail"]
    assert not await work.books("Invoice")


def _ada(name: str, currency: str) -> dict[str, Any]:
    return {
        "DisplayName": name,
        "GivenName": "Ada",
        "FamilyName": "Byron",
        "PrimaryEmailAddr": {"Address": "ada@example.com"},
        "CurrencyRef": {"value": currency},
    }
