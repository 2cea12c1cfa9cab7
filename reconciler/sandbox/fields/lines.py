"""Owns the fields of transaction lines, per detail type."""

from typing import Any

from reconciler.sandbox.fields.kinds import (
    MAX_AMOUNT,
    MAX_PRICE,
    Choice,
    Day,
    Derived,
    Findings,
    Flag,
    Kind,
    Many,
    Nested,
    Number,
    Ref,
    Text,
    Whole,
)
from reconciler.sandbox.fields.parts import BILLABLE, CUSTOM_FIELDS, LINKED_TXN, TAX_CODE


class _ItemRef(Ref):
    """An item, or QuickBooks's pseudo items for shipping and gratuity."""

    PSEUDO = frozenset({"SHIPPING_ITEM_ID", "GRATUITY_ITEM_ID"})

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """A pseudo item is kept unlooked."""
        if isinstance(value, dict) and value.get("value") in self.PSEUDO:
            return {"value": value["value"]}
        return super().clean(value, at, found)


ITEM = _ItemRef("Item")

_MARKUP = Derived()

_SHARED: dict[str, Kind] = {
    "Id": Text(20),
    "LineNum": Whole(0),
    "Description": Text(4000),
    "Amount": Number(high=MAX_AMOUNT, places=5),
    "LinkedTxn": LINKED_TXN,
    "CustomField": CUSTOM_FIELDS,
    "CustomExtensions": Derived(),
    "Received": Derived(),
}

SALES_ITEM = Nested(
    {
        "ItemRef": ITEM,
        "ClassRef": Ref("Class"),
        "Qty": Number(),
        "UnitPrice": Number(high=MAX_PRICE),
        "RatePercent": Number(),
        "PriceLevelRef": Derived(),
        "ItemAccountRef": Ref("Account"),
        "InventorySiteRef": Derived(),
        "MarkupInfo": _MARKUP,
        "TaxCodeRef": TAX_CODE,
        "TaxClassificationRef": Derived(),
        "ServiceDate": Day(),
        "TaxInclusiveAmt": Number(),
        "DiscountRate": Number(),
        "DiscountAmt": Number(),
        "DeferredRevenue": Derived(),
    }
)

DISCOUNT = Nested(
    {
        "PercentBased": Flag(),
        "DiscountPercent": Number(0, 100),
        "DiscountRef": Derived(),
        "Discount": Derived(),
        "DiscountAccountRef": Ref("Account"),
        "ClassRef": Ref("Class"),
        "TaxCodeRef": TAX_CODE,
        "ServiceDate": Day(),
    }
)

DESCRIPTION = Nested({"ServiceDate": Day(), "TaxCodeRef": TAX_CODE})
SUBTOTAL = Nested({"ItemRef": Derived(), "ServiceDate": Day()})

_FORM_LINE: dict[str, Kind] = {
    **_SHARED,
    "SalesItemLineDetail": SALES_ITEM,
    "DiscountLineDetail": DISCOUNT,
    "DescriptionLineDetail": DESCRIPTION,
    "SubTotalLineDetail": SUBTOTAL,
    "SubtotalLineDetail": SUBTOTAL,
}

_FORM_DETAILS = (
    "SalesItemLineDetail",
    "DiscountLineDetail",
    "DescriptionOnly",
    "SubTotalLineDetail",
    "GroupLineDetail",
)

GROUP = Nested(
    {
        "GroupItemRef": Ref("Item"),
        "Quantity": Number(),
        "Line": Many(Nested(_FORM_LINE, DetailType=Choice(*_FORM_DETAILS))),
        "ServiceDate": Day(),
    }
)

FORM_LINES = Many(Nested(_FORM_LINE, DetailType=Choice(*_FORM_DETAILS), GroupLineDetail=GROUP))

PAYMENT_LINES = Many(Nested(_SHARED, LineEx=Derived(), DetailType=Derived()))

_EXPENSE: dict[str, Kind] = {
    "CustomerRef": Ref("Customer"),
    "ClassRef": Ref("Class"),
    "BillableStatus": BILLABLE,
    "TaxCodeRef": TAX_CODE,
    "TaxAmount": Number(),
    "TaxInclusiveAmt": Number(),
    "MarkupInfo": _MARKUP,
    "ServiceDate": Day(),
}

PURCHASE_LINES = Many(
    Nested(
        _SHARED,
        DetailType=Choice(
            "AccountBasedExpenseLineDetail", "ItemBasedExpenseLineDetail", "DescriptionOnly"
        ),
        AccountBasedExpenseLineDetail=Nested(_EXPENSE, AccountRef=Ref("Account")),
        ItemBasedExpenseLineDetail=Nested(
            _EXPENSE,
            ItemRef=ITEM,
            Qty=Number(),
            UnitPrice=Number(high=MAX_PRICE),
            PriceLevelRef=Derived(),
        ),
        DescriptionLineDetail=DESCRIPTION,
    )
)

_PARTY = Ref("Customer", "Vendor", "Employee")

DEPOSIT_LINES = Many(
    Nested(
        _SHARED,
        DetailType=Choice("DepositLineDetail"),
        DepositToAccountRef=Derived(),
        DepositLineDetail=Nested(
            {
                "AccountRef": Ref("Account"),
                "ClassRef": Ref("Class"),
                "Entity": _PARTY,
                "PaymentMethodRef": Ref("PaymentMethod"),
                "CheckNum": Text(21),
                "TxnType": Text(40),
                "TaxCodeRef": TAX_CODE,
                "TaxApplicableOn": Text(20),
            }
        ),
    )
)

JOURNAL_LINES = Many(
    Nested(
        _SHARED,
        DetailType=Choice("JournalEntryLineDetail", "DescriptionOnly"),
        DescriptionLineDetail=DESCRIPTION,
        JournalEntryLineDetail=Nested(
            {
                "PostingType": Choice("Debit", "Credit"),
                "AccountRef": Ref("Account"),
                "ClassRef": Ref("Class"),
                "DepartmentRef": Ref("Department"),
                "Entity": Nested(
                    {"Type": Choice("Customer", "Vendor", "Employee"), "EntityRef": _PARTY}
                ),
                "TaxCodeRef": TAX_CODE,
                "TaxAmount": Number(),
                "TaxApplicableOn": Text(20),
                "BillableStatus": BILLABLE,
            }
        ),
    )
)
