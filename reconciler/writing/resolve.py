"""Finds in a QuickBooks company what a document refers to. Pure; called by `prepare` and `amend`.

The rule is R6 (docs/workflows.md): everything is found, or known to be creatable, before
anything is written. `resolve` answers the ids, names what must be created first, or raises the
reason why the document is blocked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from reconciler.model import (
    HUBSPOT_PAYMENT_METHODS,
    Action,
    Customer,
    DocumentContent,
    Line,
    ProductReference,
)
from reconciler.quickbooks.company import CompanyFacts
from reconciler.quickbooks.names import (
    MAX_SKU,
    clean_line,
    email_key,
    email_keys,
    folded,
    name_key,
    names_in,
    person_name,
)
from reconciler.quickbooks.references import Reference
from reconciler.reasons import Blocked, Reason

ACCOUNTS_FOR_DEPOSITS = ("Bank", "Other Current Asset")
ACCOUNTS_FOR_EXPENSES = ("Expense", "Other Expense", "Cost of Goods Sold")
ACCOUNTS_FOR_PURCHASES = ("Bank", "Credit Card")  # QuickBooks refuses to pay from any other

# HubSpot's hs_payment_method_type as a new QuickBooks company names its payment methods.
_PAYMENT_METHODS = {"card": "Credit Card", "cash": "Cash", "check": "Check", "ach": "ACH"}

_KINDS = {"Department": "Location", "PaymentMethod": "Payment method"}  # as QuickBooks's pages say


@dataclass
class Book:
    """What is known of one company, as far as the documents at hand may need it.

    `made` holds what we created ourselves by what it is matched by: it stays the same customer
    or item when someone renames it in QuickBooks.
    """

    company_name: str
    facts: CompanyFacts
    references: list[Reference] = field(default_factory=list)
    made: dict[tuple[str, str], Reference] = field(default_factory=dict)
    _reserved: set[tuple[str, str]] = field(default_factory=set)
    _by_name: dict[tuple[str, str], list[Reference]] = field(default_factory=dict)
    _by_email: dict[str, list[Reference]] = field(default_factory=dict)
    _by_sku: dict[str, list[Reference]] = field(default_factory=dict)
    _by_id: dict[tuple[str, str], Reference] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given, self.references = self.references, []
        self.add(given)

    def add(self, references: Iterable[Reference]) -> None:
        """Take in more rows; a row known already is replaced by the one given last."""
        for row in references:
            known = self._by_id.get((row.entity, row.id))
            if known == row:  # found by its name and by its email, say
                continue
            if known is not None:
                self._forget(known)
            self._by_id[row.entity, row.id] = row
            self.references.append(row)
            for rows in self._indexed(row):
                rows.append(row)

    def _forget(self, row: Reference) -> None:
        for rows in (self.references, *self._indexed(row)):
            rows[:] = [each for each in rows if each is not row]

    def _indexed(self, row: Reference) -> Iterator[list[Reference]]:
        """The lists under which a row is found."""
        for key in {name_key(row.name), row.name_key, row.full_name_key} - {""}:
            yield self._by_name.setdefault((row.entity, key), [])
        if row.entity == "Customer":
            for key in dict.fromkeys(email_keys(row.email_key)):
                yield self._by_email.setdefault(key, [])
        if row.entity == "Item" and row.sku:
            yield self._by_sku.setdefault(folded(row.sku), [])

    def named(self, entity: str, name: str) -> list[Reference]:
        """Entries of that name: first the one whose full name ("Parent:Child") it is, then the oldest."""
        key = name_key(name)
        found = self._by_name.get((entity, key), [])
        return sorted(found, key=lambda row: (row.full_name_key != key, *_age(row)))

    def with_email(self, email: str) -> list[Reference]:
        return self._by_email.get(email_key(email), [])

    def with_sku(self, sku: str) -> list[Reference]:
        """Items of that SKU; those that spell it exactly the same come first, then the oldest."""
        found = self._by_sku.get(folded(sku), [])
        return sorted(found, key=lambda row: (row.sku != sku, *_age(row)))

    def with_id(self, entity: str, id_: str) -> Reference | None:
        return self._by_id.get((entity, id_))

    def reserve(self, entity: str, name: str) -> None:
        """Someone is being created under this name."""
        self._reserved.add((entity, name_key(name)))

    def is_being_made(self, entity: str, name: str) -> bool:
        """Whether someone is created under this name, and not known yet."""
        return (entity, name_key(name)) in self._reserved

    def item_name_is_taken(self, name: str) -> bool:
        """Items have a name space of their own."""
        return self.is_being_made("Item", name) or bool(self.named("Item", name))

    def name_is_taken(self, name: str) -> bool:
        """Customers, vendors and employees share one name space, inactive ones included (6240)."""
        return self.is_being_made("Customer", name) or any(
            self.named(entity, name) for entity in ("Customer", "Vendor", "Employee")
        )


def _age(row: Reference) -> tuple[int, str]:
    """Orders by QuickBooks's id, a growing number: of several of a name it is always the same one."""
    return len(row.id), row.id


