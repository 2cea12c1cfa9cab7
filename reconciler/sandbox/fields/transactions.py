"""Owns the fields of transactions: sales forms, payments, purchases, deposits, journal entries."""

from reconciler.sandbox.fields.kinds import (
    Choice,
    Day,
    Derived,
    Flag,
    Kind,
    Nested,
    Number,
    Ref,
    Text,
)
from reconciler.sandbox.fields.lines import (
    DEPOSIT_LINES,
    FORM_LINES,
    JOURNAL_LINES,
    PAYMENT_LINES,
    PURCHASE_LINES,
)
from reconciler.sandbox.fields.parts import (
    ADDRESS,
    DELIVERY_INFO,
    EMAIL,
    EMAIL_STATUS,
    EMAILS,
    MEMO,
    PRINT_STATUS,
    TRANSACTION,
)

_FORM: dict[str, Kind] = {
    **TRANSACTION,
    "Line": FORM_LINES,
    "CustomerRef": Ref("Customer"),
    "CustomerMemo": MEMO,
    "BillAddr": ADDRESS,
    "ShipAddr": ADDRESS,
    "ShipFromAddr": ADDRESS,
    "RemitToRef": Derived(),
    "ClassRef": Ref("Class"),
    "ProjectRef": Ref("Customer"),
    "SalesTermRef": Ref("Term"),
    "DueDate": Day(),
    "SalesRepRef": Derived(),
    "PONumber": Text(25),
    "FOB": Text(25),
    "ShipMethodRef": Ref("ShipMethod", text_ids=True),
    "ShipDate": Day(),
    "TrackingNum": Text(100),
    "BillEmail": EMAIL,
    "BillEmailCc": EMAILS,
    "BillEmailBcc": EMAILS,
    "EmailStatus": EMAIL_STATUS,
    "PrintStatus": PRINT_STATUS,
    "DeliveryInfo": DELIVERY_INFO,
    "ApplyTaxAfterDiscount": Flag(),
    "FreeFormAddress": Flag(),
    "Balance": Derived(),
    "HomeBalance": Derived(),
    "ARAccountRef": Ref("Account"),
    "DiscountAmt": Derived(),
    "DiscountRate": Derived(),
    "DiscountAccountRef": Derived(),
    "TaxAcquired": Derived(),
    "CustomerMsgRef": Derived(),
    "FinanceCharge": Derived(),
    "domain": Derived(),
    "ExternalReference": Derived(),
}

_CREDIT_CARD = Nested({"CreditChargeInfo": Derived(), "CreditChargeResponse": Derived()})

_TENDER: dict[str, Kind] = {
    "PaymentMethodRef": Ref("PaymentMethod"),
    "PaymentType": Choice("Cash", "Check", "CreditCard", "Expense", "Other"),
    "PaymentRefNum": Text(21),  # longer is rejected (field report), whatever the page says
    "DepositToAccountRef": Ref("Account"),
    "CreditCardPayment": _CREDIT_CARD,
    "CheckPayment": Nested(
        {
            "CheckNum": Text(21),
            "Status": Text(30),
            "NameOnAcct": Text(110),
            "AcctNum": Text(40),
            "BankName": Text(100),
        }
    ),
}

INVOICE: dict[str, Kind] = {
    **_FORM,
    "AllowIPNPayment": Flag(),
    "AllowOnlinePayment": Flag(),
    "AllowOnlineCreditCardPayment": Flag(),
    "AllowOnlineACHPayment": Flag(),
    "AllowOnlinePayPalPayment": Flag(),
    "Deposit": Number(0),
    "DepositToAccountRef": Ref("Account"),
    "InvoiceLink": Derived(),
    "InvoiceStatus": Derived(),
    "InvoiceStatusLog": Derived(),
    "EInvoiceStatus": Derived(),
    "ECloudStatusTimeStamp": Derived(),
    "CallToAction": Derived(),
    "LessCIS": Derived(),
    "OverDueDays": Derived(),
}

ESTIMATE: dict[str, Kind] = {
    **_FORM,
    "TxnStatus": Choice("Pending", "Accepted", "Closed", "Rejected", "Converted"),
    "ExpirationDate": Day(),
    "AcceptedBy": Text(200),
    "AcceptedDate": Day(),
}

SALES_RECEIPT: dict[str, Kind] = {**_FORM, **_TENDER}

REFUND_RECEIPT: dict[str, Kind] = {**_FORM, **_TENDER, "TxnStatus": Text(40)}

CREDIT_MEMO: dict[str, Kind] = {
    **_FORM,
    "InvoiceRef": Derived(),
    "RemainingCredit": Derived(),
    "DepositToAccountRef": Derived(),
    "PaymentMethodRef": Ref("PaymentMethod"),
}

PAYMENT: dict[str, Kind] = {
    **TRANSACTION,
    **_TENDER,
    "TotalAmt": Number(0),
    "CustomerRef": Ref("Customer"),
    "ProjectRef": Ref("Customer"),
    "ARAccountRef": Ref("Account"),
    "UnappliedAmt": Derived(),
    "ProcessPayment": Flag(),
    "Line": PAYMENT_LINES,
    "ClassRef": Ref("Class"),
}

PURCHASE: dict[str, Kind] = {
    **TRANSACTION,
    "PaymentType": Choice("Cash", "Check", "CreditCard"),
    "AccountRef": Ref("Account"),
    "EntityRef": Ref("Vendor", "Customer", "Employee"),
    "PaymentMethodRef": Ref("PaymentMethod"),
    "PaymentRefNum": Text(21),
    "Credit": Flag(),
    "RemitToAddr": ADDRESS,
    "PrintStatus": PRINT_STATUS,
    "CheckPayment": _TENDER["CheckPayment"],
    "CreditCardPayment": _CREDIT_CARD,
    "PurchaseEx": Derived(),
    "Memo": Text(4000),
    "Line": PURCHASE_LINES,
}

DEPOSIT: dict[str, Kind] = {
    **TRANSACTION,
    "DepositToAccountRef": Ref("Account"),
    "CashBack": Derived(),
    "Line": DEPOSIT_LINES,
}

JOURNAL_ENTRY: dict[str, Kind] = {**TRANSACTION, "Adjustment": Flag(), "Line": JOURNAL_LINES}
