"""Owns the table of entities: for each its path, fields, id sequence, indexes and filters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.sandbox.fields import lists, transactions
from reconciler.sandbox.fields.kinds import Kind


@dataclass(frozen=True, slots=True)
class Entity:
    """What the sandbox knows of one entity type."""

    name: str
    fields: Mapping[str, Kind]
    sequence: str  # ids are shared by the types of one sequence
    required: tuple[str, ...] = ()
    named_by: str = ""  # the property that names a list element
    indexed: tuple[str, ...] = ()
    filters: frozenset[str] = field(default_factory=frozenset)
    is_transaction: bool = False
    can_create: bool = True
    voids: str = ""  # "operation" (?operation=void) or "include" (?operation=update&include=void)

    @property
    def path(self) -> str:
        """The lower-case path segment."""
        return self.name.lower()


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
_TXN = ("TxnDate", "DocNumber", "TotalAmt", "CurrencyRef", "DepartmentRef")
_FORM = (
    *_TXN,
    "CustomerRef",
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
    )


def _form(
    name: str,
    fields: Mapping[str, Kind],
    *more: str,
    required: tuple[str, ...] = ("Line",),
    voids: str = "",
) -> Entity:
    return Entity(
        name,
        fields,
        "transactions",
        required,
        indexed=_FORM_INDEX,
        filters=frozenset((*_META, *_FORM, *more)),
        is_transaction=True,
        voids=voids,
    )


def _money(
    name: str,
    fields: Mapping[str, Kind],
    filters: tuple[str, ...],
    required: tuple[str, ...],
    indexed: tuple[str, ...],
    voids: str = "",
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
    )


_ALL = (
    _people(
        "Customer",
        lists.CUSTOMER,
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
    _people("Vendor", lists.VENDOR, "AcctNum", "TermRef", "Vendor1099", "CurrencyRef"),
    _people("Employee", lists.EMPLOYEE, "EmployeeNumber", "HiredDate", "ReleasedDate"),
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
    _list("Term", lists.TERM, "DueDays", "Type", "DiscountPercent", "DiscountDays"),
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
        voids="operation",
    ),
    _form(
        "Estimate",
        transactions.ESTIMATE,
        "TxnStatus",
        "ExpirationDate",
        "AcceptedDate",
        "AcceptedBy",
        required=("CustomerRef", "Line"),
    ),
    _form(
        "SalesReceipt",
        transactions.SALES_RECEIPT,
        "PaymentRefNum",
        "PaymentMethodRef",
        "DepositToAccountRef",
        voids="include",
    ),
    _form(
        "RefundReceipt",
        transactions.REFUND_RECEIPT,
        "PaymentRefNum",
        "PaymentMethodRef",
        "DepositToAccountRef",
        required=("DepositToAccountRef", "Line"),
    ),
    _form(
        "CreditMemo", transactions.CREDIT_MEMO, "RemainingCredit", required=("CustomerRef", "Line")
    ),
    # Payment DocNumber isn't filterable; PaymentRefNum is, in the API Explorer's page
    _money(
        "Payment",
        transactions.PAYMENT,
        (
            "TxnDate",
            "CustomerRef",
            "TotalAmt",
            "UnappliedAmt",
            "PaymentRefNum",
            "PaymentMethodRef",
            "DepositToAccountRef",
            "CurrencyRef",
        ),
        ("TotalAmt", "CustomerRef"),
        ("TxnDate", "CustomerRef", "PaymentRefNum"),
        "include",
    ),
    _money(
        "Purchase",
        transactions.PURCHASE,
        (*_TXN, "PaymentType", "AccountRef", "EntityRef", "Credit"),
        ("PaymentType", "AccountRef", "Line"),
        ("DocNumber", "TxnDate", "EntityRef", "AccountRef"),
    ),
    _money(
        "Deposit",
        transactions.DEPOSIT,
        (*_TXN, "DepositToAccountRef"),
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