@dataclass(frozen=True)
class MissingCustomer:
    """A customer to be created; `currency` is "" where the company has but one."""

    key: str
    customer: Customer
    currency: str


@dataclass(frozen=True)
class Resolved:
    """The ids a document needs; None or an entry in `missing_*` for what must be created first."""

    customer_id: str | None = None
    item_ids: tuple[str | None, ...] = ()
    term: Reference | None = None
    deposit_account_id: str = ""
    bank_account: Reference | None = None
    expense_account_id: str = ""
    vendor_id: str = ""
    class_id: str = ""
    department_id: str = ""
    payment_method_id: str = ""
    custom_field_ids: tuple[str, ...] = ()
    exchange_rate: Decimal | None = None
    missing_customer: MissingCustomer | None = None
    missing_items: tuple[ProductReference, ...] = ()

    @property
    def is_complete(self) -> bool:
        return self.missing_customer is None and not self.missing_items


def resolve(action: Action, content: DocumentContent, book: Book) -> Resolved:
    """Everything the document refers to in this company. Raises `Blocked`."""
    _check_company(content, book)
    if action is Action.EXPENSE:
        return _resolve_expense(content, book)
    customer_id, missing_customer = _customer(content, book)
    items = [_item(line, number, content, book) for number, line in enumerate(content.lines, 1)]
    missing = [
        line.product for line, item in zip(content.lines, items, strict=True) if item is None
    ]
    deposit = content.deposit_account if action not in (Action.INVOICE, Action.ESTIMATE) else ""
    return Resolved(
        customer_id=customer_id,
        item_ids=tuple([item.id if item else None for item in items]),
        term=_term(content, book),
        deposit_account_id=_deposit_account(deposit, content, book),
        class_id=_class(content, book),
        department_id=_department(content, book),
        payment_method_id=_payment_method(content, book),
        custom_field_ids=tuple([_custom_field(name, book) for name, _ in content.custom_fields]),
        missing_customer=missing_customer,
        missing_items=tuple(dict.fromkeys(missing)),
    )


def _resolve_expense(content: DocumentContent, book: Book) -> Resolved:
    currency = book.facts.stated_currency(content.currency)
    expenses = _account(content.expense_account, ACCOUNTS_FOR_EXPENSES, currency, book)
    return Resolved(
        bank_account=_account(content.bank_account, ACCOUNTS_FOR_PURCHASES, currency, book),
        expense_account_id=expenses.id,
        vendor_id=_vendor(content.vendor, currency, book),
        class_id=_class(content, book),
        department_id=_department(content, book),
    )


def resolve_payment(content: DocumentContent, customer_id: str, book: Book) -> Resolved:
    """What the Payment of a paid invoice refers to; the customer is the invoice's."""
    return Resolved(
        customer_id=customer_id,
        deposit_account_id=_deposit_account(content.deposit_account, content, book),
        payment_method_id=_payment_method(content, book),
    )


# --- the company ---------------------------------------------------------------------------------


def _check_company(content: DocumentContent, book: Book) -> None:
    facts = book.facts
    if not facts.is_supported:
        raise Blocked(Reason.COMPANY_NOT_US, company=book.company_name, country=facts.country)
    currency = content.currency or facts.home_currency
    if currency != facts.home_currency and not facts.multicurrency:
        raise Blocked(Reason.CURRENCY_MISMATCH, currency=currency, home=facts.home_currency)
    if facts.is_closed(date.fromisoformat(content.txn_date)):
        raise Blocked(Reason.BOOKS_CLOSED, date=content.txn_date, closed=facts.book_close_date)
    if content.tax and not facts.using_sales_tax:
        raise Blocked(Reason.SALES_TAX_OFF, tax=content.tax)
    if content.discount and not facts.allow_discount:
        raise Blocked(Reason.DISCOUNTS_OFF)


# --- currencies ----------------------------------------------------------------------------------


def _named_in(entity: str, name: str, currency: str, book: Book) -> list[Reference]:
    """The active entries that a document in *currency* may mean by *name*, in whatever currency."""
    named = (row for each in names_in(name, currency) for row in book.named(entity, each))
    return [row for row in named if row.active]


