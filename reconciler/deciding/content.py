"""What a document must say, read from its source object. Pure; called by `decide`.

One builder per action. Each either returns the content, exact to the cent, or raises the reason
why it can't be known yet (`Waiting`), must not be made (`Blocked`) or isn't wanted
(`NotEnrolled`). QuickBooks ids are not known here; `documents` resolves them at dispatch.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from reconciler.deciding.days import day_of, stated_day
from reconciler.deciding.quotes import check_amount
from reconciler.deciding.refunds import RefundShare, portion
from reconciler.deciding.source import (
    ZERO,
    Properties,
    called,
    cents,
    company_customer,
    contact_customer,
    currency_of,
    first_contact,
    is_held,
    lines_of,
    money,
    option,
)
from reconciler.model import (
    HUBSPOT_PAYMENT_METHODS,
    Action,
    Customer,
    DocumentContent,
    Line,
    ObjectType,
    Related,
    SourceObject,
)
from reconciler.objects.reading import associated, named
from reconciler.reasons import Blocked, NotEnrolled, Reason, Waiting
from reconciler.workflows import ActionSettings, Company, render
from reconciler.workflows.filters import CONTACT_PREFIX
from reconciler.workflows.presets import COLLECTED, REFUNDED
from reconciler.workflows.values import folded

_BY_HAND = frozenset({"cash", "check", "wire_transfer", "other"})  # unless a processor is named


class Enrolled(NamedTuple):
    """An enrolled object and the action to take for it; `enrolled_at` is epoch ms.

    `refund` is the part of a payment's refunds that a receipt of its own is made for;
    `linked_estimate` the key of the estimate that an invoice follows.
    """

    obj: SourceObject
    settings: ActionSettings
    enrolled_at: int
    refund: RefundShare | None = None
    linked_estimate: str = ""

    @property
    def properties(self) -> Properties:
        return self.obj.properties

    def date_of(self, instant: int) -> str:
        """The ISO date of an instant (epoch ms) in the company's time zone."""
        return day_of(instant, self.settings.company.timezone)


def content_of(enrolled: Enrolled) -> DocumentContent:
    """The document that *enrolled* calls for; raises `Waiting`, `Blocked` or `NotEnrolled`."""
    return _BUILDERS[enrolled.settings.action](enrolled)


# --- deals and quotes, and sales from payments -----------------------------------------------


def _sales_form(enrolled: Enrolled) -> DocumentContent:
    if enrolled.obj.key.type is ObjectType.PAYMENT:
        return _payment_sale(enrolled)
    customer = _customer(enrolled)
    lines = lines_of(enrolled.obj, _source_currency(enrolled))
    if enrolled.obj.key.type is ObjectType.QUOTE:
        check_amount(enrolled.obj, lines)
    return _form(enrolled, customer, lines, ZERO, enrolled.date_of(enrolled.enrolled_at))


def _payment_sale(enrolled: Enrolled) -> DocumentContent:
    """A receipt or paid invoice for money that was collected, equal to it to the cent."""
    _refuse_echoes(enrolled)
    _require_collected(enrolled.properties)
    amount = _payment_amount(enrolled)
    customer = _customer(enrolled)
    lines = lines_of(
        enrolled.obj,
        _source_currency(enrolled),
        may_be_taxable=enrolled.settings.action is not Action.PAID_INVOICE,
    )
    discount = _order_discount(enrolled, lines, amount)
    return _form(enrolled, customer, lines, discount, _paid_on(enrolled))


def _refuse_echoes(enrolled: Enrolled) -> None:
    """Money already documented elsewhere never makes a second sale (R31)."""
    _refuse_quickbooks_own(enrolled)
    found = enrolled.properties
    invoices = money(found, "hs_number_of_associated_invoices", "payment") or ZERO
    if (
        option(found, "hs_payment_source_app") == "invoice"
        or option(found, "hs_has_associated_invoice") == "true"
        or invoices > ZERO
        or named(enrolled.obj, "invoices")  # one is enough: the list need not be known whole
    ):
        raise NotEnrolled(Reason.INVOICE_PAYMENT)


def _refuse_quickbooks_own(enrolled: Enrolled) -> None:
    """What QuickBooks processed it has in its books already: the sale, the fees and the refunds."""
    if option(enrolled.properties, "hs_processor_type") == "quickbooks":
        raise NotEnrolled(Reason.QUICKBOOKS_PAYMENT)


def _require_collected(found: Properties) -> None:
    status = option(found, "hs_latest_status")
    if status in COLLECTED:
        return
    if status == "failed":
        raise NotEnrolled(Reason.PAYMENT_FAILED)
    if not status:
        raise Waiting(Reason.PAYMENT_STATUS)
    if status != "processing":
        raise Waiting(Reason.STATUS_UNKNOWN, status=status[:40])
    raise Waiting(Reason.PAYMENT_SETTLED)


def _payment_amount(enrolled: Enrolled) -> Decimal:
    amount = money(enrolled.properties, "hs_initial_amount", "the payment")
    if amount is None:
        raise Waiting(Reason.PAYMENT_AMOUNT)
    return cents(amount)


