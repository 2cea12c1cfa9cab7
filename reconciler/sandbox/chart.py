"""Owns what a new company begins with: accounts, terms, payment methods, tax codes, preferences."""

from decimal import Decimal
from typing import Any

from reconciler.sandbox.company import Company
from reconciler.sandbox.fields.lists import ACCOUNT_TYPES
from reconciler.sandbox.profile import company_info, preferences
from reconciler.sandbox.unit import Commit, Unit

# name, type, subtype: what QuickBooks makes for a new service and product company
_ACCOUNTS = (
    ("Checking", "Bank", "Checking"),
    ("Savings", "Bank", "Savings"),
    ("Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable"),
    ("Undeposited Funds", "Other Current Asset", "UndepositedFunds"),
    ("Inventory Asset", "Other Current Asset", "Inventory"),
    ("Prepaid Expenses", "Other Current Asset", "PrepaidExpenses"),
    ("Accounts Payable (A/P)", "Accounts Payable", "AccountsPayable"),
    ("Business Credit Card", "Credit Card", "CreditCard"),
    ("Sales Tax Payable", "Other Current Liability", "SalesTaxPayable"),
    ("Opening Balance Equity", "Equity", "OpeningBalanceEquity"),
    ("Retained Earnings", "Equity", "RetainedEarnings"),
    ("Sales", "Income", "SalesOfProductIncome"),
    ("Services", "Income", "ServiceFeeIncome"),
    ("Sales of Product Income", "Income", "SalesOfProductIncome"),
    ("Shipping Income", "Income", "OtherPrimaryIncome"),
    ("Discounts given", "Income", "DiscountsRefundsGiven"),
    ("Uncategorized Income", "Income", "UnappliedCashPaymentIncome"),
    ("Cost of Goods Sold", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
    ("Bank Charges", "Expense", "BankCharges"),
    ("Merchant Fees", "Expense", "OtherMiscellaneousServiceCost"),
    ("Office Expenses", "Expense", "OfficeGeneralAdministrativeExpenses"),
    ("Advertising", "Expense", "AdvertisingPromotional"),
    ("Uncategorized Expense", "Expense", "OtherBusinessExpenses"),
    ("Interest Earned", "Other Income", "InterestEarned"),
    ("Exchange Gain or Loss", "Other Expense", "ExchangeGainOrLoss"),
)

_TERMS = (("Due on receipt", 0), ("Net 15", 15), ("Net 30", 30), ("Net 60", 60))

_METHODS = (
    ("Cash", "NON_CREDIT_CARD"),
    ("Check", "NON_CREDIT_CARD"),
    ("Visa", "CREDIT_CARD"),
    ("MasterCard", "CREDIT_CARD"),
    ("Discover", "CREDIT_CARD"),
    ("American Express", "CREDIT_CARD"),
)

# country -> tax code, description, percent; the US has the pseudo codes TAX and NON instead
_TAX_CODES = {
    "CA": (
        ("GST", "GST 5%", "5"),
        ("HST ON", "HST Ontario 13%", "13"),
        ("Zero-rated", "0%", "0"),
        ("Exempt", "Exempt", "0"),
    ),
    "GB": (
        ("20.0% S", "Standard rate", "20"),
        ("5.0% R", "Reduced rate", "5"),
        ("0.0% Z", "Zero-rated", "0"),
        ("Exempt", "Exempt", "0"),
    ),
    "AU": (("GST", "GST 10%", "10"), ("GST free", "GST free", "0")),
}
_OTHER_TAX_CODES = (("Standard", "Standard rate", "20"), ("Zero", "Zero-rated", "0"))
_AGENCIES = {
    "US": "State Department of Revenue",
    "CA": "Canada Revenue Agency",
    "GB": "HM Revenue & Customs",
    "AU": "Australian Taxation Office",
}


def open_company(company: Company) -> Commit:
    """Fill a new company."""
    unit = Unit(company)
    unit.create("Preferences", preferences(company))
    unit.create("CompanyInfo", company_info(company))
    for name, kind, subtype in _ACCOUNTS:
        unit.create("Account", _account(company, name, kind, subtype))
    for name, days in _TERMS:
        unit.create(
            "Term",
            {
                "Name": name,
                "Active": True,
                "Type": "STANDARD",
                "DiscountPercent": 0,
                "DueDays": days,
            },
        )
    for name, kind in _METHODS:
        unit.create("PaymentMethod", {"Name": name, "Active": True, "Type": kind})
    _tax(company, unit)
    return unit.commit()


def _account(company: Company, name: str, kind: str, subtype: str) -> dict[str, Any]:
    return {
        "Name": name,
        "SubAccount": False,
        "FullyQualifiedName": name,
        "Active": True,
        "Classification": ACCOUNT_TYPES[kind],
        "AccountType": kind,
        "AccountSubType": subtype,
        "CurrencyRef": {"value": company.currency},
    }


def _tax(company: Company, unit: Unit) -> None:
    agency = unit.create(
        "TaxAgency",
        {
            "DisplayName": _AGENCIES.get(company.country, "Tax Office"),
            "TaxTrackedOnPurchases": not company.is_us,
            "TaxTrackedOnSales": True,
        },
    )
    if company.is_us:
        for code, taxable in (("TAX", True), ("NON", False)):
            unit.create(
                "TaxCode",
                {
                    "Id": code,
                    "Name": code,
                    "Description": code,
                    "Active": True,
                    "Hidden": False,
                    "Taxable": taxable,
                    "TaxGroup": False,
                },
            )
        percent = str(company.switches.sales_tax_percent)
        codes: tuple[tuple[str, str, str], ...] = (("State tax", "State sales tax", percent),)
    else:
        codes = _TAX_CODES.get(company.country, _OTHER_TAX_CODES)
    for name, description, percent in codes:
        add_tax_code(unit, name, description, Decimal(percent), agency["Id"])


def add_tax_code(
    unit: Unit, name: str, description: str, percent: Decimal, agency: str
) -> dict[str, Any]:
    """Create a tax code with one rate."""
    rate = unit.create(
        "TaxRate",
        {
            "Name": name,
            "Description": description,
            "Active": True,
            "RateValue": percent,
            "AgencyRef": {"value": agency},
            "DisplayType": "ReadOnly",
            "SpecialTaxType": "NONE",
        },
    )
    detail = {
        "TaxRateRef": {"value": rate["Id"], "name": name},
        "TaxTypeApplicable": "TaxOnAmount",
        "TaxOrder": 0,
    }
    return unit.create(
        "TaxCode",
        {
            "Name": name,
            "Description": description,
            "Active": True,
            "Hidden": False,
            "Taxable": True,
            "TaxGroup": True,
            "SalesTaxRateList": {"TaxRateDetail": [detail]},
            "PurchaseTaxRateList": {"TaxRateDetail": []},
        },
    )
