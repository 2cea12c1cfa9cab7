"""Owns the fields of the other lists: items, accounts, terms, tax, classes, departments."""

from reconciler.sandbox.fields.kinds import (
    MAX_PRICE,
    Choice,
    Day,
    Derived,
    Flag,
    Kind,
    Many,
    Nested,
    Number,
    Ref,
    Text,
    Whole,
)
from reconciler.sandbox.fields.parts import (
    ADDRESS,
    COMMON,
    CURRENCY,
    CUSTOM_FIELDS,
    EMAIL,
    PHONE,
    TAX_CODE,
    WEB,
)

_PRICE = Number(high=MAX_PRICE)

ITEM: dict[str, Kind] = {
    **COMMON,
    "Name": Text(100, "\t\n\r"),
    "Sku": Text(100),
    "Description": Text(4000),
    "Active": Flag(),
    "SubItem": Flag(),
    "ParentRef": Ref("Item"),
    "Level": Derived(),
    "FullyQualifiedName": Derived(),
    "Taxable": Flag(),
    "SalesTaxIncluded": Flag(),
    "PercentBased": Flag(),
    "UnitPrice": _PRICE,
    "RatePercent": Number(),
    "Type": Choice("Service", "NonInventory", "Inventory", "Category", "Group"),
    "PaymentMethodRef": Ref("PaymentMethod"),
    "UOMSetRef": Derived(),
    "IncomeAccountRef": Ref("Account"),
    "PurchaseDesc": Text(1000),
    "PurchaseTaxIncluded": Flag(),
    "PurchaseCost": _PRICE,
    "ExpenseAccountRef": Ref("Account"),
    "COGSAccountRef": Ref("Account"),
    "AssetAccountRef": Ref("Account"),
    "PrefVendorRef": Ref("Vendor"),
    "AvgCost": Derived(),
    "TrackQtyOnHand": Flag(),
    "QtyOnHand": Number(),
    "QtyOnPurchaseOrder": Derived(),
    "QtyOnSalesOrder": Derived(),
    "ReorderPoint": Number(),
    "ManPartNum": Text(100),
    "InvStartDate": Day(),
    "BuildPoint": Number(),
    "PrintGroupedItems": Flag(),
    "SpecialItem": Derived(),
    "SpecialItemType": Derived(),
    "ItemGroupDetail": Derived(),
    "SalesTaxCodeRef": TAX_CODE,
    "PurchaseTaxCodeRef": TAX_CODE,
    "ClassRef": Ref("Class"),
    "TaxClassificationRef": Derived(),
    "AbatementRate": Number(),
    "ReverseChargeRate": Number(),
    "ServiceType": Text(40),
    "ItemCategoryType": Text(20),
    "Source": Derived(),
    "CustomField": CUSTOM_FIELDS,
    "ExternalReference": Derived(),
}

ACCOUNT_TYPES: dict[str, str] = {
    "Bank": "Asset",
    "Accounts Receivable": "Asset",
    "Other Current Asset": "Asset",
    "Fixed Asset": "Asset",
    "Other Asset": "Asset",
    "Accounts Payable": "Liability",
    "Credit Card": "Liability",
    "Other Current Liability": "Liability",
    "Long Term Liability": "Liability",
    "Equity": "Equity",
    "Income": "Revenue",
    "Cost of Goods Sold": "Expense",
    "Expense": "Expense",
    "Other Income": "Revenue",
    "Other Expense": "Expense",
}

ACCOUNT: dict[str, Kind] = {
    **COMMON,
    "Name": Text(100, '":'),
    "SubAccount": Flag(),
    "ParentRef": Ref("Account"),
    "Description": Text(100),
    "FullyQualifiedName": Derived(),
    "AccountAlias": Text(100),
    "TxnLocationType": Text(40),
    "Active": Flag(),
    "Classification": Derived(),
    "AccountType": Choice(*ACCOUNT_TYPES),
    "AccountSubType": Text(80),
    "AcctNum": Text(20),
    "AcctNumExtn": Derived(),
    "BankNum": Text(40),
    "OpeningBalance": Derived(),
    "OpeningBalanceDate": Derived(),
    "CurrentBalance": Derived(),
    "CurrentBalanceWithSubAccounts": Derived(),
    "CurrencyRef": CURRENCY,
    "TaxCodeRef": TAX_CODE,
    "TaxAccount": Flag(),
    "OnlineBankingEnabled": Derived(),
    "FIName": Text(100),
    "JournalCodeRef": Derived(),
    "DepositForUse": Derived(),
}

