"""The demo's audit: perfect books pass, and every kind of fault in them is named."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from reconciler.demo.audit import AuditReport, judge
from reconciler.demo.books import Books
from reconciler.demo.catalogue import US, catalogue
from reconciler.demo.expectation import Company, Expectation, ExpectedDocument, ExpectedLine, Party
from reconciler.demo.feed import generate

Rows = dict[str, list[dict[str, Any]]]


class Bookkeeper:
    """Writes the rows a flawless service would have left in one company."""

    def __init__(self, realm_id: str, expected: Company) -> None:
        self.rows: Rows = {"Term": [{"Id": "3", "Name": "Net 30"}]}
        self._customers: dict[Party, str] = {}
        self._items: dict[str, str] = {}
        for item in catalogue(0)[realm_id].items:
            self._item(item.sku, item.name, item.active)
        for customer in catalogue(0)[realm_id].customers:
            self._customer(customer.party, customer.display_name)
        for document in expected.documents:
            self._document(document)

    def _add(self, entity: str, row: dict[str, Any]) -> str:
        rows = self.rows.setdefault(entity, [])
        row["Id"] = f"{len(rows) + 1}"
        rows.append(row)
        return str(row["Id"])

    def _item(self, sku: str, name: str, active: bool = True) -> str:
        key = sku or name
        if key not in self._items:
            self._items[key] = self._add("Item", {"Name": name, "Sku": sku, "Active": active})
        return self._items[key]

    def _customer(self, party: Party, display_name: str) -> str:
        if party not in self._customers:
            clean = [part.replace(":", "").replace("\t", " ") for part in party[:2]]
            self._customers[party] = self._add(
                "Customer",
                {
                    "DisplayName": display_name, "GivenName": clean[0], "FamilyName": clean[1],
                    "PrimaryEmailAddr": {"Address": party.email},
                },
            )  # fmt: skip
        return self._customers[party]

    def _document(self, document: ExpectedDocument) -> None:
        row: dict[str, Any] = {
            "PrivateNote": f"{document.marker}, made by a test", "TotalAmt": document.total,
            "TxnTaxDetail": {"TotalTax": document.tax}, "Line": [*map(self._line, document.lines)],
            "Balance": Decimal(0) if document.is_paid else document.total,
        }  # fmt: skip
        if document.customer:
            name = f"{document.customer} {len(self._customers)}"
            row["CustomerRef"] = {"value": self._customer(document.customer, name)}
        if document.terms:
            row["SalesTermRef"] = {"value": "3"}
        row_id = self._add(document.entity, row)
        if document.is_paid:
            self._add("Payment", {
                "TotalAmt": document.total, "CustomerRef": row["CustomerRef"],
                "Line": [{"LinkedTxn": [{"TxnId": row_id, "TxnType": "Invoice"}]}],
            })  # fmt: skip

    def _line(self, line: ExpectedLine) -> dict[str, Any]:
        if line.product is None:
            return {"Amount": line.amount, "DetailType": "AccountBasedExpenseLineDetail"}
        item = self._item(line.product.sku, line.product.name or f"Made for {line.product.sku}")
        code = "TAX" if line.taxed else "NON"
        detail = {"ItemRef": {"value": item}, "TaxCodeRef": {"value": code}}
        return {
            "Amount": line.amount, "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": detail,
        }  # fmt: skip


def kept(expectation: Expectation) -> dict[str, Rows]:
    return {
        realm_id: Bookkeeper(realm_id, company).rows
        for realm_id, company in expectation.companies.items()
    }


def judged(rows: dict[str, Rows], expectation: Expectation) -> AuditReport:
    return judge([Books(realm_id, one) for realm_id, one in rows.items()], expectation)


@pytest.mark.parametrize("seed", range(5))
def test_flawless_books_pass(seed: int) -> None:
    """Books that hold exactly what was expected have no problems."""
    expectation = generate(seed).expectation
    report = judged(kept(expectation), expectation)
    assert report.ok, str(report)
    assert report.counts[US]["Invoice"] > 100
    assert str(report).startswith("The books agree")


def _first(rows: Rows, entity: str) -> dict[str, Any]:
    return rows[entity][0]


def _lose(rows: Rows) -> None:
    rows["Estimate"].pop()


def _double(rows: Rows) -> None:
    rows["SalesReceipt"].append({**_first(rows, "SalesReceipt"), "Id": "900"})


def _slip_in(rows: Rows) -> None:
    rows["Purchase"].append({"Id": "900", "TotalAmt": Decimal(1), "PrivateNote": "by hand"})


def _one_cent_off(rows: Rows) -> None:
    _first(rows, "Invoice")["TotalAmt"] += Decimal("0.01")


def _move_a_cent(rows: Rows) -> None:
    _first(rows, "Invoice")["Line"][0]["Amount"] += Decimal("0.01")


def _flip_taxable(rows: Rows) -> None:
    detail = _first(rows, "Invoice")["Line"][0]["SalesItemLineDetail"]
    detail["TaxCodeRef"] = {"value": "NON" if detail["TaxCodeRef"]["value"] == "TAX" else "TAX"}


def _lose_tax(rows: Rows) -> None:
    taxed = next(row for row in rows["SalesReceipt"] if row["TxnTaxDetail"]["TotalTax"])
    taxed["TxnTaxDetail"] = {}


def _wrong_customer(rows: Rows) -> None:
    row = _first(rows, "RefundReceipt")
    others = [one["Id"] for one in rows["Customer"] if one["Id"] != row["CustomerRef"]["value"]]
    row["CustomerRef"] = {"value": others[0]}


def _unpaid(rows: Rows) -> None:
    invoices = {payment["Line"][0]["LinkedTxn"][0]["TxnId"] for payment in rows.get("Payment", [])}
    next(row for row in rows["Invoice"] if row["Id"] in invoices)["Balance"] = Decimal(1)


def _pay_twice(rows: Rows) -> None:
    rows["Payment"].append({**_first(rows, "Payment"), "Id": "900"})


def _stray_payment(rows: Rows) -> None:
    rows["Payment"].append({**_first(rows, "Payment"), "Id": "900", "Line": []})


def _no_terms(rows: Rows) -> None:
    del next(row for row in rows["Invoice"] if "SalesTermRef" in row)["SalesTermRef"]


def _second_customer(rows: Rows) -> None:
    rows["Customer"].append({**rows["Customer"][-1], "Id": "900", "DisplayName": "again"})


def _second_item(rows: Rows) -> None:
    rows["Item"].append({**rows["Item"][-1], "Id": "900", "Name": "again"})


def _other_item(rows: Rows) -> None:
    line = _first(rows, "Invoice")["Line"][0]["SalesItemLineDetail"]
    others = [item["Id"] for item in rows["Item"] if item["Id"] != line["ItemRef"]["value"]]
    line["ItemRef"] = {"value": others[0]}


def _leftover_item(rows: Rows) -> None:
    rows["Item"].append({"Id": "900", "Name": "Nobody's product", "Sku": "NEVER-1", "Active": True})


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (_lose, "missing"), (_double, "doubled"), (_slip_in, "unexpected"),
        (_one_cent_off, "total"), (_move_a_cent, "lines"), (_flip_taxable, "lines"),
        (_lose_tax, "tax"), (_wrong_customer, "customer"), (_unpaid, "balance"),
        (_pay_twice, "payment"), (_stray_payment, "unexpected"), (_no_terms, "terms"),
        (_second_customer, "doubled"), (_second_item, "doubled"), (_other_item, "lines"),
        (_leftover_item, "unexpected"),
    ],
)  # fmt: skip
def test_every_fault_is_found(spoil: Callable[[Rows], None], kind: str) -> None:
    """One fault in otherwise flawless books makes exactly one problem of its kind."""
    expectation = generate(1).expectation
    rows = kept(expectation)
    spoil(rows[US])
    report = judged(rows, expectation)
    assert [problem.kind for problem in report.problems] == [kind], str(report)
    assert not report.ok
    assert kind in str(report)
