"""Why a document waits, is blocked or was never wanted: the words shown everywhere.

The tables serve the ledger, the console, `explain`, metric labels and the docs. A sentence is
written for an accountant; `fix` is the action that unblocks. Placeholders are filled by whoever
stops a document. A reason that stops documents (`WAITING`, `BLOCKED`) is planted in
tests/integration/test_explain_reasons.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, NamedTuple


class Reason(StrEnum):
    """Stable words; they label metrics and are stored in the ledger."""

    # waiting: a fact has not arrived
    LINE_ITEMS = "line_items"
    LINE_ITEM_DETAILS = "line_item_details"
    CONTACT = "contact"
    CONTACT_DETAILS = "contact_details"
    COMPANY = "company"
    COMPANY_DETAILS = "company_details"
    PAYMENT_SETTLED = "payment_settled"
    PAYMENT_STATUS = "payment_status"
    STATUS_UNKNOWN = "status_unknown"
    PAYMENT_AMOUNT = "payment_amount"
    FEES = "fees"
    PARTIAL_REFUND = "partial_refund"
    REFUND_AMOUNT = "refund_amount"
    PROPERTY_UNKNOWN = "property_unknown"
    # wanted, but not yet
    DELAY = "delay"
    ESTIMATE = "estimate"
    BILLED_FIRST = "billed_first"
    # blocked: a person must act in HubSpot or in workflows.yaml
    NO_CONTACT = "no_contact"
    NO_COMPANY = "no_company"
    CONTACT_INCOMPLETE = "contact_incomplete"
    COMPANY_UNNAMED = "company_unnamed"
    CONTACT_NOT_ELIGIBLE = "contact_not_eligible"
    NO_LINE_ITEMS = "no_line_items"
    NO_PRICE = "no_price"
    TAXABLE_LINE = "taxable_line"
    NO_TAX_AMOUNT = "no_tax_amount"
    TAX_DISAGREES = "tax_disagrees"
    BAD_NUMBER = "bad_number"
    BAD_DATE = "bad_date"
    TOO_LARGE = "too_large"
    UNFORESEEN = "unforeseen"
    UNCOUNTED = "uncounted"
    NEGATIVE_TOTAL = "negative_total"
    NEGATIVE_FEES = "negative_fees"
    NEGATIVE_DISCOUNT = "negative_discount"
    AMOUNT_DISAGREES = "amount_disagrees"
    QUOTE_AMOUNT = "quote_amount"
    LINE_DISAGREES = "line_disagrees"
    LINE_CURRENCY = "line_currency"
    PRODUCT_UNNAMED = "product_unnamed"
    PRODUCT_UNMAPPED = "product_unmapped"
    REFUND_EXCEEDS = "refund_exceeds"
    SOURCE_DELETED = "source_deleted"
    SOURCE_MERGED = "source_merged"
    ALREADY_BILLED = "already_billed"
    WORKFLOW_OFF = "workflow_off"
    # blocked: a person must act in QuickBooks
    COMPANY_NOT_US = "company_not_us"
    COMPANY_UNKNOWN = "company_unknown"
    PRODUCT_NOT_FOUND = "product_not_found"
    PRODUCT_INACTIVE = "product_inactive"
    CUSTOMER_NOT_FOUND = "customer_not_found"
    TERMS_NOT_FOUND = "terms_not_found"
    ACCOUNT_NOT_FOUND = "account_not_found"
    LIST_ENTRY_NOT_FOUND = "list_entry_not_found"
    CURRENCY_MISMATCH = "currency_mismatch"
    OTHER_CURRENCY = "other_currency"
    NO_EXCHANGE_RATE = "no_exchange_rate"
    SALES_TAX_OFF = "sales_tax_off"
    DISCOUNTS_OFF = "discounts_off"
    BOOKS_CLOSED = "books_closed"
    REFUSED = "quickbooks_refused"
    NAME_TAKEN = "name_taken"
    # created, and then something happened
    TOTAL_DIFFERS = "total_differs"
    SOURCE_CHANGED = "source_changed"
    DELETED_IN_HUBSPOT = "deleted_in_hubspot"
    NOT_CALLED_FOR = "not_called_for"
    CHANGE_REFUSED = "change_refused"
    GONE_IN_QUICKBOOKS = "gone_in_quickbooks"
    VOIDED_IN_QUICKBOOKS = "voided_in_quickbooks"
    EDITED_IN_QUICKBOOKS = "edited_in_quickbooks"
    PAID_IN_QUICKBOOKS = "paid_in_quickbooks"
    # not enrolled: nothing is wanted, and why
    NO_MATCH = "no_match"
    MATCHED_BEFORE = "matched_before"
    SAME_DOCUMENT = "same_document"
    NO_LONGER_WANTED = "no_longer_wanted"
    INVOICE_PAYMENT = "invoice_payment"
    QUICKBOOKS_PAYMENT = "quickbooks_payment"
    PAYMENT_FAILED = "payment_failed"
    NO_FEES = "no_fees"
    NOT_REFUNDED = "not_refunded"


class Words(NamedTuple):
    """What a person reads: the sentence, and what to do about it ("" where nothing is to be done)."""

    sentence: str
    fix: str = ""


OFF = (Reason.WORKFLOW_OFF, Reason.COMPANY_UNKNOWN)
"""Why documents of an action that is not on are blocked (`intake.switching.why_off`)."""

_ARRIVES = (
    "Nothing to do while the feed catches up. If it stays so, have the feed carry what is missing, "
    "or let it be fetched from HubSpot (hubspot_token)."
)

WAITING: dict[Reason, Words] = {
    Reason.LINE_ITEMS: Words(
        "The line items of this {object} have not arrived yet{single}.", _ARRIVES
    ),
    Reason.LINE_ITEM_DETAILS: Words(
        "The {missing} of line item {item} has not arrived yet.", _ARRIVES
    ),
    Reason.CONTACT: Words("The contacts of this {object} have not arrived yet{single}.", _ARRIVES),
    Reason.CONTACT_DETAILS: Words(
        "The first contact ({item}) is known only {how}; {missing} not arrived yet.",
        _ARRIVES,
    ),
    Reason.COMPANY: Words("The companies of this {object} have not arrived yet{single}.", _ARRIVES),
    Reason.COMPANY_DETAILS: Words(
        "The first company ({item}) is known only by its id; its name has not arrived yet.",
        _ARRIVES,
    ),
    Reason.PAYMENT_SETTLED: Words(
        "The payment is still processing; it has not succeeded yet.",
        "Nothing to do: the document is made once the payment has succeeded.",
    ),
    Reason.PAYMENT_STATUS: Words("The status of this payment has not arrived yet.", _ARRIVES),
    Reason.STATUS_UNKNOWN: Words(
        "HubSpot calls the payment “{status}”, which does not say whether the money was collected.",
        "Nothing to do while it is on its way: the document is made once the payment has succeeded. If "
        "the money is there, enter the document in QuickBooks by hand and dismiss it here.",
    ),
    Reason.PAYMENT_AMOUNT: Words("The amount of this payment has not arrived yet.", _ARRIVES),
    Reason.FEES: Words("The fees of this payment have not arrived yet.", _ARRIVES),
    Reason.PARTIAL_REFUND: Words(
        "{refunded} of {amount} was refunded. A refund receipt is made when {full}.",
        "To book partial refunds as they come, set partial_refunds: receipt on the action.",
    ),
    Reason.REFUND_AMOUNT: Words("The refunded amount has not arrived yet.", _ARRIVES),
    Reason.PROPERTY_UNKNOWN: Words(
        "Whether a document is made depends on {missing}, which the feed has not mentioned yet.",
        "Have the feed carry the property, if only as empty, or let it be fetched from HubSpot.",
    ),
    Reason.DELAY: Words(
        "The workflow waits {delay} after enrolment: until {until}.",
        "Nothing to do: the document is made then.",
    ),
    Reason.ESTIMATE: Words(
        "The estimate of this {object} is made first, so that the invoice can be linked to it.",
        "Nothing to do unless the estimate is stuck: see why, or dismiss it to invoice without it.",
    ),
    Reason.BILLED_FIRST: Words(
        "{other} of {document} is being made for the same sale.",
        "Nothing to do: if QuickBooks takes that, it is the bill; if not, this one is made.",
    ),
}

BLOCKED: dict[Reason, Words] = {
    Reason.NO_CONTACT: Words(
        "This {object} has no contact, so there is no one to make the document out to.",
        "Associate a contact with the {object} in HubSpot.",
    ),
    Reason.NO_COMPANY: Words(
        "This {object} has no company, and the workflow takes the customer from the company.",
        "Associate a company in HubSpot, or set customer: contact on the action.",
    ),
    Reason.CONTACT_INCOMPLETE: Words(
        "Contact {item} has neither a name nor an email address.",
        "Fill in the contact's name or email in HubSpot.",
    ),
    Reason.COMPANY_UNNAMED: Words(
        "Company {item} has no name in HubSpot, and the customer would be called by it.",
        "Fill in the company's name in HubSpot, or set customer: contact on the action.",
    ),
    Reason.CONTACT_NOT_ELIGIBLE: Words(
        "Contact {item} does not match the contact sync filter of company {company}.",
        "Make the contact match the filter in HubSpot, or widen contact_filter in workflows.yaml.",
    ),
    Reason.NO_LINE_ITEMS: Words(
        "This {object} has no line items, so there is nothing to put on the document.",
        "Add line items to the {object} in HubSpot.",
    ),
    Reason.NO_PRICE: Words(
        "Line item {item} has no price in HubSpot.",
        "Give the line item a price in HubSpot (0 if it is free), or take it off.",
    ),
    Reason.TAXABLE_LINE: Words(
        "Line “{item}” is taxable, and a paid invoice may hold only non-taxable lines.",
        "Use a sales receipt action for taxable payments, or correct the line's tax in HubSpot.",
    ),
    Reason.NO_TAX_AMOUNT: Words(
        "Line item {item} is taxable, but HubSpot states no tax amount for it.",
        "Set the line's tax in HubSpot (0 if none is due), or take its tax rate away.",
    ),
    Reason.TAX_DISAGREES: Words(
        "Line item {item} is {amount} before and {after} after tax{stated}.",
        "Save the line item in HubSpot again, or have the feed carry its amounts as they are now.",
    ),
    Reason.BAD_NUMBER: Words(
        "In HubSpot, {where} reads “{value}”, which is not an amount that QuickBooks can hold.",
        "Correct the value in HubSpot.",
    ),
    Reason.BAD_DATE: Words(
        "In HubSpot, {where} reads “{value}”, which is not a date between 2000 and 2099.",
        "Correct the value in HubSpot.",
    ),
    Reason.TOO_LARGE: Words(
        "{what} comes to {amount}, which is more than QuickBooks can hold.",
        "Correct the quantities, prices and discounts of the line items in HubSpot.",
    ),
    Reason.UNFORESEEN: Words(
        "A value of this {object} can't be worked with ({error}).{suspects}",
        "Correct the {object}'s numbers and dates in HubSpot, then retry. If none is wrong, it is a "
        "mistake of this program: its log says where.",
    ),
    Reason.UNCOUNTED: Words(
        "This {object} enrolled again, but changed more than {most} times: how often it enrolled is "
        "not known any more.",
        "Enter this document in QuickBooks by hand, then dismiss it here.",
    ),
    Reason.NEGATIVE_TOTAL: Words(
        "The document would come to {amount}; QuickBooks takes no negative totals.",
        "Correct the line items in HubSpot.",
    ),
    Reason.NEGATIVE_FEES: Words(
        "The fees of this payment are {amount}, and an expense can't give money back.",
        "Correct the fees in HubSpot, or enter them in QuickBooks by hand and dismiss the document.",
    ),
    Reason.NEGATIVE_DISCOUNT: Words(
        "The order discount of this payment is {amount}, and a discount can't add to the bill.",
        "Put what was added on a line item in HubSpot, or enter the document in QuickBooks by hand.",
    ),
    Reason.AMOUNT_DISAGREES: Words(
        "The payment is {amount} but its lines, discounts and tax add up to {sum}.",
        "Correct the line items in HubSpot, or enter the document in QuickBooks by hand.",
    ),
    Reason.QUOTE_AMOUNT: Words(
        "The quote is {amount} but its lines add up to {sum}{with_tax}: a discount, fee or tax of the "
        "whole quote is not read.",
        "Put the discount, fee or tax on the line items in HubSpot, or enter the document in "
        "QuickBooks by hand.",
    ),
    Reason.LINE_DISAGREES: Words(
        "Line item {item} is {amount}, but {quantity} × {price} less its discount is {computed}.",
        "Save the line item in HubSpot again, or have the feed carry both figures as they are now.",
    ),
    Reason.LINE_CURRENCY: Words(
        "Line item {item} is in {currency}, but the {object} is in {expected}.",
        "Give all line items of the {object} one currency in HubSpot.",
    ),
    Reason.REFUND_EXCEEDS: Words(
        "{refunded} was refunded of a payment of {amount}.",
        "Correct the payment in HubSpot, or enter the refund in QuickBooks by hand.",
    ),
    Reason.SOURCE_DELETED: Words(
        "The {object} was deleted in HubSpot before its document was made.",
        "Restore it in HubSpot, or dismiss the document.",
    ),
    Reason.SOURCE_MERGED: Words(
        "The {object} was merged into {other} in HubSpot before its document was made.",
        "Dismiss the document: {object} {other} is billed instead, where a workflow calls for it.",
    ),
    Reason.ALREADY_BILLED: Words(
        "{other} of {document} already bills the sale that this belongs to.",
        "If both are meant, as of a subscription's later payments, bill it anyway (console, or retry "
        "--bill-anyway); otherwise dismiss it.",
    ),
    Reason.WORKFLOW_OFF: Words(
        "Workflow “{workflow}” is turned off or gone.",
        "Turn the workflow on in workflows.yaml, or dismiss the document.",
    ),
    Reason.COMPANY_NOT_US: Words(
        "QuickBooks company {company} is in {country}; these actions are for US companies only.",
        "Point the action at a US company in workflows.yaml.",
    ),
    Reason.COMPANY_UNKNOWN: Words(
        "No workflow creates documents in QuickBooks company {company} any more.",
        "Put the company and its workflow back in workflows.yaml, or dismiss the document.",
    ),
    Reason.PRODUCT_NOT_FOUND: Words(
        "Product {item} is not in QuickBooks, and this action does not create products.",
        "Create the product in QuickBooks with the same SKU or name, or set "
        "create_missing_products: true on the action.",
    ),
    Reason.PRODUCT_UNNAMED: Words(
        "Line item {item} has neither a name nor a SKU.",
        "Give the line item a name or a SKU in HubSpot.",
    ),
    Reason.PRODUCT_UNMAPPED: Words(
        "product_map gives HubSpot product {item} no QuickBooks item that can be sold.",
        "Put the product's id, and that of its QuickBooks item, into the company's product_map in "
        "workflows.yaml. A line without a product id must be added anew from HubSpot's products.",
    ),
    Reason.PRODUCT_INACTIVE: Words(
        "Product {item} is inactive in QuickBooks.",
        "Make the product active in QuickBooks, or use another product in HubSpot.",
    ),
    Reason.CUSTOMER_NOT_FOUND: Words(
        "Customer “{item}” is not in QuickBooks.",
        "Create the customer in QuickBooks with exactly this name.",
    ),
    Reason.TERMS_NOT_FOUND: Words(
        "Payment terms “{item}” are not in QuickBooks.",
        "Create the terms in QuickBooks, or correct payment_terms in workflows.yaml.",
    ),
    Reason.ACCOUNT_NOT_FOUND: Words(
        "QuickBooks has no active {item}.",
        "Create the account in QuickBooks, or correct its name in workflows.yaml.",
    ),
    Reason.LIST_ENTRY_NOT_FOUND: Words(
        "{kind} “{item}” is not in QuickBooks or not in use there.",
        "Create it in QuickBooks, turn its tracking on, or correct its name in workflows.yaml.",
    ),
    Reason.CURRENCY_MISMATCH: Words(
        "The document is in {currency}, but the company books in {home}.",
        "Turn on multicurrency in QuickBooks, or bill in the company's currency.",
    ),
    Reason.OTHER_CURRENCY: Words(
        "{kind} “{item}” is kept in {theirs} in QuickBooks, and the document is in {currency}.",
        "A currency can't be changed there: create “{name}” in {currency}; it is then used.",
    ),
    Reason.NO_EXCHANGE_RATE: Words(
        "QuickBooks has no exchange rate of {currency} for {date}.",
        "Enter it in QuickBooks (Currencies), then retry.",
    ),
    Reason.SALES_TAX_OFF: Words(
        "The document carries {tax} of sales tax, but sales tax is off in this QuickBooks company.",
        "Set up sales tax in QuickBooks (Taxes), or remove the tax in HubSpot.",
    ),
    Reason.DISCOUNTS_OFF: Words(
        "The document carries a discount, but discounts are off in this QuickBooks company.",
        "Turn on Account and settings › Sales › Discount in QuickBooks.",
    ),
    Reason.BOOKS_CLOSED: Words(
        "The document is dated {date}, and the books are closed through {closed}.",
        "Reopen the period in QuickBooks, or set closed_books: first_open_day on the company.",
    ),
    Reason.REFUSED: Words(
        "QuickBooks refused the document. {message}",
        "{fix}",
    ),
    Reason.NAME_TAKEN: Words(
        "The {kind} “{item}” can't be created in QuickBooks: others bear the names {names} already.",
        "Rename one of them in QuickBooks, or make the one that is meant active there.",
    ),
}

CREATED: dict[Reason, Words] = {
    Reason.TOTAL_DIFFERS: Words(
        "QuickBooks made it {actual} where HubSpot says {wanted}.",
        "Compare the tax settings; correct the document in QuickBooks.",
    ),
    Reason.SOURCE_CHANGED: Words(
        "HubSpot now has it otherwise: {what}.",
        "Correct the document in QuickBooks; on_change of the action is for changes to come.",
    ),
    Reason.DELETED_IN_HUBSPOT: Words(
        "The {object} was deleted in HubSpot after this was made.",
        "Void it in QuickBooks if the sale is off, or restore the {object} in HubSpot.",
    ),
    Reason.NOT_CALLED_FOR: Words(
        "As HubSpot has it by now, this would not be made: {why}",
        "If HubSpot is right, correct or void the document in QuickBooks.",
    ),
    Reason.CHANGE_REFUSED: Words(
        "HubSpot now has it otherwise ({what}), and the document can't be changed: {why}",
        "Correct it in QuickBooks by hand.",
    ),
    Reason.GONE_IN_QUICKBOOKS: Words(
        "{name} was deleted in QuickBooks.",
        "If it should exist, {remedy}.",
    ),
    Reason.VOIDED_IN_QUICKBOOKS: Words(
        "{name} was voided in QuickBooks.",
        "If it should stand, {remedy}.",
    ),
    Reason.EDITED_IN_QUICKBOOKS: Words("{name} was edited in QuickBooks: {what}."),
    Reason.PAID_IN_QUICKBOOKS: Words("{paid} of {total} was paid on {name} in QuickBooks."),
}

NOT_ENROLLED: dict[Reason, Words] = {
    Reason.NO_MATCH: Words("It does not meet the enrolment of workflow “{workflow}”."),
    Reason.MATCHED_BEFORE: Words(
        "It already met the enrolment of “{workflow}” before the workflow was turned on.",
        "Use backfill to create documents for the past.",
    ),
    Reason.SAME_DOCUMENT: Words("Workflow “{other}” wants the same document of it."),
    Reason.NO_LONGER_WANTED: Words(
        "What HubSpot says by now calls for one document less of this object."
    ),
    Reason.INVOICE_PAYMENT: Words(
        "The payment was made against a HubSpot invoice; a second document would bill it twice."
    ),
    Reason.QUICKBOOKS_PAYMENT: Words(
        "QuickBooks processed this payment itself and has it in its books already."
    ),
    Reason.PAYMENT_FAILED: Words("The payment failed."),
    Reason.NO_FEES: Words("The payment had no fees."),
    Reason.NOT_REFUNDED: Words("The payment was not refunded."),
}

WORDS: dict[Reason, Words] = WAITING | BLOCKED | CREATED | NOT_ENROLLED


class Stop(Exception):
    """Raised inside the pure core when a document can't be made as things stand."""

    words: ClassVar[Mapping[Reason, Words]] = WORDS

    def __init__(self, reason: Reason, /, **facts: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts

    @property
    def sentence(self) -> str:
        return self.words[self.reason].sentence.format_map(self.facts)

    @property
    def fix(self) -> str:
        return self.words[self.reason].fix.format_map(self.facts)

    @property
    def detail(self) -> str:
        """Sentence and fix in one line, as stored in the ledger."""
        return f"{self.sentence} {self.fix}".strip()


class Waiting(Stop):
    """A fact has not arrived; nobody needs to do anything yet."""

    words = WAITING


class Blocked(Stop):
    """A person must do something."""

    words = BLOCKED


def unforeseen(error: Exception, object_type: str, suspects: Sequence[str] = ()) -> Blocked:
    """What nobody thought of kept an object from being decided, or its document from being made."""
    return Blocked(
        Reason.UNFORESEEN,
        object=object_type,
        error=f"{type(error).__name__}: {error}"[:200],
        suspects="".join(f" Look at {each}." for each in suspects),
    )


class NotEnrolled(Stop):
    """Nothing is wanted from this workflow for this object."""

    words = NOT_ENROLLED