def _order_discount(enrolled: Enrolled, lines: tuple[Line, ...], amount: Decimal) -> Decimal:
    """The discount on the whole order; lines, discount and tax must add up to the payment."""
    stated = money(enrolled.properties, "hs_order_discount_amount", "the payment") or ZERO
    sum_of_lines = sum((line.amount + line.tax for line in lines), ZERO)
    for discount in (cents(stated), ZERO):
        if sum_of_lines - discount == amount:
            if discount < ZERO:
                raise Blocked(Reason.NEGATIVE_DISCOUNT, amount=discount)
            return discount
    raise Blocked(Reason.AMOUNT_DISAGREES, amount=amount, sum=sum_of_lines - cents(stated))


def _form(
    enrolled: Enrolled,
    customer: Customer,
    lines: tuple[Line, ...],
    discount: Decimal,
    txn_date: str,
) -> DocumentContent:
    settings, found = enrolled.settings, enrolled.properties
    tax = sum((line.tax for line in lines), ZERO)
    total = sum((line.amount for line in lines), ZERO) - discount + tax
    if total < ZERO:
        raise Blocked(Reason.NEGATIVE_TOTAL, amount=total)
    if not is_held(total):
        raise Blocked(Reason.TOO_LARGE, what="The document", amount=total)
    return DocumentContent(
        currency=_currency(enrolled),
        txn_date=txn_date,
        due_date=_due_date(settings, txn_date),
        expiration_date=_expiration_date(enrolled),
        total=total,
        customer=customer,
        lines=lines,
        discount=discount,
        tax=tax,
        payment_terms=settings.payment_terms,
        customer_memo=_rendered(settings.memo, enrolled),
        private_note=_note(enrolled),
        document_number=_rendered(settings.document_number, enrolled),
        payment_method=settings.payment_method or _payment_method(found),
        payment_reference=found.get("hs_reference_number") or "",
        deposit_account=settings.deposit_account,
        class_name=settings.class_name,
        department=settings.department,
        product_source=settings.product.kind,
        fixed_product=settings.product.name,
        product_map=dict(settings.company.product_map) if settings.product.kind == "id_map" else {},
        create_missing_products=settings.create_missing_products,
        custom_fields=_custom_fields(enrolled),
        linked_estimate=enrolled.linked_estimate,
    )


# --- expenses and refunds ----------------------------------------------------------------------


def _expense(enrolled: Enrolled) -> DocumentContent:
    """The fees HubSpot charged for the payment: not its gross (R34)."""
    _refuse_quickbooks_own(enrolled)
    settings = enrolled.settings
    fees = money(enrolled.properties, "hs_fees_amount", "the payment")
    if fees is None and not _has_no_fees(enrolled.properties):
        raise Waiting(Reason.FEES)
    if not fees or not cents(fees):
        raise NotEnrolled(Reason.NO_FEES)
    if fees < ZERO:
        raise Blocked(Reason.NEGATIVE_FEES, amount=cents(fees))
    return DocumentContent(
        currency=_currency(enrolled),
        txn_date=_paid_on(enrolled),
        total=cents(fees),
        private_note="\n".join(filter(None, (_note(enrolled), _rendered(settings.memo, enrolled)))),
        document_number=_rendered(settings.document_number, enrolled),
        bank_account=settings.bank_account,
        expense_account=settings.expense_account,
        vendor=settings.vendor,
        class_name=settings.class_name,
        department=settings.department,
        payment_reference=enrolled.properties.get("hs_reference_number") or "",
    )


def _has_no_fees(found: Properties) -> bool:
    """Whether fees that HubSpot states as empty stay so: no processor handled the payment."""
    processor = option(found, "hs_processor_type")
    by_hand = option(found, "hs_payment_method_type") in _BY_HAND
    return "hs_fees_amount" in found and (processor == "none" or (not processor and by_hand))


def _refund(enrolled: Enrolled) -> DocumentContent:
    """The whole payment given back (R35); partial refunds wait unless the action opts in."""
    _refuse_quickbooks_own(enrolled)
    amount = _payment_amount(enrolled)
    if enrolled.refund is None:
        _require_full_refund(enrolled, amount)
    elif enrolled.refund.up_to > amount:
        raise Blocked(Reason.REFUND_EXCEEDS, refunded=enrolled.refund.up_to, amount=amount)
    customer = _customer(enrolled)
    lines = lines_of(enrolled.obj, _source_currency(enrolled))
    discount = _order_discount(enrolled, lines, amount)
    if enrolled.refund is None:
        return _form(enrolled, customer, lines, discount, enrolled.date_of(_refunded_at(enrolled)))
    if (enrolled.refund.after, enrolled.refund.up_to) != (ZERO, amount):
        lines, discount = portion(lines, discount, amount, enrolled.refund)
    return _form(enrolled, customer, lines, discount, enrolled.date_of(enrolled.refund.at))