def _is_kept_in(currency: str, row: Reference, book: Book) -> bool:
    return not currency or currency == (row.currency or book.facts.home_currency)


def _check_currency(rows: list[Reference], name: str, currency: str, book: Book) -> None:
    """Raises `Blocked` where there is someone or something of that name, but in other currencies."""
    if rows:
        raise Blocked(
            Reason.OTHER_CURRENCY, kind=rows[0].entity, item=rows[0].name, currency=currency,
            theirs=rows[0].currency or book.facts.home_currency, name=names_in(name, currency)[-1],
        )  # fmt: skip


# --- customers -----------------------------------------------------------------------------------


def _customer(content: DocumentContent, book: Book) -> tuple[str | None, MissingCustomer | None]:
    customer, currency = content.customer, book.facts.stated_currency(content.currency)
    if customer is None:
        return None, None
    if found := find_customer(customer, currency, book):
        return found.id, None
    if customer.source == "fixed":
        name = customer.display_name
        _check_currency(_named_in("Customer", name, currency, book), name, currency, book)
        raise Blocked(Reason.CUSTOMER_NOT_FOUND, item=name)
    key = customer_key(customer, currency, book.facts)
    return None, MissingCustomer(key, customer, currency)


def find_customer(customer: Customer, currency: str, book: Book) -> Reference | None:
    """The active customer in *currency* that *customer* means (R7); the lowest id of several."""
    made = book.made.get(("Customer", customer_key(customer, currency, book.facts)))
    if made and made.active:
        return made
    if customer.source == "contact":
        if customer.email:
            rows = book.with_email(customer.email)
        else:
            full_name = f"{customer.first_name} {customer.last_name}".strip()
            named = _named_in("Customer", full_name, currency, book)
            rows = [row for row in named if not row.email_key]
        same = [row for row in rows if _same_person(row, customer)]
    else:
        same = _named_in("Customer", customer.display_name, currency, book)
    usable = [row for row in same if row.active and _is_kept_in(currency, row, book)]
    return min(usable, key=_age, default=None)


def _same_person(row: Reference, customer: Customer) -> bool:
    return folded(row.given_name) == folded(person_name(customer.first_name)) and folded(
        row.family_name
    ) == folded(person_name(customer.last_name))


def customer_key(customer: Customer, currency: str, facts: CompanyFacts) -> str:
    """What makes two customers the same one: what they are matched by, and a foreign currency."""
    if customer.source == "contact":
        person = (customer.email, customer.first_name, customer.last_name)
        key = "|".join(map(folded, person))
    else:
        key = name_key(customer.display_name)
    return key if currency in ("", facts.home_currency) else f"{key}|{currency}"


def item_key(product: ProductReference) -> str:
    """What makes two products the same item: the SKU where there is one, else the name."""
    return f"sku {folded(product.sku)}" if product.sku else f"name {name_key(product.name)}"


# --- products ------------------------------------------------------------------------------------


def _item(line: Line, number: int, content: DocumentContent, book: Book) -> Reference | None:
    """The item of a line; None where it may be created. R15: an unmatched line blocks them all."""
    product = line.product
    found = _find_item(product, content, book)
    for row in found:
        if row.active:
            return row
    label = content.fixed_product or _label(product)
    if found:
        raise Blocked(Reason.PRODUCT_INACTIVE, item=label)
    if not content.fixed_product:
        if content.product_source == "id_map":
            raise Blocked(Reason.PRODUCT_UNMAPPED, item=_with_id(product))
        if not (product.name or product.sku):
            item = f"no. {number}, of {line.amount},"
            raise Blocked(Reason.PRODUCT_UNNAMED, item=item)
        if content.create_missing_products:
            return None
    raise Blocked(Reason.PRODUCT_NOT_FOUND, item=label)


def _find_item(product: ProductReference, content: DocumentContent, book: Book) -> list[Reference]:
    """What may be sold of that product's name, SKU or id, active or not."""
    if content.fixed_product:
        return _sold(book.named("Item", content.fixed_product))
    source = content.product_source
    if source == "id_map":
        mapped = book.with_id("Item", content.product_map.get(product.hubspot_product_id, ""))
        return _sold([mapped] if mapped else [])
    made = book.made.get(("Item", item_key(product)))
    found = [made] if made else []
    if not found and source in ("sku", "sku_or_name") and product.sku:
        found = _sold(book.with_sku(product.sku))
    if not found and source in ("name", "sku_or_name") and product.name:
        found = _sold(book.named("Item", product.name))
        if source == "sku_or_name":
            found = [row for row in found if not _has_another_sku(row, product)]
    return found


