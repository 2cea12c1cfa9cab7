"""Owns what a new company says of itself: CompanyInfo and Preferences."""

from typing import Any

from reconciler.sandbox.company import PREFERENCES_ID, Company


def company_info(company: Company) -> dict[str, Any]:
    """The CompanyInfo of a new company."""
    name = f"Sandbox Company {company.country} {company.realm[-4:]}"
    address = {
        "Id": "1",
        "Line1": "1 Main Street",
        "City": "Mountain View",
        "CountrySubDivisionCode": "CA",
        "PostalCode": "94043",
        "Country": company.country,
    }
    return {
        "Id": "1",
        "CompanyName": name,
        "LegalName": name,
        "CompanyAddr": address,
        "CustomerCommunicationAddr": address,
        "LegalAddr": address,
        "CustomerCommunicationEmailAddr": {"Address": "noreply@quickbooks.com"},
        "PrimaryPhone": {},
        "CompanyStartDate": company.clock.today(),
        "FiscalYearStartMonth": "January",
        "Country": company.country,
        "Email": {"Address": "owner@example.com"},
        "WebAddr": {},
        "SupportedLanguages": "en",
        "DefaultTimeZone": "America/Los_Angeles",
        "NameValue": [
            {"Name": "NeoEnabled", "Value": "true"},
            {"Name": "IndustryType", "Value": ""},
            {"Name": "SubscriptionStatus", "Value": "PAID"},
            {"Name": "OfferingSku", "Value": "QuickBooks Online Plus"},
            {"Name": "ItemCategoriesFeature", "Value": "true"},
        ],
    }


def preferences(company: Company) -> dict[str, Any]:
    """The Preferences of a new company."""
    return {
        "Id": PREFERENCES_ID,
        "AccountingInfoPrefs": {
            "UseAccountNumbers": False,
            "TrackDepartments": False,
            "ClassTrackingPerTxn": False,
            "ClassTrackingPerTxnLine": False,
            "ClassTrackingPerLine": False,
            "CustomerTerminology": "Customers",
        },
        "ProductAndServicesPrefs": {
            "ForSales": True,
            "ForPurchase": True,
            "QuantityWithPriceAndRate": True,
            "QuantityOnHand": True,
        },
        "SalesFormsPrefs": {
            "CustomTxnNumbers": False,
            "AllowDeposit": True,
            "AllowDiscount": True,
            "AllowEstimates": True,
            "AllowServiceDate": False,
            "AllowShipping": True,
            "ETransactionEnabledStatus": "NotApplicable",
            "IPNSupportEnabled": False,
            "DefaultCustomerMessage": "Thank you for your business.",
        },
        "EmailMessagesPrefs": {},
        "VendorAndPurchasesPrefs": {
            "UseCustomTxnNumbers": False,
            "TrackingByCustomer": True,
            "BillableExpenseTracking": True,
        },
        "TimeTrackingPrefs": {},
        "TaxPrefs": (
            {"UsingSalesTax": True, "PartnerTaxEnabled": True}
            if company.is_us
            else {"UsingSalesTax": True}
        ),
        "CurrencyPrefs": {
            "MultiCurrencyEnabled": False,
            "HomeCurrency": {"value": company.currency},
        },
        "ReportPrefs": {"ReportBasis": "Accrual", "CalcAgingReportFromTxnDate": False},
        "OtherPrefs": {"NameValue": []},
    }
