"""Owns the pieces several entities share: addresses, phones, e-mails, links, tax detail, lines.

Lengths are those of the API Explorer's pages; names and enumerations those of Intuit's XSD
(github.com/intuit/QuickBooks-V3-Java-SDK, Finance.xsd and IntuitNamesTypes.xsd, read 2026-11).
"""

from typing import Any

from reconciler.sandbox.fields.kinds import (
    Choice,
    Day,
    Derived,
    Email,
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

COMMON: dict[str, Kind] = {
    "Id": Text(20),
    "SyncToken": Text(20),
    "sparse": Flag(),
    "domain": Derived(),
    "status": Derived(),
    "MetaData": Derived(),
    "AttachableRef": Derived(),
}

ADDRESS = Nested(
    {
        "Id": Text(20),
        "Line1": Text(500),
        "Line2": Text(500),
        "Line3": Text(500),
        "Line4": Text(500),
        "Line5": Text(500),
        "City": Text(255),
        "Country": Text(255),
        "CountryCode": Text(255),
        "CountrySubDivisionCode": Text(255),
        "PostalCode": Text(30),
        "PostalCodeSuffix": Text(30),
        "Lat": Text(60),
        "Long": Text(60),
        "Tag": Text(60),
        "Note": Text(1000),
    }
)

PHONE = Nested(
    {
        "Id": Text(20),
        "DeviceType": Text(30),
        "CountryCode": Text(10),
        "AreaCode": Text(10),
        "ExchangeCode": Text(10),
        "Extension": Text(10),
        "FreeFormNumber": Text(30),
        "Default": Flag(),
        "Tag": Text(60),
    }
)

EMAIL = Nested({"Id": Text(20), "Address": Email(several=True), "Default": Flag(), "Tag": Text(60)})
EMAILS = Nested({"Address": Email(several=True)})
WEB = Nested({"Id": Text(20), "URI": Text(1000), "Default": Flag(), "Tag": Text(60)})

CUSTOM_FIELDS = Many(
    Nested(
        {
            "DefinitionId": Text(20),
            "Name": Text(255),
            "Type": Choice("StringType", "BooleanType", "NumberType", "DateType"),
            "StringValue": Text(31),
            "BooleanValue": Flag(),
            "DateValue": Day(),
            "NumberValue": Number(),
        }
    )
)


class _LinkText(Text):
    """python-quickbooks writes 0 for "no id" and "no type"."""

    def clean(self, value: Any, at: str, found: Findings) -> Any:
        """0 is "not set"."""
        return None if value == 0 else super().clean(value, at, found)


LINKED_TXN = Many(
    Nested({"TxnId": _LinkText(20), "TxnType": _LinkText(40), "TxnLineId": _LinkText(20)})
)

MEMO = Nested({"value": Text(1000), "id": Text(20)})
DELIVERY_INFO = Derived()
TAX_CODE = Ref("TaxCode", text_ids=True)

TAX_DETAIL = Nested(
    {
        "DefaultTaxCodeRef": TAX_CODE,
        "TxnTaxCodeRef": TAX_CODE,
        "TotalTax": Number(),
        "UseAutomatedSalesTax": Flag(),
        "TaxReviewStatus": Derived(),
        "TaxLine": Many(
            Nested(
                {
                    "Id": Text(20),
                    "LineNum": Whole(0),
                    "Description": Text(4000),
                    "Amount": Number(),
                    "DetailType": Choice("TaxLineDetail"),
                    "TaxLineDetail": Nested(
                        {
                            "TaxRateRef": Ref("TaxRate"),
                            "PercentBased": Flag(),
                            "TaxPercent": Number(),
                            "NetAmountTaxable": Number(),
                            "TaxInclusiveAmount": Number(),
                            "OverrideDeltaAmount": Number(),
                            "ServiceDate": Day(),
                        }
                    ),
                    "CustomField": CUSTOM_FIELDS,
                    "LinkedTxn": LINKED_TXN,
                }
            )
        ),
    }
)

GLOBAL_TAX = Choice("TaxExcluded", "TaxInclusive", "NotApplicable")
BILLABLE = Choice("Billable", "NotBillable", "HasBeenBilled")
PRINT_STATUS = Choice("NotSet", "NeedToPrint", "PrintComplete")
EMAIL_STATUS = Choice("NotSet", "NeedToSend", "EmailSent")
CURRENCY = Ref("Currency", text_ids=True)

TRANSACTION: dict[str, Kind] = {
    **COMMON,
    "DocNumber": Text(21),
    "TxnDate": Day(),
    "DepartmentRef": Ref("Department"),
    "CurrencyRef": CURRENCY,
    "ExchangeRate": Number(0),
    "PrivateNote": Text(4000),
    "TxnSource": Text(100),
    "TxnStatus": Text(40),
    "TransactionLocationType": Text(100),
    "CustomField": CUSTOM_FIELDS,
    "LinkedTxn": LINKED_TXN,
    "TxnTaxDetail": TAX_DETAIL,
    "GlobalTaxCalculation": GLOBAL_TAX,
    "TaxExemptionRef": Derived(),
    "RecurDataRef": Derived(),
    "TotalAmt": Derived(),
    "HomeTotalAmt": Derived(),
    "RecurringInfo": Derived(),
}