def _has_another_sku(row: Reference, product: ProductReference) -> bool:
    """Two SKUs are two products, though they bear one name."""
    ours = folded(clean_line(product.sku, MAX_SKU))
    return bool(product.sku and row.sku) and folded(row.sku) != ours


def _sold(items: Iterable[Reference]) -> list[Reference]:
    """Without the categories and bundles among them, which stand on no line of their own."""
    return [row for row in items if row.kind not in ("Category", "Group")]


def _label(product: ProductReference) -> str:
    name = f"“{product.name}”" if product.name else ""
    sku = f"SKU {product.sku}" if product.sku else ""
    return ", ".join(part for part in (name, sku) if part)


def _with_id(product: ProductReference) -> str:
    """What `product_map` goes by, and what people call it."""
    label = _label(product) or "without a name or SKU"
    return f"{label} ({product.hubspot_product_id or 'no product id'})"


# --- accounts, terms and other lists -------------------------------------------------------------


def _deposit_account(name: str, content: DocumentContent, book: Book) -> str:
    if not name:
        return ""
    currency = book.facts.stated_currency(content.currency)
    return _account(name, ACCOUNTS_FOR_DEPOSITS, currency, book).id


def _account(name: str, kinds: tuple[str, ...], currency: str, book: Book) -> Reference:
    """One in the home currency serves every document, any other only those in its own."""
    rows = [row for row in _named_in("Account", name, currency, book) if row.kind in kinds]
    for row in rows:
        if any(_is_kept_in(each, row, book) for each in (currency, book.facts.home_currency)):
            return row
    _check_currency(rows, name, currency, book)
    item = f"account “{name}” of type {' or '.join(kinds)}"
    raise Blocked(Reason.ACCOUNT_NOT_FOUND, item=item)


def _vendor(name: str, currency: str, book: Book) -> str:
    if not name:
        return ""
    rows = _named_in("Vendor", name, currency, book)
    for row in rows:
        if _is_kept_in(currency, row, book):
            return row.id
    _check_currency(rows, name, currency, book)
    return _listed("Vendor", name, book)


def income_account(book: Book) -> Reference:
    """The account for products we create: sales of products, else services, else any income."""
    income = [row for row in book.references if row.entity == "Account" and row.kind == "Income"]
    active = [row for row in income if row.active]
    if not active:
        raise Blocked(Reason.ACCOUNT_NOT_FOUND, item="income account, which new products need")
    preferred = {"SalesOfProductIncome": 0, "ServiceFeeIncome": 1}
    return min(
        active,
        key=lambda row: (
            preferred.get(str(row.data.get("AccountSubType")), 2),
            *_age(row),
        ),
    )


def _term(content: DocumentContent, book: Book) -> Reference | None:
    if not content.payment_terms:
        return None
    for row in book.named("Term", content.payment_terms):
        if row.active:
            return row
    raise Blocked(Reason.TERMS_NOT_FOUND, item=content.payment_terms)


def _class(content: DocumentContent, book: Book) -> str:
    return _listed("Class", content.class_name, book, book.facts.class_tracking != "off")


def _department(content: DocumentContent, book: Book) -> str:
    is_tracked = book.facts.department_tracking is not False
    return _listed("Department", content.department, book, is_tracked)


def _listed(entity: str, name: str, book: Book, is_tracked: bool = True) -> str:
    """QuickBooks drops without a word what it does not track: that blocks like a name it lacks."""
    if not name:
        return ""
    for row in book.named(entity, name) if is_tracked else ():
        if row.active:
            return row.id
    raise Blocked(Reason.LIST_ENTRY_NOT_FOUND, kind=_KINDS.get(entity, entity), item=name)


def _custom_field(name: str, book: Book) -> str:
    """The definition id of the company's custom field of that name."""
    found = book.facts.custom_fields.get(folded(name))
    if found is None:
        raise Blocked(Reason.LIST_ENTRY_NOT_FOUND, kind="Custom field", item=name)
    return found


def _payment_method(content: DocumentContent, book: Book) -> str:
    """The payment method of that name. HubSpot's word is left out where the company has none like it."""
    wanted = content.payment_method
    if wanted not in HUBSPOT_PAYMENT_METHODS:
        return _listed("PaymentMethod", wanted, book)
    name = _PAYMENT_METHODS.get(wanted, wanted)
    return next((row.id for row in book.named("PaymentMethod", name) if row.active), "")
