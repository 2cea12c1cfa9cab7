"""Owns the table of entities."""

from collections.abc import Mapping

from reconciler.sandbox.fields import lists, people, transactions
from reconciler.sandbox.fields.entity import Entity
from reconciler.sandbox.fields.kinds import Kind

_META = ("Id", "SyncToken", "MetaData.CreateTime", "MetaData.LastUpdatedTime")
_PERSON = (
    "DisplayName",
    "GivenName",
    "MiddleName",
    "FamilyName",
    "Suffix",
    "Title",
    "CompanyName",
    "PrintOnCheckName",
    "PrimaryEmailAddr",
    "PrimaryEmailAddr.Address",
    "PrimaryPhone",
    "PrimaryPhone.FreeFormNumber",
    "Active",
    "Balance",
    "FullyQualifiedName",
)
_TXN = ("TxnDate", "DocNumber", "CurrencyRef")
_FORM = (
    *_TXN,
    "TotalAmt",
    "CustomerRef",
    "ProjectRef",
    "DueDate",
    "Balance",
    "EmailStatus",
    "PrintStatus",
    "ShipDate",
    "SalesTermRef",
    "ExchangeRate",
    "TrackingNum",
    "ClassRef",
)
_FORM_INDEX = ("DocNumber", "TxnDate", "CustomerRef")
_LIST = ("Name", "Active", "FullyQualifiedName")


def _people(name: str, fields: Mapping[str, Kind], *more: str) -> Entity:
    return Entity(
        name,
        fields,
        "names",
        named_by="DisplayName",
        indexed=(
            "DisplayName",
            "PrimaryEmailAddr",
            "GivenName",
            "FamilyName",
            "CompanyName",
            "FullyQualifiedName",
            "ParentRef",
        ),
        filters=frozenset((*_META, *_PERSON, *more)),
    )


def _list(
    name: str,
    fields: Mapping[str, Kind],
    *more: str,
    required: tuple[str, ...] = ("Name",),
    indexed: tuple[str, ...] = ("Name",),
    named_by: str = "Name",
    can_create: bool = True,
    repeated: tuple[str, ...] = (),
) -> Entity:
    return Entity(
        name,
        fields,
        name,
        required,
        named_by,
        indexed,
        frozenset((*_META, *_LIST, *more)),
        can_create=can_create,
        repeated=repeated,
    )


def _form(
    name: str,
    fields: Mapping[str, Kind],
    *more: str,
    required: tuple[str, ...] = ("Line",),
    voids: tuple[str, ...] = (),
) -> Entity:
    return _money(name, fields, (*_FORM, *more), required, _FORM_INDEX, voids)


def _money(
    name: str,
    fields: Mapping[str, Kind],
    filters: tuple[str, ...],
    required: tuple[str, ...],
    indexed: tuple[str, ...],
    voids: tuple[str, ...] = (),
    repeated: tuple[str, ...] = (),
) -> Entity:
    return Entity(
        name,
        fields,
        "transactions",
        required,
        indexed=indexed,
        filters=frozenset((*_META, *filters)),
        is_transaction=True,
        voids=voids,
        repeated=repeated,
    )


