"""Property: whatever is done, the trial balance is zero and every link goes both ways."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reconciler.sandbox.chart import open_company
from reconciler.sandbox.clock import Clock
from reconciler.sandbox.company import Company
from reconciler.sandbox.exact import ZERO, decode
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.fields.entities import ENTITIES
from reconciler.sandbox.reading import shown
from reconciler.sandbox.switches import Switches
from reconciler.sandbox.writing import Request, write
from tests.contract.books import Body, form, pays, sale

AMOUNTS = st.decimals(Decimal("0.01"), Decimal(500), places=2)
PICKS = st.integers(0, 10_000)
LINKED = ("Invoice", "Estimate", "Payment", "CreditMemo", "SalesReceipt", "Deposit")


class BooksMachine(RuleBasedStateMachine):
    """A bookkeeper without judgement."""

    @initialize(capped=st.booleans(), suffix=st.booleans())
    def open(self, capped: bool, suffix: bool) -> None:
        """Open a company with two customers and two items."""
        switches = Switches(
            payment_over_balance="cap" if capped else "refuse", deleted_name_suffix=suffix
        )
        self.company = Company("1", "US", "USD", Clock(), switches)
        open_company(self.company)
        self.customers = [self.write("Customer", {"DisplayName": one})["Id"] for one in "AB"]
        income = {"value": self.company.account("ServiceFeeIncome")}
        service = {"Name": "Hours", "Type": "Service", "IncomeAccountRef": income}
        stock = {
            "Name": "Shirt", "Type": "Inventory", "TrackQtyOnHand": True, "QtyOnHand": 10,
            "InvStartDate": "2020-01-01", "PurchaseCost": 4, "IncomeAccountRef": income,
            "ExpenseAccountRef": {"value": self.company.account("SuppliesMaterialsCogs")},
            "AssetAccountRef": {"value": self.company.account("Inventory")},
        }  # fmt: skip
        self.items = [self.write("Item", one)["Id"] for one in (service, stock)]
        for customer in self.customers:
            for entity in ("Invoice", "Invoice", "Estimate", "SalesReceipt", "CreditMemo"):
                self.write(entity, form(customer, sale(self.items[0], 100)))
            owed = self.pick("Invoice", int(customer) * 2 - 2)
            if owed is not None:
                self.write("Payment", pays(customer, 60, (owed["Id"], 60)))

    def write(self, entity: str, body: Body, **more: Any) -> Body:
        """A write that must succeed."""
        return decode(write(self.company, Request(ENTITIES[entity], body, **more)).body)

    def attempt(self, entity: str, body: Body, **more: Any) -> None:
        """A write that may be refused."""
        try:
            self.write(entity, body, **more)
        except Fault as fault:
            assert fault.code != "10000", fault  # noqa: PT017  # the sandbox's own error

    def pick(self, entity: str, pick: int) -> Body | None:
        """Some row of a type."""
        rows = list(self.company.tables[entity].rows)
        return self.company.get(entity, rows[pick % len(rows)]) if rows else None

    def body(self, pick: int, amounts: list[Decimal], taxed: bool, less: int) -> Body:
        """A sales form."""
        lines = [
            sale(self.items[(pick + at) % 2], one, TaxCodeRef={"value": "TAX" if taxed else "NON"})
            for at, one in enumerate(amounts)
        ]
        if less:
            detail = {"PercentBased": True, "DiscountPercent": less}
            lines.append({"DetailType": "DiscountLineDetail", "DiscountLineDetail": detail})
        bank = {"value": self.company.account("UndepositedFunds")}
        return form(self.customers[pick % 2], *lines, DepositToAccountRef=bank)

    @rule(
        entity=st.sampled_from(["Invoice", "Estimate", "SalesReceipt", "RefundReceipt"]),
        pick=PICKS,
        amounts=st.lists(AMOUNTS, min_size=1, max_size=3),
        taxed=st.booleans(),
        less=st.sampled_from([0, 0, 10, 33]),
    )
    def sell(self, entity: str, pick: int, amounts: list[Decimal], taxed: bool, less: int) -> None:
        """Create a form."""
        body = self.body(pick, amounts, taxed, less)
        if entity == "Estimate":
            del body["DepositToAccountRef"]
        self.attempt(entity, body)

    @rule(pick=PICKS, amount=AMOUNTS)
    def credit(self, pick: int, amount: Decimal) -> None:
        """Create a credit memo."""
        line = sale(self.items[0], amount)
        self.attempt("CreditMemo", form(self.customers[pick % 2], line))

    @rule(pick=PICKS, other=PICKS, total=AMOUNTS, first=AMOUNTS, second=AMOUNTS)
    def pay(self, pick: int, other: int, total: Decimal, first: Decimal, second: Decimal) -> None:
        """Pay one or two invoices, some of it with credit."""
        owed, also = self.pick("Invoice", pick), self.pick("Invoice", other)
        if owed is None or also is None:
            return
        applied = [(owed["Id"], min(first, owed["Balance"]))]
        if also["Id"] != owed["Id"]:
            applied.append((also["Id"], min(second, also["Balance"])))
        enough = sum((one for _, one in applied), ZERO)
        body = pays(owed["CustomerRef"]["value"], enough if other % 4 else total, *applied)
        memo = self.pick("CreditMemo", other)
        if memo is not None and pick % 3 == 0:
            link = [{"TxnId": memo["Id"], "TxnType": "CreditMemo"}]
            body["Line"].append({"Amount": min(first, memo["Balance"]), "LinkedTxn": link})
        self.attempt("Payment", body)

    @rule(pick=PICKS, total=AMOUNTS, amount=AMOUNTS, other=PICKS)
    def repay(self, pick: int, total: Decimal, amount: Decimal, other: int) -> None:
        """Change what a payment applies to."""
        paid, owed = self.pick("Payment", pick), self.pick("Invoice", other)
        if paid is None or owed is None:
            return
        body = pays(paid["CustomerRef"]["value"], total, (owed["Id"], amount))
        keys = {"Id": paid["Id"], "SyncToken": paid["SyncToken"], "sparse": True}
        self.attempt("Payment", {**body, **keys})

    @rule(pick=PICKS, customer=PICKS, amounts=st.lists(AMOUNTS, min_size=1, max_size=2))
    def change_invoice(self, pick: int, customer: int, amounts: list[Decimal]) -> None:
        """Change an invoice's lines and perhaps its customer."""
        owed = self.pick("Invoice", pick)
        if owed is not None:
            body = self.body(customer, amounts, taxed=False, less=0)
            keys = {"Id": owed["Id"], "SyncToken": owed["SyncToken"], "sparse": True}
            self.attempt("Invoice", {**body, **keys})

    @rule(pick=PICKS, amount=AMOUNTS)
    def convert(self, pick: int, amount: Decimal) -> None:
        """Invoice an estimate."""
        quoted = self.pick("Estimate", pick)
        if quoted is not None:
            link = [{"TxnId": quoted["Id"], "TxnType": "Estimate"}]
            line = sale(self.items[0], amount)
            body = form(quoted["CustomerRef"]["value"], line, LinkedTxn=link)
            self.attempt("Invoice", body)

    @rule(pick=PICKS, entity=st.sampled_from(["Payment", "SalesReceipt"]))
    def deposit(self, pick: int, entity: str) -> None:
        """Take money to the bank."""
        held = self.pick(entity, pick)
        if held is not None:
            bank = {"value": self.company.account("Checking")}
            line = {"LinkedTxn": [{"TxnId": held["Id"], "TxnType": entity}]}
            self.attempt("Deposit", {"DepositToAccountRef": bank, "Line": [line]})

    @rule(entity=st.sampled_from(LINKED), pick=PICKS)
    def delete(self, entity: str, pick: int) -> None:
        """Delete something."""
        held = self.pick(entity, pick)
        if held is not None:
            body = {"Id": held["Id"], "SyncToken": held["SyncToken"]}
            self.attempt(entity, body, operation="delete")

    @rule(entity=st.sampled_from(["Invoice", "Payment", "SalesReceipt"]), pick=PICKS)
    def void(self, entity: str, pick: int) -> None:
        """Void something."""
        held = self.pick(entity, pick)
        if held is None:
            return
        body = {"Id": held["Id"], "SyncToken": held["SyncToken"], "sparse": True}
        if entity == "Invoice":
            self.attempt(entity, body, operation="void")
        else:
            self.attempt(entity, body, operation="update", include=frozenset({"void"}))

    @rule(pick=PICKS, active=st.booleans())
    def activate(self, pick: int, active: bool) -> None:
        """Make a customer inactive or active again."""
        held = self.company.get("Customer", self.customers[pick % 2])
        if held is not None:
            keys = {"Id": held["Id"], "SyncToken": held["SyncToken"], "sparse": True}
            self.attempt("Customer", {**keys, "Active": active})

    @invariant()
    def balanced(self) -> None:
        """The trial balance is zero, and so is the sum of all entries."""
        if hasattr(self, "company"):
            ledger = self.company.ledger
            assert sum(ledger.accounts.values(), ZERO) == 0
            assert sum(one.amount for held in ledger.entries.values() for one in held) == 0

    @invariant()
    def linked_both_ways(self) -> None:
        """Each link has its counterpart, and balances are what the links leave."""
        if not hasattr(self, "company"):
            return
        rows = {
            (entity, row_id): self.company.tables[entity].row(row_id)
            for entity in LINKED
            for row_id in self.company.tables[entity].rows
        }
        links = {
            (key, (one["TxnType"], one["TxnId"])) for key, row in rows.items() for one in _out(row)
        }
        assert {(there, here) for here, there in links} == links
        for (entity, row_id), row in rows.items():
            if entity == "Invoice":
                paid = sum(
                    (_applied(rows[key], row_id) for key in rows if key[0] == "Payment"), ZERO
                )
                assert row["Balance"] == row["TotalAmt"] - paid
                assert row["Balance"] >= 0

    @invariant()
    def receivable_is_what_customers_owe(self) -> None:
        """The receivable account equals the customers' balances."""
        if hasattr(self, "company"):
            owed = self.company.ledger.accounts[self.company.account("AccountsReceivable")]
            rows = [self.company.tables["Customer"].row(one) for one in self.customers]
            shown_balances = [shown(self.company, "Customer", row)["Balance"] for row in rows]
            assert sum(shown_balances, ZERO) == owed


def _out(row: Body) -> list[Body]:
    """A row's links, at the top or in its lines."""
    found = list(row.get("LinkedTxn", ()))
    for line in row.get("Line", ()):
        found.extend(line.get("LinkedTxn", ()))
    return found


def _applied(payment: Body, invoice: str) -> Decimal:
    amounts = [one["Amount"] for one in payment["Line"]
               if one["LinkedTxn"][0] == {"TxnId": invoice, "TxnType": "Invoice"}]  # fmt: skip
    return sum(amounts, ZERO)


TestBooks = BooksMachine.TestCase
TestBooks.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
