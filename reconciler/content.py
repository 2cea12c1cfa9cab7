"""What a document must say, read from its source object. Pure; called by `decide`.

One builder per action. Each either returns the content, exact to the cent, or raises the reason
why it can't be known yet (`Waiting`), must not be made (`Blocked`) or isn't wanted
(`NotEnrolled`). QuickBooks ids are not known here; `documents` resolves them at dispatch.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from reconciler.model import Action, Customer, DocumentContent, Line, ObjectType, SourceObject
from reconciler.reading import associated
from reconciler.reasons import Blocked, NotEnrolled, Reason, Waiting
from reconciler.refunds import REFUNDED, RefundShare, portion
from reconciler.source import (
    ZERO,
    Properties,
    called,
    cents,
    company_customer,
    contact_customer,
    first_contact,
    is_held,
    lines_of,
    money,
)
from reconciler.workflows import ActionSettings, render

# The payment statuses under which money was collected (commerce payments guide, March 2026).
_COLLECTED = frozenset({
    "succeeded", "partially_refunded", "refunded", "processing_refund",
    "disputed_won", "disputed_lost", "disputed_action_required", "disputed_awaiting_decision",
})  # fmt: skip
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)  # those of changes, too


class Sale(NamedTuple):
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
        return _date(instant, self.settings.company.timezone)


def content_of(sale: Sale) -> DocumentContent:
    """The document that *sale* calls for; raises `Waiting`, `Blocked` or `NotEnrolled`."""
    return _BUILDERS[sale.settings.action](sale)


# --- deals and quotes, and sales from payments -----------------------------------------------


def _sales_form(sale: Sale) -> DocumentContent:
    if sale.obj.key.type is ObjectType.PAYMENT:
        return _payment_sale(sale)
    customer = _customer(sale)
    lines = lines_of(sale.obj, _source_currency(sale))
    return _form(sale, customer, lines, ZERO, sale.date_of(sale.enrolled_at))


def _payment_sale(sale: Sale) -> DocumentContent:
    """A receipt or paid invoice for money that was collected, equal to it to the cent."""
    _refuse_echoes(sale)
    _require_collected(sale.properties)
    amount = _payment_amount(sale)
    customer = _customer(sale)
    lines = lines_of(sale.obj, _source_currency(sale))
    if sale.settings.action is Action.PAID_INVOICE:
        _refuse_taxable(lines)
    discount = _order_discount(sale, lines, amount)
    return _form(sale, customer, lines, discount, _paid_on(sale))


def _refuse_echoes(sale: Sale) -> None:
    """Money already documented elsewhere never makes a second sale (R31, and QuickBooks's own)."""
    found = sale.properties
    if found.get("hs_processor_type") == "quickbooks":
        raise NotEnrolled(Reason.QUICKBOOKS_PAYMENT)
    invoices = money(found, "hs_number_of_associated_invoices", "payment") or ZERO
    if (
        (found.get("hs_payment_source_app") or "").upper() == "INVOICE"
        or found.get("hs_has_associated_invoice") == "true"
        or invoices > ZERO
        or associated(sale.obj, "invoices")
    ):
        raise NotEnrolled(Reason.INVOICE_PAYMENT)


def _require_collected(found: Properties) -> None:
    status = found.get("hs_latest_status")
    if status in _COLLECTED:
        return
    if status == "failed":
        raise NotEnrolled(Reason.PAYMENT_FAILED)
    raise Waiting(Reason.PAYMENT_SETTLED)


def _refuse_taxable(lines: tuple[Line, ...]) -> None:
    """R28: one taxable line refuses the whole paid invoice."""
    for line in lines:
        if line.taxable:
            item = line.product.name or line.product.sku or line.description
            raise Blocked(Reason.TAXABLE_LINE, item=item)


def _payment_amount(sale: Sale) -> Decimal:
    amount = money(sale.properties, "hs_initial_amount", "the payment")
    if amount is None:
        raise Waiting(Reason.PAYMENT_AMOUNT)
    return cents(amount)


def _order_discount(sale: Sale, lines: tuple[Line, ...], amount: Decimal) -> Decimal:
    """The discount on the whole order; lines, discount and tax must add up to the payment."""
    stated = money(sale.properties, "hs_order_discount_amount", "the payment") or ZERO
    sum_of_lines = sum((line.amount + line.tax for line in lines), ZERO)
    for discount in (cents(stated), ZERO):
        if sum_of_lines - discount == amount:
            return discount
    raise Blocked(Reason.AMOUNT_DISAGREES, amount=amount, sum=sum_of_lines - cents(stated))


def _form(
    sale: Sale, customer: Customer, lines: tuple[Line, ...], discount: Decimal, txn_date: str
) -> DocumentContent:
    settings, found = sale.settings, sale.properties
    tax = sum((line.tax for line in lines), ZERO)
    total = sum((line.amount for line in lines), ZERO) - discount + tax
    if total < ZERO:
        raise Blocked(Reason.NEGATIVE_TOTAL, amount=total)
    if not is_held(total):
        raise Blocked(Reason.TOO_LARGE, what="The document", amount=total)
    return DocumentContent(
        currency=_currency(sale),
        txn_date=txn_date,
        due_date=_due_date(settings, txn_date),
        total=total,
        customer=customer,
        lines=lines,
        discount=discount,
        tax=tax,
        payment_terms=settings.payment_terms,
        customer_memo=_rendered(settings.memo, sale),
        private_note=_note(sale),
        document_number=_rendered(settings.document_number, sale),
        payment_method=settings.payment_method or found.get("hs_payment_method_type") or "",
        payment_reference=found.get("hs_reference_number") or "",
        deposit_account=settings.deposit_account,
        class_name=settings.class_name,
        department=settings.department,
        product_source=settings.product.kind,
        fixed_product=settings.product.name,
        product_map=dict(settings.company.product_map) if settings.product.kind == "id_map" else {},
        create_missing_products=settings.create_missing_products,
        custom_fields=_custom_fields(sale),
        linked_estimate=sale.linked_estimate,
    )


# --- expenses and refunds ----------------------------------------------------------------------


def _expense(sale: Sale) -> DocumentContent:
    """The fees HubSpot charged for the payment: not its gross (R34)."""
    settings = sale.settings
    fees = money(sale.properties, "hs_fees_amount", "the payment")
    if fees is None:
        raise Waiting(Reason.FEES)
    if cents(fees) <= ZERO:
        raise NotEnrolled(Reason.NO_FEES)
    return DocumentContent(
        currency=_currency(sale),
        txn_date=_paid_on(sale),
        total=cents(fees),
        private_note="\n".join(filter(None, (_note(sale), _rendered(settings.memo, sale)))),
        document_number=_rendered(settings.document_number, sale),
        bank_account=settings.bank_account,
        expense_account=settings.expense_account,
        vendor=settings.vendor,
        class_name=settings.class_name,
        department=settings.department,
        payment_reference=sale.properties.get("hs_reference_number") or "",
    )


def _refund(sale: Sale) -> DocumentContent:
    """The whole payment given back (R35); partial refunds wait unless the action opts in."""
    amount = _payment_amount(sale)
    if sale.refund is None:
        _require_full_refund(sale, amount)
    elif sale.refund.up_to > amount:
        raise Blocked(Reason.REFUND_EXCEEDS, refunded=sale.refund.up_to, amount=amount)
    customer = _customer(sale)
    lines = lines_of(sale.obj, _source_currency(sale))
    discount = _order_discount(sale, lines, amount)
    if sale.refund is None:
        return _form(sale, customer, lines, discount, sale.date_of(_refunded_at(sale)))
    if (sale.refund.after, sale.refund.up_to) != (ZERO, amount):
        lines, discount = portion(lines, discount, amount, sale.refund)
    return _form(sale, customer, lines, discount, sale.date_of(sale.refund.at))


def _require_full_refund(sale: Sale, amount: Decimal) -> None:
    refunded = money(sale.properties, "hs_refunds_amount", "the payment")
    status = sale.properties.get("hs_latest_status")
    if status not in REFUNDED and not refunded:
        raise NotEnrolled(Reason.NOT_REFUNDED)
    if refunded is None:
        raise Waiting(Reason.REFUND_AMOUNT)
    if status != "refunded" or refunded < amount:
        raise Waiting(Reason.PARTIAL_REFUND, refunded=cents(refunded), amount=amount)
    if refunded > amount:
        raise Blocked(Reason.REFUND_EXCEEDS, refunded=cents(refunded), amount=amount)


def _refunded_at(sale: Sale) -> int:
    for at, status in sale.obj.history.get("hs_latest_status", ()):
        if status == "refunded":
            return at
    return sale.enrolled_at


# --- shared ------------------------------------------------------------------------------------


def _customer(sale: Sale) -> Customer:
    wanted = sale.settings.customer
    if wanted.kind == "fixed":
        return Customer(source="fixed", display_name=wanted.name)
    if wanted.kind == "company":
        return company_customer(sale.obj)
    contact = first_contact(sale.obj)
    company = sale.settings.company
    if company.contact_filter is not None and not company.contact_filter.holds(
        contact.properties or {}
    ):
        raise Blocked(Reason.CONTACT_NOT_ELIGIBLE, item=called(contact), company=company.name)
    return contact_customer(contact)


def _currency(sale: Sale) -> str:
    """The source's currency; where it names none the portal has only one, the company's own."""
    return _source_currency(sale) or _line_currency(sale.obj) or sale.settings.company.currency


def _source_currency(sale: Sale) -> str:
    found = sale.properties
    for name in ("hs_currency_code", "hs_currency", "deal_currency_code"):
        if code := found.get(name):
            return code.upper()
    return ""


def _line_currency(obj: SourceObject) -> str:
    for item in associated(obj, "line_items") or ():
        if item.properties and (code := item.properties.get("hs_line_item_currency_code")):
            return code.upper()
    return ""


def _note(sale: Sale) -> str:
    key = sale.obj.key
    title = sale.properties.get("dealname") or sale.properties.get("hs_title") or ""
    return f"HubSpot {key.type} {key.id}" + (f": {title}" if title else "")


def _rendered(template: str, sale: Sale) -> str:
    return render(template, sale.obj) if template else ""


def _custom_fields(sale: Sale) -> tuple[tuple[str, str], ...]:
    """Custom fields by their name in QuickBooks; one that comes out empty is left out."""
    written = sale.settings.custom_fields
    if not written:
        return ()
    filled = ((name, _rendered(template, sale)) for name, template in written)
    return tuple((name, text) for name, text in filled if text)


def _paid_on(sale: Sale) -> str:
    """The day the customer paid, as HubSpot states it; else the day the payment enrolled."""
    stated = sale.properties.get("hs_initiated_date")
    if not stated:
        return sale.date_of(sale.enrolled_at)
    try:
        moment = datetime.fromisoformat(stated)
        day = _day(moment, sale.settings.company.timezone) if moment.tzinfo else moment.date()
    except (ValueError, OverflowError):
        day = date.min
    if not _FIRST_DAY <= day <= _LAST_DAY:
        where = "hs_initiated_date of the payment"
        raise Blocked(Reason.BAD_DATE, where=where, value=stated[:40])
    return day.isoformat()


def _due_date(settings: ActionSettings, txn_date: str) -> str:
    if settings.due_in_days is None:
        return ""
    return (date.fromisoformat(txn_date) + timedelta(days=settings.due_in_days)).isoformat()


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _date(instant: int, timezone: str) -> str:
    return _day(datetime.fromtimestamp(instant / 1000, UTC), timezone).isoformat()


def _day(moment: datetime, timezone: str) -> date:
    return moment.astimezone(UTC if timezone == "UTC" else _zone(timezone)).date()


_BUILDERS: dict[Action, Callable[[Sale], DocumentContent]] = {
    Action.INVOICE: _sales_form,
    Action.ESTIMATE: _sales_form,
    Action.SALES_RECEIPT: _sales_form,
    Action.PAID_INVOICE: _payment_sale,
    Action.EXPENSE: _expense,
    Action.REFUND_RECEIPT: _refund,
}