_ALL = (
    _people(
        "Customer",
        people.CUSTOMER,
        "Job",
        "ParentRef",
        "Level",
        "BalanceWithJobs",
        "Taxable",
        "SalesTermRef",
        "PaymentMethodRef",
        "CurrencyRef",
        "Notes",
    ),
    _people("Vendor", people.VENDOR, "AcctNum", "TermRef", "Vendor1099", "CurrencyRef"),
    _people("Employee", people.EMPLOYEE, "EmployeeNumber", "HiredDate", "ReleasedDate"),
    _list(
        "Item",
        lists.ITEM,
        "Sku",
        "Type",
        "Description",
        "UnitPrice",
        "PurchaseCost",
        "ParentRef",
        "SubItem",
        "Taxable",
        "TrackQtyOnHand",
        "QtyOnHand",
        "Level",
        "InvStartDate",
        "IncomeAccountRef",
        "ExpenseAccountRef",
        "AssetAccountRef",
        indexed=("Name", "Sku", "FullyQualifiedName", "Type"),
    ),
    _list(
        "Account",
        lists.ACCOUNT,
        "AccountType",
        "AccountSubType",
        "Classification",
        "AcctNum",
        "CurrentBalance",
        "SubAccount",
        "ParentRef",
        "Description",
        "CurrencyRef",
        indexed=("Name", "AccountType", "AccountSubType", "FullyQualifiedName"),
    ),
    _list(
        "Term",
        lists.TERM,
        "DueDays",
        "Type",
        "DiscountPercent",
        "DiscountDays",
        repeated=("Name",),
    ),
    _list("PaymentMethod", lists.PAYMENT_METHOD, "Type"),
    _list("Class", lists.CLASS, "SubClass", "ParentRef", indexed=("Name", "FullyQualifiedName")),
    _list(
        "Department",
        lists.DEPARTMENT,
        "SubDepartment",
        "ParentRef",
        indexed=("Name", "FullyQualifiedName"),
    ),
    _list(
        "TaxAgency",
        lists.TAX_AGENCY,
        "DisplayName",
        required=("DisplayName",),
        indexed=("DisplayName",),
        named_by="DisplayName",
    ),
    _list(
        "TaxCode",
        lists.TAX_CODE_FIELDS,
        "Taxable",
        "TaxGroup",
        "Description",
        "Hidden",
        can_create=False,
    ),
    _list("TaxRate", lists.TAX_RATE, "RateValue", "Description", "AgencyRef", can_create=False),
    _form(
        "Invoice",
        transactions.INVOICE,
        "LinkedTxn",
        "Deposit",
        required=("CustomerRef", "Line"),
        voids=("operation", "include"),
    ),
    _form(
        "Estimate",
        transactions.ESTIMATE,
        "TxnStatus",
        "ExpirationDate",
        "AcceptedDate",
        "AcceptedBy",
        "DepartmentRef",
        required=("CustomerRef", "Line"),
    ),
    _form(
        "SalesReceipt",
        transactions.SALES_RECEIPT,
        "PaymentRefNum",
        "PaymentMethodRef",
        "DepositToAccountRef",
        voids=("include",),
    ),
    _form(
        "RefundReceipt",
        transactions.REFUND_RECEIPT,
        "PaymentRefNum",
        "PaymentMethodRef",
        "DepositToAccountRef",
        "DepartmentRef",
        required=("DepositToAccountRef", "Line"),
    ),
    _form(
        "CreditMemo",
        transactions.CREDIT_MEMO,
        "RemainingCredit",
        "DepartmentRef",
        required=("CustomerRef", "Line"),
    ),
    # Payment DocNumber isn't filterable; PaymentRefNum is, in the API Explorer's page
    _money(
        "Payment",
        transactions.PAYMENT,
        (
            "TxnDate",
            "CustomerRef",
            "ProjectRef",
            "TotalAmt",
            "PaymentRefNum",
            "PaymentMethodRef",
            "DepositToAccountRef",
            "CurrencyRef",
        ),
        ("TotalAmt", "CustomerRef"),
        ("TxnDate", "CustomerRef", "PaymentRefNum"),
        ("include",),
    ),
    _money(
        "Purchase",
        transactions.PURCHASE,
        (*_TXN, "TotalAmt", "PaymentType", "AccountRef", "EntityRef", "Credit"),
        ("PaymentType", "AccountRef", "Line"),
        ("DocNumber", "TxnDate", "EntityRef", "AccountRef"),
        repeated=("PaymentType",),
    ),
    _money(
        "Deposit",
        transactions.DEPOSIT,
        (*_TXN, "DepartmentRef", "DepositToAccountRef"),
        ("DepositToAccountRef", "Line"),
        ("TxnDate",),
    ),
    _money(
        "JournalEntry",
        transactions.JOURNAL_ENTRY,
        (*_TXN, "Adjustment"),
        ("Line",),
        ("DocNumber", "TxnDate"),
    ),
    Entity(
        "CompanyInfo", lists.COMPANY_INFO, "CompanyInfo", filters=frozenset(_META), can_create=False
    ),
    Entity("Preferences", {}, "Preferences", filters=frozenset(_META), can_create=False),
)

ENTITIES: dict[str, Entity] = {one.name: one for one in _ALL}
BY_PATH: dict[str, Entity] = {one.path: one for one in _ALL}
PEOPLE = ("Customer", "Vendor", "Employee")
SALES_FORMS = ("Invoice", "Estimate", "SalesReceipt", "RefundReceipt", "CreditMemo")