TERM: dict[str, Kind] = {
    **COMMON,
    "Name": Text(31),
    "Active": Flag(),
    "Type": Derived(),
    "DiscountPercent": Number(0, 100),
    "DueDays": Whole(0, 999),
    "DiscountDays": Whole(0, 999),
    "DayOfMonthDue": Whole(1, 31),
    "DueNextMonthDays": Whole(0, 999),
    "DiscountDayOfMonth": Whole(1, 31),
}

PAYMENT_METHOD: dict[str, Kind] = {
    **COMMON,
    "Name": Text(31),
    "Active": Flag(),
    "Type": Choice("CREDIT_CARD", "NON_CREDIT_CARD"),
}

CLASS: dict[str, Kind] = {
    **COMMON,
    "Name": Text(100),
    "SubClass": Flag(),
    "ParentRef": Ref("Class"),
    "FullyQualifiedName": Derived(),
    "Active": Flag(),
}

DEPARTMENT: dict[str, Kind] = {
    **COMMON,
    "Name": Text(100),
    "SubDepartment": Flag(),
    "ParentRef": Ref("Department"),
    "FullyQualifiedName": Derived(),
    "Address": ADDRESS,
    "Active": Flag(),
}

TAX_AGENCY: dict[str, Kind] = {
    **COMMON,
    "DisplayName": Text(100),
    "TaxTrackedOnPurchases": Flag(),
    "TaxTrackedOnSales": Flag(),
    "TaxRegistrationNumber": Text(30),
    "ReportingPeriod": Text(30),
    "TaxAgencyConfig": Derived(),
    "LastFileDate": Derived(),
}

_RATES = Nested(
    {
        "TaxRateDetail": Many(
            Nested(
                {
                    "TaxRateRef": Ref("TaxRate"),
                    "TaxTypeApplicable": Choice("TaxOnAmount", "TaxOnAmountPlusTax", "TaxOnTax"),
                    "TaxOrder": Whole(0),
                    "TaxOnTaxOrder": Whole(0),
                }
            )
        )
    }
)

TAX_CODE_FIELDS: dict[str, Kind] = {
    **COMMON,
    "Name": Text(100),
    "Description": Text(100),
    "Active": Flag(),
    "Hidden": Flag(),
    "Taxable": Flag(),
    "TaxGroup": Flag(),
    "TaxCodeConfigType": Derived(),
    "SalesTaxRateList": _RATES,
    "PurchaseTaxRateList": _RATES,
    "AdjustmentTaxRateList": Derived(),
}

TAX_RATE: dict[str, Kind] = {
    **COMMON,
    "Name": Text(100),
    "Description": Text(100),
    "Active": Flag(),
    "RateValue": Number(),
    "AgencyRef": Ref("TaxAgency"),
    "SpecialTaxType": Derived(),
    "DisplayType": Derived(),
    "EffectiveTaxRate": Derived(),
    "OriginalTaxRate": Derived(),
    "TaxReturnLineRef": Derived(),
}

COMPANY_INFO: dict[str, Kind] = {
    **COMMON,
    "CompanyName": Text(1024),
    "LegalName": Text(1024),
    "CompanyAddr": ADDRESS,
    "CustomerCommunicationAddr": ADDRESS,
    "LegalAddr": ADDRESS,
    "CustomerCommunicationEmailAddr": EMAIL,
    "PrimaryPhone": PHONE,
    "CompanyStartDate": Day(),
    "EmployerId": Text(40),
    "FiscalYearStartMonth": Text(12),
    "Country": Text(40),
    "Email": EMAIL,
    "WebAddr": WEB,
    "SupportedLanguages": Text(100),
    "DefaultTimeZone": Text(60),
    "NameValue": Many(Nested({"Name": Text(100), "Value": Text(1000)})),
}