def _require_full_refund(enrolled: Enrolled, amount: Decimal) -> None:
    stated = money(enrolled.properties, "hs_refunds_amount", "the payment")
    refunded = None if stated is None else cents(stated)
    status = option(enrolled.properties, "hs_latest_status")
    if status not in REFUNDED and not refunded:
        raise NotEnrolled(Reason.NOT_REFUNDED)
    _require_collected(enrolled.properties)
    if refunded is None:
        raise Waiting(Reason.REFUND_AMOUNT)
    if status != "refunded" or refunded < amount:
        full = "all of it is" if refunded < amount else "HubSpot's status says so"
        raise Waiting(Reason.PARTIAL_REFUND, refunded=refunded, amount=amount, full=full)
    if refunded > amount:
        raise Blocked(Reason.REFUND_EXCEEDS, refunded=refunded, amount=amount)


def _refunded_at(enrolled: Enrolled) -> int:
    for at, status in enrolled.obj.history.get("hs_latest_status", ()):
        if folded(status or "") == "refunded":
            return at
    return enrolled.enrolled_at


# --- shared ------------------------------------------------------------------------------------


def _customer(enrolled: Enrolled) -> Customer:
    wanted = enrolled.settings.customer
    if wanted.kind == "fixed":
        return Customer(source="fixed", display_name=wanted.name)
    if wanted.kind == "company":
        return company_customer(enrolled.obj)
    contact = first_contact(enrolled.obj)
    _require_eligible(contact, enrolled.settings.company)
    return contact_customer(contact)


def _require_eligible(contact: Related, company: Company) -> None:
    """With data sync, only what its filter lets through by what is known of the contact (R10)."""
    if company.contact_filter is None:
        return
    found = contact.properties or {}
    if missing := company.contact_filter.open_for(found):
        names = ", ".join(f"{CONTACT_PREFIX}{name}" for name in missing)
        raise Waiting(Reason.PROPERTY_UNKNOWN, missing=names)
    if not company.contact_filter.holds(found):
        raise Blocked(Reason.CONTACT_NOT_ELIGIBLE, item=called(contact), company=company.name)


def _currency(enrolled: Enrolled) -> str:
    """The source's currency; where it names none the portal has only one, the company's own."""
    return (
        _source_currency(enrolled)
        or _line_currency(enrolled.obj)
        or enrolled.settings.company.currency
    )


def _source_currency(enrolled: Enrolled) -> str:
    found = enrolled.properties
    for name in ("hs_currency_code", "hs_currency", "deal_currency_code"):
        if code := currency_of(found, name):
            return code
    return ""


def _line_currency(obj: SourceObject) -> str:
    for item in associated(obj, "line_items") or ():
        if code := currency_of(item.properties or {}, "hs_line_item_currency_code"):
            return code
    return ""


def _payment_method(found: Properties) -> str:
    """HubSpot's word; one that is not known is no name of anything in QuickBooks either."""
    word = option(found, "hs_payment_method_type")
    return word if word in HUBSPOT_PAYMENT_METHODS else ""


def _note(enrolled: Enrolled) -> str:
    key = enrolled.obj.key
    title = enrolled.properties.get("dealname") or enrolled.properties.get("hs_title") or ""
    return f"HubSpot {key.type} {key.id}" + (f": {title}" if title else "")


def _rendered(template: str, enrolled: Enrolled) -> str:
    return render(template, enrolled.obj) if template else ""


def _custom_fields(enrolled: Enrolled) -> tuple[tuple[str, str], ...]:
    """Custom fields by their name in QuickBooks; one that comes out empty is left out."""
    written = enrolled.settings.custom_fields
    if not written:
        return ()
    filled = ((name, _rendered(template, enrolled)) for name, template in written)
    return tuple((name, text) for name, text in filled if text)


def _paid_on(enrolled: Enrolled) -> str:
    """The day the customer paid, as HubSpot states it; else the day the payment enrolled."""
    found = enrolled.properties
    stated = stated_day(found, "hs_initiated_date", "the payment", enrolled.date_of)
    return stated or enrolled.date_of(enrolled.enrolled_at)


def _due_date(settings: ActionSettings, txn_date: str) -> str:
    if settings.due_in_days is None:
        return ""
    return (date.fromisoformat(txn_date) + timedelta(days=settings.due_in_days)).isoformat()


def _expiration_date(enrolled: Enrolled) -> str:
    """An estimate stands as long as the quote it is made of."""
    is_quote = enrolled.obj.key.type is ObjectType.QUOTE
    if not is_quote or enrolled.settings.action is not Action.ESTIMATE:
        return ""
    return stated_day(enrolled.properties, "hs_expiration_date", "the quote", enrolled.date_of)


_BUILDERS: dict[Action, Callable[[Enrolled], DocumentContent]] = {
    Action.INVOICE: _sales_form,
    Action.ESTIMATE: _sales_form,
    Action.SALES_RECEIPT: _sales_form,
    Action.PAID_INVOICE: _payment_sale,
    Action.EXPENSE: _expense,
    Action.REFUND_RECEIPT: _refund,
}
